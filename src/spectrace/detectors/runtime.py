"""Runs detectors: one ONNX file with its card inside, through onnxruntime on the processor."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.card import METADATA_KEY, Card
from spectrace.detectors.patches import blocks
from spectrace.errors import ModelError, UsageError

if TYPE_CHECKING:
    import onnxruntime

DEFAULT_MODEL = "fusion"
_BATCH = 4  # more tiles at a time leave the cache
_BLOCK = 512
_SUFFIX = ".onnx"
_PROCESSOR, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def installed_models() -> dict[str, Path]:
    """The models that ship in the package, by file stem.

    Example:
        >>> "frequency" in installed_models()
        True
    """
    folder = Path(str(files("spectrace.detectors"))) / "weights"
    return {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIX}"))}


def find_model(model: str | Path | None = None) -> Path:
    """Path of a model given by name, by path, or not at all (the default).

    Raises:
        ModelError: there is no such file and no installed model of that name.
    """
    name = DEFAULT_MODEL if model is None else str(model)
    path = Path(name)
    if path.is_file():
        return path
    shipped = installed_models()
    if name in shipped:
        return shipped[name]
    known = ", ".join(shipped) or "none"
    raise ModelError(f"no model {name!r}: wanted a path to an .onnx file or an installed model ({known})")


class Outputs(NamedTuple):
    """What a network says of tiles.

    Attributes:
        logits: float32 [N, h, w], one a patch; [N, K, h, w] for attribution.
        branches: float32 [N, B], what each branch of a fusion adds to its tile's mean logit; B is 0 for other
            networks.
        families: float32 [N, K], logits of the families of traces; K is 0 for networks that know none.
    """

    logits: NDArray[np.float32]
    branches: NDArray[np.float32]
    families: NDArray[np.float32]


class Model:
    """A detector's network and card: tiles in, logits out.

    Args:
        path: the ONNX file.
        threads: threads inside one call. One is best when many pictures are scored at once, as
            :class:`~spectrace.detectors.detector.Detector` does.
        gpu: run on a CUDA device; needs onnxruntime-gpu.

    Raises:
        ModelError: the file is missing, is not ONNX or holds no card; or onnxruntime knows no CUDA device.

    Example:
        >>> import numpy as np
        >>> model = Model(find_model("frequency"))
        >>> size = model.card.tile_size
        >>> model.logits(np.zeros((2, 3, size, size), np.uint8)).shape
        (2, 1, 1)
    """

    def __init__(self, path: str | Path, *, threads: int = 1, gpu: bool = False) -> None:
        self.path = Path(path)
        self._threads = threads
        self._provider = _CUDA if gpu else _PROCESSOR
        if not self.path.is_file():
            raise ModelError(f"no model file {self.path}: give the path of an .onnx file")
        # Opened at once, so that a file that is no model is refused before any picture is read.
        self._session = self._open()

    def _open(self) -> onnxruntime.InferenceSession:
        import onnxruntime  # noqa: PLC0415  (slow to import: only when a model is used)

        if self._provider not in onnxruntime.get_available_providers():
            raise ModelError(
                "this onnxruntime has no CUDA: pip install onnxruntime-gpu, or use the processor"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(str(self.path), options, providers=[self._provider])
        except Exception as error:  # onnxruntime raises its own types, which it does not export
            first_line = str(error).partition("\n")[0]
            raise ModelError(f"{self.path} cannot be loaded as an ONNX model: {first_line}") from error

    @cached_property
    def card(self) -> Card:
        """The model's card."""
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{self.path} is ONNX but holds no Spectrace card: export it with spectrace train"
            )
        return Card.from_json(metadata[METADATA_KEY])

    def run(self, tiles: NDArray[np.uint8]) -> Outputs:
        """All that the network says of tiles, in one pass.

        Args:
            tiles: uint8 [N, 3, S, S] RGB, 0..255, S the card's tile size; fully convolutional networks take
                any [N, 3, H, W] in which a patch fits.

        Raises:
            UsageError: wrong shape or dtype.
            ModelError: the card names branches or families that the network does not have.
        """
        size = self.card.tile_size
        fits = self.card.any_size or tiles.shape[2:] == (size, size)
        if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[1] != 3 or not fits:
            wanted = "[N, 3, H, W]" if self.card.any_size else f"[N, 3, {size}, {size}]"
            raise UsageError(f"tiles are {tiles.dtype} {list(tiles.shape)}: wanted uint8 {wanted}")
        # An empty batch still runs once, so that the answer has the right number of dimensions.
        starts = range(0, max(len(tiles), 1), _BATCH)
        batches = [self._run(tiles[start : start + _BATCH]) for start in starts]
        return Outputs(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    def logits(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score tiles.

        Args, raises: as :meth:`run`.

        Returns:
            float32 [N, h, w], one logit a patch, positive means generated; [N, K, h, w] for attribution.
        """
        return self.run(tiles).logits

    def patch_logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score every patch of a picture with a fully convolutional network.

        Large pictures go through in blocks that overlap by what a patch sees: memory is bounded, and the
        answer is that of a single pass.

        Args:
            pixels: uint8 [H, W, 3] RGB, no side shorter than a tile.

        Returns:
            float32 [h, w], one logit a patch of ``card.patches``.

        Raises:
            UsageError: the network takes tiles only, or the picture is smaller than a tile.
        """
        size = self.card.tile_size
        if not self.card.any_size:
            raise UsageError(f"{self.card.name} takes tiles of {size} pixels: give it tiles")
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 3
            or pixels.shape[2] != 3
            or min(pixels.shape[:2]) < size
        ):
            raise UsageError(
                f"picture is {pixels.dtype} {list(pixels.shape)}: wanted uint8 [H, W, 3], sides of "
                f"{size} pixels or more"
            )
        planes = pixels.transpose(2, 0, 1)
        patches = self.card.patches
        return np.concatenate(
            [
                np.concatenate(
                    [
                        self._run(np.ascontiguousarray(planes[None, :, rows.pixels, columns.pixels])).logits[
                            0, rows.outputs, columns.outputs
                        ]
                        for columns in blocks(patches, pixels.shape[1], _BLOCK)
                    ],
                    axis=1,
                )
                for rows in blocks(patches, pixels.shape[0], _BLOCK)
            ]
        )

    @cached_property
    def _second_outputs(self) -> dict[str, int]:
        """Outputs beside the logits that the card names, with their width."""
        widths = {"branches": len(self.card.branches), "families": len(self.card.families)}
        named = {name: width for name, width in widths.items() if width}
        there = {output.name: output.shape[-1] for output in self._session.get_outputs()}
        for name, width in named.items():
            if there.get(name) != width:
                raise ModelError(
                    f"{self.path}: the card has {width} {name}, the network {there.get(name, 0)}: "
                    "the card belongs to another network"
                )
        return named

    def _run(self, tiles: NDArray[np.uint8]) -> Outputs:
        names = ["logits", *self._second_outputs]
        found: dict[str, Any] = dict(zip(names, self._session.run(names, {"tiles": tiles}), strict=True))
        nothing = np.zeros((len(tiles), 0), np.float32)
        return Outputs(found["logits"], found.get("branches", nothing), found.get("families", nothing))
