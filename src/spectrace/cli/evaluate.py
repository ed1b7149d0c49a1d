"""``spectrace evaluate``: measure models on labelled pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.pictures import labelled_pictures
from spectrace.cli.progress import progress
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.corpora.manifest import Manifest
    from spectrace.detectors.card import Pooling
    from spectrace.detectors.detector import Detector
    from spectrace.evaluation.baselines.detector import FittedBaseline
    from spectrace.evaluation.evaluate import PictureDetector
    from spectrace.evaluation.results import Evaluation, Results, SweepCurve
    from spectrace.evaluation.summaries import Observation
    from spectrace.evaluation.tables import Table

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_FITTED_ON = "train"
_SET_ASIDE = 0.5


@click.command()
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("-m", "--manifest", "manifest_path", type=_FILE, help="Labelled pictures: .csv or .parquet.")
@click.option("-s", "--split", help="Rows of the manifest to measure on [val, if there is one].")
@click.option("-r", "--real", type=_FOLDER, multiple=True, help="Folder of camera pictures.")
@click.option("-g", "--generated", type=_FOLDER, multiple=True, help="Folder of generated pictures.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="NAME",
    help="Fit this method on the split train and measure it, too: knn, knn-dct, eigenfaces, eigenfaces-dct, "
    "prnu, metadata or block-grid.",
)
@click.option(
    "-p",
    "--perturb",
    "perturbations",
    multiple=True,
    metavar="SPEC",
    help='Measure once more with this done to every picture, e.g. "jpeg(quality=75..95)".',
)
@click.option(
    "--sweep",
    "sweep_names",
    multiple=True,
    metavar="NAME",
    help='Measure over the strengths of a kind of treatment, e.g. "jpeg"; "all" takes every one.',
)
@click.option(
    "--pooling",
    type=click.Choice(["logit-mean", "softmax-mean", "vote"]),
    help="Pool patches so, and not as the model says; its thresholds do not hold then.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="NAME",
    help="Switch this branch of fusions off; may be repeated. Their thresholds do not hold then.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="For the intervals."
)
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at a time [one a processor].")
@click.option("-o", "--out", type=_FILE, help="Write the results file (JSON).")
@click.option("--report", type=_FILE, help="Write one self-contained HTML page, with the worst mistakes.")
@click.option("--json", "as_json", is_flag=True, help="Print the results file instead of tables.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    *,
    models: tuple[str, ...],
    manifest_path: Path | None,
    split: str | None,
    real: tuple[Path, ...],
    generated: tuple[Path, ...],
    baselines: tuple[str, ...],
    perturbations: tuple[str, ...],
    sweep_names: tuple[str, ...],
    pooling: Pooling | None,
    without: tuple[str, ...],
    seed: int,
    resamples: int,
    workers: int | None,
    out: Path | None,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure detectors on labelled pictures, by generator, source and pair set, with intervals.

    MODEL is an installed model or an .onnx file. The pictures come from a manifest, or from --real and
    --generated, which may be given several times. Without --split the rows of val are measured; unseen is
    measured only when it is named, and nothing should be chosen by what it gives.

    Each --baseline is fitted on the manifest's rows of train and needs no model beside it. Of folders, half
    of the pictures are set aside for that, by the hash of their content, and the rest is measured.

    Exit codes: 0 all pictures were read, 2 wrong usage, 3 some were not (they are listed), 130 interrupted.
    """
    from spectrace.evaluation.environment import Environment  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.evaluation.evaluate import evaluate  # noqa: PLC0415
    from spectrace.evaluation.results import Results  # noqa: PLC0415
    from spectrace.evaluation.sweeps import find_sweeps, sweep  # noqa: PLC0415
    from spectrace.images.perturbations import parse  # noqa: PLC0415

    # Everything that can be refused is refused before the first picture.
    for spec in perturbations:
        parse(spec)
    sweeps = find_sweeps(sweep_names)
    if not (models or baselines):
        raise UsageError("nothing to measure: give a MODEL, or a method with --baseline")
    set_aside = _SET_ASIDE if baselines else 0.0
    manifest, split = labelled_pictures(manifest_path, split, real, generated, set_aside=set_aside)
    detectors: list[PictureDetector] = [_detector(model, pooling, without) for model in models]
    detectors += _fitted(baselines, manifest, split, seed, workers, quiet=quiet)
    changes = (None, *dict.fromkeys(perturbations))
    chosen = manifest if split is None else manifest.select(split=split)
    evaluations = []
    untouched: list[list[Observation]] = []
    with progress("evaluating", len(chosen) * len(detectors) * len(changes), quiet=quiet) as step:
        for detector in detectors:
            untouched.append([])
            for change in changes:
                noted = untouched[-1] if report is not None and change is None else None

                def visit(one: Observation, noted: list[Observation] | None = noted) -> None:
                    step()
                    if noted is not None:
                        noted.append(one)

                evaluations.append(
                    evaluate(
                        detector,
                        manifest,
                        split=split,
                        perturbation=change,
                        seed=seed,
                        resamples=resamples,
                        workers=workers,
                        visit=visit,
                    )
                )
    curves = []
    if sweeps:
        with progress("sweeping", len(chosen), quiet=quiet) as step:
            curves = sweep(
                detectors,
                manifest,
                sweeps,
                split=split,
                seed=seed,
                resamples=resamples,
                workers=workers,
                visit=step,
            )
    results = Results(evaluations=evaluations, environment=Environment.here(), sweeps=curves)
    if out is not None:
        results.write(out)
    if report is not None:
        _write_report(report, results, detectors, chosen, untouched)
    if as_json:
        click.echo(results.to_json().decode(), nl=False)
    else:
        _show(evaluations, curves)
    return _report_unreadable(evaluations, quiet=quiet)


