"""From a trained module to one ONNX file with its card inside."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import onnx
import torch

from spectrace import __version__
from spectrace.corpora.manifest import Manifest
from spectrace.detectors.card import METADATA_KEY, Card, OperatingLimits
from spectrace.detectors.metadata import replace_metadata
from spectrace.learning.loop import Trained
from spectrace.learning.network import DetectorNetwork
from spectrace.learning.recipes import Recipe
from spectrace.learning.saving import save_onnx

OPSET = 20
_KEPT = 16

# Tracing a network takes seconds; what is traced does not depend on the weights.
_exported: dict[str, onnx.ModelProto] = {}


def export_onnx(network: DetectorNetwork, card: Card, path: Path) -> None:
    """Write network and card as one file that the runtime loads.

    Input ``tiles`` uint8 ``[N, 3, S, S]`` with N free (and height and width, for a fully convolutional
    network), output ``logits`` float32 ``[N, h, w]`` or ``[N, K, h, w]``. The file is replaced at once, never
    half written.

    Args:
        network: put into evaluation mode.
        card: travels in the metadata.
        path: of the ``.onnx`` file.
    """
    network.eval()
    structure = _structure(network, card)
    if structure not in _exported:
        example = torch.zeros(2, 3, card.tile_size, card.tile_size, dtype=torch.uint8)
        free: dict[int, Any] = {0: torch.export.Dim("N", min=1)}
        if card.any_size:
            free |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        _exported[structure] = to_onnx(network, example, free, names=("tiles", "logits"))
        if len(_exported) > _KEPT:
            del _exported[next(iter(_exported))]
    model = onnx.ModelProto()
    model.CopyFrom(_exported[structure])
    _put_weights(model, network)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    save_onnx(model, path)


def to_onnx(
    module: torch.nn.Module, example: torch.Tensor, free: dict[int, Any], *, names: tuple[str, str]
) -> onnx.ModelProto:
    """A module with one input and one output as an ONNX model that says nothing of this machine.

    Args:
        module: in evaluation mode.
        example: an input, two samples or more.
        free: dimensions of the input that may vary.
        names: of input and output.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet_logging():
        # The exporter prints its steps and warns of its own deprecations; neither concerns the user.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=(free,),
            opset_version=OPSET,
            external_data=False,
            # Its optimiser takes "+ 1e-12" for "+ 0" and drops it; onnxruntime optimises when it loads.
            optimize=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip_notes(model)
    model.producer_name, model.producer_version = "spectrace", __version__
    return model


def replace_card(path: Path, card: Card) -> None:
    """Give a model file another card (after calibration or evaluation); the network is left as it is."""
    replace_metadata(path, METADATA_KEY, card.to_json())


def card_of(recipe: Recipe, trained: Trained, manifest: Manifest, seed: int) -> Card:
    """The card of a freshly trained, uncalibrated detector."""
    network = trained.network.network
    return Card(
        id=recipe.name,
        version=recipe.card.version,
        title=recipe.card.title or recipe.name,
        kind=recipe.card.kind,
        description=recipe.card.description,
        licence=recipe.card.licence,
        classes=trained.classes,
        tile_size=recipe.card.tile or recipe.tile,
        stride=network.patches.stride,
        receptive_field=network.patches.size,
        patch_start=network.patches.start,
        any_size=network.any_size,
        limits=OperatingLimits(min_side=recipe.card.tile or recipe.tile),
        pooling=recipe.card.pooling,
        stability=recipe.card.stability,
        training={
            "recipe": recipe_of_card(recipe),
            "digest": trained.digest,
            "manifest": manifest.digest(),
            "seed": seed,
            "epoch": trained.epoch,
            "val_loss": trained.best.loss,
            "val_auroc": trained.best.auroc,
            "torch": str(torch.__version__),
            "spectrace": __version__,
        },
    )


def recipe_of_card(recipe: Recipe) -> dict[str, object]:
    """The recipe as plain values, without the paths of this machine and without the card's own words."""
    fields: dict[str, object] = msgspec.to_builtins(recipe)
    data = dict(msgspec.to_builtins(recipe.data))
    for name in ("manifest", "real", "generated", "cache_mib"):
        del data[name]
    fields["data"] = data
    for name in ("card", "seeds", "workers"):
        del fields[name]
    return fields


def _structure(network: DetectorNetwork, card: Card) -> str:
    """All that the traced graph depends on: modules with their plain attributes, shapes, constant tensors."""
    words: list[object] = [card.tile_size, card.any_size]
    state = network.state_dict()
    for name, module in network.named_modules():
        plain = {
            key: value for key, value in vars(module).items() if isinstance(value, int | float | str | tuple)
        }
        words.append((name, type(module).__qualname__, sorted(plain.items(), key=lambda item: item[0])))
    words += [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in state.items()]
    for name, buffer in network.named_buffers():
        if name not in state:
            words.append((name, hashlib.sha256(buffer.contiguous().numpy().tobytes()).hexdigest()))
    return repr(words)


def _put_weights(model: onnx.ModelProto, network: DetectorNetwork) -> None:
    """Give a traced network the weights and buffers of one with the same structure."""
    state = network.state_dict()
    for tensor in model.graph.initializer:
        if tensor.name in state:
            values = state[tensor.name].detach().contiguous().numpy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _strip_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold stack traces with this machine's paths."""
    graph = model.graph
    for noted in (
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        del noted.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
