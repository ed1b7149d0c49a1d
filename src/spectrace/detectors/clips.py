"""Verdicts on videos: a row for each frame of a sample, and one for the clip.

The clip's score is the **median** of its frames' scores. Frames of a clip are anything but independent, so
their log-likelihood ratios must not be added up; and neither a black frame nor a title between scenes, with a
score far out, should move the clip's, as it would a mean. At least half of the frames reach a threshold that
the median reaches: if a share p of camera frames does, at most 2p of camera clips can, however much the
frames of a clip are alike (Markov's inequality); with a mean there is no such bound.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import cast

import msgspec

from spectrace.detectors.card import Card
from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.detector import Detector, Visit
from spectrace.detectors.verdict import verdict_of
from spectrace.errors import ImageError, MissingDependencyError
from spectrace.images.decode import Picture
from spectrace.images.facts import Facts
from spectrace.images.reading import source_name
from spectrace.images.video import FRAMES, Clip, ClipLimits, Frame, MissingFrame
from spectrace.images.video_formats import frame_path
from spectrace.provenance import Provenance
from spectrace.provenance import read as read_provenance
from spectrace.threads import in_order

DISAGREE_FROM = 0.25
"""Frames disagree when at least this share of them speaks for each side."""


@dataclass(frozen=True)
class ClipVerdict:
    """What the frames of a clip say together; fields as those of a detection."""

    score: float | None
    verdict: Verdict
    reasons: list[str]


def video_reasons(card: Card) -> list[str]:
    """Why no verdict is given on frames of videos; none for a model that was measured on them.

    A card that holds measured results under ``video`` says so.

    Example:
        >>> video_reasons(Card(id="demo", version="1", title="", tile_size=8))
        ['video: this model was not measured on video frames, which their codec has changed']
    """
    if "video" in card.results:
        return []
    return ["video: this model was not measured on video frames, which their codec has changed"]


def judge_clip(frames: Sequence[Detection], card: Card) -> ClipVerdict:
    """The verdict on a clip from the rows of its frames.

    ``inconclusive`` where the median score lies between the thresholds, where a quarter of the frames or more
    speaks for each side (``frames-disagree``), where more than half of the frames would change their verdict
    when mildly re-encoded (``unstable``), and for every reason that all frames share (their size, say).

    Args:
        frames: the frames' rows, without those that could not be decoded; at least one.
        card: the detector's card.

    Example:
        >>> from spectrace.detectors.card import Thresholds
        >>> card = Card(id="demo", version="1", title="", tile_size=8, results={"video": {}},
        ...             thresholds=Thresholds(generated=1.0, camera=-1.0))
        >>> rows = [Detection(path=None, model="demo@1", score=score) for score in (2.0, 3.0, -9.0)]
        >>> judge_clip([*rows, rows[0]], card)
        ClipVerdict(score=2.0, verdict=<Verdict.INCONCLUSIVE: 'inconclusive'>, \
reasons=['frames-disagree: 3 of 4 frames speak for generated, 1 for camera'])
    """
    reasons = [reason for reason in frames[0].reasons if all(reason in frame.reasons for frame in frames)]
    scores = [frame.score for frame in frames if frame.score is not None]
    if not scores:
        return ClipVerdict(None, Verdict.INCONCLUSIVE, reasons)
    score = median(scores)
    verdict = verdict_of(score, card)
    if verdict is Verdict.INCONCLUSIVE:
        line = (
            f"between-thresholds: the median score {score:+.2f} lies between {card.thresholds.camera:+.2f} "
            f"(camera) and {card.thresholds.generated:+.2f} (generated)"
        )
        reasons = [*(reason for reason in reasons if not reason.startswith("between-thresholds")), line]
    sides = [verdict_of(one, card) for one in scores]
    generated, camera = sides.count(Verdict.GENERATED), sides.count(Verdict.CAMERA)
    if min(generated, camera) >= DISAGREE_FROM * len(scores):
        reasons.append(
            f"frames-disagree: {generated} of {len(scores)} frames speak for generated, {camera} for camera"
        )
    changing = sum(any(reason.startswith("unstable") for reason in frame.reasons) for frame in frames)
    if 2 * changing > len(scores):
        reasons = [reason for reason in reasons if not reason.startswith("unstable")]
        reasons.append(
            f"unstable: {changing} of {len(scores)} frames change their verdict after a mild re-encoding"
        )
    return ClipVerdict(score, Verdict.INCONCLUSIVE if reasons else verdict, reasons)


def detect_clip(
    detector: Detector,
    path: str | os.PathLike[str],
    *,
    count: int = FRAMES,
    every: float | None = None,
    limits: ClipLimits | None = None,
    workers: int | None = None,
    visit: Visit | None = None,
) -> Generator[Detection]:
    """Look at a video.

    Args:
        detector: scores the frames, as it would pictures.
        path: of the video.
        count: how many frames to look at, spread evenly over the clip.
        every: look at one every so many seconds instead.
        limits: what to refuse; None takes the usual ones with the detector's number of pixels.
        workers: threads that score frames; None takes one a processor.
        visit: called with each decoded frame and its detection, in the worker's thread.

    Yields:
        A row for each frame, ``clip.mp4#t=12.480``, in the order of time; one that cannot be decoded has
        ``error``. Last the clip's row, ``clip.mp4``; it alone if the clip cannot be read.

    Raises:
        UsageError: the sample asked for makes no sense.

    Example:
        >>> [row.error for row in detect_clip(Detector.load(), "missing.mp4")]
        ['missing.mp4 is not there: check the path']
    """
    name, model = os.fspath(path), detector.card.name
    rows: list[Detection] = []
    failed = Detection(path=name, model=model, error=f"{source_name(name)} has no frame that can be decoded")
    try:
        with Clip(path, limits or ClipLimits(pixels=detector.limits.pixels)) as clip:
            facts = _facts(clip)
            provenance = _provenance(clip)
            sample = clip.sample(count, every=every)
            with closing(_examine(detector, name, facts, sample, workers=workers, visit=visit)) as examined:
                for row in examined:
                    rows.append(replace(row, evidence=None))
                    yield row
    except (ImageError, MissingDependencyError) as error:
        yield replace(failed, error=str(error))
        return
    readable = [row for row in rows if row.error is None]
    if not readable:
        yield failed
        return
    judged = judge_clip(readable, detector.card)
    yield Detection(
        path=name,
        model=model,
        sha256=facts.sha256,
        width=facts.width,
        height=facts.height,
        format=clip.format,
        score=judged.score,
        verdict=judged.verdict,
        reasons=judged.reasons,
        tiles=sum(row.tiles for row in readable),
        branches=_median_shares(readable),
        provenance=provenance,
    )


def _examine(
    detector: Detector,
    name: str,
    facts: Facts,
    sample: Iterator[Frame | MissingFrame],
    *,
    workers: int | None,
    visit: Visit | None,
) -> Generator[Detection]:
    """Rows of the frames in their order; decoding goes on here while threads score."""
    reasons = video_reasons(detector.card)

    def look(frame: Frame | MissingFrame) -> Detection:
        path = frame_path(name, frame.seconds)
        if isinstance(frame, MissingFrame):
            error = f"{source_name(name)} {frame.error}"
            return Detection(path=path, model=detector.card.name, error=error)
        height, width, _ = frame.pixels.shape
        picture = Picture(frame.pixels, msgspec.structs.replace(facts, width=width, height=height))
        detection = detector.examine(picture, path=path)
        if reasons:
            detection = replace(
                detection, verdict=Verdict.INCONCLUSIVE, reasons=[*reasons, *detection.reasons]
            )
        if visit is not None:
            visit(picture, detection)
        return detection

    return in_order(look, sample, workers)


def _median_shares(frames: Sequence[Detection]) -> dict[str, float]:
    """What each branch of a fusion adds in the middle one of the frames; the medians need not add up."""
    shares = [frame.branches for frame in frames if frame.branches]
    return {name: median(one[name] for one in shares) for name in (shares[0] if shares else ())}


def _facts(clip: Clip) -> Facts:
    """Of every frame: they share the file, and so its digest."""
    return Facts(
        f"{clip.format} frame",
        width=clip.width,
        height=clip.height,
        mode="RGB",
        bit_depth=8,
        bytes=clip.bytes,
        sha256=clip.sha256(),
    )


def _provenance(clip: Clip) -> Provenance | None:
    try:
        with (
            Path(clip.path).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            # Sliced like bytes, but without the whole file in memory.
            return read_provenance(cast("bytes", mapped))
    except (OSError, ValueError):
        return None
