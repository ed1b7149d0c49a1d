"""Every registered family learns, resumes exactly and exports; the parts and losses against hand-made values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spectrace.generators.export import export_generator
from spectrace.generators.families import Family, build_family, diffusion, family_names, registry, resolve
from spectrace.generators.families.cramergan import CramerGAN
from spectrace.generators.families.discrepancy import discrepancy
from spectrace.generators.families.mmdgan import MMDGAN
from spectrace.generators.families.parts import (
    BatchDeviation,
    PixelNorm,
    between,
    equalised,
    gradient_penalty,
    r1,
    strided_critic,
)
from spectrace.generators.families.progressive import Progressive, growth
from spectrace.generators.families.sngan import hinge
from spectrace.generators.families.style import StyledConvolution
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import GeneratorCard, Sampler
from spectrace.generators.training import GeneratorTraining

SIZE = 16


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def few_steps_of_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is a copy of the network in the exported graph."""
    monkeypatch.setattr(diffusion, "SAMPLING_STEPS", 3)


@pytest.fixture(scope="module")
def pictures() -> Photographs:
    rng = np.random.default_rng(0)
    return Photographs([rng.integers(0, 256, (18, 18, 3), dtype=np.uint8) for _ in range(8)], SIZE)


def recipe(family: str, upsampler: str = "") -> GeneratorRecipe:
    return GeneratorRecipe(family=family, upsampler=upsampler, size=SIZE, width=2, batch=4, steps=4, seed=3)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def inputs(family: Family, count: int) -> Tensor:
    if family.latent:
        return torch.from_numpy(
            np.stack(
                [
                    np.random.default_rng([5, number]).standard_normal(family.latent, np.float32)
                    for number in range(count)
                ]
            )
        )
    return torch.rand(count, 3, SIZE, SIZE) * 2 - 1


@pytest.mark.parametrize("name", family_names())
def test_a_family_learns_and_resumes_exactly(name: str, pictures: Photographs) -> None:
    straight = GeneratorTraining(recipe(name))
    before = weights(straight.family.sampler)
    losses = [straight.advance(pictures) for _ in range(2)]
    after = weights(straight.family.sampler)
    assert losses[0].keys() == losses[1].keys()
    assert all(np.isfinite(value) for step in losses for value in step.values())
    moved = [key for key in after if after[key].is_floating_point() and (after[key] != before[key]).any()]
    assert moved

    resumed = GeneratorTraining(recipe(name))
    resumed.restore(copy.deepcopy(straight.state()))
    for training in (straight, resumed):
        training.advance(pictures)
        training.advance(pictures)
    assert straight.step == resumed.step == 4
    for first, second in (
        (straight.family.state_dict(), resumed.family.state_dict()),
        (straight.averaged.state_dict(), resumed.averaged.state_dict()),
    ):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", family_names())
def test_an_exported_family_draws_what_torch_draws(name: str, pictures: Photographs, tmp_path: Path) -> None:
    training = GeneratorTraining(recipe(name))
    training.advance(pictures)
    sampler = training.family.sampler
    x = inputs(training.family, 3)
    with torch.no_grad():
        for _ in range(20 * any(isinstance(part, nn.BatchNorm2d) for part in sampler.modules())):
            sampler(x)  # normalisation settles, or all samples would be one grey
        drawn = sampler.eval()(x)
    assert (drawn.shape, drawn.dtype) == ((3, 3, SIZE, SIZE), torch.float32)
    if not training.family.latent:
        return
    wanted = (127.5 * drawn.clamp(-1, 1) + 127.5).permute(0, 2, 3, 1).numpy()
    card = GeneratorCard(
        recipe=training.recipe, latent=training.family.latent, photographs=pictures.digest, steps=1
    )
    found = Sampler(export_generator(sampler, card, tmp_path / "generator.onnx")).sample(3, 5)
    assert np.abs(found - wanted).max() <= 1.0
    assert len(np.unique(found)) > 2
    assert (found[0] != found[1]).any()


