"""The report as a browser, a hostile file and a person who cannot see it would meet it."""

from __future__ import annotations

import base64
import importlib.resources
import io
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Branch
from spectrace.detectors.detection import Detection
from spectrace.explain.report import ReportEntry, entry, error_entry, report
from spectrace.images.decode import decode
from spectrace.provenance import Provenance
from spectrace.spectra.upsampling import pink_noise, upsample

VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = """"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}<!-- &amp; \u202e"""
MADE = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


class Page(HTMLParser):
    """What a page is made of; fails on tags that do not close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def entries(make, photographs, photograph_paths) -> list[ReportEntry]:
    """One of each kind."""
    picture_of, detection_of = make
    astronaut = picture_of(photographs["astronaut"])
    rocket = decode(photograph_paths["rocket"])
    noise = np.clip(upsample(pink_noise(192) * 8 + 128, 2, "nearest"), 0, 255).astype(np.uint8)
    printed = picture_of(np.dstack([noise] * 3))
    tiny = picture_of(photographs["coffee"][:40, :30])
    return [
        entry(astronaut, detection_of(astronaut, 4.2, "generated")),
        entry(rocket, detection_of(rocket, -3.0, "camera", path="rocket.jpg")),
        entry(
            printed, detection_of(printed, 0.5, reasons=["between-thresholds: the score +0.50 lies between"])
        ),
        entry(tiny, detection_of(tiny, None, reasons=["too-small: the shortest side is 30 px"])),
        error_entry(
            Detection(path="folder/broken.jpg", model="demo@3", error="broken.jpg is empty (0 bytes)")
        ),
    ]


@pytest.fixture(scope="module")
def html(entries, card) -> str:
    return report(entries, card, made=MADE)


# --- what it says -----------------------------------------------------------------------------------


def test_it_says_verdicts_scores_reasons_and_errors_in_words(html):
    text = Page(html).text
    for words in (
        "1 generated",
        "1 camera",
        "2 inconclusive",
        "1 not readable",
        "broken.jpg is empty (0 bytes)",
        "Of the camera pictures this model was calibrated on, 1.0 % score as high",
        "5.0 % score as low and would be missed",
        "These pixels are about 67 times as likely from a generator as from a camera.",
        "These pixels are about 20 times as likely from a camera as from a generator.",
        "the probability of generated is 99 %",
        "The shortest side is 30 px. Too few pixels for the traces to show. (too-small)",
        "What the score alone would say, which is not relied on here",
        "Shown beside the score, never mixed into it.",
        "demo@3",
        "A demonstration",
        "Knows nothing.",
        "(false-positive rate)",
        "shortest side at least 128 pixels; JPEG quality at least 60",
        "unseen · auroc",
        "0.912 (0.900 to 0.930)",
        "2025-06-01 12:00 UTC",
        "640 × 427 pixels (0.3 megapixels)",
        "4:4:4",
    ):
        assert words in text, words


def test_one_picture_has_no_overview(entries, card):
    single, several = Page(report(entries[:1], card)), Page(report(entries, card))
    assert not single.all("a")
    assert [link["href"] for link in several.all("a")] == [f"#picture-{n}" for n in range(1, 6)]
    assert "Spectrace: report of one.png" in report(entries[:1], card)


def test_named_peaks_are_marked_and_listed(entries, html):
    printed = entries[2]
    assert {(peak.period, peak.kind) for peak in printed.peaks} == {(2.0, "upsampling")}
    assert printed.upsampling == 2
    for peak in printed.peaks:
        assert 0.0 <= peak.x <= 1.0
        assert 0.0 <= peak.y <= 1.0
        # Period 2 lies at half a cycle a pixel: on the rim of the spectrum.
        assert max(abs(peak.x - 0.5), abs(peak.y - 0.5)) > 0.48
    page = Page(html)
    assert len(page.all("circle")) == sum(len(one.peaks) for one in entries)
    assert "Likely upsampled by a factor of 2." in page.text


def test_without_a_file_there_is_nothing_it_could_say(make, photographs, card):
    _, detection_of = make
    picture = decode(photographs["coffee"])
    page = Page(report([entry(picture, detection_of(picture, path=None))], card))
    assert "There was no file: the pixels came from memory." in page.text
    assert "picture without a name" in page.text


def test_provenance_is_shown_with_its_meaning(make, photographs, card):
    picture_of, detection_of = make
    picture = picture_of(photographs["coffee"])
    said = Provenance(
        c2pa=True,
        digital_source_type="trainedAlgorithmicMedia",
        generator="ComfyUI",
        generator_text="a fox",
        camera_make="Canon",
        camera_model="R5",
        notes=["a remark"],
    )
    text = Page(report([entry(picture, detection_of(picture, provenance=said))], card)).text
    for words in (
        "present (signature not verified)",
        "trainedAlgorithmicMedia (made by a generative model)",
        "ComfyUI",
        "a fox",
        "Canon R5",
        "a remark",
    ):
        assert words in text, words


def test_branches_of_a_fusion_and_the_family_of_traces(make, photographs, card):
    import msgspec

    picture_of, detection_of = make
    picture = picture_of(photographs["coffee"])
    branches = [
        Branch("spectrum", "The spectrum", "frequency", weight=0.5, mean=0.0),
        Branch("patches", "Small patches", "patch", weight=2.0, mean=1.0),
    ]
    found = detection_of(
        picture,
        4.0,
        "generated",
        branches={"spectrum": -1.0, "patches": 4.0},
        family="latent-decoder",
        family_probability=0.71,
    )
    page = Page(report([entry(picture, found)], msgspec.structs.replace(card, branches=branches)))
    for words in (
        "What each branch adds to the score",
        "The spectrum spectrum −1.00",
        "Small patches patches +4.00",
        "traces resemble those of latent decoders, as diffusion models have (71 %)",
        "Fusion of The spectrum (weight 0.5); Small patches (weight 2)",
    ):
        assert words in page.text, words
    bars = [(one["class"], one["x"], one["width"]) for one in page.all("rect") if "class" in one][-2:]
    assert bars == [("camera", "37.5%", "12.5%"), ("generated", "50.0%", "50.0%")]


# --- self-contained, and safe against its own contents ----------------------------------------------


def test_it_asks_for_nothing_and_runs_nothing(html):
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "action", "poster", "srcset", "background", "data", "xlink:href"):
                assert value.startswith(("data:image/jpeg;base64,", "#"))
    assert "url(" not in html
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")


def hostile_page(make, photographs, card, text: str) -> str:
    import msgspec

    picture_of, detection_of = make
    picture = picture_of(photographs["coffee"])
    said = Provenance(
        c2pa=True,
        digital_source_type=text,
        software=text,
        generator=text,
        generator_text=text,
        camera_make=text,
        camera_model=text,
        notes=[text],
    )
    card = msgspec.structs.replace(
        card,
        title=text,
        description=text,
        licence=text,
        stability=[text],
        results={text: {text: text}},
        branches=[Branch(text, text, text, weight=1.0, mean=0.0)],
    )
    found = detection_of(
        picture,
        4.0,
        "inconclusive",
        path=f"folder {text}/name {text}",
        reasons=[f"code{text}: {text}"],
        provenance=said,
        branches={text: 1.5, f"other {text}": -1.5},
        family=text,
        family_probability=0.6,
    )
    return report(
        [entry(picture, found), error_entry(Detection(path=text, model="demo@3", error=text))], card
    )


def test_hostile_strings_add_no_tag_and_no_attribute(make, photographs, card):
    """The page over hostile text is built of exactly the tags of the page over harmless text."""
    harmless = Page(hostile_page(make, photographs, card, "harm/less")).tags
    hostile = hostile_page(make, photographs, card, HOSTILE)
    assert [(tag, sorted(attributes)) for tag, attributes in Page(hostile).tags] == [
        (tag, sorted(attributes)) for tag, attributes in harmless
    ]
    assert "alert(1)" in hostile
    assert "<script" not in hostile
    assert "{{ 7*7 }}" in Page(hostile).text
    assert "\u202e" not in hostile


def test_paths_of_any_bytes_can_be_written(make, card):
    path = b"/photos/\xff\xfe\x1b[31m\n.jpg".decode("utf-8", "surrogateescape")
    shown = error_entry(Detection(path=path, model="demo@3", error="broken"))
    assert (shown.folder, shown.name) == ("/photos", "\ufffd\ufffd[31m .jpg")
    report([shown], card).encode("utf-8")


def test_long_strings_are_cut(card):
    shown = error_entry(Detection(path="x" * 100_000, model="demo@3", error="y" * 100_000))
    assert len(shown.name) <= 300
    assert len(shown.error) <= 400


# --- for everybody ----------------------------------------------------------------------------------


def test_headings_labels_and_alternatives(html):
    page = Page(html)
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert max(ids.values()) == 1
    for _, attributes in page.tags:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    assert all(len(image["alt"]) > 10 for image in page.all("img"))
    assert all("aria-hidden" in one or "aria-label" in one or "x" in one for one in page.all("svg"))
    assert page.all("html")[0]["lang"] == "en"
    assert all("scope" in one for one in page.all("th"))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    channels = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_contrast_is_aa_in_every_theme(html, theme):
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for text."""
    blocks = re.findall(r":root \{([^}]*)\}", html)
    assert len(blocks) == 6  # of all pages, then of this one
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", blocks[theme] + blocks[3 + theme]))
    verdicts = ("generated", "camera", "inconclusive", "unreadable")
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("page", "card")]
    pairs += [(verdict, f"{verdict}-ground") for verdict in verdicts]
    pairs += [("ink", f"{verdict}-ground") for verdict in verdicts]
    for text, ground in pairs:
        low, high = sorted((luminance(colours[text]), luminance(colours[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


# --- the pictures in it -----------------------------------------------------------------------------


def decoded(uri: str) -> np.ndarray:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGB"))


def test_the_heatmap_lies_over_the_picture_where_the_tiles_are(make):
    from dataclasses import replace

    picture_of, detection_of = make
    picture = picture_of(np.full((1600, 2400, 3), 128, np.uint8))
    found = detection_of(picture, 0.0)
    evidence = replace(
        found.evidence,
        corners=np.array([[0, 0], [1472, 2272]]),
        scores=np.array([[[-5.0]], [[5.0]]], np.float32),
    )
    shown = entry(picture, replace(found, evidence=evidence))
    assert (shown.picture.width, shown.picture.height) == (768, 512)
    drawn = decoded(shown.heatmap.uri).astype(int)
    assert drawn.shape == (512, 768, 3)
    blue, orange, rest = drawn[:38, :38], drawn[-38:, -38:], drawn[60:-60, 60:-60]
    assert (blue[..., 2] - blue[..., 0]).mean() > 60
    assert (orange[..., 0] - orange[..., 2]).mean() > 60
    assert abs(rest[..., 0] - rest[..., 2]).mean() < 4
    assert shown.covered == pytest.approx(2 * 128**2 / (1600 * 2400), rel=0.05)


def test_an_entry_is_small_text_whatever_the_picture(make):
    picture_of, detection_of = make
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
    picture = decode(noise)
    shown = entry(picture, detection_of(picture))
    size = 0
    for field in fields(shown):
        value = getattr(shown, field.name)
        assert not isinstance(value, np.ndarray)
        size += len(str(value))
    assert size < 2_500_000  # noise is the worst case; photographs take a fifth of that
    del picture_of


def test_photographs_take_a_few_hundred_kilobytes(entries):
    assert all(
        sum(len(part.uri) for part in (one.picture, one.heatmap, one.spectrum) if part) < 500_000
        for one in entries
    )


def test_entries_are_the_same_from_many_threads(make, photographs):
    picture_of, detection_of = make
    pictures = [picture_of(photographs[name]) for name in ("astronaut", "coffee", "chelsea")] * 2
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda picture: entry(picture, detection_of(picture)), pictures))
    assert several == [entry(picture, detection_of(picture)) for picture in pictures]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (49, 49), (50, 50), (3, 200)])
def test_odd_shapes(make, card, shape):
    picture_of, detection_of = make
    picture = picture_of(np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8))
    shown = entry(picture, detection_of(picture, None, reasons=["too-small: it is"]))
    assert (shown.spectrum is None) == (min(shape) < 50)
    assert shown.heatmap is None
    Page(report([shown], card))


def test_the_template_ships_with_the_package():
    assert importlib.resources.files("spectrace.explain").joinpath("report.html.j2").is_file()
