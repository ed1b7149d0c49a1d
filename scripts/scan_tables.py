"""Tables of the guide to scans, from the results of its benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = (1_000_000, 10_000_000, 1_000_000_000)
PROCESSES = (2, 64, 1024)


def growth(path: Path) -> str:
    """One row a run."""
    lines = [
        "| pictures | processes | seconds | pictures a second | peak memory, MB | of it the parent | largest worker |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs_of(path):
        lines.append(
            f"| {run['pictures']:,} | {run['processes']} | {run['seconds']:,.1f} "
            f"| {run['pictures_per_second']:,.0f} | {run['peak_mb']:.0f} | {run['peak_parent_mb']:.0f} "
            f"| {run['peak_worker_mb']:.0f} |"
        )
    return "\n".join(lines)


def cost(path: Path) -> str:
    """What larger collections would cost at the rate and sizes of the largest run."""
    run = max(runs_of(path), key=lambda one: one["pictures"])
    rate = run["pictures_per_second"] / run["processes"]
    lines = [
        "| pictures | processor hours | "
        + " | ".join(f"days with {count:,} processes" for count in PROCESSES)
        + " | results, GB | listing, GB |",
        "|---:|" + "---:|" * (len(PROCESSES) + 3),
    ]
    for size in SIZES:
        hours = size / rate / 3600
        days = " | ".join(f"{hours / 24 / count:,.2f}" for count in PROCESSES)
        results, listing = (
            size * run[kind] / run["pictures"] / 1e9 for kind in ("result_bytes", "listing_bytes")
        )
        lines.append(f"| {size:,} | {hours:,.1f} | {days} | {results:,.1f} | {listing:,.1f} |")
    limit = run["seconds"] / run["parent_cpu_seconds"] * run["processes"]
    lines += [
        "",
        f"The parent computes {run['parent_cpu_seconds'] / run['pictures'] * 1e6:,.0f} microseconds a picture: "
        f"it would be busy all the time with about {limit:,.0f} processes of this speed.",
    ]
    return "\n".join(lines)


def kills(path: Path) -> str:
    """One row an engine."""
    document: dict[str, Any] = json.loads(path.read_text())
    lines = [
        "| engine | pictures, all scans | kills | rows at the end | lost | twice | other than undisturbed |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for engine, found in document["engines"].items():
        lines.append(
            f"| {engine} | {found['scans'] * document['pictures']:,} | {len(found['kills'])} | {found['rows']:,} | {found['lost']} "
            f"| {found['twice']} | {found['different']} |"
        )
    return "\n".join(lines)


def runs_of(path: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(path.read_text())["runs"]
    return runs


TABLES: dict[str, Callable[[Path], str]] = {"scan-growth": growth, "scan-cost": cost, "scan-kills": kills}
