from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import RecipeError
from spectrace.learning.networks import network_ids
from spectrace.learning.pairs import Reconstructor
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PairsRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
    check_recipe,
    load_manifest,
    read_recipe,
)

SMALLEST = """
name = "smallest"
[data]
manifest = "pictures.csv"
[representation]
id = "log-dct"
[network]
id = "linear"
"""
RECIPES = sorted((Path(__file__).parents[2] / "experiments").glob("*/*.toml"))


def read(tmp_path, text, **folders):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path, **folders)


def test_defaults_are_the_papers(tmp_path):
    recipe = read(tmp_path, SMALLEST)
    assert (recipe.learning_rate, recipe.batch, recipe.epochs, recipe.patience) == (1e-3, 32, 50, 5)
    assert (recipe.tile, recipe.representation.log_epsilon, recipe.task) == (128, 1e-12, "binary")
    assert (recipe.penalties.l1, recipe.penalties.l2) == (0, 0)
    assert (recipe.optimiser, recipe.schedule, recipe.warmup, recipe.select) == (
        "adam",
        "constant",
        0,
        "loss",
    )
    assert (recipe.precision, recipe.data.paired_share) == ("float32", 0)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "smallest"', "", "name"),
        ('name = "smallest"', 'name = "Not Lower"', "name"),
        ('name = "smallest"', 'name = "smallest"\nbatchsize = 3', "batchsize"),
        ('name = "smallest"', 'name = "smallest"\nbatch = "many"', "batch"),
        ('name = "smallest"', 'name = "smallest"\nseeds = []', "seeds"),
        ('name = "smallest"', 'name = "smallest"\ntask = "regression"', "task"),
        ('name = "smallest"', 'name = "smallest"\ntile = 600', "window"),
        ('name = "smallest"', 'name = "smallest"\nlearning_rate = nan', "learning_rate"),
        ('name = "smallest"', 'name = "smallest"\nselect = "luck"', "select"),
        ('name = "smallest"', 'name = "smallest"\nprecision = "int8"', "precision"),
        ('name = "smallest"', 'name = "smallest"\nweight_decay = 0.1', "adamw"),
        (
            'name = "smallest"',
            'name = "smallest"\nepochs = 2\nsteps_per_epoch = 5\nwarmup = 10',
            "warmup is 10",
        ),
        ('name = "smallest"', "name = smallest", "TOML"),
        ('manifest = "pictures.csv"', 'manifest = "p.csv"\npaired_share = 1.5', "paired_share"),
        ('manifest = "pictures.csv"', "", "manifest"),
        ('manifest = "pictures.csv"', 'manifest = "pictures.csv"\nreal = "r"\ngenerated = "g"', "either"),
        ('manifest = "pictures.csv"', 'real = "photos"', "both classes"),
        (
            'manifest = "pictures.csv"',
            'manifest = "p.csv"\nval_split = "unseen"',
            "data.val_split is 'unseen'",
        ),
        ('manifest = "pictures.csv"', 'manifest = "p.csv"\ntrain_split = "unseen"', "data.train_split"),
        ('manifest = "pictures.csv"', 'manifest = "p.csv"\nval_split = "train"', "both 'train'"),
        (
            'manifest = "pictures.csv"',
            'manifest = "p.csv"\naugment = ["jpg(quality=3)"]',
            r"data.augment\[0\].*jpg",
        ),
        ('manifest = "pictures.csv"', 'manifest = "p.csv"\nexclude = {colour = ["red"]}', "data.exclude"),
        ('id = "log-dct"', 'id = "log-dct"\nlog_epsilon = 0.0', "representation.log_epsilon"),
        ('id = "linear"', 'id = "linear"\n[penalties]\nl3 = 1', "l3"),
        ('id = "linear"', 'id = "linear"\n[penalties]\nl1 = -1.0', "penalties.l1"),
    ],
)
def test_bad_recipes_name_the_field(tmp_path, old, new, complaint):
    assert old in SMALLEST
    with pytest.raises(RecipeError, match=complaint) as raised:
        read(tmp_path, SMALLEST.replace(old, new))
    assert "recipe.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff\xfe"), lambda path: None]
)
def test_recipe_that_cannot_be_read(tmp_path, make):
    make(tmp_path / "recipe.toml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "recipe.toml")


def test_paths_are_relative_to_the_recipe_then_to_the_current_folder(tmp_path, monkeypatch):
    recipes, elsewhere = tmp_path / "recipes", tmp_path / "elsewhere"
    recipes.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (elsewhere / "pictures.csv").write_text("")
    assert Path(read(recipes, SMALLEST).data.manifest).resolve() == elsewhere / "pictures.csv"
    (recipes / "pictures.csv").write_text("")
    assert Path(read(recipes, SMALLEST).data.manifest).resolve() == recipes / "pictures.csv"


def test_folders_take_the_place_of_the_recipes_data(tmp_path):
    recipe = read(tmp_path, SMALLEST, real=str(tmp_path / "r"), generated=str(tmp_path / "g"))
    assert recipe.data.manifest == ""
    assert (recipe.data.real, recipe.data.generated) == (str(tmp_path / "r"), str(tmp_path / "g"))


def test_two_folders_make_a_manifest_with_splits(tmp_path):
    for label in ("real", "generated"):
        (tmp_path / label).mkdir()
        for value in range(40):
            Image.new("RGB", (4, 4), (value, 0, len(label))).save(tmp_path / label / f"{value}.png")
    manifest = load_manifest(DataRecipe(real=str(tmp_path / "real"), generated=str(tmp_path / "generated")))
    assert len(manifest) == 80
    assert {row.path.split("/")[0] for row in manifest} == {"real", "generated"}
    assert {row.split for row in manifest} == {"train", "val"}


def test_digest_covers_what_decides_the_result_only(recipe_of):
    manifest = Manifest([Row(path="a.png", label="real")])
    recipe = recipe_of()
    digest = recipe.digest(manifest)
    for changes in (
        {"workers": 7},
        {"seeds": [3, 4]},
        {"data": msgspec.structs.replace(recipe.data, manifest="b.csv")},
    ):
        assert recipe_of(**changes).digest(manifest) == digest
    for changes in ({"learning_rate": 0.1}, {"data": msgspec.structs.replace(recipe.data, grid=8)}):
        assert recipe_of(**changes).digest(manifest) != digest
    assert recipe.digest(Manifest([Row(path="b.png", label="real")])) != digest


def test_aligned_couples_are_for_two_classes(tmp_path):
    text = SMALLEST.replace("[data]", "[data]\npaired_share = 0.5", 1)
    assert read(tmp_path, text).data.paired_share == 0.5
    with pytest.raises(RecipeError, match="paired_share is for binary tasks"):
        read(tmp_path, f'task = "attribution"\n{text}')


def test_later_fields_leave_digests_as_they_were():
    """Golden value: a model trained before there were schedules, couples and so on."""
    recipe = Recipe(
        name="block-spectrum",
        epochs=45,
        steps_per_epoch=150,
        batch=64,
        learning_rate=5e-4,
        patience=10,
        data=DataRecipe(
            exclude={"generator": ["dcgan"]},
            source_temperature=0.5,
            grid=8,
            window=224,
            augment=[
                "flip@0.5",
                "resize(scale=0.6..1.2, kernel=bilinear|bicubic|lanczos)@0.4",
                "jpeg(quality=60..98, subsampling=4:2:0|4:4:4)@0.9",
            ],
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="block-spectrum"),
        penalties=PenaltyRecipe(l2=2e-5),
    )
    pictures = "b7c60b06ff5932893aee55fb83511b8b5dcc8ad7291fe7fe3fd347d58afe9552"
    manifest = SimpleNamespace(digest=lambda: pictures)
    before = "1697272a154ddafe4c228a428399d4e6f21f01ccff2ceb97a4e0d86e7ac0462b"
    assert recipe.digest(manifest) == before
    data = msgspec.structs.replace(recipe.data, paired_share=0.5)
    changes = ({"select": "auroc"}, {"warmup": 3}, {"schedule": "cosine"}, {"precision": "bfloat16"})
    for change in (*changes, {"optimiser": "adamw"}):
        assert msgspec.structs.replace(recipe, **change).digest(manifest) != before
    # Couples come from a column that the manifest's own digest does not cover.
    paired = msgspec.structs.replace(recipe, data=data)
    rows = [
        Manifest([Row(path="a.png", label="real", extra={"content": content})]) for content in ("", "x", "y")
    ]
    assert len({paired.digest(one) for one in rows}) == 3
    assert len({recipe.digest(one) for one in rows}) == 1


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository_are_good(path):
    assert read_recipe(path).network.id in network_ids()


def test_recipes_of_the_repository_have_names_of_their_own():
    names = [read_recipe(path).name for path in RECIPES]
    assert len(RECIPES) > 20
    assert len(set(names)) == len(names)


PAIRS = """
name = "small"
[data]
manifest = "m.csv"
paired_share = 0.5
pairs = {fields}
[representation]
id = "log-dct"
[network]
id = "linear"
"""


def test_pairs_are_found_beside_the_recipe(tmp_path):
    (tmp_path / "ae.pt").touch()
    path = tmp_path / "recipe.toml"
    path.write_text(PAIRS.format(fields='{ autoencoders = ["ae.pt", "elsewhere"], cache = "cache" }'))
    pairs = read_recipe(path).data.pairs
    assert pairs.autoencoders == [str(tmp_path / "ae.pt"), "elsewhere"]
    assert (pairs.cache, pairs.scale, pairs.windows, pairs.per_source) == ("cache", 1.0, 4, 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{}", "autoencoders"),
        ("{ autoencoders = [] }", "length >= 1"),
        ('{ autoencoders = ["a"], scale = 1.5 }', "<= 1.0"),
        ('{ autoencoders = ["a"], share = 0.5 }', "unknown field `share`"),
    ],
)
def test_bad_pairs(tmp_path, fields, message):
    path = tmp_path / "recipe.toml"
    path.write_text(PAIRS.format(fields=fields))
    with pytest.raises(RecipeError, match=message) as raised:
        read_recipe(path)
    assert "data.pairs" in str(raised.value)


def test_pairs_need_a_share(recipe_of):
    pairs = PairsRecipe(autoencoders=["a"])
    with pytest.raises(RecipeError, match="data.paired_share is 0"):
        check_recipe(recipe_of(data=DataRecipe(manifest="m.csv", pairs=pairs)))


def test_digest_of_pairs_is_that_of_the_weights(pictures, recipe_of):
    def digest(weights="1", name="ae", **changes):
        pairs = PairsRecipe(**({"autoencoders": ["a"]} | changes))
        recipe = recipe_of(data=DataRecipe(manifest="m.csv", paired_share=0.5, pairs=pairs))
        return recipe.digest(pictures, [Reconstructor(name, weights, lambda pixels: pixels)])

    assert digest() == digest(autoencoders=["moved"], cache="somewhere")
    others = [digest("2"), digest(name="b"), digest(scale=0.5), digest(windows=2), digest(per_source=1)]
    assert len({digest(), *others}) == 6
