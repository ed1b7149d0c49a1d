"""Detectors: the card, the ONNX runtime, pooling, calibration and the verdict."""
