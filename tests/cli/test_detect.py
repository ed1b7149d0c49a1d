"""``spectrace detect`` with a toy model: rows, formats, exit codes, files beside the rows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Thresholds

KEYS = [
    "schema_version",
    "path",
    "sha256",
    "width",
    "height",
    "format",
    "score",
    "probability",
    "verdict",
    "reasons",
    "model",
    "tiles",
    "branches",
    "family",
    "family_probability",
    "provenance",
    "error",
]


@pytest.fixture
def model(toy_model):
    return toy_model(
        thresholds=Thresholds(generated=20.0, camera=-20.0, false_positive_rate=0.05, miss_rate=0.1)
    )


@pytest.fixture
def folder(tmp_path):
    """A bright picture (generated to the toy), a dark one (camera), a grey one, a 1x1 and two broken ones."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    for name, level in (("bright.png", 200), ("dark.jpg", 20), ("sub/grey.webp", 128)):
        Image.fromarray(np.full((64, 48, 3), level, np.uint8)).save(folder / name)
    Image.new("RGB", (1, 1)).save(folder / "dot.bmp")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("left alone")
    return folder


def test_json_lines(spectrace, model, folder):
    result = spectrace("detect", folder, "--model", model, "--jsonl")
    rows = {row["path"].split("/")[-1]: row for row in map(json.loads, result.out.splitlines())}
    assert result.code == 3
    assert all(list(row) == KEYS for row in rows.values())
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "bright.png": "generated",
        "dark.jpg": "camera",
        "grey.webp": "inconclusive",
        "dot.bmp": "inconclusive",
        "text.jpg": None,
        "empty.png": None,
    }
    assert rows["bright.png"]["score"] == pytest.approx(72.0)
    assert (rows["bright.png"]["width"], rows["bright.png"]["height"]) == (48, 64)
    assert rows["dot.bmp"]["reasons"][0].startswith("too-small")
    assert "text.jpg" in rows["text.jpg"]["error"]
    assert rows["text.jpg"]["score"] is None


def test_formats_agree(spectrace, model, folder, tmp_path):
    lines = [
        json.loads(line) for line in spectrace("detect", folder, "--model", model, "--jsonl").out.splitlines()
    ]
    assert json.loads(spectrace("detect", folder, "--model", model, "--json").out) == lines
    for suffix in ("json", "jsonl", "csv", "parquet"):
        written = tmp_path / f"rows.{suffix}"
        assert spectrace("detect", folder, "--model", model, "--output", written).out == ""
        if suffix == "json":
            assert json.loads(written.read_text()) == lines
        elif suffix == "jsonl":
            assert [json.loads(line) for line in written.read_text().splitlines()] == lines
        elif suffix == "csv":
            table = list(csv.DictReader(io.StringIO(written.read_text())))
            assert [row["verdict"] for row in table] == [row["verdict"] or "" for row in lines]
            assert [row["reasons"] for row in table] == ["; ".join(row["reasons"]) for row in lines]
        else:
            from pyarrow import parquet

            assert parquet.read_table(written)["score"].to_pylist() == [row["score"] for row in lines]


def test_rows_of_a_fusion(spectrace, fusion_model, folder, tmp_path):
    from pyarrow import parquet

    model = fusion_model(thresholds=Thresholds(generated=-1e6, camera=-2e6))
    bright = folder / "bright.png"
    (row,) = json.loads(spectrace("detect", bright, "--model", model, "--json").out)
    assert set(row["branches"]) == {"toy", "patches"}
    assert (row["family"], row["family_probability"]) == ("gan-lattice", 1.0)
    for suffix in ("csv", "parquet"):
        written = tmp_path / f"rows.{suffix}"
        spectrace("detect", bright, folder / "text.jpg", "--model", model, "--output", written)
        if suffix == "csv":
            found, broken = csv.DictReader(io.StringIO(written.read_text()))
        else:
            found, broken = parquet.read_table(written).to_pylist()
        assert json.loads(found["branches"]) == row["branches"]
        assert (found["family"], float(found["family_probability"])) == ("gan-lattice", 1.0)
        assert not broken["branches"]
        assert not broken["family"]
    lines = spectrace("detect", bright, "--model", model).out.splitlines()
    assert lines[2].strip() == "traces resemble those of GANs, which upsample on a lattice (over 99 %)"


def test_table_for_people(spectrace, model, folder):
    result = spectrace("detect", folder / "bright.png", folder / "sub", "--model", model)
    assert result.out.splitlines()[0].split() == ["verdict", "score", "p(gen.)", "picture"]
    assert "\x1b" not in result.out
    assert "between-thresholds" in result.out


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["dark.jpg"], 0),
        (["bright.png"], 1),
        (["bright.png", "text.jpg"], 3),
        (["missing.jpg"], 3),
        (["sub", "nothing*.png"], 3),
    ],
)
def test_exit_codes(spectrace, model, folder, names, code):
    arguments = ["detect", *(folder / name for name in names), "--model", model]
    assert spectrace(*arguments).code == code
    assert spectrace(*arguments, "--exit-zero").code == 0


