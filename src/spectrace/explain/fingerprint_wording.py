"""What the fingerprint report says in words."""

from __future__ import annotations

from collections.abc import Iterator

from spectrace.spectra.fingerprint_report import Band, FingerprintReport, Outcome, Prints, Spot

_CAUSES = {
    "zero-insertion": (
        "Zero insertion with too little smoothing after it, as in transposed convolutions, unpooling and "
        "sub-pixel layers: copies of the low frequencies stand at the high ones."
    ),
    "nearest": (
        "Nearest-neighbour upsampling: pixels come in equal pairs, with a null at half a cycle per pixel and "
        "copies of the low frequencies beside it."
    ),
    "bilinear": "Bilinear upsampling, or a resize by software: its kernel wipes out the highest frequencies.",
    "binomial": (
        "Upsampling with a binomial (blurring) kernel, as style-based generators use, or a smooth resize by "
        "software: hardly anything is left at the highest frequencies."
    ),
}
_COPY = (
    "A copy of the low frequencies stands at {place}: upsampling by 2 that nothing smooths away, as in "
    "transposed convolutions and sub-pixel layers, or weights that differ between even and odd pixels."
)
_COPY_DB = 6.0
_HALF = 0.49
_MISSING = (
    "Power is missing at the highest frequencies. That comes from a smoothing upsampler, from a loss that "
    "averages (L1, L2, autoencoders), or from resizing, denoising or compressing the samples."
)
_SURPLUS = (
    "There is too much power at the highest frequencies. That comes from copies that upsampling leaves and "
    "nothing smooths away, from added noise, or from sharpening."
)


def headline(report: FingerprintReport) -> str:
    """The verdict in one line."""
    if report.outcome is Outcome.TOO_FEW:
        return "Too few pictures to tell"
    if report.outcome is Outcome.NOTHING:
        return "Nothing found"
    strength = "Faint" if report.strength_db < 1 else "Clear" if report.strength_db < 3 else "Strong"
    copy = copied(report)
    if copy is not None:
        return f"{strength} traces: {decibels(copy.difference_db)} at {_place(copy)}, a pattern of period 2"
    where = f": {band_text(report.bands[0])}" if report.bands else ": at single frequencies"
    return f"{strength} traces{where}"


def copied(report: FingerprintReport) -> Spot | None:
    """The strongest surplus at half a cycle per pixel, where upsampling by 2 copies the low frequencies.

    None where it is below 6 dB or below what the bands differ by.
    """
    least = max([_COPY_DB, *(abs(band.largest_db) for band in report.bands)])
    found = (spot for spot in report.spots if max(spot.frequency) > _HALF and spot.difference_db >= least)
    return next(found, None)


def _place(spot: Spot) -> str:
    return f"({spot.frequency[0]:.2f}, {spot.frequency[1]:.2f}) cycles per pixel"


def band_text(band: Band) -> str:
    """One band of frequencies.

    Example:
        >>> band_text(Band(0.3, 0.5, -6.0, -9.5))
        'too little power from 0.30 to 0.50 cycles per pixel (−6.0 dB, at most −9.5 dB)'
    """
    what = "too much" if band.mean_db > 0 else "too little"
    return (
        f"{what} power from {band.low:.2f} to {band.high:.2f} cycles per pixel "
        f"({decibels(band.mean_db)}, at most {decibels(band.largest_db)})"
    )


def decibels(value: float) -> str:
    """A difference with its sign.

    Example:
        >>> decibels(-6.04)
        '−6.0 dB'
    """
    return f"{_signed(value)} dB"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\u2212")


def findings(report: FingerprintReport) -> Iterator[str]:
    """What was measured, a sentence each."""
    yield _test(report)
    if report.outcome is Outcome.TRACES:
        if report.bands:
            yield f"There is {'; '.join(band_text(band) for band in report.bands[:3])}."
        if report.spots:
            spots = ", ".join(
                f"{decibels(spot.difference_db)} at ({spot.frequency[0]:.2f}, {spot.frequency[1]:.2f})"
                for spot in report.spots[:3]
            )
            yield f"The single frequencies (vertical, horizontal) that differ most: {spots}."
    tail = report.tail
    low, high = tail.excess_interval_95
    yield (
        f"The tail, 0.35 to 0.5 cycles per pixel, differs by {decibels(tail.excess_db)} (95 % interval "
        f"{_signed(low)} to {_signed(high)}) and {tail.direction} against the photographs "
        f"({decibels(tail.rise_db)} from its beginning to its end)."
    )
    if report.peaks:
        peaks = "; ".join(peak.label for peak in report.peaks)
        factor = report.upsampling_factor
        yield f"Peaks: {peaks}." + (f" They mean upsampling by {factor}." if factor else "")
    else:
        yield "No peak of a lattice stands in the samples' mean spectrum alone."
    yield (
        f"Single pictures with an upsampling print: {prints_text(report.prints[0], report.counts[0])} of the "
        f"samples, {prints_text(report.prints[1], report.counts[1])} of the photographs."
    )


