"""The study of all families on photographs from wheels."""

from __future__ import annotations

import numpy as np
import pytest

from spectrace.generators.recipe import GeneratorRecipe
from spectrace.studies.encoding import decode_map
from spectrace.studies.generators import Settings, figure, nearest_psnr, run_study
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context


@pytest.mark.slow
def test_samples_and_spectra_of_each(tmp_path):
    tiny = {"width": 4, "batch": 4, "steps": 4}
    settings = Settings(
        photographs=WHEELS,
        sources=(),
        generators=(
            GeneratorRecipe(family="dcgan", upsampler="nearest", **tiny),
            GeneratorRecipe(family="mixture", steps=2),
            GeneratorRecipe(family="autoencoder", **tiny),
        ),
        size=16,
        samples=24,
    )
    result = run_study(settings, Context(tmp_path))
    rows = result["generators"]
    assert [row["family"] for row in rows] == ["dcgan", "mixture", "autoencoder"]
    assert ["predicted" in row for row in rows] == [True, False, True]
    assert all(set(row["bands"]) == {"0.25 to 0.45", "0.45 to 0.5"} for row in rows if "predicted" in row)
    nearest = rows[0]["bands"]["0.45 to 0.5"]
    assert nearest["kernel"] < -1  # its null at half a cycle per pixel
    for row in rows:
        assert len(row["difference"]) == 16
        assert decode_map(row["power_difference_db"]).shape == (16, 16)
        assert np.isfinite(row["nearest_photograph_psnr"])
    drawn = figure(result)
    assert len([axis for axis in drawn.axes if axis.get_title(loc="left")]) == 3


def test_a_sample_that_gives_back_a_photograph_is_seen():
    rng = np.random.default_rng(0)
    photographs, samples = (rng.integers(0, 256, (9, 16, 16, 3), np.uint8) for _ in range(2))
    apart = nearest_psnr(samples, photographs)
    samples[4] = np.clip(photographs[7].astype(int) + 1, 0, 255)
    assert apart < 25 < 45 < nearest_psnr(samples, photographs)
