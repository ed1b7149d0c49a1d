"""The audit's page: self-contained, escaped, with every figure it is to show."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from spectrace.evaluation.audit.findings import Audit, Part, Verdict
from spectrace.evaluation.audit.tells import Tell, Uniform
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.results import Estimate, Unreadable
from spectrace.explain.audit_page import audit_page

HOSTILE = "<script>alert(1)</script>"


def an_audit(verdict=Verdict.LEAK, value=0.9):
    estimate = Estimate(value, value - 0.05, min(value + 0.05, 1.0))
    parts = [
        Part(
            kind=kind,
            auroc=estimate,
            p_value=0.005,
            new_sources=None,
            verdict=verdict if kind != "spectral" else Verdict.NONE,
        )
        for kind in ("file", "grid", "spectral")
    ]
    tell = Tell(
        name="format",
        kind="file",
        auroc=estimate,
        statement=f"file format is {HOSTILE}",
        generated=0.87,
        real=0.03,
    )
    return Audit(
        manifest_digest="0" * 64,
        split=None,
        seed=0,
        real=1200,
        generated=800,
        real_sources=3,
        generated_sources=2,
        parts=parts,
        tells=[tell],
        uniform=[Uniform(source=HOSTILE, label="real", pictures=9, size="8 x 8", jpeg_quality=None)],
        unreadable=[Unreadable(HOSTILE, f"{HOSTILE} is no picture")],
        verdict=verdict,
        environment=Environment.here(),
    )


def test_it_shows_what_was_found():
    page = audit_page(an_audit(), made=datetime(2026, 1, 2, tzinfo=UTC))
    for expected in ("The formats leak", "0.90 (0.85 to 0.95)", "87 %", "8 x 8", "1,200 real", "2026-01-02"):
        assert expected in page
    assert "The equalised copy" not in page


def test_it_shows_the_copy():
    page = audit_page(an_audit(), an_audit(Verdict.NONE, 0.5))
    assert "AUROC 0.90 (0.85 to 0.95) before, 0.50 (0.45 to 0.55) in the copy" in page


def test_it_is_self_contained_and_escaped():
    page = audit_page(an_audit())
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    assert "default-src 'none'" in page
