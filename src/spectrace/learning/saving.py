"""Writing ONNX files; torch is not needed for that."""

from __future__ import annotations

from pathlib import Path

import onnx


def save_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write a model; the file is replaced at once, never half written."""
    temporary = path.with_name(f"{path.name}.part")
    onnx.save(model, temporary)
    temporary.replace(path)
