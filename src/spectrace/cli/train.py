"""``spectrace train``: a detector from a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from spectrace.cli.training import Shown, require_training
from spectrace.errors import UsageError


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--seed", "seeds", type=click.IntRange(min=0), multiple=True, help="Seed; repeat for several runs."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run [runs/...].")
@click.option("--workers", type=click.IntRange(min=0), help="Processes that read pictures [the recipe's].")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="What the network computes on [auto: CUDA where there is any].",
)
@click.option("--resume/--fresh", default=True, help="Go on where a run stopped, or start anew [resume].")
@click.option(
    "--real", type=click.Path(path_type=Path), help="Folder of camera pictures, in place of the recipe's."
)
@click.option("--generated", type=click.Path(path_type=Path), help="Folder of generated pictures.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    recipe: Path,
    seeds: tuple[int, ...],
    out: Path | None,
    workers: int | None,
    device: str,
    resume: bool,
    real: Path | None,
    generated: Path | None,
    quiet: bool,
) -> int:
    """Train a detector as RECIPE (a TOML file) says, and export it with its card.

    Each run has a folder with model.onnx, log.jsonl (one line an epoch), the recipe, and the lists of
    pictures that were left out. A run that was stopped goes on where it was. The models' paths are printed
    to stdout. Several processes train one network together when torchrun starts them.
    """
    if (real is None) != (generated is None):
        raise UsageError("only one of --real and --generated is given: wanted both folders or none")
    require_training("Trainings")
    from spectrace.learning.distributed import processes  # noqa: PLC0415
    from spectrace.learning.recipes import load_manifest, read_recipe  # noqa: PLC0415
    from spectrace.learning.runs import MODEL, run, run_folder  # noqa: PLC0415

    chosen = read_recipe(recipe, real=str(real or ""), generated=str(generated or ""))
    manifest = load_manifest(chosen.data)
    reconstructors = []
    if chosen.data.pairs is not None:
        from spectrace.generators.autoencoders import load_autoencoder  # noqa: PLC0415

        reconstructors = [load_autoencoder(path) for path in chosen.data.pairs.autoencoders]
    wanted = list(dict.fromkeys(seeds or chosen.seeds))
    with processes(device) as group:
        progress = Shown() if group.first and not quiet else None
        for seed in wanted:
            several = len(wanted) > 1
            folder = run_folder(chosen, manifest, seed, out, several, reconstructors=reconstructors)
            done = run(
                chosen,
                manifest,
                folder,
                seed=seed,
                workers=chosen.workers if workers is None else workers,
                fresh=not resume,
                progress=progress,
                group=group,
                reconstructors=reconstructors,
            )
            if progress is not None:
                best = done.trained.best
                progress.say(
                    f"seed {seed}: best epoch {done.trained.epoch}, validation loss {best.loss:.4f}, "
                    f"accuracy {best.accuracy:.4f}, AUROC {best.auroc:.4f}"
                )
            if group.first:
                click.echo(folder / MODEL)
        group.leave()
    return 0
