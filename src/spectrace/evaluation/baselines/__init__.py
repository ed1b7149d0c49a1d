"""Methods from before the detectors, to measure those against: which source made a picture?

Numpy and scipy alone; :mod:`.registry` lists them.
"""
