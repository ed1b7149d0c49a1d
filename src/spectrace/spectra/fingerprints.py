"""The spectral fingerprint of a set of pictures, in one pass and in any number of processes."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.spectra.profiles import radial_profile
from spectrace.spectra.statistics import RunningMoments
from spectrace.spectra.transforms import EPSILON, dct2, luma, power, windowed

Colour = Literal["grey", "rgb"]
CHANNELS: dict[Colour, tuple[str, ...]] = {"grey": ("luma",), "rgb": ("red", "green", "blue")}

_FORMAT = 1
_PARTS = ("dct", "log_dct", "power", "log_power", "radial")
_GRID = 8


@dataclass(frozen=True)
class Fingerprint:
    """Statistics over a set of pictures of what its spectra have in common.

    Attributes:
        size: side S of the crops in pixels.
        colour: ``grey`` (one channel, luma) or ``rgb`` (three); C channels.
        dct: moments of ``|DCT-II|``, ``[C, S, S]``, orthonormal, pixels on 0..255.
        log_dct: moments of ``ln(|DCT-II| + 1e-12)``, ``[C, S, S]``.
        power: moments of the FFT power of Hann-windowed crops, ``[C, S, S]``, zero frequency in the middle.
        log_power: moments of that power in dB, ``[C, S, S]``.
        radial: moments of each picture's radial profile of that power in dB, ``[C, S // 2]``.

    Example:
        >>> crops = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
        >>> whole = Fingerprint.empty(16, "grey").update(crops)
        >>> parts = Fingerprint.empty(16, "grey").update(crops[:2]).merge(
        ...     Fingerprint.empty(16, "grey").update(crops[2:]))
        >>> whole.count, np.allclose(whole.log_mean_dct, parts.log_mean_dct)
        (5, True)
    """

    size: int
    colour: Colour
    dct: RunningMoments
    log_dct: RunningMoments
    power: RunningMoments
    log_power: RunningMoments
    radial: RunningMoments

    @classmethod
    def empty(cls, size: int, colour: Colour = "rgb") -> Fingerprint:
        """The fingerprint of no picture yet.

        Args:
            size: side of the crops in pixels, a multiple of 8.
            colour: ``grey`` or ``rgb``.

        Raises:
            UsageError: another size or colour.
        """
        if size < _GRID or size % _GRID:
            raise UsageError(f"a crop size of {size} pixels: wanted a multiple of 8, such as 256")
        if colour not in CHANNELS:
            raise UsageError(f"colour {colour!r} is unknown: use grey or rgb")
        channels = len(CHANNELS[colour])
        plane = RunningMoments.empty((channels, size, size))
        return cls(size, colour, plane, plane, plane, plane, RunningMoments.empty((channels, size // 2)))

    @property
    def count(self) -> int:
        """Pictures seen."""
        return self.dct.count

    @property
    def log_mean_dct(self) -> NDArray[np.float64]:
        """Natural log of the mean ``|DCT|``, ``[C, S, S]``."""
        return np.log(self.dct.mean + EPSILON)

    @property
    def log_std_dct(self) -> NDArray[np.float64]:
        """Natural log of the standard deviation of ``|DCT|``, ``[C, S, S]``."""
        return np.log(self.dct.std + EPSILON)

    @property
    def mean_power(self) -> NDArray[np.float64]:
        """Mean FFT power, ``[C, S, S]``, zero frequency in the middle."""
        return self.power.mean

    def update(self, crops: NDArray[Any]) -> Fingerprint:
        """The fingerprint after a batch of crops.

        Args:
            crops: ``[N, C, S, S]`` on 0..255, at native resolution.

        Returns:
            A new fingerprint; this one is unchanged.

        Raises:
            ValueError: the crops do not fit the size and channels.
        """
        if not len(crops):
            return self
        pixels = np.asarray(crops, dtype=np.float32)
        coefficients = np.abs(dct2(pixels))
        spectrum = power(windowed(pixels))
        _, radial = radial_profile(spectrum)
        return Fingerprint(
            self.size,
            self.colour,
            self.dct.update(coefficients),
            self.log_dct.update(np.log(coefficients + np.float32(EPSILON))),
            self.power.update(spectrum),
            self.log_power.update(decibel(spectrum)),
            self.radial.update(decibel(radial)),
        )

    def merge(self, other: Fingerprint) -> Fingerprint:
        """The fingerprint of both sets together.

        Raises:
            UsageError: the sizes or colours differ.
        """
        _require_same(self, other)
        return Fingerprint(
            self.size,
            self.colour,
            self.dct.merge(other.dct),
            self.log_dct.merge(other.log_dct),
            self.power.merge(other.power),
            self.log_power.merge(other.log_power),
            self.radial.merge(other.radial),
        )

    def save(self, path: Path) -> None:
        """Write to a compressed .npz file, without pickle."""
        arrays: dict[str, Any] = {
            "format": np.asarray(_FORMAT),
            "size": np.asarray(self.size),
            "colour": np.asarray(self.colour),
        }
        for part in _PARTS:
            arrays |= getattr(self, part).to_arrays(f"{part}_")
        with path.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: Path) -> Fingerprint:
        """Read what :meth:`save` wrote.

        Raises:
            UsageError: the file is missing or is no fingerprint.
        """
        try:
            # Opened here: numpy leaves a file that is no archive open.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                if int(arrays["format"]) != _FORMAT:
                    raise ValueError(f"format {int(arrays['format'])}")
                empty = cls.empty(int(arrays["size"]), _colour(str(arrays["colour"])))
                parts = {part: RunningMoments.from_arrays(arrays, f"{part}_") for part in _PARTS}
        except FileNotFoundError:
            raise UsageError(f"{path} does not exist: wanted a fingerprint (.npz)") from None
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise UsageError(
                f"{path} is no fingerprint ({type(error).__name__}): make one with `spectrace spectrum`"
            ) from None
        for part, moments in parts.items():
            wanted = getattr(empty, part).mean.shape
            if moments.mean.shape != wanted or moments.squares.shape != wanted:
                raise UsageError(f"{path}: {part} is {moments.mean.shape}, wanted {wanted}: make it again")
        return cls(empty.size, empty.colour, *(parts[part] for part in _PARTS))


def difference(fingerprint: Fingerprint, reference: Fingerprint) -> NDArray[np.float64]:
    """Log mean |DCT| of a set less that of a reference set.

    Args:
        fingerprint: of the set.
        reference: of the set to compare with, usually camera pictures.

    Returns:
        ``[C, S, S]`` in natural-log units: 0.69 is twice the amplitude.

    Raises:
        UsageError: the sizes or colours differ.

    Example:
        >>> crops = np.random.default_rng(0).integers(0, 128, (2, 1, 8, 8))
        >>> single, double = (Fingerprint.empty(8, "grey").update(crops * k) for k in (1, 2))
        >>> difference(double, single).round(2).min()
        np.float64(0.69)
    """
    _require_same(fingerprint, reference)
    return fingerprint.log_mean_dct - reference.log_mean_dct


def absolute_difference(fingerprint: Fingerprint, reference: Fingerprint) -> NDArray[np.float64]:
    """Absolute value of :func:`difference`.

    Args:
        fingerprint: of the set.
        reference: of the set to compare with.

    Returns:
        ``[C, S, S]`` in natural-log units, not negative.

    Raises:
        UsageError: the sizes or colours differ.
    """
    return np.abs(difference(fingerprint, reference))


def ratio(fingerprint: Fingerprint, reference: Fingerprint) -> NDArray[np.float64]:
    """Mean |DCT| of a set divided by that of a reference set.

    Args:
        fingerprint: of the set.
        reference: of the set to compare with.

    Returns:
        ``[C, S, S]``, positive; 1 where the sets agree.

    Raises:
        UsageError: the sizes or colours differ.
    """
    return np.exp(difference(fingerprint, reference))


def centre_crop(pixels: NDArray[np.uint8], size: int, colour: Colour) -> NDArray[np.float32] | None:
    """The middle of a picture in its native pixels, its corner on JPEG's block grid.

    Args:
        pixels: uint8 ``[H, W, 3]``.
        size: side of the crop.
        colour: ``grey`` (luma) or ``rgb``.

    Returns:
        float32 ``[C, S, S]`` on 0..255, or None where the picture is smaller than the crop.

    Example:
        >>> centre_crop(np.zeros((50, 40, 3), np.uint8), 32, "rgb").shape
        (3, 32, 32)
        >>> centre_crop(np.zeros((50, 30, 3), np.uint8), 32, "rgb") is None
        True
    """
    height, width = pixels.shape[:2]
    if min(height, width) < size:
        return None
    top, left = ((side - size) // 2 // _GRID * _GRID for side in (height, width))
    part = pixels[top : top + size, left : left + size]
    planes = luma(part)[None] if colour == "grey" else part.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, dtype=np.float32)


def decibel(power: NDArray[Any]) -> NDArray[np.float64]:
    """Power as ``10 log10(power)``, with a floor of -120 dB.

    Args:
        power: not negative, any shape.

    Returns:
        float64, same shape.

    Example:
        >>> decibel(np.array([100.0, 0.0])).tolist()
        [20.0, -120.0]
    """
    return np.asarray(10 * np.log10(np.maximum(np.asarray(power, dtype=np.float64), 1e-12)))


def _colour(name: str) -> Colour:
    for colour in CHANNELS:
        if colour == name:
            return colour
    raise ValueError(name)


def _require_same(one: Fingerprint, other: Fingerprint) -> None:
    if (one.size, one.colour) != (other.size, other.colour):
        raise UsageError(
            f"fingerprints of {one.size} px {one.colour} and {other.size} px {other.colour} cannot be "
            "compared: make both with the same size and colour"
        )
