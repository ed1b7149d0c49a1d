"""Fusions: several detectors merged into one ONNX file with one card. torch is not needed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, version_converter

from spectrace import __version__
from spectrace.corpora.manifest import Manifest
from spectrace.detectors.card import METADATA_KEY, NO_FAMILY, Branch, Card, OperatingLimits
from spectrace.detectors.runtime import Model
from spectrace.errors import ModelError, UsageError
from spectrace.evaluation.crossfit import Scored
from spectrace.evaluation.fusion import branch_logits, joined
from spectrace.learning.saving import save_onnx

_NO_TRACES = "camera"


def fuse(
    models: Sequence[str | Path],
    weights: Sequence[float],
    means: Sequence[float],
    bias: float,
    output: Path,
    *,
    names: Sequence[str] | None = None,
    families: str | Path | None = None,
    **fields: Any,
) -> Card:
    """Merge detectors into one: a tile's logit is ``bias + sum(weights * (logits - means))``.

    All see the same tiles. A detector of patches keeps their places, and what a detector of whole tiles says
    is added to every patch; of several patch grids the finest keeps its places, the others are averaged over
    the tile. Calibrations and thresholds of the detectors are left behind: the fusion wants its own.

    Args:
        models: ``.onnx`` files of binary detectors with one tile size. Fully convolutional ones with smaller
            tiles fit any.
        weights: one a model, 0 or more.
        means: one a model: its logit for a picture it knows nothing of.
        bias: the logit of a picture that no branch knows anything of.
        output: where to write the fusion; the folder is made if need be.
        names: of the branches, distinct; None takes the models' ids.
        families: a model that tells families of traces apart (classes, one of them ``camera`` or ``none`` for
            no traces): the fusion says which family a picture's traces resemble.
        fields: of the card, in place of those that are gathered from the models.

    Returns:
        The card that was written.

    Raises:
        UsageError: numbers that do not fit the models, or a weight below 0.
        ModelError: a model that is no binary detector (``families``: one that is), tiles that differ in size,
            or branches of one name.
    """
    loaded = [Model(path) for path in models]
    names = [model.card.id for model in loaded] if names is None else names
    if not models or not len(models) == len(weights) == len(means) == len(names):
        raise UsageError(
            f"{len(weights)} weights, {len(means)} means and {len(names)} names for {len(models)} models: "
            "wanted one of each a model, and at least one model"
        )
    if not all(math.isfinite(number) for number in (*weights, *means, bias)) or min(weights) < 0.0:
        raise UsageError(f"weights {list(weights)}: wanted finite numbers, none below 0")
    hints = [] if families is None else [Model(families)]
    for one in hints:
        if one.card.binary:
            raise ModelError(
                f"{one.card.name} tells camera from generated: families want an attribution model"
            )
    size = _tile_size([*loaded, *hints])
    parts = [
        _part(model, Branch(name, model.card.title, model.card.kind, float(weight), float(mean)), size)
        for model, name, weight, mean in zip(loaded, names, weights, means, strict=True)
    ]
    finest = max(parts, key=lambda part: (part.patches, -part.model.card.receptive_field))
    cards = [part.model.card for part in parts]
    gathered: dict[str, Any] = {
        "id": "fusion",
        "version": "1",
        "title": f"Fusion of {', '.join(names)}",
        "kind": "fusion",
        "licence": " AND ".join(dict.fromkeys(card.licence for card in cards)),
        "stride": finest.model.card.stride,
        "receptive_field": finest.model.card.receptive_field,
        "patch_start": finest.model.card.patch_start,
        "tiles": max(card.tiles for card in cards),
        "limits": OperatingLimits(
            min_side=max(size, *(card.limits.min_side for card in cards)),
            min_jpeg_quality=max(card.limits.min_jpeg_quality for card in cards),
        ),
        "stability": list(dict.fromkeys(spec for card in cards for spec in card.stability)),
        "families": [NO_FAMILY if name == _NO_TRACES else name for one in hints for name in one.card.classes],
    }
    training = {
        "spectrace": __version__,
        "branches": {part.branch.name: _origin(part.model) for part in parts},
        "families": [_origin(one) for one in hints],
    }
    card = Card(
        tile_size=size,
        branches=[part.branch for part in parts],
        training=training | fields.pop("training", {}),
        **(gathered | fields),
    )
    merged = _merged(card, parts, finest, bias, hints)
    helper.set_model_props(merged, {METADATA_KEY: card.to_json()})
    output.parent.mkdir(parents=True, exist_ok=True)
    save_onnx(merged, output)
    return card


def out_of_fold_logits(
    folds: Iterable[tuple[Sequence[str | Path], Manifest]],
    conditions: Sequence[str],
    *,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> Scored:
    """Logits of branches on pictures that they were not trained on, to fit a fusion's weights to.

    Training scores would favour the branch that knows its pictures by heart. So every fold has branches of
    its own, trained without the fold's generators, and these score the fold's pictures.

    Args:
        folds: the branches' models, in the same order in every fold, and the fold's pictures. One fold is
            enough where one set of branches knows none of the pictures.
        conditions: as for :func:`.branch_logits`; the rest, too.
        seed: of the conditions' chance.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        Logits [n, B] for :func:`.fit_branches`.

    Raises:
        UsageError, ModelError, ManifestError: as :func:`fuse` and :func:`.branch_logits`; also folds with
            different numbers of branches, or no fold.
    """
    sets = list(folds)
    if len({len(models) for models, _ in sets}) != 1:
        raise UsageError(f"branches in {len(sets)} folds: wanted at least one fold, and as many in each")
    parts = []
    with TemporaryDirectory() as folder:
        for number, (models, rows) in enumerate(sets):
            path = Path(folder) / f"{number}.onnx"
            names = [str(place) for place in range(len(models))]
            fuse(models, [1.0] * len(models), [0.0] * len(models), 0.0, path, names=names)
            parts.append(
                branch_logits(Model(path), rows, conditions, seed=seed, workers=workers, visit=visit)
            )
    return joined(parts)


@dataclass(frozen=True)
class _Part:
    """A branch and its network, which gives ``grid`` logits a tile."""

    model: Model
    branch: Branch
    grid: tuple[int, ...]

    @property
    def patches(self) -> int:
        return math.prod(self.grid)


def _part(model: Model, branch: Branch, size: int) -> _Part:
    card = model.card
    if not card.binary:
        raise ModelError(
            f"{card.name} tells {', '.join(card.classes)} apart: branches tell camera from generated"
        )
    return _Part(model, branch, model.logits(np.zeros((1, 3, size, size), np.uint8)).shape[1:])


def _tile_size(models: Sequence[Model]) -> int:
    """The tiles that all models take."""
    fixed = {model.card.tile_size for model in models if not model.card.any_size}
    size = max(fixed or {model.card.tile_size for model in models})
    if len(fixed) > 1 or any(model.card.tile_size > size for model in models):
        found = ", ".join(f"{model.card.name} {model.card.tile_size}" for model in models)
        raise ModelError(f"tiles of different sizes in pixels ({found}): a fusion wants one size for all")
    return size


def _origin(model: Model) -> dict[str, Any]:
    digest = hashlib.sha256(model.path.read_bytes()).hexdigest()
    return {"model": model.card.name, "sha256": digest, "training": model.card.training}


def _merged(
    card: Card, parts: Sequence[_Part], finest: _Part, bias: float, hints: Sequence[Model]
) -> onnx.ModelProto:
    """One graph: the branches side by side on the same tiles, weighed and added."""
    sources = [onnx.load(model.path) for model in (*(part.model for part in parts), *hints)]
    opset = max(_opset(source) for source in sources)
    merged = helper.make_model(
        helper.make_graph([], card.id, [], []),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=max(source.ir_version for source in sources),
        producer_name="spectrace",
        producer_version=__version__,
    )
    graph, node = merged.graph, helper.make_node
    prefixes = [f"branch{number}/" for number in range(len(parts))] + ["families/"] * len(hints)
    for source, prefix in zip(sources, prefixes, strict=True):
        _add(merged, source, prefix, opset)
    graph.initializer.extend(
        [
            helper.make_tensor("fusion/bias", TensorProto.FLOAT, [], [bias]),
            helper.make_tensor("fusion/places", TensorProto.INT64, [2], [1, 2]),
            helper.make_tensor("fusion/last", TensorProto.INT64, [1], [2]),
        ]
    )
    added, shares = ["fusion/bias"], []
    for part, prefix in zip(parts, prefixes, strict=False):
        own = f"fusion/{prefix}"
        for name, value in (("mean", part.branch.mean), ("weight", part.branch.weight)):
            graph.initializer.append(helper.make_tensor(own + name, TensorProto.FLOAT, [], [value]))
        graph.node.extend(
            [
                node("Sub", [f"{prefix}logits", f"{own}mean"], [f"{own}centred"]),
                node("Mul", [f"{own}centred", f"{own}weight"], [f"{own}patches"]),
                node("ReduceMean", [f"{own}patches", "fusion/places"], [f"{own}tile"], keepdims=1),
                node("Squeeze", [f"{own}tile", "fusion/last"], [f"{own}share"]),
            ]
        )
        kept = part.grid == finest.grid and part.model.card.patches == finest.model.card.patches
        added.append(own + ("patches" if kept else "tile"))
        shares.append(f"{own}share")
    graph.node.extend([node("Sum", added, ["logits"]), node("Concat", shares, ["branches"], axis=1)])
    outputs: dict[str, list[str | int]] = {"logits": ["N", *finest.grid], "branches": ["N", len(parts)]}
    if hints:
        graph.initializer.append(helper.make_tensor("fusion/families-places", TensorProto.INT64, [2], [2, 3]))
        graph.node.append(
            node("ReduceMean", ["families/logits", "fusion/families-places"], ["families"], keepdims=0)
        )
        outputs["families"] = ["N", len(card.families)]
    size = card.tile_size
    graph.input.append(helper.make_tensor_value_info("tiles", TensorProto.UINT8, ["N", 3, size, size]))
    for name, shape in outputs.items():
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return merged


def _opset(model: onnx.ModelProto) -> int:
    """Version of the ONNX operators that a graph is written in."""
    return max(int(entry.version) for entry in model.opset_import if not entry.domain)


def _add(merged: onnx.ModelProto, source: onnx.ModelProto, prefix: str, opset: int) -> None:
    """Put a detector's graph into the fusion's, every name with the prefix."""
    if _opset(source) < opset:
        source = version_converter.convert_version(source, opset)
    part = compose.add_prefix(source, prefix).graph
    merged.graph.node.append(helper.make_node("Identity", ["tiles"], [f"{prefix}tiles"]))
    merged.graph.node.extend(part.node)
    merged.graph.initializer.extend(part.initializer)
