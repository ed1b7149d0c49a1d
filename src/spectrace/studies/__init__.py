"""Studies: every table and figure as a command.

One file a study, which registers itself; a new file in this folder needs no other edit.
"""

from __future__ import annotations

import importlib
import pkgutil

from spectrace.studies.registry import Context, Experiment, register_study, study_names

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Context", "Experiment", "register_study", "study_names"]
