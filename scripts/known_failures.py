#!/usr/bin/env python3
"""What the shipped detector says of pictures that are known to be hard: results/known-failures.json.

    scripts/known_failures.py

Photographs that ship in scikit-image and scikit-learn, changed in ways that people change pictures, and pictures
that no camera and no generator made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from spectrace.corpora.wheels import wheel_photographs
from spectrace.detectors.detector import Detector
from spectrace.evaluation.environment import Environment
from spectrace.images.decode import decode
from spectrace.images.perturbations import apply

ROOT = Path(__file__).resolve().parents[1]
Picture = NDArray[np.uint8]
CHANGES = {
    "photographs as they ship": "identity",
    "saved as JPEG 90": "jpeg(quality=90)",
    "saved as JPEG 60": "jpeg(quality=60)",
    "half the size": "resize(scale=0.5, kernel=lanczos)",
    "half the size, JPEG 80": "resize(scale=0.5, kernel=lanczos) + jpeg(quality=80)",
    "twice the size": "resize(scale=2, kernel=bicubic)",
    "noise of 8 grey levels": "noise(std=8)",
    "blurred": "blur(sigma=1.5)",
}
GENERATED = {
    "example reconstructions": "identity",
    "the same, JPEG 70": "jpeg(quality=70)",
    "the same, half the size": "resize(scale=0.5, kernel=lanczos)",
}


def main() -> None:
    detector = Detector.load()
    rows = []
    for label, cases in (("camera", camera_cases()), ("generated", generated_cases()), ("neither", drawn())):
        for name, pictures in cases:
            found = [detector.detect(picture) for picture in pictures]
            scores = [one.score for one in found if one.score is not None]
            rows.append(
                {
                    "made by": label,
                    "case": name,
                    "pictures": len(found),
                    "verdicts": dict(Counter(one.verdict.value for one in found if one.verdict)),
                    "median score": round(float(np.median(scores)), 2) if scores else None,
                }
            )
    result = {
        "model": detector.card.name,
        "environment": msgspec.to_builtins(Environment.here()),
        "rows": rows,
    }
    path = ROOT / "results" / "known-failures.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(path)


def camera_cases() -> Iterator[tuple[str, list[Picture]]]:
    """Photographs, changed."""
    manifest = wheel_photographs()
    photographs = [decode(manifest.locate(row)).pixels for row in manifest]
    for name, spec in CHANGES.items():
        yield name, [apply(spec, picture, 0) for picture in photographs]
    for name, kernel in (
        ("denoised by a median of 5 pixels", ImageFilter.MedianFilter(5)),
        ("sharpened hard", ImageFilter.UnsharpMask(3, 250, 0)),
    ):
        yield name, [np.asarray(Image.fromarray(picture).filter(kernel)) for picture in photographs]


def generated_cases() -> Iterator[tuple[str, list[Picture]]]:
    """The examples' reconstructions, changed."""
    pictures = [decode(path).pixels for path in sorted((ROOT / "examples" / "generated").iterdir())]
    for name, spec in GENERATED.items():
        yield name, [apply(spec, picture, 0) for picture in pictures]


def drawn() -> Iterator[tuple[str, list[Picture]]]:
    """Pictures from programs."""
    rng = np.random.default_rng(0)
    yield "charts", [chart(rng) for _ in range(8)]
    steps = np.linspace(0.0, 1.0, 512)
    ramps = [(np.outer(steps, np.roll(steps, 64 * turn))[..., None] * [255, 200, 120]) for turn in range(8)]
    yield "smooth ramps", [ramp.astype(np.uint8) for ramp in ramps]
    yield "plain noise", [rng.integers(0, 256, (512, 512, 3), dtype=np.uint8) for _ in range(8)]


def chart(rng: np.random.Generator) -> Picture:
    """A line chart as matplotlib draws it."""
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  (the backend is chosen first)

    figure, axis = plt.subplots(figsize=(6, 5))
    for _ in range(4):
        axis.plot(np.cumsum(rng.normal(size=100)))
    axis.set_title("A chart")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    plt.close(figure)
    return pixels


if __name__ == "__main__":
    main()
