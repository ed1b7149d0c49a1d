"""Running moments against numpy, in any grouping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.spectra.statistics import RunningMoments

streams = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.integers(1, 3), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


@given(streams, st.lists(st.integers(0, 12), max_size=4))
def test_any_grouping_gives_numpys_mean_and_std(stream: np.ndarray, cuts: list[int]) -> None:
    parts = np.split(stream, sorted(min(cut, len(stream)) for cut in cuts))
    empty = RunningMoments.empty(stream.shape[1:])
    one_by_one = empty
    merged = empty
    for part in parts:
        one_by_one = one_by_one.update(part)
        merged = merged.merge(empty.update(part))
    for moments in (one_by_one, merged):
        assert moments.count == len(stream)
        if len(stream):
            np.testing.assert_allclose(moments.mean, stream.mean(axis=0), rtol=1e-9, atol=1e-6)
            np.testing.assert_allclose(moments.std, stream.std(axis=0), rtol=1e-6, atol=1e-4)


def test_nothing_seen_has_no_spread() -> None:
    empty = RunningMoments.empty((2,))
    assert empty.count == 0
    assert not empty.std.any()
    assert empty.merge(empty).count == 0


def test_a_large_offset_costs_no_digits() -> None:
    values = np.random.default_rng(0).normal(size=(10_000, 1))
    moments = RunningMoments.empty((1,))
    for batch in np.array_split(values + 1e9, 100):
        moments = moments.update(batch)
    assert moments.std[0] == pytest.approx(values.std(), rel=1e-6)
    naive = np.mean((values + 1e9) ** 2) - np.mean(values + 1e9) ** 2
    assert abs(naive - values.var()) > 0.1  # the textbook formula does lose them


def test_float32_batches_are_summed_in_float64() -> None:
    batch = np.full((1000, 1), 0.1, dtype=np.float32)
    assert RunningMoments.empty((1,)).update(batch).mean[0] == pytest.approx(
        float(np.float32(0.1)), rel=1e-12
    )


def test_update_leaves_the_old_moments_alone() -> None:
    before = RunningMoments.empty((1,)).update(np.array([[1.0], [3.0]]))
    before.update(np.array([[100.0]]))
    before.merge(before)
    assert (before.count, before.mean[0], before.variance[0]) == (2, 2.0, 1.0)


def test_shapes_must_fit() -> None:
    moments = RunningMoments.empty((2, 2))
    with pytest.raises(ValueError, match="does not fit"):
        moments.update(np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="do not fit"):
        moments.merge(RunningMoments.empty((3,)))


def test_arrays_there_and_back() -> None:
    moments = RunningMoments.empty((2,)).update(np.array([[1.0, 2.0], [4.0, 8.0]]))
    back = RunningMoments.from_arrays(moments.to_arrays("x_"), "x_")
    assert back.count == 2
    np.testing.assert_array_equal(back.mean, moments.mean)
    np.testing.assert_array_equal(back.squares, moments.squares)
    with pytest.raises(KeyError):
        RunningMoments.from_arrays(moments.to_arrays("x_"))
