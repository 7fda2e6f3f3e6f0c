"""What stands before Gradio: our own upload with its limits, and headers that keep the page to itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from feat_pipeline.app.limits import MEGA, RefusedError
from feat_pipeline.app.uploads import Uploads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UPLOAD = "/feat/upload"
BODY_BYTES = 2 * MEGA
"""Largest body of any other request: what Gradio itself needs are some kilobytes, a camera picture 100."""

_CLOSED = ("/gradio_api/upload", "/gradio_api/proxy", "/gradio_api/stream")
_BODY_METHODS = ("POST", "PUT", "PATCH")
_HEADERS = {
    # Gradio's page evaluates and inlines; what matters is that nothing is asked of another host.
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class UploadMiddleware:
    """ASGI middleware.

    Parameters
    ----------
    app : ASGI application
    uploads : Uploads

    Notes
    -----
    ``POST /feat/upload`` takes the bytes of one file as its body, ``content-type:
    application/octet-stream`` (so that a page of another origin cannot send it unasked) and ``x-feat-kind:
    photo|video``. It answers ``{"ticket": …}``, or ``{"detail": …}`` with status 413 or 400. Gradio's own
    upload is closed: its files outlive their answer.
    """

    def __init__(self, app: Any, uploads: Uploads) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, length = scope["path"], _length(scope)
        if path == UPLOAD:
            await self._upload(scope, receive, send)
        elif path.startswith(_CLOSED):
            await _reply(send, 404, {"detail": "There is nothing here."})
        elif scope["method"] in _BODY_METHODS and (length is None or length > BODY_BYTES):
            await _reply(send, 413, {"detail": "This request is too large."})
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self.uploads.limits
        kind = _header(scope, b"x-feat-kind")
        most = {"photo": limits.photo_bytes, "video": limits.video_bytes}.get(kind)
        right = scope["method"] == "POST" and _header(scope, b"content-type") == "application/octet-stream"
        if not right or most is None:
            await _reply(send, 400, {"detail": "Expected the bytes of one photo or video."})
            return
        try:
            with self.uploads.room(_length(scope) or 0, most) as path, path.open("wb") as file:
                size = 0
                while True:
                    event = await receive()
                    if event["type"] == "http.disconnect":
                        raise RefusedError("The upload broke off; send it again.")
                    part = event.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise RefusedError("The file is larger than it said; send a smaller one.")
                    await run_in_threadpool(file.write, part)
                    if not event.get("more_body"):
                        break
        except RefusedError as error:
            await _reply(send, 413, {"detail": str(error)})
            return
        await _reply(send, 200, {"ticket": path.name})


def _with_headers(send: Send) -> Send:
    async def sending(event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            given = event.get("headers", ())
            known = {name.lower() for name, _ in given} & {b"cache-control"}  # of files that never change
            ours = {name.encode(): value.encode() for name, value in _HEADERS.items()}
            kept = [pair for pair in given if pair[0].lower() in known or pair[0].lower() not in ours]
            added = [(name, value) for name, value in ours.items() if name not in known]
            event = {**event, "headers": [*kept, *added]}
        await send(event)

    return sending


async def _reply(send: Send, status: int, content: dict[str, str]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status >= 400:
        headers.append((b"connection", b"close"))  # what is still coming is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _length(scope: Scope) -> int | None:
    text = _header(scope, b"content-length")
    return int(text) if text.isdigit() else None
