"""Writes detections as they come: a table for people, or JSON, JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from spectrace.detectors.detection import Detection
from spectrace.detectors.schema import flat, schema
from spectrace.errors import UsageError
from spectrace.explain.wording import resemblance
from spectrace.images.video_formats import split_frame_path
from spectrace.optional import load_pyarrow

_COLOURS = {"generated": "red", "camera": "green", "inconclusive": "yellow"}
_SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


class RowWriter(ABC):
    """Takes detections one by one; ``close`` finishes the file, also after an interruption."""

    @abstractmethod
    def write(self, detection: Detection) -> None:
        """Add one picture's row."""

    def close(self) -> None:  # noqa: B027  (most formats have nothing to finish)
        """Finish what is written."""


class _Table(RowWriter):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self._line("verdict", "score", "p(gen.)", "picture")

    def write(self, detection: Detection) -> None:
        name = printable(detection.path or "(picture without a path)")
        if detection.error is not None:
            self._line("error", "", "", printable(detection.error), colour="magenta")
            return
        score = "" if detection.score is None else f"{detection.score:+.2f}"
        probability = "" if detection.probability is None else f"{detection.probability:.0%}"
        verdict = detection.verdict.value if detection.verdict else ""
        if split_frame_path(detection.path or "") is None:
            lines = list(detection.reasons)
            if detection.family is not None and detection.family_probability is not None:
                lines.append(printable(resemblance(detection.family, detection.family_probability)))
            reasons = "".join(f"\n{'':32}{line}" for line in lines)
        else:
            # A clip has many frames: their reasons in short, the clip's own in full.
            codes = ", ".join(reason.partition(":")[0] for reason in detection.reasons)
            reasons = codes and f" ({codes})"
        self._line(verdict, score, probability, name + reasons, colour=_COLOURS.get(verdict))

    def _line(self, verdict: str, score: str, probability: str, rest: str, colour: str | None = None) -> None:
        cell = f"{verdict:<13}"
        if self._colour and colour:
            cell = click.style(cell, fg=colour, bold=True)
        self._stream.write(f"{cell}{score:>7}{probability:>9}   {rest}\n")
        self._stream.flush()


class _JsonLines(RowWriter):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, detection: Detection) -> None:
        self._stream.write(json.dumps(detection.to_dict()) + "\n")
        self._stream.flush()


class _Json(RowWriter):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._before = "[\n"

    def write(self, detection: Detection) -> None:
        self._stream.write(self._before + json.dumps(detection.to_dict()))
        self._before = ",\n"

    def close(self) -> None:
        self._stream.write("[]\n" if self._before == "[\n" else "\n]\n")
        self._stream.flush()


class _Csv(RowWriter):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        columns = list(flat(Detection(path=None, model="").to_dict()))
        self._writer = csv.DictWriter(stream, columns, lineterminator="\n")
        self._writer.writeheader()

    def write(self, detection: Detection) -> None:
        self._writer.writerow(flat(detection.to_dict()))
        self._stream.flush()


class _Parquet(RowWriter):
    _GROUP = 10_000

    def __init__(self, path: Path) -> None:
        arrow, parquet = load_pyarrow()
        self._schema = schema()
        self._table_of = arrow.Table.from_pylist
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, detection: Detection) -> None:
        self._rows.append(flat(detection.to_dict()))
        if len(self._rows) == self._GROUP:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(self._table_of(self._rows, schema=self._schema))
        self._rows.clear()


def printable(text: str) -> str:
    r"""Text on one line with control characters escaped: file names are not to be trusted on a terminal.

    Example:
        >>> printable("a\x1b[2Jb\n.jpg")
        'a\\x1b[2Jb\\n.jpg'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text.encode(errors="surrogateescape").decode(errors="replace")
    )


def format_of(chosen: str | None, output: Path | None) -> str:
    """The format asked for, else the one of the output's suffix, else a table.

    Raises:
        UsageError: Parquet without a file to write, or a suffix that names no format.
    """
    if chosen is None and output is not None:
        chosen = _SUFFIXES.get(output.suffix.lower())
        if chosen is None:
            raise UsageError(
                f"--output {output}: its ending names no format; wanted {', '.join(_SUFFIXES)}, or one of "
                "--json, --jsonl, --csv and --parquet"
            )
    if chosen == "parquet" and output is None:
        raise UsageError("--parquet wants a file: add --output FILE.parquet")
    return chosen or "table"


def open_writer(kind: str, stream: TextIO | None, path: Path | None) -> RowWriter:
    """A writer of one of the formats, on a text stream (Parquet: on a path)."""
    if kind == "parquet":
        assert path is not None, "format_of asks for a path"
        return _Parquet(path)
    assert stream is not None, "only Parquet has no stream"
    writers: dict[str, Callable[[TextIO], RowWriter]] = {
        "table": _Table,
        "json": _Json,
        "jsonl": _JsonLines,
        "csv": _Csv,
    }
    return writers[kind](stream)