WITH_UPSAMPLER = [name for name in family_names() if resolve(GeneratorRecipe(family=name)).upsampler]


@pytest.mark.parametrize("upsampler", ["pixel-shuffle", "binomial5", "nearest"])
@pytest.mark.parametrize("name", WITH_UPSAMPLER)
def test_a_family_takes_other_upsamplers(name: str, upsampler: str) -> None:
    own = build_family(recipe(name)).sampler.eval()
    family = build_family(recipe(name, upsampler))
    x = inputs(family, 2)
    with torch.no_grad():
        drawn = family.sampler.eval()(x)
        same = own.state_dict().keys() == family.sampler.state_dict().keys()
        assert drawn.shape == (2, 3, SIZE, SIZE)
        if resolve(recipe(name)).upsampler != upsampler:
            assert not same or not torch.allclose(own(x), drawn)


def test_a_name_is_registered_once() -> None:
    register = registry.register_family("dcgan", "again", upsampler="nearest", width=1, batch=1, steps=1)
    with pytest.raises(ValueError, match="'dcgan'"):
        register(build_family)


def test_hinge_is_nothing_beyond_the_margins() -> None:
    assert hinge(torch.tensor([1.0, 4.0]), torch.tensor([-1.0, -3.0])) == 0
    assert hinge(torch.tensor([0.0]), torch.tensor([0.0])) == 2


def rational_quadratic(a: np.ndarray, b: np.ndarray) -> float:
    distance = float(((a - b) ** 2).sum())
    return sum((1 + distance / (2 * scale)) ** -scale for scale in (0.2, 0.5, 1, 2, 5))


def negated_distance(a: np.ndarray, b: np.ndarray) -> float:
    return -float(np.linalg.norm(a - b))


