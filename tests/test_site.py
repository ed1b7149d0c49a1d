"""The documentation site: builds without a warning, is whole, and asks nothing of other servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

import spectrace

ROOT = Path(__file__).resolve().parents[1]
FETCHED = {"img", "link", "script", "source", "iframe", "video"}


class _Page(HTMLParser):
    """Addresses in a page, with the tags they are of, and the names that others may point to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[tuple[str, str]] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names.update(name for key in ("id", "name") if (name := found.get(key)))
        self.addresses += [(tag, value) for key in ("href", "src") if (value := found.get(key))]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [ROOT / "scripts" / "site", "build", "--site-dir", folder],
        env={**os.environ, "VENV": sys.prefix},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, _Page]:
    return {path: _Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_address_leads_somewhere(pages):
    """Also those of raw HTML and of pages made from the code, which mkdocs does not check."""
    for path, page in pages.items():
        for _, address in page.addresses:
            place, name = urldefrag(address)
            if urlsplit(place).scheme:
                continue
            target = (path.parent / unquote(place)).resolve() if place else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name}: {address}"
            assert not name or target not in pages or unquote(name) in pages[target].names, address


def test_nothing_is_fetched_from_elsewhere(site, pages):
    for path, page in pages.items():
        fetched = [address for tag, address in page.addresses if tag in FETCHED]
        assert [address for address in fetched if urlsplit(address).netloc] == [], path.name
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", path.read_text(encoding="utf-8"))


def test_the_reference_has_all_that_is_public(site, pages):
    names = pages[site / "reference" / "spectrace.html"].names
    missing = [name for name in spectrace.__all__ if not any(n.endswith(f".{name}") for n in names)]
    assert missing == ["__version__"]


def test_the_reference_has_all_that_documents_import(pages):
    names = set().union(*(page.names for path, page in pages.items() if path.parent.name == "reference"))
    for document in sorted((ROOT / "docs").glob("*.md")):
        for module, imported in re.findall(
            r"^from (spectrace[.\w]+) import (.+)", document.read_text(), re.MULTILINE
        ):
            for name in re.findall(r"\w+", imported):
                assert any(n.startswith(f"{module}.") and n.endswith(f".{name}") for n in names), (
                    f"{document.name} imports {name} of {module}: it belongs to scripts/site_pages.py's rooms"
                )


def test_docstrings_are_shown_without_markup_of_their_own(site):
    for path in (site / "reference").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r":(?:class|func|meth|mod|data|attr):", text), path.name
        assert "<blockquote>" not in text, f"{path.name}: an example that is no code"


def test_commands_are_all_there(site, pages):
    names = pages[site / "reference" / "commands.html"].names
    assert {"spectrace-detect", "spectrace-generate-tune", "spectrace-manifest-build"} <= names
    assert "--exit-zero" in (site / "reference" / "commands.html").read_text(encoding="utf-8")
