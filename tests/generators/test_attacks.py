"""Attacks: shape, bounds and seeds of all; spectra that match; noise that misleads; what they cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from spectrace.errors import UsageError
from spectrace.generators.attacks import Knowledge, attack_named, attack_names, register_attack
from spectrace.generators.attacks.aim import Smoothed
from spectrace.generators.attacks.gradient import perturb
from spectrace.generators.attacks.spectral import mean_amplitude
from spectrace.generators.quality import psnr, ssim
from spectrace.images.perturbations import apply
from spectrace.learning.network import DetectorNetwork
from spectrace.learning.networks import build_network
from spectrace.learning.representations import LogDCT, Standardiser

SIDE = 32


class Checkerboard(nn.Module):
    """Logit: how much of the finest checkerboard is in the pixels, less a bias; one patch a pixel pair."""

    def forward(self, tiles):
        kernel = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[None, None] / 4.0
        response = nn.functional.conv2d(tiles.mean(1, keepdim=True), kernel, stride=2)
        return response[:, 0] - 0.5


@pytest.fixture(scope="module")
def crops(photographs):
    """uint8 [40, SIDE, SIDE, 3] of two photographs."""
    rng = np.random.default_rng(0)
    pieces = []
    for number in range(40):
        pixels = photographs[("coffee", "chelsea")[number % 2]]
        top, left = (int(rng.integers(side - SIDE)) for side in pixels.shape[:2])
        pieces.append(pixels[top : top + SIDE, left : left + SIDE])
    return np.stack(pieces)


@pytest.fixture(scope="module")
def printed(crops):
    """The same with a checkerboard of two grey levels."""
    board = 2 * (-1) ** np.add.outer(np.arange(SIDE), np.arange(SIDE))
    return np.clip(crops.astype(int) + board[None, :, :, None], 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def knowledge(crops, printed):
    return Knowledge(crops[:20], printed[:20], Checkerboard())


@pytest.mark.parametrize("name", attack_names())
def test_every_attack_keeps_shape_follows_its_seed_and_leaves_its_input_alone(name, printed, knowledge):
    pictures = printed[20:].copy()
    one, two = (attack_named(name)(pictures, np.random.default_rng(3), knowledge) for _ in range(2))
    assert one.shape == pictures.shape
    assert one.dtype == np.uint8
    assert one.flags.c_contiguous
    assert (one == two).all()
    assert (pictures == printed[20:]).all()
    assert (one == pictures).all() == (name == "none")
    assert psnr(pictures, one).min() > 18
    assert (attack_named(name).aimed) == name.startswith("gradient")


def test_launderings_are_the_perturbations_of_the_registry(crops):
    attacked = attack_named("re-encoding")(crops[:2], np.random.default_rng(0), Knowledge())
    assert (attacked[1] == apply("jpeg(quality=85)", crops[1])).all()
    with pytest.raises(UsageError, match="even sides"):
        attack_named("resize")(crops[:, :31], np.random.default_rng(0), Knowledge())


def test_spectral_matching_gives_samples_the_photographs_mean_spectrum(crops, printed, knowledge):
    held_out = printed[20:]
    matched = attack_named("spectral-matching")(held_out, np.random.default_rng(0), knowledge)
    nyquist = (SIDE // 2, SIDE // 2)
    before, after, wanted = (mean_amplitude(some)[nyquist].mean() for some in (held_out, matched, crops[:20]))
    assert before > 10 * wanted
    assert after < 3 * wanted  # rounding and clipping leave some
    # On the samples it was fitted on, matching is exact up to rounding: compare where there is energy.
    fitted = attack_named("spectral-matching")(printed[:20], np.random.default_rng(0), knowledge)
    low = (slice(0, 4), slice(0, 4))
    assert np.allclose(mean_amplitude(fitted)[low], mean_amplitude(crops[:20])[low], rtol=0.02)


def test_mean_amplitude_is_numpys_in_batches_of_any_size(crops):
    many = np.concatenate([crops] * 8)[:301]
    wanted = np.abs(np.fft.rfft2(many.astype(float), axes=(1, 2))).mean(0)
    assert np.allclose(mean_amplitude(many), wanted)


@pytest.mark.parametrize("bound", [2, 4])
def test_noise_stays_in_its_bound_and_misleads(bound, printed, knowledge):
    pictures = printed[20:30].copy()
    pictures[0] = 255  # nothing may leave the range
    attacked = attack_named(f"gradient-{bound}")(pictures, np.random.default_rng(0), knowledge)
    assert np.abs(attacked.astype(int) - pictures).max() == bound
    before, after = (
        Checkerboard()(torch.from_numpy(some.transpose(0, 3, 1, 2).copy()).float()).mean((1, 2))
        for some in (pictures, attacked)
    )
    assert (before[1:] > 0).all()
    assert (after < 0).all()


def test_a_smoothed_log_dct_says_the_same_and_misleads_where_the_exact_one_does_not(crops):
    exact = LogDCT(SIDE)
    tiles = torch.from_numpy(crops.transpose(0, 3, 1, 2).copy())
    standardiser = Standardiser(exact)
    standardiser.update(tiles)
    standardiser.finish()
    network = build_network("linear", 1, SIDE).requires_grad_(False)
    network.dense.weight.view(3, SIDE, SIDE)[:, SIDE // 2 :, SIDE // 2 :] = 0.1  # energy at high frequencies
    frozen, smoothed = DetectorNetwork(exact, network), DetectorNetwork(Smoothed(exact), network)
    assert (smoothed(tiles) == frozen(tiles)).all()

    def gain(aim):
        attacked = perturb(crops[:10], aim, bound=4, steps=20, rng=np.random.default_rng(0))
        return float(
            (frozen(tiles[:10]) - frozen(torch.from_numpy(attacked.transpose(0, 3, 1, 2).copy()))).mean()
        )

    assert gain(frozen) >= 0  # at worst nothing is changed
    assert gain(smoothed) > gain(frozen) + 20


def test_what_an_attack_needs_is_asked_for(crops):
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="needs photographs and samples"):
        attack_named("spectral-matching")(crops, rng, Knowledge())
    with pytest.raises(UsageError, match="of one size"):
        attack_named("spectral-matching")(crops, rng, Knowledge(crops[:, :16], crops))
    with pytest.raises(UsageError, match="needs a detector"):
        attack_named("gradient-2")(crops, rng, Knowledge())
    with pytest.raises(UsageError, match="wanted uint8"):
        attack_named("none")(crops[0], rng, Knowledge())
    with pytest.raises(UsageError, match="'magic' is unknown: use one of blur"):
        attack_named("magic")
    with pytest.raises(ValueError, match="'none'"):
        register_attack("none", "again")(lambda pictures, rng, knowledge: pictures)


@given(st.integers(0, 2**32 - 1), st.integers(1, 80))
@settings(max_examples=20)
def test_quality_is_scikit_images(seed, strength):
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 256, (2, 17, 23, 3)).astype(np.uint8)
    after = np.clip(before + rng.integers(-strength, strength + 1, before.shape), 0, 255).astype(np.uint8)
    after[0, 0, 0, 0] ^= 1  # never the same picture
    for x, y, decibels, similarity in zip(
        before, after, psnr(before, after), ssim(before, after), strict=True
    ):
        if (x != y).any():
            assert decibels == pytest.approx(peak_signal_noise_ratio(x, y), abs=1e-9)
        wanted = structural_similarity(
            x, y, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert similarity == pytest.approx(wanted, abs=1e-9)


def test_quality_of_other_shapes_is_refused():
    small = np.zeros((1, 10, 20, 3), np.uint8)
    with pytest.raises(UsageError, match="SSIM needs 11"):
        ssim(small, small)
    with pytest.raises(UsageError, match="same shape"):
        psnr(small, small[:, :5])
