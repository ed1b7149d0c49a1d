"""Every family of generators: samples, and their spectrum beside what the upsampler predicts."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectrace.evaluation.kernels import Floats
from spectrace.generators.families import resolve, wants_pieces
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler
from spectrace.images.grid import grid
from spectrace.spectra.fingerprints import Fingerprint
from spectrace.spectra.mean_peaks import find_mean_peaks
from spectrace.spectra.profiles import diagonal_profile
from spectrace.spectra.transforms import luma
from spectrace.spectra.upsampling import KERNELS, predicted_ratio
from spectrace.studies.encoding import decode_map, decode_picture, encode_map, encode_picture
from spectrace.studies.pieces import WHEELS, photographs_of, real_pictures, trained_generator
from spectrace.studies.registry import Context, Result, register_study

_SHOWN = 12
_SHOWN_SEED = 1
_DIGITS = 4
_SHEET = "sheet"
_LEARNED = {"transposed": "zero-insertion", "pixel-shuffle": "zero-insertion"}
"""Kernels that upsamplers with weights of their own start from: none at all."""
_BANDS = ((0.25, 0.45), (0.45, 0.5))
"""In cycles per pixel: what upsampling by 2 has to make up, and where kernels have their null."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and compared.

    Attributes:
        photographs: manifest or folder with real pictures, or ``wheels``.
        sources: of the manifest; none takes all.
        split: of the manifest.
        generators: recipes; their gaps are filled by the families.
        size: of the pictures in pixels; overrides the recipes'.
        samples: of each generator, and as many photographs.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    sources: tuple[str, ...] = ("cdiaconu140k_real", "nathanmaton_celeba256_real", "tharun_real")
    split: str = "train"
    generators: tuple[GeneratorRecipe, ...] = ()
    size: int = 64
    samples: int = 500


def run_study(settings: Settings, context: Context) -> Result:
    """Train every generator and compare its mean spectrum with its photographs'.

    Raises:
        UsageError: the split that is kept for the last measurement, or no usable photograph.
        RecipeError: a recipe that makes no sense.
    """
    recipes = [resolve(msgspec.structs.replace(recipe, size=settings.size)) for recipe in settings.generators]
    photographs = real_pictures(settings.photographs, settings.sources)
    learned = {
        pieces: photographs_of(photographs, context, split=settings.split, size=settings.size, pieces=pieces)
        for pieces in {wants_pieces(recipe) for recipe in recipes}
    }
    # Reconstructions show their photographs: those that ship in wheels may be shown.
    wheels = real_pictures(WHEELS)
    rows = []
    for recipe in recipes:
        pieces = wants_pieces(recipe)
        sampler = Sampler(trained_generator(recipe, learned[pieces], context))
        compared = learned[pieces]
        if pieces:
            compared = Photographs.read([wheels.locate(row) for row in wheels], settings.size, pieces=True)
        real = compared.pixels(settings.samples, np.random.default_rng(0))
        made = sampler.reconstruct(real) if pieces else sampler.sample(settings.samples)
        shown = made[:_SHOWN] if pieces else sampler.sample(_SHOWN, _SHOWN_SEED)
        rows.append(_row(recipe, sampler, made, real, shown))
        context.progress.say(f"{recipe.family}, {recipe.upsampler or 'no upsampler'}: compared")
    return {
        "manifest_digest": photographs.digest(),
        "size": settings.size,
        "samples": settings.samples,
        "generators": rows,
    }


