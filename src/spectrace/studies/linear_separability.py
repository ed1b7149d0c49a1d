"""Linear classifiers on pixels and on the log-DCT, without and with penalties, and what they look at.

The study of Frank et al. 2020 (section 4.1) with small generators: photographs against the samples of one
generator at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnx
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import CAMERA
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.baselines.features import LOG_DCT, REPRESENTATIONS
from spectrace.evaluation.kernels import Floats
from spectrace.learning.recipes import PenaltyRecipe
from spectrace.spectra.linear import weight_map
from spectrace.studies.classifiers import ClassifierSettings, Exam, bar_panel, pictures_of, recipe_of
from spectrace.studies.encoding import decode_map, encode_map
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.source_pictures import split_names
from spectrace.studies.trainings import Training, train_all

_TITLES = {"none": "no penalty", "l1": "L1", "l2": "L2", "both": "L1 and L2"}
_MAPPED = ("none", "l1", "l2")
_WEIGHTS = "network.dense.weight"

Penalty = Literal["none", "l1", "l2", "both"]


class Settings(ClassifierSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested; the rest as :class:`.ClassifierSettings`.

    Attributes:
        penalties: of ``none``, ``l1``, ``l2`` and ``both``.
        l1, l2: strengths to choose from, each by the first seed's validation loss, for each generator and
            representation; ``both`` takes the two that were chosen.
    """

    penalties: tuple[Penalty, ...] = ("none", "l1", "l2", "both")
    l1: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    l2: tuple[float, ...] = (1e-4, 1e-3, 1e-2)


def run_study(settings: Settings, context: Context) -> Result:
    """Choose penalties, train every model on every generator, and test it.

    Raises:
        UsageError: no penalty, or no strength to choose from; and as :func:`.pictures_of`.
        ManifestError: photographs that are missing, too small or too few.
    """
    if not (settings.penalties and settings.l1 and settings.l2):
        raise UsageError("penalties, l1 and l2: wanted one or more of each")
    manifest = pictures_of(settings, context)
    rows = [_generator(settings, manifest, family, context) for family in settings.families]
    return {
        "manifest_digest": manifest.digest(),
        "test_photographs": Exam.of(manifest, []).photographs,
        "generators": rows,
    }


def _generator(settings: Settings, manifest: Manifest, family: str, context: Context) -> dict[str, Any]:
    """Every model against one generator."""
    known = manifest.select(generator=[CAMERA, family])
    exam = Exam.of(known, [family])
    draws = exam.draws(len(settings.seeds))
    chosen = {name: _choose(settings, known, name, context) for name in REPRESENTATIONS}
    keys = list(itertools.product(settings.penalties, REPRESENTATIONS, settings.seeds))
    trainings = [
        _training(settings, known, representation, seed, chosen[representation][penalty])
        for penalty, representation, seed in keys
    ]
    models = dict(zip(keys, train_all(trainings, context), strict=True))
    logits = {key: exam.logits(model) for key, model in models.items()}
    generated = exam.truth > 0

    def auroc(one: Floats) -> Floats:
        return kernels.auroc(generated, one[:, 0], draws.pictures)

    rows = []
    for penalty in settings.penalties:
        by_seed = {name: [logits[penalty, name, seed] for seed in settings.seeds] for name in REPRESENTATIONS}
        rows.append(
            {
                "penalty": penalty,
                "strengths": {
                    name: {"l1": chosen[name][penalty].l1, "l2": chosen[name][penalty].l2}
                    for name in REPRESENTATIONS
                },
                "accuracy": draws.compared(
                    {name: [exam.accuracy(one, draws) for one in many] for name, many in by_seed.items()}
                ),
                "auroc": draws.compared(
                    {name: [auroc(one) for one in many] for name, many in by_seed.items()}
                ),
            }
        )
    maps = {
        penalty: encode_map(
            np.mean(
                [
                    weight_map(_weights(models[penalty, LOG_DCT, seed], settings.size))
                    for seed in settings.seeds
                ],
                axis=0,
            )
        )
        for penalty in settings.penalties
        if penalty in _MAPPED
    }
    return {"generator": family, "models": rows, "maps": maps}


