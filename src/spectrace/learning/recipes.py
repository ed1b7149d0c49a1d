"""Recipes: everything that decides a training, in one TOML file."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from spectrace.corpora.folders import rows_from_folders
from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import FORBIDDEN_SPLIT
from spectrace.detectors.card import Pooling
from spectrace.errors import RecipeError, UsageError
from spectrace.images.perturbations import parse

if TYPE_CHECKING:
    from spectrace.learning.pairs import Reconstructor

_Count = Annotated[int, Meta(ge=1)]
_NonNegative = Annotated[float, Meta(ge=0.0)]
_Positive = Annotated[float, Meta(gt=0.0)]
_Share = Annotated[float, Meta(ge=0.0, le=1.0)]
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]*$")]

_LATER = ("optimiser", "weight_decay", "schedule", "warmup", "precision", "select", "discriminant")
_LATER_DATA = ("paired_share", "pairs")


class PairsRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Aligned pairs on tap: every photograph has a reconstruction, as if the manifest listed it.

    Attributes:
        autoencoders: files or runs of small autoencoders, or the folder with the weights of the FLUX.2 tiny
            one; see :func:`spectrace.generators.autoencoders.load_autoencoder`.
        scale: 1 encodes photograph and reconstruction as the photograph's file was; below 1 both are made
            of the photograph scaled down, and are not encoded again.
        windows: of each photograph, at fixed places, each of ``data.window`` pixels a side.
        per_source: photographs of each source and split at most that have reconstructions; 0 is all.
        cache: folder that keeps reconstructions; has no influence on the result.
    """

    autoencoders: Annotated[list[str], Meta(min_length=1)]
    scale: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    windows: _Count = 4
    per_source: Annotated[int, Meta(ge=0)] = 0
    cache: str = ""


class DataRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which pictures, and how tiles are taken from them.

    Attributes:
        manifest: CSV or Parquet manifest with splits; or else
        real, generated: two folders, split by hash of the content; with ``pairs``, ``real`` alone will do.
        train_split, val_split: names of the splits; ``unseen`` is refused.
        exclude: rows left out of training and validation, by column: ``{pair = ["quiz6"]}`` holds one out.
        source_temperature: a source of n pictures is drawn with weight n ** temperature: 0 draws every
            source alike, 1 every picture alike.
        min_side: pictures with a shorter side are left out. Small pictures lose those augmentations that
            leave no room for a tile, so a class with more of them could be told by that.
        window: larger pictures are first cut to a random window of so many pixels a side, on the 8 x 8
            grid of JPEG.
        augment: perturbation specs, applied in order to both classes alike.
        grid: tiles are cut at multiples of so many pixels; 8 keeps the phase of JPEG's blocks, as
            detection does.
        val_tiles: tiles of each validation picture.
        cache_mib: memory for decoded training pictures, over all workers; has no influence on the result.
        paired_share: so much of every batch are couples with the same content (the manifest's column
            ``content``), a camera and a generated picture cut and re-encoded by the same chance.
        pairs: makes such couples from the photographs.
    """

    manifest: str = ""
    real: str = ""
    generated: str = ""
    train_split: str = "train"
    val_split: str = "val"
    exclude: dict[Literal["generator", "source", "family", "pair"], list[str]] = {}
    source_temperature: _Share = 0.0
    min_side: _Count = 1
    window: _Count = 512
    augment: list[str] = []
    grid: _Count = 1
    val_tiles: _Count = 4
    cache_mib: Annotated[int, Meta(ge=0)] = 1024
    paired_share: _Share = 0.0
    pairs: PairsRecipe | None = None


class RepresentationRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the network sees: ``pixels``, or ``log-dct`` with its ``log_epsilon``."""

    id: str
    log_epsilon: _Positive = 1e-12


class NetworkRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which network, by its registered id."""

    id: str


class PenaltyRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Penalties added to the loss: ``l1 * sum(|w|) + l2 * sum(w ** 2)`` over the network's weights."""

    l1: _NonNegative = 0.0
    l2: _NonNegative = 0.0


class DiscriminantRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fit in closed form in place of steps; see :func:`spectrace.learning.discriminant.fit_discriminant`.

    Attributes:
        rounds: how often each picture is augmented and measured.
        tiles: of each picture and round, whose statistics are averaged.
        between: weight of the scatter between sources.
        ridge: added to the diagonal of the scatter.
    """

    rounds: _Count = 4
    tiles: _Count = 2
    between: _NonNegative = 1.0
    ridge: _Positive = 0.1


class CardRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the exported model's card says of it.

    Attributes:
        tile: side of the tiles that the exported model takes, where that is not the training's: networks
            whose weights fit tiles of several sizes can be trained on smaller ones.
    """

    tile: Annotated[int, Meta(ge=0, le=1024)] = 0
    title: str = ""
    version: str = "0"
    kind: str = "frequency"
    description: str = ""
    licence: str = "Apache-2.0"
    pooling: Pooling = "logit-mean"
    stability: list[str] = []


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training, whole. Defaults are those of Frank et al. 2020.

    Attributes:
        name: of the run and of the model, lower-case.
        task: ``binary`` (camera or generated), or ``attribution`` (camera or which generator).
        tile: side of a tile in pixels.
        epochs: at most so many.
        steps_per_epoch: batches an epoch; 0 means as many as show each training picture once on average.
        batch: tiles a step, shared evenly by the classes, over all processes.
        optimiser: ``adam``, or ``adamw``, which draws weights towards zero by ``weight_decay``.
        learning_rate: of the optimiser, at its highest.
        weight_decay: of ``adamw``; biases and normalisations are left alone.
        schedule: ``constant``, or ``cosine``: falls to zero over all ``epochs``.
        warmup: steps in which the learning rate rises to its height.
        precision: of the network in training; representation and validation keep theirs.
        select: what makes an epoch the best: lowest ``loss``, highest ``accuracy`` or ``auroc``, each of
            the validation tiles.
        patience: epochs without a better one before stopping.
        discriminant: fits the network in closed form: optimiser, schedule, epochs and batches are unused.
        workers: processes that read and cut pictures; has no influence on the result.
        seeds: one run each.

    Example:
        >>> recipe = Recipe(
        ...     name="dct-ridge",
        ...     data=DataRecipe(manifest="corpus/manifest.csv"),
        ...     representation=RepresentationRecipe(id="log-dct"),
        ...     network=NetworkRecipe(id="linear"),
        ...     penalties=PenaltyRecipe(l2=0.01),
        ... )
        >>> recipe.batch, recipe.learning_rate, recipe.patience
        (32, 0.001, 5)
    """

    name: _Name
    data: DataRecipe
    representation: RepresentationRecipe
    network: NetworkRecipe
    penalties: PenaltyRecipe = PenaltyRecipe()
    card: CardRecipe = CardRecipe()
    task: Literal["binary", "attribution"] = "binary"
    tile: Annotated[int, Meta(ge=8, le=1024)] = 128
    epochs: _Count = 50
    steps_per_epoch: Annotated[int, Meta(ge=0)] = 0
    batch: Annotated[int, Meta(ge=2)] = 32
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Meta(gt=0.0, le=10.0)] = 1e-3
    weight_decay: _NonNegative = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Meta(ge=0)] = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    select: Literal["loss", "accuracy", "auroc"] = "loss"
    patience: _Count = 5
    discriminant: DiscriminantRecipe | None = None
    workers: Annotated[int, Meta(ge=0, le=256)] = 2
    seeds: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: [0]
    )

    def digest(self, manifest: Manifest, reconstructors: Sequence[Reconstructor] = ()) -> str:
        """SHA-256 (hex) of what decides the result: the data, and all but seeds, workers and card.

        Of the autoencoders in ``data.pairs``, which are the ``reconstructors``, names and weights count.

        Fields that came later count only where they differ from their defaults, so runs keep their digests.
        """
        fields = msgspec.to_builtins(self)
        for recipe, values, later in ((self, fields, _LATER), (self.data, fields["data"], _LATER_DATA)):
            defaults = {field.name: field.default for field in msgspec.structs.fields(recipe)}
            for name in later:
                if values[name] == defaults[name]:
                    del values[name]
        for name in ("seeds", "workers", "card"):
            del fields[name]
        for name in ("manifest", "real", "generated", "cache_mib"):
            del fields["data"][name]
        if self.data.pairs is not None:
            for name in ("autoencoders", "cache"):
                del fields["data"]["pairs"][name]
            fields["autoencoders"] = [[one.name, one.digest] for one in reconstructors]
        fields["manifest"] = manifest.digest()
        if self.data.paired_share:
            # Which pictures are aligned is no column that the manifest's own digest covers.
            fields["content"] = sorted((row.path, row.extra.get("content", "")) for row in manifest)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def read_recipe(path: Path, *, real: str = "", generated: str = "") -> Recipe:
    """Read and check a recipe.

    Paths in it are relative to the recipe's folder, or else to the current folder: the first that exists.

    Args:
        path: a TOML file.
        real: folder of camera pictures; with ``generated``, it takes the place of the recipe's data.
        generated: folder of generated pictures.

    Raises:
        RecipeError: no such file, bad TOML, an unknown field, a value of the wrong kind or out of range.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}; give a recipe (TOML file)") from error
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    if real or generated:
        data = fields.setdefault("data", {})
        if isinstance(data, dict):
            data.pop("manifest", None)
            data |= {"real": str(Path(real).absolute()), "generated": str(Path(generated).absolute())}
    try:
        recipe = msgspec.convert(fields, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{path}: {str(error).replace('`$.', '`')}") from error
    try:
        check_recipe(recipe)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    return msgspec.structs.replace(recipe, data=_with_paths(recipe.data, path.parent))


def check_recipe(recipe: Recipe) -> None:
    """Check what types alone cannot say.

    Raises:
        RecipeError: fields that contradict each other, a forbidden split or a bad perturbation.

    Example:
        >>> check_recipe(Recipe(name="a", data=DataRecipe(manifest="m.csv", val_split="unseen"),
        ...     representation=RepresentationRecipe(id="pixels"), network=NetworkRecipe(id="linear")))
        Traceback (most recent call last):
        spectrace.errors.RecipeError: data.val_split is 'unseen', which is kept for the last measurement: ...
    """
    data = recipe.data
    _check_data(data)
    if data.paired_share and recipe.task != "binary":
        raise RecipeError(f"data.paired_share is for binary tasks, task is {recipe.task!r}: leave it out")
    if recipe.weight_decay and recipe.optimiser != "adamw":
        raise RecipeError("weight_decay needs optimiser = 'adamw': with adam take penalties.l2")
    if recipe.steps_per_epoch and recipe.warmup >= recipe.epochs * recipe.steps_per_epoch:
        raise RecipeError(
            f"warmup is {recipe.warmup} steps, the whole training has "
            f"{recipe.epochs * recipe.steps_per_epoch}: shorten it"
        )
    if data.window < recipe.tile:
        raise RecipeError(f"data.window is {data.window}, smaller than the tile of {recipe.tile}: enlarge it")


def _check_data(data: DataRecipe) -> None:
    if bool(data.manifest) == bool(data.real or data.generated):
        raise RecipeError("data: wanted either a manifest, or the two folders real and generated")
    if not data.manifest and not (data.real and (data.generated or data.pairs)):
        raise RecipeError(
            "data: only one of real and generated is given, both classes are needed, or real and pairs"
        )
    for field in ("train_split", "val_split"):
        if getattr(data, field) == FORBIDDEN_SPLIT:
            raise RecipeError(
                f"data.{field} is {FORBIDDEN_SPLIT!r}, which is kept for the last measurement: "
                "train and choose on other splits"
            )
    if data.train_split == data.val_split:
        raise RecipeError(f"data.train_split and data.val_split are both {data.val_split!r}: hold some out")
    if data.pairs is not None and not data.paired_share:
        raise RecipeError(
            "data.pairs is there, but data.paired_share is 0: say how many couples are to be pairs"
        )
    for number, spec in enumerate(data.augment):
        try:
            parse(spec)
        except UsageError as error:
            raise RecipeError(f"data.augment[{number}]: {error}") from error


def load_manifest(data: DataRecipe) -> Manifest:
    """Read the recipe's manifest, or make one of its folders, split by hash of the content.

    Names then count from the folder that holds all, so a run is the same one wherever it is started.

    Raises:
        ManifestError: a manifest or folder that is missing or holds nothing of use.
    """
    if data.manifest:
        return Manifest.read(data.manifest)
    if not data.generated:
        return Manifest(rows_from_folders(data.real, "real", root=Path(data.real)), data.real)
    root = os.path.commonpath([Path(folder).resolve() for folder in (data.real, data.generated)])
    return Manifest.from_folders(real=data.real, generated=data.generated, root=root)


def _with_paths(data: DataRecipe, folder: Path) -> DataRecipe:
    def found(text: str) -> str:
        beside = folder / text
        return str(beside if beside.exists() else Path(text)) if text else ""

    pairs = data.pairs
    if pairs is not None:
        autoencoders = [found(text) for text in pairs.autoencoders]
        pairs = msgspec.structs.replace(pairs, autoencoders=autoencoders, cache=found(pairs.cache))
    return msgspec.structs.replace(
        data,
        manifest=found(data.manifest),
        real=found(data.real),
        generated=found(data.generated),
        pairs=pairs,
    )
