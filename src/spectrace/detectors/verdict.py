"""From a score to a verdict, with the reasons whenever it is ``inconclusive``."""

from __future__ import annotations

from collections.abc import Sequence

from spectrace.detectors.card import Card
from spectrace.detectors.detection import Verdict
from spectrace.images.facts import Facts


def verdict_of(score: float, card: Card) -> Verdict:
    """The verdict of a score at the card's thresholds, operating limits aside.

    Example:
        >>> from spectrace.detectors.card import Thresholds
        >>> cuts = Thresholds(generated=2.0, camera=-1.0)
        >>> card = Card(id="demo", version="1", title="", tile_size=8, thresholds=cuts)
        >>> [verdict_of(score, card).value for score in (2.0, 0.0, -1.5)]
        ['generated', 'inconclusive', 'camera']
    """
    if score >= card.thresholds.generated:
        return Verdict.GENERATED
    if score <= card.thresholds.camera:
        return Verdict.CAMERA
    return Verdict.INCONCLUSIVE


def limit_reasons(facts: Facts, card: Card) -> list[str]:
    """Why a picture lies outside of the card's operating limits; empty when it lies inside.

    Args:
        facts: what the file says of its format and size.
        card: the detector's card.
    """
    reasons = []
    shortest = min(facts.width, facts.height)
    smallest = max(card.limits.min_side, card.tile_size)
    if shortest < smallest:
        reasons.append(f"too-small: the shortest side is {shortest} px, this model needs {smallest} px")
    quality = facts.jpeg_quality
    if quality is not None and quality < card.limits.min_jpeg_quality:
        reasons.append(
            f"too-compressed: JPEG quality about {quality}, this model was measured down to "
            f"{card.limits.min_jpeg_quality}"
        )
    return reasons


def judge(
    score: float, rescored: Sequence[tuple[str, float]], facts: Facts, card: Card
) -> tuple[Verdict, list[str]]:
    """The verdict on a picture and, when it is ``inconclusive``, why.

    Args:
        score: the picture's score.
        rescored: (perturbation, score) of the same tiles after mild re-encodings.
        facts: what the file says of its format and size.
        card: the detector's card.

    Returns:
        The verdict, and its reasons as ``code: sentence``; no reasons unless ``inconclusive``.
    """
    reasons = limit_reasons(facts, card)
    verdict = verdict_of(score, card)
    if verdict is Verdict.INCONCLUSIVE:
        reasons.append(
            f"between-thresholds: the score {score:+.2f} lies between {card.thresholds.camera:+.2f} (camera) "
            f"and {card.thresholds.generated:+.2f} (generated)"
        )
    reasons += [
        f"unstable: the score {score:+.2f} becomes {other:+.2f} after {perturbation}"
        for perturbation, other in rescored
        if verdict_of(other, card) is not verdict
    ]
    return (Verdict.INCONCLUSIVE if reasons else verdict), reasons
