"""Segmentation models in ONNX: the forms that are taken, the scalings, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.errors import ModelError, UsageError
from spectrace.explain.segmentation import SCALINGS, Segmenter

NAMES = ("dark", "bright")


def write(path, *, dtype="float", sides=("H", "W"), channels=3, output="logits", centre=128.0, label=1):
    """A model that calls pixels bright whose mean over the channels, as it is given, exceeds the centre."""
    from onnx import TensorProto, helper, save

    kind = {"float": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "double": TensorProto.DOUBLE}[dtype]
    nodes = [
        helper.make_node("Cast", ["picture"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axis"], ["grey"], keepdims=1),
        helper.make_node("Sub", ["grey", "centre"], ["bright"]),
        helper.make_node("Neg", ["bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], ["planes"], axis=1),
        helper.make_node("ArgMax", ["planes"], ["best"], axis=1, keepdims=int(output == "labels4")),
        helper.make_node("Mul", ["best", "label"], ["labels"]),
    ]
    name = "planes" if output == "logits" else "bright" if output == "plane" else "labels"
    shape = ["N", 2, "h", "w"] if name == "planes" else None
    graph = helper.make_graph(
        nodes,
        "segmenter",
        [helper.make_tensor_value_info("picture", kind, [1, channels, *sides])],
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name == "labels" else TensorProto.FLOAT, shape
            )
        ],
        [
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("centre", TensorProto.FLOAT, [], [centre]),
            helper.make_tensor("label", TensorProto.INT64, [], [label]),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def halves(height=64, width=96):
    pixels = np.full((height, width, 3), 30, np.uint8)
    pixels[:, width // 2 :] = 220
    return pixels


@pytest.mark.parametrize("output", ["logits", "labels", "labels4"])
@pytest.mark.parametrize("dtype", ["float", "uint8"])
@pytest.mark.parametrize("sides", [("H", "W"), (32, 64)])
def test_every_form_that_is_taken(tmp_path, output, dtype, sides):
    model = write(tmp_path / "m.onnx", dtype=dtype, output=output, sides=sides)
    labels = Segmenter(model, NAMES, "none").label(halves(), "")
    assert labels.dtype == np.uint16
    assert labels.shape == (64, 96)
    # Resizing blurs the step itself.
    assert (labels[:, :44] == 0).all()
    assert (labels[:, 52:] == 1).all()


# A grey of 119 is below the middle of 0..255 (127.5) and above the mean of ImageNet (116).
@pytest.mark.parametrize(
    ("scaling", "centre", "bright"),
    [
        ("none", 118.0, True),
        ("none", 120.0, False),
        ("unit", 0.466, True),
        ("unit", 0.468, False),
        ("symmetric", -0.07, True),
        ("symmetric", -0.06, False),
        ("imagenet", 0.07, True),
        ("imagenet", 0.09, False),
    ],
)
def test_scalings_of_float_inputs(tmp_path, scaling, centre, bright):
    """The mean of (119 - mean) / deviation over ImageNet's three channels is 0.079."""
    model = write(tmp_path / "m.onnx", centre=centre)
    labels = Segmenter(model, NAMES, scaling).label(np.full((40, 40, 3), 119, np.uint8), "")
    assert set(labels.ravel()) == {int(bright)}


@settings(max_examples=20)
@given(st.integers(1, 700), st.integers(1, 700))
def test_any_picture_gets_labels_of_its_size(tmp_path_factory, height, width):
    model = write(tmp_path_factory.mktemp("model") / "m.onnx", dtype="uint8")
    assert Segmenter(model, NAMES).label(np.zeros((height, width, 3), np.uint8), "").shape == (height, width)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"dtype": "double"}, "wanted one input, float32 or uint8"),
        ({"channels": 1}, "wanted one input, float32 or uint8"),
        ({"output": "plane"}, "a plane for each name, or integers"),
        ({"output": "labels", "label": 7}, "holds the label 7: wanted 0 to 1"),
        ({"output": "labels", "label": -7}, "holds the label -7: wanted 0 to 1"),
    ],
)
def test_other_models_are_refused_at_once(tmp_path, form, said):
    model = write(tmp_path / "m.onnx", **{"centre": -9.0, **form})
    with pytest.raises(ModelError, match=said) as caught:
        Segmenter(model, NAMES)
    assert "\n" not in str(caught.value)


def test_names_must_fit_the_planes(tmp_path):
    with pytest.raises(ModelError, match=r"wanted float \[1, 3, h, w\]"):
        Segmenter(write(tmp_path / "m.onnx"), ("a", "b", "c"))


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="cannot be loaded as an ONNX model"):
        Segmenter(tmp_path / "text.onnx", NAMES)
    with pytest.raises(ModelError, match="no segmentation model"):
        Segmenter(tmp_path / "missing.onnx", NAMES)
    with pytest.raises(UsageError, match="unknown scaling 'bgr': wanted one of imagenet, unit"):
        Segmenter(write(tmp_path / "m.onnx"), NAMES, "bgr")
    assert set(SCALINGS) == {"imagenet", "unit", "symmetric", "none"}
