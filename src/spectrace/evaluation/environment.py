"""The machine and the versions that a figure was made with."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import msgspec

from spectrace import __version__


class Environment(msgspec.Struct, frozen=True):
    """Versions of what computes the figures, and the hardware it ran on.

    Example:
        >>> Environment.here().cores >= 1
        True
    """

    spectrace: str
    python: str
    numpy: str
    onnxruntime: str
    pillow: str
    platform: str
    cpu: str
    cores: int

    @classmethod
    def here(cls) -> Environment:
        """This machine and this installation; reads metadata, imports nothing heavy."""
        return cls(
            spectrace=__version__,
            python=platform.python_version(),
            numpy=metadata.version("numpy"),
            onnxruntime=metadata.version("onnxruntime"),
            pillow=metadata.version("pillow"),
            platform=f"{platform.system()} {platform.machine()}",
            cpu=_cpu(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        )


def _cpu() -> str:
    # platform.processor() is empty on most Linux machines, where the kernel knows.
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
