"""Spectral matching: give the samples the photographs' mean amplitude spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.errors import UsageError
from spectrace.generators.attacks.registry import Knowledge, Pixels, register_attack

_CHUNK = 256


def mean_amplitude(pictures: Pixels) -> NDArray[np.float64]:
    """Mean magnitude of the Fourier transform, by channel and frequency.

    Args:
        pictures: uint8 [N, H, W, 3].

    Returns:
        float64 [H, W // 2 + 1, 3]: the half of the spectrum that decides the rest.

    Example:
        >>> mean_amplitude(np.full((2, 4, 4, 3), 10, np.uint8))[0, 0].tolist()
        [160.0, 160.0, 160.0]
    """
    chunks = np.array_split(pictures, max(1, len(pictures) // _CHUNK))
    total: NDArray[np.float64] = sum(
        (np.abs(fft.rfft2(chunk.astype(np.float64), axes=(1, 2))).sum(0) for chunk in chunks),
        np.zeros(()),
    )
    return total / len(pictures)


def match_spectrum(pictures: Pixels, ratio: NDArray[np.float64]) -> Pixels:
    """Scale every frequency's amplitude and keep its phase.

    Args:
        pictures: uint8 [N, H, W, 3].
        ratio: float64 [H, W // 2 + 1, 3].

    Returns:
        uint8 [N, H, W, 3], rounded, clipped to 0..255.

    Example:
        >>> match_spectrum(np.full((1, 4, 4, 3), 10, np.uint8), np.full((4, 3, 3), 1.5))[0, 0, 0].tolist()
        [15, 15, 15]
    """
    spectra = fft.rfft2(pictures.astype(np.float64), axes=(1, 2)) * ratio
    matched = fft.irfft2(spectra, s=pictures.shape[1:3], axes=(1, 2))
    return np.clip(np.rint(matched), 0, 255).astype(np.uint8)


@register_attack("spectral-matching", "amplitudes scaled to the photographs' mean, phases kept")
def spectral_matching(pictures: Pixels, rng: np.random.Generator, knowledge: Knowledge) -> Pixels:
    """Scale by the ratio of the photographs' mean amplitude to the samples', fitted on the attacker's own."""
    if knowledge.photographs is None or knowledge.samples is None:
        raise UsageError("spectral matching needs photographs and samples to take the spectra from")
    sides = {some.shape[1:] for some in (pictures, knowledge.photographs, knowledge.samples)}
    if len(sides) > 1:
        raise UsageError(f"spectral matching needs pictures of one size, these are {sorted(sides)}")
    wanted, found = mean_amplitude(knowledge.photographs), mean_amplitude(knowledge.samples)
    # A frequency that no sample holds cannot be scaled up.
    ratio = np.divide(wanted, found, out=np.ones_like(wanted), where=found > 0.0)
    return match_spectrum(pictures, ratio)
