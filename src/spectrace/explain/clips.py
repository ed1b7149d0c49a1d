"""A video's part of a report: what its frames say together. The frames have entries of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spectrace.detectors.detection import Detection
from spectrace.explain.entries import ReportEntry, row_entry


def clip_entry(detection: Detection, frames: Sequence[ReportEntry]) -> ReportEntry:
    """The entry of a clip, to stand before those of its frames.

    Args:
        detection: the clip's row.
        frames: the entries of its frames, those that could not be decoded among them.

    Example:
        >>> row = Detection(path="a/clip.mp4", model="demo@1", format="MP4", width=64, height=48)
        >>> clip_entry(row, []).facts
        (('Format', 'MP4'), ('Size', '64 × 48 pixels'), ('Frames', '0 examined, 0 not readable'))
    """
    readable = [frame for frame in frames if frame.error is None]
    facts = [
        ("Format", detection.format or ""),
        ("Size", f"{detection.width} × {detection.height} pixels"),
        ("Frames", f"{len(readable)} examined, {len(frames) - len(readable)} not readable"),
    ]
    if detection.sha256 is not None:
        facts.append(("SHA-256", detection.sha256))
    return replace(
        row_entry(detection),
        patches=sum(frame.patches for frame in readable),
        covered=sum(frame.covered for frame in readable) / max(1, len(readable)),
        facts=tuple(facts),
    )
