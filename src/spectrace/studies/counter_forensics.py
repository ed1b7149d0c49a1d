"""How far traces can be hidden: every detector against every attack, and a generator tuned against it.

A patch detector and a frequency detector learn to tell a small generator's samples from photographs. Then
the samples are attacked, or the generator is tuned against the frozen detector (Chai et al. 2020), and the
detector is trained anew on what it missed. This is for whoever relies on a detector, to know what takes it
apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrace.corpora.rows import CAMERA
from spectrace.corpora.splits import refuse_forbidden
from spectrace.generators.attacks import Attack, Knowledge, Pixels, attack_named
from spectrace.generators.attacks.aim import frozen_detector
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.tuning import TuningRecipe
from spectrace.images.grid import grid
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.studies.counter_forensics_parts import SAMPLES, Bench, Round
from spectrace.studies.counter_forensics_tables import MAGNIFIED, Column, Measures, cost, figure
from spectrace.studies.encoding import encode_picture
from spectrace.studies.pieces import TEST, photographs_of, real_pictures, trained_generator
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.source_pictures import PHOTOGRAPH, Counts, read_pictures, split_names
from spectrace.studies.trainings import of_recipe

KINDS = {"patch": "pixels", "frequency": "log-dct"}
"""Kinds of detectors, and what each sees."""

_SHOWN = 8

Chains = dict[str, list[list[Round]]]
"""By kind of detector and seed: the generator as it is, then as it was tuned in each round."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is generated, detected and attacked.

    Attributes:
        photographs: manifest or folder with real pictures, or ``wheels``.
        sources: of the manifest; none takes all.
        train_split, test_split: of the photographs; never ``unseen``.
        generator: recipe of the generator.
        train, val, test: pieces of photographs, and as many samples. Photographs take turns until there are
            enough; intervals are clustered by photograph.
        patch, frequency: ids of the detectors' networks, on pixels and on the log-DCT.
        seeds: one training of every detector and one tuning each.
        batch, learning_rate, steps_per_epoch, epochs: of the detectors; the learning rate falls along a half
            cosine, the epoch of the lowest loss on held-out training pictures is taken.
        attacks: on finished samples, by name.
        tuning: of the generator, against each detector; its seed is the detector's.
        rounds: how often the generator is tuned, each time against the detector trained on the last round.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    sources: tuple[str, ...] = ("cdiaconu140k_real", "nathanmaton_celeba256_real", "tharun_real")
    train_split: str = "train"
    test_split: str = "val"
    generator: GeneratorRecipe = GeneratorRecipe(family="dcgan")
    train: int = 1200
    val: int = 200
    test: int = 300
    patch: str = "resnet18-layer1-slim"
    frequency: str = "frank-cnn"
    seeds: tuple[int, ...] = (0, 1, 2)
    batch: int = 32
    learning_rate: float = 1e-3
    steps_per_epoch: int = 50
    epochs: int = 8
    attacks: tuple[str, ...] = (
        "none",
        "spectral-matching",
        "blur",
        "re-encoding",
        "resize",
        "gradient-2",
        "gradient-4",
    )
    tuning: TuningRecipe = TuningRecipe()
    rounds: int = 2


def run_study(settings: Settings, context: Context) -> Result:
    """Train generator and detectors, attack, tune, train anew, and measure all of it.

    Raises:
        UsageError: the split that is kept for the last measurement, or an unknown attack.
        ManifestError: photographs that are missing.
    """
    attacks = [attack_named(name) for name in settings.attacks]
    refuse_forbidden(settings.train_split, settings.test_split)
    photographs = real_pictures(settings.photographs, settings.sources)
    training, testing = (
        photographs.select(split=split) for split in (settings.train_split, settings.test_split)
    )
    size = settings.generator.size
    learned = photographs_of(training, context, split=settings.train_split, size=size)
    generator = trained_generator(settings.generator, learned, context)
    counts = Counts(settings.train, settings.val, settings.test)
    bench = Bench(context, (training, testing), size, counts)
    chains = {kind: _chains(settings, kind, generator, bench) for kind in KINDS}

    first = bench.pictures(generator, settings.seeds[0])
    fitted = first.select(split=split_names(settings.seeds[0])[0])
    known = Knowledge(
        read_pictures(fitted.select(generator=CAMERA)), read_pictures(fitted.select(generator=SAMPLES))
    )
    samples = bench.samples(generator)
    columns = [column for attack in attacks for column in _columns(attack, chains, known, samples, context)]
    columns += [_tuned(kind, chains, bench) for kind in KINDS]

    camera = first.select(split=TEST, generator=CAMERA)
    measures = Measures(read_pictures(camera), [row.extra[PHOTOGRAPH] for row in camera], len(samples))
    return {
        "manifest_digest": photographs.digest(),
        "generator": generator.name,
        "test_photographs": len({row.extra[PHOTOGRAPH] for row in camera}),
        "networks": {kind: getattr(settings, kind) for kind in KINDS},
        "attacks": [
            {"name": column.name, "aimed_at": column.aimed_at, **cost(samples, column.pictures)}
            for column in columns
        ],
        "table": {
            name: [measures.of(detectors, column.pictures) for column in columns]
            for name, detectors in _rows(chains)
        },
        "rounds": {kind: _rounds(kind, chains, bench, measures) for kind in KINDS},
        "strips": {kind: _strip(kind, chains, bench) for kind in KINDS},
    }


