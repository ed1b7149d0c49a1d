#!/usr/bin/env python3
"""The known fingerprints that `spectrace spectrum --report` compares with.

Upsampling kernels, from noise with the spectrum of photographs; and trained generators: each folder given
holds `generator.onnx`, whose samples are compared with the photographs it was trained on, scaled as in
training (autoencoders: their reconstructions with the photographs they reconstruct). A generator whose
photographs are not the given ones is left out. Entries that are in the file and not made anew are kept.

    scripts/known_fingerprints.py ../shared/corpus/manifest.csv --source A --source B --generators runs/generators/*/

The threshold, from which on a known fingerprint counts as near, is what unrelated differences do not reach:
the larger of two 95 % quantiles. One collection of photographs of the manifest (split train) against another:
similarity to the nearest entry. And leave one out: similarity of each entry to the nearest of another family.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spectrace.cli.generate.photographs import photograph_paths
from spectrace.corpora.manifest import Manifest
from spectrace.errors import ImageError
from spectrace.generators.photographs import Photographs
from spectrace.generators.sampler import GENERATOR, Sampler
from spectrace.images.decode import decode
from spectrace.spectra.coarse import coarse_spectrum, levelled
from spectrace.spectra.fingerprints import centre_crop
from spectrace.spectra.known import (
    KnownFile,
    KnownFingerprint,
    Measure,
    grid_rows,
    read_known,
    strangers,
)
from spectrace.spectra.transforms import luma
from spectrace.spectra.upsampling import KERNELS, noise_picture

SIZE, PICTURES, FACTORS = 256, 64, (2, 4)
PER_SOURCE, LEAST = 40, 20
QUANTILE = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", help="photographs, also those that the generators were trained on")
    parser.add_argument("--source", action="append", default=[], help="sources of the training [all]")
    parser.add_argument("--generators", nargs="*", type=Path, default=[], help="folders of runs")
    parser.add_argument("--count", type=int, default=1000, help="samples a generator")
    parser.add_argument("--out", type=Path, default=Path("src/spectrace/spectra/known.json"))
    arguments = parser.parse_args()
    file = read_known(arguments.out) if arguments.out.exists() else KnownFile()
    paths = photograph_paths((arguments.manifest,), "train", tuple(arguments.source), quiet=True)
    for entry in [*kernels(), *generators(arguments.generators, paths, arguments.count)]:
        print(entry.name)
        file = file.with_entry(entry)
    threshold, how = bound(file.fingerprints, Manifest.read(Path(arguments.manifest)))
    print(f"threshold {threshold:.3f}: {how}")
    KnownFile(threshold=round(threshold, 3), threshold_from=how, fingerprints=file.fingerprints).write(
        arguments.out
    )


def kernels() -> list[KnownFingerprint]:
    native = mean_noise(None, 1)
    return [
        KnownFingerprint(
            name=f"upsampling: {kernel} x{factor}",
            family="binomial" if kernel.startswith("binomial") else kernel,
            about=f"{PICTURES} pictures of noise with the spectrum of photographs, doubled {factor // 2} times",
            difference=grid_rows(mean_noise(kernel, factor) - native),
        )
        for kernel in KERNELS
        for factor in FACTORS
    ]


def mean_noise(kernel: str | None, factor: int) -> np.ndarray:
    noises = (noise_picture(SIZE, kernel, factor, seed) for seed in range(PICTURES))
    return levelled(np.stack([coarse_spectrum(noise) for noise in noises])).mean(axis=0)


def generators(folders: list[Path], paths: list[Path], count: int) -> list[KnownFingerprint]:
    entries = []
    read: dict[tuple[int, bool], Photographs] = {}
    for folder in sorted(folders):
        if not (folder / GENERATOR).exists():
            continue
        sampler = Sampler(folder)
        card = sampler.card
        key = (card.recipe.size, not card.latent)
        if key not in read:
            read[key] = Photographs.read(paths, card.recipe.size, pieces=not card.latent)
        if read[key].digest != card.photographs:
            print(f"{folder}: trained on other photographs, left out")
            continue
        photographs = read[key].pixels(count, np.random.default_rng(0))
        pixels = sampler.sample(count, seed=1) if card.latent else sampler.reconstruct(photographs)
        recipe = card.recipe
        name = f"{recipe.family} with {recipe.upsampler}" if recipe.upsampler else recipe.family
        entries.append(
            KnownFingerprint(
                name=f"{name}, {recipe.size} px, {card.steps} steps",
                family=name,
                about=f"{folder.name}, seed {recipe.seed}",
                samples=count,
                photographs=len(read[key].pictures),
                difference=grid_rows(mean_picture(pixels) - mean_picture(photographs)),
            )
        )
    return entries


def mean_picture(pixels: np.ndarray) -> np.ndarray:
    return levelled(np.stack([coarse_spectrum(luma(one)) for one in pixels])).mean(axis=0)


def bound(known: list[KnownFingerprint], manifest: Manifest) -> tuple[float, str]:
    collections = [part for part in by_source(manifest) if len(part) >= LEAST]
    means = np.stack([part.mean(axis=0) for part in collections])
    alone = np.concatenate(
        [
            Measure(part).largest(np.delete(means, index, axis=0) - means[index], known)
            for index, part in enumerate(collections)
        ]
    )
    everything = Measure(np.concatenate(collections))
    left_out = [match.similarity for match in strangers(known, everything).values()]
    quantiles = [float(np.quantile(values, QUANTILE)) for values in (alone, left_out)]
    return max(quantiles), (
        f"{100 * QUANTILE:.0f} % of {len(alone)} pairs of {len(collections)} collections of photographs lie below "
        f"{quantiles[0]:.3f}, and of {len(left_out)} entries against other families below {quantiles[1]:.3f}"
    )


def by_source(manifest: Manifest) -> list[np.ndarray]:
    """Levelled coarse spectra of the middles of at most 40 photographs a source."""
    spectra: dict[str, list[np.ndarray]] = {}
    for row in manifest.select(split="train", label="real").rows:
        found = spectra.setdefault(row.source, [])
        if len(found) == PER_SOURCE:
            continue
        try:
            crop = centre_crop(decode(manifest.locate(row)).pixels, SIZE, "grey")
        except ImageError:
            continue
        if crop is not None:
            found.append(coarse_spectrum(crop[0]))
    return [levelled(np.stack(found)) for found in spectra.values() if found]


if __name__ == "__main__":
    main()
