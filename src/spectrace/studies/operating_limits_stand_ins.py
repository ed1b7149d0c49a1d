"""Whether a trait of the pixels could stand for what a file does not say: that it was scaled up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectrace.detectors.detection import Verdict
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import interval, resampled_weights
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.summaries import Observation
from spectrace.studies.registry import Result

QUESTIONS = ("scaled up", "camera called generated", "generated called camera")
"""What a trait could tell: that a picture was scaled up, and either error."""


def predictions(
    traits: Sequence[str], observed: Sequence[Sequence[Observation]], values: Floats, *, resamples: int
) -> list[Result]:
    """AUROC of traits for telling scaled-up pictures from others, and wrong verdicts from the rest.

    Args:
        traits: names, T of them.
        observed: of the pictures untouched, then at each factor: ``[V][P]``.
        values: of the traits, ``[P, V, T]``; NaN where a picture is too small for them.
        resamples: for the intervals, clustered by source; a picture is drawn with all its versions.

    Returns:
        A row for each trait and question: ``trait``, ``question``, ``cases`` and ``others`` (versions of
        pictures), ``value``, ``low`` and ``high`` (None where either is missing). 0.5 says nothing; below it
        the trait is smaller where the answer is yes.
    """
    rows = [one.row for one in observed[0]]
    generated = np.array([row.is_generated for row in rows], np.bool_)
    drawn = resampled_weights(generated, [row.source for row in rows], resamples=resamples)
    verdicts = np.array([[one.verdict or "" for one in version] for version in observed]).T
    truth = np.broadcast_to(generated[:, None], verdicts.shape)
    scaled = np.broadcast_to(np.arange(verdicts.shape[1]) > 0, verdicts.shape)
    scored = np.array([[one.score is not None for one in version] for version in observed]).T
    everything = np.ones_like(truth)
    asked = [
        (scaled, everything),
        (verdicts == Verdict.GENERATED, scored & ~truth),
        (verdicts == Verdict.CAMERA, scored & truth),
    ]
    return [
        {"trait": trait, "question": question, **_told(values[..., number], yes, among, drawn)}
        for number, trait in enumerate(traits)
        for question, (yes, among) in zip(QUESTIONS, asked, strict=True)
    ]


def _told(values: Floats, yes: Bools, among: Bools, drawn: Floats) -> Result:
    kept = among & ~np.isnan(values)
    picture = np.nonzero(kept)[0]
    bounds = interval(kernels.auroc, yes[kept], values[kept], drawn[:, picture])
    cases = int(yes[kept].sum())
    plain = {
        name: None if np.isnan(number) else round(number, 4) for name, number in bounds._asdict().items()
    }
    return {"cases": cases, "others": int(kept.sum()) - cases, **plain}
