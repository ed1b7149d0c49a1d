"""The scale's layout and the report's sentences."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrace.detectors.card import Card, Thresholds
from spectrace.explain.scale import scale_of
from spectrace.explain.wording import likelihood, meaning, rate, result_rows, share, signed

SCORES = st.floats(-1e6, 1e6)
CUTS = st.tuples(st.floats(-40, 40), st.floats(-40, 40)).map(sorted)


@given(SCORES, CUTS)
def test_everything_lies_in_order_on_the_scale(score, cuts):
    camera, generated = cuts
    scale = scale_of(score, Thresholds(camera=camera, generated=generated))
    assert 0.0 <= scale.camera <= scale.generated <= 100.0
    assert 0.0 <= scale.mark <= 100.0
    assert sum(zone.width for zone in scale.zones) == pytest.approx(100.0)
    # The mark lies in the zone of its verdict, unless it lies beyond the ends.
    if score >= generated:
        assert scale.mark >= scale.generated
    if score <= camera:
        assert scale.mark <= scale.camera
    assert scale.anchor in ("start", "middle", "end")


@given(CUTS)
def test_thresholds_are_never_at_the_ends(cuts):
    camera, generated = cuts
    scale = scale_of(0.0, Thresholds(camera=camera, generated=generated))
    assert scale.camera > 1.0
    assert scale.generated < 99.0


@given(SCORES)
def test_likelihoods_say_which_way_and_never_overclaim(score):
    said = likelihood(score)
    assert said.endswith(".")
    if abs(score) > math.log(1000.5):
        assert "over 1,000" in said
    if score > 1:
        assert said.index("a generator") < said.index("a camera")
    if score < -1:
        assert said.index("a camera") < said.index("a generator")


@given(st.floats(0, 1))
def test_shares_never_claim_certainty(value):
    said = share(value)
    assert said not in ("0 %", "100 %")
    if said[0].isdigit():
        assert abs(float(said.split()[0]) - 100 * value) <= 0.5
    assert rate(value).endswith(" %")


def test_meanings_without_measured_rates_name_none():
    card = Card(id="demo", version="1", title="", tile_size=8)
    assert meaning("generated", card) == "The pixels carry traces as generated pictures do."
    assert "%" not in meaning("camera", card)
    assert "reasons" in meaning("inconclusive", card)


def test_signed_numbers_have_a_true_minus():
    assert signed(-3.456) == "\u22123.46"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_any_results_become_rows(results):
    rows = result_rows(json.loads(json.dumps(results)))
    assert all(isinstance(part, str) for row in rows for part in row)


def test_many_results_are_cut():
    rows = result_rows({str(n): n for n in range(1000)})
    assert len(rows) == 61
    assert rows[-1][0] == "…"


def test_named_parts_keep_their_names():
    results = {"by_generator": [{"name": "stylegan", "ap": {"value": 0.5, "low": None, "high": None}}]}
    assert result_rows(results) == [
        ("by_generator · stylegan · name", "stylegan"),
        ("by_generator · stylegan · ap", "0.500"),
    ]
