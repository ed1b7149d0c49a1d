"""How good a detector is: metrics with intervals, by source and by generator."""
