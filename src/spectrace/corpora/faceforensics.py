"""FaceForensics++ as it lies on disk: from folders of extracted frames to a manifest.

The layout is that of the data set's own download script (Rössler et al., *FaceForensics++: Learning to Detect
Manipulated Facial Images*, ICCV 2019, arXiv 1901.08971); the data is given out by agreement only::

    original_sequences/youtube/{c0|raw,c23,c40}/images/071/0001.png
    manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures}/{c0|raw,c23,c40}/images/071_054/0001.png
    manipulated_sequences/{...}/masks/images/071_054/0001.png

``071_054`` shows the sequence 071 with the face or the expression of 054, so its frames are aligned with
those of 071.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import Row
from spectrace.errors import ManifestError, UsageError
from spectrace.images.sources import SUFFIXES

METHODS: Mapping[str, str] = {
    "deepfakes": "Deepfakes",
    "face2face": "Face2Face",
    "faceswap": "FaceSwap",
    "neuraltextures": "NeuralTextures",
}
FAMILY = "face-manipulation"
SPLITS = ("train", "val", "test")
# The uncompressed frames have gone by two names.
COMPRESSIONS: Mapping[str, tuple[str, ...]] = {"c0": ("c0", "raw"), "c23": ("c23",), "c40": ("c40",)}

_SEQUENCE = re.compile(r"(\d{3,})(?:_(\d{3,}))?")
_VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv"})


class Sequence(NamedTuple):
    """One folder of frames.

    Attributes:
        name: ``071``, or ``071_054`` for a manipulation.
        target: the original sequence that it shows, ``071``.
        frames: paths by frame name (``0001``), in order.
    """

    name: str
    target: str
    frames: dict[str, Path]


def read_splits(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Read the official ``train.json``, ``val.json`` and ``test.json``: lists of pairs ``["071", "054"]``.

    Both directions of a pair and both of its originals belong to the split.

    Args:
        folder: that holds the files; one of them at least.

    Returns:
        The split of every sequence: ``071``, ``054``, ``071_054`` and ``054_071``.

    Raises:
        ManifestError: no such file, one that holds no pairs, or a sequence in two splits.
    """
    found: dict[str, str] = {}
    paths = [Path(folder) / f"{split}.json" for split in SPLITS]
    present = [path for path in paths if path.is_file()]
    if not present:
        raise ManifestError(
            f"{folder} holds none of {', '.join(path.name for path in paths)}: give the folder "
            "of the official split files"
        )
    for path in present:
        try:
            pairs = msgspec.json.decode(path.read_bytes(), type=list[tuple[str, str]])
        except (OSError, msgspec.DecodeError) as error:
            raise ManifestError(
                f"{path} is not a list of pairs of sequences ({error}): give the official split file"
            ) from error
        for one, other in pairs:
            for name in (one, other, f"{one}_{other}", f"{other}_{one}"):
                if found.setdefault(name, path.stem) != path.stem:
                    raise ManifestError(
                        f"{path}: sequence {name} is in the split {found[name]} too: give the official files"
                    )
    return found


