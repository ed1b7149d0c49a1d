"""Truncated against full networks: trained on one generator, tested on others (Chai et al. 2020).

The generators are autoencoders that differ in the upsampler alone (and, where its weights are there, the
FLUX.2 tiny autoencoder); pictures are photographs and their reconstructions, aligned in content, size and
format, so that nothing but the decoders' traces tells the classes apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.detector import Detector
from spectrace.errors import UsageError
from spectrace.evaluation.evaluate import observe
from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.metrics import auroc
from spectrace.explain.heatmap import score_map
from spectrace.generators.aligned import write_aligned
from spectrace.images.decode import decode
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.studies.pieces import (
    TEST,
    TRAIN,
    VAL,
    folder_of,
    placed_pieces,
    real_pictures,
    reconstructions,
)
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.resampling import bounds, drawn_pieces, precisions
from spectrace.studies.trainings import Training, of_recipe, train_all

_RESAMPLES = 500


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested.

    Attributes:
        manifest: labelled pictures, of which the real ones are used.
        train_split, test_split: of the manifest; generators and detectors see the first one only.
        photographs, test_photographs: how many of each.
        per_photograph: pieces of each photograph.
        side: of the pieces in pixels, cut after scaling down by ``scale``.
        upsamplers: of the autoencoders; detectors are trained on the first.
        generator_steps: training steps of an autoencoder.
        weights: folder of the FLUX.2 tiny autoencoder; empty leaves it out.
        truncated, full: ids of networks.
        seeds: one training each.
        tile, batch, steps_per_epoch, epochs, patience, augment: of the detectors' recipe.
        perturbation: a second test condition, done to both classes.
    """

    manifest: str = "../shared/corpus/manifest.csv"
    train_split: str = "train"
    test_split: str = "val"
    photographs: int = 500
    test_photographs: int = 120
    per_photograph: int = 1
    side: int = 128
    scale: float = 0.5
    upsamplers: tuple[str, ...] = ("transposed", "nearest", "bilinear", "pixel-shuffle")
    generator_steps: int = 1000
    weights: str = "../shared/weights"
    truncated: tuple[str, ...] = ("xception-block1", "xception-block2", "xception-block3", "resnet18-layer1")
    full: tuple[str, ...] = ("resnet18", "xception", "mesoinception4")
    seeds: tuple[int, ...] = (0, 1, 2)
    tile: int = 64
    batch: int = 32
    steps_per_epoch: int = 50
    epochs: int = 6
    patience: int = 3
    augment: tuple[str, ...] = ("flip@0.5",)
    perturbation: str = "jpeg(quality=75..95)"


class _Scores(NamedTuple):
    """Scores of one trained detector: by generator and condition, camera first, picture by picture."""

    network: str
    scores: Floats  # [condition, generator, picture]
    localisation: Floats  # pixel AUROC by picture; empty for networks that see whole tiles


