"""Writing what surveys found: figures, fingerprints and one JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.census import PeakCensus, binomial_interval
from spectrace.spectra.figures import (
    comparison_figure,
    diagonal_figure,
    mean_spectrum_figure,
    radial_figure,
    radial_summary,
    save_figure,
)
from spectrace.spectra.fingerprint_report import FingerprintReport, report_numbers
from spectrace.spectra.peaks import Peak
from spectrace.spectra.profiles import diagonal_profile
from spectrace.spectra.survey import Survey

SCHEMA_VERSION = 1
_DIGITS = 6


def write_spectra(
    surveys: Mapping[str, Survey],
    sources: Mapping[str, str],
    reference: str | None,
    out: Path,
    report: FingerprintReport | None = None,
) -> dict[str, Any]:
    """Write figures (PNG), fingerprints (.npz) and ``spectra.json`` into a folder.

    Args:
        surveys: name of each set to what it gave; every set has at least one picture.
        sources: name of each set to where its pictures came from.
        reference: name of the set that the others are compared with, if any.
        out: an existing folder.
        report: on a generator's samples, if one was made.

    Returns:
        What ``spectra.json`` holds: ``schema_version``, ``size``, ``colour``, ``reference``, ``figures``,
        ``report`` (null without one) and, under ``sets``, one entry a set with its count, profiles, peaks and
        likely upsampling factor.
    """
    fingerprints = {name: found.fingerprint for name, found in surveys.items()}
    stems = _stems(surveys)
    figures = {}
    entries = []
    for name, found in surveys.items():
        peaks = found.mean_peaks
        stem = stems[name]
        figures[f"{stem}-mean.png"] = mean_spectrum_figure(found.fingerprint, name, peaks)
        if reference is not None and name != reference:
            figures[f"{stem}-against-{stems[reference]}.png"] = comparison_figure(
                found.fingerprint, fingerprints[reference], name, reference
            )
        found.fingerprint.save(out / f"{stem}.npz")
        entries.append(_entry(name, sources[name], found, peaks, f"{stem}.npz"))
    figures["radial.png"] = radial_figure(fingerprints)
    figures["diagonal.png"] = diagonal_figure(fingerprints)
    for file, figure in figures.items():
        save_figure(figure, out / file)
    first = next(iter(fingerprints.values()))
    numbers = {
        "schema_version": SCHEMA_VERSION,
        "size": first.size,
        "colour": first.colour,
        "reference": reference,
        "figures": list(figures),
        "report": None if report is None else report_numbers(report),
        "sets": entries,
    }
    (out / "spectra.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return numbers


def _entry(name: str, source: str, found: Survey, peaks: list[Peak], file: str) -> dict[str, Any]:
    mean, std = radial_summary(found.fingerprint)
    frequency, diagonal = diagonal_profile(found.fingerprint.log_dct.mean)
    return {
        "name": name,
        "source": source,
        "pictures": found.fingerprint.count,
        "skipped": [msgspec.to_builtins(skipped) for skipped in found.skipped],
        "fingerprint": file,
        "upsampling_factor": found.census.likely_factor,
        "pictures_with_prints": _census(found.census),
        "peaks": [_peak(peak) for peak in peaks],
        "radial_profile": {
            "frequency": _numbers(np.arange(1, mean.size + 1) / (2 * mean.size)),
            "mean_db": _numbers(mean),
            "std_db": _numbers(std),
        },
        "diagonal_profile": {
            "frequency": _numbers(frequency),
            "mean_log_dct": _numbers(diagonal.mean(axis=0)),
        },
    }


def _census(census: PeakCensus) -> dict[str, Any]:
    shares = {}
    for factor, count in census.factors.items():
        low, high = binomial_interval(count, census.pictures)
        interval = [round(low, _DIGITS), round(high, _DIGITS)]
        shares[str(factor)] = {"pictures": count, "share": count / census.pictures, "interval_95": interval}
    return {"by_factor": shares, "jpeg": census.jpeg}


def _peak(peak: Peak) -> dict[str, Any]:
    return {**msgspec.to_builtins(peak), "direction": peak.direction, "label": peak.label}


def _numbers(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _stems(names: Mapping[str, Any]) -> dict[str, str]:
    """File names of the sets: plain characters only, and all different."""
    stems: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "set"
        unique, number = stem, 2
        while unique in stems.values():
            unique, number = f"{stem}-{number}", number + 1
        stems[name] = unique
    return stems
