"""Which single trait gives a class away, and what whole sources have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from spectrace.corpora.manifest import Row
from spectrace.evaluation.audit.classifier import column_of, one_hot
from spectrace.evaluation.audit.separation import separation
from spectrace.evaluation.audit.traits import TRAITS, Kind, Trait, Traits
from spectrace.evaluation.kernels import Bools
from spectrace.evaluation.results import Estimate

_RESAMPLES = 200
_NEAR = 0.03  # of a share: a plain value is preferred to a bound that tells hardly more
_CUTS = np.arange(0.05, 1.0, 0.05)
_SHARED = 0.95
_LEAST = 5
_WORDS = {"yes": "is there", "no": "is not there"}


class Tell(msgspec.Struct, frozen=True, kw_only=True):
    """One trait, and how far it gives the class away.

    Attributes:
        name: of the trait.
        kind: of the trait.
        auroc: cross-validated, of a classifier that knows this trait only.
        statement: what is true of one class far more often than of the other.
        generated: share of the generated pictures of which it is true.
        real: share of the real ones.
    """

    name: str
    kind: Kind
    auroc: Estimate
    statement: str
    generated: float
    real: float

    @property
    def sentence(self) -> str:
        """One plain sentence.

        Example:
            >>> Tell(
            ...     name="format",
            ...     kind="file",
            ...     auroc=Estimate(0.9),
            ...     statement="file format is PNG",
            ...     generated=0.87,
            ...     real=0.03,
            ... ).sentence
            'file format is PNG: 87 % of the generated pictures, 3 % of the real ones'
        """
        shares = (f"{round(100 * share)} %" for share in (self.generated, self.real))
        return "{}: {} of the generated pictures, {} of the real ones".format(self.statement, *shares)


class Uniform(msgspec.Struct, frozen=True, kw_only=True):
    """A source whose pictures have one size or one JPEG quality, all but one in twenty.

    Attributes:
        source: its name.
        label: its class.
        pictures: how many were read.
        size: that they share, or None.
        jpeg_quality: that they share, or None.
    """

    source: str
    label: str
    pictures: int
    size: str | None
    jpeg_quality: float | None


def tells(traits: Sequence[Traits], generated: Bools, *, seed: int = 0) -> list[Tell]:
    """Every trait that is not the same everywhere, the one that tells most first.

    Args:
        traits: of each picture.
        generated: ``[N]``.
        seed: of folds and resamples.
    """
    found = []
    for name, described in TRAITS.items():
        column = column_of(name, traits)
        if len(np.unique(column.codes(traits))) < 2:
            continue
        auroc = separation(
            one_hot([column], traits), generated, seed=seed, permutations=0, resamples=_RESAMPLES
        ).auroc
        statement, of_generated, of_real = _difference(name, [one.get(name) for one in traits], generated)
        found.append(
            Tell(
                name=name,
                kind=described.kind,
                auroc=Estimate(*(round(value, 4) for value in auroc)),
                statement=statement,
                generated=round(of_generated, 4),
                real=round(of_real, 4),
            )
        )
    return sorted(found, key=lambda tell: -(tell.auroc.value or 0.0))


def _difference(name: str, values: Sequence[Trait | None], generated: Bools) -> tuple[str, float, float]:
    """The statement whose shares differ most between the classes."""
    best, best_gap = ("", 0.0, 0.0), -1.0
    for words, holds in _statements(name, values):
        of_generated, of_real = float(holds[generated].mean()), float(holds[~generated].mean())
        gap = abs(of_generated - of_real)
        if gap > best_gap + (_NEAR if best_gap >= 0 else 0):
            best, best_gap = (words, of_generated, of_real), gap
    return best


def _statements(name: str, values: Sequence[Trait | None]) -> Iterator[tuple[str, Bools]]:
    """What could be said of a trait, plainest first, and of which pictures it is true."""
    title, unit = TRAITS[name].title, TRAITS[name].unit
    tail = f" {unit}" if unit else ""
    given = [value for value in values if value is not None]
    common = [value for value, count in Counter(given).most_common(30) if count >= 3]
    for value in common:
        shown = value if isinstance(value, str) else f"{_number(value)}{tail}"
        yield f"{title} {_WORDS.get(shown, f'is {shown}')}", np.array([one == value for one in values])
    if len(given) < len(values):
        yield f"{title} is not given", np.array([one is None for one in values])
    numbers = np.array([value if isinstance(value, float) else np.nan for value in values])
    if not np.isnan(numbers).all():
        for cut in np.unique(np.nanquantile(numbers, _CUTS)):
            yield f"{title} is at least {_number(float(cut))}{tail}", np.asarray(numbers >= cut)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def uniform_sources(rows: Sequence[Row], traits: Sequence[Traits]) -> list[Uniform]:
    """Sources of at least five pictures that share one size or one JPEG quality, largest first."""
    members: dict[tuple[str, str], list[Mapping[str, Trait]]] = defaultdict(list)
    for row, one in zip(rows, traits, strict=True):
        members[row.source, row.label].append(one)
    found = []
    for (source, label), own in members.items():
        size, quality = _shared(own, "size"), _shared(own, "jpeg_quality")
        if len(own) >= _LEAST and (size is not None or quality is not None):
            found.append(
                Uniform(
                    source=source,
                    label=label,
                    pictures=len(own),
                    size=size if isinstance(size, str) else None,
                    jpeg_quality=quality if isinstance(quality, float) else None,
                )
            )
    return sorted(found, key=lambda one: (-one.pictures, one.source))


def _shared(traits: Sequence[Mapping[str, Trait]], name: str) -> Trait | None:
    value, count = Counter(one.get(name) for one in traits).most_common(1)[0]
    return value if count >= _SHARED * len(traits) else None
