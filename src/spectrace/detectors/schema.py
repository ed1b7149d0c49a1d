"""The columns of a table of detections: those of a detection's row, whatever they come to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from spectrace.detectors.detection import Detection
from spectrace.images.reading import escaped
from spectrace.optional import load_pyarrow


def schema(*further: str) -> Any:
    """Arrow schema of a table of detections: the keys of a row, and further columns of text.

    Raises:
        MissingDependencyError: pyarrow is not installed.

    Example:
        >>> [str(schema().field(name).type) for name in ("path", "score", "width", "reasons", "error")]
        ['string', 'double', 'int64', 'string', 'string']
    """
    arrow, _ = load_pyarrow()
    types = {int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    columns = [(name, types[kind]) for name, kind in column_types().items()]
    return arrow.schema([*columns, *((name, arrow.string()) for name in further)])


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    r"""A row whose every value fits a table's cell: lists joined by ``; ``, what has parts as JSON text.

    What is no UTF-8 in a file's name is escaped.

    Example:
        >>> flat({"score": 1.5, "reasons": ["a", "b"], "provenance": {"c2pa": True}, "path": "\udcff.jpg"})
        {'score': 1.5, 'reasons': 'a; b', 'provenance': '{"c2pa": true}', 'path': '\\udcff.jpg'}
    """
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value) if value else None
    text = "; ".join(value) if isinstance(value, list) else value
    return escaped(text) if isinstance(text, str) else text


def column_types() -> dict[str, type]:
    """``int``, ``float`` or ``str`` for each column of a table of detections.

    Example:
        >>> types = column_types()
        >>> types["width"], types["score"], types["reasons"]
        (<class 'int'>, <class 'float'>, <class 'str'>)
    """
    # From an example row and, where that has nothing, from the annotations.
    hints = get_type_hints(Detection)
    kinds: dict[str, type] = {}
    for name, value in Detection(path="", model="").to_dict().items():
        if value is None:
            held = getattr(Detection, name)
            hint = get_type_hints(held.fget)["return"] if isinstance(held, property) else hints[name]
            kinds[name] = next(kind for kind in get_args(hint) if kind is not type(None))
        else:
            kinds[name] = type(value)
    return {name: kind if kind in (int, float) else str for name, kind in kinds.items()}
