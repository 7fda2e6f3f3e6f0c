"""The live picture on a page, for machines without a screen; it is served to this machine alone by default.

Whoever opens the page needs its whole address: a part of it is a secret made anew each time, so that neither
other users of the machine nor pages of other sites can look through the camera.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import numpy as np

from feat_pipeline.camera.live import picture_name
from feat_pipeline.errors import UsageError
from feat_pipeline.film.follow import FollowedFace
from feat_pipeline.network import FREE_PORT, LOOPBACK, page_address
from feat_pipeline.render.encode import jpeg, png
from feat_pipeline.render.labels import NOT_MEASURED, label_heads

_BOUNDARY = "feat-pipeline-picture"
_WAIT_S = 1.0  # for the next picture, before it is seen whether the program has ended
_SILENT_S = 20.0  # a viewer who takes nothing for so long is let go


class PageView:
    """Serves the newest picture and the answers for its faces; a context manager.

    Parameters
    ----------
    source : str
        Name of the camera, which the page tells.
    host : str
        The address to listen at; others than 127.0.0.1 let the network in.
    port : int
        0 takes a free one.

    Attributes
    ----------
    address : str
        To be opened in a browser.

    Raises
    ------
    UsageError
        There is no such address here, or the port is taken.
    """

    def __init__(self, source: str, *, host: str = LOOPBACK, port: int = FREE_PORT) -> None:
        self._state = _State(source)
        key = secrets.token_urlsafe(12)
        try:
            self._server = _Server((host, port), _handler(self._state, key))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"host {host}, port {port}: cannot be listened at ({reason}); name another --port, or leave "
                f"it out for a free one"
            ) from None
        self.address = f"{page_address(host, self._server.server_address[1])}{key}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    def __enter__(self) -> PageView:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._state.end()
        self._server.shutdown()
        self._server.server_close()

    def show(self, picture_rgb: np.ndarray, time_s: float, faces: Sequence[FollowedFace]) -> None:
        """Put the next picture on the page."""
        self._state.put(picture_rgb, time_s, faces)

    def action(self) -> str:
        """Return what the user asks for: nothing, as the page's buttons work in the browser."""
        return ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over viewers who leave in the middle of a picture."""


class _State:
    """The newest picture, which the program's thread puts and the viewers' threads take."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._picture: np.ndarray | None = None
        self._number = 0
        self._jpeg = (0, b"")
        self._answers: dict[str, Any] = {"source": source, "time_s": 0.0, "faces": [], "running": True}

    def put(self, picture_rgb: np.ndarray, time_s: float, faces: Sequence[FollowedFace]) -> None:
        answers = [
            {"face_id": face.face_id, "label": face.label() or NOT_MEASURED, "text": answer_text(face)}
            for face in faces
        ]
        with self._changed:
            self._picture, self._number = picture_rgb, self._number + 1
            self._answers = {"source": self._source, "time_s": time_s, "faces": answers, "running": True}
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._answers = self._answers | {"faces": [], "running": False}
            self._changed.notify_all()

    def answers(self) -> bytes:
        with self._changed:
            return json.dumps(self._answers).encode()

    def picture(self) -> np.ndarray | None:
        with self._changed:
            return self._picture

    def next_jpeg(self, after: int) -> tuple[int, bytes, bool]:
        """Wait for a picture newer than number `after`; its number, or `after`, and whether more come."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or not self._answers["running"], _WAIT_S)
            if self._number > after and self._picture is not None:
                # encoded once for all viewers, and only where there are any
                if self._jpeg[0] != self._number:
                    self._jpeg = (self._number, jpeg(self._picture))
                return *self._jpeg, self._answers["running"]
            return after, b"", self._answers["running"]


def answer_text(face: FollowedFace) -> str:
    """Return a face's answer and its reasons as one line of text."""
    name = next(iter(face.probabilities), "")
    if name in face.explanations:
        return face.explanations[name].rationale
    return label_heads(face)[0].text


def _handler(state: _State, key: str) -> type[BaseHTTPRequestHandler]:
    page = files("feat_pipeline.camera").joinpath("page.html").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENT_S
        server_version, sys_version = "feat-pipeline", ""

        def do_GET(self) -> None:
            known: dict[str, Callable[[], None]] = {
                "": lambda: self._send(page, "text/html; charset=utf-8"),
                "answers.json": lambda: self._send(state.answers(), "application/json"),
                "picture.jpg": lambda: self._picture("jpeg", jpeg),
                "picture.png": lambda: self._picture("png", png),
                "stream": self._stream,
            }
            given, slash, name = self.path.partition("?")[0].removeprefix("/").partition("/")
            if not secrets.compare_digest(given.encode(), key.encode()) or name not in known:
                text = b"Open the whole address that the program printed."
                self._send(text, "text/plain", HTTPStatus.NOT_FOUND)
            elif not slash:
                self._head(HTTPStatus.PERMANENT_REDIRECT, "text/plain", length=0, to=f"/{key}/")
            else:
                known[name]()

        def _picture(self, kind: str, encode: Callable[[np.ndarray], bytes]) -> None:
            picture = state.picture()
            if picture is None:
                self._send(b"There is no picture yet.", "text/plain", HTTPStatus.SERVICE_UNAVAILABLE)
                return
            self._send(encode(picture), f"image/{kind}", name=picture_name() if kind == "png" else "")

        def _stream(self) -> None:
            self._head(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            # Chromium shows a picture when it has seen the head of the next one, which thus comes at once.
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
            self.wfile.write(head)
            number, running = 0, True
            while running:
                number, data, running = state.next_jpeg(number)
                if data:
                    self.wfile.write(data + b"\r\n" + head)

        def _send(self, data: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, name: str = "") -> None:
            self._head(status, kind, length=len(data), name=name)
            self.wfile.write(data)

        def _head(
            self, status: HTTPStatus, kind: str, *, length: int | None = None, name: str = "", to: str = ""
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("Referrer-Policy", "no-referrer")
            if length is not None:
                self.send_header("Content-Length", str(length))
            if name:
                self.send_header("Content-Disposition", f'attachment; filename="{name}"')
            if to:
                self.send_header("Location", to)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the terminal is for the user."""

    return Handler
