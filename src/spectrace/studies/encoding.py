"""Maps and pictures as text, for results files."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.evaluation.kernels import Floats

_QUALITY = 90


def encode_map(values: NDArray[Any]) -> dict[str, Any]:
    """A map ``[H, W]`` in 256 steps as text; :func:`decode_map` gives it back.

    Example:
        >>> decode_map(encode_map(np.array([[0.0, 0.5], [0.25, 1.0]]))).round(2).tolist()
        [[0.0, 0.5], [0.25, 1.0]]
    """
    low, high = float(values.min()), float(values.max())
    steps = np.rint((values - low) / max(high - low, 1e-30) * 255).astype(np.uint8)
    return {
        "low": low,
        "high": high,
        "shape": list(values.shape),
        "base64": base64.b64encode(steps.tobytes()).decode(),
    }


def decode_map(encoded: Mapping[str, Any]) -> Floats:
    """Float64 ``[H, W]`` from what :func:`encode_map` made."""
    steps = np.frombuffer(base64.b64decode(encoded["base64"]), np.uint8).reshape(encoded["shape"])
    return np.asarray(encoded["low"] + steps / 255.0 * (encoded["high"] - encoded["low"]), np.float64)


def encode_picture(pixels: NDArray[np.uint8]) -> str:
    """A picture ``uint8 [H, W, 3]`` to be looked at (lossy WebP) as text, for :func:`decode_picture`.

    Example:
        >>> decode_picture(encode_picture(np.full((8, 9, 3), 128, np.uint8))).shape
        (8, 9, 3)
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=_QUALITY)
    return base64.b64encode(stream.getvalue()).decode()


def decode_picture(text: str) -> NDArray[np.uint8]:
    """Uint8 ``[H, W, 3]`` from what :func:`encode_picture` made."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
