"""Known fingerprints: what generators and upsampling kernels leave, to compare a new one with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.spectra.coarse import BINS, KEPT

SCHEMA_VERSION = 1
_DIGITS = 1
_REACH = 15.0  # dB: beyond it a difference says only that one side has nothing there
_RIDGE = 0.1


class KnownFingerprint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one generator leaves.

    Attributes:
        name: for people; the key within a file.
        family: entries of one family resemble each other for a known reason, such as one kernel or one
            architecture.
        about: one line: how it was made.
        samples: pictures of the generator; 0 for noise.
        photographs: pictures it was compared with; 0 for noise.
        difference: 17 rows of 17 values in dB, see :mod:`spectrace.spectra.coarse`: the generator's mean
            levelled spectrum less the photographs'.
    """

    name: str
    family: str
    about: str = ""
    samples: int = 0
    photographs: int = 0
    difference: list[list[float]]

    @property
    def grid(self) -> NDArray[np.float64]:
        """The difference as float64 ``[17, 17]``."""
        return np.array(self.difference, dtype=np.float64)


class KnownFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of known fingerprints.

    Attributes:
        schema_version: of this layout.
        threshold: similarity that unrelated differences do not reach, as measured when the file was made.
        threshold_from: one line: how it was measured.
        fingerprints: the entries, names all different.
    """

    schema_version: int = SCHEMA_VERSION
    threshold: float = 0.0
    threshold_from: str = ""
    fingerprints: list[KnownFingerprint] = []

    def with_entry(self, entry: KnownFingerprint) -> KnownFile:
        """The file with one more entry, in the place of one of the same name."""
        others = [known for known in self.fingerprints if known.name != entry.name]
        return msgspec.structs.replace(self, fingerprints=[*others, entry])

    def write(self, path: Path) -> None:
        """Write as JSON, one line an entry."""
        head = msgspec.structs.replace(self, fingerprints=[])
        lines = [msgspec.json.encode(entry).decode() for entry in self.fingerprints]
        body = msgspec.json.encode(head).decode().removesuffix("[]}")
        path.write_text(f"{body}[\n" + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


class Match(msgspec.Struct, frozen=True):
    """How near a known fingerprint is.

    Attributes:
        name: of the entry.
        family: of the entry.
        similarity: cosine of the angle between both differences, -1..1, see :class:`Measure`.
    """

    name: str
    family: str
    similarity: float


def grid_rows(difference: NDArray[Any]) -> list[list[float]]:
    """A difference as it is stored: 17 rows of 17 values, to a tenth of a dB."""
    return [[round(float(value), _DIGITS) + 0.0 for value in row] for row in difference]


def read_known(path: Path) -> KnownFile:
    """Read a file of known fingerprints.

    Raises:
        UsageError: it is missing or is no such file.
    """
    try:
        return _parse(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: wanted a file of known fingerprints (.json)") from None
    except ValueError as error:
        raise UsageError(
            f"{path} is no file of known fingerprints ({error}): --save-known makes one"
        ) from None


def shipped_known() -> KnownFile:
    """The file that comes with the package.

    Example:
        >>> "upsampling: nearest x2" in {known.name for known in shipped_known().fingerprints}
        True
    """
    return _parse(resources.files("spectrace.spectra").joinpath("known.json").read_bytes())


def _parse(raw: bytes) -> KnownFile:
    file = msgspec.json.decode(raw, type=KnownFile)
    if file.schema_version != SCHEMA_VERSION:
        raise ValueError(f"schema {file.schema_version}, wanted {SCHEMA_VERSION}")
    for known in file.fingerprints:
        if [len(row) for row in known.difference] != [BINS] * BINS or not np.isfinite(known.grid).all():
            raise ValueError(f"{known.name!r} is no grid of {BINS} x {BINS} numbers")
    return file


class Measure:
    """How alike two differences are, for one collection of photographs.

    The cosine of their angle after whitening by the photographs' covariance: ways in which photographs differ
    from each other anyway, above all in sharpness, count little; fine structure that no photograph has counts
    much. Differences are cut off at 15 dB first.

    Args:
        photographs: ``[N, 17, 17]`` in dB, levelled, N at least 2.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> measure = Measure(rng.normal(size=(50, 17, 17)))
        >>> print_ = np.zeros((17, 17))
        >>> print_[0, 16] = 12.0
        >>> noisy = print_ + rng.normal(size=(17, 17)) / 5
        >>> bool(measure.similarity(print_, noisy) > 0.9), bool(measure.similarity(print_, noisy.T) < 0.3)
        (True, True)
    """

    def __init__(self, photographs: NDArray[Any]) -> None:
        cells = np.asarray(photographs[:, KEPT], dtype=np.float64)
        covariance = np.cov(cells, rowvar=False)
        ridge = max(_RIDGE * float(np.trace(covariance)) / len(covariance), 1e-9)
        values, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
        self._whitener = vectors / np.sqrt(values)

    def similarity(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
        """Similarity of differences.

        Args:
            one: ``[..., 17, 17]`` in dB.
            other: likewise, the leading axes broadcast.

        Returns:
            float64, -1..1; 0 where one of both is no difference at all.
        """
        first, second = self._unit(one), self._unit(other)
        return np.asarray((first * second).sum(axis=-1), dtype=np.float64)

    def matches(self, difference: NDArray[Any], known: Iterable[KnownFingerprint]) -> list[Match]:
        """All known fingerprints, the nearest first."""
        found = [
            Match(entry.name, entry.family, round(float(self.similarity(difference, entry.grid)), 4))
            for entry in known
        ]
        return sorted(found, key=lambda match: -match.similarity)

    def largest(self, differences: NDArray[Any], known: Sequence[KnownFingerprint]) -> NDArray[np.float64]:
        """Similarity of each of many differences to the known fingerprint nearest to it.

        Args:
            differences: ``[B, 17, 17]``.
            known: at least one.

        Returns:
            float64 ``[B]``.
        """
        units = self._unit(np.stack([entry.grid for entry in known]))
        return np.asarray((self._unit(differences) @ units.T).max(axis=1), dtype=np.float64)

    def _unit(self, difference: NDArray[Any]) -> NDArray[np.float64]:
        white = np.clip(difference[..., KEPT], -_REACH, _REACH) @ self._whitener
        length = np.linalg.norm(white, axis=-1, keepdims=True)
        return np.asarray(white / np.maximum(length, 1e-9), dtype=np.float64)


def strangers(known: Sequence[KnownFingerprint], measure: Measure) -> dict[str, Match]:
    """Leave one out: each entry's nearest among the other families.

    Args:
        known: entries of two families or more.
        measure: of some photographs.

    Returns:
        Name of each entry to the nearest entry that has nothing to do with it.
    """
    return {
        entry.name: measure.matches(entry.grid, [other for other in known if other.family != entry.family])[0]
        for entry in known
    }
