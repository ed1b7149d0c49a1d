"""What a detector looks at: mean heatmaps, predictive patches and their regions, over many pictures.

Two passes. The first one scores every picture once and keeps bounded notes: small heatmaps of the easiest
and hardest pictures, places of the strongest patches. The second one opens again only those pictures that
made it, for their pixels and regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from spectrace.detectors.detection import Detection, Evidence
from spectrace.detectors.detector import Detector
from spectrace.errors import ModelError
from spectrace.explain.findings import (
    DIRECTIONS,
    LABELS,
    Direction,
    Label,
    MeanHeatmap,
    PatchGroup,
    Problem,
    Settings,
    Study,
    Subject,
)
from spectrace.explain.gathering import Gathered, Wanted, gathered
from spectrace.explain.histogram import RegionBar, region_histogram
from spectrace.explain.mean_heatmap import PICTURE_SIDE, GridMap, common_grid, mean_scores
from spectrace.explain.predictive import (
    RANDOM_PER_PATCH,
    Patch,
    random_patches,
    rectangles,
    strongest_patches,
)
from spectrace.explain.regions import Regions
from spectrace.explain.strongest import Strongest

Step = Callable[[], None]


@dataclass
class Notes:
    """What the first pass keeps: bounded by the settings, whatever the number of pictures."""

    settings: Settings
    counts: dict[Label, int] = field(default_factory=dict)
    extremes: dict[tuple[Label, int], Strongest[GridMap]] = field(default_factory=dict)
    patches: dict[str, Strongest[Patch]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def look(
    detector: Detector,
    subjects: Iterable[Subject],
    settings: Settings | None = None,
    *,
    workers: int | None = None,
    step: Step = lambda: None,
) -> Notes:
    """First pass: score every picture.

    Args:
        detector: any detector; a fully convolutional one is best loaded with ``dense=True``.
        subjects: the pictures.
        settings: what to collect.
        workers: pictures at a time; None takes one a processor.
        step: called after each picture.

    Raises:
        ModelError: the model gives logits that are no numbers.
    """
    notes = Notes(settings or Settings())
    subjects = list(subjects)
    with closing(detector.detect_many((one.path for one in subjects), workers=workers)) as detections:
        for number, (subject, detection) in enumerate(zip(subjects, detections, strict=True)):
            _note(notes, number, subject.label, detection)
            step()
    return notes


def study(
    notes: Notes,
    detector: Detector,
    regions: Regions,
    *,
    workers: int | None = None,
    step: Step = lambda: None,
) -> Study:
    """Second pass: open again the pictures that made it, and put everything together.

    Args:
        notes: of the first pass.
        detector: the same as there; only its limits of decoding are used.
        regions: what to divide the pictures into.
        workers: pictures at a time; None takes one a processor.
        step: called after each picture.
    """
    settings = notes.settings
    ends = list(_ends(notes))
    ranked = [(one, notes.patches[one.name].ranked()) for one in DIRECTIONS if one.name in notes.patches]
    wanted: dict[int, Wanted] = {}
    for label, end, maps in ends:
        for one in maps:
            wanted.setdefault(one.picture, Wanted(one.path)).means.add(f"{label} {end}")
    for direction, patches in ranked:
        for rank, patch in enumerate(patches):
            place = wanted.setdefault(patch.picture, Wanted(patch.path))
            place.patches[direction.name, rank] = patch
            if rank < settings.shown:
                place.shown.add((direction.name, rank))
    found = gathered(wanted, regions, detector.limits, workers, step)
    problems = notes.problems + [Problem(wanted[number].path, text) for number, text in found.problems]
    return Study(
        settings=settings,
        counts={label: notes.counts[label] for label in LABELS if label in notes.counts},
        means=tuple(_mean(label, end, maps, found) for label, end, maps in ends),
        groups=tuple(_group(one, patches, found, regions, settings) for one, patches in ranked),
        regions=regions.origin,
        problems=tuple(problems),
    )


def _note(notes: Notes, number: int, label: Label, detection: Detection) -> None:
    path, evidence = str(detection.path), detection.evidence
    if evidence is None or detection.score is None:
        message = detection.error or "; ".join(detection.reasons)
        notes.problems.append(Problem(path, message, unreadable=detection.error is not None))
        return
    if np.isnan(evidence.logits).any():
        raise ModelError(f"{detection.model} gives {path} logits that are no numbers: train it again")
    notes.counts[label] = notes.counts.get(label, 0) + 1
    _note_map(notes, number, label, detection, evidence)
    for direction in DIRECTIONS:
        if direction.label == label:
            _note_patches(notes, number, direction, path, evidence)


def _note_map(notes: Notes, number: int, label: Label, detection: Detection, evidence: Evidence) -> None:
    score = detection.score or 0.0
    kept = [
        (sign, notes.extremes.setdefault((label, sign), Strongest(notes.settings.pictures)))
        for sign in (+1, -1)
    ]
    if any(strongest.admits(sign * score) for sign, strongest in kept):
        grid = common_grid(evidence, evidence.facts.height, evidence.facts.width)
        one = GridMap(str(detection.path), number, score, grid)
        for sign, strongest in kept:
            strongest.add(sign * score, one)


def _note_patches(notes: Notes, number: int, direction: Direction, path: str, evidence: Evidence) -> None:
    settings = notes.settings
    strongest = notes.patches.setdefault(direction.name, Strongest(settings.patches))
    rng = np.random.default_rng([settings.seed, number])
    positions = strongest_patches(evidence, settings.per_picture, direction.sign)
    for position, rectangle in zip(positions, rectangles(evidence, positions).tolist(), strict=True):
        logit = float(evidence.logits.flat[position])
        if not strongest.admits(direction.sign * logit):
            return
        others = rectangles(evidence, random_patches(evidence, RANDOM_PER_PATCH, rng))
        score = float(evidence.scores.flat[position])
        strongest.add(direction.sign * logit, Patch(path, number, tuple(rectangle), logit, score, others))


def _ends(notes: Notes) -> Iterator[tuple[Label, str, tuple[GridMap, ...]]]:
    """Both ends of each label's ranking; no picture is in both, unless it is the only one."""
    names = {"generated": ("easiest", "hardest"), "real": ("hardest", "easiest")}
    for label in LABELS:
        if label not in notes.counts:
            continue
        half = max(1, notes.counts[label] // 2)
        high, low = names.get(label, ("highest", "lowest"))
        ends = [(high, notes.extremes[label, +1]), (low, notes.extremes[label, -1])]
        for end, strongest in sorted(ends, key=lambda one: one[0] not in ("easiest", "highest")):
            yield label, end, tuple(strongest.ranked()[:half])


def _mean(label: Label, end: str, maps: tuple[GridMap, ...], found: Gathered) -> MeanHeatmap:
    scores = mean_scores([one.scores for one in maps])
    # Black where no picture could be opened a second time.
    picture = found.means.get(f"{label} {end}", np.zeros((PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8))
    return MeanHeatmap(label, end, maps, scores, picture)


def _group(
    direction: Direction, patches: Sequence[Patch], found: Gathered, regions: Regions, settings: Settings
) -> PatchGroup:
    counted = [
        (patch, found.shares[direction.name, rank])
        for rank, patch in enumerate(patches)
        if (direction.name, rank) in found.shares
    ]
    pictures = np.array([patch.picture for patch, _ in counted], np.int64)
    bars: list[RegionBar] = []
    if counted:
        shares, random_shares, areas = (
            np.array([shares[kind] for _, shares in counted]) for kind in range(3)
        )
        bars = region_histogram(
            regions.names,
            shares,
            random_shares,
            areas,
            pictures,
            resamples=settings.resamples,
            seed=settings.seed,
        )
    places = ((direction.name, rank) for rank in range(min(settings.shown, len(patches))))
    return PatchGroup(
        direction=direction,
        patches=tuple(patches),
        crops=tuple(found.crops[place] for place in places if place in found.crops),
        bars=tuple(bars),
        counted=len(counted),
        counted_pictures=len(np.unique(pictures)),
    )
