"""Format first: what makes two sets of pictures differ in their spectra although no generator was at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from spectrace.spectra.survey import JPEG_FORMATS, Survey
from spectrace.spectra.traits import Traits

_FEW = 50
_SHARE = 0.05
_SIDE_RATIO = 1.1


def format_warnings(samples: Survey, photographs: Survey, names: tuple[str, str]) -> list[str]:
    """What may explain a difference better than a generator, one line each, the gravest first.

    Args:
        samples: of a generator.
        photographs: to compare with.
        names: of both sets.

    Returns:
        Lines for people; none where formats and sizes agree and both sets are large enough.
    """
    sets = (samples, photographs)
    lines = []
    formats = [_shares(found.traits) for found in sets]
    differing = max(
        abs(formats[0].get(one, 0.0) - formats[1].get(one, 0.0)) for one in {*formats[0], *formats[1]}
    )
    if differing > _SHARE:
        lines.append(
            f"The file formats differ ({names[0]}: {_listed(formats[0])}; {names[1]}: "
            f"{_listed(formats[1])}): compression alone changes a spectrum. Save both sets in one way, best "
            "without loss, and look again."
        )
    grids = [found.census.jpeg / found.census.pictures for found in sets]
    if max(grids) > _SHARE:
        lines.append(
            f"JPEG files or pictures that were JPEG once: {grids[0]:.0%} of {names[0]}, {grids[1]:.0%} of "
            f"{names[1]}. JPEG prints periods 8, 4 and 2 and takes high frequencies away."
        )
    sides = [float(np.median([min(one.width, one.height) for one in found.traits])) for found in sets]
    if max(sides) > _SIDE_RATIO * min(sides):
        lines.append(
            f"The pictures differ in size (shorter side, median: {sides[0]:g} and {sides[1]:g} pixels): a "
            "generator should be compared with photographs exactly as it was trained on, scaled like them."
        )
    for found, name in zip(sets, names, strict=True):
        if len(found.traits) < _FEW:
            lines.append(
                f"Only {len(found.traits)} pictures of {name}: faint traces stay unseen below {_FEW}, and a "
                "thousand are better."
            )
        small = sum(not skipped.unreadable for skipped in found.skipped)
        if small:
            lines.append(f"{small} pictures of {name} are smaller than the crop and were left out.")
    return lines


def _shares(traits: Sequence[Traits]) -> dict[str, float]:
    kinds = Counter("JPEG" if one.format in JPEG_FORMATS else one.format for one in traits)
    return {kind: count / len(traits) for kind, count in kinds.most_common()}


def _listed(shares: dict[str, float]) -> str:
    return ", ".join(f"{share:.0%} {kind}" for kind, share in shares.items())
