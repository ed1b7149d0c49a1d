"""What the documents say stands in results/, their links lead somewhere, and their commands exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from spectrace.cli import cli
from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.detector import Detector
from spectrace.provenance import Provenance

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_tables_are_those_of_the_results_files(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    specification = importlib.util.spec_from_file_location("docs_script", ROOT / "scripts" / "docs.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    differing = [path.name for path, old, new in script.documents() if old != new]
    assert not differing, "run scripts/docs.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def commands(document: Path) -> Iterator[list[str]]:
    """The words of every ``spectrace ...`` in the code of a document, without comments and pipes."""
    text = document.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(
        r"`(spectrace [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    for line in (*lines, *inline):
        if line.startswith("spectrace "):
            words = shlex.split(line, comments=True)
            yield words[1 : words.index("|") if "|" in words else None]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_their_options_exist(document):
    for words in commands(document):
        command: click.Command = cli
        context = click.Context(cli)
        rest = list(words)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(context, rest.pop(0))
            assert command is not None, f"{document.name}: spectrace {shlex.join(words)}"
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert given <= {*known, "-h", "--help"}, f"{document.name}: spectrace {shlex.join(words)}"


@pytest.mark.parametrize(
    "guide", ["one-picture", "screen", pytest.param("own-generator", marks=pytest.mark.slow)]
)
def test_the_guide_runs_on_the_example_pictures(guide, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    ran = [words for words in commands(ROOT / "docs" / f"guide-{guide}.md") if "examples" in " ".join(words)]
    assert ran
    for words in ran:
        assert cli.main(words, standalone_mode=False) in {None, 0, 1}, shlex.join(words)


def test_example_pictures_get_the_verdicts_that_the_guide_names():
    guide = (ROOT / "docs" / "guide-one-picture.md").read_text()
    named = re.findall(r"`(examples/[^`]+)` is `(\w+)`", guide)
    detector = Detector.load()
    assert {verdict: detector.detect(ROOT / path).verdict for path, verdict in named} == {
        verdict: verdict for verdict in Verdict
    }


def test_rows_are_described_as_they_are():
    rows, provenance = (ROOT / "docs" / "rows.md").read_text().split("## What a file says about itself")
    assert _keys(rows) == list(Detection(path=None, model="").to_dict())
    assert _keys(provenance) == [field.name for field in msgspec.structs.fields(Provenance)]


def _keys(table: str) -> list[str]:
    first_cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    return [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
