"""Fusions when they run: branches switched off, what each adds to a score, and the family of traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.card import NO_FAMILY, Card
from spectrace.detectors.runtime import Outputs
from spectrace.errors import UsageError


def card_without(card: Card, names: Sequence[str]) -> Card:
    """The card of a fusion with some of its branches switched off: another model, by its version.

    Args:
        card: of the fusion, or of any detector when there are no names.
        names: of branches; they know nothing from then on.

    Raises:
        UsageError: a name that is no branch's, or no branch is left.

    Example:
        >>> from spectrace.detectors.card import Branch
        >>> both = [Branch(name, name, "frequency", weight=1.0, mean=0.0) for name in ("spectrum", "patches")]
        >>> card = Card(id="demo", version="1", title="", tile_size=8, branches=both)
        >>> card_without(card, ["patches"]).name
        'demo@1 without patches'
    """
    if not names:
        return card
    known = [branch.name for branch in card.branches]
    for name in names:
        if name not in known:
            there = f"its branches are {', '.join(known)}" if known else "it is no fusion and has no branches"
            raise UsageError(f"{card.name} has no branch {name!r}: {there}")
    kept = [branch for branch in card.branches if branch.name not in names]
    if not kept:
        raise UsageError(f"all branches of {card.name} are switched off: leave one of {', '.join(known)}")
    off = ", ".join(name for name in known if name in names)
    return msgspec.structs.replace(card, branches=kept, version=f"{card.version} without {off}")


def switch_off(outputs: Outputs, kept: NDArray[np.bool_]) -> Outputs:
    """Outputs of a fusion with some branches knowing nothing; every patch of a tile loses the same.

    Args:
        outputs: of the fusion.
        kept: bool [B], false for a branch that is switched off.

    Returns:
        The same with the remaining branches.
    """
    off = outputs.branches[:, ~kept].sum(axis=1)
    return outputs._replace(logits=outputs.logits - off[:, None, None], branches=outputs.branches[:, kept])


def branch_shares(
    outputs: Outputs, card: Card, score_of: Callable[[NDArray[np.float32]], float]
) -> dict[str, float]:
    """What each branch adds to a score: by how much the score would be lower without it.

    With a linear calibration and the pooling ``logit-mean`` that is the calibration's slope times the
    branch's mean contribution, so the shares of all branches and a constant add up to the score. With others
    (``isotonic`` is flat at its ends) they need not.

    Args:
        outputs: of a picture's tiles.
        card: of the fusion, its branches those of the outputs.
        score_of: gives the score of logits [N, h, w].

    Returns:
        By the names of the branches, in units of the score; empty for detectors without branches.
    """
    if not card.branches:
        return {}
    score = score_of(outputs.logits)
    return {
        branch.name: score - score_of(outputs.logits - added[:, None, None])
        for branch, added in zip(card.branches, outputs.branches.T, strict=True)
    }


def likely_family(families: NDArray[np.float32], card: Card) -> tuple[str, float] | None:
    """The family that a picture's traces resemble most.

    Args:
        families: float32 [N, K], logits of the picture's tiles.
        card: of the detector.

    Returns:
        Its name and its probability, the softmax of the mean logits, 0..1; None where that is below the
        card's threshold, where no family at all is likelier, or where the detector knows no families.

    Example:
        >>> card = Card(id="demo", version="1", title="", tile_size=8, families=["none", "gan", "decoder"])
        >>> likely_family(np.log([[0.1, 0.2, 0.7]]), card)
        ('decoder', 0.7)
        >>> likely_family(np.log([[0.7, 0.2, 0.1]]), card), likely_family(np.zeros((1, 3)), card)
        (None, None)
    """
    if not card.families:
        return None
    logits = families.mean(axis=0, dtype=np.float64)
    odds = np.exp(logits - logits.max())
    best = int(odds.argmax())
    probability = round(float(odds[best] / odds.sum()), 12)
    if card.families[best] == NO_FAMILY or probability < card.families_threshold:
        return None
    return card.families[best], probability
