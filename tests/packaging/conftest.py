"""What the files for other people's tools are checked with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def blocks():
    """``blocks(document, language)``: the code blocks of a document, in their order."""

    def find(document: str, language: str = "") -> list[str]:
        text = (ROOT / "docs" / document).read_text(encoding="utf-8")
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)

    return find


@pytest.fixture
def settings_of():
    """``settings_of(name)``: what a YAML file in the root of the repository says."""

    def read(name: str):
        return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))

    return read


@pytest.fixture
def fits():
    """``fits(schema, *paths)``: fails with what check-jsonschema says, unless files fit one of its schemas."""

    def check(schema: str, *paths: Path) -> None:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *paths]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr

    return check


@pytest.fixture
def parses():
    """``parses(arguments)``: fails unless the command takes such arguments; nothing is run."""
    from spectrace.cli import cli

    def parse(arguments: list[str]) -> dict[str, object]:
        verb, *rest = arguments
        return dict(cli.get_command(None, verb).make_context(verb, rest).params)

    return parse
