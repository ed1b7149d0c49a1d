"""The detector: pictures in, verdicts out."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.card import Card
from spectrace.detectors.detection import Detection, Evidence, Verdict
from spectrace.detectors.detections import Detections
from spectrace.detectors.fusion import branch_shares, card_without, likely_family, switch_off
from spectrace.detectors.pooling import pool
from spectrace.detectors.runtime import Model, Outputs, find_model
from spectrace.detectors.verdict import judge, limit_reasons, verdict_of
from spectrace.detectors.views import View, view_of
from spectrace.errors import ImageError, ModelError, UsageError
from spectrace.images import perturbations
from spectrace.images.decode import Limits, Picture, Source, decode
from spectrace.images.sources import stream
from spectrace.provenance import read as read_provenance
from spectrace.threads import in_order

Visit = Callable[[Picture, Detection], None]


class Detector:
    """Says of pictures whether a camera or a generator made them.

    Args:
        model: the network with its card.
        card: takes the place of the model's own card, for measurements under other settings.
        tiles: how many tiles of a picture to score at most; None takes the card's number. A fully
            convolutional network sees pictures of no more pixels than that whole.
        dense: score all of every picture instead.
        limits: what to refuse to decode.
        without: names of a fusion's branches that are to know nothing, also in stability checks. The
            thresholds were not set for that; the card's name says it.

    Raises:
        ModelError: the model tells other classes apart than camera and generated.
        UsageError: ``tiles`` is below 1, or ``without`` names what is no branch, or every one.

    Example:
        >>> import numpy as np
        >>> detector = Detector.load()
        >>> detector.detect(np.zeros((1, 1, 3), np.uint8)).verdict.value
        'inconclusive'
    """

    def __init__(
        self,
        model: Model,
        *,
        card: Card | None = None,
        tiles: int | None = None,
        dense: bool = False,
        limits: Limits | None = None,
        without: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.card = card_without(card or model.card, without)
        self._kept = np.array([branch.name not in without for branch in model.card.branches], np.bool_)
        if not self.card.binary:
            raise ModelError(
                f"{self.card.name} tells {', '.join(self.card.classes)} apart: detection wants a model "
                "of the classes camera and generated"
            )
        if tiles is not None and tiles < 1:
            raise UsageError(f"{tiles} tiles: wanted at least 1")
        self.limits = limits or Limits()
        self._tile_limit = None if dense else tiles or self.card.tiles
        self._stability = [perturbations.parse(spec) for spec in self.card.stability]

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        tiles: int | None = None,
        dense: bool = False,
        limits: Limits | None = None,
        without: Sequence[str] = (),
    ) -> Detector:
        """The shipped detector, another installed one by name, or one from a model file.

        Raises:
            ModelError: there is no such model, or the file is none.
            UsageError: as for the class.
        """
        return cls(Model(find_model(model)), tiles=tiles, dense=dense, limits=limits, without=without)

    def detect(self, source: Source) -> Detection:
        """Look at one picture.

        The result refers to the source, so that a notebook can show the picture beside the verdict.

        Args:
            source: path, bytes, file object, PIL image, or array (uint8 [H, W, 3] RGB among others; see
                :func:`spectrace.images.decode.decode`).

        Returns:
            The verdict with its score and evidence.

        Raises:
            ImageError: the picture cannot be read.
        """
        return self.examine(decode(source, self.limits), path=_path_of(source), source=_kept(source))

    def detect_all(
        self, sources: str | os.PathLike[str] | Iterable[Source], *, workers: int | None = None
    ) -> Detections:
        """Look at many pictures, and give a table of them.

        A picture that cannot be read is a row with ``error``; the rest goes on. Rows of paths, and of
        pictures in a list or tuple, can be shown in a notebook; of pictures that an iterator makes, none is
        kept.

        Args:
            sources: as for :meth:`detect`; a path may also be a folder, a pattern or ``@list.txt``, as for
                ``spectrace detect``, and stand alone. What is named twice has two rows.
            workers: threads; None takes one a processor.

        Example:
            >>> Detector.load().detect_all(["not-there.jpg", np.zeros((1, 1, 3), np.uint8)])
            <Detections of 2 pictures: 1 inconclusive, 1 error>
        """
        listed = [sources] if isinstance(sources, str | os.PathLike) else sources
        # Pictures in a list are in memory anyway.
        keep = isinstance(listed, Sequence)
        return Detections(in_order(lambda source: self._row(source, None, keep), _named(listed), workers))

    def detect_many(
        self, sources: Iterable[Source], *, workers: int | None = None, visit: Visit | None = None
    ) -> Generator[Detection]:
        """Look at many pictures, several at a time; answers come in the order of the sources.

        A picture that cannot be read is a row with ``error``; the rest goes on. Memory is bounded by the
        number of workers, not by the number of sources.

        Args:
            sources: as for :meth:`detect`; taken one by one, so a generator of any length will do.
            workers: threads; None takes one a processor.
            visit: called with each decoded picture and its detection while the pixels are in memory, in the
                worker's thread (to draw a heatmap, say).
        """
        return in_order(lambda source: self._row(source, visit), sources, workers)

    def examine(
        self, picture: Picture, *, path: str | None = None, source: Source | None = None
    ) -> Detection:
        """Look at a picture that is already decoded.

        Args:
            picture: as :func:`spectrace.images.decode.decode` gives it.
            path: what to call it in the row.
            source: what it can be decoded from once more, for notebooks that show it.
        """
        facts = picture.facts
        view = view_of(picture.pixels, self.card, self._tile_limit)
        score: float | None = None
        evidence: Evidence | None = None
        branches: dict[str, float] = {}
        family: tuple[str, float] | None = None
        if view is None:
            verdict, reasons = Verdict.INCONCLUSIVE, limit_reasons(facts, self.card)
        else:
            outputs = self._outputs(view)
            logits = outputs.logits
            score = self._score(logits)
            rescored = self._rescored(view, score)
            verdict, reasons = judge(score, rescored, facts, self.card)
            branches = branch_shares(outputs, self.card, self._score)
            if verdict is not Verdict.CAMERA:
                family = likely_family(outputs.families, self.card)
            evidence = Evidence(
                corners=view.corners,
                extent=view.extent,
                patches=self.card.patches,
                logits=logits,
                scores=self.card.calibration.apply(logits).astype(np.float32),
                facts=facts,
                rescored=rescored,
            )
        return Detection(
            path=path,
            model=self.card.name,
            sha256=facts.sha256,
            width=facts.width,
            height=facts.height,
            format=facts.format,
            score=score,
            verdict=verdict,
            reasons=reasons,
            tiles=0 if view is None else len(view.corners),
            branches=branches,
            family=family and family[0],
            family_probability=family and family[1],
            provenance=None if picture.raw is None else read_provenance(picture.raw),
            evidence=evidence,
            source=source,
            card=self.card,
        )

    def _row(self, source: Source, visit: Visit | None, keep: bool = False) -> Detection:
        path = _path_of(source)
        try:
            picture = decode(source, self.limits)
        except ImageError as error:
            return Detection(path=path, model=self.card.name, error=str(error))
        # A path is always kept; pictures in memory are the caller's to let go.
        detection = self.examine(picture, path=path, source=_kept(source) if keep else path)
        if visit is not None:
            visit(picture, detection)
        return detection

    def _outputs(self, view: View) -> Outputs:
        outputs = view.outputs(self.model)
        return outputs if self._kept.all() else switch_off(outputs, self._kept)

    def _score(self, logits: NDArray[np.float32]) -> float:
        return float(self.card.calibration.apply(pool(logits, self.card.pooling)))

    def _rescored(self, view: View, score: float) -> list[tuple[str, float]]:
        # An undecided picture needs no check: re-encoding could only leave it undecided.
        if verdict_of(score, self.card) is Verdict.INCONCLUSIVE:
            return []
        return [
            (str(perturbation), self._score(self._outputs(view.after(perturbation)).logits))
            for perturbation in self._stability
        ]


def _named(sources: Iterable[Source]) -> Iterator[Source]:
    """Pictures and paths, with files in the place of folders, patterns and lists."""
    for source in sources:
        if isinstance(source, str | os.PathLike):
            # What names no file becomes the row that says so.
            found: Iterator[Source] = stream([source], lambda problem: None)
            first = next(found, source)
            yield first
            yield from found
        else:
            yield source


def _kept(source: Source) -> Source | None:
    # A file object may be closed at any moment, or give its bytes only once.
    return _path_of(source) or (None if hasattr(source, "read") else source)


def _path_of(source: Source) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None
