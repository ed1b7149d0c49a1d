"""What formats tell of the class: a collection as it is, its equalised copies, and halves of one source.

The halves are the check of the audit itself: nothing separates them, so it must come out at 0.5.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import Label, Row
from spectrace.corpora.splits import refuse_forbidden
from spectrace.corpora.wheels import wheel_photographs
from spectrace.errors import ManifestError
from spectrace.evaluation.audit.equalise import Chain, equalise
from spectrace.evaluation.audit.findings import Audit, gather, judge, rows_of
from spectrace.evaluation.audit.separation import LEAST, separation
from spectrace.evaluation.audit.traits import KINDS
from spectrace.evaluation.audit.wording import NAMES
from spectrace.images.decode import decode
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context, Result, register_study

AS_IS, COPY, COPY_JPEG = "as it is", "equalised", "equalised, then JPEG"
_TELLS = 8
_PIECE = 96


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the study.

    Attributes:
        photographs: a manifest of both classes, or ``wheels``: pieces of photographs, half of them saved as
            JPEG and half as PNG.
        splits: of the manifest.
        per_source: pictures of a source at most, chosen by a hash of their paths.
        side: of the equalised copies in pixels.
        quality: lowest and highest JPEG quality of the second copy.
        halves: so many of the largest sources are cut in halves.
        half_pictures: pictures of each of them at most.
        halvings: of each.
        seed: of all chance.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    splits: tuple[str, ...] = ("train", "val")
    per_source: int = 40
    side: int = 128
    quality: tuple[int, int] = (70, 95)
    halves: int = 4
    half_pictures: int = 200
    halvings: int = 10
    seed: int = 0


def run_study(settings: Settings, context: Context) -> Result:
    """Audit a collection, its equalised copies and halves of its sources.

    Raises:
        ManifestError: no source is large enough to be cut in halves.
        UsageError: the split that is kept for the last measurement.
    """
    refuse_forbidden(*settings.splits)
    if settings.photographs == WHEELS:
        everything = _wheels(context.folder / "wheels")
    else:
        everything = Manifest.read(settings.photographs).select(split=settings.splits)
    chosen = _thinned(everything, settings.per_source)
    audits = [(AS_IS, _audit(chosen, settings, context), len(chosen))]
    for state, quality in ((COPY, None), (COPY_JPEG, settings.quality)):
        chain = Chain(side=settings.side, quality=quality, seed=settings.seed)
        digest = hashlib.sha256(msgspec.json.encode((chosen.digest(), chain))).hexdigest()[:8]
        folder = context.folder / f"copy-{digest}"
        copy, _ = equalise(chosen, folder, chain, workers=context.workers)
        audits.append((state, _audit(copy, settings, context), len(chosen) - len(copy)))
        context.progress.say(f"{state}: audited")
        # Traits are what is kept: the copies are large, and made again in seconds.
        shutil.rmtree(folder)
    sizes = sum(one.size is not None for one in audits[0][1].uniform)
    qualities = sum(one.jpeg_quality is not None for one in audits[0][1].uniform)
    return {
        "manifest_digest": chosen.digest(),
        "pictures": len(chosen),
        "sources": len({(row.label, row.source) for row in chosen}),
        "sources_of_one_size": sizes,
        "sources_of_one_quality": qualities,
        "left_out": audits[1][2],
        "states": [_state(name, found) for name, found, _ in audits],
        "halves": _halves(everything, settings, context),
    }


def _audit(manifest: Manifest, settings: Settings, context: Context) -> Audit:
    found = gather(manifest, workers=context.workers)
    for one in found.unreadable:
        context.progress.say(one.message)
    return judge(found, digest=manifest.digest(), seed=settings.seed)


def _state(name: str, found: Audit) -> Result:
    return {
        "state": name,
        "real": found.real,
        "generated": found.generated,
        "verdict": found.verdict.value,
        "kinds": msgspec.to_builtins(found.parts),
        "tells": msgspec.to_builtins(found.tells[:_TELLS]),
    }


def _halves(everything: Manifest, settings: Settings, context: Context) -> list[Result]:
    """Random halves of the largest sources: the figures of the first, and how many intervals hold 0.5."""
    sources = [one for one in by_source(everything) if len(one) >= 2 * LEAST][: settings.halves]
    if not sources:
        raise ManifestError(f"no source has {2 * LEAST} pictures: there is nothing to cut in halves")
    results = []
    for rows in sources:
        kept = Manifest(_first(rows, settings.half_pictures), everything.root)
        traits = gather(kept, workers=context.workers).traits
        rng = np.random.default_rng(settings.seed)
        kinds: list[dict[str, Any]] = []
        labels = [rng.permutation(len(traits)) % 2 == 0 for _ in range(settings.halvings)]
        for kind in KINDS:
            columns = rows_of(traits, kind)
            found = [separation(columns, one, seed=number).auroc for number, one in enumerate(labels)]
            value, low, high = (round(number, 4) for number in found[0])
            covered = sum(one.low <= 0.5 <= one.high for one in found)
            mean = round(float(np.mean([one.value for one in found])), 4)
            kinds.append(
                {"kind": kind, "value": value, "low": low, "high": high, "mean": mean, "covered": covered}
            )
        results.append(
            {
                "source": rows[0].source,
                "pictures": len(traits),
                "halvings": settings.halvings,
                "kinds": kinds,
            }
        )
    return results


def by_source(manifest: Manifest) -> list[list[Row]]:
    """The rows of each source of each class, the largest first."""
    members: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in manifest:
        members[row.label, row.source].append(row)
    return sorted(members.values(), key=lambda rows: (-len(rows), rows[0].source))


def _thinned(manifest: Manifest, most: int) -> Manifest:
    kept = {row.path for rows in by_source(manifest) for row in _first(rows, most)}
    return Manifest([row for row in manifest if row.path in kept], manifest.root, manifest.columns)


def _first(rows: Iterable[Row], most: int) -> list[Row]:
    return sorted(rows, key=lambda row: hashlib.sha256(row.path.encode()).digest())[:most]


def _wheels(folder: Path) -> Manifest:
    """Pieces of photographs under both labels: one half saved as JPEG, the other, no less real, as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for photograph in wheel_photographs():
        pixels = decode(photograph.path).pixels
        corners = [
            (top, left)
            for top in range(0, pixels.shape[0] - _PIECE, 2 * _PIECE)
            for left in range(0, pixels.shape[1] - _PIECE, _PIECE)
        ]
        for number, (top, left) in enumerate(corners[:10]):
            piece = Image.fromarray(pixels[top : top + _PIECE, left : left + _PIECE])
            path = folder / f"{photograph.source}-{number}{('.jpg', '.png')[number % 2]}"
            piece.save(path, quality=85)
            label: Label = "generated" if number % 2 else "real"
            rows.append(Row(path=path.name, label=label, source=f"{label} pieces", pair=photograph.source))
    return Manifest(rows, folder)


