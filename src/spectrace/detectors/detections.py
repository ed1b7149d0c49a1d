"""Many pictures' results: a sequence that is also a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, overload

from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.schema import column_types, flat, schema
from spectrace.detectors.shown import Shown
from spectrace.optional import load_pandas, load_pyarrow

ERROR = "error"
_PANDAS_TYPES = {int: "Int64", float: "float64", str: "string"}


# No collections.abc.Sequence: polars would take its items for rows, and never ask for the Arrow table.
class Detections(Shown):
    """Detections in their order, with the columns of ``spectrace detect --parquet`` and ``spectrace scan``.

    Goes wherever Arrow tables go: ``pyarrow.table(results)``, ``polars.DataFrame(results)``.

    Args:
        detections: any number, as :meth:`Detector.detect_many
            <spectrace.detectors.detector.Detector.detect_many>` gives them, say.

    Example:
        >>> results = Detections([Detection(path="a.jpg", model="demo@1", error="a.jpg is empty")])
        >>> len(results), results[0].path, results.rows()[0]["error"]
        (1, 'a.jpg', 'a.jpg is empty')
        >>> results
        <Detections of 1 picture: 1 error>
    """

    def __init__(self, detections: Iterable[Detection] = ()) -> None:
        self._detections = tuple(detections)

    def __len__(self) -> int:
        return len(self._detections)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self._detections)

    @overload
    def __getitem__(self, index: int) -> Detection: ...
    @overload
    def __getitem__(self, index: slice) -> Detections: ...
    def __getitem__(self, index: int | slice) -> Detection | Detections:
        found = self._detections[index]
        return found if isinstance(found, Detection) else Detections(found)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        pictures = f"{len(self)} picture{'' if len(self) == 1 else 's'}"
        return f"<Detections of {pictures}{counts and ': '}{counts}>"

    def counts(self) -> dict[str, int]:
        """How many there are of each verdict, and as ``error`` of unreadable pictures; those that occur.

        Example:
            >>> Detections([Detection(path="a.jpg", model="demo@1", verdict=Verdict.CAMERA)]).counts()
            {'camera': 1}
        """
        found = Counter(ERROR if one.verdict is None else one.verdict.value for one in self)
        names = [*(verdict.value for verdict in Verdict), ERROR]
        return {name: found[name] for name in names if found[name]}

    def rows(self) -> list[dict[str, Any]]:
        """A ``dict`` for each picture, all values fit for cells: reasons joined by ``; ``, parts as JSON."""
        return [flat(one.to_dict()) for one in self]

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table`` of these rows.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        arrow, _ = load_pyarrow()
        return arrow.Table.from_pylist(self.rows(), schema=schema())

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` of these rows, made without pyarrow.

        Whole numbers are ``Int64`` and text ``string``, which may be missing; scores ``float64``.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        pandas, types = load_pandas(), column_types()
        frame = pandas.DataFrame(self.rows(), columns=list(types))
        return frame.astype({name: _PANDAS_TYPES[kind] for name, kind in types.items()})

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule interface, by which data frame libraries take tables from each other."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)
