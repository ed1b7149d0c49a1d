#!/usr/bin/env python3
"""From the fusion of `spectrace experiment fusion` to the shipped model: limits, card, and the last measurement.

    scripts/release_model.py install runs/experiments/fusion/fusion.onnx
    scripts/release_model.py limits                                     # from results/operating-limits.json
    scripts/release_model.py measure ../shared/corpus/manifest.csv
    scripts/release_model.py peers ../shared/corpus/manifest.csv NAME=MODEL ...

`measure` writes results/fusion-{val,unseen}.json and the card, `peers` results/peers-unseen.json. Nothing is chosen by what
`unseen` gives: run it once, when everything else is settled.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from spectrace.cli.progress import progress
from spectrace.corpora.manifest import Manifest
from spectrace.detectors.card import Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model
from spectrace.evaluation.calibrate import CONDITIONS
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.evaluate import evaluate
from spectrace.evaluation.results import Evaluation, Results
from spectrace.learning.export import replace_card
from spectrace.studies.operating_limits import limits_of

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src/spectrace/detectors/weights"
TARGET = WEIGHTS / "fusion.onnx"
FIGURES = (
    "auroc",
    "auroc_by_source",
    "tpr_at_5_fpr",
    "cllr",
    "false_alarm_rate",
    "detection_rate",
    "decided",
    "accuracy_of_decided",
)
DESCRIPTION = (
    "Tells camera pictures from generated ones by their spectra, their residuals and local patches. Weak "
    "evidence: most verdicts are inconclusive. Not a proof, and not for decisions about people on its own."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("install").add_argument("model", type=Path)
    limiting = steps.add_parser("limits")
    limiting.add_argument(
        "--min-side", type=int, help="in place of the study's, where its pictures were too few"
    )
    measuring = steps.add_parser("measure")
    measuring.add_argument("manifest", type=Path)
    rivals = steps.add_parser("peers")
    rivals.add_argument("manifest", type=Path)
    rivals.add_argument("peers", nargs="+", metavar="NAME=MODEL")
    rivals.add_argument("--tiles", type=int, default=4, help="of a picture; large networks are slow")
    arguments = parser.parse_args()
    if arguments.step == "install":
        shutil.copyfile(arguments.model, TARGET)
        change(description=DESCRIPTION, thresholds=careful(Model(TARGET).card.thresholds))
    elif arguments.step == "limits":
        found = json.loads((ROOT / "results/operating-limits.json").read_text("utf-8"))
        limits = limits_of(found["result"])
        if arguments.min_side:
            limits = msgspec.structs.replace(limits, min_side=arguments.min_side)
        change(limits=limits)
    elif arguments.step == "measure":
        release(Manifest.read(arguments.manifest))
    else:
        peers = dict(peer.split("=", 1) for peer in arguments.peers)
        measure_peers(Manifest.read(arguments.manifest), peers, arguments.tiles)
    print(TARGET, TARGET.stat().st_size)


def careful(thresholds: Thresholds) -> Thresholds:
    """Thresholds at the careful ends of their 95 % intervals: fewer verdicts, fewer wrong ones."""
    upper, lower = thresholds.generated_bounds, thresholds.camera_bounds
    assert upper is not None, "the study states intervals"
    assert lower is not None, "the study states intervals"
    return msgspec.structs.replace(thresholds, generated=upper.high, camera=lower.low)


def change(**fields: Any) -> None:
    """Replace fields of the shipped model's card."""
    replace_card(TARGET, msgspec.structs.replace(Model(TARGET).card, **fields))


def release(manifest: Manifest) -> None:
    """Measure the model on both splits, and write what was found."""
    change(results={})
    results: dict[str, Any] = {}
    for split in ("val", "unseen"):
        measured = [measure(TARGET, manifest, split, condition) for condition in CONDITIONS]
        write(measured, f"fusion-{split}")
        results[split] = {one.perturbation or "untouched": compact(one) for one in measured}
    change(results=results)


def measure_peers(manifest: Manifest, peers: dict[str, str], tiles: int) -> None:
    """Measure other models on ``unseen``."""
    found = []
    for name, path in peers.items():
        for condition in CONDITIONS:
            one = measure(Path(path), manifest, "unseen", condition, tiles)
            found.append(msgspec.structs.replace(one, model=f"{name} ({one.model})"))
    write(found, "peers-unseen")


def write(evaluations: list[Evaluation], name: str) -> None:
    """Write a results file."""
    Results(evaluations=evaluations, environment=Environment.here()).write(ROOT / "results" / f"{name}.json")


def measure(
    model: Path, manifest: Manifest, split: str, condition: str, tiles: int | None = None
) -> Evaluation:
    """One model on one split under one condition."""
    rows = manifest.select(split=split)
    with progress(f"{model.stem}, {split}, {condition}", len(rows)) as step:
        return evaluate(
            Detector.load(model, tiles=tiles),
            manifest,
            split=split,
            perturbation=None if condition == "identity" else condition,
            visit=lambda _: step(),
        )


def compact(evaluation: Evaluation) -> dict[str, Any]:
    """What a card holds of an evaluation: the whole stands in the results file."""
    overall = evaluation.overall
    counts = {"real": overall.real.scored, "generated": overall.generated.scored}
    figures = {
        name: msgspec.to_builtins(overall.figures[name]) for name in FIGURES if name in overall.figures
    }
    return {
        "pictures": counts,
        **figures,
        "auroc by generator": {
            c.name: msgspec.to_builtins(c.figures["auroc"]) for c in evaluation.by_generator
        },
        "auroc within pair sets": {
            c.name: msgspec.to_builtins(c.figures["auroc"]) for c in evaluation.by_pair
        },
        "false alarms by source": {
            alarm.source: msgspec.to_builtins(alarm.rate) for alarm in evaluation.by_real_source
        },
    }


if __name__ == "__main__":
    main()
