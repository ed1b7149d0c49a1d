"""The language in which perturbations are written, and their registry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.errors import UsageError
from spectrace.images.perturbations import Chain, Choice, Perturbation, Range, names, parse
from spectrace.images.registry import Parameter, register


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        ("jpeg(quality=75, subsampling=4:2:0)", "jpeg(quality=75, subsampling=4:2:0)"),
        ("  jpeg ( subsampling=4:4:4,quality=75 ) ", None),
        (
            "resize(scale=0.5, kernel=lanczos) + jpeg(quality=80)",
            "resize(scale=0.5, kernel=lanczos) + jpeg(quality=80)",
        ),
        ("jpeg(quality=60..95)@0.5", "jpeg(quality=60..95)@0.5"),
        ("resize(scale=0.5,kernel=lanczos|bicubic)+flip@.25+noise(std=1e1)", None),
        ("identity", "identity"),
        ("identity()", "identity"),
        ("blur(sigma=.5..1.)", "blur(sigma=0.5..1.0)"),
        ("jpeg(quality=60|75|90)", "jpeg(quality=60|75|90)"),
        ("noise(std=1e+1)", "noise(std=10.0)"),
    ],
)
def test_a_spec_is_read_and_written_back(spec: str, written: str | None) -> None:
    parsed = parse(spec)
    if written is not None:
        assert str(parsed) == written
    assert parse(str(parsed)) == parsed
    assert str(parse(str(parsed))) == str(parsed)


def test_what_a_spec_means() -> None:
    assert parse("jpeg(quality=75)") == Perturbation("jpeg", (("quality", 75),))
    assert parse("flip + flip@0.5") == Chain((Perturbation("flip"), Perturbation("flip", (), 0.5)))
    assert parse("blur(sigma=1..2)") == Perturbation("blur", (("sigma", Range(1, 2)),))
    assert parse("jpeg(subsampling=4:4:4|4:2:0, quality=9)") == Perturbation(
        "jpeg", (("quality", 9), ("subsampling", Choice(("4:4:4", "4:2:0"))))
    )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "write them like"),
        ("   ", "write them like"),
        ("+", "write them like"),
        ("flip +", "write them like"),
        ("flip flip", "write them like"),
        ("flip, flip", "write them like"),
        ("jpeg(quality=75", "write them like"),
        ("jpeg(quality=(75))", "write them like"),
        ("sharpen", ", ".join(names())),
        ("jpeg", "needs quality"),
        ("jpeg(75)", "name=value"),
        ("jpeg(quality=)", "name=value"),
        ("jpeg(quality=75,)", "name=value"),
        ("jpeg(quality=75, quality=80)", "twice"),
        ("jpeg(sigma=1)", "has no parameter 'sigma'"),
        ("flip(sigma=1)", "has no parameter 'sigma'"),
        ("jpeg(quality=0)", "1 to 100"),
        ("jpeg(quality=101)", "1 to 100"),
        ("jpeg(quality=0..50)", "1 to 100"),
        ("jpeg(quality=50|101)", "1 to 100"),
        ("jpeg(quality=75.5)", "1 to 100"),
        ("jpeg(quality=good)", "1 to 100"),
        ("jpeg(quality=90..60)", "lower one first"),
        ("jpeg(quality=75, subsampling=4:1:1)", "4:4:4|4:2:2|4:2:0"),
        ("jpeg(quality=75, subsampling=1..2)", "4:4:4|4:2:2|4:2:0"),
        ("webp(quality=-1)", "0 to 100"),
        ("webp(quality=101)", "0 to 100"),
        ("resize(scale=0)", "above 0"),
        ("resize(scale=-1)", "above 0"),
        ("resize(scale=0..1)", "above 0"),
        ("resize(scale=1e9)", "above 0 to 16"),
        ("resize(scale=0.5, kernel=box)", "nearest|bilinear|bicubic|lanczos"),
        ("crop-resize(fraction=1)", "0 to 0.99"),
        ("crop-resize(fraction=-0.1)", "0 to 0.99"),
        ("blur(sigma=-1)", "0 to 100"),
        ("blur(sigma=nan)", "0 to 100"),
        ("noise(std=1e999)", "0 to 255"),
        ("gamma(gamma=0)", "0.05 to 20"),
        ("flip@2", "between 0 and 1"),
        ("flip@-0.5", "between 0 and 1"),
        ("flip@often", "between 0 and 1"),
    ],
)
def test_a_bad_spec_is_refused_when_it_is_read(spec: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(spec)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@settings(deadline=None)
@given(st.text(alphabet="jpegflipquality=()+@|.,:-0123456789 \n", max_size=40))
def test_any_text_is_read_or_refused(spec: str) -> None:
    try:
        parsed = parse(spec)
    except UsageError:
        return
    assert parse(str(parsed)) == parsed


def test_a_name_is_registered_once() -> None:
    assert names() == sorted(set(names()))
    with pytest.raises(UsageError, match="registered already"):
        register("jpeg", Parameter("quality", "int", 1, 100))(lambda pixels, rng, quality: pixels)
