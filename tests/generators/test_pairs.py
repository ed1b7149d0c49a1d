"""Folders of aligned pairs: both sides are encoded alike."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from spectrace.cli.generate.reconstruct import command
from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError, ModelError, UsageError
from spectrace.generators.autoencoder import Autoencoder
from spectrace.generators.pairs import chosen, encoding_of, write_pairs
from spectrace.images.decode import decode
from spectrace.learning.pairs import Reconstructor

NEGATIVE = Reconstructor("negative", "1", lambda pixels: 255 - pixels)
SAME = Reconstructor("same", "0", lambda pixels: pixels)


@pytest.fixture
def folder(tmp_path, photographs):
    """Photographs as JPEG of two kinds and PNG; one twice, one broken, one WebP, one small."""
    root = tmp_path / "photos"
    (root / "phone").mkdir(parents=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, settings in {
        "phone/a.jpg": {"quality": 50, "exif": turned},
        "phone/b.jpg": {"quality": 90, "subsampling": "4:4:4"},
        "c.png": {},
        "lossy.webp": {"quality": 50},
        "small.png": {},
    }.items():
        pixels = photographs["astronaut"][100:300, : 60 if "small" in name else 250]
        Image.fromarray(pixels).save(root / name, **settings)
    (root / "again.jpg").write_bytes((root / "phone" / "b.jpg").read_bytes())
    (root / "broken.jpg").write_bytes(b"broken")
    return root


@pytest.fixture
def photographs_in(folder):
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.*"))]
    rows = [Row(path=name, label="real", split="train", source="web") for name in names]
    rows += [
        Row(path="kept-back.jpg", label="real", split="unseen"),
        Row(path="made.png", label="generated", split="train", generator="gan"),
    ]
    return Manifest(rows, folder)


def by_content(manifest) -> dict[str, dict[str, Row]]:
    found = {}
    for row in manifest:
        found.setdefault(row.extra["content"], {})[row.generator] = row
    return found


@pytest.mark.parametrize("file_format", ["keep", "png", "jpeg(quality=70, subsampling=4:4:4)"])
def test_an_autoencoder_that_changes_nothing_gives_equal_files(photographs_in, tmp_path, file_format):
    problems = []
    made = write_pairs(
        photographs_in, tmp_path / "out", [SAME], file_format=file_format, on_problem=problems.append
    )
    pairs = by_content(made)
    for pair in pairs.values():
        assert pair["camera"].sha256 == pair["same"].sha256
        assert made.locate(pair["camera"]).read_bytes() == made.locate(pair["same"]).read_bytes()
        assert (pair["camera"].source, pair["same"].source, pair["same"].family) == (
            "web",
            "same",
            "autoencoder",
        )
    # With another format than their own even WebP can be had.
    assert len(pairs) == (3 if file_format == "keep" else 4)
    refused = ["broken.jpg", "small.png"] + (["lossy.webp"] if file_format == "keep" else [])
    assert sorted(problem.partition(":")[0] for problem in problems) == sorted(refused)
    assert Manifest.read(tmp_path / "out" / "manifest.csv").digest() == made.digest()


def facts_of(path) -> tuple:
    """Everything of a file that is not its pixels."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
        subsampling = JpegImagePlugin.get_sampling(image) if tables else None
        return image.format, image.mode, image.size, str(tables), subsampling, dict(image.getexif())


def test_files_of_a_pair_have_the_photographs_encoding(photographs_in, folder, tmp_path):
    made = write_pairs(photographs_in, tmp_path / "out", [NEGATIVE], window=96)
    found = []
    for pair in by_content(made).values():
        camera, negative = (made.locate(pair[name]) for name in ("camera", "negative"))
        assert facts_of(camera) == facts_of(negative)
        found.append(facts_of(camera))
        both = decode(camera).pixels.astype(int) + decode(negative).pixels
        assert np.abs(both - 255).mean() < 3
    assert all(facts[2] == (96, 96) for facts in found)
    originals = [facts_of(folder / name) for name in ("phone/a.jpg", "phone/b.jpg", "c.png")]
    for original in originals:
        assert any(facts[:2] + facts[3:] == original[:2] + original[3:] for facts in found)


