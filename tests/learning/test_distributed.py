from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from spectrace.errors import UsageError
from spectrace.learning.checkpoints import load_checkpoint, read_log
from spectrace.learning.distributed import Processes, processes
from spectrace.learning.loop import train
from spectrace.learning.progress import Silent
from spectrace.learning.recipes import load_manifest, read_recipe

RECIPE = """
name = "shared"
tile = 16
epochs = 3
steps_per_epoch = 4
batch = 8
workers = 0
schedule = "cosine"
warmup = 2

[data]
manifest = "pictures.csv"
augment = ["flip@0.5", "jpeg(quality=60..95)@0.5"]
val_tiles = 2
paired_share = 0.5

[representation]
id = "log-dct"

[network]
id = "frank-cnn"

[penalties]
l2 = 0.01
"""


class KilledInEpoch2(Silent):
    def task(self, name, total):
        if name == "epoch 2":
            raise KeyboardInterrupt
        return super().task(name, total)


def test_alone():
    group = Processes(torch.device("cpu"))
    module = torch.nn.Linear(2, 1)
    assert group.share(module) is module
    assert group.first
    assert group.word("yes") == "yes"
    assert group.together(torch.ones(2)).shape == (1, 2)


def test_devices():
    with processes("auto") as group:
        assert group.count == 1
        assert group.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="'tpu', wanted one of auto, cpu, cuda"), processes("tpu"):
        pass


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="finds none here"), processes("cuda"):
        pass


def launched(recipe: Path, out: Path) -> str:
    """Trains with two processes on this machine; what they said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "spectrace", "train", recipe, "--out", out, "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out / 'model.onnx'}\n"
    return done.stderr


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_go_on_where_one_stopped(pictures, tmp_path):
    rows = [msgspec.structs.replace(row, extra={"content": row.path.split("/")[1]}) for row in pictures.rows]
    type(pictures)(rows, pictures.root).write(tmp_path / "pictures.csv")
    path = tmp_path / "shared.toml"
    path.write_text(RECIPE)
    recipe = read_recipe(path)
    manifest = load_manifest(recipe.data)
    alone = train(recipe, manifest, tmp_path / "alone", seed=0, workers=0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, manifest, tmp_path / "cut", seed=0, workers=0, progress=KilledInEpoch2())

    assert launched(path, tmp_path / "two").count("epoch 3: loss") == 1
    assert launched(path, tmp_path / "cut").count("going on after epoch 1") == 1
    expected = load_checkpoint(tmp_path / "alone", alone.digest, 0)
    for name in ("two", "cut"):
        found = load_checkpoint(tmp_path / name, alone.digest, 0)
        for key, value in expected["network"].items():
            np.testing.assert_allclose(found["network"][key], value, rtol=0, atol=1e-5, err_msg=key)
        assert found["random"].shape[0] == 2
        lines = [read_log(tmp_path / run / "log.jsonl") for run in ("alone", name)]
        assert [line["epoch"] for line in lines[1]] == [1, 2, 3]
        for one, two in zip(*lines, strict=True):
            assert two["train_loss"] == pytest.approx(one["train_loss"], abs=1e-5)
            assert two["val_patch_auroc"] == pytest.approx(one["val_patch_auroc"], abs=1e-5)
