"""Listening, serving, and ending well."""

from __future__ import annotations

import ipaddress
import logging
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from spectrace.errors import UsageError
from spectrace.web.connections import protocol
from spectrace.web.settings import Settings

# Longer than clients keep a connection that they do not use (many: 5): a request that is sent into one at
# the moment of its end is lost.
_KEEP_ALIVE_SECONDS = 30


@dataclass(frozen=True)
class Door:
    """A socket that listens.

    Attributes:
        socket: to be served.
        address: of the page.
        loopback: whether this machine alone can reach it.
    """

    socket: socket.socket
    address: str
    loopback: bool


@contextmanager
def listen(host: str, port: int) -> Iterator[Door]:
    """Listen on an address until the block ends.

    Args:
        host: name or address.
        port: 0 takes a free one.

    Raises:
        UsageError: there is no such address here, or the port is taken.

    Example:
        >>> with listen("127.0.0.1", 0) as door:
        ...     door.loopback
        True
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(place[:2], family=family, backlog=512)
    except (OSError, UnicodeError) as error:  # a name with an impossible label
        why = error.strerror if isinstance(error, OSError) else "no such name"
        raise UsageError(
            f"cannot listen on {host} port {port} ({why}): give another --host or --port"
        ) from error
    with listening:
        found, port = listening.getsockname()[:2]
        shown = f"[{found}]" if ":" in found else found
        loopback = ipaddress.ip_address(found).is_loopback
        yield Door(listening, f"http://{shown}:{port}/", loopback)


def server_of(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    """A server that ends well: told to, it answers the requests at hand first.

    Args:
        app: the application.
        settings: the same as the application's.
    """
    # It has a line for the log about every broken form, and anybody can send those.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=protocol(settings.receive_seconds),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(
            settings.receive_seconds + settings.wait_seconds + settings.work_seconds
        ),
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, listening: socket.socket, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, in the main thread.

    Args:
        app: the application.
        listening: a socket that listens.
        settings: the same as the application's.
    """
    # When it has ended well uvicorn raises the signal again, to end the process by it.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server_of(app, settings).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
