"""``spectrace gate``: fails on generated pictures that are about to enter a repository."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli import github
from spectrace.cli.progress import progress
from spectrace.cli.rows import printable
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.detectors.detection import Detection

_GENERATED, _NOT_READ = "generated", "not read"


# Hooks put names behind the options as they are: one that looks like an option is a name all the same.
@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--since",
    metavar="REVISION",
    help="Look at what commits since then added or changed; FILE... narrows it, as pathspecs of Git.",
)
@click.option("--model", metavar="NAME|FILE", help="An installed model or an .onnx file [the shipped one].")
@click.option("--strict", is_flag=True, help="Fail on pictures that cannot be read, too.")
@click.option(
    "--github", "on_github", is_flag=True, help="Write annotations and a summary for GitHub Actions."
)
def command(
    files: tuple[str, ...], since: str | None, model: str | None, strict: bool, on_github: bool
) -> int:
    """Fail when pictures that enter a repository are generated: for hooks and workflows.

    FILE is the name of one file: no folders, lists or patterns. Files that do not end like pictures, and
    pictures of which nothing can be told, pass.

    Exit codes: 0 nothing generated found, 1 something found, 2 wrong usage, 3 some pictures unreadable (with
    --strict; otherwise they pass too).
    """
    if since is None:
        from spectrace.images.sources import ends_like_a_picture  # noqa: PLC0415

        if not files:
            raise UsageError("nothing to look at: name files, or a revision with --since")
        paths = [path for path in map(_file, files) if ends_like_a_picture(path)]
    else:
        from spectrace.images.repository import added_since  # noqa: PLC0415

        for name in files:
            if name.startswith("-"):
                raise UsageError(f"{name}: no option of spectrace gate; as a pathspec write ./{name}")
        paths = added_since(since, files)
    gate = _Gate(strict=strict, on_github=on_github)
    if paths:
        gate.look(paths, model)
    gate.close()
    return gate.exit_code


def _file(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise UsageError(f"{printable(name)}: neither a file nor an option of spectrace gate")
    return path


class _Gate:
    """One run: what it found, and how it says so."""

    def __init__(self, *, strict: bool, on_github: bool) -> None:
        self._strict = strict
        self._on_github = on_github
        self._counts: Counter[str] = Counter()
        self._found: list[tuple[str, str, str]] = []
        self._meaning = ""
        self._threshold = 0.0

    @property
    def exit_code(self) -> int:
        if self._counts[_GENERATED]:
            return 1
        return 3 if self._strict and self._counts[_NOT_READ] else 0

    def look(self, paths: list[Path], model: str | None) -> None:
        from spectrace.detectors.detector import Detector  # noqa: PLC0415  (heavy: only when it runs)
        from spectrace.explain.wording import meaning  # noqa: PLC0415

        detector = Detector.load(model)
        self._meaning = meaning(_GENERATED, detector.card)
        self._threshold = detector.card.thresholds.generated
        with progress("gate", len(paths)) as step:
            for path, row in zip(paths, detector.detect_many(paths), strict=True):
                self._take(os.fspath(path), row)
                step()

    def close(self) -> None:
        """Say how many there were of each kind, and what to do about those that were found."""
        lines = [self._sentence()]
        if self._counts[_GENERATED]:
            lines.append(self._meaning)
            lines.append(
                "To see the evidence: spectrace detect FILE --report evidence.html. If a picture may stay, "
                "exclude its path."
            )
        click.echo("\n".join(lines))
        target = os.environ.get("GITHUB_STEP_SUMMARY")
        if self._on_github and target:
            with Path(target).open("a", encoding="utf-8") as stream:
                stream.write(github.summary("\n\n".join(lines), self._found))

    def _take(self, name: str, row: Detection) -> None:
        kind = _NOT_READ if row.verdict is None else row.verdict.value
        self._counts[kind] += 1
        if kind == _GENERATED:
            self._say("error", kind, name, "Generated picture", _reason(row, self._threshold))
        elif kind == _NOT_READ:
            level: github.Level = "error" if self._strict else "warning"
            self._say(level, kind, name, "Picture not read", row.error or "")

    def _say(self, level: github.Level, kind: str, name: str, title: str, reason: str) -> None:
        self._found.append((kind, name, reason))
        if self._on_github:
            click.echo(github.annotation(level, name, title, f"{name}: {reason}"))
        else:
            click.echo(f"{kind:<11}{printable(name)}\n{'':11}{printable(reason)}")

    def _sentence(self) -> str:
        total = self._counts.total()
        if not total:
            return "no pictures to look at"
        kinds = (_GENERATED, "camera", "inconclusive", _NOT_READ)
        counts = ", ".join(f"{self._counts[kind]:,} {kind}" for kind in kinds if self._counts[kind])
        return f"{total:,} picture{'' if total == 1 else 's'}: {counts}"


def _reason(row: Detection, threshold: float) -> str:
    from spectrace.explain.wording import resemblance, signed  # noqa: PLC0415

    assert row.score is not None, "a verdict comes from a score"
    reason = f"score {signed(row.score)}, where {signed(threshold)} is enough"
    if row.family is not None and row.family_probability is not None:
        reason += f"; {resemblance(row.family, row.family_probability)}"
    return reason