def _write_report(
    path: Path,
    results: Results,
    detectors: list[PictureDetector],
    manifest: Manifest,
    untouched: list[list[Observation]],
) -> None:
    from spectrace.detectors.detector import Detector  # noqa: PLC0415
    from spectrace.explain.evaluation_page import evaluation_page  # noqa: PLC0415
    from spectrace.explain.mistakes import mistakes  # noqa: PLC0415

    shown = [
        mistakes(detector, manifest, seen)
        for detector, seen in zip(detectors, untouched, strict=True)
        if isinstance(detector, Detector)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(evaluation_page(results, shown), encoding="utf-8")


def _detector(name: str, pooling: Pooling | None, without: tuple[str, ...]) -> Detector:
    import msgspec  # noqa: PLC0415

    from spectrace.detectors.detector import Detector  # noqa: PLC0415
    from spectrace.detectors.runtime import Model, find_model  # noqa: PLC0415

    model = Model(find_model(name))
    card = msgspec.structs.replace(model.card, pooling=pooling or model.card.pooling)
    return Detector(model, card=card, without=without)


def _fitted(
    names: tuple[str, ...],
    manifest: Manifest,
    split: str | None,
    seed: int,
    workers: int | None,
    *,
    quiet: bool,
) -> list[FittedBaseline]:
    if not names:
        return []
    from spectrace.evaluation.baselines.detector import fit_baseline  # noqa: PLC0415
    from spectrace.evaluation.baselines.registry import known_method  # noqa: PLC0415

    for name in names:
        known_method(name)
    if split in {None, _FITTED_ON}:
        raise UsageError(
            f"baselines are fitted on the split {_FITTED_ON}: name another one to measure with --split"
        )
    baselines = []
    with progress("fitting baselines", len(names), quiet=quiet) as step:
        for name in dict.fromkeys(names):
            baselines.append(fit_baseline(name, manifest, split=_FITTED_ON, seed=seed, workers=workers))
            step()
    return baselines


def _show(evaluations: list[Evaluation], curves: list[SweepCurve]) -> None:
    from spectrace.evaluation.sweeps import table  # noqa: PLC0415
    from spectrace.evaluation.tables import conditions, summary, tables  # noqa: PLC0415

    for evaluation in evaluations:
        click.echo(conditions(evaluation))
        for found in tables(evaluation):
            _print(found)
        click.echo()
    if len(evaluations) > 1:
        _print(summary(evaluations))
    for curve in curves:
        _print(table(curve))


def _print(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415

    shown = RichTable(title=table.title, title_justify="left", box=None, pad_edge=False)
    for index, name in enumerate(table.header):
        shown.add_column(name, justify="right" if index else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*row)
    # Names are plain text: no markup, no emoji; a file or a pipe has no width to fold into.
    width = None if sys.stdout.isatty() else 200
    console = Console(markup=False, emoji=False, highlight=False, width=width)
    console.print()
    console.print(shown)


def _report_unreadable(evaluations: list[Evaluation], *, quiet: bool) -> int:
    from spectrace.cli.rows import printable  # noqa: PLC0415

    lines = {
        f"{unreadable.path}: {unreadable.message}"
        for evaluation in evaluations
        for unreadable in evaluation.unreadable
    }
    for line in () if quiet else sorted(lines):
        click.echo(f"spectrace: {printable(line)}", err=True)
    return 3 if lines else 0
