"""Networks by id.

One file a network, which registers itself; a new file in this folder needs no other edit.
"""

from __future__ import annotations

import importlib
import pkgutil

from spectrace.learning.networks.registry import (
    Network,
    build_network,
    network_ids,
    register_network,
    whole_tile,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Network", "build_network", "network_ids", "register_network", "whole_tile"]
