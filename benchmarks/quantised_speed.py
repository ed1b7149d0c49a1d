"""Whether 8-bit or 16-bit arithmetic makes the shipped detector faster on this machine.

    python benchmarks/quantised_speed.py [--model fusion] [--out results/quantised-speed.json]

Convolutions and matrix products in int8 (static, calibrated on photographs), and all weights in float16,
against the model as it is: milliseconds a tile on one thread, by turns in one run. Needs spectrace[train].
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from spectrace.corpora.wheels import wheel_photographs
from spectrace.detectors.runtime import Model, find_model
from spectrace.evaluation.environment import Environment
from spectrace.images.decode import decode
from spectrace.images.tiles import cut_tiles, tile_grid

TILES = 4
RUNS = 30


class Photographs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Tiles of photographs, a few at a time."""

    def __init__(self, size: int) -> None:
        self.batches = batches(size)

    def get_next(self) -> dict[str, Any] | None:
        tiles = next(self.batches, None)
        return None if tiles is None else {"tiles": tiles}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--out", type=Path, default=Path("results/quantised-speed.json"))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    path = find_model(arguments.model)
    model = Model(path)
    size = model.card.tile_size
    tiles = next(batches(size))
    with tempfile.TemporaryDirectory() as scratch:
        eight, sixteen = Path(scratch) / "int8.onnx", Path(scratch) / "float16.onnx"
        quantize_static(
            path,
            eight,
            Photographs(size),
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            quant_format=QuantFormat.QDQ,
            per_channel=True,
        )
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), sixteen)
        sessions = {}
        failed = {}
        for name, file in (("float32", path), ("int8", eight), ("float16", sixteen)):
            try:
                sessions[name] = session(file)
            except Exception as error:  # onnxruntime raises its own types, which it does not export
                failed[name] = str(error).splitlines()[0]
        seconds: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(RUNS):
            for name, one in sessions.items():
                started = time.perf_counter()
                one.run(["logits"], {"tiles": tiles})
                seconds[name].append(time.perf_counter() - started)
    plain = seconds["float32"]
    result = {
        "what": "milliseconds a tile, one thread, medians; ratios to float32, turn by turn",
        "model": model.card.name,
        "environment": msgspec.to_builtins(Environment.here()),
        "failed": failed,
        "results": {
            name: {
                "milliseconds": round(1e3 * median(found) / TILES, 3),
                "ratio": round(median(a / b for a, b in zip(found, plain, strict=True)), 3),
            }
            for name, found in seconds.items()
        },
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result["results"]), json.dumps(failed))


def batches(size: int) -> Iterator[np.ndarray]:
    """Tiles uint8 [TILES, 3, size, size] of each photograph in the wheels."""
    for row in (manifest := wheel_photographs()):
        pixels = decode(manifest.locate(row)).pixels
        tiles = cut_tiles(pixels, tile_grid(*pixels.shape[:2], size, limit=TILES), size)
        if len(tiles) == TILES:
            yield tiles


def session(path: Path) -> onnxruntime.InferenceSession:
    """As the runtime opens models: one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    opened = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    tiles = next(batches(opened.get_inputs()[0].shape[-1]))
    opened.run(["logits"], {"tiles": tiles})
    return opened


if __name__ == "__main__":
    main()
