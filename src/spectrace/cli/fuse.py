"""``spectrace fuse``: several detectors in one file, weighed on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.pictures import labelled_pictures
from spectrace.cli.progress import progress
from spectrace.cli.training import require_packages
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.evaluation.crossfit import Scored
    from spectrace.evaluation.fusion import BranchWeights

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("-m", "--manifest", "manifest_path", type=_FILE, help="Labelled pictures: .csv or .parquet.")
@click.option("-s", "--split", help="Rows of the manifest to use [val, if there is one].")
@click.option("-r", "--real", type=_FOLDER, multiple=True, help="Folder of camera pictures.")
@click.option("-g", "--generated", type=_FOLDER, multiple=True, help="Folder of generated pictures.")
@click.option("-o", "--output", type=_FILE, required=True, help="Write the fusion here.")
@click.option(
    "--name", "names", multiple=True, help="Of a branch, in the order of the models [the models' ids]."
)
@click.option("--families", metavar="MODEL", help="Attribution model that tells families of traces apart.")
@click.option(
    "--families-threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Name no family below this probability.",
)
@click.option("--id", "identity", default="fusion", show_default=True, help="Of the fusion.")
@click.option("--title", help="Of the fusion [its branches].")
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="SPEC",
    help="Fit to pictures after this; may be repeated [untouched, JPEG, resize and JPEG].",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at a time [one a processor].")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    *,
    models: tuple[str, ...],
    manifest_path: Path | None,
    split: str | None,
    real: tuple[Path, ...],
    generated: tuple[Path, ...],
    output: Path,
    names: tuple[str, ...],
    families: str | None,
    families_threshold: float,
    identity: str,
    title: str | None,
    conditions: tuple[str, ...],
    seed: int,
    workers: int | None,
    quiet: bool,
) -> int:
    """Merge detectors into one file whose score is their weighed sum.

    MODEL is an installed model or an .onnx file. The weights are fitted to labelled pictures that none of the
    models was trained on; a model that adds nothing to the others is left out. The fusion's thresholds are
    not set yet: run spectrace calibrate on it. To leave a branch out later: spectrace detect --without NAME.
    """
    require_packages("Fusions", "onnx")
    from spectrace.corpora.splits import refuse_forbidden  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.detectors.runtime import Model, find_model  # noqa: PLC0415
    from spectrace.evaluation.calibrate import CONDITIONS  # noqa: PLC0415
    from spectrace.evaluation.fusion import fit_branches  # noqa: PLC0415
    from spectrace.learning.fusion import fuse, out_of_fold_logits  # noqa: PLC0415

    paths = [find_model(model) for model in models]
    if names and len(names) != len(paths):
        raise UsageError(f"{len(names)} names for {len(paths)} models: wanted one a model, in their order")
    branches = list(names) or [Model(path).card.id for path in paths]
    if len(set(branches)) < len(branches):
        raise UsageError(f"branches {', '.join(branches)}: tell them apart with --name, once a model")
    attribution = None if families is None else find_model(families)
    manifest, split = labelled_pictures(manifest_path, split, real, generated)
    refuse_forbidden(split or "")
    rows = manifest if split is None else manifest.select(split=split)
    rows.require_both_labels()
    chosen = conditions or CONDITIONS
    with progress("fuse", len(rows), quiet=quiet) as step:
        scored = out_of_fold_logits([(paths, rows)], chosen, seed=seed, workers=workers, visit=step)
    fitted = fit_branches(scored)
    kept = [number for number, weight in enumerate(fitted.weights) if weight > 0.0]
    if not kept:
        raise UsageError("no branch tells generated pictures from real ones here: nothing to fuse")
    fields = {} if title is None else {"title": title}
    card = fuse(
        [paths[number] for number in kept],
        fitted.weights[kept].tolist(),
        fitted.means[kept].tolist(),
        fitted.bias,
        output,
        names=[branches[number] for number in kept],
        families=attribution,
        families_threshold=families_threshold,
        id=identity,
        training={
            "fusion": {
                "manifest": rows.digest(),
                "split": split,
                "pictures": len(rows),
                "conditions": list(chosen),
                "seed": seed,
            }
        },
        **fields,
    )
    _show(branches, fitted, scored, seed)
    click.echo(f"{card.name} written to {output}; its thresholds are not set: run spectrace calibrate on it")
    return 0


def _show(branches: list[str], fitted: BranchWeights, scored: Scored, seed: int) -> None:
    """The weights, and how well the branches and their sum tell the classes apart."""
    from spectrace.evaluation.crossfit import FOLDS, fold_count  # noqa: PLC0415
    from spectrace.evaluation.fusion import held_logits  # noqa: PLC0415
    from spectrace.evaluation.metrics import auroc  # noqa: PLC0415

    weights = scored.weights()
    width = max(len(name) for name in [*branches, "branch", "fusion"])
    click.echo(f"{'branch':<{width}}  {'weight':>8}  {'mean':>8}  AUROC, every source alike")
    for name, weight, mean, logits in zip(
        branches, fitted.weights, fitted.means, scored.logits.T, strict=True
    ):
        alone = auroc(scored.labels, logits, weights)
        left_out = "" if weight > 0.0 else ", left out"
        click.echo(f"{name:<{width}}  {weight:8.4f}  {mean:+8.3f}  {alone:.3f}{left_out}")
    folds = fold_count(scored.labels, scored.sources, FOLDS)
    if folds < 2:
        click.echo("a class has one source only: how well the sum does on other sources is not known")
        return
    fused = auroc(scored.labels, held_logits(scored, folds=folds, seed=seed), weights)
    click.echo(f"{'fusion':<{width}}  {'':8}  {'':8}  {fused:.3f} on sources outside of the fit")
