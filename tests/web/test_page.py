"""The page in a real browser: Debian's Chromium, through Playwright."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Thresholds
from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name));
  window.dispatchEvent(new %s("%s", { bubbles: true, cancelable: true, %s: carried }));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens the page, with a route of Playwright's if given; fails on anything said in the console."""
    contexts, said = [], []

    def open_page(client, width=1280, height=900, *, route=None, quiet=False, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        if route is not None:
            page.route(*route)
        if not quiet:
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        asked: list[str] = []
        page.asked = asked
        page.goto(str(client.base_url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Chromium itself notes every refusal of the server.
    assert [line for line in said if not line.startswith("Failed to load resource")] == []


@pytest.fixture
def toy(serve, toy_model):
    """Of a server whose scores are the pictures' brightness less 128."""
    return serve(toy_model(thresholds=Thresholds(generated=10, camera=-10)))


@pytest.fixture
def pictures(tmp_path, photographs):
    """Files of a bright, a dark and a middling picture, and of none."""
    levels = {"bright": 200, "dark": 20, "middling": 128}
    for name, level in levels.items():
        Image.fromarray(np.full((64, 80, 3), level, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    return {name: tmp_path / f"{name}.png" for name in levels} | {"broken": tmp_path / "broken.jpg"}


def settled(page, count):
    """Waits until as many pictures are looked at."""
    page.get_by_role("status").filter(has_text=f"All {count}" if count > 1 else ":").wait_for()


def pick(page, *paths: Path):
    page.get_by_label("Choose pictures").set_input_files([str(path) for path in paths])


def let_go(page, path: Path, *, pasted=False):
    kind = ("ClipboardEvent", "paste", "clipboardData") if pasted else ("DragEvent", "drop", "dataTransfer")
    page.evaluate(DROP % kind, [path.name, base64.b64encode(path.read_bytes()).decode()])


def test_a_dropped_picture_gets_its_verdict_with_the_evidence(client, visit, photograph_paths, tmp_path):
    path = photograph_paths["chelsea"]
    row = Detector.load().detect(path)
    page = visit(client)
    let_go(page, path)
    settled(page, 1)
    shown = page.get_by_role("article")
    assert shown.get_by_role("heading", level=2).inner_text() == "chelsea.png"
    assert shown.locator(".badge").inner_text() == row.verdict.value.capitalize()
    assert shown.get_by_role("img", name=re.compile("^Score [+−]")).count() == 1
    assert "as likely from" in shown.inner_text()
    for heading in (
        "Where the score comes from",
        "Log spectrum",
        "The file",
        "What the file says about itself",
    ):
        assert shown.get_by_role("heading", name=heading, exact=True).is_visible()
    assert "PENTAX K100D" in shown.inner_text()
    for reason in row.reasons:
        assert f"({reason.partition(':')[0]})" in shown.inner_text()
    for image in shown.locator("img").all():
        assert image.evaluate("image => image.naturalWidth") > 100
    page.screenshot(path=tmp_path / "page.png")
    assert np.ptp(np.asarray(Image.open(tmp_path / "page.png").convert("L"))) > 100


def test_the_slider_changes_the_heatmap_by_mouse_and_keys(toy, visit, pictures):
    page = visit(toy)
    pick(page, pictures["bright"])
    settled(page, 1)
    slider, over = page.get_by_label("Heatmap"), page.locator(".layers .over")

    def colour():
        shot = page.locator(".layers").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).reshape(-1, 3).mean(axis=0)

    page.emulate_media(reduced_motion="reduce")
    slider.fill("0")
    assert over.evaluate("image => image.style.opacity") == "0"
    np.testing.assert_allclose(colour(), 200, atol=3)
    slider.fill("100")
    red, _, blue = colour()
    assert red > blue + 50  # orange: it speaks for a generator
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert over.evaluate("image => image.style.opacity") == "0.99"
    assert page.locator("#opacity-text").inner_text() == slider.get_attribute("aria-valuetext") == "99 %"


def test_several_pictures_are_a_gallery(toy, visit, pictures):
    page = visit(toy)
    pick(page, *pictures.values())
    settled(page, 4)
    status = page.get_by_role("status").inner_text()
    assert status == "All 4 looked at: 1 generated, 1 camera, 1 inconclusive, 1 not readable"
    tiles = page.locator("#tiles button")
    assert [tile.locator(".badge").inner_text() for tile in tiles.all()] == [
        "generated", "camera", "inconclusive", "not readable"
    ]  # fmt: skip
    shown = page.get_by_role("article")
    for place, words in (
        (1, "look like a camera's"),
        (2, "lies between"),
        (3, "broken.jpg is not a picture"),
    ):
        tiles.nth(place).focus()
        page.keyboard.press("Enter")
        assert tiles.nth(place).get_attribute("aria-current") == "true"
        assert words in shown.inner_text()
        assert page.evaluate("document.activeElement.id") == "shown"
    page.get_by_role("button", name="Start over").click()
    assert tiles.count() == 0
    assert not shown.is_visible()


def test_a_picture_chosen_later_is_shown_when_it_is_looked_at(toy, visit, pictures):
    page = visit(toy)
    title = page.get_by_role("article").get_by_role("heading", level=2)
    for count, name in enumerate(("bright", "dark"), 1):
        pick(page, pictures[name])
        settled(page, count)
        assert title.inner_text() == f"{name}.png"
    pick(page, pictures["middling"])
    page.locator("#tiles button").first.click()  # whoever asks for another one sees that
    settled(page, 3)
    assert title.inner_text() == "bright.png"


def test_a_drop_without_a_file_is_told(toy, visit):
    page = visit(toy)
    page.evaluate(
        "window.dispatchEvent(new DragEvent('drop', { cancelable: true, dataTransfer: new DataTransfer() }))"
    )
    assert "Save the picture first" in page.get_by_role("status").inner_text()


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        (lambda route: route.abort(), "The server cannot be reached"),
        (
            lambda route: route.fulfill(
                status=429, headers={"Retry-After": "0"}, body='{"detail": "so much to do"}'
            ),
            "so much to do",
        ),
    ],
)
@pytest.mark.parametrize("request_for", ["evidence", "limits"])
def test_what_got_no_answer_can_be_asked_again(toy, visit, pictures, refuse, words, request_for):
    page = visit(toy, route=(f"**/v1/{request_for}", refuse))
    pick(page, pictures["bright"])
    page.get_by_role("status").filter(has_text="bright.png: no answer").wait_for()
    shown = page.get_by_role("article")
    assert shown.locator(".badge").inner_text() == "No answer"
    assert words in shown.inner_text()
    page.unroute(f"**/v1/{request_for}")
    page.get_by_role("button", name="Try again").press("Enter")
    page.get_by_role("status").filter(has_text="bright.png: generated").wait_for()
    assert shown.locator(".badge").inner_text() == "Generated"


def test_a_file_that_is_gone_is_told_from_a_server_that_is(toy, visit, pictures):
    page = visit(toy, route=("**/v1/evidence", lambda route: route.abort()))
    page.evaluate("() => { Blob.prototype.arrayBuffer = () => Promise.reject(new Error('gone')); }")
    pick(page, pictures["bright"])
    page.get_by_role("status").filter(has_text="bright.png: not readable").wait_for()
    assert "moved or changed" in page.get_by_role("article").inner_text()


def test_a_picture_can_be_pasted(toy, visit, pictures):
    page = visit(toy)
    let_go(page, pictures["dark"], pasted=True)
    settled(page, 1)
    assert page.get_by_role("status").inner_text() == "dark.png: camera"


def test_rows_and_report_can_be_downloaded(toy, visit, pictures):
    page = visit(toy)
    pick(page, pictures["bright"], pictures["broken"])
    settled(page, 2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    bright, broken = json.loads(Path(download.value.path()).read_text())
    assert (bright["verdict"], bright["score"]) == ("generated", 72.0)
    assert broken["error"].startswith("broken.jpg is not a picture")
    row = Detection(path="broken.jpg", model=bright["model"], error=broken["error"]).to_dict()
    assert broken == row
    assert list(broken) == list(bright) == list(row)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report").click()
    assert download.value.suggested_filename == "spectrace-report.html"
    report = Path(download.value.path()).read_text()
    assert "bright.png" in report
    assert "broken.jpg" in report


def test_branches_and_resemblance_are_shown_as_the_report_does(serve, fusion_model, visit, pictures, grey):
    client = serve(fusion_model())
    path = pictures["bright"]
    found = client.post("/v1/evidence", files={"file": (path.name, path.read_bytes())}).json()
    assert found["resemblance"]
    page = visit(client)
    pick(page, path)
    settled(page, 1)
    rows = page.locator("table.branches tbody tr")
    for row, bar in zip(rows.all(), found["branches"], strict=True):
        assert row.get_by_role("rowheader").inner_text().split("\n") == [bar["title"], bar["name"]]
        assert row.locator("td").last.inner_text() == bar["text"]
        drawn = row.locator("rect").bounding_box()["width"] / row.locator("svg").bounding_box()["width"]
        assert drawn == pytest.approx(bar["width"] / 100, abs=0.02)
    assert found["resemblance"] in page.get_by_role("article").inner_text()


def test_a_file_too_large_is_told_without_being_sent(serve, visit, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes(2**20 + 1))
    page = visit(serve(file_bytes=2**20))
    pick(page, large)
    settled(page, 1)
    assert "large.png is larger than 1 MiB" in page.get_by_role("article").inner_text()
    assert not any("/v1/evidence" in address for address in page.asked)


def test_names_of_files_are_text_and_never_markup(toy, visit, pictures, tmp_path):
    hostile = tmp_path / "<img src=x onerror=alert(1)>.png"
    hostile.write_bytes(pictures["bright"].read_bytes())
    page = visit(toy)
    pick(page, hostile, pictures["dark"])
    settled(page, 2)
    assert page.get_by_role("article").get_by_role("heading", level=2).inner_text() == hostile.name
    assert page.locator("img[src=x]").count() == 0


def test_pages_of_other_sites_read_nothing_and_have_nothing_looked_at(toy, serve, visit):
    """Another origin is another site's page to a browser; ours is taken with its own rules switched off."""
    page = visit(toy, bypass_csp=True, quiet=True)
    client = serve()
    read = "async (address) => await fetch(address).then(() => 'read', () => 'not read')"
    assert page.evaluate(read, f"{toy.base_url}v1/limits") == "read"
    assert page.evaluate(read, f"{client.base_url}v1/limits") == "not read"
    send = """async (address) => {
      const form = new FormData();
      form.append("file", new Blob(["words"]), "a.png");
      await fetch(address, { method: "POST", mode: "no-cors", body: form }).catch(() => {});
    }"""
    page.evaluate(send, f"{client.base_url}v1/detect")
    assert 'status="403"' in client.get("/metrics").text
    assert "spectrace_pictures_total{" not in client.get("/metrics").text


def test_a_server_with_a_token_asks_for_it(serve, visit, pictures):
    page = visit(serve(token="öffne-dich-→"))
    field = page.get_by_label("Token")
    for token, answer in (("wrong", "The token is wrong."), ("öffne-dich-→", "")):
        field.wait_for()
        assert page.evaluate("document.activeElement.id") == "token"
        field.fill(token)
        page.keyboard.press("Enter")
        page.get_by_role("status").filter(has_text=answer).wait_for(state="attached")
    field.wait_for(state="hidden")
    pick(page, pictures["bright"])
    settled(page, 1)
    assert page.get_by_role("status").inner_text() == "bright.png: generated"


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [
        (1280, 900, "light"),
        (1280, 900, "dark"),
        (390, 844, "light"),
        (390, 844, "dark"),
        (320, 568, "light"),
    ],
)
def test_it_fits_and_can_be_read(client, visit, photograph_paths, pictures, width, height, scheme):
    page = visit(client, width, height, color_scheme=scheme)
    pick(page, photograph_paths["chelsea"], photograph_paths["flower"], pictures["broken"])
    settled(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(SPILLED) == []
    assert page.evaluate(CONTRAST) == []


SPILLED = """() => [...document.querySelectorAll(".badge, .button, table, img, svg")]
  .filter((node) => node.checkVisibility())
  .filter((node) => {
    const [inner, outer] = [node, node.closest(".tile, .panel")].map((one) => one.getBoundingClientRect());
    return inner.left < outer.left || inner.right > outer.right;
  })
  .map((node) => node.outerHTML.slice(0, 80))"""

CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
  };
  const low = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest("svg, template")) continue;
    const [above, below] = [getComputedStyle(node).color, null].map((c) => light(c ? channels(c) : ground(node)));
    const ratio = (Math.max(above, below) + 0.05) / (Math.min(above, below) + 0.05);
    if (ratio < 4.5) low.push(`${texts.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""


def test_every_control_has_a_name_and_can_be_reached_by_tab(toy, visit, pictures):
    page = visit(toy)
    pick(page, pictures["bright"], pictures["dark"])
    settled(page, 2)
    controls = page.locator("button:visible, input:visible, a:visible")
    reached = set()
    page.locator("body").click(position={"x": 1, "y": 1})
    for _ in range(controls.count() + 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    for control in controls.all():
        assert control.evaluate("node => node.outerHTML.slice(0, 60)") in reached
        name = control.evaluate(
            "node => node.textContent.trim() || node.labels?.[0]?.textContent.trim() || ''"
        )
        assert name


def test_what_is_announced_has_a_name_and_is_not_empty(toy, visit, pictures):
    page = visit(toy)
    pick(page, pictures["bright"])
    settled(page, 1)
    tree = page.locator("body").aria_snapshot()
    for words in (
        'article "bright.png Generated"',
        'status: "bright.png: generated"',
        'img "Score +72.00. Camera at or below −10.00, generated at or above +10.00."',
        'slider "Heatmap opacity"',
        'img "The examined picture"',
    ):
        assert words in tree
    assert not re.search(r"^ *- (list|table|region|figure)$", tree, re.MULTILINE)


def test_nothing_is_asked_of_anybody_else(toy, visit, pictures):
    page = visit(toy)
    pick(page, pictures["bright"])
    settled(page, 1)
    assert all(address.startswith((str(toy.base_url), "data:")) for address in page.asked)
