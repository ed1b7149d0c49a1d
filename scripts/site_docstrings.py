"""Docstrings as the site shows them: Sphinx roles become links, ``Example:`` a section. An extension of Griffe."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, NameResolutionError, Object

ROLE = re.compile(r":[a-z]+:`(?:(?P<text>[^`<]+?)\s+<(?P<target>[^`>]+)>|(?P<name>[^`]+))`")
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Docstrings(Extension):
    """Rewrites every docstring once all of the package is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = EXAMPLE.sub("Examples:", obj.docstring.value)
            obj.docstring.value = ROLE.sub(lambda match: _link(match, obj), text)


def _link(match: re.Match[str], obj: Object) -> str:
    target = (match["target"] or match["name"]).lstrip("~.")
    shown = match["text"] or (target.rpartition(".")[2] if "~" in match[0] else target)
    first, _, rest = target.partition(".")
    try:
        path = target if first == "spectrace" else ".".join(filter(None, (obj.resolve(first), rest)))
    except NameResolutionError:
        return f"`{shown}`"
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
