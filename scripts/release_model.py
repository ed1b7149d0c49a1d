#!/usr/bin/env python3
"""From the fusion of `spectrace experiment fusion` to the shipped model: limits, card, and the last measurement.

    scripts/release_model.py install runs/experiments/fusion/fusion.onnx
    scripts/release_model.py limits                                     # from results/operating-limits.json
    scripts/release_model.py measure ../shared/corpus/manifest.csv [--peer NAME=MODEL ...]

`measure` writes results/fusion-{val,unseen}.json, results/peers-unseen.json and the card. Nothing is chosen by what
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
    steps.add_parser("limits")
    measuring = steps.add_parser("measure")
    measuring.add_argument("manifest", type=Path)
    measuring.add_argument("--peer", action="append", default=[], metavar="NAME=MODEL")
    measuring.add_argument("--peer-tiles", type=int, default=4, help="of a picture; large networks are slow")
    arguments = parser.parse_args()
    if arguments.step == "install":
        shutil.copyfile(arguments.model, TARGET)
        change(description=DESCRIPTION)
    elif arguments.step == "limits":
        found = json.loads((ROOT / "results/operating-limits.json").read_text("utf-8"))
        change(limits=limits_of(found["result"]))
    else:
        peers = dict(peer.split("=", 1) for peer in arguments.peer)
        release(Manifest.read(arguments.manifest), peers, arguments.peer_tiles)
    print(TARGET, TARGET.stat().st_size)


def change(**fields: Any) -> None:
    """Replace fields of the shipped model's card."""
    replace_card(TARGET, msgspec.structs.replace(Model(TARGET).card, **fields))


def release(manifest: Manifest, peers: dict[str, str], tiles: int) -> None:
    """Measure the model on both splits and its peers on ``unseen``, and write what was found."""
    change(results={})
    results: dict[str, Any] = {}
    for split in ("val", "unseen"):
        measured = [measure(TARGET, manifest, split, condition) for condition in CONDITIONS]
        write(measured, f"fusion-{split}")
        results[split] = {one.perturbation or "untouched": compact(one) for one in measured}
    change(results=results)
    others = []
    for name, path in peers.items():
        for condition in CONDITIONS:
            found = measure(Path(path), manifest, "unseen", condition, tiles)
            others.append(msgspec.structs.replace(found, model=f"{name} ({found.model})"))
    if others:
        write(others, "peers-unseen")


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
