"""How well a detector does: metrics, intervals, and evaluations on labelled pictures."""