def _row(
    recipe: GeneratorRecipe,
    sampler: Sampler,
    made: NDArray[np.uint8],
    real: NDArray[np.uint8],
    shown: NDArray[np.uint8],
) -> Result:
    of_made, of_real = (_fingerprint(pictures) for pictures in (made, real))
    frequency, own = diagonal_profile(of_made.log_dct.mean[0])
    _, reference = diagonal_profile(of_real.log_dct.mean[0])
    found = own - reference
    row: Result = {
        **msgspec.to_builtins(recipe),
        "train_seconds": sampler.card.seconds,
        "difference": [round(float(value), _DIGITS) for value in found],
        "power_difference_db": encode_map(_power(of_made) - _power(of_real)),
        "peaks": [peak.label for peak in find_mean_peaks(_power(of_made), len(made), jpeg=False)],
        "nearest_photograph_psnr": nearest_psnr(shown, real),
        _SHEET: encode_picture(grid(shown, _SHOWN)),
    }
    kernel = _LEARNED.get(recipe.upsampler, recipe.upsampler)
    if kernel in KERNELS:
        predicted = predicted_ratio(kernel, frequency[1:])
        row["predicted"] = [round(float(value), _DIGITS) for value in predicted]
        row["bands"] = {
            f"{low:g} to {high:g}": {
                name: round(float(values[1:][inside].mean()), 2)
                for name, values in (("kernel", np.append(0.0, predicted)), ("found", found))
            }
            for low, high in _BANDS
            if (inside := (frequency[1:] >= low) & (frequency[1:] < high)).any()
        }
    return row


def _fingerprint(pictures: NDArray[np.uint8]) -> Fingerprint:
    size = pictures.shape[1]
    return Fingerprint.empty(size, "grey").update(luma(pictures)[:, None])


def _power(fingerprint: Fingerprint) -> Floats:
    return np.asarray(fingerprint.log_power.mean[0], np.float64)


def nearest_psnr(shown: NDArray[np.uint8], real: NDArray[np.uint8]) -> float:
    """PSNR in dB between the sample and the photograph that are most alike, at a quarter of the size.

    High where a generator gives back a photograph that it was trained on.
    """
    small_shown, small_real = (_quarter(pictures) for pictures in (shown, real))
    errors = [np.square(small_real - one).mean(axis=1).min() for one in small_shown]
    return round(float(10 * np.log10(255.0**2 / max(min(errors), 1e-9))), 1)


def _quarter(pictures: NDArray[np.uint8]) -> Floats:
    count, height, width, channels = pictures.shape
    blocks = pictures.reshape(count, height // 4, 4, width // 4, 4, channels)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(count, -1), np.float64)


def figure(result: Result) -> Figure:
    """A row a generator: samples, difference of the mean spectra, difference along the diagonal."""
    rows = result["generators"]
    drawn = Figure(figsize=(12.5, 1.3 * len(rows) + 1.2), layout="constrained")
    panels: Any = drawn.subplots(
        len(rows), 3, squeeze=False, gridspec_kw={"width_ratios": [_SHOWN * 0.95, 1.5, 3.2]}
    )
    size = result["size"]
    for number, (row, (left, middle, right)) in enumerate(zip(rows, panels, strict=True)):
        left.imshow(decode_picture(row[_SHEET]), aspect="equal")
        left.set_axis_off()
        name = f"{row['family']}, {row['upsampler']}" if row["upsampler"] else row["family"]
        left.set_title(f"{name} ({row['train_seconds'] / 60:.0f} min)", fontsize=9, loc="left")
        spectrum = middle.imshow(
            decode_map(row["power_difference_db"]),
            cmap="RdBu_r",
            vmin=-12,
            vmax=12,
            extent=(-0.5, 0.5, 0.5, -0.5),
        )
        middle.set_xticks([-0.5, 0, 0.5])
        middle.set_yticks([-0.5, 0, 0.5])
        frequency = np.arange(size) / (2 * size)
        right.axhline(0, color="grey", linewidth=0.8)
        right.plot(frequency, row["difference"], color="tab:blue", label="found")
        if "predicted" in row:
            right.plot(
                frequency[1:], row["predicted"], color="tab:orange", linestyle="--", label="kernel alone"
            )
        right.set_ylim(-4.5, 3.5)
        right.legend(fontsize=7, loc="lower left")
        if number == 0:
            middle.set_title("power, samples less\nphotographs", fontsize=9)
            right.set_title("ln |DCT| along the diagonal,\nsamples less photographs", fontsize=9)
    for panel, label in zip(panels[-1][1:], ("cycles per pixel", "cycles per pixel, both axes"), strict=True):
        panel.set_xlabel(label, fontsize=8)
    drawn.colorbar(spectrum, ax=list(panels[:, 1]), label="dB", shrink=0.5, location="left")
    drawn.suptitle(f"Small generators of {size} pixels: samples and what they leave in the spectrum")
    return drawn


register_study("generators", Settings, figure=figure)(run_study)
