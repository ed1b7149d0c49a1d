"""Kill -9 in the middle of a scan, again and again: at the end every picture has exactly one row.

    python benchmarks/scan_kills.py [--pictures 20000] [--kills 10] [--engines local ray]
                                    [--out results/scan-kills.json]

A scan is started, killed at a random moment and started again; in turn the parent is killed, one of its
workers, and every process at once. After the last kill it runs to its end, and its rows are held against
those of a scan that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from scan_growth import descendants, first_paths, make_pictures, scan
from spectrace.evaluation.environment import Environment

VICTIMS = ("parent", "worker", "all")
PATIENCE = 180.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--engines", nargs="+", default=["local", "ray"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/scan-kills.json"))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder, workers = Path(scratch) / "pictures", arguments.workers
        make_pictures(folder, arguments.pictures)
        one = first_paths(folder, 1)[0]
        undisturbed = finish(folder, Path(scratch) / "undisturbed", "local", workers)
        expected = rows_of(Path(scratch) / "undisturbed")
        results = {}
        for engine in arguments.engines:
            start_up = finish(one, Path(scratch) / f"one-{engine}", engine, workers)
            outs = [Path(scratch) / engine]
            begun = time.perf_counter()
            kills: list[dict] = []
            ended: list[int] = []
            while len(kills) < arguments.kills:
                # Some work is left when the last one comes, so that all of them meet a scan at work.
                usual = start_up + 0.7 * undisturbed / arguments.kills
                victim = VICTIMS[len(kills) % len(VICTIMS)]
                moment = chance.uniform(0.0, 2.0) * usual
                process = started(folder, outs[-1], engine, workers)
                kill = killed(process, outs[-1], moment, victim)
                if kill is None and process.returncode:  # it ended by itself, but not well
                    ended.append(process.returncode)
                    print(engine, "ended with exit code", process.returncode, flush=True)
                    continue
                if kill is None:  # it was quicker than usual: the kills that are left need another one
                    outs.append(Path(scratch) / f"{engine}-{len(outs)}")
                    continue
                kills.append(kill)
                print(engine, json.dumps(kill), flush=True)
            finish(folder, outs[-1], engine, workers)
            found = Counter[str]()
            for out in outs:
                found.update(compared(rows_of(out), expected))
            results[engine] = {
                "seconds": round(time.perf_counter() - begun, 1),
                "start_up_seconds": round(start_up, 1),
                "kills": kills,
                "ended_by_themselves": ended,
                "scans": len(outs),
                **found,
            }
            print(
                engine,
                {name: value for name, value in results[engine].items() if name != "kills"},
                flush=True,
            )
    document = {
        "what": "kill -9 of a scan at random moments, then the same command again",
        "pictures": arguments.pictures,
        "workers": workers,
        "seed": arguments.seed,
        "undisturbed_seconds": round(undisturbed, 1),
        "environment": msgspec.to_builtins(Environment.here()),
        "engines": results,
    }
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")


def started(source: Path, out: Path, engine: str, workers: int) -> subprocess.Popen:
    return scan(source, "--out", out, "--engine", engine, "--workers", workers, "--exit-zero")


def finish(source: Path, out: Path, engine: str, workers: int) -> float:
    begun = time.perf_counter()
    process = started(source, out, engine, workers)
    if process.wait():
        raise SystemExit(f"the scan ended with exit code {process.returncode}")
    return time.perf_counter() - begun


def killed(process: subprocess.Popen, out: Path, seconds: float, victim: str) -> dict | None:
    """Kill a scan after so long, None where it ended before. Without a worker it goes on for a while."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return None
    family = descendants(process.pid)
    helpers = [pid for pid in family if is_worker(pid)]
    chosen = {"parent": family[:1], "worker": helpers[:1] or family[:1], "all": family}[victim]
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if chosen[0] != process.pid:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
    process.wait()
    gone(family)
    return {"after_seconds": round(seconds, 2), "victim": victim, "rows": len(rows_of(out))}


def is_worker(pid: int) -> bool:
    with suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"spawn_main" in command or command.startswith(b"ray::MapWorker")
    return False


def gone(family: list[int]) -> None:
    """Wait for what a killed parent leaves behind: it must end by itself."""
    end = time.monotonic() + PATIENCE
    while left := [pid for pid in family if descendants(pid)]:
        if time.monotonic() > end:
            raise SystemExit(f"processes {left} outlived their parent by {PATIENCE:.0f} seconds")
        time.sleep(0.2)


def rows_of(out: Path) -> list[dict]:
    parts = sorted((out / "rows").glob("part-*")) if out.exists() else []
    columns = ["path", "sha256", "score", "verdict", "error"]
    return [row for part in parts for row in pq.read_table(part, columns=columns).to_pylist()]


def compared(rows: list[dict], expected: list[dict]) -> dict:
    wanted = {row["path"]: row for row in expected}
    counts = Counter(row["path"] for row in rows)
    return {
        "rows": len(rows),
        "lost": len(wanted.keys() - counts.keys()),
        "twice": sum(count > 1 for count in counts.values()),
        "strange": len(counts.keys() - wanted.keys()),
        "different": sum(row != wanted.get(row["path"]) for row in rows),
        "with_error": sum(row["error"] is not None for row in rows),
    }


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
