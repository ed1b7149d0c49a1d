"""The templates of the HTML pages in this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def template(name: str, **filters: Callable[[Any], str]) -> Template:
    """A page's template: text is escaped, and a name that is not given is an error.

    Args:
        name: of a file in this folder.
        filters: by the names that the template uses.
    """
    # jinja2 costs start-up time that only pages should pay.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("spectrace.explain", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)