@pytest.mark.parametrize(("family", "kernel"), [(MMDGAN, rational_quadratic), (CramerGAN, negated_distance)])
def test_discrepancy_is_the_unbiased_double_sum(family, kernel) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(0.5, 2, size=(5, 7))

    def within(x: np.ndarray) -> float:
        pairs = [kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]
        return float(np.mean(pairs))

    wanted = within(a) + within(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    found = discrepancy(
        family.kernel(first, first), family.kernel(second, second), family.kernel(first, second)
    )
    assert found.item() == pytest.approx(wanted, abs=1e-5)


def test_energy_distance_of_points_and_of_equal_batches() -> None:
    def energy(a: Tensor, b: Tensor) -> float:
        kernel = CramerGAN.kernel
        return discrepancy(kernel(a, a), kernel(b, b), kernel(a, b)).item()

    same, far = torch.zeros(4, 3), torch.full((4, 3), 2.0)
    assert energy(same, same) == pytest.approx(0, abs=1e-6)
    assert energy(same, far) == pytest.approx(2 * 12**0.5, abs=5e-3)
    # Equal batches of two points at a distance of 1: 2 * 1/2 across, less 1 within each.
    two = torch.tensor([[0.0], [1.0]])
    assert energy(two, two) == pytest.approx(-1, abs=5e-3)


def test_penalties_of_a_linear_critic_are_its_slope() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    pictures = torch.randn(3, 3, 2, 2, requires_grad=True)
    slope = critic[1].weight.square().sum()
    torch.testing.assert_close(r1(critic(pictures), pictures), slope)
    torch.testing.assert_close(
        gradient_penalty(critic(pictures), pictures, centre=1.0), (slope.sqrt() - 1).square()
    )


def test_pictures_between_lie_on_the_lines() -> None:
    real, fake = torch.zeros(6, 3, 4, 4), torch.ones(6, 3, 4, 4)
    mixed = between(real, fake)
    assert mixed.requires_grad
    shares = mixed[:, 0, 0, 0]
    assert torch.equal(mixed, shares[:, None, None, None].expand_as(mixed))
    assert ((shares >= 0) & (shares <= 1)).all()
    assert len(shares.unique()) == 6


def test_spectral_normalisation_bounds_every_layer() -> None:
    torch.manual_seed(0)
    critic = strided_critic(16, 4, norm="spectral")
    for _ in range(30):  # one power iteration each
        critic(torch.randn(2, 3, 16, 16))
    layers = [layer for layer in critic.eval() if hasattr(layer, "weight")]
    assert len(layers) == 3
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_equalised_layers_keep_variance_and_learn_alike() -> None:
    torch.manual_seed(0)
    wide, slow = equalised(nn.Linear(400, 300), gain=1.0), equalised(nn.Linear(400, 300), gain=1.0, rate=0.1)
    x = torch.randn(500, 400)
    for layer in (wide, slow):
        assert layer(x).std().item() == pytest.approx(1, rel=0.05)
    for layer in (wide, slow):
        before = layer.weight.detach().clone()
        with torch.no_grad():
            layer.parametrizations.weight.original.add_(1.0)
        layer.change = (layer.weight - before).mean().item()
    assert wide.change == pytest.approx(10 * slow.change, rel=1e-3)


def test_pixel_norm_of_a_pixel() -> None:
    x = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    wanted = x / 12.5**0.5
    torch.testing.assert_close(PixelNorm()(x), wanted)
    torch.testing.assert_close(PixelNorm()(x.flatten(1)), wanted.flatten(1))


def test_batch_deviation_of_two_pictures() -> None:
    x = torch.stack([torch.zeros(2, 3, 3), torch.full((2, 3, 3), 4.0)])
    found = BatchDeviation()(x)
    torch.testing.assert_close(found[:, :2], x)
    torch.testing.assert_close(found[:, 2], torch.full((2, 3, 3), 2.0))
    assert BatchDeviation()(x[:1].expand(5, -1, -1, -1))[:, 2].max() < 1e-3


def test_growth_is_steady_and_ends_at_full_size() -> None:
    found = [growth(step / 1000, 4) for step in range(1001)]
    assert found[0] == 0
    assert found[-1] == 3
    assert (np.diff(found) >= 0).all()
    assert found.count(3) > 190  # at full size for more than the last fifth


def test_a_growing_generator_repeats_pixels_and_fades() -> None:
    torch.manual_seed(0)
    family = build_family(GeneratorRecipe(family="progressive", size=32, width=2, batch=4, steps=6))
    assert isinstance(family, Progressive)
    z = torch.randn(2, family.latent)

    def draw(position: float) -> Tensor:
        family.sampler.grown.fill_(round(position * 1_000_000))
        with torch.no_grad():
            drawn = family.sampler.train()(z)
            torch.testing.assert_close(family.sampler.eval()(z), drawn)
        return drawn.atanh()

    small, half, middle = draw(0), draw(0.5), draw(1)
    torch.testing.assert_close(small, small[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3))
    torch.testing.assert_close(middle, middle[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(half, (small + middle) / 2)
    assert (draw(2)[:, :, ::2] != draw(2)[:, :, 1::2]).any()


def test_a_fading_critic_goes_over_without_a_jump() -> None:
    family = build_family(GeneratorRecipe(family="progressive", size=32, width=2, batch=4, steps=6))
    assert isinstance(family, Progressive)
    coarse = torch.randn(4, 3, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    scores = []
    for position in (0.0, 1e-6, 1.0):
        family.critic.position = position
        scores.append(family.critic(coarse))
    torch.testing.assert_close(scores[0], scores[1], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(scores[0], scores[2], atol=1e-4)


def test_styles_scale_each_pictures_own_weights() -> None:
    torch.manual_seed(0)
    layer = StyledConvolution(5, 4)
    maps, w = torch.randn(2, 5, 6, 6), torch.randn(2, 64)
    found = layer(maps, w)
    for number in range(2):
        own = layer.convolution.weight * layer.style(w[number])[None, :, None, None]
        own = own / own.square().sum((1, 2, 3), keepdim=True).sqrt()
        wanted = nn.functional.conv2d(maps[number][None], own, padding=1)
        torch.testing.assert_close(found[number][None], wanted, atol=1e-5, rtol=1e-4)
