"""Which files are videos, told from their first bytes, and what a frame of one is called."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.formats import sniff

# A transport stream's own ending, .ts, is left out: far more files of that name are TypeScript. One that is
# named by the caller is known by its content.
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .m2ts .mts .flv .wmv .asf .3gp .3g2 .ogv".split()
)
VIDEO_FORMATS = ("MP4", "MOV", "MKV", "WebM", "AVI", "MPEG", "MPEG-TS", "FLV", "WMV", "Ogg")
HEAD = 4096

_PICTURE_BRANDS = frozenset((b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"heis"))
_RAW_BRAND = b"crx "
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_TRANSPORT = ((0, 188), (4, 192))  # place of the sync byte, length of a packet
_TRANSPORT_PACKETS = 4
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FRAME = re.compile(r"(.+)#t=(\d+\.\d{3})", re.DOTALL)


def video_format(head: bytes) -> str | None:
    r"""Tells the container from a file's first bytes (4,096 are enough).

    Only files that begin as a container does are handed to the decoder, so a play list or script that would
    make it open other files never gets there.

    Returns:
        One of ``VIDEO_FORMATS``, or None for anything else: pictures, HEIC, AVIF, sound, text.

    Example:
        >>> video_format(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"), video_format(b"GIF89a")
        ('MP4', None)
    """
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    return next((name for name, fits in _SIGNATURES if fits(head)), None)


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file is to be looked at as a video rather than as a picture.

    The content decides: a video named ``.jpg`` is a video, a picture named ``.mp4`` a picture. The name
    counts only where the content says neither, so that a broken ``.mp4`` is reported as a video.

    Example:
        >>> is_video("no/such/clip.mp4"), is_video("no/such/picture.jpg")
        (True, False)
    """
    path = Path(path)
    named = path.suffix.lower() in VIDEO_SUFFIXES
    try:
        head = b""
        if path.is_file():  # a pipe would wait for its writer
            with path.open("rb") as file:
                head = file.read(HEAD)
    except (OSError, ValueError):
        return named
    if video_format(head) is not None:
        return True
    return named and not _is_picture(head)


def frame_path(path: str, seconds: float) -> str:
    """What the frame of a video at a time is called: a media fragment (W3C, Media Fragments URI 1.0).

    Example:
        >>> frame_path("clips/a.mp4", 12.48)
        'clips/a.mp4#t=12.480'
    """
    return f"{path}#t={seconds:.3f}"


def split_frame_path(path: str) -> tuple[str, str] | None:
    """File and seconds of a frame's path; None where it is no frame's.

    Example:
        >>> split_frame_path("clips/a.mp4#t=12.480"), split_frame_path("a#t=1.jpg")
        (('clips/a.mp4', '12.480'), None)
    """
    found = _FRAME.fullmatch(path)
    return None if found is None else (found[1], found[2])


def _is_transport_stream(head: bytes) -> bool:
    return any(
        head[start : start + _TRANSPORT_PACKETS * length : length] == b"G" * _TRANSPORT_PACKETS
        for start, length in _TRANSPORT
    )


_EBML = b"\x1aE\xdf\xa3"
_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("MOV", lambda head: head[4:8] in _QUICKTIME_BOXES),
    ("WebM", lambda head: head.startswith(_EBML) and b"webm" in head[:64]),
    ("MKV", lambda head: head.startswith(_EBML)),
    ("AVI", lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI "),
    ("MPEG", lambda head: head.startswith((b"\0\0\1\xba", b"\0\0\1\xb3"))),
    ("FLV", lambda head: head.startswith(b"FLV\1")),
    ("WMV", lambda head: head.startswith(_ASF)),
    ("Ogg", lambda head: head.startswith(b"OggS") and b"\x80theora" in head[:512]),
    ("MPEG-TS", _is_transport_stream),
)


def _of_brands(head: bytes) -> str | None:
    size = min(int.from_bytes(head[:4], "big"), 256)
    major, compatible = head[8:12], head[16:size]
    brands = {major, *(compatible[i : i + 4] for i in range(0, len(compatible) - 3, 4))}
    if len(major) < 4 or major == _RAW_BRAND or brands & _PICTURE_BRANDS:
        return None
    return "MOV" if major == b"qt  " else "MP4"


def _is_picture(head: bytes) -> bool:
    try:
        sniff(head)
    except ImageError as error:
        return error.problem is ImageProblem.UNSUPPORTED
    return True
