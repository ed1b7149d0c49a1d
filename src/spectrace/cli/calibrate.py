"""``spectrace calibrate``: what a model's score means on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.pictures import labelled_pictures
from spectrace.cli.progress import progress
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.detectors.card import Bounds, Calibration, Pooling

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("-m", "--manifest", "manifest_path", type=_FILE, help="Labelled pictures: .csv or .parquet.")
@click.option("-s", "--split", help="Rows of the manifest to use [val, if there is one].")
@click.option("-r", "--real", type=_FOLDER, multiple=True, help="Folder of camera pictures.")
@click.option("-g", "--generated", type=_FOLDER, multiple=True, help="Folder of generated pictures.")
@click.option("-o", "--output", type=_FILE, help="Write the calibrated model here [change MODEL itself].")
@click.option(
    "--method",
    type=click.Choice(["platt", "temperature", "isotonic"]),
    default="platt",
    show_default=True,
    help="How logits become scores.",
)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="SPEC",
    help="Calibrate on pictures after this; may be repeated [untouched, JPEG, resize and JPEG].",
)
@click.option("--false-positive-rate", type=click.FloatRange(0, 1), default=0.05, show_default=True)
@click.option("--miss-rate", type=click.FloatRange(0, 1), default=0.05, show_default=True)
@click.option(
    "--pooling",
    type=click.Choice(["logit-mean", "softmax-mean", "vote"]),
    help="How patches' logits become a picture's [the model's].",
)
@click.option("--min-side", type=click.IntRange(min=1), help="State this smallest side in pixels.")
@click.option("--min-jpeg-quality", type=click.IntRange(1, 100), help="State this lowest JPEG quality.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at a time [one a processor].")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    *,
    model: str,
    manifest_path: Path | None,
    split: str | None,
    real: tuple[Path, ...],
    generated: tuple[Path, ...],
    output: Path | None,
    method: str,
    conditions: tuple[str, ...],
    false_positive_rate: float,
    miss_rate: float,
    pooling: Pooling | None,
    min_side: int | None,
    min_jpeg_quality: int | None,
    seed: int,
    workers: int | None,
    quiet: bool,
) -> int:
    """Fit MODEL's scores and thresholds to labelled pictures it was not trained on.

    The pictures come from a manifest, or from --real and --generated. Camera pictures score above the
    upper threshold at the stated false-positive rate, generated ones below the lower one at the miss rate;
    in between a verdict is inconclusive. Printed with both: the threshold's 95 % interval, and the rate on
    sources that had no part in the fit, where there are two or more of each class.
    """
    import msgspec  # noqa: PLC0415  (heavy: only when it runs)

    from spectrace.detectors.runtime import Model, find_model, installed_models  # noqa: PLC0415
    from spectrace.evaluation.calibrate import CONDITIONS, calibrate  # noqa: PLC0415

    manifest, split = labelled_pictures(manifest_path, split, real, generated)
    source = find_model(model)
    if output is None and source in installed_models().values():
        raise UsageError(f"{model} is an installed model: add --output FILE.onnx to write a calibrated copy")
    stated = Model(source).card.limits
    limits = msgspec.structs.replace(
        stated,
        min_side=min_side or stated.min_side,
        min_jpeg_quality=min_jpeg_quality or stated.min_jpeg_quality,
    )
    chosen = conditions or CONDITIONS
    rows = manifest if split is None else manifest.select(split=split)
    with progress("calibrate", len(rows) * len(chosen), quiet=quiet) as step:
        card = calibrate(
            source,
            manifest,
            split=split,
            method=method,
            conditions=chosen,
            false_positive_rate=false_positive_rate,
            miss_rate=miss_rate,
            limits=limits,
            pooling=pooling,
            output=output,
            seed=seed,
            workers=workers,
            visit=step,
        )
    cuts = card.thresholds
    click.echo(f"{card.name}: {_formula(card.calibration)} ({method})")
    upper = f"{cuts.generated:+.2f} or above{_interval(cuts.generated_bounds, '+.2f')}"
    click.echo(f"generated at {upper}: {false_positive_rate:.1%} of these camera pictures")
    _show_new(cuts.new_false_positive_rate)
    lower = f"{cuts.camera:+.2f} or below{_interval(cuts.camera_bounds, '+.2f')}"
    click.echo(f"camera at {lower}: {miss_rate:.1%} of these generated pictures")
    _show_new(cuts.new_miss_rate)
    if cuts.new_miss_rate is None:
        click.echo("a class has one source only: what the rates are on other sources is not known")
    click.echo(f"written to {output or source}")
    return 0


def _formula(calibration: Calibration) -> str:
    knots = calibration.knots
    if knots is None:
        return f"score = {calibration.slope:.4f} x logit {calibration.intercept:+.4f}"
    scores = f"from {knots[0][1]:+.2f} to {knots[-1][1]:+.2f}"
    return f"score rises {scores} between logits {knots[0][0]:+.2f} and {knots[-1][0]:+.2f}"


def _interval(bounds: Bounds | None, form: str) -> str:
    return "" if bounds is None else f" ({bounds.low:{form}} to {bounds.high:{form}})"


def _show_new(rate: Bounds | None) -> None:
    if rate is not None:
        click.echo(f"  of pictures of sources outside of the fit: {rate.value:.1%}{_interval(rate, '.1%')}")
