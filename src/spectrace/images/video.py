"""Frames of video files: a sample spread over the clip, in displayed orientation, with their times.

OpenCV decodes (``pip install 'spectrace[video]'``); it is imported when the first clip is opened.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from spectrace.errors import ImageError, ImageProblem, MissingDependencyError, UsageError
from spectrace.images.colour import Pixels
from spectrace.images.reading import source_name
from spectrace.images.video_formats import HEAD, VIDEO_FORMATS, video_format
from spectrace.images.video_reader import Reader, opencv, plain_path

__all__ = ["FRAMES", "Clip", "ClipLimits", "Frame", "MissingFrame", "frames", "obstacle"]

FRAMES = 16
"""How many frames of a clip are looked at unless the caller says otherwise."""

# Containers that state their number of frames; others state a duration, and a short clip is soon counted.
_COUNTED = ("MP4", "MOV", "AVI")
_GUESSED_SECONDS = 60.0


@dataclass(frozen=True)
class ClipLimits:
    """What a clip may ask for before it is refused, judged from its container before a frame is given.

    Args:
        pixels: width times height of a frame.
        file_bytes: size of the file, which is never read into memory as a whole.
        frames: number of frames in the clip.
        seconds: duration.
        samples: number of frames that the caller asks for.
    """

    pixels: int = 120_000_000
    file_bytes: int = 64 * 2**30
    frames: int = 10_000_000
    seconds: float = 48 * 3600.0
    samples: int = 10_000


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame.

    Args:
        index: its number in the sample, from 0.
        seconds: when it is shown, from the beginning of the clip.
        pixels: uint8 ``[H, W, 3]`` RGB in displayed orientation, read-only.
    """

    index: int
    seconds: float
    pixels: Pixels


@dataclass(frozen=True)
class MissingFrame:
    """A frame of the sample that could not be decoded.

    Args:
        index: its number in the sample, from 0.
        seconds: when it should be shown.
        error: the reason, one line without the clip's name.
    """

    index: int
    seconds: float
    error: str


def obstacle() -> str | None:
    """Why no video can be read here: the package that decodes them is missing; None when it is there."""
    try:
        opencv()
    except MissingDependencyError as error:
        return str(error)
    return None


def frames(
    path: str | os.PathLike[str],
    count: int = FRAMES,
    *,
    every: float | None = None,
    limits: ClipLimits = ClipLimits(),
) -> Iterator[Frame | MissingFrame]:
    """A sample of a clip's frames; see :meth:`Clip.sample`.

    Raises:
        ImageError: the clip cannot be read; one line that begins with its name.
        MissingDependencyError: OpenCV is not installed.
        UsageError: the sample asked for makes no sense.

    Example:
        >>> next(frames("no/such/clip.mp4"))
        Traceback (most recent call last):
        ...
        spectrace.errors.ImageError: no/such/clip.mp4 is not there: check the path
    """
    with Clip(path, limits) as clip:
        yield from clip.sample(count, every=every)


