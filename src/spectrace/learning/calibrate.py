"""Calibration has moved to :mod:`spectrace.evaluation.calibrate`, which needs no torch."""

from spectrace.evaluation.calibrate import CONDITIONS, calibrate

__all__ = ["CONDITIONS", "calibrate"]
