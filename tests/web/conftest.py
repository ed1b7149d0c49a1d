"""Real servers on this machine, in a thread, and clients of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from spectrace.web.app import create_app
from spectrace.web.server import listen, server_of
from spectrace.web.settings import Settings

Serve = Callable[..., httpx.Client]


@contextmanager
def running(model: Path | None = None, **limits: object) -> Iterator[httpx.Client]:
    settings = Settings(**limits)  # type: ignore[arg-type]
    app = create_app(model, settings)
    with listen("127.0.0.1", 0) as door:
        server = server_of(app, settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door.socket]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            with httpx.Client(base_url=door.address, timeout=60, trust_env=False, verify=False) as client:
                client.app = app  # type: ignore[attr-defined]
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve(toy_model: Callable[..., Path]) -> Iterator[Serve]:
    """``serve(model=None, **settings) -> client`` of a server with a toy detector."""
    with ExitStack() as stack:

        def start(model: Path | None = None, **settings: object) -> httpx.Client:
            return stack.enter_context(running(model or toy_model(), **settings))

        yield start


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    """Of a server with the shipped detector and the limits of a small machine."""
    with running(workers=2, pixels=4_000_000, file_bytes=2**20, request_bytes=4 * 2**20, files=4) as one:
        yield one


@pytest.fixture(scope="session")
def grey() -> Callable[..., bytes]:
    """``grey(level, side=32, kind="PNG") -> file`` of one brightness: a toy's score is that less 128."""
    import io

    def make(level: int, side: int = 32, kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(file, kind)
        return file.getvalue()

    return make
