"""Experiments: read, refused, run, written."""

from __future__ import annotations

import json

import msgspec
import pytest

from spectrace.errors import RecipeError
from spectrace.studies import registry
from spectrace.studies.registry import Context, Experiment, register_study, study_names


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    count: int = 3


def draw(result):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot(result["numbers"])
    return figure


@pytest.fixture(autouse=True)
def counting(monkeypatch):
    monkeypatch.setattr(registry, "_STUDIES", dict(registry._STUDIES))

    @register_study("counting", Settings, figure=draw)
    def run(settings, context):
        return {"numbers": list(range(settings.count)), "folder": context.folder.name}


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_an_experiment_runs_and_is_written(tmp_path):
    path = write(tmp_path / "a.toml", 'study = "counting"\ntitle = "Counting"\n[quick]\ncount = 1\n')
    experiment = Experiment.read(path)
    whole = experiment.run(Context(tmp_path / "work"))
    assert whole["result"] == {"numbers": [0, 1, 2], "folder": "work"}
    assert whole["settings"] == {"count": 3}
    assert experiment.run(Context(tmp_path / "work"), quick=True)["result"]["numbers"] == [0]
    numbers, figure = experiment.write(whole, tmp_path / "out", "a")
    assert json.loads(numbers.read_text())["environment"]["cores"] >= 1
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study = 3", "no experiment"),
        ('study = "x"\ntitle = "X"', "study is 'x', known are: .*counting"),
        ('study = "counting"\ntitle = "C"\n[settings]\nnumber = 2', "settings: .*number"),
        ('study = "counting"\ntitle = "C"\n[quick]\ncount = "many"', "settings: .*int"),
        ('study = "counting"\ntitle = "C"\nmore = 1', "no experiment .*more"),
        ("[", "no experiment"),
    ],
)
def test_bad_experiments_are_one_line(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message) as raised:
        Experiment.read(write(tmp_path / "bad.toml", text))
    assert "\n" not in str(raised.value)


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="'counting'"):
        register_study("counting", Settings)(lambda settings, context: {})
    assert "counting" in study_names()
