"""How results look in a notebook: the one place where this room reaches up, and only when a notebook asks."""

from __future__ import annotations


class Shown:
    """Drawn by :mod:`spectrace.explain.notebook` where it is the last line of a notebook's cell."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        try:
            from spectrace.explain.notebook import html_of  # noqa: PLC0415

            return html_of(self)
        except Exception:  # without HTML a notebook shows the plain text: better than a traceback
            return None
