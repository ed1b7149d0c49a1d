"""Thresholds at a stated false-positive rate, and how far off they and that rate could be."""

from __future__ import annotations

import numpy as np

from spectrace.detectors.calibration import fit_thresholds, threshold_cuts
from spectrace.detectors.card import Bounds, Calibration, Thresholds
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import CONFIDENCE, RESAMPLES, interval, wilson
from spectrace.evaluation.crossfit import FOLDS, Scored, cross_fit, fold_count
from spectrace.evaluation.kernels import Floats


def stated_thresholds(
    scored: Scored,
    calibration: Calibration,
    *,
    false_positive_rate: float,
    miss_rate: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Thresholds:
    """Thresholds of a calibration, with intervals and with the rates that sources outside of the fit meet.

    Intervals of the thresholds: sources, and pictures within them, are resampled; the calibration stays.
    Rates on new sources: calibration and thresholds are fitted without a fold of sources and tried on the
    fold (:func:`.cross_fit`). With a single source in a class neither can be known, and both are left out.

    Args:
        scored: logits that the calibration was fitted to.
        calibration: as fitted.
        false_positive_rate: of the upper threshold, 0..1.
        miss_rate: of the lower threshold, 0..1.
        resamples: for the intervals.
        seed: of resamples and folds.

    Raises:
        UsageError: a rate outside 0..1.
    """
    rates = {"false_positive_rate": false_positive_rate, "miss_rate": miss_rate}
    scores = np.asarray(calibration.apply(scored.logits), np.float64)
    weights = scored.weights()
    fitted = fit_thresholds(scores, scored.labels, weights, **rates)
    folds = fold_count(scored.labels, scored.sources, FOLDS)
    if folds < 2:
        return fitted
    resampled = scored.resampled(resamples=resamples, seed=seed)
    upper, lower = threshold_cuts(scores, scored.labels, resampled * weights, **rates)
    held = cross_fit(scored, calibration.method, folds=folds, seed=seed, **rates)
    return Thresholds(
        generated=fitted.generated,
        camera=fitted.camera,
        **rates,
        generated_bounds=_percentiles(fitted.generated, upper),
        camera_bounds=_percentiles(fitted.camera, lower),
        new_false_positive_rate=_wrong(scored, False, held.decisions, weights, resampled),
        new_miss_rate=_wrong(scored, True, -held.decisions, weights, resampled),
    )


def _percentiles(value: float, resampled: Floats) -> Bounds:
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Bounds(value, min(float(low), value), max(float(high), value))


def _wrong(scored: Scored, generated: bool, called: Floats, weights: Floats, resampled: Floats) -> Bounds:
    """Share of one class that was called (above 0) the other one."""
    kernel = kernels.called_generated(of_generated=generated)
    found = interval(kernel, scored.labels, called, resampled, weights=weights)
    # No mistake among few pictures is not never: the bootstrap would say so, Wilson's interval does not.
    pictures = len(np.unique(scored.pictures[scored.labels == generated]))
    least = wilson(round(found.value * pictures), pictures)
    return Bounds(found.value, min(found.low, least.low), max(found.high, least.high))