def figure(result: Result) -> Figure:
    """AUROC by kind of traits and state; and the traits that tell most as it is."""
    drawn = Figure(figsize=(13.0, 5.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    half = {kind: next(one for one in result["halves"][0]["kinds"] if one["kind"] == kind) for kind in KINDS}
    series = [
        (one["state"], {part["kind"]: part["auroc"] for part in one["kinds"]}) for one in result["states"]
    ]
    series.append((f"two halves of {result['halves'][0]['source']}", half))
    for index, (name, found) in enumerate(series):
        values = np.array([[found[kind][key] for key in ("value", "low", "high")] for kind in KINDS])
        where = np.arange(len(KINDS)) + 0.18 * (index - (len(series) - 1) / 2)
        spread = np.abs(values[:, 1:] - values[:, :1]).T
        left.errorbar(where, values[:, 0], yerr=spread, fmt="o", capsize=4, label=name)
    left.axhline(0.5, color="grey", linestyle=":", linewidth=1)
    left.text(-0.45, 0.505, "guessing", color="grey", fontsize=8)
    left.set_xticks(range(len(KINDS)), [NAMES[kind].split(" (")[0] for kind in KINDS])
    left.set(ylim=(0.3, 1.03), xlabel="what the classifier knows", ylabel="AUROC with 95 % interval")
    left.set_title("Classifiers that see no picture")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    tells = result["states"][0]["tells"][::-1]
    rows = np.arange(len(tells))
    right.barh(rows + 0.2, [100 * one["generated"] for one in tells], 0.38, label="generated")
    right.barh(rows - 0.2, [100 * one["real"] for one in tells], 0.38, label="real")
    right.set_yticks(
        rows, [f"{one['statement']}\n(alone AUROC {one['auroc']['value']:.2f})" for one in tells]
    )
    right.tick_params(axis="y", labelsize=8)
    right.set(xlim=(0, 100), xlabel="pictures of which it is true (per cent)")
    right.set_title("What gives the class away, as it is")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    drawn.suptitle("What formats tell of the class")
    return drawn


register_study("audit", Settings, figure=figure)(run_study)
