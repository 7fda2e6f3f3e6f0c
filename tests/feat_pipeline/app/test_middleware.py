import asyncio
import json

import pytest

pytest.importorskip("starlette", reason="the web page needs the extra app")

from feat_pipeline.app.middleware import BODY_BYTES, UploadMiddleware

OWN = (b"referrer-policy", b"unsafe-url")


async def behind(scope, receive, send):
    """Stands for Gradio: says what it was asked, with a header of its own."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"unsafe-url")]}
    )
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.fixture
def ask(uploads):
    def asked(method, path, headers=(), body=b"", break_off=False):
        sent = []
        parts = [body[:10], body[10:]]

        async def receive():
            if break_off and len(parts) == 1:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(event):
            sent.append(event)

        raw = [(name.encode(), str(value).encode()) for name, value in dict(headers).items()]
        scope = {"type": "http", "method": method, "path": path, "headers": raw}
        asyncio.run(UploadMiddleware(behind, uploads)(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    return asked


def upload(size, kind="photo"):
    return {"content-type": "application/octet-stream", "content-length": size, "x-feat-kind": kind}


def test_an_upload_gets_a_ticket(ask, uploads):
    status, _, body = ask("POST", "/feat/upload", upload(26), b"abcdefghijklmnopqrstuvwxyz")
    assert status == 200
    with uploads.taken(json.loads(body)["ticket"]) as path:
        assert path.read_bytes() == b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("headers", "body", "status", "told"),
    [
        (upload(100_001), b"", 413, "at most 0.1 MB are taken here"),
        (upload(200_001, "video"), b"", 413, "at most 0.2 MB are taken here"),
        (upload(5), bytes(100_002), 413, "larger than it said"),
        (upload(0), b"", 413, "The file is empty"),
        (upload(5, "secrets"), b"12345", 400, "one photo or video"),
        ({"content-length": 5, "x-feat-kind": "photo"}, b"12345", 400, "one photo or video"),
    ],
)
def test_a_wrong_upload_is_refused_in_words_and_leaves_nothing(ask, uploads, headers, body, status, told):
    found, _, answer = ask("POST", "/feat/upload", headers, body)
    assert found == status and told in json.loads(answer)["detail"]
    assert list(uploads.folder.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(ask, uploads):
    assert ask("POST", "/feat/upload", upload(20), bytes(20), break_off=True)[0] == 413
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/proxy=http://example.org/"])
def test_other_ways_in_are_closed(ask, path):
    assert ask("POST", path, {"content-length": 1}, b"x")[0] == 404


@pytest.mark.parametrize("headers", [{}, {"content-length": BODY_BYTES + 1}, {"content-length": "many"}])
def test_a_body_without_a_sound_length_goes_no_further(ask, headers):
    assert ask("POST", "/gradio_api/queue/join", headers)[0] == 413


def test_the_page_is_kept_to_itself(ask):
    status, headers, body = ask("GET", "/")
    assert (status, body) == (200, b"/")
    assert headers[b"content-security-policy"].startswith(b"default-src 'self'")
    assert headers[b"referrer-policy"] == b"no-referrer" and headers[b"cache-control"] == b"no-store"
