"""Which labelled pictures a command is to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spectrace.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from spectrace.corpora.manifest import Manifest

_USUAL_SPLIT = "val"


def labelled_pictures(
    path: Path | None,
    split: str | None,
    real: tuple[Path, ...],
    generated: tuple[Path, ...],
    *,
    set_aside: float = 0.0,
) -> tuple[Manifest, str | None]:
    """The manifest given by a file, or made of two lists of folders, and the split to use of it.

    Args:
        path: of a manifest.
        split: as asked for; None takes ``val`` if there is one, and all rows of a manifest without splits.
        real: folders of camera pictures.
        generated: folders of generated pictures.
        set_aside: of folders' pictures, the share that gets the split ``train`` and is not used itself.

    Raises:
        UsageError: neither a manifest nor folders were given, or both.
        ManifestError: the manifest cannot be read, or its splits leave open which one is meant.
    """
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415
    from spectrace.corpora.splits import shares_of  # noqa: PLC0415

    if path is None:
        if not (real and generated):
            raise UsageError("no pictures: give --manifest FILE, or both --real DIR and --generated DIR")
        if split is not None:
            raise UsageError("folders have no splits: leave --split out, or build a manifest of them")
        if set_aside:
            shares = shares_of(val=1.0 - set_aside)
            return Manifest.from_folders(real=real, generated=generated, shares=shares), _USUAL_SPLIT
        # Measured as a whole: every picture lands in the same split.
        return Manifest.from_folders(real=real, generated=generated, shares={"": 1.0}), None
    if real or generated:
        raise UsageError("--manifest and folders were given together: give one or the other")
    manifest = Manifest.read(path)
    if split is not None:
        return manifest, split
    splits = {row.split for row in manifest}
    if _USUAL_SPLIT in splits:
        return manifest, _USUAL_SPLIT
    if splits == {""}:
        return manifest, None
    known = ", ".join(sorted(name or "(none)" for name in splits))
    raise ManifestError(f"{path} has no split {_USUAL_SPLIT}: name one with --split (it has {known})")