def read_faceforensics(
    root: str | os.PathLike[str],
    *,
    compression: str = "c23",
    splits: str | os.PathLike[str] | None = None,
    frames: int | None = None,
    base: str | os.PathLike[str] | None = None,
    on_problem: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """List the extracted frames of FaceForensics++.

    Originals are ``real``; each manipulation is a ``generator``. The source is the compression level. The
    extra column ``content`` names the original's frame (``071/0001``), which the original and manipulations
    of it share; ``mask`` is the mask's path where there is one. Files are listed, not read: ``sha256`` stays
    empty.

    Args:
        root: folder that holds ``original_sequences`` and ``manipulated_sequences``.
        compression: ``c0`` (also on disk as ``raw``), ``c23`` or ``c40``.
        splits: folder of the official split files; without it no row has a split.
        frames: at most so many of a sequence, evenly spread, the same of an original and its
            manipulations.
        base: folder that paths are made relative to; None takes ``root``. Pictures outside keep absolute
            paths.
        on_problem: called with one line for every part that is missing; the rest goes on.

    Raises:
        ManifestError: nothing of the layout is there, or only videos.
        UsageError: an unknown compression level, or ``frames`` below 1.
    """
    if compression not in COMPRESSIONS:
        raise UsageError(f"compression {compression!r}: wanted one of {', '.join(COMPRESSIONS)}")
    if frames is not None and frames < 1:
        raise UsageError(f"{frames} frames of a sequence: wanted at least 1")
    top = Path(root).resolve()
    split_of = {} if splits is None else read_splits(splits)
    originals = _part(top / "original_sequences" / "youtube", compression, on_problem)
    chosen = {name: _spread(sequence.frames, frames) for name, sequence in originals.items()}
    listing = _Listing(top if base is None else Path(base).resolve(), compression, split_of)
    rows = [row for sequence in originals.values() for row in listing.rows(sequence, "", chosen, frames, {})]
    for generator, folder in METHODS.items():
        part = top / "manipulated_sequences" / folder
        sequences = _part(part, compression, on_problem)
        masks = _masks(part, bool(sequences), on_problem)
        for name, sequence in sequences.items():
            rows += listing.rows(sequence, generator, chosen, frames, masks.get(name, {}))
    if not rows:
        raise ManifestError(
            f"{top} holds no extracted frames of FaceForensics++ at {compression}: wanted "
            f"original_sequences/youtube/{compression}/images/071/0001.png and so on; "
            "extract the videos' frames first"
        )
    lost = sorted({row.extra["sequence"] for row in rows if not row.split}) if splits is not None else []
    if lost:
        on_problem(f"{len(lost)} sequences are in none of the split files, the first is {lost[0]}: no split")
    return Manifest(rows, listing.base)


class _Listing(NamedTuple):
    """What rows of every part have in common."""

    base: Path
    compression: str
    split_of: dict[str, str]

    def rows(
        self,
        sequence: Sequence,
        generator: str,
        chosen: Mapping[str, Iterable[str]],
        count: int | None,
        masks: Mapping[str, Path],
    ) -> Iterator[Row]:
        wanted = chosen.get(sequence.target) or _spread(sequence.frames, count)
        for frame in wanted:
            if frame not in sequence.frames:
                continue
            extra = {"content": f"{sequence.target}/{frame}", "sequence": sequence.name}
            if frame in masks:
                extra["mask"] = _written(masks[frame], self.base)
            yield Row(
                path=_written(sequence.frames[frame], self.base),
                label="generated" if generator else "real",
                split=self.split_of.get(sequence.name, ""),
                generator=generator,
                source=self.compression,
                family=FAMILY if generator else "",
                extra=extra,
            )


def _part(folder: Path, compression: str, on_problem: Callable[[str], None]) -> dict[str, Sequence]:
    """The sequences of one part at one compression level; what is missing is said in one line."""
    levels = [folder / level for level in COMPRESSIONS[compression] if (folder / level).is_dir()]
    if not levels:
        on_problem(f"{folder / compression} is not there: this part is left out")
        return {}
    sequences = _sequences(levels[0] / "images")
    if not sequences:
        videos = levels[0] / "videos"
        clips = (
            [path for path in videos.glob("*") if path.suffix.lower() in _VIDEOS] if videos.is_dir() else []
        )
        on_problem(
            f"{videos} holds {len(clips)} videos and no frames: extract them to "
            f"{levels[0] / 'images'}/{clips[0].stem if clips else '071'}/0001.png; left out"
            if clips
            else f"{levels[0] / 'images'} holds no folders of frames such as 071/0001.png: left out"
        )
    return sequences


def _masks(folder: Path, wanted: bool, on_problem: Callable[[str], None]) -> dict[str, dict[str, Path]]:
    masks = {name: sequence.frames for name, sequence in _sequences(folder / "masks" / "images").items()}
    if wanted and not masks:
        on_problem(f"{folder / 'masks' / 'images'} holds no masks: {folder.name} is listed without")
    return masks


def _sequences(folder: Path) -> dict[str, Sequence]:
    found = {}
    if not folder.is_dir():
        return {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        match = _SEQUENCE.fullmatch(place.name)
        files = [path for path in place.iterdir() if path.suffix.lower() in SUFFIXES]
        ordered = sorted(files, key=lambda path: (len(path.stem), path.name))
        frames = {path.stem: path for path in ordered if not path.name.startswith(".")}
        if match and frames:
            found[place.name] = Sequence(place.name, match.group(1), frames)
    return found


def _written(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _spread(frames: Iterable[str], count: int | None) -> list[str]:
    """At most ``count`` names, evenly spread from the first to the last."""
    names = list(frames)
    if count is None or count >= len(names):
        return names
    return [names[index] for index in np.linspace(0, len(names) - 1, count).round().astype(int)]