def test_wrong_usage_is_one_line_and_exit_2(spectrace, model, folder):
    for arguments in (
        ["detect"],
        ["detect", folder, "--model", "nowhere"],
        ["detect", folder, "--model", model, "--parquet"],
        ["detect", folder, "--model", model, "--output", "rows.xyz"],
        ["detect", folder, "--model", model, "--tiles", "0"],
        ["detect", folder, "--model", model, "--report", folder / "text.jpg" / "report.html"],
        ["bake"],
    ):
        result = spectrace(*arguments)
        assert (result.code, result.out) == (2, "")
        assert "Traceback" not in result.err


def test_quiet_says_nothing_beside_the_rows(spectrace, model, folder):
    assert (
        spectrace("detect", folder / "nothing*", folder / "dark.jpg", "--model", model, "--quiet").err == ""
    )


def test_a_file_name_cannot_write_to_the_terminal(spectrace, model, folder):
    evil = folder / "a\x1b[2Jb\n.png"
    Image.new("RGB", (32, 32)).save(evil)
    assert "\x1b" not in spectrace("detect", evil, "--model", model).out


def test_lists_and_globs(spectrace, model, folder, tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text(f"# two pictures\n{folder / 'dark.jpg'}\n\n{folder / 'sub'}\n")
    rows = spectrace("detect", f"@{listing}", folder / "*.png", "--model", model, "--jsonl").out.splitlines()
    assert [json.loads(row)["path"].split("/")[-1] for row in rows] == [
        "dark.jpg",
        "grey.webp",
        "bright.png",
        "empty.png",
    ]


def test_heatmaps_and_report(spectrace, model, folder, tmp_path):
    maps, page = tmp_path / "maps", tmp_path / "out" / "report.html"
    result = spectrace("detect", folder, "--model", model, "--heatmaps", maps, "--report", page)
    assert result.code == 3
    drawn = sorted(path.name.rpartition("-")[0] for path in maps.iterdir())
    assert drawn == ["bright", "dark", "grey"]
    for path in maps.iterdir():
        with Image.open(path) as image:
            assert image.size[0] >= 48
            assert image.size[1] >= 64
    html = page.read_text()
    names = ["bright.png", "dark.jpg", "dot.bmp", "empty.png", "text.jpg", "grey.webp"]
    places = [html.index(name) for name in names]
    assert places == sorted(places)  # the order of the rows, whoever finished first
    assert "http-equiv" not in html.lower() or "refresh" not in html.lower()


def test_heatmaps_in_other_colours(spectrace, model, folder, tmp_path):
    drawn = []
    for number, options in enumerate(([], ["--colours", "purple-green"], ["--opacity", "0"])):
        maps = tmp_path / str(number)
        assert (
            spectrace("detect", folder / "bright.png", "--model", model, "--heatmaps", maps, *options).code
            == 1
        )
        with Image.open(next(maps.iterdir())) as image:
            drawn.append(np.asarray(image)[:48, :48])
    assert (drawn[0] != drawn[1]).any()
    assert np.ptp(drawn[2], axis=2).max() == 0  # no colour at all
    assert np.ptp(drawn[0], axis=2).max() > 50


def test_pixel_limit(spectrace, model, folder):
    result = spectrace(
        "detect", folder / "bright.png", "--model", model, "--max-megapixels", "0.001", "--jsonl"
    )
    assert result.code == 3
    assert "pixels" in json.loads(result.out)["error"]


@pytest.mark.parametrize("verb", ["detect", "scan", "serve"])
@pytest.mark.parametrize("number", ["nan", "inf", "0", "-1"])
def test_numbers_that_no_limit_can_be(spectrace, verb, number):
    result = spectrace(verb, "--max-megapixels", number)
    assert result.code == 2
    assert "Invalid value for '--max-megapixels'" in result.err


def run_command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "spectrace", *map(str, arguments)], capture_output=True, check=False, **options
    )


def test_one_picture_on_stdin(model, folder):
    result = run_command(
        "detect", "-", "--model", model, "--json", input=(folder / "bright.png").read_bytes()
    )
    assert (result.returncode, result.stderr) == (1, b"")
    (row,) = json.loads(result.stdout)
    assert (row["verdict"], row["path"]) == ("generated", None)


def test_help_is_light():
    code = (
        "import sys\n"
        "sys.argv = ['spectrace', '--help']\n"
        "from spectrace.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'onnxruntime', 'torch', 'PIL', 'rich', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert b"detect" in result.stdout


def test_every_verb_has_help(spectrace):
    from spectrace.cli import VERBS

    for verb in VERBS:
        result = spectrace(verb, "--help")
        assert (result.code, result.err) == (0, "")
        assert "Usage: " in result.out
