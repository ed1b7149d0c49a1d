"""What an evaluation says, as data: the file that tables, cards and documents are made from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from spectrace.errors import UsageError
from spectrace.evaluation.environment import Environment

SCHEMA_VERSION = 1


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its interval; None where it is not defined or pictures are too few for one.

    Example:
        >>> Estimate(0.91, 0.88, 0.93).value
        0.91
    """

    value: float | None
    low: float | None = None
    high: float | None = None


class Tally(msgspec.Struct, frozen=True):
    """What became of the pictures of one class.

    Attributes:
        listed: rows in the manifest.
        read: of these, pictures that could be decoded.
        scored: of these, pictures large enough to be scored; only they take part in AUROC and its like.
        generated: verdicts *generated*, of the ``read`` ones.
        camera: verdicts *camera*.
        inconclusive: verdicts *inconclusive*, the unscored ones among them.
        sources: number of collections that the read pictures come from.
    """

    listed: int
    read: int
    scored: int
    generated: int
    camera: int
    inconclusive: int
    sources: int


class Comparison(msgspec.Struct, frozen=True):
    """Generated pictures held against real ones.

    Attributes:
        name: ``all``, a generator, or the id of a pair set.
        real: counts of the real pictures.
        generated: counts of the generated pictures.
        figures: by the ids of :data:`spectrace.evaluation.figures.FIGURES`.
    """

    name: str
    real: Tally
    generated: Tally
    figures: dict[str, Estimate]


class FalseAlarms(msgspec.Struct, frozen=True):
    """How often real pictures of one source are called generated at the model's own threshold."""

    source: str
    real: Tally
    rate: Estimate


class Bin(msgspec.Struct, frozen=True):
    """Pictures of like probability, for a reliability diagram.

    Attributes:
        probability: mean probability of *generated* that was claimed.
        observed: share of generated pictures.
        low: lower end of the share's interval.
        high: upper end.
        share: of all weight that is in this bin.
        pictures: in it.
    """

    probability: float
    observed: float
    low: float
    high: float
    share: float
    pictures: int


class Unreadable(msgspec.Struct, frozen=True):
    """A picture that took no part, and why."""

    path: str
    message: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One model, measured on one split under one perturbation.

    Attributes:
        model: ``id@version``.
        manifest_digest: of the rows that were measured (:meth:`spectrace.corpora.manifest.Manifest.digest`).
        split: name of the split, None for all rows.
        perturbation: specification applied to both classes after decoding, None for none.
        seed: of perturbations and resamples.
        resamples: number of bootstrap resamples behind the intervals.
        confidence: of the intervals.
        seconds: wall time.
        overall: all generated against all real pictures.
        by_generator: each generator against all real pictures.
        by_pair: within each pair set: one pipeline, hence the fairest comparisons.
        by_real_source: false alarms of each collection of real pictures.
        unreadable: pictures that took no part.
        reliability: bins of :func:`spectrace.evaluation.summaries.reliability_bins`, at even prior odds; none
            in files made before there were any.
    """

    model: str
    manifest_digest: str
    split: str | None
    perturbation: str | None
    seed: int
    resamples: int
    confidence: float
    seconds: float
    overall: Comparison
    by_generator: list[Comparison]
    by_pair: list[Comparison]
    by_real_source: list[FalseAlarms]
    unreadable: list[Unreadable]
    reliability: list[Bin] = []


class SweepPoint(msgspec.Struct, frozen=True):
    """One strength of a sweep.

    Attributes:
        strength: as it is shown: ``none``, then numbers in the sweep's unit.
        perturbation: the specification that was applied to every picture of both classes.
        comparison: counts and figures.
    """

    strength: str
    perturbation: str
    comparison: Comparison


class SweepCurve(msgspec.Struct, frozen=True, kw_only=True):
    """One model over the strengths of one sweep.

    Figures of scores are of those pictures that every strength leaves large enough to be scored, so a curve
    falls because of what was done and never because other pictures are measured; ``scored`` in the counts
    says how many. Figures of verdicts are of all pictures that could be read.

    Attributes:
        model: ``id@version``.
        sweep: its registered name.
        title: what is done to the pictures.
        unit: of the strengths.
        manifest_digest: of the rows that were measured.
        split: name of the split, None for all rows.
        seed: of perturbations and resamples.
        resamples: number of bootstrap resamples behind the intervals.
        confidence: of the intervals.
        points: the strengths in their order; the first one leaves pictures as they are.
    """

    model: str
    sweep: str
    title: str
    unit: str
    manifest_digest: str
    split: str | None
    seed: int
    resamples: int
    confidence: float
    points: list[SweepPoint]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A results file: evaluations made in one run, and the machine and versions they were made with."""

    evaluations: list[Evaluation]
    environment: Environment
    sweeps: list[SweepCurve] = []
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """Indented JSON, UTF-8."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def write(self, path: Path) -> None:
        """Write the file; its folder is made when it is not there.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.to_json())
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read a results file.

        Raises:
            UsageError: it is not there, is none, or has another schema.
        """
        try:
            results = msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is no results file of spectrace evaluate: {error}") from error
        if results.schema_version != SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema {results.schema_version}, this Spectrace reads schema {SCHEMA_VERSION}: "
                "make it again with spectrace evaluate"
            )
        return results
