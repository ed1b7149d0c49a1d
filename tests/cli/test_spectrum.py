"""``spectrace spectrum`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from spectrace.cli.spectrum import command
from spectrace.spectra.fingerprints import Fingerprint
from spectrace.spectra.upsampling import upsample


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, np.ndarray]) -> Path:
    """Two folders: crops of photographs, and crops upsampled from half their size."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for name in ("camera", "nearest"):
        (root / name).mkdir()
    for index in range(12):
        pixels = photographs["coffee" if index % 2 else "astronaut"]
        top, left = rng.integers(0, 250, 2)
        crop = pixels[top : top + 128, left : left + 128]
        Image.fromarray(crop).save(root / "camera" / f"{index}.png")
        large = upsample(crop[:64, :64], 2, "nearest").astype(np.uint8)
        Image.fromarray(large).save(root / "nearest" / f"{index}.png")
    return root


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout, result.stderr


def test_figures_numbers_and_fingerprints(sets: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, errors = run(
        f"upsampled={sets / 'nearest'}",
        "--reference",
        sets / "camera",
        "--size",
        128,
        "--out",
        out,
        "--workers",
        1,
    )
    assert (code, errors) == (0, "")
    assert "upsampled: 12 pictures; likely upsampled by 2; prints: period 2 px in 12" in text
    assert "camera: 12 pictures; no common upsampling print" in text
    report = json.loads((out / "spectra.json").read_text())
    assert (report["schema_version"], report["size"], report["colour"]) == (1, 128, "grey")
    assert report["reference"] == "camera"
    first, second = report["sets"]
    assert (first["name"], first["upsampling_factor"], first["pictures"]) == ("upsampled", 2, 12)
    assert first["pictures_with_prints"]["by_factor"]["2"]["share"] == 1
    assert second["upsampling_factor"] is None
    assert len(first["radial_profile"]["mean_db"]) == 64
    assert len(first["diagonal_profile"]["mean_log_dct"]) == 128
    assert set(report["figures"]) == {
        "upsampled-mean.png",
        "upsampled-against-camera.png",
        "camera-mean.png",
        "radial.png",
        "diagonal.png",
    }
    for figure in report["figures"]:
        with Image.open(out / figure) as image:
            assert min(image.size) > 400
            assert np.asarray(image.convert("L")).std() > 10
    fingerprint = Fingerprint.load(out / first["fingerprint"])
    np.testing.assert_allclose(
        fingerprint.log_dct.mean[0].diagonal(), first["diagonal_profile"]["mean_log_dct"], atol=1e-5
    )


def test_colour_and_json(sets: Path, tmp_path: Path) -> None:
    code, text, _ = run(
        sets / "camera",
        sets / "camera",
        "--rgb",
        "--size",
        64,
        "--limit",
        3,
        "--json",
        "--out",
        tmp_path,
        "--workers",
        1,
    )
    report = json.loads(text)
    assert code == 0
    assert report == json.loads((tmp_path / "spectra.json").read_text())
    assert report["colour"] == "rgb"
    assert [entry["name"] for entry in report["sets"]] == ["camera", "camera-2"]
    assert [entry["pictures"] for entry in report["sets"]] == [3, 3]
    assert Fingerprint.load(tmp_path / "camera.npz").log_mean_dct.shape == (3, 64, 64)


def test_broken_and_small_pictures_are_listed_not_fatal(sets: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("0.png", "1.png"):
        (mixed / name).write_bytes((sets / "camera" / name).read_bytes())
    (mixed / "broken.jpg").write_text("not a picture")
    Image.new("RGB", (40, 50)).save(mixed / "small.png")
    code, text, errors = run(mixed, "--size", 128, "--out", tmp_path / "out", "--workers", 1)
    assert code == 3
    assert "mixed: 2 pictures (2 left out)" in text
    assert "broken.jpg is not a picture" in errors
    assert "40x50" in errors
    report = json.loads((tmp_path / "out" / "spectra.json").read_text())
    assert [skipped["unreadable"] for skipped in report["sets"][0]["skipped"]] == [True, False]
    (mixed / "broken.jpg").unlink()
    code, _, errors = run(mixed, "--size", 128, "--out", tmp_path / "out", "--workers", 1, "--quiet")
    assert (code, errors) == (0, "")  # too small is no error of reading


def test_wrong_usage_is_one_line_and_code_two(spectrace, sets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, wanted in (
        ((sets / "camera", "--size", 100), "multiple of 8"),
        ((sets / "camera", "--size", 512), "no picture of any set could be used"),
        ((empty,), "no picture of any set"),
        ((sets / "camera", "--reference", empty, "--size", 128), "no picture of the reference"),
        ((), "Missing argument"),
    ):
        result = spectrace("spectrum", *arguments, "--out", tmp_path / "out", "--workers", 1)
        assert result.code == 2
        assert wanted in result.err
        assert "Traceback" not in result.err


def small_set(folder: Path, photographs: dict[str, np.ndarray], seed: int, kernel: str | None = None) -> Path:
    """Thirty pieces of photographs scaled down to 48 pixels, or to 24 and upsampled."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for index in range(30):
        pixels = photographs[("astronaut", "coffee", "chelsea")[index % 3]]
        side = int(rng.integers(140, 290))
        top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
        piece = Image.fromarray(pixels[top : top + side, left : left + side])
        small = np.asarray(piece.resize((24, 24) if kernel else (48, 48), Image.Resampling.LANCZOS))
        large = np.clip(upsample(small, 2, kernel), 0, 255).astype(np.uint8) if kernel else small
        Image.fromarray(large).save(folder / f"{index:02}.png")
    return folder


def test_report_names_what_a_generator_leaves(tmp_path: Path, photographs: dict[str, np.ndarray]) -> None:
    camera = small_set(tmp_path / "camera", photographs, 0)
    samples = small_set(tmp_path / "my <b>net", photographs, 1, "zero-insertion")
    (samples / "broken.png").write_text("not a picture")
    page, own = tmp_path / "pages" / "page.html", tmp_path / "own.json"
    arguments = (samples, "--reference", camera, "--report", page, "--workers", 1)
    code, text, errors = run(*arguments, "--out", tmp_path / "out", "--known", own, "--save-known", "my net")
    assert code == 3  # one picture is unreadable, the rest is done
    assert "broken.png is not a picture" in errors
    assert "Strong traces: +" in text
    assert "a pattern of period 2" in text
    numbers = json.loads((tmp_path / "out" / "spectra.json").read_text())
    assert numbers["size"] == 48  # the largest multiple of 8 that the pictures allow
    report = numbers["report"]
    assert report["outcome"] == "traces"
    assert report["near"][0] == "upsampling: zero-insertion x2"
    assert report["counts"] == [30, 30]
    html = page.read_text(encoding="utf-8")
    assert "my &lt;b&gt;net" in html
    assert "<b>net" not in html
    assert "the largest multiple of 8" in html
    assert html.count("data:image/png;base64,") == 12  # six figures, each for light and dark
    assert "://" not in html
    assert [entry["name"] for entry in json.loads(own.read_text())["fingerprints"]] == ["my net"]

    (samples / "broken.png").unlink()
    code, text, errors = run(
        *arguments, "--out", tmp_path / "out", "--known", own, "--size", 32, "--json", "-q"
    )
    assert (code, errors) == (0, "")
    assert json.loads(text)["size"] == 32
    assert json.loads(text)["report"]["matches"][0]["name"] == "my net"


def test_report_wants_samples_and_photographs(spectrace, sets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = tmp_path / "page.html"
    camera, nearest = sets / "camera", sets / "nearest"
    for arguments, wanted in (
        ((nearest, "--report", page), "wanted one set of samples and --reference"),
        ((nearest, camera, "--reference", camera, "--report", page), "--report with 2 sets"),
        ((nearest, "--known", tmp_path / "known.json"), "belong to --report"),
        ((nearest, "--reference", camera, "--report", page, "--save-known", "x"), "without --known"),
        ((nearest, "--reference", camera, "--report", page, "--known", tmp_path / "none.json"), "none.json"),
        ((nearest, "--reference", camera, "--report", page, "--size", 24), "wants 32 pixels"),
    ):
        result = spectrace("spectrum", *arguments, "--out", tmp_path / "out", "--workers", 1, "-q")
        assert result.code == 2
        assert wanted in result.err
    assert not page.exists()


def test_missing_folder_is_unreadable_and_the_rest_is_done(spectrace, sets: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = spectrace(
        "spectrum", sets / "camera", tmp_path / "nowhere", "--size", 128, "--out", tmp_path, "--workers", 1
    )
    assert result.code == 3
    assert "nowhere" in result.err
    assert "camera: 12 pictures" in result.out


def test_help_imports_neither_scipy_nor_matplotlib() -> None:
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from spectrace.cli.spectrum import command\n"
        "assert CliRunner().invoke(command, ['--help']).exit_code == 0\n"
        "heavy = {'scipy', 'matplotlib', 'numpy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
