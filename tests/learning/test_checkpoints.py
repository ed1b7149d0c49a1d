from __future__ import annotations

import pickle

import pytest
import torch

from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import (
    CHECKPOINT,
    Log,
    load_checkpoint,
    read_chance,
    read_log,
    save_checkpoint,
    seed_chance,
    write_chance,
)

STATE = {"digest": "abc", "seed": 1, "weights": torch.arange(3.0)}


def test_round_trip(tmp_path):
    assert load_checkpoint(tmp_path, "abc", 1) is None
    save_checkpoint(tmp_path, STATE)
    state = load_checkpoint(tmp_path, "abc", 1)
    assert state is not None
    assert torch.equal(state["weights"], STATE["weights"])
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize(("digest", "seed"), [("abd", 1), ("abc", 2)])
def test_another_recipe_or_seed_is_refused(tmp_path, digest, seed):
    save_checkpoint(tmp_path, STATE)
    with pytest.raises(RecipeError, match="holds a run of another recipe, data or seed"):
        load_checkpoint(tmp_path, digest, seed)


def test_a_kill_while_writing_leaves_the_old_state(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, STATE)

    def die(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, STATE | {"seed": 9})
    monkeypatch.undo()
    assert load_checkpoint(tmp_path, "abc", 1) is not None


class Bomb:
    def __reduce__(self):
        return (print, ("pickles must not run",))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(Bomb())])
def test_damaged_or_hostile_files_are_refused(tmp_path, capsys, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(RecipeError, match="--fresh") as raised:
        load_checkpoint(tmp_path, "abc", 1)
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().out == ""


def test_log_forgets_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    log = Log(path, 0)
    for epoch in (1, 2, 3):
        log.add(epoch=epoch, loss=1.0 / epoch)
    with path.open("a") as file:
        file.write('{"epoch": 4, "lo')
    assert [line["epoch"] for line in read_log(path)] == [1, 2, 3]
    Log(path, 2).add(epoch=3, loss=0.0)
    assert [line["loss"] for line in read_log(path)] == [1.0, 0.5, 0.0]


def test_chance_goes_on_from_a_row_of_many():
    cpu = torch.device("cpu")
    rows = []
    drawn = []
    for rank in range(3):
        seed_chance(7, rank)
        rows.append(read_chance(cpu))
        drawn.append(torch.rand(4))
    assert len({tuple(numbers.tolist()) for numbers in drawn}) == 3
    together = torch.stack(rows)
    for row, numbers in zip(together, drawn, strict=True):
        write_chance(row, cpu)
        assert torch.equal(torch.rand(4), numbers)


def test_chance_of_another_device_is_left_out():
    state = read_chance(torch.device("cpu"))
    expected = torch.rand(2)
    write_chance(torch.cat([state, torch.zeros(16, dtype=torch.uint8)]), torch.device("cpu"))
    assert torch.equal(torch.rand(2), expected)