def test_scaled_photographs_become_png(photographs_in, tmp_path):
    made = write_pairs(photographs_in, tmp_path / "out", [NEGATIVE], scale=0.5, windows=2, window=64)
    for pair in by_content(made).values():
        camera, negative = (np.asarray(Image.open(made.locate(row))) for row in pair.values())
        np.testing.assert_array_equal(camera, 255 - negative)
        assert camera.shape == (64, 64, 3)
    assert len(by_content(made)) == 8
    assert {row.path.rpartition(".")[2] for row in made} == {"png"}


def test_finished_pictures_are_kept_and_others_not_mixed_in(photographs_in, tmp_path):
    made = write_pairs(photographs_in, tmp_path / "out", [NEGATIVE])

    def never(pixels):
        raise AssertionError("made twice")

    again = write_pairs(photographs_in, tmp_path / "out", [Reconstructor("negative", "1", never)])
    assert again.digest() == made.digest()
    for change in ({"scale": 0.9}, {"file_format": "png"}, {"window": 64}):
        with pytest.raises(UsageError, match="pairs that were made otherwise"):
            write_pairs(photographs_in, tmp_path / "out", [NEGATIVE], **change)


def test_the_rest_of_a_manifest_can_be_listed(photographs_in, tmp_path):
    made = write_pairs(photographs_in, tmp_path / "out", [NEGATIVE], rest=True)
    others = {row.path.rpartition("/")[2]: row for row in made if not row.extra.get("content")}
    assert others.keys() == {"broken.jpg", "kept-back.jpg", "lossy.webp", "made.png", "small.png"}
    assert made.locate(others["small.png"]).is_file()
    assert others["kept-back.jpg"].split == "unseen"
    alone = write_pairs(photographs_in, tmp_path / "alone", [NEGATIVE])
    assert {row.path for row in made} - {row.path for row in others.values()} == {row.path for row in alone}


def test_photographs_are_chosen_by_their_names(photographs_in):
    some = [row.path for row in chosen(photographs_in, 3)]
    assert len(some) == 3
    assert some == [row.path for row in chosen(photographs_in, 5)][:3]
    assert some == [row.path for row in chosen(Manifest(photographs_in.rows[::-1]), 3)]
    assert len(chosen(photographs_in, 0)) == 7


def test_nothing_of_use(photographs_in, tmp_path):
    with pytest.raises(ManifestError, match="no photograph gives a window of 64 pixels"):
        write_pairs(photographs_in, tmp_path / "out", [NEGATIVE], scale=0.1)


@pytest.mark.parametrize(
    "bad",
    ["gif", "jpeg", "jpeg(quality=60..90)", "jpeg(quality=60)@0.5", "webp(quality=3)", "jpeg(quality=0)"],
)
def test_bad_formats(bad):
    with pytest.raises(UsageError):
        encoding_of(bad)


@pytest.fixture
def autoencoder(tmp_path):
    path = tmp_path / "ae.pt"
    Autoencoder("bicubic", width=4).save(path)
    return path


def test_the_verb_takes_folders(folder, autoencoder, tmp_path, capsys):
    arguments = [
        str(autoencoder),
        str(folder),
        "--out",
        str(tmp_path / "out"),
        "--format",
        "png",
        "--window",
        "64",
    ]
    assert command.main(arguments, standalone_mode=False) == 3
    shown = capsys.readouterr()
    assert shown.out.strip() == str(tmp_path / "out" / "manifest.csv")
    assert len(shown.err.splitlines()) == 2
    made = Manifest.read(tmp_path / "out" / "manifest.csv")
    assert {row.generator for row in made} == {"camera", "ae"}
    assert len(by_content(made)) == 4
    assert {row.source for row in made} == {"phone", "photos", "ae"}
    assert json.loads((tmp_path / "out" / "pairs.json").read_text())["format"] == "png"


def test_the_verb_takes_one_manifest(photographs_in, autoencoder, folder, tmp_path):
    photographs_in.write(folder / "photos.csv")
    arguments = [str(autoencoder), str(folder / "photos.csv"), "-q", "--out", str(tmp_path / "out"), "--rest"]
    assert command.main(arguments, standalone_mode=False) == 3
    assert any(row.generator == "gan" for row in Manifest.read(tmp_path / "out" / "manifest.csv"))
    with pytest.raises(UsageError, match="wanted one manifest"):
        command.main([*arguments, str(folder)], standalone_mode=False)
    with pytest.raises(ModelError, match="no autoencoder at"):
        command.main(["nothing.pt", *arguments[1:]], standalone_mode=False)
