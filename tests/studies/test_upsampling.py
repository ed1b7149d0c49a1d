"""The study of upsamplers on photographs from wheels: it runs, resumes, and its figures hang together."""

from __future__ import annotations

import msgspec
import pytest

from spectrace.errors import UsageError
from spectrace.generators import training
from spectrace.learning import runs
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context
from spectrace.studies.upsampling import Settings, figure, run_study

_SETTINGS = Settings(
    photographs=WHEELS,
    sources=(),
    upsamplers=("transposed", "nearest"),
    generator_steps=6,
    size=16,
    train=48,
    val=16,
    test=24,
    seeds=(0, 1),
    epochs=2,
)


@pytest.mark.slow
def test_the_study_runs_and_a_second_run_trains_nothing(tmp_path, monkeypatch):
    context = Context(tmp_path, workers=0)
    result = run_study(_SETTINGS, context)
    assert [row["upsampler"] for row in result["upsamplers"]] == ["transposed", "nearest"]
    for row in result["upsamplers"]:
        for name in ("accuracy", "auroc"):
            for representation in ("pixels", "log-dct"):
                found = row[name][representation]
                assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
                assert found["value"] == pytest.approx(sum(found["seeds"]) / 2, abs=1e-4)
            gain = row[name]["log-dct"]["value"] - row[name]["pixels"]["value"]
            assert row[name]["gain"]["value"] == pytest.approx(gain, abs=1.1e-4)
        assert row["auroc"]["log-dct"]["value"] > 0.9  # six steps leave noise: easy to tell
    assert {len(values) for values in result["diagonal_log_dct"].values()} == {16}
    assert figure(result).axes[0].get_ylabel() == "accuracy, classes alike"

    monkeypatch.setattr(training.GeneratorTraining, "advance", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(runs, "export_onnx", lambda *_: pytest.fail("trained again"))
    assert run_study(_SETTINGS, context) == result


def test_the_last_split_is_refused(tmp_path):
    unseen = msgspec.structs.replace(_SETTINGS, test_split="unseen")
    with pytest.raises(UsageError, match="kept for the last measurement"):
        run_study(unseen, Context(tmp_path))
