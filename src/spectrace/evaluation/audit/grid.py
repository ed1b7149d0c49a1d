"""What earlier JPEG files left in the pixels: the block grid, its quantisation, and a second grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.images.decode import Pixels
from spectrace.spectra.jpeg_grid import BLOCK, jpeg_grid
from spectrace.spectra.transforms import luma

SIDE = 256
"""Of the middle part that is looked at, in pixels: the same of large and small pictures."""

_MIN_SIDE = 3 * BLOCK
_LOW = ((0, 1), (1, 0), (1, 1))
_MID = ((0, 2), (2, 0), (1, 2), (2, 1), (2, 2))
_STEPS = np.arange(2, 61)
_MIN_VALUES = 16
_CLEAR = 4.0  # standard deviations: a comb below it is chance, the best of 59 steps
# Histograms of coefficients up to 128 in steps of an eighth; rounded pixels move them by 0.3.
_GRAIN, _GRAINS = 0.125, 1024
_SIZES = (np.arange(_GRAINS)[:, None] + 0.5) * _GRAIN
_BEYOND = (_SIZES > _STEPS / 2).astype(np.float64)
_WAVES = _BEYOND * np.cos(2 * np.pi * _SIZES / _STEPS)
_FLAT = 1e-6
_SHOWN_GAP = 0.012  # of zeros: below it no grid is seen and its place means nothing
_HOLES_TO = 8


def middle(pixels: Pixels) -> NDArray[np.float32]:
    """Luma of the middle of a picture, at most 256 x 256 pixels, its corner on a multiple of 8.

    Example:
        >>> middle(np.zeros((100, 900, 3), np.uint8)).shape
        (100, 256)
    """
    return luma(middle_pixels(pixels))


def middle_pixels(pixels: Pixels) -> Pixels:
    """The same part as pixels."""
    top, left = (max(side - SIDE, 0) // 2 // BLOCK * BLOCK for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def grid_traits(pixels: Pixels) -> dict[str, float | str]:
    """Traits of the kind ``grid``.

    * ``grid_gap``: how many more high DCT coefficients are zero at the grid's phase than at any other one
      (:mod:`spectrace.spectra.jpeg_grid`).
    * ``grid_edges``, ``grid_second``: log ratio of the steps between neighbouring pixels at one of the eight
      phases to those at the middle phase; the strongest, and the strongest that is not next to it. Content
      cancels out.
    * ``grid_phase``: ``aligned`` with the picture's corner, ``shifted``, or ``none``.
    * ``grid_step_low``, ``grid_step_mid``: the quantisation step whose multiples the coefficients at that
      phase lie on, the median over some coefficients, 0 without; ``grid_comb``: how clearly they do, in
      standard deviations.
    * ``grid_holes``: how uneven the histogram of the multiples is, as quantisation twice with different
      steps leaves it.

    Args:
        pixels: uint8 ``[H, W, 3]``.

    Returns:
        Their values; nothing for a picture below 24 pixels or a flat one.

    Example:
        >>> from spectrace.images.codecs import decode_jpeg, encode_jpeg
        >>> from spectrace.spectra.upsampling import noise_picture
        >>> noise = np.dstack([noise_picture(128)] * 3)
        >>> grid_traits(noise)["grid_phase"], grid_traits(decode_jpeg(encode_jpeg(noise, 60)))["grid_phase"]
        ('none', 'aligned')
    """
    part = middle(pixels)
    if min(part.shape) < _MIN_SIDE or float(np.ptp(part)) < 1.0:
        return {}
    evidence = jpeg_grid(part)
    edges, second = _edges(part)
    coefficients = _blocks(part, evidence.phase)
    pairs = (*_LOW, *_MID)
    combs = dict(zip(pairs, _combs([coefficients[:, y, x] for y, x in pairs]), strict=True))
    place = "aligned" if evidence.phase == (0, 0) else "shifted"
    steps = {pair: step if clear >= _CLEAR else 0 for pair, (step, clear) in combs.items()}
    return {
        "grid_gap": evidence.gap,
        "grid_edges": edges,
        "grid_phase": place if evidence.gap >= _SHOWN_GAP else "none",
        "grid_second": second,
        "grid_step_low": float(np.median([steps[pair] for pair in _LOW])),
        "grid_step_mid": float(np.median([steps[pair] for pair in _MID])),
        "grid_comb": sorted(clear for _, clear in combs.values())[-2],
        "grid_holes": _holes(
            [coefficients[:, y, x] / np.float32(steps[y, x]) for y, x in combs if steps[y, x]]
        ),
    }


def _edges(part: NDArray[np.float32]) -> tuple[float, float]:
    """Strongest step at one of the eight phases, and the strongest that is not next to it."""
    strongest, others = [], []
    for axis in (0, 1):
        across = np.abs(np.diff(part, axis=axis)).mean(axis=1 - axis, dtype=np.float64)
        phases = across[: across.size // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=0)
        level = np.log((phases + _FLAT) / (np.median(phases) + _FLAT))
        peak = int(level.argmax())
        near = {(peak + shift) % BLOCK for shift in (-1, 0, 1)}
        strongest.append(level[peak])
        others.append(max(level[phase] for phase in range(BLOCK) if phase not in near))
    return float(np.mean(strongest)), float(np.mean(others))


def _blocks(part: NDArray[np.float32], phase: tuple[int, int]) -> NDArray[np.float32]:
    """DCT coefficients of the blocks at a phase, ``[N, 8, 8]``."""
    top, left = phase
    rows, columns = (part.shape[0] - top) // BLOCK, (part.shape[1] - left) // BLOCK
    cut = part[top : top + rows * BLOCK, left : left + columns * BLOCK]
    blocks = cut.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3).reshape(-1, BLOCK, BLOCK)
    return np.asarray(fft.dctn(blocks, axes=(1, 2), norm="ortho"), dtype=np.float32)


def _combs(values: list[NDArray[np.float32]]) -> list[tuple[int, float]]:
    """The step whose multiples each set of values lies on best, and by how many standard deviations."""
    places = [(np.abs(one) / _GRAIN).astype(np.int64) for one in values]
    counts = np.stack([np.bincount(one[one < _GRAINS], minlength=_GRAINS) for one in places]).astype(float)
    beyond = counts @ _BEYOND
    mean = counts @ _WAVES / np.maximum(beyond, 1)
    clear = np.where(beyond >= _MIN_VALUES, mean * np.sqrt(2 * beyond), 0.0)
    best = clear.argmax(axis=1)
    return [(int(_STEPS[step]), float(one[step])) for one, step in zip(clear, best, strict=True)]


def _holes(multiples: list[NDArray[np.float32]]) -> float:
    """Unevenness of the histograms of the multiples 1 to 8, in standard deviations.

    The histogram of a coefficient falls off like a geometric series, whose logarithm is straight; what
    bends it more than counting does are values that a first quantisation made rare or frequent.
    """
    bends = []
    for values in multiples:
        counts = np.bincount(np.rint(np.abs(values)).astype(np.int64), minlength=_HOLES_TO + 2) + 0.5
        before, here, after = counts[: _HOLES_TO - 1], counts[1:_HOLES_TO], counts[2 : _HOLES_TO + 1]
        bends += list(np.log(before * after / here**2)[1:] / np.sqrt(1 / before + 4 / here + 1 / after)[1:])
    return float(np.sqrt(np.mean(np.square(bends)))) if bends else 0.0
