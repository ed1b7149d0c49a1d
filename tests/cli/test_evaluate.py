"""``spectrace evaluate`` from the outside, with tiny models made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from spectrace.cli import main
from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.card import METADATA_KEY, Calibration, Card, Thresholds
from spectrace.evaluation.results import Results

SIDE = 16


def brightness_model(path: Path, slope: float = 0.1) -> Path:
    """A detector whose logit is a tile's mean brightness, 128 becoming a score of 0."""
    nodes = [
        helper.make_node("Cast", ["tiles"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=1),
        helper.make_node("Squeeze", ["mean", "channel"], ["logits"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("channel", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("tiles", TensorProto.UINT8, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    card = Card(
        id=path.stem,
        version="1",
        title="Brightness",
        tile_size=SIDE,
        calibration=Calibration(slope=slope, intercept=-128 * slope, method="platt"),
        thresholds=Thresholds(generated=1.0, camera=-1.0),
    )
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten dark photographs, ten bright generated pictures, a manifest of them and a model."""
    rng = np.random.default_rng(0)
    for name, level in (("real", 80), ("fake", 180)):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = rng.integers(level - 30, level + 30, (20, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    manifest = Manifest.from_folders(
        real=tmp_path / "real", generated=tmp_path / "fake", root=tmp_path, shares={"val": 1.0}
    )
    manifest.write(tmp_path / "manifest.csv")
    brightness_model(tmp_path / "brightness.onnx")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str | Path) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["spectrace", "evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_tables_and_results_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        monkeypatch,
        folder,
        "brightness.onnx",
        *("--manifest", "manifest.csv", "--perturb", "gamma(gamma=0.2)", "--resamples", "50"),
        *("--out", "results/x.json"),
    )
    assert code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "10 real pictures from 1 sources" in shown.out
    assert "1.000 (1.000 to 1.000)" in shown.out
    assert "Summary" in shown.out
    results = Results.read(folder / "results" / "x.json")
    plain, bright = results.evaluations
    assert (plain.perturbation, bright.perturbation) == (None, "gamma(gamma=0.2)")
    assert plain.overall.figures["auroc"].value == 1.0
    assert plain.overall.figures["false_alarm_rate"].value == 0.0
    # Everything is bright afterwards, so everything is called generated.
    assert bright.overall.figures["false_alarm_rate"].value == 1.0
    assert plain.model == "brightness@1"
    assert plain.manifest_digest == Manifest.read(folder / "manifest.csv").digest()


def test_a_report_with_the_worst_mistakes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = brightness_model(folder / "inverted.onnx", slope=-0.1)
    arguments = (wrong, "--real", "real", "--generated", "fake", "--resamples", "20", "--quiet")
    assert run(monkeypatch, folder, *arguments, "--sweep", "flip", "--report", "pages/x.html") == 0
    page = (folder / "pages" / "x.html").read_text("utf-8")
    for part in ("Summary", "Generator by generator", "Robustness", "Reliability", "Worst mistakes"):
        assert part in page
    # Every picture is a mistake; the page shows the six worst of each class.
    assert page.count('alt="Its heatmap"') == 12


def test_json_on_stdout_is_the_results_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = brightness_model(folder / "inverted.onnx", slope=-0.1)
    arguments = ("brightness.onnx", other, "--real", "real", "--generated", "fake", "--json")
    assert run(monkeypatch, folder, *arguments, "--resamples", "20", "--out", "x.json") == 0
    out = capsys.readouterr().out
    assert out == (folder / "x.json").read_text()
    found = json.loads(out)
    assert [one["model"] for one in found["evaluations"]] == ["brightness@1", "inverted@1"]
    assert [one["overall"]["figures"]["auroc"]["value"] for one in found["evaluations"]] == [1.0, 0.0]
    assert found["evaluations"][0]["split"] is None
    assert found["environment"]["numpy"] == np.__version__


def test_the_same_seed_gives_the_same_figures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for seed in ("1", "1", "2"):
        arguments = (
            "brightness.onnx",
            "-m",
            "manifest.csv",
            "-p",
            "noise(std=200)",
            "--json",
            "--resamples",
            "9",
        )
        assert run(monkeypatch, folder, *arguments, "--seed", seed) == 0
        found.append(json.loads(capsys.readouterr().out)["evaluations"][1]["overall"]["figures"]["cllr"])
    assert found[0] == found[1] != found[2]


def test_unreadable_pictures_are_listed_and_make_three(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "real" / "3.png").write_text("text")
    arguments = ("brightness.onnx", "-m", "manifest.csv", "--resamples", "9")
    assert run(monkeypatch, folder, *arguments) == 3
    shown = capsys.readouterr()
    assert "real/3.png: " in shown.err
    assert "1 unreadable" in shown.out
    assert run(monkeypatch, folder, *arguments, "--quiet") == 3
    assert capsys.readouterr().err == ""


def test_unseen_is_measured_only_when_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = Manifest.read(folder / "manifest.csv")
    rows = [msgspec.structs.replace(row, split="unseen") for row in manifest]
    Manifest(rows, folder).write(folder / "unseen.csv")
    assert run(monkeypatch, folder, "brightness.onnx", "-m", "unseen.csv") == 2
    assert "name one with --split (it has unseen)" in capsys.readouterr().err
    arguments = ("brightness.onnx", "-m", "unseen.csv", "--split", "unseen", "--resamples", "9")
    assert run(monkeypatch, folder, *arguments) == 0


def test_a_manifest_without_splits_is_measured_as_a_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row(path=f"real/{n}.png", label="real") for n in range(3)]
    rows += [Row(path=f"fake/{n}.png", label="generated", generator="[gan]") for n in range(3)]
    Manifest(rows, folder).write(folder / "bare.csv")
    assert run(monkeypatch, folder, "brightness.onnx", "-m", "bare.csv", "--resamples", "9") == 0
    out = capsys.readouterr().out
    assert "on all rows: 3 real pictures" in out
    assert "[gan]" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "MODEL"),
        (("brightness.onnx",), "give --manifest FILE, or both"),
        (("brightness.onnx", "--real", "real"), "give --manifest FILE, or both"),
        (("brightness.onnx", "-m", "manifest.csv", "-r", "real"), "one or the other"),
        (("brightness.onnx", "-r", "real", "-g", "fake", "-s", "val"), "folders have no splits"),
        (("none.onnx", "-m", "manifest.csv"), "none.onnx"),
        (("manifest.csv", "-m", "manifest.csv"), "cannot be loaded"),
        (("brightness.onnx", "-m", "none.csv"), "none.csv is not there"),
        (("brightness.onnx", "-m", "manifest.csv", "-s", "test"), "no picture has the split 'test'"),
        (("brightness.onnx", "-m", "manifest.csv", "-p", "jpeg(quality=900)"), "quality"),
        (("brightness.onnx", "-m", "manifest.csv", "--resamples", "0"), "resamples"),
    ],
)
def test_wrong_usage_is_two_with_one_reason_and_no_output(
    folder: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, folder, *arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_sweeps_are_shown_and_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        monkeypatch,
        folder,
        "brightness.onnx",
        *("--manifest", "manifest.csv", "--sweep", "gamma", "--sweep", "noise", "--resamples", "20"),
        *("--out", "results.json"),
    )
    assert code == 0
    shown = capsys.readouterr().out
    assert "Gamma (gamma): brightness@1" in shown
    assert "White noise (noise): brightness@1" in shown
    results = Results.read(folder / "results.json")
    assert [curve.sweep for curve in results.sweeps] == ["gamma", "noise"]
    assert [point.strength for point in results.sweeps[1].points] == ["none", "2", "5", "10", "20"]
    assert len(results.evaluations) == 1


def test_an_unknown_sweep_is_refused_with_the_known_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, folder, "brightness.onnx", "-m", "manifest.csv", "--sweep", "rain") == 2
    message = capsys.readouterr().err
    assert "no sweep is called 'rain'" in message
    assert "double-jpeg-shifted" in message
