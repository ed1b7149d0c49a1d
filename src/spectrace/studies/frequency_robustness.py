"""Source attribution of altered pictures, by classifiers that never saw such ones, and by some that did.

The robustness table of Frank et al. 2020, with the alterations really done to all classes alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
from matplotlib.figure import Figure

from spectrace.errors import UsageError
from spectrace.evaluation.baselines.features import REPRESENTATIONS
from spectrace.images.perturbations import parse
from spectrace.studies.classifiers import (
    BySeed,
    ClassifierSettings,
    Exam,
    bar_panel,
    pictures_of,
    recipe_of,
)
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.source_pictures import split_names
from spectrace.studies.trainings import Training, train_all

UNTOUCHED = "untouched"


class Settings(ClassifierSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested; the rest as :class:`.ClassifierSettings`.

    Attributes:
        alterations: by name, perturbations in the syntax of :mod:`spectrace.images.perturbations`; they
            must keep the size.
        network: that names the source.
    """

    alterations: dict[str, str] = msgspec.field(default_factory=dict)
    network: str = "frank-cnn"
    steps_per_epoch: int = 50


def run_study(settings: Settings, context: Context) -> Result:
    """Train on untouched and on altered pictures, and test on both.

    Raises:
        UsageError: no alteration, one named ``untouched``, a bad one; and as :func:`.pictures_of`.
        ManifestError: photographs that are missing, too small or too few.
    """
    if not settings.alterations or UNTOUCHED in settings.alterations:
        raise UsageError(f"alterations: wanted one or more, none of them named {UNTOUCHED!r}")
    for spec in settings.alterations.values():
        parse(spec)
    manifest = pictures_of(settings, context)
    exam = Exam.of(manifest, settings.families)
    exams = {UNTOUCHED: exam, **{name: exam.altered(spec) for name, spec in settings.alterations.items()}}
    known = {seed: manifest.select(split=split_names(seed)) for seed in settings.seeds}
    augments = {UNTOUCHED: [], **{name: [spec] for name, spec in settings.alterations.items()}}
    keys = list(itertools.product(augments, REPRESENTATIONS, settings.seeds))
    trainings = [
        Training(
            recipe_of(
                settings, settings.network, representation, seed, task="attribution", augment=augments[name]
            ),
            known[seed],
            seed,
        )
        for name, representation, seed in keys
    ]
    models = dict(zip(keys, train_all(trainings, context), strict=True))
    draws = exam.draws(len(settings.seeds))

    def compared(trained: str, tested: str) -> dict[str, Any]:
        def found(representation: str) -> BySeed:
            logits = (exams[tested].logits(models[trained, representation, seed]) for seed in settings.seeds)
            return [exam.accuracy(one, draws) for one in logits]

        return draws.compared({representation: found(representation) for representation in REPRESENTATIONS})

    return {
        "manifest_digest": manifest.digest(),
        "classes": exam.classes,
        "test_photographs": exam.photographs,
        "alterations": settings.alterations,
        "untouched": compared(UNTOUCHED, UNTOUCHED),
        "rows": [
            {
                "alteration": name,
                "clean_trained": compared(UNTOUCHED, name),
                "retrained": compared(name, name),
                "retrained_on_untouched": compared(name, UNTOUCHED),
            }
            for name in settings.alterations
        ],
    }


def figure(result: Result) -> Figure:
    """Accuracy by alteration: trained on untouched pictures, and trained on altered ones."""
    rows = result["rows"]
    names = [row["alteration"] for row in rows]
    panels: dict[str, tuple[list[str], list[Mapping[str, Any]]]] = {
        "Trained on untouched, tested on altered": (
            [UNTOUCHED, *names],
            [result["untouched"], *(row["clean_trained"] for row in rows)],
        ),
        "Trained and tested on altered": (names, [row["retrained"] for row in rows]),
        "Trained on altered, tested on untouched": (names, [row["retrained_on_untouched"] for row in rows]),
    }
    drawn = Figure(figsize=(18.0, 4.8), layout="constrained")
    axes = drawn.subplots(1, len(panels), width_ratios=[len(places) for places, _ in panels.values()])
    for panel, (title, (places, cells)) in zip(axes, panels.items(), strict=True):
        bar_panel(panel, places, cells, guessing=1 / len(result["classes"]))
        panel.set(title=title, xlabel="alteration", ylabel="accuracy on test pictures, classes alike")
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=5, frameon=False, fontsize=8)
    drawn.suptitle(f"Source attribution of altered pictures, {len(result['classes'])} classes")
    return drawn


register_study("frequency-robustness", Settings, figure=figure)(run_study)
