"""What the decoder leaves alone: Pillow's settings, the warnings of others, other threads."""

from __future__ import annotations

import io
import struct
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from spectrace.errors import ImageError, ImageProblem
from spectrace.images import decode as decode_module
from spectrace.images.decode import Picture, decode

Chunk = Callable[[bytes, bytes], bytes]
Outcome = Callable[[bytes], Picture | ImageError]
Refusal = Callable[..., tuple[ImageProblem, str]]


def oddly_tagged_tiff(files: dict[str, bytes]) -> bytes:
    """A good TIFF with one more tag whose value lies outside the file; Pillow warns about it."""
    raw = bytearray(files["tiff"])
    first = int.from_bytes(raw[4:8], "little")
    for entry in range(first + 2, first + 2 + 12 * raw[first], 12):
        if int.from_bytes(raw[entry : entry + 2], "little") == 282:
            break
    else:
        entry = first + 2 + 12 * (raw[first] - 1)
    raw[entry : entry + 12] = struct.pack("<HHII", 60_000, 2, 5000, len(raw) - 1)
    return bytes(raw)


def test_pillow_is_silenced_in_this_call_only_and_left_as_it_was(files: dict[str, bytes]) -> None:
    raw = oddly_tagged_tiff(files)
    settings = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(Image.ID), len(Image.OPEN))
    filters, shown = list(warnings.filters), warnings.showwarning
    np.testing.assert_array_equal(decode(raw).pixels, decode(files["tiff"]).pixels)
    assert (warnings.filters, warnings.showwarning) == (filters, shown)
    assert (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(Image.ID),
        len(Image.OPEN),
    ) == settings
    with pytest.warns(UserWarning, match="Truncated"), Image.open(io.BytesIO(raw)) as image:
        image.load()


def test_a_picture_beyond_pillows_own_limit_neither_warns_nor_fails(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 48 - 1)
    for raw in files.values():
        decode(raw)


def test_threads_do_not_disturb_each_other(files: dict[str, bytes], outcome: Outcome) -> None:
    sources = [*files.values(), oddly_tagged_tiff(files), files["jpeg"][:300], b"no picture"] * 6
    stop, heard = threading.Event(), []

    def other_work() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            said = 0
            while not stop.is_set():
                warnings.warn("from another thread", stacklevel=1)
                said += 1
                time.sleep(0.0005)
            heard.append((said, [str(one.message) for one in caught]))

    def digest(raw: bytes) -> bytes | ImageProblem:
        result = outcome(raw)
        return result.problem if isinstance(result, ImageError) else result.pixels.tobytes()

    wanted = [digest(raw) for raw in sources]
    other = threading.Thread(target=other_work)
    other.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(digest, sources))
    finally:
        stop.set()
        other.join()
    assert found == wanted
    said, messages = heard[0]
    assert messages == ["from another thread"] * said


def test_a_limit_of_pillow_that_the_caller_set_lower_is_named(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    problem, message = refusal(files["tiff"])
    assert problem is ImageProblem.TOO_MANY_PIXELS
    assert "MAX_IMAGE_PIXELS" in message


def test_a_lack_of_memory_is_an_error_like_the_others(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "open_image", no_memory)
    for name in ("jpeg", "png"):
        problem, message = refusal(files[name])
        assert problem is ImageProblem.UNREADABLE
        assert "memory" in message
