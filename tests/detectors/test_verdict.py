"""Verdicts and their reasons."""

from __future__ import annotations

import pytest

from spectrace.detectors.card import Card, OperatingLimits, Thresholds
from spectrace.detectors.verdict import judge
from spectrace.images.decode import decode

CARD = Card(
    id="demo",
    version="1",
    title="",
    tile_size=16,
    thresholds=Thresholds(generated=2.0, camera=-1.0),
    limits=OperatingLimits(min_side=32, min_jpeg_quality=60),
)


@pytest.fixture
def facts(photographs):
    return decode(photographs["coffee"]).facts


def test_thresholds_are_inclusive(facts):
    assert judge(2.0, [], facts, CARD) == ("generated", [])
    assert judge(-1.0, [], facts, CARD) == ("camera", [])


def test_between_the_thresholds(facts):
    verdict, reasons = judge(0.5, [], facts, CARD)
    assert verdict == "inconclusive"
    assert reasons == [
        "between-thresholds: the score +0.50 lies between -1.00 (camera) and +2.00 (generated)"
    ]


def test_a_verdict_that_flips_is_withdrawn(facts):
    verdict, reasons = judge(3.0, [("jpeg(quality=90)", 2.5), ("webp(quality=90)", 0.1)], facts, CARD)
    assert verdict == "inconclusive"
    assert reasons == ["unstable: the score +3.00 becomes +0.10 after webp(quality=90)"]


def test_a_verdict_that_holds_still_stands(facts):
    assert judge(3.0, [("jpeg(quality=90)", 2.5)], facts, CARD) == ("generated", [])


def test_operating_limits(tmp_path, photographs):
    from PIL import Image

    small = tmp_path / "small.jpg"
    Image.fromarray(photographs["coffee"][:100, :24]).save(small, quality=30)
    verdict, reasons = judge(5.0, [], decode(small).facts, CARD)
    assert verdict == "inconclusive"
    assert [reason.partition(":")[0] for reason in reasons] == ["too-small", "too-compressed"]
    assert "24 px, this model needs 32 px" in reasons[0]
    assert "about 30" in reasons[1]
