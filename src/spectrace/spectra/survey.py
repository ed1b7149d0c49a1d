"""Reading a set of files into its fingerprint and census, in one pass and several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np

from spectrace.errors import ImageError
from spectrace.images.decode import decode
from spectrace.spectra.census import PeakCensus
from spectrace.spectra.fingerprints import Colour, Fingerprint, centre_crop
from spectrace.spectra.mean_peaks import find_mean_peaks
from spectrace.spectra.peaks import Peak, find_peaks, upsampling_factor
from spectrace.spectra.traits import Traits, spectral_traits
from spectrace.spectra.transforms import LUMA

JPEG_FORMATS = ("JPEG", "MPO")
_CHUNK = 32
_BATCH = 8


class Skipped(msgspec.Struct, frozen=True):
    """A file that is not in the statistics.

    Attributes:
        path: of the file.
        reason: one line for people.
        unreadable: whether it could not be decoded at all; else it is smaller than the crop.
    """

    path: str
    reason: str
    unreadable: bool


@dataclass(frozen=True)
class Survey:
    """What a set of files gave.

    Attributes:
        fingerprint: of the crops.
        census: of the peaks found picture by picture.
        skipped: files left out, in the order of the paths.
        traits: of the single pictures, in the order of the paths.
    """

    fingerprint: Fingerprint
    census: PeakCensus
    skipped: tuple[Skipped, ...] = ()
    traits: tuple[Traits, ...] = ()

    @property
    def mean_peaks(self) -> list[Peak]:
        """Lattice peaks in the mean spectrum, channels averaged; of one picture or more."""
        mean = self.fingerprint.log_power.mean.mean(axis=0)
        return find_mean_peaks(mean, self.fingerprint.count, jpeg=self.census.carries_jpeg)

    def merge(self, other: Survey) -> Survey:
        """Both sets together."""
        return Survey(
            self.fingerprint.merge(other.fingerprint),
            self.census.merge(other.census),
            self.skipped + other.skipped,
            self.traits + other.traits,
        )


def survey(
    paths: Sequence[Path],
    *,
    size: int = 256,
    colour: Colour = "grey",
    workers: int | None = None,
    visit: Callable[[int], None] | None = None,
) -> Survey:
    """Read pictures once, each a centre crop at native resolution.

    The result does not depend on the number of workers: files are summed up in fixed groups, in order.

    Args:
        paths: the files.
        size: side of the crops in pixels, a multiple of 8.
        colour: ``grey`` or ``rgb``.
        workers: processes; by default one a processor, and none beside this one for a few files.
        visit: called with the number of files each time some are done.

    Returns:
        Fingerprint, census and the files that were left out.

    Raises:
        UsageError: the size makes no sense.
    """
    total = Survey(Fingerprint.empty(size, colour), PeakCensus())
    groups = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    read = partial(_survey_group, size=size, colour=colour)
    for group, part in zip(groups, _spread(read, groups, workers or os.cpu_count() or 1), strict=True):
        total = total.merge(part)
        if visit is not None:
            visit(len(group))
    return total


def _spread(
    read: Callable[[Sequence[Path]], Survey], groups: Sequence[Sequence[Path]], workers: int
) -> Iterator[Survey]:
    if workers == 1 or len(groups) <= 1:
        yield from map(read, groups)
        return
    # Forking a process with threads (BLAS, onnxruntime) can deadlock; a fresh one cannot.
    with ProcessPoolExecutor(min(workers, len(groups)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(read, groups)


def _survey_group(paths: Sequence[Path], *, size: int, colour: Colour) -> Survey:
    fingerprint, census = Fingerprint.empty(size, colour), PeakCensus()
    skipped, traits = [], []
    crops = []
    for path in paths:
        try:
            picture = decode(path)
        except ImageError as error:
            skipped.append(Skipped(str(path), str(error), unreadable=True))
            continue
        crop = centre_crop(picture.pixels, size, colour)
        if crop is None:
            height, width = picture.pixels.shape[:2]
            reason = f"{path} has {width}x{height} pixels: wanted at least {size}x{size} (--size)"
            skipped.append(Skipped(str(path), reason, unreadable=False))
            continue
        crops.append(crop)
        facts = picture.facts
        is_jpeg = facts.format in JPEG_FORMATS
        peaks = find_peaks(picture.pixels, jpeg_grid=is_jpeg or None)
        census = census.add(peaks, jpeg=is_jpeg)
        luma = crop[0] if colour == "grey" else np.tensordot(LUMA, crop, axes=1)
        printed = upsampling_factor(peaks) is not None
        traits.append(Traits(*spectral_traits(luma), printed, facts.format, facts.width, facts.height))
        if len(crops) == _BATCH:
            fingerprint, crops = fingerprint.update(np.stack(crops)), []
    if crops:
        fingerprint = fingerprint.update(np.stack(crops))
    return Survey(fingerprint, census, tuple(skipped), tuple(traits))


def thinned(paths: Sequence[Path], limit: int | None) -> list[Path]:
    """At most so many paths, spread evenly over the list.

    Args:
        paths: any number.
        limit: the largest number to keep; None keeps all.

    Returns:
        Paths in their order.

    Example:
        >>> [path.name for path in thinned([Path(str(n)) for n in range(10)], 4)]
        ['0', '2', '5', '7']
    """
    if limit is None or len(paths) <= limit:
        return list(paths)
    return [paths[index * len(paths) // limit] for index in range(limit)]
