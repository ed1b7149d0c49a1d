"""Regions from any segmentation model in ONNX, given with the names of its classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ImageError, ImageProblem, ModelError, UsageError
from spectrace.explain.regions import Labels, checked
from spectrace.images.decode import Pixels

if TYPE_CHECKING:
    import onnxruntime

FREE_SIDE = 512
FREE_MULTIPLE = 32

# (mean, standard deviation) of the values 0..255 that a float input is standardised by.
SCALINGS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "symmetric": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class Segmenter:
    """A segmentation model: one picture in, one label a pixel out.

    Input: the model's only one, ``[1, 3, H, W]`` RGB, uint8 (0..255) or float32 (scaled as ``scaling`` says).
    Where its H and W are fixed the picture is resized to them (bilinear); where they are free it is shrunk to
    a longer side of 512 at most, both sides rounded to multiples of 32.

    Output: the first one, either logits or probabilities ``[1, C, h, w]`` (float, C = number of names; the
    largest wins) or labels ``[1, h, w]`` or ``[1, 1, h, w]`` (integers). It is brought to the picture's size
    by nearest neighbour.

    Args:
        path: the ONNX file.
        names: of the classes, in the model's order.
        scaling: of a float32 input: ``imagenet`` (mean and deviation of ImageNet), ``unit`` (0..1),
            ``symmetric`` (-1..1) or ``none`` (0..255).

    Raises:
        ModelError: the file is no such model; found out by a run on a grey picture.
        UsageError: an unknown scaling.
    """

    def __init__(
        self, path: str | os.PathLike[str], names: tuple[str, ...], scaling: str = "imagenet"
    ) -> None:
        if scaling not in SCALINGS:
            raise UsageError(f"unknown scaling {scaling!r}: wanted one of {', '.join(SCALINGS)}")
        self.names = names
        self.origin = f"the segmentation model {Path(path).name}"
        self._path = path
        self._mean, self._deviation = (np.array(values, np.float32) for values in SCALINGS[scaling])
        self._session = _session(path)
        inputs = self._session.get_inputs()
        fits = [
            one.type in ("tensor(uint8)", "tensor(float)")
            and len(one.shape) == 4
            and one.shape[1] == 3
            and (one.shape[0] == 1 or not isinstance(one.shape[0], int))
            for one in inputs
        ]
        if fits != [True]:
            raise ModelError(
                f"{path} takes {', '.join(f'{one.type} {one.shape}' for one in inputs)}: wanted one input, "
                "float32 or uint8 [1, 3, H, W]"
            )
        self._input = inputs[0]
        try:
            self.label(np.full((64, 64, 3), 128, np.uint8), "a grey picture")
        except ImageError as error:
            raise ModelError(f"no segmentation model with these names: {error}") from error

    def label(self, pixels: Pixels, path: str) -> Labels:
        """The region of every pixel, uint16 [H, W].

        Raises:
            ImageError: the model cannot be run on it, or gave something else than labels with names.
        """
        height, width = pixels.shape[:2]
        image = Image.fromarray(pixels).resize(self._size(height, width), Image.Resampling.BILINEAR)
        values = np.asarray(image)
        if self._input.type == "tensor(float)":
            values = (values.astype(np.float32) - self._mean) / self._deviation
        batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
        try:
            outputs: list[Any] = self._session.run(None, {self._input.name: batch})
        except Exception as error:  # onnxruntime raises its own types, which it does not export
            first_line = str(error).partition("\n")[0]
            raise ImageError(
                ImageProblem.UNSUPPORTED, f"{self._path} cannot label {path}: {first_line}"
            ) from error
        labels = self._labels(outputs[0])
        rows, columns = (
            ((np.arange(wanted) + 0.5) * found / wanted).astype(np.int64)
            for wanted, found in zip((height, width), labels.shape, strict=True)
        )
        what = f"the answer of {self._path} on {path}"
        return checked(labels[rows[:, None], columns], len(self.names), what)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Width and height of the model's input for a picture."""
        shrink = min(1.0, FREE_SIDE / max(height, width))
        sides = []
        for fixed, side in zip(self._input.shape[2:], (height, width), strict=True):
            free = max(FREE_MULTIPLE, round(side * shrink / FREE_MULTIPLE) * FREE_MULTIPLE)
            sides.append(fixed if isinstance(fixed, int) else free)
        return sides[1], sides[0]

    def _labels(self, output: NDArray[Any]) -> NDArray[np.integer]:
        whole = np.issubdtype(output.dtype, np.integer)
        if output.ndim == 4 and not whole and output.shape[:2] == (1, len(self.names)):
            best: NDArray[np.integer] = output[0].argmax(axis=0)
            return best
        if whole and output.size and output.shape[:-2] in ((1,), (1, 1)):
            return output.reshape(output.shape[-2:])
        raise ImageError(
            ImageProblem.UNSUPPORTED,
            f"{self._path} gives {output.dtype} {list(output.shape)}: wanted float "
            f"[1, {len(self.names)}, h, w], a plane for each name, or integers [1, h, w]",
        )


def _session(path: str | os.PathLike[str]) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415  (slow to import: only when a model is run)

    if not Path(path).is_file():
        raise ModelError(f"no segmentation model {path}: wanted an .onnx file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types, which it does not export
        first_line = str(error).partition("\n")[0]
        raise ModelError(f"{path} cannot be loaded as an ONNX model: {first_line}") from error
