"""Linear separability: the strength is chosen on validation, and weights are where the difference is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.spectra.transforms import idct2
from spectrace.studies import linear_separability
from spectrace.studies.encoding import decode_map
from spectrace.studies.linear_separability import Settings, figure, run_study
from spectrace.studies.registry import Context

SIDE = 8
PLANTED = (2, 5)
SETTINGS = Settings(
    generators=(GeneratorRecipe(family="style"),),
    size=SIDE,
    seeds=(0,),
    penalties=("none",),
    batch=8,
    epochs=4,
    steps_per_epoch=75,
)


@pytest.fixture
def manifest(tmp_path):
    """Noise; what is generated has more of one frequency."""
    rng = np.random.default_rng(0)
    rows = []
    for split, count in (("train-0", 150), ("val-0", 30), ("test", 60)):
        for source in ("camera", "style"):
            for number in range(count):
                spectrum = rng.normal(0, 12, (3, SIDE, SIDE))
                if source == "style":
                    spectrum[:, *PLANTED] *= 20
                pixels = np.clip(np.rint(idct2(spectrum) + 128), 0, 255).astype(np.uint8)
                path = f"{split}-{source}-{number}.png"
                Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / path)
                rows.append(
                    Row(
                        path=path,
                        label="real" if source == "camera" else "generated",
                        split=split,
                        generator=source,
                        source=source,
                        extra={"photograph": ""},
                    )
                )
    return Manifest(rows, tmp_path)


@pytest.mark.slow
def test_the_weights_are_where_the_classes_differ(manifest, monkeypatch, tmp_path):
    monkeypatch.setattr(linear_separability, "pictures_of", lambda *_: manifest)
    result = run_study(SETTINGS, Context(tmp_path / "work", workers=0))
    (row,) = result["generators"]
    (model,) = row["models"]
    # The sign of the frequency is random, so its amplitude tells all and pixels, linearly, nothing.
    assert model["accuracy"]["log-dct"]["value"] > 0.75
    assert model["accuracy"]["pixels"]["value"] < 0.7
    assert model["auroc"]["gain"]["low"] > 0.1
    weights = decode_map(row["maps"]["none"])
    assert np.unravel_index(weights.argmax(), weights.shape) == PLANTED
    assert figure(result).axes[0].get_title() == "Photographs against style: accuracy"


def test_strengths_are_chosen_by_the_first_seeds_validation_loss(manifest, monkeypatch, tmp_path):
    losses = {(1e-4, 0.0): 0.3, (1e-2, 0.0): 0.2, (0.0, 1e-3): 0.1, (0.0, 1.0): 0.5}
    asked = []

    def trained(trainings, context):
        asked.extend(one.seed for one in trainings)
        return [Path(f"{one.recipe.penalties.l1},{one.recipe.penalties.l2}") for one in trainings]

    def model(path):
        loss = losses[tuple(map(float, str(path).split(",")))]
        return SimpleNamespace(card=SimpleNamespace(training={"val_loss": loss}))

    monkeypatch.setattr(linear_separability, "train_all", trained)
    monkeypatch.setattr(linear_separability, "Model", model)
    settings = msgspec.structs.replace(
        SETTINGS, penalties=("none", "both"), l1=(1e-4, 1e-2), l2=(1e-3, 1.0), seeds=(7, 8)
    )
    chosen = linear_separability._choose(settings, manifest, "pixels", Context(tmp_path))
    found = {name: (one.l1, one.l2) for name, one in chosen.items()}
    assert found == {"none": (0.0, 0.0), "l1": (1e-2, 0.0), "l2": (0.0, 1e-3), "both": (1e-2, 1e-3)}
    assert set(asked) == {7}


def test_nothing_to_choose_from_is_refused(tmp_path):
    with pytest.raises(UsageError, match="wanted one or more of each"):
        run_study(msgspec.structs.replace(SETTINGS, l2=()), Context(tmp_path))
