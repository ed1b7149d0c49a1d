"""The permutation test: its error rate, its power, and an independent oracle."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from spectrace.spectra.exchange import ALPHA, bootstrap, exchange_test, too_few


def test_p_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.5, 1, 30), rng.normal(0, 1, 25)
    oracle = scipy.stats.permutation_test(
        (first, second), lambda a, b: abs(a.mean() - b.mean()), n_resamples=2000, alternative="greater", rng=2
    )
    found = exchange_test(first[:, None], second[:, None])
    assert found.p == pytest.approx(oracle.pvalue, abs=0.03)
    assert found.difference[0] == pytest.approx(first.mean() - second.mean())


def test_false_alarms_over_many_dependent_and_skewed_features() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 40))
    alarms = 0
    for _ in range(100):
        pictures = np.exp(rng.normal(size=(36, 6))) @ mixing
        alarms += exchange_test(pictures[:12], pictures[12:]).found
    assert alarms <= scipy.stats.binom.ppf(0.999, 100, ALPHA)


def test_a_feature_that_differs_is_named_and_constant_ones_are_harmless() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(40, 20)), rng.normal(size=(40, 20))
    first[:, 7] += 2
    first[:, 3] = second[:, 3] = 5
    found = exchange_test(first, second)
    assert found.found
    assert found.significant.nonzero()[0].tolist() == [7]
    assert found.score[3] == 0


def test_few_pictures_can_never_be_told_apart() -> None:
    assert too_few(3, 3)
    assert not exchange_test(np.ones((3, 1)) * 9, np.zeros((3, 1))).found
    assert not too_few(6, 6)
    assert exchange_test(np.ones((6, 1)) * 9, np.zeros((6, 1))).found


def test_bootstrap_interval_has_the_width_of_the_standard_error() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(400, 1)), rng.normal(size=(100, 1))
    low, high = bootstrap(first, second)
    error = np.sqrt(first.var() / 400 + second.var() / 100)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * error, rel=0.15)
