"""Which photographs a caller means: folders and files, or the real pictures of a manifest."""

from __future__ import annotations

from pathlib import Path

import click

from spectrace.errors import UsageError

MANIFESTS = (".csv", ".parquet")


def photograph_paths(
    given: tuple[str, ...], split: str, sources: tuple[str, ...], *, quiet: bool
) -> list[Path]:
    """Paths of the photographs; problems go to stderr.

    Args:
        given: folders, files, globs, @lists; or one manifest.
        split: of the manifest.
        sources: of the manifest; none takes all.
        quiet: no warnings.

    Raises:
        UsageError: nothing is left, several manifests, or the split kept for the last measurement.
    """
    if any(name.endswith(MANIFESTS) for name in given):
        paths = _of_manifest(given, split, sources)
    else:
        from spectrace.images.sources import expand  # noqa: PLC0415  (heavy: only when it runs)

        if sources:
            raise UsageError("--source chooses from a manifest: give a manifest, or folders without it")
        paths = list(expand(given, lambda line: None if quiet else click.echo(line, err=True)))
    if not paths:
        raise UsageError(f"no photograph in {', '.join(given)}: wanted camera pictures to learn from")
    return paths


def _of_manifest(given: tuple[str, ...], split: str, sources: tuple[str, ...]) -> list[Path]:
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415
    from spectrace.corpora.splits import refuse_forbidden  # noqa: PLC0415

    if len(given) > 1:
        raise UsageError("a manifest and something else: wanted one manifest, or folders and files")
    refuse_forbidden(split)
    manifest = Manifest.read(given[0])
    unknown = set(sources) - {row.source for row in manifest}
    if unknown:
        raise UsageError(f"no source {', '.join(sorted(unknown))} in {given[0]}")
    chosen = manifest.select(label="real", split=split, source=sources or None)
    return [manifest.locate(row) for row in chosen]
