"""What a generator leaves: its samples' spectra against photographs', with a known error rate."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.census import binomial_interval
from spectrace.spectra.coarse import KEPT, RINGS, TAIL, TILE, level, levelled, rings
from spectrace.spectra.exchange import ALPHA, Exchange, bootstrap, exchange_test, too_few
from spectrace.spectra.formatting import format_warnings
from spectrace.spectra.known import KnownFile, Match, Measure, grid_rows
from spectrace.spectra.neighbourhood import LATTICE
from spectrace.spectra.peaks import Peak, upsampling_factor
from spectrace.spectra.survey import Survey
from spectrace.spectra.traits import feature_parts, features, spectra_of

_FROM = int(np.searchsorted(RINGS, TAIL[0] - 0.01))  # first ring of the tail
_MATCHES = 8
_SPOTS = 10
_DIVISIONS = 199
Interval = tuple[float, float]


class Outcome(StrEnum):
    """Of the comparison."""

    TRACES = "traces"
    NOTHING = "nothing"
    TOO_FEW = "too-few"


class Band(msgspec.Struct, frozen=True):
    """Neighbouring frequencies at which the samples differ in the same direction.

    Attributes:
        low: in cycles per pixel.
        high: in cycles per pixel.
        mean_db: mean difference, positive where the samples have more power.
        largest_db: of a ring, likewise.
    """

    low: float
    high: float
    mean_db: float
    largest_db: float


class Spot(msgspec.Struct, frozen=True):
    """One frequency at which the samples differ.

    Attributes:
        frequency: ``(fy, fx)`` in cycles per pixel; both signs of fx are taken together.
        difference_db: positive where the samples have more power.
    """

    frequency: tuple[float, float]
    difference_db: float


class Tail(msgspec.Struct, frozen=True):
    """The highest frequencies, 0.35 to 0.5 cycles per pixel.

    Attributes:
        excess_db: mean difference there, positive where the samples have more power.
        excess_interval_95: over pictures, by bootstrap.
        rise_db: how much the difference grows from one end of the tail to the other (a line fitted to it).
        rise_interval_95: likewise.
    """

    excess_db: float
    excess_interval_95: Interval
    rise_db: float
    rise_interval_95: Interval

    @property
    def direction(self) -> str:
        """``rises`` or ``falls`` against the photographs, or ``keeps level`` where chance explains it."""
        low, high = self.rise_interval_95
        return "rises" if low > 0 else "falls" if high < 0 else "keeps level"


class Prints(msgspec.Struct, frozen=True):
    """Single pictures that carry an upsampling peak.

    Attributes:
        pictures: that carry one.
        share: of all.
        interval_95: of the share (Clopper and Pearson).
    """

    pictures: int
    share: float
    interval_95: Interval


class FingerprintReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; all differences are samples less photographs, each picture less its own level.

    Attributes:
        samples: name of the samples' set.
        photographs: name of the photographs' set.
        counts: pictures of both.
        outcome: of the test over all features.
        p: of that test; at most 0.01 where traces were found.
        strength_db: mean absolute difference over the frequencies.
        level_db: how much more contrast the samples have, from 0.05 to 0.2 cycles per pixel.
        bands: frequencies that differ, by ring, strongest first.
        spots: the single frequencies that differ most, strongest first.
        tail: the highest frequencies.
        peaks: in the samples' mean spectrum, stronger than in the photographs'.
        upsampling_factor: that these peaks mean.
        prints: single pictures with peaks, samples and photographs.
        matches: the nearest known fingerprints.
        threshold: similarity from which on a known fingerprint is near.
        warnings: about the files and counts.
        rings_db: difference on the rings, with interval and what chance gives: ``frequency``, ``difference``,
            ``low``, ``high``.
        difference_db: on the coarse grid, 17 rows of 17.
    """

    samples: str
    photographs: str
    counts: tuple[int, int]
    outcome: Outcome
    p: float
    strength_db: float
    level_db: float
    bands: list[Band]
    spots: list[Spot]
    tail: Tail
    peaks: list[Peak]
    upsampling_factor: int | None
    prints: tuple[Prints, Prints]
    matches: list[Match]
    threshold: float
    warnings: list[str]
    rings_db: dict[str, list[float]]
    difference_db: list[list[float]]

    @property
    def near(self) -> list[Match]:
        """Known fingerprints that are near, the nearest first; none where nothing was found."""
        if self.outcome is not Outcome.TRACES:
            return []
        return [match for match in self.matches if match.similarity >= self.threshold]


