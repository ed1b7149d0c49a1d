"""``spectrace explain``: what a detector looks at, over many pictures."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from spectrace.cli.progress import progress
from spectrace.cli.rows import printable
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.detectors.detector import Detector
    from spectrace.explain.findings import Label, Problem, Study, Subject
    from spectrace.explain.regions import Regions

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_COUNT = click.IntRange(min=1)
_SHOWN = 20


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("-m", "--manifest", "manifest_path", type=_FILE, help="Labelled pictures: .csv or .parquet.")
@click.option("-s", "--split", help="Rows of the manifest to look at [val, if there is one].")
@click.option(
    "--label",
    type=click.Choice(["generated", "real", "both"]),
    help="Which rows of the manifest [both]; of SOURCEs, what they all are [not known].",
)
@click.option("-o", "--out", type=_FOLDER, required=True, help="Folder to write into.")
@click.option("--pictures", type=_COUNT, default=100, show_default=True, help="Pictures in a mean heatmap.")
@click.option("--patches", type=_COUNT, default=10_000, show_default=True, help="Predictive patches a class.")
@click.option("--per-picture", type=_COUNT, default=1, show_default=True, help="Most from one picture.")
@click.option("--shown", type=_COUNT, default=64, show_default=True, help="Patches in the grid.")
@click.option("--masks", type=_FOLDER, help="Regions from label PNGs of the pictures' names; needs --names.")
@click.option("--segmenter", type=_FILE, help="Regions from a segmentation model (.onnx); needs --names.")
@click.option("--faces", is_flag=True, help="Coarse regions of faces; pictures without one are left out.")
@click.option("--names", type=_FILE, help="Names of the regions: one a line, the first is label 0.")
@click.option(
    "--scaling",
    type=click.Choice(["imagenet", "unit", "symmetric", "none"]),
    default="imagenet",
    show_default=True,
    help="What a segmenter's float input is scaled to.",
)
@click.option("--limit", type=_COUNT, help="Look at this many pictures of a label at most, spread evenly.")
@click.option("--resamples", type=_COUNT, default=1000, show_default=True, help="For the intervals.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--workers", type=_COUNT, help="Pictures at a time [one a processor].")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    *,
    model: str,
    sources: tuple[str, ...],
    manifest_path: Path | None,
    split: str | None,
    label: str | None,
    out: Path,
    pictures: int,
    patches: int,
    per_picture: int,
    shown: int,
    masks: Path | None,
    segmenter: Path | None,
    faces: bool,
    names: Path | None,
    scaling: str,
    limit: int | None,
    resamples: int,
    seed: int,
    workers: int | None,
    quiet: bool,
) -> int:
    """Show what a detector looks at: mean heatmaps, its most predictive patches, and their regions.

    MODEL is an installed model or an .onnx file; a fully convolutional one sees every pixel of every picture.
    The pictures are SOURCEs (files, folders, quoted globs, @list.txt) or the rows of a manifest.

    Writes figures (PNG), every number (explain.json) and one self-contained page (index.html) into a folder.

    Exit codes: 0 done, 2 wrong usage, 3 some pictures missing or unreadable (the rest is done), 130
    interrupted.
    """
    from spectrace.explain.findings import Settings  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.explain.study import look, study  # noqa: PLC0415

    # Everything that can be refused is refused before the first picture.
    settings = Settings(
        pictures=pictures,
        patches=patches,
        per_picture=per_picture,
        shown=shown,
        resamples=resamples,
        seed=seed,
    )
    regions = _regions(masks, segmenter, faces, names, scaling)
    detector = _detector(model)
    problems: list[str] = []
    subjects = _thinned(_subjects(sources, manifest_path, split, label, problems), limit)
    out.mkdir(parents=True, exist_ok=True)
    with progress("looking", len(subjects), quiet=quiet) as step:
        notes = look(detector, subjects, settings, workers=workers, step=step)
    if not notes.counts:
        _warn(problems, notes.problems, quiet=quiet)
        raise UsageError("no picture could be scored: wanted readable pictures, no smaller than a tile")
    opened = len(notes.problems)
    with progress("opening again", None, quiet=quiet) as step:
        found = study(notes, detector, regions, workers=workers, step=step)
    _warn(problems, found.problems, quiet=quiet)
    figures = _write(found, detector, out)
    click.echo(_summary(found, len(figures), out))
    unreadable = any(one.unreadable for one in found.problems) or len(found.problems) > opened
    return 3 if problems or unreadable else 0


def _detector(model: str) -> Detector:
    import msgspec  # noqa: PLC0415

    from spectrace.detectors.detector import Detector  # noqa: PLC0415
    from spectrace.detectors.runtime import Model, find_model  # noqa: PLC0415

    loaded = Model(find_model(model))
    # Verdicts are not asked for, so their stability need not be checked.
    card = msgspec.structs.replace(loaded.card, stability=[])
    return Detector(loaded, card=card, dense=card.any_size)


def _regions(
    masks: Path | None, segmenter: Path | None, faces: bool, names: Path | None, scaling: str
) -> Regions:
    from spectrace.explain.regions import MaskFolder, read_names  # noqa: PLC0415

    if (masks is not None) + (segmenter is not None) + faces > 1:
        raise UsageError("--masks, --segmenter and --faces were given together: give one or the other")
    if masks is None and segmenter is None:
        if names is not None:
            raise UsageError("--names without regions to name: give --masks DIR or --segmenter FILE too")
        from spectrace.explain.description import Description  # noqa: PLC0415
        from spectrace.explain.faces import FaceMap  # noqa: PLC0415

        return FaceMap() if faces else Description()
    if names is None:
        raise UsageError("regions without names: give --names FILE, one name a line")
    if masks is not None:
        return MaskFolder(masks, read_names(names))
    from spectrace.explain.segmentation import Segmenter  # noqa: PLC0415

    return Segmenter(cast("Path", segmenter), read_names(names), scaling)


def _subjects(
    sources: tuple[str, ...],
    manifest_path: Path | None,
    split: str | None,
    label: str | None,
    problems: list[str],
) -> list[Subject]:
    from spectrace.explain.findings import Subject  # noqa: PLC0415

    if manifest_path is None:
        from spectrace.images.sources import expand  # noqa: PLC0415

        if not sources:
            raise UsageError("no pictures: give SOURCEs, or --manifest FILE")
        if split is not None or label == "both":
            what = "--split" if split is not None else "--label both"
            raise UsageError(f"{what} makes sense with --manifest only: SOURCEs have no labels of their own")
        given = cast("Label", label or "unlabelled")
        return [Subject(path, given) for path in expand(sources, problems.append)]
    if sources:
        raise UsageError("--manifest and SOURCEs were given together: give one or the other")
    from spectrace.cli.pictures import labelled_pictures  # noqa: PLC0415

    manifest, split = labelled_pictures(manifest_path, split, (), ())
    rows = manifest.select(split=split, label=None if label == "both" else label)
    if not len(rows):
        known = ", ".join(sorted(f"{a or '(none)'} {b}" for a, b in manifest.count("split", "label")))
        raise UsageError(f"{manifest_path} has no such rows: wanted one of the splits and labels {known}")
    return [Subject(manifest.locate(row), row.label) for row in rows]


def _thinned(subjects: list[Subject], limit: int | None) -> list[Subject]:
    """At most so many of each label, spread evenly."""
    if limit is None:
        return subjects
    counts = Counter(one.label for one in subjects)
    seen: Counter[str] = Counter()
    kept = []
    for one in subjects:
        count, place = counts[one.label], seen[one.label]
        seen[one.label] += 1
        if count <= limit or (place + 1) * limit // count > place * limit // count:
            kept.append(one)
    return kept


def _warn(problems: list[str], left_out: Sequence[Problem], *, quiet: bool) -> None:
    if quiet:
        return
    lines = problems + [f"{one.path}: {one.message}" for one in left_out]
    for line in lines[:_SHOWN]:
        click.echo(f"left out: {printable(line)}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"left out: {len(lines) - _SHOWN} more", err=True)


def _write(found: Study, detector: Detector, out: Path) -> list[str]:
    from spectrace.explain.study_figures import write_figures  # noqa: PLC0415
    from spectrace.explain.study_numbers import numbers  # noqa: PLC0415
    from spectrace.explain.study_page import study_page  # noqa: PLC0415

    card = detector.model.card
    figures = write_figures(found, out)
    report = {"figures": figures, **numbers(found, card)}
    (out / "explain.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / "index.html").write_text(study_page(found, card), encoding="utf-8")
    return figures


def _summary(found: Study, figures: int, out: Path) -> str:
    from spectrace.explain.study_wording import direction_title, ratio_text  # noqa: PLC0415

    lines = []
    for group in found.groups:
        lines.append(f"{direction_title(group.direction)}: {len(group.patches)}")
        if group.bars:
            lines.append("  share of their pixels in a region / its share of the area (95 % interval)")
        # The regions that stand out most come first; those without an area, last.
        for bar in sorted(group.bars, key=lambda bar: (math.isnan(bar.ratio.value), -bar.ratio.value)):
            chance = ratio_text(*bar.random_ratio)
            lines.append(f"  {printable(bar.region)}: {ratio_text(*bar.ratio)}; random patches {chance}")
    return "\n".join([*lines, f"{figures} figures, explain.json and index.html in {out}"])
