"""Connections that do not wait for ever, as uvicorn's own do for clients that never say what they want."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """HTTP/1.1 for uvicorn, ending connections that keep it waiting.

    Args:
        seconds: for the head of a request to arrive, and for the other side to take anything of an answer.
    """

    class Protocol(H11Protocol):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_head()
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
                milliseconds = min(math.ceil(1000 * seconds), 2**31 - 1)
                connected = transport.get_extra_info("socket")
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self._patience is None:
                self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            self._patience = self.loop.call_later(seconds, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

    return Protocol
