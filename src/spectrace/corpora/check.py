"""Whether a manifest tells the truth about the files it lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing

import msgspec

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, ImageProblem
from spectrace.images.decode import decode
from spectrace.threads import in_order


class Group(msgspec.Struct, frozen=True):
    """How many pictures share a split, label, generator and source."""

    split: str
    label: str
    generator: str
    source: str
    pictures: int


class Unreadable(msgspec.Struct, frozen=True):
    """A picture that is there and cannot be decoded, and why."""

    path: str
    problem: str
    message: str


class Copies(msgspec.Struct, frozen=True):
    """Rows with the same bytes, and the different values they have in a column that should agree."""

    sha256: str
    values: list[str]
    paths: list[str]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of a manifest found.

    Attributes:
        pictures: number of rows.
        digest: :meth:`spectrace.corpora.manifest.Manifest.digest`.
        groups: counts, sorted by split, label, generator and source.
        missing: paths of files that are not there.
        unreadable: files that are there and cannot be decoded.
        changed: paths of files whose bytes are not those the manifest's ``sha256`` names.
        across_splits: files that occur in more than one split: what was trained on is tested on.
        across_labels: files that are labelled both real and generated.
        copies: number of rows whose bytes already occurred in an earlier row.
    """

    pictures: int
    digest: str
    groups: list[Group]
    missing: list[str]
    unreadable: list[Unreadable]
    changed: list[str]
    across_splits: list[Copies]
    across_labels: list[Copies]
    copies: int

    @property
    def complete(self) -> bool:
        """Whether every picture is there and can be read."""
        return not (self.missing or self.unreadable)

    @property
    def clean(self) -> bool:
        """Whether every file is the one that was listed, in one split and under one label."""
        return not (self.changed or self.across_splits or self.across_labels)


def check_manifest(
    manifest: Manifest, *, workers: int = 2, visit: Callable[[Row], None] | None = None
) -> Findings:
    """Decode every picture of a manifest and look for contradictions.

    Args:
        manifest: what to check.
        workers: threads that decode.
        visit: called with each row once its file was looked at, for progress.

    Returns:
        The findings; nothing is raised for a bad picture.
    """
    missing: list[str] = []
    unreadable: list[Unreadable] = []
    changed: list[str] = []
    contents: dict[str, list[Row]] = defaultdict(list)

    def look(row: Row) -> str | ImageError | None:
        try:
            return decode(manifest.locate(row)).facts.sha256
        except ImageError as error:
            return error

    with closing(in_order(look, manifest, workers)) as answers:
        for row, found in zip(manifest, answers, strict=True):
            if isinstance(found, ImageError):
                if found.problem is ImageProblem.MISSING:
                    missing.append(row.path)
                else:
                    unreadable.append(Unreadable(row.path, found.problem.value, str(found)))
            elif found and row.sha256 and found != row.sha256:
                changed.append(row.path)
            sha256 = found if isinstance(found, str) else row.sha256
            if sha256:
                contents[sha256].append(row)
            if visit is not None:
                visit(row)
    return Findings(
        pictures=len(manifest),
        digest=manifest.digest(),
        groups=_groups(manifest),
        missing=missing,
        unreadable=unreadable,
        changed=changed,
        across_splits=_disagreements(contents.items(), "split"),
        across_labels=_disagreements(contents.items(), "label"),
        copies=sum(len(rows) - 1 for rows in contents.values()),
    )


def _groups(manifest: Manifest) -> list[Group]:
    counts = manifest.count("split", "label", "generator", "source")
    return [
        Group(split, label, generator, source, counts[split, label, generator, source])
        for split, label, generator, source in sorted(counts)
    ]


def _disagreements(contents: Iterable[tuple[str, list[Row]]], column: str) -> list[Copies]:
    found = []
    for sha256, rows in contents:
        values = sorted({str(getattr(row, column)) for row in rows})
        if len(values) > 1:
            found.append(Copies(sha256, values, [row.path for row in rows]))
    return found
