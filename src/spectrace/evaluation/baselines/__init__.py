"""Methods from before the detectors, to measure those against: which source made a picture, a camera or not?

Numpy and scipy alone; :mod:`.registry` lists them, :mod:`.detector` makes detectors of them.
"""
