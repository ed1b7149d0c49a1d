"""An audit in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from spectrace.evaluation.audit.findings import HISTORY, LEAK, Audit, Part, Verdict
from spectrace.evaluation.audit.separation import LEAST
from spectrace.evaluation.audit.tells import Tell
from spectrace.evaluation.audit.traits import Kind

NAMES: dict[Kind, str] = {
    "file": "metadata and size",
    "grid": "block grid (JPEG's traces in the pixels)",
    "spectral": "resampling and detail",
}
_SHOWN = 5


def headline(audit: Audit) -> str:
    """The verdict in one sentence."""
    leaks = [NAMES[kind].split(" (")[0] for kind in HISTORY if _separates(audit.part(kind))]
    if audit.verdict is Verdict.LEAK:
        return f"The formats leak: {', '.join(leaks)} tell generated from real pictures."
    if audit.verdict is Verdict.NONE:
        return "No leak found: file formats do not tell generated from real pictures."
    return "Too few pictures to say whether the formats leak."


def strongest(audit: Audit) -> list[Tell]:
    """The single traits worth a sentence, the one that tells most first."""
    return [tell for tell in audit.tells if (tell.auroc.low or 0.0) >= LEAK][:_SHOWN]


def findings(audit: Audit) -> Iterator[str]:
    """What was found, a sentence each."""
    if audit.parts[0].auroc is None:
        yield f"Wanted at least {LEAST} pictures of either class, read {audit.real} and {audit.generated}."
    for part in audit.parts:
        if part.auroc is None:
            continue
        sentence = f"{_capital(NAMES[part.kind])} alone: AUROC {figure(part)}."
        if part.new_sources is not None and _separates(part):
            low = part.new_sources.low or 0.0
            carries = "it carries to new collections" if low > 0.5 else "that it carries is not shown"
            sentence += f" On collections left out {estimate(part.new_sources)}: {carries}."
        yield sentence
    for tell in strongest(audit):
        value = tell.auroc.value or 0.0
        yield f"{_capital(tell.sentence)} (alone AUROC {value:.2f})."
    sizes = sum(one.size is not None for one in audit.uniform)
    qualities = sum(one.jpeg_quality is not None for one in audit.uniform)
    total = audit.real_sources + audit.generated_sources
    if total > 2 and (sizes or qualities):
        yield f"Of {total} sources {sizes} have one size throughout, {qualities} one JPEG quality."


def advice(audit: Audit) -> Iterator[str]:
    """What to do about it."""
    if audit.verdict is Verdict.LEAK:
        yield (
            "Do not train or measure on these files as they are: a detector may learn the format. "
            "spectrace audit --fix OUT writes an equalised copy and audits it."
        )
        yield "Or put both classes through the same random resizing and re-encoding while training."
    elif audit.verdict is Verdict.UNCLEAR:
        yield "Add pictures: the interval is too wide to tell a leak from chance."
    else:
        yield "Formats need no equalising. What the pictures show may still tell the class."
    if _separates(audit.part("spectral")):
        yield (
            "Resampling and detail tell the classes apart as well. That may be the history of the files, "
            "which an equalised copy hides, or what the generators truly leave, which a detector is to find."
        )


def limits() -> list[str]:
    """What no audit of traits can say."""
    return [
        "What the pictures show is not looked at: portraits on one side and landscapes on the other would "
        "not be found. Content that compresses or resamples differently shows in pixel traits a little.",
        "Traits are those that are listed; another one may tell more. No leak found is not no leak.",
        "Spectral traits take no part in the verdict: generators and cameras leave some of their own.",
    ]


def figure(part: Part) -> str:
    """AUROC, interval and p-value of a part, as text."""
    if part.auroc is None or part.p_value is None:
        return "not measured"
    return f"{estimate(part.auroc)}, p {'≤' if part.p_value <= 0.005 else '='} {part.p_value:.3f}"


def estimate(value: object) -> str:
    """A figure with its interval, as text.

    Example:
        >>> from spectrace.evaluation.results import Estimate
        >>> estimate(Estimate(0.912, 0.9, 0.93))
        '0.91 (0.90 to 0.93)'
    """
    numbers = [getattr(value, name) for name in ("value", "low", "high")]
    return "{:.2f} ({:.2f} to {:.2f})".format(*numbers)


def comparison(before: Audit, after: Audit) -> Iterator[str]:
    """What equalising changed, a sentence each."""
    for kind, name in NAMES.items():
        old, new = before.part(kind).auroc, after.part(kind).auroc
        if old is not None and new is not None:
            yield f"{_capital(name)}: AUROC {estimate(old)} before, {estimate(new)} in the copy."
    if _separates(after.part("spectral")) and not any(_separates(after.part(kind)) for kind in HISTORY):
        yield "What is left is spectral: content, and the generators' own resampling."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _separates(part: Part) -> bool:
    return part.verdict in (Verdict.LEAK, Verdict.APART)
