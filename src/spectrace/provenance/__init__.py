"""What a file says about itself: shown beside the pixel score, never mixed into it.

Everything in here is attacker-controlled text. It is read from the file's bytes alone, within fixed bounds,
and reported as a claim of the file.
"""

from spectrace.provenance.reading import read
from spectrace.provenance.record import Provenance

__all__ = ["Provenance", "read"]