def run_study(settings: Settings, context: Context) -> Result:
    """Train every network on the first generator and test it on all.

    Raises:
        UsageError: the split that is kept for the last measurement.
        ManifestError: photographs that are missing or too small.
    """
    manifest = _pictures(settings, context)
    trained_on = settings.upsamplers[0]
    training = manifest.select(split=[TRAIN, VAL], generator=["camera", trained_on])
    testing = manifest.select(split=TEST)
    networks = [network for _ in settings.seeds for network in (*settings.truncated, *settings.full)]
    seeds = np.repeat(settings.seeds, len(networks) // len(settings.seeds)).tolist()
    trainings = [
        Training(_recipe(settings, network), training, seed)
        for network, seed in zip(networks, seeds, strict=True)
    ]
    scored = []
    for network, seed, model in zip(networks, seeds, train_all(trainings, context), strict=True):
        scored.append(_test(settings, network, model, testing))
        context.progress.say(f"{network}, seed {seed}: tested")
    return {
        "manifest_digest": manifest.digest(),
        "trained_on": trained_on,
        "pictures": {split: len(manifest.select(split=split, label="real")) for split in (TRAIN, VAL, TEST)},
        **_tables(settings, scored, _generators(testing)),
    }


def _pictures(settings: Settings, context: Context) -> Manifest:
    """The aligned pictures, made once; generators are trained on the photographs of the training split."""
    placed = placed_pieces(
        real_pictures(settings.manifest),
        context,
        train_split=settings.train_split,
        test_split=settings.test_split,
        count=settings.photographs,
        test_count=settings.test_photographs,
        side=settings.side,
        scale=settings.scale,
        per_photograph=settings.per_photograph,
    )
    steps = settings.generator_steps
    folder = folder_of(
        context, placed, settings.side, settings.scale, settings.upsamplers, steps, settings.weights
    )
    autoencoders = reconstructions(settings.upsamplers, steps, settings.weights, placed, context)
    with context.progress.task("reconstructions", len(placed)) as advance:
        return write_aligned(placed, folder, autoencoders, visit=advance)


def _recipe(settings: Settings, network: str) -> Recipe:
    """The published training (Adam 1e-3, balanced batches, flips, stopping by validation accuracy)."""
    return Recipe(
        name=network,
        data=DataRecipe(
            manifest="pictures", augment=list(settings.augment), window=settings.side, val_tiles=2
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id=network),
        select="accuracy",
        **of_recipe(settings),
    )


def _test(settings: Settings, network: str, model: Path, testing: Manifest) -> _Scores:
    detector = Detector.load(model, dense=True)
    conditions = []
    for perturbation in (None, settings.perturbation):
        seen = observe(detector, testing, perturbation=perturbation, seed=0)
        by_generator: dict[str, list[float]] = {}
        for observation in seen:
            if observation.score is None:
                raise UsageError(f"{observation.row.path} gave no score: {observation.error or 'too small'}")
            by_generator.setdefault(observation.row.generator, []).append(observation.score)
        conditions.append([by_generator[name] for name in ("camera", *_generators(testing))])
    halves = np.array([])
    if detector.card.any_size:
        halves = np.array(_half_aurocs(detector, testing, settings.upsamplers[0]))
    return _Scores(network, np.array(conditions), halves)


def _half_aurocs(detector: Detector, testing: Manifest, generator: str) -> list[float]:
    """Pixel AUROC of the heatmap of each photograph whose left half is the generator's."""
    by_content: dict[str, dict[str, Row]] = {}
    for row in testing.select(generator=["camera", generator]):
        by_content.setdefault(row.extra["content"], {})[row.generator] = row
    values = []
    for pair in by_content.values():
        pixels = decode(testing.locate(pair["camera"])).pixels.copy()
        height, width = pixels.shape[:2]
        pixels[:, : width // 2] = decode(testing.locate(pair[generator])).pixels[:, : width // 2]
        evidence = detector.detect(pixels).evidence
        assert evidence is not None
        left = np.broadcast_to(np.arange(width) < width // 2, (height, width))
        values.append(auroc(left.ravel(), score_map(evidence, height, width).ravel()))
    return values


def _generators(testing: Manifest) -> list[str]:
    """Names in the order of the rows, which is the order of training."""
    return list(dict.fromkeys(row.generator for row in testing if row.is_generated))


def _tables(settings: Settings, scored: list[_Scores], generators: list[str]) -> Result:
    """Average precision with intervals: photographs and seeds are resampled, the same for all networks."""
    count = scored[0].scores.shape[2]
    rng = np.random.default_rng(0)
    # Each piece counts as a draw of its own, so intervals are right for one piece a photograph.
    drawn = drawn_pieces(count, _RESAMPLES, rng)
    conditions = ["untouched", settings.perturbation]
    networks = [*settings.truncated, *settings.full]

    def of_detector(one: _Scores) -> list[list[Floats]]:
        return [[precisions(camera, scores, drawn) for scores in others] for camera, *others in one.scores]

    # [network, seed, condition, generator, resample], resample 0 is the pictures as they are.
    values = np.array(
        [[of_detector(one) for one in scored if one.network == network] for network in networks]
    )
    seeds = len(settings.seeds)
    picked = np.concatenate([np.arange(seeds)[None], rng.integers(seeds, size=(_RESAMPLES, seeds))])
    resample = np.arange(_RESAMPLES + 1)
    # Mean over the picked seeds, resample by resample.
    means = np.stack([values[:, picked[:, k], :, :, resample] for k in range(seeds)]).mean(0)
    means = np.moveaxis(means, 0, -1)  # [network, condition, generator, resample]
    rows = []
    for index, network in enumerate(networks):
        own = [one for one in scored if one.network == network]
        halves = [float(one.localisation.mean()) for one in own if one.localisation.size]
        rows.append(
            {
                "network": network,
                "kind": "truncated" if network in settings.truncated else "full",
                "average_precision": {
                    condition: {
                        generator: {
                            **bounds(means[index, c, g]),
                            "seeds": [round(float(value), 4) for value in values[index, :, c, g, 0]],
                        }
                        for g, generator in enumerate(generators)
                    }
                    for c, condition in enumerate(conditions)
                },
                "left_half_pixel_auroc": [round(value, 4) for value in halves],
            }
        )
    truncated = np.array([network in settings.truncated for network in networks])
    others = means[:, :, 1:]
    gain = others[truncated].mean((0, 2)) - others[~truncated].mean((0, 2)) if not truncated.all() else None
    return {
        "generators": generators,
        "conditions": conditions,
        "networks": rows,
        "truncated_minus_full_on_others": None
        if gain is None
        else {condition: bounds(gain[c]) for c, condition in enumerate(conditions)},
    }


def figure(result: Result) -> Figure:
    """Average precision, network by generator, one panel a condition."""
    rows, generators = result["networks"], result["generators"]
    drawn = Figure(
        figsize=(4.6 * len(result["conditions"]) + 2.0, 0.42 * len(rows) + 2.2), layout="constrained"
    )
    panels: Any = drawn.subplots(1, len(result["conditions"]), sharey=True, squeeze=False)[0]
    for panel, condition in zip(panels, result["conditions"], strict=True):
        cells = [[row["average_precision"][condition][name]["value"] for name in generators] for row in rows]
        shown = panel.imshow(cells, vmin=0.5, vmax=1.0, cmap="viridis", aspect="auto")
        for y, line in enumerate(cells):
            for x, value in enumerate(line):
                colour = "black" if value > 0.8 else "white"
                panel.text(x, y, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
        names = [f"{name}\n(trained on)" if name == result["trained_on"] else name for name in generators]
        panel.set_xticks(range(len(names)), names, rotation=30, ha="right")
        panel.set_yticks(range(len(rows)), [f"{row['network']} ({row['kind']})" for row in rows])
        panel.set_title(f"test pictures: {condition}")
        panel.set_xlabel("generator tested on")
    drawn.colorbar(shown, ax=list(panels), label="average precision (guessing: 0.5)", shrink=0.8)
    drawn.suptitle("Trained on one generator, tested on others: truncated and full networks")
    return drawn


register_study("patch-depth", Settings, figure=figure)(run_study)
