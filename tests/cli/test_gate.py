"""``spectrace gate`` in scratch repositories, with a toy model."""

from __future__ import annotations

import html
import io
import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spectrace.cli.github import annotation, summary
from spectrace.cli.rows import printable
from spectrace.detectors.card import Thresholds

ODD_NAMES = [
    "with space.png",
    "new\nline.png",
    "new\n::error::line.png",
    "-dash.png",
    "-h.png",
    "--strict.png",
    "--help.png",
    "@list.png",
    "pattern*[1]?.png",
    ":(exclude)x.png",
    "a,b:c%d.png",
    'quote".png',
    "日本.png",
    os.fsdecode(b"not-utf8-\xff.png"),
    "UPPER.PNG",
    "deep/down/here.jpg",
]


def picture(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((32, 48, 3), level, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


BRIGHT, GREY, DARK = picture(200), picture(128), picture(20)  # generated, inconclusive, camera to the toy


@pytest.fixture
def gate(spectrace, toy_model):
    model = toy_model(
        thresholds=Thresholds(generated=20.0, camera=-20.0, false_positive_rate=0.02, miss_rate=0.1)
    )

    def run(*arguments):
        return spectrace("gate", "--model", model, *arguments)

    return run


def test_one_generated_picture_fails(gate, repository):
    before = repository.commit({"old.png": BRIGHT})
    repository.commit({"art/new.png": BRIGHT, "dark.png": DARK, "grey.png": GREY, "notes.txt": b"text"})
    result = gate("--since", before)
    assert (result.code, result.err) == (1, "")
    first, second, third, *rest = result.out.splitlines()
    assert first.split() == ["generated", "art/new.png"]
    assert second.strip() == "score +72.00, where +20.00 is enough"
    assert third == "3 pictures: 1 generated, 1 camera, 1 inconclusive"
    assert "2.0 %" in rest[0]
    assert "exclude its path" in rest[1]


def test_what_passes_is_one_line(gate, repository):
    before = repository.commit({})
    repository.commit({"dark.png": DARK, "grey.png": GREY})
    result = gate("--since", before)
    assert (result.code, result.out, result.err) == (0, "2 pictures: 1 camera, 1 inconclusive\n", "")


def test_no_name_passes_by_its_oddity(gate, repository):
    before = repository.commit({})
    repository.commit(dict.fromkeys(ODD_NAMES, BRIGHT))
    by_commit, by_name = gate("--since", before), gate(*ODD_NAMES)
    assert by_commit.code == by_name.code == 1
    assert sorted(by_commit.out.splitlines()) == sorted(by_name.out.splitlines())
    found = [line.partition("  ")[2] for line in by_name.out.splitlines() if line.startswith("generated")]
    assert found == [printable(name) for name in ODD_NAMES]


@pytest.mark.parametrize("name", ["-h.png", "--help.png", "--strict.png", "-dash.png"])
def test_a_name_like_an_option_is_a_name_also_alone(gate, repository, name):
    repository.commit({name: BRIGHT})
    assert gate(name).code == 1


def test_files_that_do_not_end_like_pictures_pass(gate, repository):
    repository.commit({"notes.txt": b"text", "old.png": BRIGHT})
    assert (gate("notes.txt").code, gate("notes.txt").out) == (0, "no pictures to look at\n")
    assert gate("notes.txt", "old.png").code == 1


def change(repository, what):
    """Commits a change: ``old.png`` and ``data.bin`` are generated, ``dark.png`` is not, ``link.png`` a link."""
    folder = repository.folder
    match what:
        case "deleted":
            (folder / "old.png").unlink()
        case "moved":
            (folder / "moved").mkdir()
            (folder / "old.png").rename(folder / "moved" / "new.png")
        case "a link":
            (folder / "another.png").symlink_to("old.png")
        case "a copy":
            (folder / "copy.png").write_bytes(BRIGHT)
        case "changed":
            (folder / "dark.png").write_bytes(BRIGHT)
        case "moved from another ending":
            (folder / "data.bin").rename(folder / "data.png")
        case "a link replaced":
            (folder / "link.png").unlink()
            (folder / "link.png").write_bytes(BRIGHT)
    repository.commit({})


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("nothing", None),
        ("deleted", None),
        ("moved", None),
        ("a link", None),
        ("a copy", "copy.png"),
        ("changed", "dark.png"),
        ("moved from another ending", "data.png"),
        ("a link replaced", "link.png"),
    ],
)
def test_kinds_of_changes(gate, repository, what, found):
    (repository.folder / "link.png").symlink_to("old.png")
    before = repository.commit({"old.png": BRIGHT, "data.bin": picture(210), "dark.png": DARK})
    change(repository, what)
    result = gate("--since", before)
    if found is None:
        assert (result.code, result.out) == (0, "no pictures to look at\n")
    else:
        assert (result.code, result.out.splitlines()[0].split()) == (1, ["generated", found])


def test_no_model_is_loaded_when_nothing_is_new(spectrace, repository):
    assert spectrace("gate", "--since", "HEAD", "--model", "nowhere").code == 0


