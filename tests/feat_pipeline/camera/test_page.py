import io
import json
import socket
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.camera.page import PageView
from feat_pipeline.errors import UsageError
from feat_pipeline.film.follow import Follower
from tests.feat_pipeline.render.made import made_face
from tests.feat_pipeline.waiting import GUARD_S

PICTURE = np.tile(np.arange(0, 240, 10, dtype=np.uint8)[:, None, None], (1, 32, 3))


def face(**answers):
    (followed,) = Follower({}).update(0.0, [made_face((2, 3, 20, 20), {12: 1}, **answers)])
    return followed


def get(address):
    with urlopen(address, timeout=GUARD_S) as answer:
        return answer.read(), answer.headers


@pytest.fixture
def page():
    with PageView("camera 0") as view:
        yield view


def test_the_page_is_one_html_file_without_other_addresses(page):
    html, headers = get(page.address)
    text = html.decode()
    assert headers["Content-Type"] == "text/html; charset=utf-8" and "<title>" in text
    assert "http" not in text.replace('lang="en"', "") and 'aria-live="polite"' in text


def test_answers_come_as_text(page):
    page.show(PICTURE, 1.5, [face(cnn={"happy": 0.875, "sad": 0.125}), face()])
    answers = json.loads(get(page.address + "answers.json")[0])
    assert answers == {
        "source": "camera 0",
        "time_s": 1.5,
        "running": True,
        "faces": [
            {"face_id": 0, "label": "happy", "text": "happy 88 %"},
            {"face_id": 0, "label": "not measured", "text": "not measured"},
        ],
    }


def test_the_newest_picture_can_be_saved(page):
    with pytest.raises(HTTPError, match="503"):
        get(page.address + "picture.png")
    page.show(PICTURE, 0.0, [])
    data, headers = get(page.address + "picture.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), PICTURE)
    assert "attachment" in headers["Content-Disposition"] and headers["Cache-Control"] == "no-store"


def test_the_stream_gives_each_new_picture_and_ends_with_the_camera():
    with PageView("camera 0") as page:
        page.show(PICTURE, 0.0, [])
        stream = urlopen(page.address + "stream", timeout=GUARD_S)
        assert "multipart/x-mixed-replace" in stream.headers["Content-Type"]
        levels = []
        for level in (50, 150):
            levels.append(read_part(stream).mean())
            page.show(np.full_like(PICTURE, level), 0.1, [])
        levels.append(read_part(stream).mean())
    assert levels == pytest.approx([PICTURE.mean(), 50, 150], abs=2)
    assert stream.read().strip() == b"Content-Type: image/jpeg"  # it ends, and nothing comes twice


def read_part(stream):
    """One picture of a stream: what stands between its head and the next boundary."""
    while stream.readline().strip():
        pass
    data = b""
    while not (line := stream.readline()).startswith(b"--feat-pipeline-picture"):
        data += line
    return np.asarray(Image.open(io.BytesIO(data)))


def test_nobody_looks_through_the_camera_without_the_whole_address(page):
    root, key = page.address.rstrip("/").rsplit("/", 1)
    page.show(PICTURE, 0.0, [])
    for path in ("/", "/stream", "/wrong/stream", f"/{key}/../{key}/", f"/{key}/secrets"):
        with pytest.raises(HTTPError, match="404"):
            pytest.fail(f"{path} was answered: {get(root + path)[0][:80]!r}")
    assert get(f"{root}/{key}")[0] == get(page.address)[0]  # the last slash may be left out
    assert page.address.startswith("http://127.0.0.1:") and len(key) >= 16


def test_two_viewers_see_the_same_and_one_who_leaves_disturbs_nobody(page, capfd):
    page.show(PICTURE, 0.0, [])
    leaves = urlopen(page.address + "stream", timeout=GUARD_S)
    stays = urlopen(page.address + "stream", timeout=GUARD_S)
    assert np.array_equal(read_part(leaves), read_part(stays))
    leaves.close()
    for level in range(0, 250, 25):
        page.show(np.full_like(PICTURE, level), 0.1, [])
    assert read_part(stays).std() < 2
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_refused(page):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"port \d+: cannot be listened at .*--port"):
            PageView("camera 0", port=taken.getsockname()[1])
    with pytest.raises(UsageError, match=r"host nowhere\.invalid"):
        PageView("camera 0", host="nowhere.invalid")


def test_no_thread_is_left(page):
    page.__exit__(None, None, None)
    assert not any(thread.name == "page" and thread.is_alive() for thread in threading.enumerate())
