"""Families of small generators.

One file a family, which registers itself; a new file in this folder needs no other edit.
"""

from __future__ import annotations

import importlib
import pkgutil

from spectrace.generators.families.registry import (
    Family,
    build_family,
    family_names,
    family_summary,
    register_family,
    resolve,
    wants_pieces,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "Family",
    "build_family",
    "family_names",
    "family_summary",
    "register_family",
    "resolve",
    "wants_pieces",
]
