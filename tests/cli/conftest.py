"""Runs the command in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from spectrace.cli import main


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def spectrace(monkeypatch, capsys):
    """``spectrace(*arguments) -> Result`` with the exit code and what went to stdout and stderr."""

    def run(*arguments) -> Result:
        monkeypatch.setattr(sys, "argv", ["spectrace", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