def _choose(
    settings: Settings, known: Manifest, representation: str, context: Context
) -> dict[Penalty, PenaltyRecipe]:
    """The strengths with the lowest validation loss of the first seed."""

    def best(listed: list[PenaltyRecipe]) -> PenaltyRecipe:
        first = settings.seeds[0]
        trainings = [_training(settings, known, representation, first, one) for one in listed]
        losses = [float(Model(path).card.training["val_loss"]) for path in train_all(trainings, context)]
        return listed[int(np.argmin(losses))]

    chosen: dict[Penalty, PenaltyRecipe] = {"none": PenaltyRecipe()}
    wanted = set(settings.penalties)
    if wanted & {"l1", "both"}:
        chosen["l1"] = best([PenaltyRecipe(l1=strength) for strength in settings.l1])
    if wanted & {"l2", "both"}:
        chosen["l2"] = best([PenaltyRecipe(l2=strength) for strength in settings.l2])
    if "both" in wanted:
        chosen["both"] = PenaltyRecipe(l1=chosen["l1"].l1, l2=chosen["l2"].l2)
    return chosen


def _training(
    settings: Settings, known: Manifest, representation: str, seed: int, penalties: PenaltyRecipe
) -> Training:
    recipe = recipe_of(settings, "linear", representation, seed, task="binary", penalties=penalties)
    return Training(recipe, known.select(split=split_names(seed)), seed)


def _weights(model: Any, side: int) -> Floats:
    """Of an exported linear model: float64 ``[3, S, S]``."""
    (found,) = (one for one in onnx.load(model).graph.initializer if one.name == _WEIGHTS)
    return np.asarray(onnx.numpy_helper.to_array(found), np.float64).reshape(3, side, side)


def figure(result: Result) -> Figure:
    """Accuracies by penalty, and the weight maps of the models on the log-DCT; a row a generator."""
    rows = result["generators"]
    drawn = Figure(figsize=(19.0, 4.8 * len(rows)), layout="constrained")
    parts: Any = np.atleast_1d(np.asarray(drawn.subfigures(len(rows), 1), dtype=object))
    for part, row in zip(parts, rows, strict=True):
        maps = row["maps"]
        bars, *panels = part.subplots(1, 1 + len(maps), width_ratios=[1.8, *[1.0] * len(maps)])
        names = [_TITLES[model["penalty"]] for model in row["models"]]
        bar_panel(bars, names, [model["accuracy"] for model in row["models"]], guessing=0.5)
        bars.set(title=f"Photographs against {row['generator']}: accuracy", ylabel="accuracy, classes alike")
        bars.set_xlabel("penalty of the linear model")
        bars.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=5, frameon=False, fontsize=8)
        _draw_maps(part, panels, maps)
    drawn.suptitle(
        "Linear classifiers on pixels and on the log-DCT, and the weights of the latter", fontsize=14
    )
    return drawn


def _draw_maps(part: Any, panels: Any, maps: Mapping[str, Any]) -> None:
    for panel, (penalty, encoded) in zip(panels, maps.items(), strict=True):
        values = decode_map(encoded)
        top = max(float(np.percentile(values, 99.5)), 1e-12)
        shown = panel.imshow(values, vmin=0.0, vmax=top, cmap="magma", extent=(0.0, 0.5, 0.5, 0.0))
        panel.set_title(f"log-DCT, {_TITLES[penalty]}: mean |weight|", fontsize=10)
        panel.set_xlabel("horizontal frequency (cycles/px)")
        panel.set_ylabel("vertical frequency (cycles/px)")
        part.colorbar(shown, ax=panel, shrink=0.75, extend="max", label="mean over channels and seeds")


register_study("linear-separability", Settings, figure=figure)(run_study)
