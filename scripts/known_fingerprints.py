#!/usr/bin/env python3
"""The known fingerprints that `spectrace spectrum --report` compares with.

Upsampling kernels, from noise with the spectrum of photographs; and trained generators: every folder given
holds `generator.onnx`, whose samples are compared with the photographs it was trained on.

    scripts/known_fingerprints.py --manifest ../shared/corpus/manifest.csv runs/generators/*/
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spectrace.spectra.coarse import coarse_spectrum, levelled
from spectrace.spectra.known import KnownFile, KnownFingerprint, grid_rows
from spectrace.spectra.upsampling import KERNELS, noise_picture

SIZE, PICTURES, FACTORS = 256, 64, (2, 4)


def kernels() -> list[KnownFingerprint]:
    native = mean_noise(None, 1)
    return [
        KnownFingerprint(
            name=f"upsampling: {kernel} x{factor}",
            family="binomial" if kernel.startswith("binomial") else kernel,
            about=f"{PICTURES} pictures of noise, doubled {factor // 2} times with {kernel}",
            difference=grid_rows(mean_noise(kernel, factor) - native),
        )
        for kernel in KERNELS
        for factor in FACTORS
    ]


def mean_noise(kernel: str | None, factor: int) -> np.ndarray:
    noises = (noise_picture(SIZE, kernel, factor, seed) for seed in range(PICTURES))
    return levelled(np.stack([coarse_spectrum(noise) for noise in noises])).mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/spectrace/spectra/known.json"))
    arguments = parser.parse_args()
    KnownFile(fingerprints=kernels()).write(arguments.out)


if __name__ == "__main__":
    main()
