"""The walk through a video file, by OpenCV: the one place that decodes videos."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from spectrace.errors import ImageError, ImageProblem, MissingDependencyError
from spectrace.images.colour import Pixels
from spectrace.images.reading import one_line

# Decoding on is quicker than seeking over a distance that holds a key frame or two.
_SEEK_FROM, _SEEK_MARGIN = 10.0, 2.0
_OLDEST = (4, 13)
_HIGHEST_RATE, _USUAL_RATE = 100_000.0, 25.0


def opencv() -> ModuleType:
    """OpenCV, imported now.

    Raises:
        MissingDependencyError: it is not installed, is too old, or cannot read videos.
    """
    # FFmpeg would print its remarks about damaged streams to stderr. It reads this once in a process.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        raise MissingDependencyError("Video files", "opencv-python-headless", "video") from error
    # Earlier ones take the colours of high-definition video for those of standard definition.
    if tuple(map(int, cv2.__version__.split(".")[:2])) < _OLDEST:
        raise MissingDependencyError("Video files", "opencv-python-headless 4.13 or later", "video")
    if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
        raise MissingDependencyError("Video files", "an OpenCV that was built with FFmpeg", "video")
    return cv2


class Reader:
    """Walks forward through a clip. Errors lack the clip's name.

    Attributes:
        coding: four characters that name the codec.
        width: of the frames as displayed, in pixels.
        height: of the frames as displayed, in pixels.
        stated_frames: number of frames as the container has it; below 1 where it says nothing.
        rate: frames a second as the container has it; None where it says nothing.
        time: when the frame in hand is shown, in seconds; minus infinity before the first.

    Args:
        path: of a file that begins as a video does; see :func:`plain_path`.
        kind: what to call it in messages, with its article.
        most_frames: how many frames it may have.

    Raises:
        ImageError: it cannot be opened.
        MissingDependencyError: OpenCV is not installed.
    """

    def __init__(self, path: str, kind: str, most_frames: int) -> None:
        self._cv2 = opencv()
        self._path, self._kind, self._most_frames = path, kind, most_frames
        self._seeks = True
        self.time = -math.inf
        self._steps, self._sought = 0, False
        with self._guarded():
            self._capture = self._cv2.VideoCapture(self._path, self._cv2.CAP_FFMPEG)
            if not self._capture.isOpened():
                raise ImageError(
                    ImageProblem.CORRUPT,
                    f"is {kind} without pictures, or whose index is damaged or missing: get the file again",
                )
            self.width = round(self._get(self._cv2.CAP_PROP_FRAME_WIDTH))
            self.height = round(self._get(self._cv2.CAP_PROP_FRAME_HEIGHT))
            self.stated_frames = round(self._get(self._cv2.CAP_PROP_FRAME_COUNT))
            rate = self._get(self._cv2.CAP_PROP_FPS)
            self.rate = rate if 0 < rate < _HIGHEST_RATE else None
            code = round(self._get(self._cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        letters = code.to_bytes(4, "little").decode("latin-1")
        self.coding = "".join(c for c in letters if c.isascii() and c.isprintable()).strip() or "unknown"

    @property
    def walked(self) -> int:
        """How many frames were passed since the clip's beginning; 0 once some were jumped over."""
        return 0 if self._sought else self._steps

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    def start(self) -> None:
        """Take the first frame in hand."""
        if not self._step():
            raise ImageError(
                ImageProblem.CORRUPT,
                f"is {self._kind} of which no frame can be decoded: it is damaged, or its coding "
                f"({self.coding}) is one that this OpenCV lacks: get it again or as H.264",
            )

    def measure(self) -> tuple[int, float]:
        """Number of frames and seconds, by decoding all of them; begins anew afterwards."""
        self.start()
        count, first = 1, self.time
        while self._step():
            count += 1
        interval = (self.time - first) / (count - 1) if count > 1 else 1 / _USUAL_RATE
        seconds = self.time + interval
        self._restart()
        return count, seconds

    def go_on(self, index: int) -> bool:
        """Take the next frame; the first one of a sample is in hand already."""
        return index == 0 or self._step()

    def go_to(self, wanted: float) -> bool:
        """Take the first frame at or after a time in hand; False where there is none that can be decoded."""
        if wanted - self.time > _SEEK_FROM and self._seeks:
            self._seek(wanted)
        while self.time < wanted:
            if not self._step():
                return False
        return True

    def pixels(self) -> Pixels:
        """The frame in hand: uint8 [H, W, 3] RGB, read-only."""
        with self._guarded():
            found, bgr = self._capture.retrieve()
            if not found or bgr is None or bgr.ndim != 3 or bgr.shape[2] != 3:
                raise ImageError(
                    ImageProblem.CORRUPT,
                    f"has a frame at {self.time:.3f} s that cannot be decoded: get the file again",
                )
            rgb: Pixels = self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB)
        rgb.flags.writeable = False
        return rgb

    def _step(self) -> bool:
        with self._guarded():
            if not self._capture.grab():
                return False
            stated = self._get(self._cv2.CAP_PROP_POS_MSEC) / 1000.0
        self._steps += 1
        if self._steps > self._most_frames:
            raise ImageError(
                ImageProblem.TOO_MANY_FRAMES,
                f"has more than {self._most_frames:,} frames, the limit: raise ClipLimits.frames to read it",
            )
        # A frame without a time stamp comes one interval after the last.
        start = 0.0 if self.time == -math.inf else self.time + 1.0 / (self.rate or _USUAL_RATE)
        self.time = stated if stated > self.time else start
        return True

    def _seek(self, wanted: float) -> None:
        before = self.time
        with self._guarded():
            moved = self._capture.set(self._cv2.CAP_PROP_POS_MSEC, 1000.0 * (wanted - _SEEK_MARGIN))
        self._sought = True
        self.time = -math.inf
        landed = moved and self._step()
        if not landed:
            # Nothing behind that place can be decoded; what was passed over stays so.
            self.time = before
        elif not before <= self.time <= wanted:
            self._seeks = False
            self._restart()

    def _restart(self) -> None:
        self._capture.release()
        with self._guarded():
            self._capture.open(self._path, self._cv2.CAP_FFMPEG)
        self.time = -math.inf
        self._steps, self._sought = 0, False

    def _get(self, name: int) -> float:
        value = float(self._capture.get(name))
        return value if math.isfinite(value) else 0.0

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Keeps OpenCV quiet, and turns its errors into the package's."""
        logging = self._cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        try:
            yield
        except (self._cv2.error, MemoryError) as error:
            raise ImageError(
                ImageProblem.CORRUPT,
                f"is {self._kind} that cannot be decoded ({one_line(error)}): get the file again",
            ) from None
        finally:
            logging.setLogLevel(level)


def plain_path(path: str, folder: Path) -> str:
    """A link to the file, in an empty folder, whose name says nothing.

    FFmpeg lets the name have a say in what a file is: one that ends like a picture's may be taken for a
    series of pictures, and a percent sign in it for their number. OpenCV takes UTF-8 only, besides.
    """
    link = folder / "clip"
    try:
        link.symlink_to(Path(path).absolute())
    except OSError:  # where the system lets nobody make links
        return str(Path(path).absolute())
    return str(link)
