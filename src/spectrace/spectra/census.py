"""How many pictures of a set carry upsampling prints, and what that says about the set."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from spectrace.spectra.peaks import Peak, upsampling_factor

_CONFIDENCE = 0.95
# Far above what photographs give (about one in a hundred, a few in a hundred in the worst collections), so
# that a folder is not called upsampled for a handful of chance peaks.
_SHARE = 0.10
_JPEG_SHARE = 0.1


class PeakCensus(msgspec.Struct, frozen=True):
    """Counts over a set of pictures.

    Attributes:
        pictures: looked at.
        factors: upsampling factor to the number of pictures in which it is the likely one.
        jpeg: pictures that are JPEG files or show JPEG's block grid.

    Example:
        >>> nearest = [Peak(2.0, (0.0, 0.5), 31.0, "upsampling", "between")]
        >>> census = PeakCensus().add(nearest).add([]).merge(PeakCensus().add(nearest))
        >>> census.pictures, census.factors
        (3, {2: 2})
    """

    pictures: int = 0
    factors: dict[int, int] = {}
    jpeg: int = 0

    def add(self, peaks: Iterable[Peak], *, jpeg: bool = False) -> PeakCensus:
        """The census with one more picture.

        Args:
            peaks: of that picture, as :func:`~spectrace.spectra.peaks.find_peaks` gives them.
            jpeg: whether it is known to be a JPEG file.
        """
        found = list(peaks)
        factor = upsampling_factor(found)
        grid = jpeg or any(peak.kind == "jpeg-grid" for peak in found)
        return self.merge(PeakCensus(1, {} if factor is None else {factor: 1}, int(grid)))

    def merge(self, other: PeakCensus) -> PeakCensus:
        """The census of both sets together."""
        factors = {
            factor: self.factors.get(factor, 0) + other.factors.get(factor, 0)
            for factor in sorted({*self.factors, *other.factors})
        }
        return PeakCensus(self.pictures + other.pictures, factors, self.jpeg + other.jpeg)

    @property
    def carries_jpeg(self) -> bool:
        """Whether more than one in ten carry JPEG's block grid, which then shows in the set's mean."""
        return self.jpeg > _JPEG_SHARE * self.pictures

    @property
    def likely_factor(self) -> int | None:
        """The commonest upsampling factor, where the set as a whole carries it.

        That is the case when the share of pictures that show it is above 10 % with 95 % confidence (the lower
        Clopper-Pearson bound), well above what photographs give.

        Example:
            >>> PeakCensus(50, {2: 40}).likely_factor, PeakCensus(50, {2: 6}).likely_factor
            (2, None)
        """
        if not self.factors:
            return None
        factor = max(self.factors, key=lambda known: (self.factors[known], known))
        lower, _ = binomial_interval(self.factors[factor], self.pictures)
        return factor if lower > _SHARE else None


def binomial_interval(count: int, total: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of a share, exact (Clopper and Pearson 1934).

    Args:
        count: of successes, 0..total.
        total: of trials, at least 1.
        confidence: for instance 0.95.

    Returns:
        Lower and upper bound of the share, 0..1.

    Example:
        >>> [round(bound, 4) for bound in binomial_interval(0, 100)]
        [0.0, 0.0362]
    """
    from scipy.special import betaincinv  # noqa: PLC0415  (only sets need it)

    tail = (1 - confidence) / 2
    lower = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    upper = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - tail))
    return lower, upper
