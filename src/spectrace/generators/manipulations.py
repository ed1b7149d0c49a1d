"""Four manipulations of a region, in the spirit of those of FaceForensics++, on any photograph.

======================  ==============================================================================
``swap``                a piece of another photograph, its colours matched, blended in (as FaceSwap)
``resynthesise``        an autoencoder's reconstruction of the region, blended in (as Deepfakes)
``warp``                the region pulled out of shape smoothly and resampled (as Face2Face)
``retexture``           its fine texture made anew, coarse shape and colour kept (as NeuralTextures)
======================  ==============================================================================

Each takes pixels ``uint8 [H, W, 3]``, a :class:`~spectrace.generators.regions.Region` and a random generator;
every pixel outside of the region stays exactly as it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from spectrace.errors import UsageError
from spectrace.generators.aligned import Reconstruct
from spectrace.generators.regions import LEAST_SIDE, Region

MANIPULATIONS = ("swap", "resynthesise", "warp", "retexture")

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_CHANNELS = (0, 1)
_MOST_GAIN = 3.0
_FINE = 1.5


def match_colours(pixels: Floats, reference: Floats, where: NDArray[np.bool_]) -> Floats:
    """Give the pixels the reference's mean and standard deviation in each channel, measured inside a region.

    Source: Reinhard et al., *Color transfer between images*, 2001, in RGB; the gain stays between 1/3 and 3,
    so that a flat piece is not blown up to noise.

    Args:
        pixels: float64 [H, W, 3], changed everywhere.
        reference: float64 [H, W, 3].
        where: bool [H, W], not empty.

    Returns:
        float64 [H, W, 3].

    Example:
        >>> grey, bright = np.full((2, 2, 3), 10.0), np.full((2, 2, 3), 90.0)
        >>> float(match_colours(grey, bright, np.ones((2, 2), bool)).mean())
        90.0
    """
    ours, theirs = pixels[where], reference[where]
    gain = (theirs.std(axis=0) + 1e-6) / (ours.std(axis=0) + 1e-6)
    matched: Floats = (pixels - ours.mean(axis=0)) * gain.clip(1.0 / _MOST_GAIN, _MOST_GAIN)
    matched += theirs.mean(axis=0)
    return matched


def swap(pixels: Pixels, region: Region, rng: np.random.Generator, donor: Pixels) -> Pixels:
    """Put a piece of another photograph into the region, with its colours, blended at the border.

    The piece is cut from a random place, 60 to 95 % as large as the picture, and resized to it by bicubic
    interpolation, as a face is that has to fit another one; it is mirrored half of the time.

    Args:
        pixels: uint8 [H, W, 3].
        region: of the picture.
        rng: chooses the piece.
        donor: uint8 [H', W', 3], the other photograph, sides of 64 pixels or more.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: a donor that is too small.
    """
    height, width = pixels.shape[:2]
    if min(donor.shape[:2]) < LEAST_SIDE:
        raise UsageError(
            f"donor of {donor.shape[1]}x{donor.shape[0]} pixels: wanted sides of {LEAST_SIDE} or more"
        )
    fit = min(1.0, donor.shape[0] / height, donor.shape[1] / width)
    scale = fit * rng.uniform(0.6, 0.95)
    sides = [max(1, int(side * scale)) for side in (height, width)]
    top, left = (int(rng.integers(have - want + 1)) for have, want in zip(donor.shape, sides, strict=False))
    piece = donor[top : top + sides[0], left : left + sides[1]]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    resized = Image.fromarray(np.ascontiguousarray(piece)).resize((width, height), Image.Resampling.BICUBIC)
    matched = match_colours(np.asarray(resized, np.float64), pixels.astype(np.float64), region.inside)
    return _blend(pixels, matched, region)


def resynthesise(pixels: Pixels, region: Region, reconstruct: Reconstruct) -> Pixels:
    """Replace the region by what an autoencoder makes of it, blended at the border.

    Args:
        pixels: uint8 [H, W, 3].
        region: of the picture.
        reconstruct: uint8 [h, w, 3] to the same shape; given the region's box with some room around.

    Returns:
        uint8 [H, W, 3].
    """
    rows, columns = (slice(max(0, span.start - 16), span.stop + 16) for span in region.box)
    made = pixels.astype(np.float64)
    made[rows, columns] = reconstruct(np.ascontiguousarray(pixels[rows, columns]))
    return _blend(pixels, made, region)


def warp(pixels: Pixels, region: Region, rng: np.random.Generator) -> Pixels:
    """Pull the region out of shape by a smooth random field and resample it bilinearly, as renderers do.

    The displacement falls to zero at the region's border, so nothing has to be blended; at its largest it is
    3 to 6 % of the picture's shorter side.
    """
    side = min(pixels.shape[:2])
    field = rng.standard_normal((2, *pixels.shape[:2]))
    smooth = np.stack([gaussian_filter(component, 0.08 * side, mode="wrap") for component in field])
    smooth *= region.weight
    largest = np.hypot(*smooth).max()
    smooth *= rng.uniform(0.03, 0.06) * side / max(largest, 1e-12)
    places = np.indices(pixels.shape[:2]) + smooth
    rows, columns = region.box
    moved = pixels.astype(np.float64)
    for channel in range(3):
        moved[rows, columns, channel] = map_coordinates(
            pixels[..., channel].astype(np.float64), places[:, rows, columns], order=1, mode="reflect"
        )
    return np.where(region.inside[..., None], _to_uint8(moved), pixels)


def retexture(pixels: Pixels, region: Region, rng: np.random.Generator) -> Pixels:
    """Replace the region's fine texture by noise of the same spectrum, as strong as the texture was there.

    What a Gaussian of 1.5 pixels leaves of the picture is kept. The rest is made anew: the Fourier
    amplitudes of the region's own fine texture with the phases of white noise, the same in all channels so
    that colours keep together, times the local contrast (random phase noise: Galerne et al., *Random phase
    textures: theory and synthesis*, 2011).
    """
    picture = pixels.astype(np.float64)
    coarse = gaussian_filter(picture, (_FINE, _FINE, 0), mode="reflect")
    fine = picture - coarse
    contrast = np.sqrt(gaussian_filter(np.square(fine), (3 * _FINE, 3 * _FINE, 0), mode="reflect")) + 1e-3
    rows, columns = region.box
    own = (fine / contrast)[rows, columns] * region.weight[rows, columns, None]
    shape = own.shape[:2]
    phases = np.fft.rfft2(rng.standard_normal(shape))
    phases /= np.abs(phases).clip(1e-12)
    noise = np.fft.irfft2(np.fft.rfft2(own, axes=_CHANNELS) * phases[..., None], s=shape, axes=_CHANNELS)
    noise /= noise.std(axis=_CHANNELS) + 1e-12
    made = picture.copy()
    made[rows, columns] = coarse[rows, columns] + noise * contrast[rows, columns]
    return _blend(pixels, made, region)


def down_and_up(pixels: Pixels) -> Pixels:
    """The simplest reconstruction: half the size and back by bilinear interpolation.

    Example:
        >>> down_and_up(np.zeros((9, 7, 3), np.uint8)).shape
        (9, 7, 3)
    """
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def manipulate(
    name: str,
    pixels: Pixels,
    region: Region,
    rng: np.random.Generator,
    *,
    donor: Pixels,
    reconstruct: Reconstruct = down_and_up,
) -> Pixels:
    """Do a manipulation by its name.

    Raises:
        UsageError: an unknown name.

    Example:
        >>> from spectrace.generators.regions import random_region
        >>> rng = np.random.default_rng(0)
        >>> picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> region = random_region(64, 64, rng)
        >>> changed = manipulate("warp", picture, region, rng, donor=picture)
        >>> bool((changed == picture)[~region.inside].all()), bool((changed != picture)[region.inside].any())
        (True, True)
    """
    if name == "swap":
        return swap(pixels, region, rng, donor)
    if name == "resynthesise":
        return resynthesise(pixels, region, reconstruct)
    if name == "warp":
        return warp(pixels, region, rng)
    if name == "retexture":
        return retexture(pixels, region, rng)
    raise UsageError(f"unknown manipulation {name!r}: wanted one of {', '.join(MANIPULATIONS)}")


def _blend(pixels: Pixels, made: Floats, region: Region) -> Pixels:
    weight = region.weight[..., None].astype(np.float64)
    blended = _to_uint8(weight * made + (1.0 - weight) * pixels)
    return np.where(region.inside[..., None], blended, pixels)


def _to_uint8(values: Floats) -> Pixels:
    return values.clip(0.0, 255.0).round().astype(np.uint8)
