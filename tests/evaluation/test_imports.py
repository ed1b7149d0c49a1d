"""Measuring needs neither torch nor scikit-learn, and reading a manifest needs nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            "spectrace.evaluation.evaluate, spectrace.evaluation.tables",
            "torch sklearn onnxruntime matplotlib rich",
        ),
        (
            "spectrace.evaluation.calibrate, spectrace.evaluation.reliability",
            "torch onnx sklearn onnxruntime matplotlib rich",
        ),
        ("spectrace.corpora.manifest", "torch scipy PIL pyarrow rich onnxruntime"),
        ("spectrace.cli.evaluate, spectrace.cli.manifest", "numpy scipy PIL rich onnxruntime matplotlib"),
    ],
)
def test_heavy_packages_stay_out(modules: str, absent: str) -> None:
    code = f"import sys; import {modules}; print(*[n for n in {absent.split()!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
