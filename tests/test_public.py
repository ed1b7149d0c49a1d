"""The public face: exactly these names, and light to import."""

from __future__ import annotations

import os
import subprocess
import sys

import spectrace


def test_the_public_names_are_exactly_these():
    assert sorted(spectrace.__all__) == [
        "Detection",
        "Detections",
        "Detector",
        "ImageError",
        "ImageProblem",
        "ManifestError",
        "MissingDependencyError",
        "ModelError",
        "RecipeError",
        "SpectraceError",
        "UsageError",
        "Verdict",
        "__version__",
        "detect",
        "detect_all",
    ]
    assert dir(spectrace) == sorted(spectrace.__all__)
    for name in spectrace.__all__:
        assert getattr(spectrace, name) is not None


def test_all_errors_have_one_root():
    errors = [getattr(spectrace, name) for name in spectrace.__all__ if name.endswith("Error")]
    assert len(errors) == 7
    assert all(issubclass(error, spectrace.SpectraceError) for error in errors)


def test_importing_is_light():
    code = (
        "import sys, spectrace\n"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'onnxruntime', 'torch', 'PIL', 'rich', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_looking_at_a_picture_leaves_nothing_in_the_home_folder(tmp_path):
    # onnxruntime is silent where these are set, and they may be set here.
    quiet = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    code = "import numpy, spectrace; spectrace.detect(numpy.zeros((256, 256, 3), numpy.uint8))"
    subprocess.run([sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
