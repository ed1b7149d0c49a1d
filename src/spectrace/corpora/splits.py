"""Splits by hash: where a picture goes depends on that picture alone.

Adding, removing or reordering pictures never moves another one, so a model trained before pictures were
added was never trained on what is ``val`` afterwards.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

from spectrace.errors import UsageError

FORBIDDEN_SPLIT = "unseen"
"""Kept for the last measurement: nothing is trained, chosen or calibrated on it."""

_SPAN = 2**64


def refuse_forbidden(*splits: str) -> None:
    """Nothing, unless one of the splits is kept for the last measurement.

    Raises:
        UsageError: one is.

    Example:
        >>> refuse_forbidden("train", "unseen")
        Traceback (most recent call last):
        spectrace.errors.UsageError: the split 'unseen' is kept for the last measurement: name another one
    """
    if FORBIDDEN_SPLIT in splits:
        raise UsageError(f"the split {FORBIDDEN_SPLIT!r} is kept for the last measurement: name another one")


def shares_of(val: float = 0.125, test: float = 0.0) -> dict[str, float]:
    """Shares of ``train``, ``val`` and ``test`` that add up to 1; a share of 0 leaves its split out.

    ``val`` comes first, so that a picture in ``val`` stays there whatever is set aside for ``test``.

    Raises:
        UsageError: a share outside 0..1, or nothing left for the rest.

    Example:
        >>> shares_of(val=0.25)
        {'val': 0.25, 'train': 0.75}
    """
    shares = {"val": val, "test": test, "train": 1.0 - val - test}
    if not all(0.0 <= share <= 1.0 for share in shares.values()):
        raise UsageError(
            f"shares val {val:g} and test {test:g}: wanted each from 0 to 1, and together at most 1"
        )
    return {split: share for split, share in shares.items() if share > 0.0}


DEFAULT_SHARES: Mapping[str, float] = shares_of()


def split_of(key: str, shares: Mapping[str, float] = DEFAULT_SHARES) -> str:
    """Say which split a picture belongs to.

    The first 64 bits of the key's SHA-256 are read as a number from 0 to 1 and compared with the
    cumulated shares.

    Args:
        key: what identifies the picture (its content's hash, its path), or a group of pictures that
            must stay together (the stem of the photograph they were made from).
        shares: share of each split, in order; they add up to 1.

    Returns:
        The name of a split.

    Raises:
        UsageError: shares that do not add up to 1.

    Example:
        >>> split_of("a.jpg"), split_of("a.jpg", {"test": 1.0})
        ('train', 'test')
    """
    if not shares or min(shares.values()) < 0.0 or not math.isclose(sum(shares.values()), 1.0):
        raise UsageError(f"shares {dict(shares)}: wanted shares of 0 or more that add up to 1")
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    position = int.from_bytes(digest[:8], "big") / _SPAN
    upper = 0.0
    for split, share in shares.items():
        upper += share
        if position < upper:
            return split
    return split
