"""Pictures out of a request's body, in memory alone and within limits.

Starlette's own forms write files beyond a megabyte to the disk; here nothing is.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from spectrace.provenance.record import clean
from spectrace.web.refusals import RefusedError, busy
from spectrace.web.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_NAME_LIMIT = 300
_NAMELESS = "picture without a name"
_WANTED = "wanted multipart/form-data with a picture in each part"


@dataclass(frozen=True)
class Upload:
    """A file out of a request: its name without folders, and its bytes."""

    name: str
    content: bytes

    def open(self) -> io.BytesIO:
        """A file object that messages call by the upload's name."""
        file = _Named(self.content)
        file.name = self.name
        return file


class _Named(io.BytesIO):
    name: str


class Held:
    """Bytes of all requests and answers in memory; a request that would pass the limit is refused.

    Example:
        >>> held = Held(10)
        >>> with held.lease() as grow:
        ...     grow(8)
        ...     held.bytes
        8
        >>> held.bytes
        0
    """

    def __init__(self, most: int) -> None:
        self.bytes = 0
        self._most = most

    @contextmanager
    def lease(self) -> Iterator[Callable[[int], None]]:
        """Bytes of one request: call with each further number; all are given back at the end.

        Raises:
            RefusedError: 429, from the call that would pass the limit.
        """
        mine = 0

        def grow(count: int) -> None:
            nonlocal mine
            if self.bytes + count > self._most:
                raise busy(f"what is at hand fills {self._most:,} bytes, the limit: try again shortly")
            self.bytes += count
            mine += count

        try:
            yield grow
        finally:
            self.bytes -= mine

    @contextmanager
    def answer(self, count: int) -> Iterator[None]:
        """Bytes of an answer until it is sent. It is never refused, but requests behind it may be."""
        self.bytes += count
        try:
            yield
        finally:
            self.bytes -= count


@asynccontextmanager
async def received(
    request: Request, settings: Settings, held: Held, *, most: int
) -> AsyncIterator[list[Upload]]:
    """Receive the files of a request; they count as held until the block ends.

    Args:
        request: its body not yet read.
        settings: the limits.
        held: what all requests hold.
        most: files.

    Raises:
        RefusedError: 408 too slow, 413 too much, 415 no multipart form, 422 broken or without a file, 429
            when memory is short, 400 when the client left.
    """
    boundary = _boundary(request.headers.get("content-type", ""))
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > settings.request_bytes:
        raise _too_large(int(stated), settings)
    form = _Form(boundary, settings, most)
    with held.lease() as grow, closing(form):
        try:
            async with asyncio.timeout(settings.receive_seconds):
                async for piece in request.stream():
                    grow(len(piece))
                    form.take(piece)
        except TimeoutError:
            raise RefusedError(
                408, "too-slow", f"the request did not arrive in {settings.receive_seconds:g} s, the limit"
            ) from None
        except ClientDisconnect:
            raise RefusedError(400, "incomplete", "the client left before its request was complete") from None
        yield form.finished()


class _Form:
    """A multipart form that grows piece by piece."""

    def __init__(self, boundary: bytes, settings: Settings, most: int) -> None:
        self._settings = settings
        self._most = most
        self._total = 0
        self._uploads: list[Upload] = []
        self._header = self._value = b""
        self._disposition = b""
        self._name = _NAMELESS
        self._content = bytearray()
        self._complete = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _broken(error) from None

    def take(self, piece: bytes) -> None:
        """Parse the next piece of the body."""
        self._total += len(piece)
        if self._total > self._settings.request_bytes:
            raise _too_large(self._total, self._settings)
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _broken(error) from None

    def finished(self) -> list[Upload]:
        """The files, after the last piece."""
        if not self._complete:
            raise RefusedError(422, "broken-form", "the form ends before its closing boundary: send it again")
        if not self._uploads:
            raise RefusedError(422, "no-file", f"the form holds no file: {_WANTED}")
        return self._uploads

    def close(self) -> None:
        """Let go of the files: form and parser know each other, and would keep them until a collection."""
        self._uploads.clear()
        self._content = bytearray()

    def _begin(self) -> None:
        if len(self._uploads) == self._most:
            raise RefusedError(
                413,
                "too-many-files",
                f"the request holds more than {self._most} file{'' if self._most == 1 else 's'}, the limit: "
                "send fewer at a time",
            )
        self._disposition, self._content = b"", bytearray()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            field = clean(options.get(b"name", b"").decode("utf-8", "replace"), 40)
            raise RefusedError(
                422, "no-file", f"the field {field!r} is no file: {_WANTED}; addresses are not fetched"
            )
        self._name = _file_name(options[b"filename"])

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]
        if len(self._content) > self._settings.file_bytes:
            raise RefusedError(
                413,
                "too-many-bytes",
                f"{self._name} has more than {self._settings.file_bytes:,} bytes, the limit of a file",
            )

    def _on_part_end(self) -> None:
        self._uploads.append(Upload(self._name, bytes(self._content)))
        self._content = bytearray()

    def _on_end(self) -> None:
        self._complete = True


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        found = clean(kind.decode("latin-1"), 60) or "nothing"
        raise RefusedError(415, "not-a-form", f"the request's content type says {found}: {_WANTED}")
    if not options.get(b"boundary"):
        raise RefusedError(422, "broken-form", "the form's content type names no boundary: send it again")
    return options[b"boundary"]


def _file_name(raw: bytes) -> str:
    """A name to show and nothing else: no folders, one printable line."""
    name = raw.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    return clean(name, _NAME_LIMIT) or _NAMELESS


def _too_large(found: int, settings: Settings) -> RefusedError:
    return RefusedError(
        413,
        "too-many-bytes",
        f"the request has {found:,} bytes, the limit is {settings.request_bytes:,}: send fewer at a time",
    )


def _broken(error: FormParserError) -> RefusedError:
    return RefusedError(
        422, "broken-form", f"the form cannot be read ({clean(str(error), 120)}): send it again"
    )
