"""How much is left when there is less to learn from: pixels against the log-DCT (Frank et al. 2020).

Every seed draws its own part of each source's training pictures; a smaller part lies in a larger one.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.evaluation.baselines.features import REPRESENTATIONS
from spectrace.evaluation.kernels import Floats
from spectrace.learning.checkpoints import LOG, read_log
from spectrace.learning.recipes import PenaltyRecipe
from spectrace.studies.classifiers import (
    COLOURS,
    LABELS,
    ClassifierSettings,
    Draws,
    Exam,
    pictures_of,
    recipe_of,
)
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.source_pictures import split_names
from spectrace.studies.trainings import Training, train_all


class _Task(NamedTuple):
    title: str
    network: str
    task: Literal["binary", "attribution"]


_TASKS = {
    "cnn": _Task("which source, small CNN", "frank-cnn", "attribution"),
    "ridge": _Task("photograph or generated, ridge", "linear", "binary"),
}


class Settings(ClassifierSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested; the rest as :class:`.ClassifierSettings`.

    Attributes:
        shares: of the training pictures of each source, ascending, the last is 1; validation and test
            pictures stay all.
        models: of ``cnn``, which names the source, and ``ridge``, which tells photographs from all
            generators' samples.
        ridge: penalty of the latter.
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
    models: tuple[Literal["cnn", "ridge"], ...] = ("cnn", "ridge")
    ridge: float = 0.01
    steps_per_epoch: int = 50


def run_study(settings: Settings, context: Context) -> Result:
    """Train every model on every share of the pictures, and test it on the same ones.

    Raises:
        UsageError: shares that are none or in no order; and as :func:`.pictures_of`.
        ManifestError: photographs that are missing, too small or too few.
    """
    shares = settings.shares
    if not shares or shares[0] <= 0 or shares[-1] != 1 or list(shares) != sorted(set(shares)):
        raise UsageError(f"shares {', '.join(map(str, shares))}: wanted rising ones above 0, the last 1")
    if not settings.steps_per_epoch:
        raise UsageError("steps_per_epoch is 0, which gives fewer pictures fewer steps: wanted a number")
    manifest = pictures_of(settings, context)
    exam = Exam.of(manifest, settings.families)
    parts = {
        (seed, share): part_of(manifest.select(split=split_names(seed)), share, seed)
        for seed, share in itertools.product(settings.seeds, shares)
    }
    return {
        "manifest_digest": manifest.digest(),
        "classes": exam.classes,
        "test_photographs": exam.photographs,
        "most_steps": settings.epochs * settings.steps_per_epoch,
        "models": [_model(settings, name, parts, exam, context) for name in settings.models],
    }


def part_of(manifest: Manifest, share: float, seed: int) -> Manifest:
    """A share of each source's training pictures, at least one of each; all of its validation pictures.

    Args:
        manifest: the pictures of a seed.
        share: above 0 to 1; what it takes is part of what a larger one takes.
        seed: of the draw.
    """
    train, val = split_names(seed)
    kept = {row.path for row in manifest.select(split=val)}
    training = manifest.select(split=train)
    for number, (name,) in enumerate(sorted(training.count("generator"))):
        rows = training.select(generator=name).rows
        order = np.random.default_rng([seed, number]).permutation(len(rows))
        kept |= {rows[index].path for index in order[: max(1, round(share * len(rows)))]}
    return Manifest([row for row in manifest if row.path in kept], manifest.root, manifest.columns)


def _model(
    settings: Settings,
    name: str,
    parts: dict[tuple[int, float], Manifest],
    exam: Exam,
    context: Context,
) -> dict[str, Any]:
    """One model on all shares, representations and seeds."""
    title, network, task = _TASKS[name]
    penalties = PenaltyRecipe(l2=settings.ridge) if name == "ridge" else None
    keys = list(itertools.product(settings.shares, REPRESENTATIONS, settings.seeds))
    trainings = [
        Training(
            recipe_of(settings, network, representation, seed, task=task, penalties=penalties),
            parts[seed, share],
            seed,
        )
        for share, representation, seed in keys
    ]
    models = dict(zip(keys, train_all(trainings, context), strict=True))
    draws = exam.draws(len(settings.seeds))
    accuracies = {key: exam.accuracy(exam.logits(model), draws) for key, model in models.items()}
    first = settings.seeds[0]
    rows = []
    for share in settings.shares:
        found = {
            representation: [accuracies[share, representation, seed] for seed in settings.seeds]
            for representation in REPRESENTATIONS
        }
        rows.append(
            {
                "share": share,
                "pictures": len(parts[first, share].select(split=split_names(first)[0])),
                "accuracy": draws.compared(found),
                "lost": {
                    representation: _lost(settings, accuracies, representation, found[representation], draws)
                    for representation in REPRESENTATIONS
                },
                "steps": {
                    representation: [_steps(models[share, representation, seed]) for seed in settings.seeds]
                    for representation in REPRESENTATIONS
                },
            }
        )
    guessing = 0.5 if task == "binary" else 1.0 / len(exam.classes)
    return {"model": name, "title": title, "guessing": guessing, "shares": rows}


def _lost(
    settings: Settings,
    accuracies: dict[tuple[float, str, int], Floats],
    representation: str,
    found: list[Floats],
    draws: Draws,
) -> dict[str, float]:
    """How much better the same is with all pictures."""
    return draws.gain([accuracies[1.0, representation, seed] for seed in settings.seeds], found)


def _steps(model: Path) -> dict[str, int]:
    """Steps until training stopped, and until the epoch whose weights were kept."""
    lines = read_log(model.parent / LOG)
    best = Model(model).card.training["epoch"]
    return {
        "trained": int(lines[-1]["step"]),
        "kept": next(int(line["step"]) for line in lines if line["epoch"] == best),
    }


def figure(result: Result) -> Figure:
    """Accuracy over the number of training pictures, a panel a model."""
    models = result["models"]
    drawn = Figure(figsize=(6.4 * len(models), 4.8), layout="constrained")
    for panel, model in zip(drawn.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        pictures = np.array([row["pictures"] for row in model["shares"]])
        for representation, label in LABELS.items():
            cells = [row["accuracy"][representation] for row in model["shares"]]
            colour = COLOURS[representation]
            values = [cell["value"] for cell in cells]
            panel.plot(pictures, values, "o-", color=colour, label=label)
            panel.fill_between(
                pictures,
                [cell["low"] for cell in cells],
                [cell["high"] for cell in cells],
                color=colour,
                alpha=0.2,
                linewidth=0,
                label="95 % interval",
            )
            panel.plot(pictures, [cell["seeds"] for cell in cells], ".", color=colour, markersize=3)
        panel.axhline(model["guessing"], color="0.4", linestyle="--", linewidth=1, label="guessing")
        panel.set_xscale("log")
        shares = [
            f"{count}\n{100 * row['share']:g} %" for count, row in zip(pictures, model["shares"], strict=True)
        ]
        panel.set_xticks(pictures, shares, fontsize=8)
        panel.minorticks_off()
        panel.set(ylim=(0.0, 1.03), xlabel="training pictures (all sources together)")
        panel.set_ylabel("accuracy on test pictures, classes alike")
        panel.set_title(model["title"])
        panel.grid(alpha=0.25)
        panel.legend(loc="lower right", fontsize=8)
    drawn.suptitle("Fewer training pictures: pixels and log-DCT")
    return drawn


register_study("fewer-data", Settings, figure=figure)(run_study)
