"""The networks as a table, for the documents."""

from __future__ import annotations

import re

import torch

from spectrace.learning.networks.registry import (
    Network,
    build_network,
    network_ids,
    network_summary,
    whole_tile,
)

TILE = 128


def network_table() -> str:
    """All networks as a Markdown table: what each is, its patch, stride and parameters with one output.

    Tiles have 128 pixels: dense layers over the whole tile have more parameters on larger ones.

    Example:
        >>> print(network_table().splitlines()[0])
        | id | what it is | patch | stride | parameters |
    """
    lines = ["| id | what it is | patch | stride | parameters |", "|---|---|---:|---:|---:|"]
    # Without memory for weights that nobody looks at.
    with torch.device("meta"):
        lines += [
            _row(identity, build_network(identity, 1, TILE)) for identity in sorted(network_ids(), key=_order)
        ]
    return "\n".join(lines)


def _row(identity: str, network: Network) -> str:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    whole = network.patches == whole_tile(TILE)
    patch, stride = ("tile", "tile") if whole else (network.patches.size, network.patches.stride)
    return f"| `{identity}` | {network_summary(identity)} | {patch} | {stride} | {parameters:,} |"


def _order(identity: str) -> list[str]:
    """By number where ids differ in one: block 2 before block 10."""
    return [part.zfill(2) if part.isdigit() else part for part in re.split(r"(\d+)", identity)]
