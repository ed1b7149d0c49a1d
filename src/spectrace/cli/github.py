"""What GitHub Actions reads from a step: annotations in its output, and its summary."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from typing import Literal

from spectrace.cli.rows import printable

Level = Literal["error", "warning"]


def annotation(level: Level, file: str, title: str, message: str) -> str:
    r"""A workflow command that annotates a file; no name can end it or begin another one.

    Args:
        level: an ``error`` or a ``warning``.
        file: path, relative to the root of the repository.
        title: a few words.
        message: one line for people.

    Example:
        >>> annotation("error", "a,b\n::stop.png", "Generated picture", "score +3, 2 %")
        '::error file=a%2Cb%0A%3A%3Astop.png,title=Generated picture::score +3, 2 %25'
    """
    properties = f"file={_property(file)},title={_property(title)}"
    return f"::{level} {properties}::{_data(printable(message))}"


def summary(counts: str, rows: Iterable[tuple[str, str, str]]) -> str:
    r"""A step's summary: a sentence, and a table in HTML, in which names are nothing but text.

    Args:
        counts: the sentence.
        rows: verdict, file and reason of each picture worth a look.

    Example:
        >>> print(summary("1 picture: 1 generated", [("generated", "<b>.png", "score +3")]))
        ### Spectrace
        <BLANKLINE>
        1 picture: 1 generated
        <BLANKLINE>
        <table>
        <tr><td>generated</td><td><code>&lt;b&gt;.png</code></td><td>score +3</td></tr>
        </table>
        <BLANKLINE>
    """
    lines = [
        f"<tr><td>{verdict}</td><td><code>{_text(file)}</code></td><td>{_text(reason)}</td></tr>"
        for verdict, file, reason in rows
    ]
    table = ["", "<table>", *lines, "</table>"] if lines else []
    return "\n".join(["### Spectrace", "", counts, *table, ""])


def _data(text: str) -> str:
    legible = os.fsencode(text).decode(errors="replace")
    return legible.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _text(text: str) -> str:
    return html.escape(printable(text))
