"""Fixtures shared by every room's tests: real photographs that ship inside wheels."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage
import sklearn
from hypothesis import HealthCheck, settings
from PIL import Image

if TYPE_CHECKING:
    from spectrace.detectors.card import Card

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
_SKIMAGE = Path(skimage.__file__).parent / "data"
_SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
_PHOTOGRAPHS = {
    "astronaut": _SKIMAGE / "astronaut.png",
    "coffee": _SKIMAGE / "coffee.png",
    "chelsea": _SKIMAGE / "chelsea.png",
    "rocket": _SKIMAGE / "rocket.jpg",
    "hubble": _SKIMAGE / "hubble_deep_field.jpg",
    "retina": _SKIMAGE / "retina.jpg",
    "china": _SKLEARN / "china.jpg",
    "flower": _SKLEARN / "flower.jpg",
}

os.environ.setdefault("MPLBACKEND", "Agg")

# A shared machine may pause at any moment; CI must give the same answer twice.
settings.register_profile(
    "spectrace",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault of a test
)
settings.load_profile("spectrace")


@pytest.fixture(scope="session")
def photograph_paths() -> dict[str, Path]:
    """Paths of real photographs (PNG and JPEG) that ship in scikit-image and scikit-learn."""
    return dict(_PHOTOGRAPHS)


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    """The same photographs as uint8 [H, W, 3] arrays; read-only, copy before writing."""
    pictures = {}
    for name, path in _PHOTOGRAPHS.items():
        with Image.open(path) as image:
            array = np.asarray(image.convert("RGB"))
        array.flags.writeable = False
        pictures[name] = array
    return pictures


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus beside the checkout; tests that use it are skipped where it is absent."""
    if not (CORPUS / "manifest.csv").is_file():
        pytest.skip("../shared/corpus is not here")
    return CORPUS


@dataclass(frozen=True)
class Repository:
    """A Git repository of the test's own."""

    folder: Path

    def git(self, *arguments: str) -> str:
        """What Git says to a command."""
        run = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, check=True)
        return os.fsdecode(run.stdout).strip()

    def commit(self, files: dict[str, bytes]) -> str:
        """Writes files and commits all that differs; gives the revision."""
        for name, raw in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with one commit, which is the current folder; no settings of this machine apply to it."""
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": "a@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }.items():
        monkeypatch.setenv(name, value)
    made = Repository(tmp_path / "repository")
    made.folder.mkdir()
    monkeypatch.chdir(made.folder)
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit({"README.md": b"A repository\n"})
    return made


def save_model(
    path: Path, card: Card, nodes: list, constants: list, tiles: list[str | int], logits: list[str | int]
) -> Path:
    """Writes a graph from ``tiles`` to ``logits``, of those shapes, with its card."""
    from onnx import TensorProto, helper, save

    from spectrace.detectors.card import METADATA_KEY

    graph = helper.make_graph(
        nodes,
        card.id,
        [helper.make_tensor_value_info("tiles", TensorProto.UINT8, tiles)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    save(model, str(path))
    return path


def write_toy_model(path: Path, **card_fields: object) -> Path:
    """A detector whose logit is the tile's mean brightness (0..255) minus 128: easy to predict by hand."""
    from onnx import TensorProto, helper

    from spectrace.detectors.card import Card

    fields: dict[str, object] = {
        "id": "toy",
        "version": "1",
        "title": "A toy",
        "tile_size": 16,
        **card_fields,
    }
    card = Card(**fields)  # type: ignore[arg-type]
    size = card.tile_size
    nodes = [
        helper.make_node("Cast", ["tiles"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "centre"], ["centred"]),
        helper.make_node("Reshape", ["centred", "shape"], ["logits"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("centre", TensorProto.FLOAT, [], [128.0]),
        helper.make_tensor("shape", TensorProto.INT64, [3], [-1, 1, 1]),
    ]
    return save_model(path, card, nodes, constants, ["N", 3, size, size], ["N", 1, 1])


@pytest.fixture
def toy_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a toy detector (see :func:`write_toy_model`) with the given card fields; gives its path."""

    def make(**card_fields: object) -> Path:
        return write_toy_model(tmp_path / f"{card_fields.get('id', 'toy')}.onnx", **card_fields)

    return make


def write_patch_model(path: Path, seed: int = 0, last_stride: int = 2, **card_fields: object) -> Path:
    """A fully convolutional detector with random weights: two 3x3 convolutions, stride 2, padding 1 each."""
    from onnx import TensorProto, helper, numpy_helper

    from spectrace.detectors.card import Card

    grid = {"receptive_field": 7, "stride": 2 * last_stride, "patch_start": -3, "any_size": True}
    card = Card(
        **{"id": "patches", "version": "1", "title": "Random", "tile_size": 16, **grid, **card_fields}
    )  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    weights = {
        "first": rng.normal(0, 0.02, (4, 3, 3, 3)).astype(np.float32),
        "second": rng.normal(0, 0.2, (1, 4, 3, 3)).astype(np.float32),
    }
    convolution = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Cast", ["tiles"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["floats", "first"], ["features"], strides=[2, 2], **convolution),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("Conv", ["positive", "second"], ["maps"], strides=[last_stride] * 2, **convolution),
        helper.make_node("Squeeze", ["maps", "axes"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    constants.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    return save_model(path, card, nodes, constants, ["N", 3, "H", "W"], ["N", "h", "w"])


@pytest.fixture
def patch_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a fully convolutional detector (see :func:`write_patch_model`); gives its path."""

    def make(**card_fields: object) -> Path:
        path = tmp_path / f"{card_fields.get('id', 'patches')}.onnx"
        return write_patch_model(path, **card_fields)  # type: ignore[arg-type]

    return make


def write_family_model(path: Path, **card_fields: object) -> Path:
    """An attribution model: the lattice's logit is a tile's brightness minus 128, the decoder's its opposite."""
    from onnx import TensorProto, helper

    from spectrace.detectors.card import Card

    classes = ["camera", "gan-lattice", "latent-decoder"]
    card = Card(
        **{"id": "families", "version": "1", "title": "", "tile_size": 16, "classes": classes, **card_fields}
    )  # type: ignore[arg-type]
    nodes = [
        helper.make_node("Cast", ["tiles"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["mean", "centre"], ["centred"]),
        helper.make_node("Mul", ["centred", "signs"], ["logits"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("centre", TensorProto.FLOAT, [], [128.0]),
        helper.make_tensor("signs", TensorProto.FLOAT, [1, 3, 1, 1], [0.0, 1.0, -1.0]),
    ]
    size = card.tile_size
    return save_model(path, card, nodes, constants, ["N", 3, size, size], ["N", 3, 1, 1])


@pytest.fixture
def family_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes an attribution model (see :func:`write_family_model`); gives its path."""

    def make(**card_fields: object) -> Path:
        return write_family_model(tmp_path / "families.onnx", **card_fields)

    return make


@pytest.fixture
def fusion_model(
    tmp_path: Path,
    toy_model: Callable[..., Path],
    patch_model: Callable[..., Path],
    family_model: Callable[..., Path],
) -> Callable[..., Path]:
    """Writes a fusion of the toy (weight 0.5, mean 10), random patches (2, 1) and families; bias 0.25."""
    from spectrace.learning.fusion import fuse

    def make(**card_fields: object) -> Path:
        path = tmp_path / "fusion.onnx"
        fields = {"families": family_model(), **card_fields}
        fuse([toy_model(), patch_model()], [0.5, 2.0], [10.0, 1.0], 0.25, path, **fields)  # type: ignore[arg-type]
        return path

    return make
