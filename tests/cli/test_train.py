from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.cli import main
from spectrace.detectors.card import Calibration
from spectrace.detectors.runtime import Model
from spectrace.generators.autoencoder import Autoencoder
from spectrace.learning.export import replace_card

RECIPE = """
name = "small"
tile = 16
epochs = {epochs}
steps_per_epoch = 4
batch = 8
workers = 0
seeds = [0]

[data]
real = "real"
generated = "generated"
val_tiles = 2

[representation]
id = "log-dct"

[network]
id = "linear"
"""


@pytest.fixture
def recipe(tmp_path) -> Path:
    """A recipe beside two folders of 40 small pictures each."""
    rng = np.random.default_rng(0)
    for label in ("real", "generated"):
        (tmp_path / label).mkdir()
        for number in range(40):
            noise = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            kernel = Image.Resampling.NEAREST if label == "generated" else Image.Resampling.BICUBIC
            Image.fromarray(noise).resize((24, 24), kernel).save(tmp_path / label / f"{number}.png")
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(epochs=2))
    return path


def spectrace(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["spectrace", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    code = left.value.code
    assert isinstance(code, int)
    return code


def test_trains_and_exports(recipe, tmp_path, monkeypatch, capsys):
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'run' / 'model.onnx'}\n"
    assert "epoch 2: loss" in captured.err
    assert "accuracy" in captured.err
    assert "\x1b" not in captured.err
    card = Model(tmp_path / "run" / "model.onnx").card
    assert (card.id, card.tile_size, card.training["seed"]) == ("small", 16, 0)
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_default_folder_seeds_quiet_resume_and_fresh(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert spectrace(monkeypatch, "train", recipe, "--seed", 3, "--seed", 4, "--seed", 3, "-q") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    models = [Path(line) for line in captured.out.splitlines()]
    assert [path.parent.name[-6:] for path in models] == ["-seed3", "-seed4"]
    assert all(
        path.parent.parent == Path("runs") and path.parent.name.startswith("small-") for path in models
    )
    tiles = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    three, four = (Model(path).logits(tiles) for path in models)
    assert np.abs(three - four).max() > 1e-4

    assert spectrace(monkeypatch, "train", recipe, "--seed", 3) == 0
    assert "going on after epoch 2" in capsys.readouterr().err
    np.testing.assert_array_equal(Model(models[0]).logits(tiles), three)

    (models[0].parent / "note.txt").write_text("mine")
    assert spectrace(monkeypatch, "train", recipe, "--seed", 3, "--fresh") == 0
    assert "going on" not in capsys.readouterr().err
    np.testing.assert_allclose(Model(models[0]).logits(tiles), three, atol=1e-5)
    assert (models[0].parent / "note.txt").is_file()


def test_folders_and_workers_from_the_command_line(recipe, tmp_path, monkeypatch, capsys):
    for label in ("real", "generated"):
        (tmp_path / label).rename(tmp_path / f"my-{label}")
    arguments = ["--real", tmp_path / "my-real", "--generated", tmp_path / "my-generated", "--workers", 2]
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run", *arguments) == 0
    assert (tmp_path / "run" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("change", "arguments", "complaint"),
    [
        (("epochs", "epoch"), [], "unknown field `epoch`"),
        (("tile = 16", "tile = 32"), [], "smaller than a tile"),
        (('real = "real"', 'real = "nowhere"'), [], "nowhere"),
        (("val_tiles = 2", 'val_split = "unseen"'), [], "kept for the last measurement"),
        (("", ""), ["--real", "real"], "only one of --real and --generated"),
        (("", ""), ["--seed", "-1"], "--seed"),
        (("", ""), ["--bogus"], "--bogus"),
        (("", ""), ["--device", "tpu"], "--device"),
        (("batch = 8", 'batch = 8\nselect = "luck"'), [], "select"),
        (("[data]", "[data]\npaired_share = 1.0"), [], "no such couple"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(recipe, monkeypatch, capsys, change, arguments, complaint):
    recipe.write_text(recipe.read_text().replace(*change))
    assert spectrace(monkeypatch, "train", recipe, "--out", recipe.parent / "run", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err
    assert "Traceback" not in captured.err


def test_missing_recipe(tmp_path, monkeypatch, capsys):
    assert spectrace(monkeypatch, "train", tmp_path / "none.toml") == 2
    assert "none.toml cannot be read" in capsys.readouterr().err


def test_another_recipes_run_is_not_overwritten(recipe, tmp_path, monkeypatch, capsys):
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run", "-q") == 0
    recipe.write_text(recipe.read_text().replace("batch = 8", "batch = 4"))
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run", "-q") == 2
    assert "another recipe" in capsys.readouterr().err


def test_interrupt_is_130_and_goes_on(recipe, tmp_path, monkeypatch, capsys):
    from spectrace.learning import checkpoints, loop

    def interrupted(folder, state):
        checkpoints.save_checkpoint(folder, state)
        if state["epoch"] == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", interrupted)
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run") == 130
    assert not (tmp_path / "run" / "model.onnx").exists()
    monkeypatch.setattr(loop, "save_checkpoint", checkpoints.save_checkpoint)
    assert spectrace(monkeypatch, "train", recipe, "--out", tmp_path / "run") == 0
    assert "going on after epoch 1" in capsys.readouterr().err


def test_a_calibrated_model_is_left_alone(recipe, tmp_path, monkeypatch):
    path = tmp_path / "run" / "model.onnx"
    arguments = ["train", recipe, "--out", path.parent, "-q"]
    assert spectrace(monkeypatch, *arguments) == 0
    plain = Model(path).card
    calibrated = msgspec.structs.replace(plain, calibration=Calibration(2.0, 1.0, "platt"))
    replace_card(path, calibrated)
    assert spectrace(monkeypatch, *arguments) == 0
    assert Model(path).card == calibrated
    recipe.write_text(recipe.read_text() + '[card]\ntitle = "Another title"\n')
    assert spectrace(monkeypatch, *arguments) == 0
    assert Model(path).card == msgspec.structs.replace(plain, title="Another title")
    path.write_bytes(b"broken")
    assert spectrace(monkeypatch, *arguments) == 0
    assert Model(path).card.title == "Another title"


def test_missing_packages_are_named_before_any_work(recipe, monkeypatch, capsys):
    monkeypatch.setattr(
        "spectrace.cli.training.find_spec", lambda name: None if name == "onnxscript" else True
    )
    assert spectrace(monkeypatch, "train", recipe) == 2
    assert "onnxscript, which is not installed: pip install 'spectrace[train]'" in capsys.readouterr().err


def command_for(recipe, workers):
    out = recipe.parent / "run"
    return [sys.executable, "-m", "spectrace", "train", recipe, "--out", out, "--workers", str(workers)]


def wait_for_epochs(count, log, process):
    deadline = time.monotonic() + 90
    while not (log.is_file() and log.read_text().count("\n") >= count):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_without_a_traceback(recipe):
    recipe.write_text(
        RECIPE.format(epochs="100_000\npatience = 100_000").replace('id = "linear"', 'id = "frank-cnn"')
    )
    process = subprocess.Popen(
        command_for(recipe, workers=2), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for_epochs(1, recipe.parent / "run" / "log.jsonl", process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert errors.rstrip().endswith("interrupted")


@pytest.mark.slow
def test_a_killed_process_goes_on(recipe):
    recipe.write_text(RECIPE.format(epochs=400).replace("[data]", "[data]\ncache_mib = 0", 1))
    command = command_for(recipe, workers=1)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = recipe.parent / "run" / "log.jsonl"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    wait_for_epochs(3, log, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = log.read_text().count("\n")
    recipe.write_text(recipe.read_text())
    resumed = subprocess.run(
        [*command, "--resume"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert resumed.returncode == 0, resumed.stderr
    going_on = next(line for line in resumed.stderr.splitlines() if line.startswith("going on"))
    assert int(going_on.split()[4].rstrip(",")) in (done - 1, done)
    epochs = [json.loads(line)["epoch"] for line in log.read_text().splitlines()]
    assert epochs == list(range(1, len(epochs) + 1))


PAIRS = RECIPE.replace('generated = "generated"\n', "").replace(
    "val_tiles = 2",
    'val_tiles = 2\npaired_share = 0.5\npairs = {{ autoencoders = ["ae.pt"], cache = "cache" }}',
)


def test_photographs_and_an_autoencoder_are_enough(recipe, monkeypatch, capsys):
    recipe.write_text(PAIRS.format(epochs=1))
    monkeypatch.chdir(recipe.parent)
    assert spectrace(monkeypatch, "train", recipe, "--out", "run") == 2
    error = capsys.readouterr().err
    assert "no autoencoder at ae.pt" in error
    assert len(error.splitlines()) == 1

    Autoencoder("nearest", width=4).save(recipe.parent / "ae.pt")
    for _ in range(2):  # the second time nothing is left to do
        assert spectrace(monkeypatch, "train", recipe, "--out", "run", "--workers", "1") == 0
    card = Model(recipe.parent / "run" / "model.onnx").card
    assert card.training["recipe"]["data"]["pairs"]["windows"] == 4
    assert any((recipe.parent / "cache").rglob("*.png"))

    Autoencoder("bilinear", width=4).save(recipe.parent / "ae.pt")
    assert spectrace(monkeypatch, "train", recipe, "--out", "run") == 2
    assert "another recipe" in capsys.readouterr().err
