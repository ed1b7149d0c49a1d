"""The hook, the Action, and the guide to them: used as strangers would, but for the installation."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from spectrace.cli import cli
from spectrace.detectors.card import Thresholds
from spectrace.images.sources import SUFFIXES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "guide-repositories.md"


def picture(level):
    """A JPEG of one grey, which the toy model calls generated when it is bright and a camera's when it is dark."""
    stream = io.BytesIO()
    Image.new("RGB", (48, 32), (level, level, level)).save(stream, "JPEG")
    return stream.getvalue()


GENERATED, CAMERA = picture(200), picture(20)


@pytest.fixture
def model_option(toy_model):
    return f"--model={toy_model(thresholds=Thresholds(generated=20.0, camera=-20.0))}"


@pytest.fixture
def action(settings_of):
    return settings_of("action.yml")


@pytest.fixture
def workflow(blocks):
    return blocks(GUIDE, "yaml")[1]


def test_files_and_examples_fit_their_schemas(fits, workflow, tmp_path):
    path = tmp_path / "workflow.yml"
    path.write_text(workflow)
    fits("vendor.github-actions", ROOT / "action.yml")
    fits("vendor.github-workflows", path)


@pytest.mark.usefixtures("repository")
def test_the_hook_of_the_guide(settings_of, blocks):
    """With the shipped model, on the example that it calls generated and the one that it calls a camera's."""
    (hook,) = settings_of(".pre-commit-hooks.yaml")
    (used,) = yaml.safe_load(blocks(GUIDE, "yaml")[0])["repos"][0]["hooks"]
    assert used["id"] == hook["id"]
    shutil.copy(ROOT / "examples" / "generated" / "dcgan-samples.jpg", "a b.jpg")
    shutil.copy(ROOT / "examples" / "camera" / "clock.jpg", "-camera.jpg")
    program, *entry = hook["entry"].split()
    assert program == "spectrace"
    run = subprocess.run(
        [sys.executable, "-m", "spectrace", *entry, *used["args"], "-camera.jpg", "a b.jpg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith("generated  a b.jpg\n")
    assert "-camera.jpg" not in run.stdout
    assert "\n2 pictures: 1 generated, 1 camera\n" in run.stdout


def test_the_guide_shows_what_the_command_says(blocks, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (verb, *arguments) = shlex.split(blocks(GUIDE)[0].splitlines()[-1])[1:]
    assert cli.main([verb, *arguments], standalone_mode=False) == 1
    assert capsys.readouterr().out.startswith(blocks(GUIDE, "text")[0])


def test_the_hook_takes_pictures_that_are_read(settings_of):
    (hook,) = settings_of(".pre-commit-hooks.yaml")
    assert all(re.search(hook["files"], f"a b{suffix}") for suffix in SUFFIXES)
    assert re.search(hook["files"], "A.JPG")
    assert not any(re.search(hook["files"], name) for name in ("a.svg", "a.txt", "png", "a.png.txt"))


def scripts(action):
    return [step["run"] for step in action["runs"]["steps"] if "run" in step]


def test_the_action_puts_nothing_into_scripts(action):
    for script in scripts(action):
        assert "${{" not in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(action["inputs"])


def test_others_actions_are_pinned(action, workflow):
    uses = [step["uses"] for step in action["runs"]["steps"] if "uses" in step]
    uses += [step["uses"] for step in yaml.safe_load(workflow)["jobs"]["spectrace"]["steps"]]
    others = [one for one in uses if "spectrace" not in one]
    assert len(others) == 2
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in others)


@pytest.fixture
def step(action, workflow, tmp_path, model_option):
    """``step(base) -> process``: the last step of the Action, with the inputs of the guide's workflow."""
    programs = tmp_path / "spectrace" / "bin"
    programs.mkdir(parents=True)
    (programs / "spectrace").symlink_to(Path(sys.executable).with_name("spectrace"))
    inputs = yaml.safe_load(workflow)["jobs"]["spectrace"]["steps"][-1]["with"]
    assert set(inputs) <= set(action["inputs"])
    last = action["runs"]["steps"][-1]
    assert set(last["env"]) == {"BASE", "PATHS", "ARGS"}

    def run(base):
        variables = {
            "RUNNER_TEMP": os.fspath(tmp_path),
            "GITHUB_STEP_SUMMARY": os.fspath(tmp_path / "summary.md"),
            "BASE": base,
            "PATHS": inputs["paths"],
            "ARGS": f"{inputs['args']}\n{model_option}",
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", last["run"]],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_workflow_of_the_guide(step, repository, tmp_path):
    before = repository.commit({})
    repository.commit(
        {"images/art/meant.jpg": GENERATED, "elsewhere.jpg": GENERATED, "images/-c.jpg": CAMERA}
    )
    passed = step(before)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout == "1 picture: 1 camera\n"
    repository.commit({"images/new\none.jpg": GENERATED})
    failed = step(before)
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.startswith("::error file=images/new%0Aone.jpg,title=Generated picture::")
    assert "new\\none.jpg" in (tmp_path / "summary.md").read_text()
    unknown = step("")
    assert (unknown.returncode, unknown.stdout, unknown.stderr.count("\n")) == (2, "", 1)
