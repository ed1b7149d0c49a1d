"""The figures that an evaluation reports, under one id each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spectrace.evaluation import kernels
from spectrace.evaluation.kernels import Floats, Kernel

BINS = 15


@dataclass(frozen=True)
class Figure:
    """One figure: what it is called, what it is computed from and how.

    Attributes:
        title: for tables.
        kernel: the mathematics.
        of: ``scores`` (of scored pictures), ``probabilities`` (the same through the logistic function),
            ``decisions`` (of all pictures that could be read: 1 generated, -1 camera, 0 inconclusive) or
            ``patches`` (a sample of each picture's patch scores, every picture counting alike).
        weighing: ``pictures`` (each counts alike), ``classes`` (both classes count alike) or ``sources``
            (every source counts alike within its class).
        percent: shown as a percentage.
        proportion_of: class of which the figure is a plain proportion; its interval is at least Wilson's.
    """

    title: str
    kernel: Kernel
    of: Literal["scores", "probabilities", "decisions", "patches"] = "scores"
    weighing: Literal["pictures", "classes", "sources"] = "pictures"
    percent: bool = False
    proportion_of: Literal["real", "generated"] | None = None


FIGURES: dict[str, Figure] = {
    "auroc": Figure("AUROC", kernels.auroc),
    "auroc_by_source": Figure("AUROC, every source alike", kernels.auroc, weighing="sources"),
    "average_precision": Figure("AP, both classes alike", kernels.average_precision, weighing="classes"),
    "tpr_at_1_fpr": Figure(
        "TPR at 1 % FPR", kernels.tpr_at_fpr(0.01), percent=True, proportion_of="generated"
    ),
    "tpr_at_5_fpr": Figure(
        "TPR at 5 % FPR", kernels.tpr_at_fpr(0.05), percent=True, proportion_of="generated"
    ),
    "balanced_accuracy": Figure("balanced accuracy at score 0", kernels.balanced_accuracy(0.0), percent=True),
    "cllr": Figure("Cllr (bits)", kernels.cllr),
    "ece": Figure(
        "expected calibration error",
        kernels.expected_calibration_error(BINS),
        of="probabilities",
        weighing="classes",
    ),
    "patch_auroc": Figure("AUROC of patches", kernels.auroc, of="patches"),
    "patch_accuracy": Figure(
        "balanced accuracy of patches at score 0", kernels.balanced_accuracy(0.0), of="patches", percent=True
    ),
    "false_alarm_rate": Figure(
        "real called generated",
        kernels.called_generated(of_generated=False),
        of="decisions",
        percent=True,
        proportion_of="real",
    ),
    "false_alarm_rate_by_source": Figure(
        "real called generated, every source alike",
        kernels.called_generated(of_generated=False),
        of="decisions",
        weighing="sources",
        percent=True,
    ),
    "detection_rate": Figure(
        "generated called generated",
        kernels.called_generated(of_generated=True),
        of="decisions",
        percent=True,
        proportion_of="generated",
    ),
    "miss_rate": Figure(
        "generated called camera",
        kernels.called_camera(of_generated=True),
        of="decisions",
        percent=True,
        proportion_of="generated",
    ),
    "miss_rate_by_source": Figure(
        "generated called camera, every source alike",
        kernels.called_camera(of_generated=True),
        of="decisions",
        weighing="sources",
        percent=True,
    ),
    "verdict_accuracy": Figure(
        "balanced accuracy at the model's threshold",
        kernels.balanced_accuracy(1.0),
        of="decisions",
        percent=True,
    ),
    "decided": Figure(
        "decided, both classes alike", kernels.decided, of="decisions", weighing="classes", percent=True
    ),
    "accuracy_of_decided": Figure(
        "right when decided, both classes alike",
        kernels.accuracy_of_decided,
        of="decisions",
        weighing="classes",
        percent=True,
    ),
}

OVERALL = tuple(FIGURES)
BY_GENERATOR = ("auroc", "average_precision", "tpr_at_1_fpr", "detection_rate")
# Pair sets have too few real pictures for a false-positive rate of 1 %.
BY_PAIR = ("auroc", "average_precision", "detection_rate", "false_alarm_rate")


def probabilities(scores: Floats) -> Floats:
    """Probability of generated at even prior odds of log-likelihood ratios [n].

    Example:
        >>> probabilities(np.array([0.0, -np.inf])).tolist()
        [0.5, 0.0]
    """
    return 0.5 * (1.0 + np.tanh(0.5 * scores))
