"""Stability of heatmaps: against scipy, and with a detector whose maps are known."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import spearmanr

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.evaluation.stability import compare_maps, map_stability
from spectrace.images import perturbations


class Blocks:
    """A patch's score is its mean brightness, or that of another place, or that of no place."""

    card = SimpleNamespace(name="blocks@1")

    def __init__(self, side: int = 4) -> None:
        self.side = side

    def detect(self, source: Any, /) -> Any:
        pixels = np.asarray(source, np.float64).mean(2)
        height, width = (length // self.side for length in pixels.shape)
        patches = pixels[: height * self.side, : width * self.side].reshape(
            height, self.side, width, self.side
        )
        evidence = SimpleNamespace(scores=patches.mean((1, 3)).astype(np.float32)[None])
        return SimpleNamespace(score=0.0, verdict="inconclusive", evidence=evidence)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(8):
        low = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        low.resize((32, 32), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
        label: Literal["real", "generated"] = "generated" if number % 2 else "real"
        rows.append(Row(path=f"{number}.png", label=label, source=f"{label}-{number % 4}"))
    return Manifest(rows, tmp_path)


@given(st.integers(4, 200), st.integers(0, 2**32), st.booleans())
def test_the_correlation_is_scipys(count: int, seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(size=(2, count)).round(0 if ties else 9)
    found = compare_maps(before, after)
    if min(np.ptp(before), np.ptp(after)) == 0:
        assert math.isnan(found.rank_correlation)
    else:
        assert found.rank_correlation == pytest.approx(spearmanr(before, after).statistic, abs=1e-9)
        assert 0 <= found.strongest_kept <= 1


def test_the_strongest_tenth_is_followed() -> None:
    before = np.arange(100.0)
    assert compare_maps(before, before).strongest_kept == 1.0
    assert compare_maps(before, -before) == (-1.0, 0.0)
    after = before.copy()
    after[[90, 91, 92]] = -1.0
    assert compare_maps(before, after).strongest_kept == pytest.approx(0.7)
    rng = np.random.default_rng(0)
    by_chance = [compare_maps(*rng.normal(size=(2, 200))).strongest_kept for _ in range(300)]
    assert np.mean(by_chance) == pytest.approx(0.1, abs=0.02)
    with pytest.raises(UsageError, match="wanted the same picture twice"):
        compare_maps(before, before[:50])


def test_stronger_noise_leaves_less(manifest: Manifest) -> None:
    specs = ["identity", "noise(std=30)", "noise(std=200)"]
    found = map_stability(Blocks(), manifest, specs, resamples=200, seed=3)
    assert [one.perturbation for one in found] == specs
    assert {one.pictures for one in found} == {8}
    assert found[0].rank_correlation.value == pytest.approx(1.0)
    assert found[0].strongest_kept.value == 1.0
    for figure in ("rank_correlation", "strongest_kept"):
        values = [getattr(one, figure) for one in found]
        assert values[0].value > values[1].value > values[2].value
        assert all(one.low <= one.value <= one.high for one in values)
        assert values[2].low < values[2].high
    assert found == map_stability(Blocks(), manifest, specs, resamples=200, seed=3, workers=3)


def test_the_mean_is_over_pictures(manifest: Manifest) -> None:
    (found,) = map_stability(Blocks(), manifest, ["gamma(gamma=3)"], resamples=5)
    kept = []
    for row in manifest:
        pixels = np.asarray(Image.open(manifest.locate(row)))
        maps = [
            Blocks().detect(one).evidence.scores
            for one in (pixels, perturbations.apply("gamma(gamma=3)", pixels))
        ]
        kept.append(compare_maps(*maps))
    assert found.rank_correlation.value == pytest.approx(np.mean([one.rank_correlation for one in kept]))
    assert found.strongest_kept.value == pytest.approx(np.mean([one.strongest_kept for one in kept]))


def test_pictures_of_few_patches_and_broken_ones_are_left_out(manifest: Manifest) -> None:
    manifest.locate(manifest.rows[0]).write_bytes(b"")
    Image.new("RGB", (8, 8)).save(manifest.locate(manifest.rows[1]))
    visits: list[None] = []
    (found,) = map_stability(
        Blocks(), manifest, ["jpeg(quality=80)"], resamples=5, visit=lambda: visits.append(None)
    )
    assert (found.pictures, len(visits)) == (6, 8)
    (nothing,) = map_stability(Blocks(16), manifest, ["jpeg(quality=80)"], resamples=5)
    assert (nothing.pictures, nothing.rank_correlation.value) == (0, None)


@pytest.mark.parametrize("spec", ["flip", "jpeg(quality=90) + shift(rows=4)", "resize(scale=1)"])
def test_what_moves_the_content_is_refused(manifest: Manifest, spec: str) -> None:
    with pytest.raises(UsageError, match="moves what is in a picture"):
        map_stability(Blocks(), manifest, [spec])
