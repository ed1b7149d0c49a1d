"""The study of calibration: which method wins follows from the logits, and thresholds are tried on new sources."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from spectrace.errors import UsageError
from spectrace.evaluation.crossfit import Scored
from spectrace.studies.calibration import ALL, Settings, compared, figure, run_study
from spectrace.studies.registry import Context

_SETTINGS = Settings(conditions=("identity", "jpeg(quality=75)"), fold_seeds=(0, 1), resamples=8)


def logits_of(ratio, seed=0):
    """Twelve sources a class; ``ratio`` makes logits of scores that are log-likelihood ratios (means +-1, variance 2)."""
    rng = np.random.default_rng(seed)
    count = 24 * 50
    source = np.arange(count) % 24
    labels = source >= 12
    truth = rng.normal(np.where(np.tile(labels, 2), 1.0, -1.0), np.sqrt(2.0))
    return Scored(
        ratio(truth),
        np.tile(labels, 2),
        np.tile(np.char.add("s", source.astype(str)), 2),
        np.repeat([0, 1], count),
        np.tile(np.arange(count), 2),
    )


def by_method(result, name, condition=ALL):
    return {
        row["method"]: row["figures"][name]["value"]
        for row in result["rows"]
        if row["condition"] == condition
    }


def test_the_best_method_follows_from_the_logits(tmp_path):
    context = Context(tmp_path)
    loud = compared(logits_of(lambda x: 4.0 * x), _SETTINGS, context)
    shifted = compared(logits_of(lambda x: x + 3.0), _SETTINGS, context)
    bent = compared(logits_of(lambda x: np.sign(x) * np.abs(x) ** 4), _SETTINGS, context)
    best = 0.7095  # of this pair of distributions, by numerical integration
    cost = by_method(loud, "cllr")
    assert cost["none"] > 1.2
    assert [cost[name] for name in ("temperature", "platt", "isotonic")] == pytest.approx(
        [best] * 3, abs=0.05
    )
    cost = by_method(shifted, "cllr")
    assert cost["temperature"] > cost["platt"] + 0.1
    assert cost["platt"] == pytest.approx(best, abs=0.05)
    cost = by_method(bent, "cllr")
    assert cost["platt"] > cost["isotonic"] + 0.03
    assert cost["isotonic"] == pytest.approx(best, abs=0.05)
    for result in (loud, shifted, bent):
        assert by_method(result, "ece")["isotonic"] < 0.06
        for row in result["rows"]:
            found = row["figures"]
            assert found["minimum_cllr"]["value"] <= found["cllr"]["value"] + 1e-4
            for cell in found.values():
                assert cell["low"] <= cell["value"] <= cell["high"]
                assert cell["value"] == pytest.approx(np.mean(cell["seeds"]), abs=1e-4)
        # Sources are alike here, so thresholds keep their promise on new ones; a rising line changes no decision.
        assert list(by_method(result, "false_alarms").values()) == pytest.approx([0.05] * 4, abs=0.02)
        assert (
            len({by_method(result, "false_alarms")[name] for name in ("none", "temperature", "platt")}) == 1
        )
    assert loud["real"] == {"pictures": 600, "sources": 12}
    assert [row["condition"] for row in loud["rows"][:3]] == ["identity", "jpeg(quality=75)", ALL]
    drawn = figure({"models": [{"model": "loud", **loud}, {"model": "bent", **bent}]})
    assert [axis.get_title() for axis in drawn.axes[:2]] == ["loud, none", "loud, temperature"]


def test_figures_that_are_not_defined_are_none(tmp_path):
    silent = compared(logits_of(np.zeros_like), _SETTINGS, Context(tmp_path))
    assert by_method(silent, "decided")["platt"] == 0.0
    assert by_method(silent, "accuracy_of_decided")["platt"] is None
    json.dumps(silent, allow_nan=False)


def test_a_model_on_pictures(toy_model, tmp_path):
    settings = msgspec.structs.replace(
        _SETTINGS, models=(str(toy_model()),), manifest="wheels", folds=2, pieces=9, side=32, resamples=5
    )
    result = run_study(settings, Context(tmp_path, workers=0))
    (model,) = result["models"]
    assert model["model"] == "toy@1"
    assert model["real"]["pictures"] == model["generated"]["pictures"] == 18
    # Upsampling changes no brightness: there is nothing to find.
    assert by_method(model, "cllr")["platt"] == pytest.approx(1.0, abs=0.1)
    with pytest.raises(UsageError, match="kept for the last measurement"):
        run_study(msgspec.structs.replace(settings, split="unseen"), Context(tmp_path))