def _test(report: FingerprintReport) -> str:
    if report.outcome is Outcome.TOO_FEW:
        return (
            f"{report.counts[0]} samples and {report.counts[1]} photographs are too few for any test at 1 in "
            "100. The figures below are what these pictures show, chance included."
        )
    if report.outcome is Outcome.NOTHING:
        return (
            f"No difference at any frequency beyond chance (p = {report.p:.2g}, all frequencies taken "
            "together)."
        )
    return (
        f"The mean spectra differ by {report.strength_db:.1f} dB on average over the frequencies. Chance "
        f"gives such differences in {report.p:.1%} of cases or fewer, all frequencies taken together."
    )


def prints_text(prints: Prints, count: int) -> str:
    """A share of pictures with its interval.

    Example:
        >>> prints_text(Prints(5, 0.1, (0.0333, 0.2181)), 50)
        '5 of 50 (10 %, interval 3 to 22)'
    """
    low, high = prints.interval_95
    interval = f"interval {low * 100:.0f} to {high * 100:.0f}"
    return f"{prints.pictures} of {count} ({prints.share * 100:.0f} %, {interval})"


def causes(report: FingerprintReport) -> list[str]:
    """What probably made the traces, likeliest first; nothing where none were found."""
    if report.outcome is not Outcome.TRACES:
        return []
    lines = []
    if any("differ" in warning for warning in report.warnings):
        lines.append("First of all the files: formats or sizes differ between the sets, see the warnings.")
    near = report.near
    if near:
        lines.append(f"It is nearest to “{near[0].name}” (similarity {near[0].similarity:.2f}).")
        if near[0].family in _CAUSES:
            lines.append(_CAUSES[near[0].family])
    else:
        best = report.matches[0]
        lines.append(
            f"No known fingerprint is near: the nearest, “{best.name}”, has a similarity of "
            f"{best.similarity:.2f}, below {report.threshold:.2f}."
        )
    copy = copied(report)
    if copy is not None and not (near and near[0].family == "zero-insertion"):
        lines.append(_COPY.format(place=_place(copy)))
    if _tail_sign(report) < 0:
        lines.append(_MISSING)
    elif _tail_sign(report) > 0:
        lines.append(_SURPLUS)
    if not report.bands and not report.peaks:
        lines.append(
            "No band and no lattice stands out: other motifs or another camera may explain it as well."
        )
    return lines


def _tail_sign(report: FingerprintReport) -> int:
    """1 or -1 where the tail lies above or below the photographs' by a decibel or more, beyond chance."""
    low, high = report.tail.excess_interval_95
    if low * high <= 0 or abs(report.tail.excess_db) < 1:
        return 0
    return 1 if low > 0 else -1


def advice(report: FingerprintReport) -> list[str]:
    """What to try next."""
    lines = []
    if report.warnings:
        lines.append("Put the warnings right first, then make this page again.")
    if report.outcome is not Outcome.TRACES:
        lines.append(
            "Look again with more samples, and with a trained detector (spectrace train): it sees what "
            "means do not."
        )
        return lines
    family = report.near[0].family if report.near else ""
    if family == "zero-insertion" or copied(report) is not None or _tail_sign(report) > 0:
        lines.append(
            "Replace transposed convolutions and sub-pixel layers by a resize (nearest or bilinear) and a "
            "convolution, or take a kernel size that is a multiple of the stride."
        )
    if family == "nearest":
        lines.append(
            "Smooth after nearest upsampling: a bilinear or binomial kernel, or one more convolution."
        )
    if family in ("bilinear", "binomial") or _tail_sign(report) < 0:
        lines.append(
            "Give the last layers a way to make high frequencies: a convolution or noise after the last "
            "upsampling, or a loss or discriminator that sees the spectrum."
        )
    lines.append(
        "Compare with another upsampler (spectrace generate train has several): what stays is not the "
        "upsampler's."
    )
    return lines


def limits(report: FingerprintReport) -> list[str]:
    """What the page cannot say."""
    return [
        "The test says that two sets differ, not why. Other motifs, cameras, scaling and compression change "
        "spectra too. Compare with the very photographs that the generator was trained on.",
        "Two random halves of one set of photographs are told apart in at most 1 of 100 cases. Pictures "
        "count as independent: many crops of one photograph count as too many.",
        "Each picture's contrast is taken out (its mean level from 0.05 to 0.2 cycles per pixel). The "
        f"samples' differs by {decibels(report.level_db)}.",
        "Likeness to a known fingerprint is a hint at the mechanism, no proof of origin.",
        "Finding nothing proves nothing: traces can hide in phases, colours or places that a mean spectrum "
        "of the luma does not show.",
    ]
