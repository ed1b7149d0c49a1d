"""One generator with several upsamplers: told from photographs by ridge regression on pixels and on the DCT.

The study of Frank et al. 2020 (section 4.2) with small generators: whatever the upsampler, the spectrum gives
them away better than the pixels do.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import CAMERA
from spectrace.corpora.splits import refuse_forbidden
from spectrace.evaluation import kernels
from spectrace.evaluation.baselines.features import REPRESENTATIONS
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Floats, Kernel
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.spectra.profiles import diagonal_profile
from spectrace.spectra.transforms import log_dct
from spectrace.studies.attribution_methods import Networks, Trial
from spectrace.studies.pieces import TEST, photographs_of, real_pictures, trained_generator
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.resampling import bounds
from spectrace.studies.source_pictures import PHOTOGRAPH, Counts, Source, read_pictures, write_pictures

_RESAMPLES = 1000
_FIGURES: dict[str, Kernel] = {"accuracy": kernels.balanced_accuracy(0.0), "auroc": kernels.auroc}
_LABELS = {"pixels": "pixels", "log-dct": "log-DCT"}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested.

    Attributes:
        photographs: manifest or folder with real pictures, or ``wheels``.
        sources: of the manifest; none takes all.
        train_split, test_split: of the manifest.
        family: of the generators, which differ in nothing but the upsampler and the seed.
        upsamplers: of the generators.
        generator_steps: of training; 0 is the family's own.
        size: of the pictures in pixels.
        train, val, test: pictures of each class.
        seeds: each with generators, pictures and classifiers of its own.
        ridge, batch, epochs, patience: of the classifiers.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    sources: tuple[str, ...] = ("cdiaconu140k_real", "nathanmaton_celeba256_real", "tharun_real")
    train_split: str = "train"
    test_split: str = "val"
    family: str = "dcgan"
    upsamplers: tuple[str, ...] = ("transposed", "nearest", "bilinear", "binomial")
    generator_steps: int = 1000
    size: int = 64
    train: int = 2000
    val: int = 400
    test: int = 500
    seeds: tuple[int, ...] = (0, 1, 2)
    ridge: float = 0.01
    batch: int = 32
    epochs: int = 50
    patience: int = 5


def run_study(settings: Settings, context: Context) -> Result:
    """Train every generator, then ridge regression against each.

    Raises:
        UsageError: the split that is kept for the last measurement, or no usable photograph.
        ManifestError: photographs that are missing, too small or too few.
    """
    refuse_forbidden(settings.train_split, settings.test_split)
    photographs = real_pictures(settings.photographs, settings.sources)
    learned = photographs_of(photographs, context, split=settings.train_split, size=settings.size)
    networks = Networks(settings.ridge, settings.batch, settings.epochs, settings.patience)
    scores: dict[tuple[str, str], list[Floats]] = {}
    diagonals: dict[str, list[Floats]] = {}
    for seed in settings.seeds:
        manifest = _pictures(settings, photographs, learned, seed, context)
        for upsampler in settings.upsamplers:
            known = manifest.select(generator=[CAMERA, upsampler])
            testing = known.select(split=TEST)
            tests = read_pictures(testing)
            generated = np.array([row.is_generated for row in testing])
            diagonals.setdefault(upsampler, []).append(_diagonal(tests[generated]))
            diagonals.setdefault(CAMERA, []).append(_diagonal(tests[~generated]))
            trial = Trial(known, [CAMERA, upsampler], tests, networks, context)
            for representation in REPRESENTATIONS:
                found = trial.outcome("linear", representation, seed).judged.scores
                margin = found[:, 1] - found[:, 0]
                scores.setdefault((upsampler, representation), []).append(margin)
            context.progress.say(f"{upsampler}, seed {seed}: tested")
    # The test's photographs and their pieces are the same for all seeds and upsamplers.
    clusters = [row.extra[PHOTOGRAPH] or f"sample {number}" for number, row in enumerate(testing)]
    return {
        "manifest_digest": photographs.digest(),
        "test_photographs": len({row.extra[PHOTOGRAPH] for row in testing} - {""}),
        "upsamplers": [
            {"upsampler": upsampler, **_row(scores, upsampler, generated, clusters)}
            for upsampler in settings.upsamplers
        ],
        "diagonal_log_dct": {
            name: [round(float(value), 4) for value in np.mean(many, axis=0)]
            for name, many in diagonals.items()
        },
    }


def _pictures(
    settings: Settings, photographs: Manifest, learned: Photographs, seed: int, context: Context
) -> Manifest:
    """Pieces of photographs and samples of the seed's generators."""
    sources = []
    for upsampler in settings.upsamplers:
        recipe = GeneratorRecipe(
            family=settings.family,
            upsampler=upsampler,
            size=settings.size,
            steps=settings.generator_steps,
            seed=seed,
        )
        folder: Path = trained_generator(recipe, learned, context)
        sources.append(Source(upsampler, folder.name, partial(write_samples, Sampler(folder))))
    train, test = (photographs.select(split=name) for name in (settings.train_split, settings.test_split))
    return write_pictures(
        train,
        test,
        sources,
        [],
        context,
        side=settings.size,
        counts=Counts(settings.train, settings.val, settings.test),
        seeds=[seed],
    )


