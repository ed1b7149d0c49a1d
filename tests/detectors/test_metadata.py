"""The metadata editor against the onnx package, and on bytes that are no model."""

from __future__ import annotations

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from spectrace.detectors.metadata import read_metadata, replace_metadata, with_metadata
from spectrace.detectors.runtime import installed_models
from spectrace.errors import ModelError


def model(**metadata: str) -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    # Functions are field 25: they come after the metadata.
    opset = helper.make_opsetid("", 18)
    function = helper.make_function(
        "local", "f", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [opset]
    )
    made = helper.make_model(graph, functions=[function], opset_imports=[opset])
    helper.set_model_props(made, metadata)
    return made


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=200), max_size=4),
    st.text(max_size=5),
    st.text(max_size=300),
)
def test_agrees_with_the_onnx_package(metadata, key, value):
    before = model(**metadata)
    data = before.SerializeToString()
    assert read_metadata(data) == metadata
    after = onnx.load_from_string(with_metadata(data, key, value))
    assert {entry.key: entry.value for entry in after.metadata_props} == {**metadata, key: value}
    assert len(after.metadata_props) == len({**metadata, key: value})
    del before.metadata_props[:], after.metadata_props[:]
    assert after == before
    onnx.checker.check_model(after)


@pytest.mark.parametrize("path", installed_models().values(), ids=str)
def test_a_shipped_model_keeps_every_other_byte(path):
    data = path.read_bytes()
    (key, card), *others = read_metadata(data).items()
    assert not others
    longer = with_metadata(data, key, card + " " * 1000)
    assert read_metadata(longer) == {key: card + " " * 1000}
    assert with_metadata(longer, key, card) == data


def test_unknown_fields_are_copied():
    # Fields 1000 to 1003 of all wire types, which no ONNX knows.
    unknown = b"\xc0\x3e\xac\x02" + b"\xc9\x3e12345678" + b"\xd2\x3e\x03abc" + b"\xdd\x3e1234"
    assert with_metadata(unknown, "k", "v") == unknown + b"\x72\x06\x0a\x01k\x12\x01v"


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a tag without its value
        b"\x72\x05\x0a",  # longer than the file
        b"\x00\x00",  # field 0
        b"\x0b\x0c",  # a group
        b"\xff" * 12,  # a number without an end
        b"\x72\x03\x0a\x01\xff",  # a key that is no text
        b"this is a text, not a model",
    ],
)
def test_other_bytes_are_a_model_error(data, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="m.onnx is no ONNX model"):
        replace_metadata(path, "k", "v")
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    assert path.read_bytes() == data


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data):
    try:
        changed = with_metadata(data, "k", "v")
    except ModelError:
        return
    assert read_metadata(changed) == {**read_metadata(data), "k": "v"}


def test_files_are_replaced_whole(tmp_path):
    path, link = tmp_path / "m.onnx", tmp_path / "link.onnx"
    data = model(a="1").SerializeToString()
    path.write_bytes(data)
    path.chmod(0o640)
    link.symlink_to(path)
    replace_metadata(link, "a", "2")
    assert link.is_symlink()
    assert read_metadata(path.read_bytes()) == {"a": "2"}
    assert path.stat().st_mode & 0o777 == 0o640
    copy = tmp_path / "new" / "copy.onnx"
    replace_metadata(path, "a", "3", output=copy)
    assert (read_metadata(path.read_bytes()), read_metadata(copy.read_bytes())) == ({"a": "2"}, {"a": "3"})
    assert not list(tmp_path.rglob("*.part"))
