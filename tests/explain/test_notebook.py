"""What a notebook shows: the right picture or why there is none, safe with any text, and never an exception."""

from __future__ import annotations

import base64
import io
import re
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from PIL import Image

from spectrace.detectors.card import Card, Thresholds
from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.detections import Detections
from spectrace.detectors.detector import Detector
from spectrace.explain import notebook
from spectrace.explain.notebook import SHOWN
from spectrace.images.decode import Limits

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HOSTILE = """"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}</style><!-- &amp; \u202e"""


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load()


@pytest.fixture
def path(tmp_path, photographs):
    target = tmp_path / "flower.png"
    Image.fromarray(photographs["flower"]).save(target)
    return target


def tags(html: str) -> list[str]:
    return re.findall(r"<(/?[a-z]+)", html)


def words(html: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL).split())


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def shrunk(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels).resize(like.shape[1::-1], Image.Resampling.LANCZOS)
    return np.asarray(image, np.float64)


def test_a_detection_shows_verdict_picture_and_heatmap(detector, path, photographs):
    detection = detector.detect(path)
    html = detection._repr_html_()
    text = words(html)
    assert "flower.png" in text
    assert detection.verdict.value.capitalize() in text
    assert f"score {detection.score:+.2f}".replace("-", "−") in text
    assert "natural" not in text
    assert detector.card.name in text
    shown, heat = pictures(html)
    assert max(shown.shape) <= 400
    assert np.abs(shown - shrunk(photographs["flower"], shown)).mean() < 6
    assert heat.shape == shown.shape
    assert np.abs(heat - shrunk(photographs["flower"], heat)).mean() > 12


@pytest.mark.parametrize(
    ("score", "verdict", "meaning"),
    [
        (4.0, "generated", "1.0 % score as high"),
        (-4.0, "camera", "5.0 % score as low"),
        (0.1, "inconclusive", "reasons below"),
    ],
)
def test_a_verdict_comes_with_its_meaning_and_reasons(make, photographs, card, score, verdict, meaning):
    picture_of, detection_of = make
    reasons = ["between-thresholds: the score lies between"] if verdict == "inconclusive" else []
    picture = picture_of(photographs["coffee"])
    detection = detection_of(
        picture, score, verdict, reasons=reasons, card=card, source=photographs["coffee"]
    )
    text = words(detection._repr_html_())
    assert meaning in text
    assert ("The score lies between." in text) == bool(reasons)
    assert ("which is not relied on" in text) == bool(reasons)


def test_every_kind_of_source_is_shown_again(detector, path, photographs):
    kinds = [path, str(path), path.read_bytes(), Image.open(path), photographs["flower"]]
    for source in kinds:
        assert len(pictures(detector.detect(source)._repr_html_())) == 2
    with path.open("rb") as file:
        html = detector.detect(file)._repr_html_()
    assert pictures(html) == []
    assert "Not shown: the picture was not kept" in words(html)


def test_a_file_that_is_gone_or_another_is_not_shown(detector, path, photographs):
    results = detector.detect_all([path])
    assert len(pictures(results._repr_html_())) == 1
    Image.fromarray(photographs["flower"][::-1]).save(path)
    for shown in (results, results[0]):
        assert pictures(shown._repr_html_()) == []
        assert "flower.png has changed since" in words(shown._repr_html_())
    path.unlink()
    for shown in (results, results[0]):
        assert pictures(shown._repr_html_()) == []
        assert "flower.png is not there" in words(shown._repr_html_())


def test_a_table_is_bounded_and_names_what_is_left_out(path):
    detection = Detection(path="a/b.png", model="m@1", score=1.0, verdict=Verdict.CAMERA)
    html = Detections([detection] * 5000)._repr_html_()
    assert "5,000 pictures : 5,000 camera" in words(html)
    assert f"The first {SHOWN} are shown, {5000 - SHOWN:,} more are not" in words(html)
    assert tags(html).count("tr") == SHOWN + 1
    assert len(html) < 20_000
    assert "more are not" not in Detections([detection] * SHOWN)._repr_html_()
    assert tags(Detections()._repr_html_()).count("tr") == 0


def test_a_table_of_big_pictures_stays_small(detector, path, photographs):
    html = Detections([detector.detect(photographs["retina"])] * 30)._repr_html_()
    assert len(pictures(html)) == SHOWN
    assert len(html) < 200_000


def test_unreadable_pictures_are_rows(detector, path):
    html = detector.detect_all([path, "missing.png"])._repr_html_()
    assert "Not readable" in words(html)
    assert "missing.png is not there: check the path" in words(html)
    assert len(pictures(html)) == 1
    assert "Not readable missing.png" in words(detector.detect_all(["missing.png"])[0]._repr_html_())


