"""Exported generators, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectrace.errors import ModelError, UsageError
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.generators.training import train_generator


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs
) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train_generator(tiny_recipe, tiny_photographs, folder)
    return folder


def test_a_sample_depends_on_seed_and_number_alone(run: Path) -> None:
    sampler = Sampler(run)
    many = sampler.sample(20, seed=7)
    assert (many.dtype, many.shape) == (np.uint8, (20, 16, 16, 3))
    np.testing.assert_array_equal(many[17:19], sampler.sample(2, seed=7, first=17))
    assert not np.array_equal(many, sampler.sample(20, seed=8))
    assert many.std() > 1


def test_written_samples_are_kept(run: Path, tmp_path: Path) -> None:
    sampler = Sampler(run / "generator.onnx")
    paths = write_samples(sampler, tmp_path, 18, 2)
    expected = sampler.sample(18, 2)
    for path, pixels in zip(paths, expected, strict=True):
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels)
    Image.new("RGB", (1, 1)).save(paths[0])
    paths[17].unlink()
    write_samples(sampler, tmp_path, 18, 2)
    with Image.open(paths[0]) as image:
        assert image.size == (1, 1)
    assert paths[17].is_file()
    assert not list(tmp_path.glob("*.part"))


def test_no_photographs_for_a_generator_of_noise(run: Path) -> None:
    with pytest.raises(UsageError, match="wanted an autoencoder"):
        Sampler(run).reconstruct(np.zeros((1, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("content", [None, b"no model"])
def test_no_generator(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "generator.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="no generator of Spectrace"):
        Sampler(path)


def test_a_detector_is_no_generator(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "src/spectrace/detectors/weights/frequency.onnx"
    with pytest.raises(ModelError, match="no generator of Spectrace"):
        Sampler(shipped)
