"""Pooling against hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.detectors.pooling import POOLINGS, pool
from spectrace.errors import UsageError

patches = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.floats(-30, 30, width=32),
)


def test_hand_computed():
    logits = np.array([[[np.log(3.0), 0.0]]], np.float32)  # probabilities 0.75 and 0.5
    assert pool(logits, "logit-mean") == pytest.approx(np.log(3.0) / 2)
    assert pool(logits, "softmax-mean") == pytest.approx(np.log(0.625 / 0.375))
    assert pool(logits, "vote") == pytest.approx(np.log(2.5 / 1.5))


@pytest.mark.parametrize("method", sorted(POOLINGS))
@given(logits=patches)
def test_sign_symmetry_and_finiteness(method, logits):
    value = pool(logits, method)
    assert np.isfinite(value)
    assert pool(-logits, method) == pytest.approx(-value, abs=1e-6)


@pytest.mark.parametrize("method", sorted(POOLINGS))
@given(logits=patches)
def test_order_of_patches_does_not_matter(method, logits):
    assert pool(logits[::-1], method) == pytest.approx(pool(logits, method), abs=1e-6)


def test_a_long_unanimous_vote_says_more_than_a_short_one():
    assert pool(np.ones((100, 1, 1), np.float32), "vote") > pool(np.ones((2, 1, 1), np.float32), "vote") > 0


def test_nothing_to_pool_and_unknown_method():
    with pytest.raises(UsageError, match="no patch"):
        pool(np.zeros((0, 1, 1), np.float32))
    with pytest.raises(UsageError, match="unknown pooling 'median'"):
        pool(np.zeros((1, 1, 1), np.float32), "median")
