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
    for run in sorted(runs_of(path), key=lambda one: (one["pictures"], one["processes"])):
        lines.append(
            f"| {run['pictures']:,} | {run['processes']} | {run['seconds']:,.1f} "
            f"| {run['pictures_per_second']:,.0f} | {run['peak_mb']:.0f} | {run['peak_parent_mb']:.0f} "
            f"| {run['peak_worker_mb']:.0f} |"
        )
    return "\n".join(lines)


def cost(path: Path) -> str:
    """What larger collections would cost at the rates and sizes measured: small files here, larger ones in `speed.json`."""
    run = max(runs_of(path), key=lambda one: one["pictures"])
    speed = json.loads(path.with_name("speed.json").read_text())["results"]
    seconds = {"192 px": run["seconds"] * run["processes"] / run["pictures"]}  # of one process, a picture
    for kind in ("1 MP", "12 MP"):
        seconds[kind] = speed[kind]["seconds"] * speed[kind]["workers"] / speed[kind]["pictures"]
    lines = [
        "| pictures | of | processor hours | "
        + " | ".join(f"{count:,} processes" for count in PROCESSES)
        + " | results, GB | listing, GB |",
        "|---:|---|---:|" + "---:|" * (len(PROCESSES) + 2),
    ]
    for size in SIZES:
        results, listing = (
            size * run[kind] / run["pictures"] / 1e9 for kind in ("result_bytes", "listing_bytes")
        )
        for kind, each in seconds.items():
            times = " | ".join(duration(size * each / count) for count in PROCESSES)
            lines.append(
                f"| {size:,} | {kind} | {size * each / 3600:,.0f} | {times} | {results:,.1f} | {listing:,.1f} |"
            )
    limit = run["seconds"] / run["parent_cpu_seconds"] * run["processes"]
    lines += [
        "",
        f"The parent computes {run['parent_cpu_seconds'] / run['pictures'] * 1e6:,.0f} microseconds a picture: with files this "
        f"small it would be busy all the time with about {limit:,.0f} processes of this speed, with 12 MP ones with "
        f"{limit * seconds['12 MP'] / seconds['192 px']:,.0f}.",
    ]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Rounded to what is worth knowing."""
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds / 60:,.0f} minutes" if seconds >= 60 else "under a minute"


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
