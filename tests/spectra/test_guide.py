"""The figures in the guide are those of the results file."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_guide_says_what_was_measured() -> None:
    guide = (ROOT / "docs" / "guide-spectra.md").read_text(encoding="utf-8")
    measured = json.loads((ROOT / "results" / "peaks-false-alarms.json").read_text(encoding="utf-8"))
    for way, counts in measured["false_alarms"].items():
        low, high = counts["interval_95"]
        share = f"{counts['share']:.2%}".replace("%", " %")
        of = f"{counts['alarms']} of {counts['pictures']}"
        assert f"| {way} | {of} | {share} ({low * 100:.2f} to {high * 100:.2f}) |" in guide
    for kernel, factors in measured["detection"]["share_with_right_factor"].items():
        cells = [
            f"{100 * factors[f]['lossless']:.0f} % / {100 * factors[f]['jpeg90']:.0f} %"
            for f in ("2", "4", "8")
        ]
        assert f"| {kernel} | {' | '.join(cells)} |" in guide
    generators = measured["prints_by_generator"].values()
    assert f"{sum(g['alarms'] for g in generators)} of all {sum(g['pictures'] for g in generators)}" in guide
