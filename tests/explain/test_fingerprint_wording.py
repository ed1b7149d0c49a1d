"""What the fingerprint report says for each outcome."""

from __future__ import annotations

import msgspec
import pytest

from spectrace.explain.fingerprint_wording import advice, causes, findings, headline, limits
from spectrace.spectra.fingerprint_report import Band, FingerprintReport, Outcome, Prints, Spot, Tail
from spectrace.spectra.known import Match
from spectrace.spectra.peaks import Peak

FOUND = FingerprintReport(
    samples="mine",
    photographs="theirs",
    counts=(100, 200),
    outcome=Outcome.TRACES,
    p=0.001,
    strength_db=4.0,
    level_db=-0.3,
    bands=[Band(0.3, 0.5, -6.0, -9.5), Band(0.1, 0.15, 1.0, 1.2)],
    spots=[Spot((0.0, 0.5), 8.0)],
    tail=Tail(-6.0, (-7.0, -5.0), -3.0, (-4.0, -2.0)),
    peaks=[Peak(2.0, (0.0, 0.5), 14.2, "upsampling", "mean-spectrum")],
    upsampling_factor=2,
    prints=(Prints(90, 0.9, (0.82, 0.95)), Prints(1, 0.005, (0.0, 0.03))),
    matches=[Match("upsampling: bilinear x2", "bilinear", 0.91), Match("dcgan", "dcgan", 0.2)],
    threshold=0.7,
    warnings=[],
    rings_db={},
    difference_db=[],
)


def changed(**values: object) -> FingerprintReport:
    return msgspec.structs.replace(FOUND, **values)


def test_traces_are_described_with_cause_and_advice() -> None:
    assert headline(FOUND).startswith("Strong traces: too little power from 0.30 to 0.50 cycles per pixel")
    text = " ".join(findings(FOUND))
    for wanted in (
        "4.0 dB on average",
        "+8.0 dB at (0.00, 0.50)",
        "−6.0 dB (95 % interval −7.0 to −5.0) and falls",
        "upsampling by 2",
        "90 of 100 (90 %, interval 82 to 95) of the samples",
    ):
        assert wanted in text
    assert "similarity 0.91" in " ".join(causes(FOUND))
    assert "Bilinear upsampling" in " ".join(causes(FOUND))
    assert "Power is missing" in " ".join(causes(FOUND))
    assert any("high frequencies" in line for line in advice(FOUND))
    assert any("−0.3 dB" in line for line in limits(FOUND))


@pytest.mark.parametrize(("strength", "word"), [(0.4, "Faint"), (1.5, "Clear"), (9.0, "Strong")])
def test_strength_has_a_word(strength: float, word: str) -> None:
    assert headline(changed(strength_db=strength)).startswith(word)
    assert headline(changed(bands=[], spots=[])) == "Strong traces: at single frequencies"


def test_a_copy_at_half_a_cycle_is_named_where_it_stands_above_all() -> None:
    copied = changed(spots=[Spot((0.3, 0.3), 40.0), Spot((0.5, 0.5), 28.3)])
    assert (
        headline(copied) == "Strong traces: +28.3 dB at (0.50, 0.50) cycles per pixel, a pattern of period 2"
    )
    assert any("copy of the low frequencies stands at (0.50, 0.50)" in line for line in causes(copied))
    assert any("transposed" in line for line in advice(copied))
    for spot in (Spot((0.5, 0.5), -28.3), Spot((0.45, 0.2), 28.3), Spot((0.5, 0.5), 9.0)):
        assert "period" not in headline(changed(spots=[spot]))


def test_none_near_and_a_surplus_in_the_tail() -> None:
    far = changed(
        matches=[Match("dcgan", "dcgan", 0.3)], tail=Tail(5.0, (4.0, 6.0), 0.1, (-1.0, 1.0)), bands=[]
    )
    text = " ".join(causes(far))
    assert "No known fingerprint is near" in text
    assert "0.30, below 0.70" in text
    assert "too much power at the highest" in text
    assert any("transposed" in line for line in advice(far))
    assert "keeps level" in " ".join(findings(far))


def test_formats_come_first() -> None:
    text = causes(changed(warnings=["The file formats differ (mine: PNG; theirs: JPEG)"]))
    assert text[0].startswith("First of all the files")
    assert advice(changed(warnings=["anything"]))[0].startswith("Put the warnings right first")


@pytest.mark.parametrize(
    ("outcome", "title", "sentence"),
    [
        (Outcome.NOTHING, "Nothing found", "No difference at any frequency beyond chance (p = 0.4"),
        (Outcome.TOO_FEW, "Too few pictures to tell", "are too few for any test"),
    ],
)
def test_nothing_has_no_cause(outcome: Outcome, title: str, sentence: str) -> None:
    report = changed(outcome=outcome, p=0.4, bands=[], spots=[], peaks=[], upsampling_factor=None)
    assert headline(report) == title
    assert sentence in " ".join(findings(report))
    assert causes(report) == []
    assert "more samples" in " ".join(advice(report))
    assert report.near == []
