"""Baselines through the detectors' door: fitted on a manifest, calibrated, with verdicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.calibration import balanced_weights, fit_platt, fit_thresholds
from spectrace.detectors.card import Card
from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.verdict import judge, limit_reasons
from spectrace.errors import ImageError, ManifestError, UsageError
from spectrace.evaluation.baselines.baseline import Labels
from spectrace.evaluation.baselines.methods import Method
from spectrace.evaluation.baselines.registry import known_method
from spectrace.evaluation.baselines.sampling import balanced, source_folds
from spectrace.evaluation.evaluate import picture_seed
from spectrace.images import perturbations
from spectrace.images.decode import Source, decode
from spectrace.threads import in_order

FOLDS = 5
PER_SOURCE = 20
SIDE = 128
RATE = 0.05
"""Of false alarms and of misses at the thresholds, on pictures that were held out."""


class FittedBaseline:
    """A baseline that answers as :class:`spectrace.detectors.detector.Detector` does.

    Args:
        method: fitted.
        card: with calibration, thresholds and what the method was fitted on.
    """

    def __init__(self, method: Method, card: Card) -> None:
        self.card = card
        self._method = method

    def detect(self, source: Source) -> Detection:
        """Look at one picture; safe in several threads.

        Args:
            source: as for :func:`spectrace.images.decode.decode`.

        Returns:
            Score and verdict, without evidence; no score where the picture is smaller than the window.

        Raises:
            ImageError: the picture cannot be read.
        """
        picture = decode(source)
        facts = picture.facts
        score: float | None = None
        verdict, reasons = Verdict.INCONCLUSIVE, limit_reasons(facts, self.card)
        if not reasons:
            margin = self._method.margins([self._method.look(picture)])[0]
            score = float(self.card.calibration.apply(margin))
            verdict, reasons = judge(score, [], facts, self.card)
        return Detection(
            path=os.fspath(source) if isinstance(source, str | os.PathLike) else None,
            model=self.card.name,
            sha256=facts.sha256,
            width=facts.width,
            height=facts.height,
            format=facts.format,
            score=score,
            verdict=verdict,
            reasons=reasons,
            tiles=int(score is not None),
        )


class _Pictures(NamedTuple):
    """What a method saw of some pictures."""

    rows: list[Row]
    seen: list[Any]
    labels: Labels


def fit_baseline(
    name: str,
    manifest: Manifest,
    *,
    split: str | None = "train",
    side: int = SIDE,
    per_source: int = PER_SOURCE,
    perturbation: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], None] | None = None,
) -> FittedBaseline:
    """Fit a baseline on pictures of a manifest and give its scores a meaning.

    The pictures are spread over :data:`FOLDS` folds, no source in two of them. Each fold is scored by the
    method as fitted on the others, one of which chooses what is to be chosen; calibration and thresholds
    come from these scores, every source counting alike. The method that stays is fitted on all folds but
    the first, which chooses. So a score means what it did on sources never seen: a method that finds
    nothing there has a constant score.

    Args:
        name: a key of :data:`~spectrace.evaluation.baselines.registry.METHODS`.
        manifest: labelled pictures.
        split: the rows to fit on; None takes all.
        side: of the window in pixels that is looked at, for methods that look at one.
        per_source: pictures of each source at most; of both classes equally many are taken.
        perturbation: done to every picture of both classes after decoding; a method that looks at files
            has nothing to look at then.
        seed: of the choice of pictures, of the folds and of the perturbation.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture.

    Raises:
        UsageError: an unknown name, a bad perturbation, or the split that is kept for the last measurement.
        ManifestError: too few pictures that can be read and are large enough.
    """
    refuse_forbidden(split or "")
    entry = known_method(name)
    method = entry.build(side)
    rows = manifest if split is None else manifest.select(split=split)
    if not len(rows):
        raise ManifestError(f"no picture has the split {split!r}: baselines are fitted on it")
    chosen = balanced(rows, per_source, seed=seed)
    change = None if perturbation is None else perturbations.parse(perturbation)

    def look(row: Row) -> Any:
        try:
            picture = decode(chosen.locate(row))
            if change is not None:
                picture = decode(perturbations.apply(change, picture.pixels, picture_seed(seed, row.path)))
        except (ImageError, UsageError):
            return None
        return method.look(picture) if min(picture.pixels.shape[:2]) >= method.side else None

    pictures = _look_at(chosen, look, workers, visit)
    folds = source_folds(pictures.rows, FOLDS, seed=seed)
    margins = np.zeros(len(folds))
    for fold in range(FOLDS):
        tested, choosing = folds == fold, folds == (fold + 1) % FOLDS
        method.fit(*_part(pictures, ~tested & ~choosing), *_part(pictures, choosing))
        margins[tested] = method.margins(_part(pictures, tested)[0])
    weights = balanced_weights(pictures.labels, [row.source for row in pictures.rows])
    calibration = fit_platt(margins, pictures.labels, weights)
    thresholds = fit_thresholds(
        calibration.apply(margins), pictures.labels, weights, false_positive_rate=RATE, miss_rate=RATE
    )
    method.fit(*_part(pictures, folds != 0), *_part(pictures, folds == 0))
    digest = chosen.digest()
    card = Card(
        id=name,
        version=digest[:8],
        title=entry.title,
        kind="baseline",
        tile_size=method.side,
        tiles=1,
        calibration=calibration,
        thresholds=thresholds,
        training={
            "manifest": digest,
            "split": split,
            "pictures": len(pictures.rows),
            "per_source": per_source,
            "perturbation": perturbation,
            "seed": seed,
            **method.chosen,
        },
    )
    return FittedBaseline(method, card)


def _look_at(
    manifest: Manifest, look: Callable[[Row], Any], workers: int | None, visit: Callable[[], None] | None
) -> _Pictures:
    """What a method sees of the pictures that can be read and are large enough."""
    rows, seen = [], []
    for row, found in zip(manifest, in_order(look, manifest, workers), strict=True):
        if visit is not None:
            visit()
        if found is not None:
            rows.append(row)
            seen.append(found)
    if len({row.label for row in rows}) < 2:
        raise ManifestError("no picture of one of the classes can be read and is as large as the window")
    return _Pictures(rows, seen, np.array([row.is_generated for row in rows], np.int64))


def _part(pictures: _Pictures, members: NDArray[np.bool_]) -> tuple[Sequence[Any], Labels]:
    chosen = np.flatnonzero(members)
    return [pictures.seen[index] for index in chosen], pictures.labels[chosen]