def _chains(settings: Settings, kind: str, generator: Path, bench: Bench) -> list[list[Round]]:
    recipe = _recipe(settings, kind)
    tunings = [msgspec.structs.replace(settings.tuning, seed=seed) for seed in settings.seeds]
    return [bench.chain(recipe, tuning, settings.rounds, generator) for tuning in tunings]


def _recipe(settings: Settings, kind: str) -> Recipe:
    return Recipe(
        name=kind,
        data=DataRecipe(manifest="pictures", augment=["flip@0.5"], val_tiles=1),
        representation=RepresentationRecipe(id=KINDS[kind]),
        network=NetworkRecipe(id=getattr(settings, kind)),
        tile=settings.generator.size,
        schedule="cosine",
        patience=settings.epochs,
        **of_recipe(settings),
    )


def _columns(
    attack: Attack, chains: Chains, known: Knowledge, samples: Pixels, context: Context
) -> Iterator[Column]:
    """Samples after an attack; one that knows the weights is led against the detector of every seed."""
    context.progress.say(f"attack: {attack.name}")
    if not attack.aimed:
        attacked = attack(samples, np.random.default_rng(0), known)
        yield Column(attack.name, "", [attacked] * len(next(iter(chains.values()))))
        return
    for kind, seeds in chains.items():
        aimed = []
        for seed, chain in enumerate(seeds):
            detector = frozen_detector(chain[0].detector, samples.shape[1])
            knowledge = dataclasses.replace(known, detector=detector)
            aimed.append(attack(samples, np.random.default_rng(seed), knowledge))
        yield Column(attack.name, kind, aimed)


def _tuned(kind: str, chains: Chains, bench: Bench) -> Column:
    return Column("tuned", kind, [bench.samples(chain[1].generator) for chain in chains[kind]])


def _rows(chains: Chains) -> Iterator[tuple[str, list[Path]]]:
    """Detectors by name, one a seed: as they were attacked, their neighbours, and trained anew."""
    for kind, seeds in chains.items():
        first = [chain[0].detector for chain in seeds]
        yield kind, first
        if len(first) > 1:
            yield f"{kind}, another seed", [*first[1:], first[0]]
        yield f"{kind}, trained anew", [chain[1].detector for chain in seeds]


def _rounds(kind: str, chains: Chains, bench: Bench, measures: Measures) -> list[dict[str, Any]]:
    """What each round of tuning did to the detector it was aimed at, and what training anew brought."""
    (other,) = set(KINDS) - {kind}
    others = [chain[0].detector for chain in chains[other]]
    seeds = chains[kind]
    first = bench.samples(seeds[0][0].generator)
    rounds = []
    for number in range(1, len(seeds[0])):
        tuned = [bench.samples(chain[number].generator) for chain in seeds]
        old = [bench.samples(chain[number - 1].generator) for chain in seeds]
        frozen, anew = ([chain[at].detector for chain in seeds] for at in (number - 1, number))
        rounds.append(
            {
                **cost(first, tuned),
                "before": measures.of(frozen, old),
                "frozen": measures.of(frozen, tuned),
                f"{other}, never attacked": measures.of(others, tuned),
                "trained anew": measures.of(anew, tuned),
                "trained anew, first samples": measures.of(anew, [first] * len(seeds)),
            }
        )
    return rounds


def _strip(kind: str, chains: Chains, bench: Bench) -> str:
    """Samples before and after the first round, and their difference, as text."""
    old, new = (bench.samples(one.generator)[:_SHOWN] for one in chains[kind][0][:2])
    difference = 128.0 + MAGNIFIED * (new.astype(np.float64) - old)
    rows = np.concatenate([old, new, np.clip(difference, 0, 255).astype(np.uint8)])
    return encode_picture(grid(rows, _SHOWN))


register_study("counter-forensics", Settings, figure=figure)(run_study)