def _diagonal(pictures: Any) -> Floats:
    """Mean ln|DCT| along the diagonal, over pictures and channels."""
    return diagonal_profile(log_dct(pictures.transpose(0, 3, 1, 2)).mean(axis=(0, 1)))[1]


def _row(
    scores: dict[tuple[str, str], list[Floats]], upsampler: str, generated: Any, clusters: list[str]
) -> Result:
    """Accuracy and AUROC of both representations, and the difference, with intervals.

    Photographs, samples and seeds are resampled, the same for both representations.
    """
    weights = resampled_weights(generated, clusters, resamples=_RESAMPLES)
    drawn = np.concatenate([np.ones((1, len(generated))), weights])
    rng = np.random.default_rng(0)
    count = len(scores[upsampler, REPRESENTATIONS[0]])
    picked = rng.integers(count, size=(_RESAMPLES + 1, count))
    picked[0] = np.arange(count)
    each = np.arange(_RESAMPLES + 1)[:, None]
    result: Result = {}
    for name, kernel in _FIGURES.items():
        means, entries = {}, {}
        for representation in REPRESENTATIONS:
            by_seed = np.array([kernel(generated, one, drawn) for one in scores[upsampler, representation]])
            means[representation] = by_seed[picked, each].mean(1)
            seeds = [round(float(value), 4) for value in by_seed[:, 0]]
            entries[representation] = {**bounds(means[representation]), "seeds": seeds}
        result[name] = {**entries, "gain": bounds(means["log-dct"] - means["pixels"])}
    return result


def figure(result: Result) -> Figure:
    """Accuracy by upsampler and representation; and the mean spectra along the diagonal."""
    drawn = Figure(figsize=(12.5, 4.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    rows = result["upsamplers"]
    for shift, (representation, label) in enumerate(_LABELS.items()):
        found = [row["accuracy"][representation] for row in rows]
        values = np.array([one["value"] for one in found])
        spread = np.array([[one["value"] - one["low"], one["high"] - one["value"]] for one in found]).T
        where = np.arange(len(rows)) + 0.38 * (shift - 0.5)
        left.bar(where, values, 0.36, yerr=np.maximum(spread, 0.0), capsize=3, label=label)
        for x, value in zip(where, values, strict=True):
            left.text(x, 0.02, f"{value:.3f}", ha="center", color="white", fontsize=8)
    left.axhline(0.5, color="grey", linestyle=":", linewidth=1)
    left.text(-0.45, 0.51, "guessing", color="grey", fontsize=8)
    left.set_xticks(range(len(rows)), [row["upsampler"] for row in rows])
    left.set(ylim=(0, 1.18), xlabel="upsampler of the generator", ylabel="accuracy, classes alike")
    left.set_title("Ridge regression, photographs against samples")
    left.legend(loc="upper center", ncols=2)
    for name, diagonal in result["diagonal_log_dct"].items():
        frequency = np.arange(len(diagonal)) / (2 * len(diagonal))
        camera = name == CAMERA
        style: dict[str, Any] = {"color": "black", "linewidth": 2.0} if camera else {"linewidth": 1.2}
        right.plot(frequency, diagonal, label="photographs" if camera else name, **style)
    right.set(xlabel="frequency along both axes (cycles per pixel)", ylabel="mean ln |DCT|")
    right.set_title("Mean spectrum along the diagonal")
    right.legend()
    drawn.suptitle("The same generator with different upsamplers")
    return drawn


register_study("upsampling", Settings, figure=figure)(run_study)
