"""Robustness: which classifier is tested on which pictures, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.images.perturbations import Chain, parse
from spectrace.studies import frequency_robustness
from spectrace.studies.classifiers import Exam
from spectrace.studies.frequency_robustness import Settings, figure, run_study
from spectrace.studies.registry import Context, Experiment

EXPERIMENT = Path(__file__).resolve().parents[2] / "experiments" / "frequency-robustness.toml"
SOURCES = ["camera", "style"]
SETTINGS = Settings(
    generators=(GeneratorRecipe(family="style"),),
    alterations={"darker": "gamma(gamma=2)", "mirrored": "flip"},
    seeds=(0, 1),
)


@pytest.fixture
def exam():
    rows = [
        Row(
            path=f"{source}{number}.png",
            label="real" if source == "camera" else "generated",
            split="test",
            generator=source,
            extra={"photograph": ""},
        )
        for source in SOURCES
        for number in range(10)
    ]
    pixels = np.random.default_rng(0).integers(64, 192, (20, 8, 8, 3), dtype=np.uint8)
    return Exam(Manifest(rows), SOURCES, pixels)


def test_every_classifier_is_tested_on_the_right_pictures(exam, monkeypatch, tmp_path):
    """Stand-ins that are right on pictures like those they were trained on, else call all the camera's."""
    kinds = {
        "": exam.pixels,
        "gamma(gamma=2)": exam.altered("gamma(gamma=2)").pixels,
        "flip": exam.altered("flip").pixels,
    }

    def logits(self, model):
        known = np.array_equal(self.pixels, kinds[str(model)[1:]])
        return np.eye(2)[self.truth if known else np.zeros_like(self.truth)]

    monkeypatch.setattr(frequency_robustness, "pictures_of", lambda *_: exam.manifest)
    monkeypatch.setattr(
        frequency_robustness,
        "train_all",
        lambda trainings, _: [Path("=" + "".join(one.recipe.data.augment)) for one in trainings],
    )
    monkeypatch.setattr(Exam, "of", lambda *_: exam)
    monkeypatch.setattr(Exam, "logits", logits)
    result = run_study(SETTINGS, Context(tmp_path))
    assert result["untouched"]["pixels"]["value"] == 1.0
    for row in result["rows"]:
        assert row["clean_trained"]["log-dct"]["value"] == 0.5
        assert row["retrained"]["log-dct"] == {"value": 1.0, "low": 1.0, "high": 1.0, "seeds": [1.0, 1.0]}
        assert row["retrained_on_untouched"]["pixels"]["value"] == 0.5
    titles = [panel.get_title() for panel in figure(result).axes]
    assert titles[1] == "Trained and tested on altered"


def test_the_experiment_alters_half_of_the_pictures_and_combines_all():
    settings = Experiment.read(EXPERIMENT).chosen(quick=False)
    parsed = {name: parse(spec) for name, spec in settings.alterations.items()}
    combined = parsed.pop("combined")
    assert isinstance(combined, Chain)
    assert sorted(map(str, combined.steps)) == sorted(map(str, parsed.values()))
    assert {one.probability for one in parsed.values()} == {0.5}


@pytest.mark.parametrize(
    ("alterations", "message"),
    [
        ({}, "wanted one or more"),
        ({"untouched": "flip"}, "none of them named 'untouched'"),
        ({"strange": "strange"}, "no perturbation is called 'strange'"),
    ],
)
def test_bad_alterations_are_refused(tmp_path, alterations, message):
    with pytest.raises(UsageError, match=message):
        run_study(msgspec.structs.replace(SETTINGS, alterations=alterations), Context(tmp_path))
    assert not list(tmp_path.iterdir())
