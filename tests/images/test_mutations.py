"""Files of every format, with bytes flipped, cut out, put in and cut off: a picture or the one error."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import pytest

from spectrace.errors import ImageError
from spectrace.images.decode import Picture

Outcome = Callable[[bytes], Picture | ImageError]
MUTATIONS = 150


def mutate(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    kind = rng.randrange(5)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 1:
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 2:  # the header, with the values that break size computations
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(min(len(data), 200))] = rng.choice([0, 1, 127, 128, 254, 255])
    elif kind == 3:
        start = rng.randrange(len(data))
        del data[start : start + rng.randrange(1, 50)]
    else:
        start = rng.randrange(len(data))
        data[start:start] = rng.randbytes(rng.randrange(1, 30))
    return bytes(data)


def test_mutated_files_give_a_picture_or_the_one_error(files: dict[str, bytes], outcome: Outcome) -> None:
    problems, pictures = set(), 0
    for name, raw in files.items():
        for number in range(MUTATIONS):
            mutated = mutate(raw, random.Random(f"{name} {number}"))
            started = time.perf_counter()
            result = outcome(mutated)
            assert time.perf_counter() - started < 5, (name, number)
            if isinstance(result, ImageError):
                problems.add(result.problem)
                assert str(result).startswith("the bytes given "), (name, number)
                assert str(result).isprintable(), (name, number)
            else:
                pictures += 1
                assert result.pixels.dtype == np.uint8, (name, number)
                assert result.pixels.shape == (result.facts.height, result.facts.width, 3), (name, number)
    # The mutations reach both sides: most kinds of refusal, and many pictures that survive.
    assert len(problems) >= 5
    assert pictures > MUTATIONS


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8])
def test_files_cut_off_are_refused(kept: float, files: dict[str, bytes], outcome: Outcome) -> None:
    for name, raw in files.items():
        if name in ("mpo", "png-animated", "gif-animated", "tiff-pages") and kept > 0.4:
            continue  # the first frame, all that is read, may be whole
        assert isinstance(outcome(raw[: int(len(raw) * kept)]), ImageError), name
