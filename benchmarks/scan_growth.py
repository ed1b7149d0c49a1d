"""How `spectrace scan` grows: pictures a second and peak memory over processes and over pictures.

    python benchmarks/scan_growth.py [--pictures 100000] [--out results/scan-growth.json]

Small JPEGs (noise and gradients, each file's bytes its own) are made in a temporary folder. Some runs have
all processors and a hundredth, a tenth and all of the pictures; the others a tenth of the pictures and other
numbers of processes. Memory is the proportional set size of the parent and its workers, read five times a
second. The parent's own processor time says how many workers one parent can serve.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from spectrace.evaluation.environment import Environment
from spectrace.threads import available_processors

SIDE = 192
DISTINCT = 400
A_FOLDER = 1000
LOOK_EVERY = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--out", type=Path, default=Path("results/scan-growth.json"))
    arguments = parser.parse_args()
    counts = [max(arguments.pictures // share, 1) for share in (100, 10, 1)]
    processors = available_processors()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        bytes_made = make_pictures(folder, arguments.pictures)
        runs = []
        for count, processes in [
            *((counts[1], processes) for processes in arguments.processes if processes != processors),
            *((count, processors) for count in counts),
        ]:
            names = Path(scratch) / "list.txt"
            names.write_text("\n".join(map(str, first_paths(folder, count))))
            out = Path(scratch) / f"out-{count}-{processes}"
            run = measured(f"@{names}", "--out", out, "--workers", processes, "--exit-zero")
            run |= {
                "pictures": count,
                "processes": processes,
                "pictures_per_second": round(count / run["seconds"], 1),
                "result_bytes": sum(path.stat().st_size for path in (out / "rows").iterdir()),
                "result_files": len(list((out / "rows").iterdir())),
                "listing_bytes": (out / "listing.sqlite").stat().st_size,
            }
            runs.append(run)
            print(json.dumps(run), flush=True)
    document = {
        "what": f"spectrace scan of JPEGs of {SIDE} x {SIDE} pixels, with start-up and summary",
        "bytes_a_picture": round(bytes_made / arguments.pictures),
        "environment": msgspec.to_builtins(Environment.here()),
        "runs": runs,
    }
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")


def make_pictures(folder: Path, count: int) -> int:
    """Small JPEGs in folders of a thousand, the same on every machine; says how many bytes they have."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(min(DISTINCT, count)):
        ramp = np.linspace(0, rng.uniform(60, 200), SIDE)[None, :, None] + np.zeros((SIDE, SIDE, 3))
        pixels = (ramp + rng.normal(30, rng.uniform(1, 25), ramp.shape)).clip(0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=int(rng.integers(70, 96)))
        encoded.append(out.getvalue())
    written = 0
    for number, path in enumerate(first_paths(folder, count)):
        if number % A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        raw = encoded[number % len(encoded)]
        # A comment after the first marker makes each file's bytes its own.
        comment = number.to_bytes(8, "big")
        written += path.write_bytes(raw[:2] + b"\xff\xfe\x00\x0a" + comment + raw[2:])
    return written


def first_paths(folder: Path, count: int) -> list[Path]:
    return [folder / f"{number // A_FOLDER:04}" / f"{number:07}.jpg" for number in range(count)]


def scan(*arguments: object, **options: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "spectrace", "scan", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, **options)  # type: ignore[call-overload]


def measured(*arguments: object) -> dict:
    """A whole scan: seconds, the parent's processor time, peak memory in MB of all, the parent, a worker."""
    begun = time.perf_counter()
    process = scan(*arguments)
    peaks = {"peak_mb": 0.0, "peak_parent_mb": 0.0, "peak_worker_mb": 0.0}
    parent_seconds = 0.0
    try:
        while process.poll() is None:
            sizes = {pid: memory_of(pid) for pid in descendants(process.pid)}
            parent = sizes.pop(process.pid, 0.0)
            now = (parent + sum(sizes.values()), parent, max(sizes.values(), default=0.0))
            peaks = {name: max(peaks[name], round(mb, 1)) for name, mb in zip(peaks, now, strict=True)}
            parent_seconds = processor_time(process.pid) or parent_seconds
            time.sleep(LOOK_EVERY)
    finally:
        process.kill()
    if process.returncode:
        raise SystemExit(f"the scan ended with exit code {process.returncode}")
    seconds = round(time.perf_counter() - begun, 2)
    return {"seconds": seconds, "parent_cpu_seconds": round(parent_seconds, 2), **peaks}


def processor_time(pid: int) -> float:
    """Seconds that a process has computed; 0 of one that has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descendants(root: int) -> list[int]:
    """A process and all that it started, from /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(entry.parent.name)] = int(parent)
    found = [root]
    for one in found:
        found += [pid for pid, parent in parents.items() if parent == one]
    return [pid for pid in found if pid in parents]


def memory_of(pid: int) -> float:
    """Proportional set size in MB; 0 of a process that has gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
