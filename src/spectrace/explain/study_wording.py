"""What a study's figures and page say in words."""

from __future__ import annotations

import math

from spectrace.explain.findings import Direction, Label
from spectrace.explain.wording import signed

LABEL_TITLES: dict[Label, str] = {
    "generated": "Generated pictures",
    "real": "Camera pictures",
    "unlabelled": "All pictures",
}
_END_TITLES: dict[tuple[Label, str], str] = {
    ("generated", "easiest"): "Easiest {}: highest scores",
    ("generated", "hardest"): "Hardest {}: lowest scores",
    ("real", "easiest"): "Easiest {}: lowest scores",
    ("real", "hardest"): "Hardest {}: highest scores",
    ("unlabelled", "highest"): "The {} of highest score",
    ("unlabelled", "lowest"): "The {} of lowest score",
}


def end_title(label: Label, end: str, count: int) -> str:
    """Title of one mean heatmap.

    Example:
        >>> end_title("real", "hardest", 100)
        'Hardest 100: highest scores'
    """
    return _END_TITLES[label, end].format(count)


def direction_title(direction: Direction) -> str:
    """Title of one group of predictive patches.

    Example:
        >>> direction_title(Direction("real", "real", -1))
        'Patches of camera pictures that speak most strongly for a camera'
    """
    where = LABEL_TITLES[direction.label].lower()
    what = "a generator" if direction.sign > 0 else "a camera"
    return f"Patches of {where} that speak most strongly for {what}"


def ratio_text(value: float, low: float, high: float) -> str:
    """A ratio with its interval; a dash where there is none.

    Example:
        >>> ratio_text(1.5, 1.25, 1.75), ratio_text(2.0, math.nan, math.nan)
        ('1.50 (1.25 to 1.75)', '2.00')
        >>> ratio_text(math.nan, math.nan, math.nan)
        '–'
    """
    if math.isnan(value):
        return "–"
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f} ({low:.2f} to {high:.2f})"


def score_text(score: float) -> str:
    """A patch's score, short enough for a caption.

    Example:
        >>> score_text(3.21), score_text(-123.4)
        ('+3.21', '−123')
    """
    return signed(score) if abs(score) < 100 else f"{score:+.0f}".replace("-", "\u2212")
