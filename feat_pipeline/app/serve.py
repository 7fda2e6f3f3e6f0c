"""The page on the network: where it listens, what it keeps to itself, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feat_pipeline.environment import restored_variables
from feat_pipeline.errors import UnavailableError, UsageError, require
from feat_pipeline.network import FREE_PORT, LOOPBACK, is_loopback, page_address

if TYPE_CHECKING:
    from feat_pipeline.app.service import FaceService

SESSIONS = 200
"""How many people's last answers are held; the oldest beyond make room."""


def check_installed() -> None:
    """Say which command installs Gradio where it is missing.

    Raises
    ------
    UnavailableError
        It is missing.
    """
    require("gradio", extra="app", what="app")


@contextlib.contextmanager
def serving(service: FaceService, *, host: str = LOOPBACK, port: int = FREE_PORT) -> Iterator[str]:
    """Serve the page while the block runs.

    Parameters
    ----------
    service : FaceService
    host : str
        Name or address to listen at.
    port : int
        0 takes a free one.

    Yields
    ------
    str
        The page's address.

    Raises
    ------
    UnavailableError
        Gradio is missing.
    UsageError
        Nobody can listen there.
    """
    check_installed()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(_listening(host, port))
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feat-pipeline-app-")))
        stack.enter_context(_gradio_to_itself(temporary / "gradio"))
        (temporary / "uploads").mkdir(mode=0o700)
        # Gradio leaves an open event loop behind in a thread that has none running.
        with ThreadPoolExecutor(1) as builder:
            making = _application(service, temporary / "uploads", host)
            app = builder.submit(asyncio.run, making).result()
        stack.enter_context(_running(app, listening))
        yield page_address(host, listening.getsockname()[1])


async def _application(service: FaceService, folder: Path, host: str) -> Any:
    """Put our middleware before Gradio's application."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from feat_pipeline.app.middleware import UploadMiddleware
    from feat_pipeline.app.page import build_page, head, theme
    from feat_pipeline.app.uploads import Uploads

    uploads = Uploads(folder, service.limits)
    page = build_page(service, uploads)
    page.state_session_capacity = SESSIONS
    names = [LOOPBACK, "localhost", "[::1]"] if is_loopback(host) else ["*"]  # against DNS rebinding
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=names),
        Middleware(UploadMiddleware, uploads=uploads),
    ]
    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    return gr.mount_gradio_app(
        FastAPI(middleware=middleware, **undocumented),
        page,
        path="/",
        server_name=host,
        show_error=False,
        footer_links=[],
        run_history=False,  # it would keep everybody's pictures in their browser
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=1,
        theme=theme(),
        head=head(),
        app_kwargs=undocumented,
    )


@contextlib.contextmanager
def _running(app: Any, listening: socket.socket) -> Iterator[None]:
    """Let an application answer in a thread of its own while the block runs."""
    import uvicorn

    options: dict[str, Any] = {"access_log": False, "log_level": "critical", "server_header": False}
    server = uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=2, **options))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise UnavailableError("the web server did not start; --debug tells more")
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen before anything else is loaded, so that a port that is taken is told at once."""
    if not 0 <= port <= 65535:
        raise UsageError(f"port: expected 0 to 65535, got {port}")
    with contextlib.ExitStack() as stack:
        try:
            family, kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listening = stack.enter_context(socket.socket(family, kind))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(
                f"cannot listen at {host}, port {port} ({reason[:1].lower()}{reason[1:]}); "
                f"choose another with --port or --host"
            ) from None
        yield listening


@contextlib.contextmanager
def _gradio_to_itself(folder: Path) -> Iterator[None]:
    """Let Gradio call nobody and write nowhere else while it is imported and runs."""
    own = {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
    with restored_variables(own):
        os.environ.update(own)
        yield
