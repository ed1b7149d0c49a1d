"""Training of detectors (needs ``spectrace[train]``): networks, data, loop, recipes and export to ONNX."""