def hostile_parts(make, photographs, text: str) -> list[str]:
    picture_of, detection_of = make
    card = Card(id="demo", version="1", title=text, description=text, tile_size=128)
    detection = detection_of(
        picture_of(photographs["coffee"]),
        4.0,
        "inconclusive",
        path=f"folder {text}/name {text}",
        model=text,
        reasons=[f"code{text}: {text}"],
        family=text,
        family_probability=0.6,
        card=card,
        source=photographs["coffee"],
    )
    gone = Detection(path=text, model=text, verdict=Verdict.CAMERA, source=f"{text}/gone", card=card)
    broken = Detection(path=text, model=text, error=text)
    return [one._repr_html_() for one in (detection, gone, broken, Detections([detection, gone, broken]))]


def test_hostile_strings_add_no_tag(make, photographs):
    harmless = hostile_parts(make, photographs, "harm/less")
    hostile = hostile_parts(make, photographs, HOSTILE)
    assert [tags(html) for html in hostile] == [tags(html) for html in harmless]
    assert all("alert(1)" in html and "\u202e" not in html for html in hostile)


def test_it_loads_nothing_and_runs_nothing(detector, path):
    results = detector.detect_all([path, "missing.png"])
    for html in (results._repr_html_(), results[0]._repr_html_()):
        assert not re.search(r"<(script|link|iframe|object)|\bon[a-z]+=|url\(|@import|https?:", html)
        assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', html))
        # Headings would enter the notebook's table of contents.
        assert not any(re.fullmatch(r"h[1-6]", tag) for tag in tags(html))
        # Every rule of the style holds inside of this output alone.
        [style] = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
        assert re.fullmatch(r"\s*\.spectrace \{(?:[^{}]|\{[^{}]*\})*\}\s*", style)


anything = st.text(st.characters(), max_size=30)
number = st.none() | st.floats()


@settings(max_examples=40)
@given(anything, anything, number, st.none() | st.sampled_from(Verdict), st.none() | anything, st.booleans())
def test_no_row_is_without_html(path, reason, score, verdict, error, keep):
    detection = Detection(
        path=path,
        model=path,
        score=score,
        verdict=verdict,
        reasons=[reason, reason],
        family=reason,
        family_probability=0.5,
        error=error,
        source=path if keep else None,
        card=Card(
            id="demo", version="1", title="", tile_size=8, thresholds=Thresholds(generated=1.0, camera=-1.0)
        )
        if keep
        else None,
    )
    for shown in (detection, Detections([detection])):
        html = shown._repr_html_()
        assert html is not None
        html.encode("utf-8")


@settings(max_examples=25)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(0, 255),
    st.sampled_from(["array", "PNG", "JPEG", "image"]),
)
def test_any_picture_is_shown(detector, height, width, value, kind):
    source = np.full((height, width, 3), value, np.uint8)
    if kind == "image":
        source = Image.fromarray(source)
    elif kind != "array":
        out = io.BytesIO()
        Image.fromarray(source).save(out, kind)
        source = out.getvalue()
    detection = detector.detect(source)
    shown = pictures(detection._repr_html_())
    assert [picture.shape for picture in shown] == [(height, width, 3)] * (
        1 if detection.score is None else 2
    )
    assert np.abs(shown[0].astype(int) - value).max() <= 2
    assert len(pictures(detector.detect_all([source])._repr_html_())) == 1


def test_where_drawing_fails_the_plain_text_is_left(detector, path, monkeypatch):
    detection = detector.detect(path)
    monkeypatch.setattr(notebook, "decode", lambda *_: 1 / 0)
    assert detection._repr_html_() is None
    assert "\n" not in repr(detection)


def test_what_was_decoded_once_is_decoded_again(detector, photographs, monkeypatch):
    detection = detector.detect(photographs["coffee"])
    monkeypatch.setattr(notebook, "Limits", partial(Limits, pixels=100))
    assert len(pictures(detection._repr_html_())) == 2


# --- the notebook of the examples ---------------------------------------------------------------------


def test_the_example_runs(monkeypatch):
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    book = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "store it without outputs"
    strict = nbformat.v4.new_code_cell(
        "import warnings\nwarnings.simplefilter('error')\nwarnings.filterwarnings('ignore', module='ipykernel')"
    )
    book.cells.insert(0, strict)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    assert not [
        one for cell in [strict, *code] for one in cell.outputs if one.output_type != "execute_result"
    ]
    one, table, frame, lowest = (cell.outputs[0].data for cell in code)
    assert len(pictures(one["text/html"])) == len(pictures(lowest["text/html"])) == 2
    assert len(pictures(table["text/html"])) == len(list(EXAMPLES.glob("*/*.[jp]*g")))
    assert "not-there.jpg is not there" in words(table["text/html"])
    assert frame["text/plain"].splitlines()[0].split() == ["path", "width", "height", "score", "verdict"]
    assert all("\n" not in data["text/plain"] for data in (one, table, lowest))