def test_what_the_other_branch_adds_is_not_ours(gate, repository):
    repository.git("switch", "--quiet", "--create", "ours")
    repository.commit({"dark.png": DARK})
    repository.git("switch", "--quiet", "main")
    repository.commit({"theirs.png": BRIGHT})
    repository.git("switch", "--quiet", "ours")
    assert gate("--since", "main").out == "1 picture: 1 camera\n"
    repository.git("merge", "--quiet", "--no-edit", "main")  # as GitHub checks a pull request out
    assert gate("--since", "main").out == "1 picture: 1 camera\n"


def test_a_branch_without_a_state_before_it_is_looked_at_whole(gate, repository):
    repository.commit({"old.png": BRIGHT})
    assert gate("--since", "0" * 40).code == 1


def test_pathspecs_narrow_it_also_from_a_folder_below(gate, repository, monkeypatch):
    before = repository.commit({})
    repository.commit({"art/a.png": BRIGHT, "images/art/b.png": BRIGHT, "images/c.png": DARK})
    assert gate("--since", before, "images", ":(exclude)images/art").out == "1 picture: 1 camera\n"
    monkeypatch.chdir("images")
    assert gate("--since", before, "--", ":(exclude)art", ":(exclude,top)art").out == "1 picture: 1 camera\n"
    assert "../art/a.png" in gate("--since", before, ":(top)art").out


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("nowhere", "fetch-depth"),
        ("1" * 40, "fetch-depth"),
        ("", "empty revision"),
        ("--output=x", "fetch-depth"),
        ("HEAD:README.md", "fetch-depth"),
        ("elsewhere", "share no commit"),
    ],
)
def test_a_revision_that_cannot_be_used_is_one_line(gate, repository, revision, says):
    repository.git("switch", "--quiet", "--orphan", "elsewhere")
    repository.commit({"dark.png": DARK})
    repository.git("switch", "--quiet", "main")
    result = gate("--since", revision)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err


@pytest.mark.parametrize("arguments", [["--strickt"], ["missing.png"], ["--since", "HEAD", "--strickt"]])
def test_a_slip_of_the_pen_is_no_pass(gate, repository, arguments):
    result = gate(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert arguments[-1] in result.err


def test_a_shallow_clone_is_one_line(gate, repository, tmp_path, monkeypatch):
    before = repository.commit({})
    repository.commit({"new.png": BRIGHT})
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", repository.folder.as_uri(), os.fspath(clone))
    monkeypatch.chdir(clone)
    result = gate("--since", before)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "fetch-depth: 0" in result.err


def test_no_repository_no_git_and_nothing_named_are_one_line(gate, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.fspath(tmp_path))
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    for arguments in (["--since", "HEAD"], []):
        result = gate(*arguments)
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "plain"))
    assert "git is not installed" in gate("--since", "HEAD").err


def test_pictures_that_cannot_be_read_pass_unless_strict(gate, repository):
    before = repository.commit({})
    repository.commit(
        {"broken.png": DARK[:50], "pointer.jpg": b"version https://git-lfs.github.com/spec/v1\n"}
    )
    result = gate("--since", before)
    assert (result.code, result.out.splitlines()[-1]) == (0, "2 pictures: 2 not read")
    assert gate("--since", before, "--strict").code == 3
    repository.commit({"new.png": BRIGHT})
    assert gate("--since", before, "--strict").code == 1


def test_annotations_and_summary(gate, repository, tmp_path, monkeypatch):
    target = tmp_path / "summary.md"
    target.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.fspath(target))
    before = repository.commit({})
    evil = "a\n::stop-commands::x\n##[add-mask]<img src=x>|`.png"
    repository.commit({evil: BRIGHT, "broken.png": b"?"})
    result = gate("--since", before, "--github")
    lines = result.out.splitlines()
    assert (result.code, len(lines)) == (1, 5)
    assert lines[0].startswith(
        "::error file=a%0A%3A%3Astop-commands%3A%3Ax%0A##[add-mask]<img src=x>|`.png,title="
    )
    assert lines[1].startswith("::warning file=broken.png,title=Picture not read::broken.png: broken.png is")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines[2:])
    written = target.read_text()
    assert written.startswith("before\n### Spectrace\n\n2 pictures: 1 generated, 1 not read\n")
    assert "<img" not in written
    assert "&lt;img" in written
    assert gate("--since", before, "--github", "--strict").out.count("::error ") == 2


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.binary(min_size=1).map(
    os.fsdecode
)


@given(TEXT, TEXT)
def test_an_annotation_is_one_command_about_that_file(file, message):
    line = annotation("error", file, "Title", message)
    found = re.fullmatch(r"::error file=([^,:\r\n]*),title=Title::([^\r\n]*)", line)
    assert found
    unescaped = re.sub(r"%([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), found[1])
    assert unescaped == os.fsencode(file).decode(errors="replace")


@given(TEXT, TEXT)
def test_names_are_text_in_a_summary(file, reason):
    row = summary("", [("generated", file, reason)]).splitlines()[5]
    found = re.fullmatch(r"<tr><td>generated</td><td><code>([^<>]*)</code></td><td>([^<>]*)</td></tr>", row)
    assert found
    assert [html.unescape(part) for part in found.groups()] == [printable(file), printable(reason)]