class Clip:
    """An opened video file.

    Attributes:
        format: of the container, one of ``VIDEO_FORMATS``.
        coding: four characters that name the codec.
        width: of its frames as displayed, in pixels.
        height: of its frames as displayed, in pixels.
        bytes: size of the file.
        count: number of frames, as the container states it or else as counted.
        seconds: duration.

    Args:
        path: of a regular file.
        limits: what to refuse.

    Raises:
        ImageError: it is no video, is broken, or goes beyond a limit; one line that begins with its name.
        MissingDependencyError: OpenCV is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], limits: ClipLimits = ClipLimits()) -> None:
        self.path = os.fspath(path)
        self._limits = limits
        try:
            self._open()
        except ImageError as error:
            raise ImageError(error.problem, f"{source_name(path)} {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def sha256(self) -> str:
        """Of the file's bytes, 64 hexadecimal digits."""
        try:
            with Path(self.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(error, source_name(self.path) + " ") from None

    def sample(self, count: int = FRAMES, *, every: float | None = None) -> Iterator[Frame | MissingFrame]:
        """Decode frames spread over the clip, in the order of time. To be called once.

        The same frames whether decoding went on or sought ahead: a frame is chosen by its own time stamp.

        Args:
            count: how many: the clip is cut into that many equal parts, and the frame nearest to the middle
                of each taken. A clip of fewer frames gives all of them.
            every: take one every so many seconds instead, the first at 0.

        Yields:
            Frames, and in the place of one that cannot be decoded a :class:`MissingFrame`.

        Raises:
            ImageError: the sample is larger than the limit.
            UsageError: ``count`` is below 1, or ``every`` no positive number.
        """
        times = self._times(count, every)
        whole = every is None and self.count <= count
        before = -math.inf
        for index, wanted in enumerate(times):
            found = self._reader.go_on(index) if whole else self._reader.go_to(wanted - self._half_interval)
            if not found:
                if self._reader.walked >= self.count:
                    return  # the last frame stays on the screen until the end
                yield MissingFrame(index, wanted, self._missing(wanted))
            elif self._reader.time > before:
                before = self._reader.time
                try:
                    pixels = self._reader.pixels()
                except ImageError as error:
                    yield MissingFrame(index, before, str(error))
                else:
                    yield Frame(index, before, pixels)

    def _times(self, count: int, every: float | None) -> list[float]:
        if count < 1:
            raise UsageError(f"{count} frames: wanted at least 1")
        if every is not None and not (math.isfinite(every) and every > 0):
            raise UsageError(f"a frame every {every} seconds: wanted a number above 0")
        if every is None:
            number = min(count, self.count)
        else:
            # Less a little, since 0.3 / 0.1 is more than 3 for no good reason.
            number = max(1, math.ceil((self.seconds - self._half_interval) / every - 1e-9))
        if number > self._limits.samples:
            raise ImageError(
                ImageProblem.TOO_MANY_FRAMES,
                f"{source_name(self.path)} would give {number:,} frames, the limit is "
                f"{self._limits.samples:,}: ask for fewer",
            )
        if every is not None:
            return [i * every for i in range(number)]
        middle = 0.0 if self.count <= count else 0.5
        return [(i + middle) * self.seconds / number for i in range(number)]

    @property
    def _half_interval(self) -> float:
        return 0.5 * self.seconds / self.count

    def _missing(self, wanted: float) -> str:
        return (
            f"has no frame at {wanted:.3f} s that can be decoded, although it states to last "
            f"{self.seconds:.3f} s: get the file again"
        )

    def _open(self) -> None:
        head, self.bytes = _head(self.path, self._limits.file_bytes)
        found = video_format(head)
        if found is None:
            raise ImageError(
                ImageProblem.NOT_AN_IMAGE,
                f"is not a video ({self.bytes:,} bytes): wanted {', '.join(VIDEO_FORMATS)}",
            )
        self.format = found
        kind = f"{'an' if found[0] in 'MAFO' else 'a'} {found}"
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="spectrace-"))
            self._reader = Reader(plain_path(self.path, Path(folder)), kind, self._limits.frames)
            stack.callback(self._reader.close)
            self._read_facts()
            self._stack = stack.pop_all()

    def _read_facts(self) -> None:
        reader, limits = self._reader, self._limits
        self.coding, self.width, self.height = reader.coding, reader.width, reader.height
        self._check("pixels", self.width * self.height, limits.pixels)
        stated, rate = reader.stated_frames, reader.rate
        seconds = 0.0 if rate is None else stated / rate
        if seconds <= (0.0 if self.format in _COUNTED else _GUESSED_SECONDS):
            # Nothing is stated, as in live recordings, or what is may be the sound's length: decoding tells.
            stated, seconds = reader.measure()
        self._check("frames", stated, limits.frames)
        if seconds > limits.seconds:
            raise ImageError(
                ImageProblem.TOO_MANY_FRAMES,
                f"is {seconds:,.0f} s long, the limit is {limits.seconds:,.0f} s: raise ClipLimits.seconds",
            )
        self.count, self.seconds = stated, seconds
        reader.start()

    def _check(self, what: str, found: int, limit: int) -> None:
        if found > limit:
            problem = ImageProblem.TOO_MANY_PIXELS if what == "pixels" else ImageProblem.TOO_MANY_FRAMES
            raise ImageError(
                problem, f"has {found:,} {what}, the limit is {limit:,}: raise ClipLimits.{what} to read it"
            )


def _head(path: str, limit: int) -> tuple[bytes, int]:
    """First bytes and size of a regular file."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                ImageProblem.UNREADABLE, "is a directory, pipe or device: wanted the path of a video file"
            )
        if status.st_size > limit:
            raise ImageError(
                ImageProblem.TOO_MANY_BYTES,
                f"has more than {limit:,} bytes, the limit: raise ClipLimits.file_bytes to read it",
            )
        with Path(path).open("rb") as file:
            head = file.read(HEAD)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(ImageProblem.MISSING, "is not there: check the path") from None
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if not head:
        raise ImageError(ImageProblem.EMPTY, "is empty (0 bytes): nothing to decode")
    return head, status.st_size


def _unreadable(error: Exception, name: str = "") -> ImageError:
    reason = getattr(error, "strerror", None) or str(error)
    return ImageError(ImageProblem.UNREADABLE, f"{name}cannot be read ({reason}): check the file")
