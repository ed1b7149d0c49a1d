"""Frames of videos, on clips that these tests write themselves."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spectrace.errors import ImageError, ImageProblem, MissingDependencyError, UsageError
from spectrace.images.video import Clip, ClipLimits, Frame, MissingFrame, frames, obstacle
from spectrace.images.video_formats import VIDEO_FORMATS, is_video, video_format
from spectrace.images.video_reader import opencv

cv2 = pytest.importorskip("cv2")
opencv()  # before OpenCV's first use in this process, so that it is quiet


def write(path: Path, pictures, rate: float = 25.0, code: str = "mp4v") -> Path:
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), rate, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[:, :, ::-1]))
    writer.release()
    return path


def numbered(count: int, height: int = 32, width: int = 80) -> list[np.ndarray]:
    """Pictures that show their number in ten bars, black or white: read it back with `number`."""
    bars = np.arange(width) * 10 // width
    return [
        np.repeat(np.tile(np.uint8(255) * ((i >> bars) & 1).astype(np.uint8), (height, 1))[..., None], 3, 2)
        for i in range(count)
    ]


def number(pixels: np.ndarray) -> int:
    bars = np.array_split(pixels.mean(axis=(0, 2)), 10)
    return sum(int(bar.mean() > 127) << i for i, bar in enumerate(bars))


def avi(path: Path, jpegs: list[bytes], size: tuple[int, int], rate: int = 25) -> Path:
    """A motion JPEG AVI by hand: OpenCV writes no odd sizes."""
    width, height = size

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    count = len(jpegs)
    main = struct.pack("<14I", 1_000_000 // rate, 0, 0, 0x10, count, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<10I4H", 0, 0, 0, 1, rate, 0, count, 0, 0, 0, 0, 0, width, height)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams)
    movie, index, place = b"movi", b"", 4
    for jpeg in jpegs:
        index += b"00dc" + struct.pack("<III", 0x10, place, len(jpeg))
        piece = chunk(b"00dc", jpeg)
        movie, place = movie + piece, place + len(piece)
    path.write_bytes(chunk(b"RIFF", b"AVI " + header + chunk(b"LIST", movie) + chunk(b"idx1", index)))
    return path


def jpeg(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def turned(raw: bytes, degrees: int) -> bytes:
    """The MP4 with another display matrix (ISO/IEC 14496-12, 8.3.2): shown turned clockwise."""
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    changed = bytearray(raw)
    matrix = raw.index(b"tkhd") + 4 + 40  # version 0: the matrix lies behind 40 bytes
    struct.pack_into(">9i", changed, matrix, *(x << 16 for x in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    return bytes(changed)


def decoded(sample) -> list[Frame]:
    found = list(sample)
    assert all(isinstance(frame, Frame) for frame in found), found
    return found


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / "clip.mp4", numbered(40))


def test_lossless_frames_come_back_as_they_were(tmp_path, photographs):
    pictures = [photographs["coffee"][row : row + 96, row : row + 128] for row in range(0, 50, 10)]
    found = decoded(frames(write(tmp_path / "clip.mov", pictures, code="png ")))
    assert [frame.seconds for frame in found] == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    for frame, picture in zip(found, pictures, strict=True):
        assert np.array_equal(frame.pixels, picture)
        assert frame.pixels.dtype == np.uint8
        assert not frame.pixels.flags.writeable


def test_sample_is_spread_evenly(clip):
    # 40 frames, 1.6 s: the middles of four parts of 0.4 s lie at 0.2, 0.6, 1.0 and 1.4 s.
    found = decoded(frames(clip, 4))
    assert [number(frame.pixels) for frame in found] == [5, 15, 25, 35]
    assert [frame.seconds for frame in found] == pytest.approx([0.2, 0.6, 1.0, 1.4])
    assert [frame.index for frame in found] == [0, 1, 2, 3]
    assert len(decoded(frames(clip))) == 16


def test_every_so_many_seconds(clip):
    found = decoded(frames(clip, every=0.5))
    # 0.5 s lies between the frames at 0.48 and 0.52 s.
    assert [number(frame.pixels) for frame in found] in ([0, 12, 25, 37], [0, 13, 25, 38])
    assert [number(frame.pixels) for frame in decoded(frames(clip, every=0.4))] == [0, 10, 20, 30]
    assert [number(frame.pixels) for frame in decoded(frames(clip, every=99.0))] == [0]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_short_clips_give_every_frame(tmp_path, count):
    path = write(tmp_path / "clip.mp4", numbered(count))
    assert [number(frame.pixels) for frame in decoded(frames(path, 7))] == list(range(count))


@pytest.mark.parametrize(("suffix", "code"), [("mp4", "mp4v"), ("webm", "VP80"), ("ts", "mp2v")])
def test_long_clips_give_the_frames_that_their_times_say(tmp_path, suffix, code):
    # Ten minutes at 25 frames a second would take long to write: 30 a minute do; targets lie 37.5 s apart,
    # so that the reader seeks. A transport stream does not seek to where it is asked to.
    rate = 25.0 if suffix == "ts" else 0.5
    path = write(tmp_path / f"clip.{suffix}", numbered(300), rate, code)
    with Clip(path) as clip:
        found = decoded(clip.sample(16))
        assert clip.seconds == pytest.approx(300 / rate, rel=0.02)
    assert len(found) == 16
    assert [number(frame.pixels) for frame in found] == [round(frame.seconds * rate) for frame in found]
    assert np.diff([frame.seconds for frame in found]) == pytest.approx(300 / rate / 16, abs=1.1 / rate)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path, photographs, degrees):
    upright = write(tmp_path / "clip.mp4", [photographs["chelsea"][:96, :128]])
    path = tmp_path / "turned.mp4"
    path.write_bytes(turned(upright.read_bytes(), degrees))
    (before,), (after,) = decoded(frames(upright)), decoded(frames(path))
    assert np.array_equal(after.pixels, np.rot90(before.pixels, -degrees // 90))
    with Clip(path) as clip:
        assert (clip.height, clip.width) == after.pixels.shape[:2]


def test_odd_sizes(tmp_path, photographs):
    pictures = [photographs["flower"][top : top + 101, :77] for top in (0, 50, 100)]
    jpegs = [jpeg(picture) for picture in pictures]
    found = decoded(frames(avi(tmp_path / "clip.avi", jpegs, (77, 101))))
    assert [frame.pixels.shape for frame in found] == [(101, 77, 3)] * 3
    for frame, stored in zip(found, jpegs, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(stored))).astype(int)
        assert np.abs(frame.pixels.astype(int) - expected).mean() < 1.5


def test_what_a_clip_says_of_itself(clip):
    with Clip(clip) as opened:
        assert (opened.format, opened.width, opened.height, opened.count) == ("MP4", 80, 32, 40)
        assert opened.seconds == pytest.approx(1.6)
        assert opened.bytes == clip.stat().st_size
        import hashlib

        assert opened.sha256() == hashlib.sha256(clip.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("suffix", "code", "format"),
    [
        ("mp4", "mp4v", "MP4"),
        ("mov", "png ", "MOV"),
        ("mkv", "FFV1", "MKV"),
        ("webm", "VP80", "WebM"),
        ("avi", "MJPG", "AVI"),
        ("flv", "FLV1", "FLV"),
        ("wmv", "WMV2", "WMV"),
        ("mpg", "MPG2", "MPEG"),
        ("ts", "mp2v", "MPEG-TS"),
    ],
)
def test_containers_are_known_by_their_content(tmp_path, suffix, code, format):
    path = write(tmp_path / f"clip.{suffix}", numbered(20), code=code)
    assert video_format(path.read_bytes()[:4096]) == format
    assert format in VIDEO_FORMATS
    with Clip(path.rename(tmp_path / "picture%03d.jpg")) as clip:
        assert clip.format == format
        assert [number(frame.pixels) for frame in decoded(clip.sample(100))] == list(range(20))
    assert is_video(tmp_path / "picture%03d.jpg")


def test_names_that_are_no_text(clip):
    name = clip.rename(os.fsdecode(os.fsencode(clip.parent) + b"/\xff %d.mp4"))
    assert len(decoded(frames(name, 3))) == 3


def test_content_decides_what_is_a_video(tmp_path, photographs):
    picture = tmp_path / "picture.mp4"
    Image.fromarray(photographs["rocket"][:40, :40]).save(picture, "PNG")
    assert not is_video(picture)
    heic = tmp_path / "heic.mp4"
    heic.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert not is_video(heic)
    for name, content, answer in (
        ("empty.mp4", b"", True),
        ("text.MKV", b"not a video", True),
        ("empty.jpg", b"", False),
        ("text.ts", b"const a: number = 1", False),
    ):
        (tmp_path / name).write_bytes(content)
        assert is_video(tmp_path / name) is answer
    assert not is_video(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem", "words"),
    [
        (b"", ImageProblem.EMPTY, "is empty"),
        (b"not a video", ImageProblem.NOT_AN_IMAGE, "is not a video (11 bytes): wanted MP4"),
        # A play list would have the decoder open other files.
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", ImageProblem.NOT_AN_IMAGE, "is not a video"),
        (b"ffconcat version 1.0\nfile other.mp4\n", ImageProblem.NOT_AN_IMAGE, "is not a video"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(900), ImageProblem.CORRUPT, "get the file again"),
        (b"\x1aE\xdf\xa3" + bytes(900), ImageProblem.CORRUPT, "an MKV"),
    ],
)
def test_what_is_no_video_is_one_line(tmp_path, content, problem, words):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        next(frames(path))
    assert caught.value.problem is problem
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_other_things(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, words in (
        (tmp_path / "missing.mp4", "is not there"),
        (tmp_path, "is a directory"),
        (tmp_path / "pipe.mp4", "pipe"),
        (tmp_path / "nul\0.mp4", "cannot be read"),
    ):
        with pytest.raises(ImageError, match=words):
            next(frames(path))


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (ClipLimits(pixels=80 * 32 - 1), ImageProblem.TOO_MANY_PIXELS),
        (ClipLimits(file_bytes=100), ImageProblem.TOO_MANY_BYTES),
        (ClipLimits(frames=39), ImageProblem.TOO_MANY_FRAMES),
        (ClipLimits(seconds=1.5), ImageProblem.TOO_MANY_FRAMES),
        (ClipLimits(samples=9), ImageProblem.TOO_MANY_FRAMES),
    ],
)
def test_limits(clip, limits, problem):
    with pytest.raises(ImageError, match="limit") as caught:
        list(frames(clip, 10, limits=limits))
    assert caught.value.problem is problem
    assert str(caught.value).startswith(str(clip))
    exact = ClipLimits(pixels=80 * 32, file_bytes=clip.stat().st_size, frames=40, seconds=1.7, samples=10)
    assert len(decoded(frames(clip, 10, limits=exact))) == 10


@pytest.mark.parametrize(
    "sample",
    [{"count": 0}, {"every": 0.0}, {"every": -1.0}, {"every": float("nan")}, {"every": float("inf")}],
)
def test_samples_that_make_no_sense(clip, sample):
    with pytest.raises(UsageError, match="wanted"):
        list(frames(clip, **sample))


def test_a_clip_that_ends_early_tells_which_frames_are_missing(tmp_path):
    pictures = [jpeg(picture) for picture in numbered(40)]
    path = avi(tmp_path / "clip.avi", pictures, (80, 32))
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(pictures[20])])
    found = list(frames(path, 4))
    assert [isinstance(frame, MissingFrame) for frame in found] == [False, False, True, True]
    assert [number(frame.pixels) for frame in found[:2]] == [5, 15]
    assert [frame.seconds for frame in found[2:]] == pytest.approx([1.0, 1.4])
    assert "has no frame at 1.000 s" in found[2].error


@pytest.fixture(scope="module")
def small_clips(tmp_path_factory, photographs):
    folder = tmp_path_factory.mktemp("clips")
    pictures = [photographs["coffee"][row : row + 48, :64] for row in range(0, 60, 6)]
    names = (("a.mp4", "mp4v"), ("a.webm", "VP80"), ("a.avi", "MJPG"), ("a.mkv", "FFV1"), ("a.ts", "mp2v"))
    return [write(folder / name, pictures, code=code).read_bytes() for name, code in names]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_bytes_give_frames_or_one_line(small_clips, tmp_path, data):
    raw = bytearray(data.draw(st.sampled_from(small_clips), label="clip"))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=30), label="places"):
        raw[place] ^= data.draw(st.integers(1, 255))
    # The header's half, more often: that is where sizes and numbers stand.
    for place in data.draw(st.lists(st.integers(0, min(2000, len(raw) - 1)), max_size=5), label="in header"):
        raw[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "broken.mp4"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)), label="length")])
    try:
        found = list(frames(path, 5, limits=ClipLimits(pixels=10**6, frames=10**4)))
    except ImageError as error:
        message = str(error)
    else:
        message = f"{path} "
        times = [frame.seconds for frame in found if isinstance(frame, Frame)]
        assert times == sorted(set(times))
        assert len(found) <= 5
    assert message.startswith(f"{path} ")
    assert "\n" not in message


def test_without_opencv_the_line_says_what_to_install(clip, monkeypatch):
    assert obstacle() is None
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert obstacle() == (
        "Video files need opencv-python-headless, which is not installed: pip install 'spectrace[video]'"
    )
    with pytest.raises(MissingDependencyError):
        next(frames(clip))


def test_an_old_opencv_is_refused(monkeypatch):
    monkeypatch.setattr(cv2, "__version__", "4.12.0")
    assert "4.13 or later" in obstacle()


def test_nothing_is_printed_and_opencv_waits_until_it_is_needed(clip):
    clip.write_bytes(clip.read_bytes()[:700])
    script = (
        "import sys; from spectrace.errors import ImageError; from spectrace.images.video import Clip\n"
        "assert 'cv2' not in sys.modules\n"
        "try: Clip(sys.argv[1])\n"
        "except ImageError: pass\n"
        "assert 'cv2' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(clip)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
