"""Measure a detector on labelled pictures."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, ManifestError, ModelError, UsageError
from spectrace.evaluation import summaries
from spectrace.evaluation.bootstrap import CONFIDENCE, RESAMPLES
from spectrace.evaluation.results import Evaluation, Unreadable
from spectrace.evaluation.summaries import Observation, patch_sample
from spectrace.images import perturbations
from spectrace.images.decode import decode
from spectrace.threads import in_order

Visit = Callable[[Observation], None]
_Perturbation = perturbations.Perturbation | perturbations.Chain


class Seen(Protocol):
    """What is needed of a detection; :class:`spectrace.detectors.detection.Detection` has it."""

    @property
    def score(self) -> float | None:
        """Natural-log likelihood ratio, None when the picture was too small."""

    @property
    def verdict(self) -> str | None:
        """``generated``, ``camera`` or ``inconclusive``."""

    @property
    def evidence(self) -> Any:
        """Holds ``scores`` [N, h, w] of all patches; None when the picture was too small."""


class Named(Protocol):
    """What is needed of a card."""

    @property
    def name(self) -> str:
        """``id@version``."""


class PictureDetector(Protocol):
    """What is needed of a detector; :class:`spectrace.detectors.detector.Detector` has it."""

    @property
    def card(self) -> Named:
        """The model's card."""

    def detect(self, source: Any, /) -> Seen:
        """Look at one picture (a path or a uint8 [H, W, 3] array); must be safe in several threads."""


def evaluate(
    detector: PictureDetector,
    manifest: Manifest,
    *,
    split: str | None = None,
    perturbation: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    workers: int | None = None,
    visit: Visit | None = None,
) -> Evaluation:
    """Measure a detector on a split of a manifest, with intervals, by generator, source and pair set.

    Pictures that cannot be read are listed and take no part. Pictures too small to be scored count as
    ``inconclusive`` and take no part in figures of the scores; the counts say how many.

    Args:
        detector: what to measure.
        manifest: labelled pictures.
        split: the rows to measure on; None takes all. Nothing may be chosen by what ``unseen`` gives.
        perturbation: specification of :mod:`spectrace.images.perturbations`, applied to every picture of both
            classes after decoding. Its chance comes from ``seed`` and the picture's path alone.
        seed: of the perturbation and of the resamples.
        resamples: bootstrap resamples, clustered by source.
        workers: pictures at a time; None takes one a processor.
        visit: called with each picture's observation in the manifest's order, for progress.

    Raises:
        ManifestError: the split has no row, or lacks a class.
        UsageError: a bad perturbation or number.
        ModelError: the model gives scores that are no numbers.
    """
    started = time.perf_counter()
    rows = manifest if split is None else manifest.select(split=split)
    if not len(rows):
        known = ", ".join(sorted(name or "(none)" for (name,) in manifest.count("split")))
        raise ManifestError(f"no picture has the split {split!r}: the manifest has {known}")
    rows.require_both_labels()
    if resamples < 1:
        raise UsageError(f"{resamples} resamples: wanted at least 1")
    observations = observe(detector, rows, perturbation=perturbation, seed=seed, workers=workers, visit=visit)
    return Evaluation(
        model=detector.card.name,
        manifest_digest=rows.digest(),
        split=split,
        perturbation=perturbation,
        seed=seed,
        resamples=resamples,
        confidence=CONFIDENCE,
        overall=summaries.overall(observations, resamples=resamples, seed=seed),
        by_generator=summaries.by_generator(observations, resamples=resamples, seed=seed),
        by_pair=summaries.by_pair(observations, resamples=resamples, seed=seed),
        by_real_source=summaries.by_real_source(observations),
        reliability=summaries.reliability_bins(observations, resamples=resamples, seed=seed),
        unreadable=[Unreadable(seen.row.path, seen.error) for seen in observations if seen.error is not None],
        seconds=round(time.perf_counter() - started, 3),
    )


def observe(
    detector: PictureDetector,
    manifest: Manifest,
    *,
    perturbation: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Visit | None = None,
) -> list[Observation]:
    """Let a detector look at every picture of a manifest; arguments as for :func:`evaluate`.

    Returns:
        One observation a row, in the manifest's order.
    """
    change = None if perturbation is None else perturbations.parse(perturbation)

    def look(row: Row) -> Observation:
        return _look(detector, row, manifest.locate(row), change, seed)

    observations = []
    # Closed at once after an error or an interruption: nobody wants the rest.
    with closing(in_order(look, manifest, workers)) as answers:
        for seen in answers:
            observations.append(seen)
            if visit is not None:
                visit(seen)
    return observations


def picture_seed(seed: int, path: str) -> np.random.Generator:
    """A picture's own source of chance: the same for the same seed and path, whatever came before.

    Example:
        >>> again = [int(picture_seed(0, "a.jpg").integers(1000)) for _ in range(2)]
        >>> again[0] == again[1]
        True
    """
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _look(
    detector: PictureDetector, row: Row, path: Path, change: _Perturbation | None, seed: int
) -> Observation:
    try:
        if change is None:
            seen = detector.detect(path)
        else:
            pixels = decode(path).pixels
            # UsageError: a picture that the perturbation cannot take, for example too wide for JPEG.
            seen = detector.detect(perturbations.apply(change, pixels, picture_seed(seed, row.path)))
    except (ImageError, UsageError) as error:
        return Observation(row, error=str(error))
    if seen.score is not None and math.isnan(seen.score):
        raise ModelError(f"{detector.card.name} gives {path} a score that is no number: train it again")
    verdict = None if seen.verdict is None else str(seen.verdict)
    patches = None
    if seen.evidence is not None and seen.evidence.scores[0].size > 1:
        patches = patch_sample(seen.evidence.scores)
    return Observation(row, seen.score, verdict, patches=patches)