def fingerprint_report(
    samples: Survey, photographs: Survey, known: Sequence[KnownFile], *, names: tuple[str, str], seed: int = 0
) -> FingerprintReport:
    """Compare a generator's samples with photographs.

    Args:
        samples: of crops of 32 pixels or more; one picture at least.
        photographs: of crops of the same size; two pictures at least.
        known: files of known fingerprints, one entry at least.
        names: of both sets.
        seed: of the random divisions and draws.

    Returns:
        The report; traces are found by mistake in at most 1 of 100 comparisons of like with like.
    """
    test = exchange_test(features(samples.traits), features(photographs.traits), seed)
    spectra = [spectra_of(found.traits) for found in (samples, photographs)]
    level_db = float(level(spectra[0]).mean() - level(spectra[1]).mean())
    relative = [levelled(part) for part in spectra]
    difference = relative[0].mean(axis=0) - relative[1].mean(axis=0)
    ringed = [rings(part) for part in relative]
    low, high = bootstrap(ringed[0], ringed[1], seed)
    counts = (len(samples.traits), len(photographs.traits))
    outcome = Outcome.TOO_FEW if too_few(*counts) else Outcome.TRACES if test.found else Outcome.NOTHING
    entries = {entry.name: entry for file in known for entry in file.fingerprints}
    measure = Measure(relative[1])
    halves = measure.largest(_halves(relative[1], seed), list(entries.values()))
    peaks = _peaks_of_samples(samples, test)
    return FingerprintReport(
        samples=names[0],
        photographs=names[1],
        counts=counts,
        outcome=outcome,
        p=test.p,
        strength_db=float(np.abs(difference[KEPT]).mean()),
        level_db=level_db,
        bands=_bands(test),
        spots=_spots(test)[:_SPOTS],
        tail=_tail(ringed[0], ringed[1], seed),
        peaks=peaks,
        upsampling_factor=upsampling_factor(peaks),
        prints=(_prints(samples), _prints(photographs)),
        matches=measure.matches(difference, entries.values())[:_MATCHES],
        threshold=max(float(np.quantile(halves, 1 - ALPHA)), *(file.threshold for file in known)),
        warnings=format_warnings(samples, photographs, names),
        rings_db={
            "frequency": RINGS.tolist(),
            "difference": rings(difference).tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        },
        difference_db=grid_rows(difference),
    )


def _halves(photographs: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Differences of random halves of the photographs, ``[199, 17, 17]``."""
    rng = np.random.default_rng(seed)
    middle = len(photographs) // 2
    orders = (rng.permutation(len(photographs)) for _ in range(_DIVISIONS))
    return np.stack(
        [photographs[o[:middle]].mean(axis=0) - photographs[o[middle:]].mean(axis=0) for o in orders]
    )


def _bands(test: Exchange) -> list[Band]:
    """Runs of neighbouring rings that differ in one direction."""
    _, differences, _, _ = feature_parts(test.difference)
    _, significant, _, _ = feature_parts(test.significant)
    signs = np.where(significant, np.sign(differences), 0).astype(int)
    starts = [0, *(np.flatnonzero(np.diff(signs)) + 1), signs.size]
    bands = []
    for start, end in pairwise(starts):
        if signs[start]:
            part = differences[start:end]
            edges = (RINGS[start] - 0.5 / TILE, min(RINGS[end - 1] + 0.5 / TILE, 0.5))
            largest = part[np.abs(part).argmax()]
            bands.append(Band(*map(float, (*edges, part.mean(), largest))))
    return sorted(bands, key=lambda band: -abs(band.largest_db))


def _tail(samples: NDArray[np.float64], photographs: NDArray[np.float64], seed: int) -> Tail:
    frequency = RINGS[_FROM:]
    centred = frequency - frequency.mean()
    slope = centred / np.square(centred).sum() * (TAIL[1] - TAIL[0])
    mean = np.full(frequency.size, 1 / frequency.size)
    rows = [part[:, _FROM:] @ np.stack([mean, slope], axis=1) for part in (samples, photographs)]
    excess, rise = rows[0].mean(axis=0) - rows[1].mean(axis=0)
    low, high = bootstrap(rows[0], rows[1], seed)
    return Tail(float(excess), (float(low[0]), float(high[0])), float(rise), (float(low[1]), float(high[1])))


def _spots(test: Exchange) -> list[Spot]:
    """The cells that differ, largest difference first."""
    differences, significant = (feature_parts(part)[0] for part in (test.difference, test.significant))
    frequencies = np.argwhere(KEPT) / TILE
    found = [
        Spot((float(fy), float(fx)), float(value))
        for (fy, fx), value, differs in zip(frequencies, differences, significant, strict=True)
        if differs
    ]
    return sorted(found, key=lambda spot: -abs(spot.difference_db))


def _peaks_of_samples(samples: Survey, test: Exchange) -> list[Peak]:
    excess, significant = (feature_parts(part)[2] for part in (test.difference, test.significant))
    stronger = {
        (fy, fx)
        for (_, fy, fx), more, differs in zip(LATTICE, excess, significant, strict=True)
        if differs and more > 0
    }
    return [peak for peak in samples.mean_peaks if peak.frequency in stronger]


def _prints(found: Survey) -> Prints:
    count = sum(one.printed for one in found.traits)
    return Prints(count, count / len(found.traits), binomial_interval(count, len(found.traits)))


def report_numbers(report: FingerprintReport) -> dict[str, Any]:
    """What ``spectra.json`` holds of a report, under ``report``."""
    tail = msgspec.to_builtins(report.tail)
    tail = {"from": TAIL[0], "to": TAIL[1], **tail, "direction": report.tail.direction}
    numbers: dict[str, Any] = {**msgspec.to_builtins(report), "tail": tail}
    numbers["near"] = [match.name for match in report.near]
    rounded: dict[str, Any] = _rounded(numbers)
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value
