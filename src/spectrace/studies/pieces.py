"""What studies on photographs share: pieces in splits, folders by what decides them, autoencoders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import refuse_forbidden
from spectrace.corpora.wheels import wheel_photographs
from spectrace.generators.aligned import Crop, Reconstruct, read_crops
from spectrace.generators.autoencoder import Autoencoder
from spectrace.generators.manipulated import photographs_in
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import GENERATOR
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.generators.training import run_folder, train_generator
from spectrace.studies.registry import Context

TRAIN, VAL, TEST = "train", "val", "test"
FLUX = "flux2-tiny"
"""Name of the FLUX.2 tiny autoencoder among generators."""
WHEELS = "wheels"
"""Name of the photographs that ship in the wheels of scikit-image and scikit-learn."""
_EVERY = 6  # one photograph in six of the training split decides when to stop

Placed = list[tuple[str, Crop]]
"""(split, piece)."""


def placed_pieces(
    photographs: Manifest,
    context: Context,
    *,
    train_split: str,
    test_split: str,
    count: int,
    test_count: int,
    side: int,
    scale: float,
    per_photograph: int,
) -> Placed:
    """Pieces of photographs for training, for stopping and for the test; no photograph is in two of them.

    Args:
        photographs: of whose real pictures pieces are cut (:func:`.aligned.read_crops`).
        context: is told what cannot be read.
        train_split: of the photographs, for training and stopping.
        test_split: of the photographs, for the test.
        count: photographs of the first at most.
        test_count: photographs of the second at most.
        side: of the pieces in pixels.
        scale: of the photographs before.
        per_photograph: pieces of each at most.

    Raises:
        UsageError: the split that is kept for the last measurement.
        ManifestError: photographs that are missing or too small.
    """
    refuse_forbidden(train_split, test_split)

    def pieces(split: str, most: int) -> list[Crop]:
        return read_crops(
            photographs.select(split=split),
            side=side,
            scale=scale,
            per_photograph=per_photograph,
            count=most,
            on_problem=context.progress.say,
        )

    training = pieces(train_split, count)
    paths = list(dict.fromkeys(piece.row.path for piece in training))
    # Two at least, where there are any to spare.
    held_out = set(paths[:: min(_EVERY, max(2, len(paths) // 2))])
    placed = [(VAL if piece.row.path in held_out else TRAIN, piece) for piece in training]
    return [*placed, *((TEST, piece) for piece in pieces(test_split, test_count))]


def real_pictures(source: str, collections: tuple[str, ...] = ()) -> Manifest:
    """The real pictures that a study's settings name.

    Args:
        source: a manifest, a folder, or ``wheels``.
        collections: sources in it whose pictures are taken; none takes all.

    Raises:
        ManifestError: no such manifest, or a folder without pictures.
    """
    if source == WHEELS:
        found = wheel_photographs()
    else:
        found = photographs_in(Path(source)) if Path(source).is_dir() else Manifest.read(source)
    return found.select(source=collections) if collections else found


def photographs_of(
    manifest: Manifest,
    context: Context,
    *,
    split: str,
    size: int,
    count: int | None = None,
    pieces: bool = False,
) -> Photographs:
    """Photographs for generators: real pictures of a split, whole and scaled down.

    Args:
        manifest: labelled pictures.
        context: is told what cannot be read.
        split: of the manifest.
        size: of the generator's pictures.
        count: pictures at most.
        pieces: see :meth:`.Photographs.read`.

    Raises:
        UsageError: the split that is kept for the last measurement, or no usable picture.
    """
    refuse_forbidden(split)
    chosen = manifest.select(label="real", split=split)
    paths = [manifest.locate(row) for row in chosen][:count]
    return Photographs.read(paths, size, pieces=pieces, on_problem=context.progress.say)


def trained_generator(recipe: GeneratorRecipe, photographs: Photographs, context: Context) -> Path:
    """The run of a generator, trained now unless it was before; studies share them.

    Full experiments keep them in ``runs/generators``, where ``spectrace generate train`` does, too.
    """
    folder = run_folder(recipe, photographs, context.generators)
    if not (folder / GENERATOR).is_file():
        train_generator(recipe, photographs, folder, progress=context.progress)
    return folder


def folder_of(context: Context, placed: Placed, *deciding: Any) -> Path:
    """A folder for pictures made of some pieces: those of other settings are left where they are.

    Args:
        context: of the study.
        placed: the pieces.
        deciding: plain values that decide what is made of them.
    """
    words = ([piece.key for _, piece in placed], deciding)
    folder = context.folder / f"pictures-{hashlib.sha256(msgspec.json.encode(words)).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def reconstructions(
    upsamplers: Iterable[str], steps: int, weights: str, placed: Placed, context: Context
) -> dict[str, Reconstruct]:
    """What makes generated pictures of pieces, by the generator's name.

    Args:
        upsamplers: of small autoencoders, trained unless they were before (:func:`autoencoder`).
        steps: of their training.
        weights: folder of the FLUX.2 tiny autoencoder, which becomes :data:`FLUX`; empty leaves it out.
        placed: the pieces.
        context: of the study.
    """
    found: dict[str, Reconstruct] = {
        name: autoencoder(name, steps, placed, context).reconstruct for name in upsamplers
    }
    if weights:
        found[FLUX] = TinyAutoencoder.load(weights).reconstruct
    return found


def autoencoder(upsampler: str, steps: int, placed: Placed, context: Context) -> Autoencoder:
    """An autoencoder trained on the pieces that are not for the test, unless it was before."""
    pictures = [piece.pixels for split, piece in placed if split != TEST]
    recipe = GeneratorRecipe(family="autoencoder", upsampler=upsampler, steps=steps)
    return Autoencoder.load(trained_generator(recipe, Photographs(pictures, recipe.size), context))
