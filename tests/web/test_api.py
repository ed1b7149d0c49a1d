"""What is asked and what is answered."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from spectrace.detectors.card import Thresholds
from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector
from spectrace.web import schemas

ONE_FILE = ("/v1/evidence", "/v1/heatmap", "/v1/spectrum")
MANY_FILES = ("/v1/detect", "/v1/report")


def files(*named):
    return [("files", file) for file in named]


def metrics(client):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def test_rows_are_those_of_the_detector(client, photograph_paths):
    paths = [photograph_paths[name] for name in ("flower", "chelsea")]
    answer = client.post("/v1/detect", files=files(*((path.name, path.read_bytes()) for path in paths)))
    assert answer.status_code == 200
    detector = Detector.load()
    assert answer.json() == [{**detector.detect(path).to_dict(), "path": path.name} for path in paths]


def test_a_picture_that_cannot_be_read_is_a_row_with_error_and_the_rest_goes_on(serve, toy_model, grey):
    cuts = Thresholds(generated=10, camera=-10)
    client = serve(toy_model(thresholds=cuts))
    uploads = files(
        ("bright.png", grey(200)),
        ("broken.jpg", b"\xff\xd8\xff nothing"),
        ("empty", b""),
        ("dark.bmp", grey(20, kind="BMP")),
    )
    bright, broken, empty, dark = client.post("/v1/detect", files=uploads).json()
    assert (bright["verdict"], bright["score"], bright["error"]) == ("generated", 72.0, None)
    assert (dark["verdict"], dark["score"]) == ("camera", -108.0)
    assert broken["verdict"] is None
    assert broken["error"].startswith("broken.jpg is a JPEG")
    assert empty["error"].startswith("empty is empty")
    assert metrics(client)["spectrace_pictures_total", "unreadable"] == 2


def test_evidence_says_in_words_what_the_row_says_in_figures(client, photograph_paths):
    path = photograph_paths["chelsea"]
    found = client.post("/v1/evidence", files={"file": (path.name, path.read_bytes())}).json()
    assert found["row"] == {**Detector.load().detect(path).to_dict(), "path": path.name}
    assert found["title"].lower() == found["row"]["verdict"]
    assert [reason["code"] for reason in found["reasons"]] == [
        reason.partition(":")[0] for reason in found["row"]["reasons"]
    ]
    assert found["score"]["text"].replace("−", "-") == f"{found['row']['score']:+.2f}"
    assert {"name": "Camera", "value": "PENTAX Corporation PENTAX K100D Super", "meaning": ""} in found[
        "claims"
    ]
    for drawing in ("picture", "heatmap", "spectrum"):
        assert found[drawing]["uri"].startswith("data:image/jpeg;base64,")


def test_evidence_of_a_picture_too_small_to_score_lacks_what_there_is_not(client, grey):
    found = client.post("/v1/evidence", files={"file": ("dot.png", grey(90, side=3))}).json()
    assert (found["score"], found["heatmap"], found["spectrum"], found["peaks"]) == (None, None, None, [])
    assert [reason["code"] for reason in found["reasons"]] == ["too-small"]
    assert (found["picture"]["width"], found["picture"]["height"]) == (3, 3)


def test_drawings_are_png_files(client, photograph_paths):
    raw = photograph_paths["flower"].read_bytes()
    drawn = {}
    for place in ("/v1/heatmap", "/v1/heatmap?opacity=0", "/v1/heatmap?colours=purple-green", "/v1/spectrum"):
        answer = client.post(place, files={"file": ("flower.jpg", raw)})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        drawn[place] = np.asarray(Image.open(io.BytesIO(answer.content)))
    heatmap, clear, other, spectrum = drawn.values()
    assert heatmap.shape[0] > 427  # the legend
    assert heatmap.shape[1] == 640
    assert np.ptp(clear[200, 300].astype(int)) == 0  # grey without colours
    assert (heatmap != other).any()
    assert spectrum.shape[0] == spectrum.shape[1]


def test_a_heatmap_of_nothing_scored_is_refused(client, grey):
    answer = client.post("/v1/heatmap", files={"file": ("dot.png", grey(90, side=3))})
    assert answer.status_code == 422
    assert answer.json()["code"] == "not-scored"
    assert "too-small" in answer.json()["detail"]


def test_the_report_is_one_page_about_all_files(client, photograph_paths):
    raw = photograph_paths["chelsea"].read_bytes()
    answer = client.post("/v1/report", files=files(("cat.png", raw), ("<b>.jpg", b"broken")))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert "cat.png" in answer.text
    assert "&lt;b&gt;.jpg" in answer.text
    assert "<b>" not in answer.text


def test_models_limits_and_health(client):
    models = client.get("/v1/models").json()
    assert models["in_use"] == Detector.load().card.name
    assert models["in_use"] in {f"{card['id']}@{card['version']}" for card in models["models"]}
    limits = client.get("/v1/limits").json()
    assert limits["files"] == 4
    assert "token" not in limits
    assert client.get("/healthz").json() == {"status": "ok"}


def test_figures_count_requests_pictures_and_what_is_held(serve, grey):
    client = serve()
    client.post("/v1/detect", files=files(("a.png", grey(200)), ("b.png", grey(20))))
    client.post("/v1/detect", content=b"")
    client.get("/nowhere/../" + "x" * 50)
    client.post("/v1/evidence", files={"file": ("a.png", b"words")})
    client.post("/v1/evidence", files={"file": ("a.png", grey(20))})
    found = metrics(client)
    assert found["spectrace_requests_total", "/v1/detect", "200"] == 1
    assert found["spectrace_requests_total", "/v1/detect", "415"] == 1
    assert found["spectrace_requests_total", "unknown", "404"] == 1
    assert found["spectrace_pictures_total", "generated"] == 1
    assert found["spectrace_pictures_total", "camera"] == 2
    assert found["spectrace_pictures_total", "unreadable"] == 1
    assert found["spectrace_request_duration_seconds_count", "/v1/evidence"] == 2
    routes = {labels[0] for name, *labels in found if name == "spectrace_requests_total"}
    assert routes == {"/v1/detect", "/v1/evidence", "unknown"}  # whatever is asked, no label is made of it
    assert found["spectrace_model_info", "toy@1"] == 1
    assert found[("spectrace_held_bytes",)] == 0
    assert found[("process_resident_memory_bytes",)] > 2**20


def test_openapi_names_every_key_of_a_row():
    row = Detection(path="a.jpg", model="demo@1").to_dict()
    assert set(schemas.ROW["properties"]) == set(row) == set(schemas.ROW["required"])


def test_what_there_is_not_is_refused_in_the_shape_of_refusals(client):
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/v1/detect", 405), ("POST", "/", 405)):
        answer = client.request(method, path)
        assert answer.status_code == answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_fusion_says_what_its_branches_add_and_whose_traces_there_are(serve, fusion_model, grey):
    bright, dark = (
        serve(fusion_model()).post("/v1/evidence", files={"file": ("a.png", grey(level))}).json()
        for level in (220, 20)
    )
    row = bright["row"]
    assert [(bar["name"], bar["title"]) for bar in bright["branches"]] == [
        ("toy", "A toy"),
        ("patches", "Random"),
    ]
    for bar in bright["branches"]:
        assert bar["text"].replace("−", "-") == f"{row['branches'][bar['name']]:+.2f}"
        assert bar["verdict"] == ("camera" if bar["share"] < 0 else "generated")
        assert 0 <= bar["start"] <= bar["start"] + bar["width"] <= 100
    assert row["family"] == "gan-lattice"
    assert bright["resemblance"].startswith("traces resemble those of GANs, which upsample on a lattice (")
    assert dark["resemblance"] is None


def test_openapi_names_every_route(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        *ONE_FILE, *MANY_FILES, "/v1/models", "/v1/limits", "/healthz", "/metrics"
    }  # fmt: skip
    for path in ("/docs", "/redoc"):  # they would load scripts from elsewhere
        assert client.get(path).status_code == 404


def test_the_page_stands_alone(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = "".join(client.get(path).text for path in ("/", "/page.css", "/page.js", "/icon.svg"))
    addresses = set(re.findall(r"https?://[^\s\"')]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_the_page_has_the_colours_of_the_report(client, grey):
    def themes(css):
        """Colours by name, light ones and dark ones."""
        found = {"": {}, "(prefers-color-scheme: dark)": {}, "print": {}}
        for media, block in re.findall(r"(?:@media ([^{]+) \{\s*)?:root \{(.*?)\}", css, re.S):
            found[media].update(re.findall(r"(--[\w-]+): (#[0-9a-f]+)", block))
        return list(found.values())[:2]

    report = client.post("/v1/report", files={"file": ("a.png", grey(9))}).text
    for page, shown in zip(themes(client.get("/page.css").text), themes(report), strict=True):
        assert len(page) > 10
        assert page.items() <= shown.items()


def test_the_page_has_the_colours_of_the_heatmap(client):
    from spectrace.explain.heatmap import LIMIT, tint

    drawn = tint(np.full((1, 3, 3), 128, np.uint8), np.array([[-LIMIT, 0, LIMIT]], np.float32))[0]
    ramp = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in drawn.tolist())
    assert f"linear-gradient(90deg, {ramp})" in client.get("/page.css").text


def test_answers_are_not_kept_and_not_guessed_at(client, grey):
    answer = client.post("/v1/detect", files={"file": ("a.png", grey(9))})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.content)
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", [*ONE_FILE, *MANY_FILES])
def test_pictures_of_any_shape_get_an_answer(client, path):
    for height, width in ((1, 1), (1, 3000), (3000, 1), (128, 129), (50, 49), (700, 500)):
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)).save(
            file, "PNG"
        )
        answer = client.post(path, files={"file": ("noise.png", file.getvalue())})
        too_small = path == "/v1/heatmap" and min(height, width) < 128
        assert answer.status_code == (422 if too_small else 200), (height, width, answer.text)
