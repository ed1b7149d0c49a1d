"""What stands around every request: whose is taken, how many are open, how answers leave, and the counts."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spectrace.web.callers import refusal_of
from spectrace.web.refusals import RefusedError, busy
from spectrace.web.settings import Settings
from spectrace.web.uploads import Held

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_UNKNOWN = "unknown"
_PIECE = 65_536
_log = logging.getLogger(__name__)


class Counter(Protocol):
    """Counts answered requests, as :class:`spectrace.web.metrics.Metrics` does."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one."""


class Guard:
    """Wraps an application.

    Args:
        app: the application.
        settings: its limits.
        held: what is in memory.
        counter: told of every answer.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, held: Held, counter: Counter) -> None:
        self._app = app
        self._settings = settings
        self._held = held
        self._counter = counter
        # Another site has no token to send.
        self._names = None if settings.token else {name.lower() for name in settings.names}
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, or anything else that a server says to an application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._settings.receive_seconds, self._held)
        started = time.perf_counter()
        # Only what has a body holds memory or a thread: health and figures are told however busy it is.
        counted = scope["method"] == "POST"
        self._open += counted
        try:
            refusal = refusal_of(scope["method"], exchange.headers, self._names)
            if refusal is None and counted and self._open > self._settings.requests:
                refusal = busy(f"{self._settings.requests} requests are open, the limit: try again shortly")
            app = self._app if refusal is None else refusal.response()
            await app(scope, exchange.receive, exchange.send)
        except _NotTakenError:
            _log.info("a client did not take its answer in time")
        except Exception:
            _log.exception("a request could not be answered")
            if not exchange.begun:
                refusal = RefusedError(500, "internal", "a fault of the server: its log says more")
                await refusal.response()(scope, exchange.receive, exchange.send)
        finally:
            self._open -= counted
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            self._counter.request(route, exchange.status, time.perf_counter() - started)


class _NotTakenError(Exception):
    """The client leaves its answer where it is; whoever serves then ends the connection."""


class _Exchange:
    """A request and its answer as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float, held: Held) -> None:
        self.headers = Headers(scope=scope)
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._held = held
        self._complete = False
        # A client that waits to be told to go on sends nothing before it has its answer.
        self._waits = self.headers.get("expect", "").lower() == "100-continue"
        self.status = 500
        self.begun = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._waits = False
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            await self._read_to_the_end()
            await self._send(message)
        else:
            await self._send_body(message)

    async def _send_body(self, message: Message) -> None:
        """Hand over no more than the client takes: what nobody reads would fill the memory unnoticed."""
        body = message.get("body", b"")
        with self._held.answer(len(body)):
            try:
                async with asyncio.timeout(self._seconds):
                    for start in range(0, len(body), _PIECE):
                        piece = body[start : start + _PIECE]
                        await self._send({**message, "body": piece, "more_body": True})
                    await self._send({**message, "body": b""})
            except TimeoutError:
                raise _NotTakenError from None

    async def _read_to_the_end(self) -> None:
        """Many clients read no answer before all is sent, and lose it when the connection ends before."""
        try:
            async with asyncio.timeout(self._seconds):
                while not (self._complete or self._waits):
                    await self.receive()
        except TimeoutError:
            pass
