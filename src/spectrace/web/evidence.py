"""All that the page shows of one picture, in words and small pictures, ready to be laid out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from spectrace.detectors.card import Card
from spectrace.detectors.detection import Detection, Verdict
from spectrace.explain.report import ReportEntry, entry
from spectrace.explain.scale import bars_of, scale_of
from spectrace.explain.wording import (
    PEAK_KINDS,
    REASON_MEANINGS,
    SOURCE_TYPE_MEANINGS,
    VERDICT_TITLES,
    likelihood,
    meaning,
    share,
    signed,
)
from spectrace.images.decode import Picture

_ALL = 0.995


def evidence(picture: Picture, detection: Detection, card: Card) -> dict[str, Any]:
    """Gather what is known of a picture, as plain JSON values.

    Args:
        picture: the decoded picture.
        detection: what the detector said of it.
        card: of the model that said it.

    Returns:
        ``row`` as ``spectrace detect --json`` gives it, and beside it the words, drawings (data URIs) and
        places (shares of a width or height, per cent of a scale) that the page shows.
    """
    shown = entry(picture, detection)
    return {
        "row": detection.to_dict(),
        "title": VERDICT_TITLES[str(shown.verdict)],
        "meaning": meaning(shown.verdict, card),
        "reasons": [
            {"code": code, "sentence": sentence, "meaning": REASON_MEANINGS.get(code, "")}
            for code, sentence in shown.reasons
        ],
        "score": None if shown.score is None else _score(shown, shown.score, card),
        "branches": [
            {**asdict(bar), "text": signed(bar.share)} for bar in bars_of(shown.branches, card.branches)
        ],
        "resemblance": shown.resemblance,
        "picture": shown.picture and asdict(shown.picture),
        "heatmap": shown.heatmap and asdict(shown.heatmap),
        "spectrum": shown.spectrum and asdict(shown.spectrum),
        "peaks": [
            {
                "x": peak.x,
                "y": peak.y,
                "explained_by": PEAK_KINDS[peak.kind],
                "period": f"{peak.period:.3g} px {peak.direction}",
                "strength": f"{peak.strength:.0f} dB",
            }
            for peak in shown.peaks
        ],
        "upsampling": shown.upsampling,
        "facts": _rows(shown.facts),
        "claims": _rows(shown.claims or ()),
        "notes": list(shown.notes),
    }


def _score(shown: ReportEntry, score: float, card: Card) -> dict[str, Any]:
    if shown.patches > shown.tiles:
        looked_at = f"{shown.patches:,} patches of {card.receptive_field} pixels"
    else:
        looked_at = f"{shown.tiles} tile{'' if shown.tiles == 1 else 's'} of {card.tile_size} pixels"
    return {
        "text": signed(score),
        "likelihood": likelihood(score),
        "probability": share(shown.probability or 0.0),
        "relied_on": shown.verdict != Verdict.INCONCLUSIVE,
        "basis": f"{looked_at} ({'all' if shown.covered > _ALL else share(shown.covered)} of the picture)",
        "camera": signed(card.thresholds.camera),
        "generated": signed(card.thresholds.generated),
        "scale": asdict(scale_of(score, card.thresholds)),
    }


def _rows(rows: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value, "meaning": SOURCE_TYPE_MEANINGS.get(value, "")} for name, value in rows
    ]
