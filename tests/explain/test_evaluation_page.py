"""The evaluation's page: self-contained, escaped, with matrix, curves, reliability and mistakes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.detector import Detector
from spectrace.evaluation import summaries
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.evaluate import observe
from spectrace.evaluation.results import Evaluation, Results, SweepCurve, SweepPoint, Unreadable
from spectrace.evaluation.summaries import Observation
from spectrace.explain.evaluation_figures import matrix_figure, reliability_figure, sweeps_figure
from spectrace.explain.evaluation_page import evaluation_page
from spectrace.explain.mistakes import mistakes, worst
from spectrace.spectra.report_figures import LIGHT

HOSTILE = "<script>alert($1)</script>"


def seen(count=40):
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        generated = number % 2 == 1
        row = Row(
            path=f"{number}.png",
            label="generated" if generated else "real",
            generator=("gan", HOSTILE)[number % 4 // 2] if generated else "",
            source=f"s{number % 3}",
        )
        score = float(rng.normal(1.0 if generated else -1.0, 1.5))
        rows.append(Observation(row, score, "generated" if score > 1 else "inconclusive"))
    return rows


def an_evaluation(perturbation=None):
    observations = seen()
    return Evaluation(
        model="demo@1",
        manifest_digest="0" * 64,
        split="val",
        perturbation=perturbation,
        seed=0,
        resamples=20,
        confidence=0.95,
        seconds=1.0,
        overall=summaries.overall(observations, resamples=20),
        by_generator=summaries.by_generator(observations, resamples=20),
        by_pair=[],
        by_real_source=summaries.by_real_source(observations),
        unreadable=[Unreadable(HOSTILE, "is no picture")],
        reliability=summaries.reliability_bins(observations, resamples=20),
    )


def some_results():
    evaluations = [an_evaluation(), an_evaluation("jpeg(quality=75)")]
    points = [SweepPoint(one, "identity", evaluations[0].overall) for one in ("none", "1", "2")]
    curve = SweepCurve(
        model="demo@1",
        sweep="blur",
        title="Blur",
        unit="sigma",
        manifest_digest="0" * 64,
        split="val",
        seed=0,
        resamples=20,
        confidence=0.95,
        points=points,
    )
    return Results(evaluations=evaluations, environment=Environment.here(), sweeps=[curve])


def test_it_shows_every_part_and_loads_nothing():
    page = evaluation_page(some_results())
    for title in (
        "Summary",
        "Generator by generator",
        "Robustness",
        "Reliability",
        "All figures",
        "Took no part",
    ):
        assert f">{title}</h2>" in page
    assert "<script" not in page
    assert not re.search(r"""(src|href|srcset)=["'](?!data:)""", page)


def test_parts_without_anything_to_show_are_left_out():
    one = some_results().evaluations[0]
    bare = Evaluation(
        **{name: getattr(one, name) for name in one.__struct_fields__}
        | {"reliability": [], "by_generator": []}
    )
    page = evaluation_page(Results(evaluations=[bare], environment=Environment.here()))
    assert "Robustness</h2>" not in page
    assert "Reliability</h2>" not in page
    assert "Generator by generator" not in page


def test_figures_hold_the_figures():
    results = some_results()
    matrix = matrix_figure(results.evaluations, LIGHT).axes[0]
    drawn = {text.get_text() for text in matrix.texts}
    wanted = {f"{one.figures['auroc'].value:.2f}" for one in results.evaluations[0].by_generator}
    assert drawn == wanted
    (line, _) = sweeps_figure(results.sweeps, LIGHT).axes[0].lines
    assert line.get_ydata()[0] == results.evaluations[0].overall.figures["auroc"].value
    panel = reliability_figure(results.evaluations, LIGHT).axes[0]
    assert panel.lines[1].get_ydata().tolist() == [one.observed for one in results.evaluations[0].reliability]


def test_worst_are_those_farthest_on_the_wrong_side():
    real, generated = worst(seen(), 3)
    assert all(one.score > 0 and not one.row.is_generated for one in real)
    assert all(one.score < 0 and one.row.is_generated for one in generated)
    assert [one.score for one in real] == sorted((one.score for one in real), reverse=True)
    assert [one.score for one in generated] == sorted(one.score for one in generated)
    assert worst([Observation(Row(path="a.png", label="real"), None, "inconclusive")], 3) == ([], [])


def test_mistakes_are_shown_with_their_heatmaps(tmp_path, photographs):
    pixels = photographs["coffee"]
    rows = []
    for number, label in enumerate(("real", "generated")):
        path = tmp_path / f"{number}&<b>.png"
        Image.fromarray(pixels[:200, 200 * number : 200 * number + 200]).save(path)
        rows.append(Row(path=path.name, label=label, source="cups"))
    manifest = Manifest(rows, tmp_path)
    detector = Detector.load()
    observations = observe(detector, manifest)
    # One of the two is always wrong when labels are exchanged.
    found = mistakes(detector, manifest, observations)
    exchanged = [
        Observation(
            Row(path=one.row.path, label="generated" if one.row.label == "real" else "real"), one.score
        )
        for one in observations
    ]
    turned = mistakes(detector, manifest, exchanged)
    shown = [*found.real, *found.generated, *turned.real, *turned.generated]
    assert len(shown) == 2
    page = evaluation_page(some_results(), [found, turned])
    assert page.count('alt="Its heatmap"') == 2
    assert "&amp;&lt;b&gt;.png" in page
    assert "&<b>.png" not in page


@pytest.mark.parametrize("count", [1, 40])
def test_a_matrix_of_any_width(count):
    one = an_evaluation()
    many = [
        one.by_generator[0].__class__(
            f"g{n}", *(getattr(one.by_generator[0], k) for k in ("real", "generated", "figures"))
        )
        for n in range(count)
    ]
    wide = Evaluation(**{name: getattr(one, name) for name in one.__struct_fields__} | {"by_generator": many})
    assert len(matrix_figure([wide], LIGHT).axes[0].get_xticklabels()) == count
