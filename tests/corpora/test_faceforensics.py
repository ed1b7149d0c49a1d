"""The reader of FaceForensics++ on a made directory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.faceforensics import METHODS, read_faceforensics, read_splits
from spectrace.corpora.manifest import Manifest
from spectrace.corpora.masks import mask_of, read_mask
from spectrace.errors import ImageError, ManifestError, UsageError

PAIRS = {"train": [["071", "054"], ["001", "002"]], "val": [["720", "672"]], "test": [["953", "974"]]}
NAMES = [name for pairs in PAIRS.values() for pair in pairs for name in pair]


def write_frame(path: Path, shade: int = 0, size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, shade, shade)).save(path)


def make_layout(root: Path, level: str = "c23", frames: int = 3) -> Path:
    for name in NAMES:
        for number in range(frames):
            write_frame(root / f"original_sequences/youtube/{level}/images/{name}/{number:04d}.png")
    for folder in METHODS.values():
        part = root / "manipulated_sequences" / folder
        for pairs in PAIRS.values():
            for one, other in pairs:
                for sequence in (f"{one}_{other}", f"{other}_{one}"):
                    for number in range(frames):
                        write_frame(part / level / "images" / sequence / f"{number:04d}.png", 9)
                        write_frame(part / "masks/images" / sequence / f"{number:04d}.png", 255)
    splits = root / "splits"
    splits.mkdir(exist_ok=True)
    for split, pairs in PAIRS.items():
        (splits / f"{split}.json").write_text(json.dumps(pairs))
    return root


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return make_layout(tmp_path / "ff")


def read(root: Path, **options: object) -> tuple[Manifest, list[str]]:
    said: list[str] = []
    manifest = read_faceforensics(root, splits=root / "splits", on_problem=said.append, **options)  # type: ignore[arg-type]
    return manifest, said


def test_the_whole_layout(layout: Path) -> None:
    manifest, said = read(layout)
    assert said == []
    assert manifest.count("generator", "split") == {
        (generator, split): 3 * 2 * len(PAIRS[split])
        for generator in ("camera", *METHODS)
        for split in ("train", "val", "test")
    }
    assert {row.source for row in manifest} == {"c23"}
    row = next(row for row in manifest if row.extra["sequence"] == "054_071" and row.generator == "face2face")
    assert row.path == "manipulated_sequences/Face2Face/c23/images/054_071/0000.png"
    assert (row.label, row.split, row.extra["content"]) == ("generated", "train", "054/0000")
    assert row.extra["mask"] == "manipulated_sequences/Face2Face/masks/images/054_071/0000.png"
    assert all(manifest.locate(row).is_file() for row in manifest)


def test_content_is_shared_by_an_original_and_its_manipulations(layout: Path) -> None:
    manifest, _ = read(layout)
    together = [row for row in manifest if row.extra["content"] == "953/0002"]
    assert {row.generator for row in together} == {"camera", *METHODS}
    assert {row.split for row in together} == {"test"}
    assert {row.extra["sequence"] for row in together} == {"953", "953_974"}


@pytest.mark.parametrize("level", ["c0", "raw"])
def test_uncompressed_frames_have_two_names(tmp_path: Path, level: str) -> None:
    manifest, _ = read(make_layout(tmp_path, level), compression="c0")
    assert {row.source for row in manifest} == {"c0"}


def test_a_few_frames_are_spread_and_the_same_everywhere(tmp_path: Path) -> None:
    root = make_layout(tmp_path, frames=5)
    for frame in (root / "manipulated_sequences/Deepfakes/c23/images/071_054").glob("000[34].png"):
        frame.unlink()
    manifest, _ = read(root, frames=2)

    def frames_of(sequence: str, generator: str) -> list[str]:
        return [
            row.extra["content"][4:]
            for row in manifest
            if row.extra["sequence"] == sequence and row.generator == generator
        ]

    assert frames_of("071", "camera") == frames_of("071_054", "faceswap") == ["0000", "0004"]
    assert frames_of("071_054", "deepfakes") == ["0000"]  # what was not extracted is left out


def test_every_missing_part_is_one_line_and_the_rest_goes_on(layout: Path) -> None:
    (layout / "manipulated_sequences/Deepfakes/c23").rename(layout / "gone")
    (layout / "manipulated_sequences/FaceSwap/masks").rename(layout / "gone too")
    videos = layout / "manipulated_sequences/NeuralTextures/c23"
    (videos / "images").rename(layout / "gone as well")
    (videos / "videos").mkdir()
    (videos / "videos" / "071_054.mp4").touch()
    (layout / "splits" / "test.json").unlink()
    manifest, said = read(layout)
    assert {row.generator for row in manifest} == {"camera", "face2face", "faceswap"}
    assert not any("mask" in row.extra for row in manifest if row.generator == "faceswap")
    assert len(said) == 4
    assert all("\n" not in line for line in said)
    assert "Deepfakes/c23 is not there" in said[0]
    assert "FaceSwap is listed without" in said[1]
    assert "1 videos and no frames: extract them to" in said[2]
    assert "images/071_054/0001.png" in said[2]
    assert "4 sequences are in none of the split files, the first is 953:" in said[3]


def test_nothing_there_at_all(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no extracted frames of FaceForensics"):
        read_faceforensics(tmp_path)
    with pytest.raises(UsageError, match="compression 'c24': wanted one of c0, c23, c40"):
        read_faceforensics(tmp_path, compression="c24")
    with pytest.raises(UsageError, match="0 frames"):
        read_faceforensics(tmp_path, frames=0)


def test_without_split_files_nothing_has_a_split(layout: Path) -> None:
    said: list[str] = []
    manifest = read_faceforensics(layout, on_problem=said.append)
    assert manifest.count("split").keys() == {("",)}
    assert said == []


def test_paths_count_from_the_base(layout: Path) -> None:
    above = read_faceforensics(layout, base=layout.parent)
    assert above.rows[0].path.startswith("ff/original_sequences/")
    elsewhere = read_faceforensics(layout, base=layout / "splits")
    assert all(Path(row.path).is_absolute() and elsewhere.locate(row).is_file() for row in elsewhere)


def test_foreign_folders_and_files_are_passed_over(layout: Path) -> None:
    images = layout / "original_sequences/youtube/c23/images"
    write_frame(images / "notes" / "0000.png")
    write_frame(images / "071" / ".hidden.png")
    (images / "071" / "list.txt").touch()
    (images / "999").mkdir()
    before, _ = read(layout)
    assert before.count("label")["real",] == 3 * len(NAMES)


@pytest.mark.parametrize("text", ["{}", '[["071"]]', "[[1, 2]]", "junk"])
def test_bad_split_files_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ManifestError, match="train.json is not a list of pairs") as caught:
        read_splits(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_sequence_belongs_to_one_split(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds none of train.json, val.json, test.json"):
        read_splits(tmp_path)
    (tmp_path / "train.json").write_text('[["071", "054"]]')
    assert read_splits(tmp_path) == dict.fromkeys(("071", "054", "071_054", "054_071"), "train")
    (tmp_path / "test.json").write_text('[["054", "001"]]')
    with pytest.raises(ManifestError, match="sequence 054 is in the split train too"):
        read_splits(tmp_path)


def test_masks(layout: Path) -> None:
    manifest, _ = read(layout)
    row = next(row for row in manifest if row.is_generated)
    assert mask_of(manifest, row, 10, 12).all()
    with pytest.raises(ManifestError, match="is 12x10 pixels, its picture .* 8x9"):
        mask_of(manifest, row, 9, 8)
    real = manifest.rows[0]
    assert not mask_of(manifest, real, 4, 5).any()
    half = np.zeros((4, 6, 3), np.uint8)
    half[:, 3:, 1], half[:, :3] = 128, 127
    Image.fromarray(half).save(layout / "half.png")
    assert (read_mask(layout / "half.png") == (np.arange(6) >= 3)).all()
    with pytest.raises(ImageError):
        read_mask(layout / "none.png")
