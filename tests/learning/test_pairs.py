"""Aligned pairs on tap: nothing but the autoencoder tells the sides apart."""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ModelError, RecipeError
from spectrace.images.encodings import Encoding
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import TrainingTiles, batches, parts
from spectrace.learning.loop import train
from spectrace.learning.pairs import CAMERA, Reconstructor, Tap
from spectrace.learning.pictures import Photograph, Pictures, TooSmallError
from spectrace.learning.progress import Silent
from spectrace.learning.recipes import DataRecipe, PairsRecipe
from spectrace.learning.sampling import Sampler, couples_of, entries_of

CLASSES = ["camera", "generated"]
AUGMENT = ["flip@0.5", "resize(scale=0.7..1.2)@0.5", "jpeg(quality=60..95)@0.5", "noise(std=1)@0.5"]


def unchanged(pixels):
    return pixels.copy()


def blurred(pixels):
    return gaussian_filter(pixels, (0.7, 0.7, 0))


def doubled(pixels):
    """What nearest-neighbour upsampling leaves."""
    return np.ascontiguousarray(pixels[::2, ::2].repeat(2, 0).repeat(2, 1)[: len(pixels), : pixels.shape[1]])


def marking_its_border(pixels):
    made = np.full_like(pixels, 255)
    made[8:-8, 8:-8] = 0
    return made


SAME = Reconstructor("same", "0", unchanged)
BLUR = Reconstructor("blur", "1", blurred)
NEAREST = Reconstructor("nearest", "2", doubled)


def tap_of(*reconstructors, **changes) -> Tap:
    return Tap(reconstructors, **({"window": 64, "windows": 3} | changes))


@pytest.fixture(scope="session")
def files(tmp_path_factory, photographs) -> dict[str, Path]:
    """One photograph in many encodings; 200 rows and 180 columns as stored, 203 and 187 where turned."""
    root = tmp_path_factory.mktemp("encodings")
    scene = photographs["astronaut"][:200, 150:330]
    turned = Image.Exif()
    turned[0x0112] = 3
    settings = {
        "png": {},
        "half.jpg": {"quality": 45, "subsampling": "4:2:0"},
        "wide.jpg": {"quality": 80, "subsampling": "4:2:2", "progressive": True},
        "full.jpg": {"quality": 95, "subsampling": "4:4:4"},
        "turned.jpg": {"quality": 60, "exif": turned},
        "grey.jpg": {"quality": 60},
    }
    for name, values in settings.items():
        image = Image.fromarray(photographs["astronaut"][:203, 150:337] if name == "turned.jpg" else scene)
        image = image.convert("L") if name == "grey.jpg" else image
        image.save(root / (name if "." in name else "plain.png"), **values)
    return {path.name: path for path in sorted(root.iterdir())}


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_an_autoencoder_that_changes_nothing_gives_equal_sides(files, scale, seed):
    tap = tap_of(SAME, scale=scale)
    for name, path in files.items():
        photograph = Photograph.read(path)
        camera, made = (
            tap.draw(photograph, maker, np.random.default_rng(seed)) for maker in (CAMERA, "same")
        )
        np.testing.assert_array_equal(camera, made, err_msg=name)
        assert camera.shape == (64, 64, 3)


def test_equal_sides_stay_equal_through_the_whole_stream(files, recipe_of):
    entries, recipe = entries_on_tap(files, recipe_of, ["same"])
    tiles = taken(stream(entries, recipe, [SAME]), range(120), 0)
    assert torch.equal(tiles[::2], tiles[1::2])
    assert len(torch.unique(tiles.flatten(1), dim=0)) > 50


def test_sides_of_the_stream_differ_by_the_autoencoder(files, recipe_of):
    entries, recipe = entries_on_tap(files, recipe_of, ["nearest"], augment=["flip@0.5"], grid=2)
    lossless = [entry for entry in entries if entry.path.suffix == ".png"]
    tiles = taken(stream(lossless, recipe, [NEAREST]), range(40), 0).numpy()
    for camera, made in zip(tiles[::2], tiles[1::2], strict=True):
        # Mirrored tiles keep the right column of each pair.
        assert any((camera[:, ::2, k::2].repeat(2, 1).repeat(2, 2) == made).all() for k in (0, 1))


def off_the_lattice(pixels, encoding) -> float:
    """Mean distance of luma coefficients to multiples of their quantisation steps, in steps: 0..0.5."""
    luma = np.asarray(Image.fromarray(pixels).convert("YCbCr"))[:, :, 0].astype(float) - 128
    height, width = luma.shape
    blocks = luma.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    steps = np.array(encoding.tables[0]).reshape(8, 8)
    found = (dctn(blocks, axes=(2, 3), norm="ortho") / steps)[..., :4, :4]
    return float(np.abs(found - np.rint(found)).mean())


def edge_ratio(pixels) -> float:
    """Steps across the edges of blocks over steps inside them: above 1 for JPEG."""
    steps = np.abs(np.diff(pixels.astype(float), axis=1)).mean((0, 2))
    return float(steps[7::8].mean() / np.delete(steps, np.s_[7::8]).mean())


def test_blocks_and_quantisation_do_not_tell_the_sides_apart(files):
    tap = tap_of(BLUR, window=160)
    photograph = Photograph.read(files["half.jpg"])
    camera, made = (tap.draw(photograph, maker, np.random.default_rng(0)) for maker in (CAMERA, "blur"))
    bare = tap.side(photograph, "blur", 0)
    encoding = photograph.encoding
    # An autoencoder leaves the lattice; what both sides went through last brings both back to it.
    assert off_the_lattice(bare, encoding) > 0.12
    assert off_the_lattice(made, encoding) == pytest.approx(off_the_lattice(camera, encoding), abs=0.02)
    assert off_the_lattice(camera, encoding) < 0.06
    assert edge_ratio(made) > edge_ratio(bare)


def test_scaled_photographs_are_not_encoded_again(files):
    tap = tap_of(BLUR, scale=0.5)
    photograph = Photograph.read(files["half.jpg"])
    drawn = tap.draw(photograph, "blur", np.random.default_rng(0))
    assert any((drawn == tap.side(photograph, "blur", number)).all() for number in range(3))
    whole = np.asarray(Image.fromarray(photograph.pixels).resize((90, 100), Image.Resampling.LANCZOS))
    camera = tap.side(photograph, CAMERA, 0).astype(int)
    places = [whole[top : top + 64, left : left + 64] for top in (0, 16, 32) for left in (0, 16)]
    # Filter weights of a part are computed at another offset: they may round elsewhere.
    assert min(np.abs(camera - place).max() for place in places) <= 1


def test_windows_depend_on_the_file_alone(files):
    photograph = Photograph.read(files["turned.jpg"])
    origin = photograph.encoding.origin(203, 187)
    assert origin == (203 % 16, 187 % 16)
    tap = tap_of(SAME)
    drawn = {tap.draw(photograph, CAMERA, np.random.default_rng(seed)).tobytes() for seed in range(30)}
    repeat = photograph.encoding.repeat
    assert drawn == {repeat(tap.side(photograph, CAMERA, number)).tobytes() for number in range(3)}
    side = tap_of(SAME).side(photograph, CAMERA, 2)
    np.testing.assert_array_equal(side, tap_of(BLUR, windows=9).side(photograph, CAMERA, 2))
    views = np.lib.stride_tricks.sliding_window_view(photograph.pixels, (64, 64), axis=(0, 1))
    on_grid = views[origin[0] :: 16, origin[1] :: 16].transpose(0, 1, 3, 4, 2)
    assert (on_grid == side).all((2, 3, 4)).sum() == 1


def test_borders_of_the_window_are_not_those_of_the_reconstruction(files):
    tap = tap_of(Reconstructor("marks", "3", marking_its_border), windows=40)
    photograph = Photograph.read(files["plain.png"])
    inner = [tap.side(photograph, "marks", number) for number in range(40)]
    assert sum(not side.any() for side in inner) > 5
    # Only at the picture's own borders there is nothing beyond.
    for side in inner:
        marked = [side[:8].all(), side[-8:].all(), side[:, :8].all(), side[:, -8:].all()]
        assert bool(side.any()) == any(marked)


@pytest.mark.parametrize("shape", [(15, 200), (200, 31)])
def test_small_photographs_are_refused(shape):
    photograph = Photograph(np.zeros((*shape, 3), np.uint8), Encoding("PNG"), "0" * 64)
    with pytest.raises(TooSmallError, match="no window of 32 a side that measures a multiple of 16"):
        tap_of(SAME, smallest=32).side(photograph, CAMERA, 0)
    with pytest.raises(TooSmallError, match="100x100 pixels at a scale of 0.5"):
        tap_of(SAME, scale=0.5, smallest=128).side(
            Photograph(np.zeros((200, 200, 3), np.uint8), Encoding("PNG"), "0" * 64), CAMERA, 0
        )


def test_what_makers_must_keep_to(files):
    photograph = Photograph.read(files["plain.png"])
    with pytest.raises(ModelError, match=r"odd made uint8 \[40, 64, 3\] of uint8"):
        tap_of(Reconstructor("odd", "4", lambda pixels: pixels[:40, :64])).side(photograph, "odd", 0)
    for names in (("same", "same"), (CAMERA,)):
        with pytest.raises(RecipeError, match="two makers of pictures are named"):
            Tap([Reconstructor(name, "0", unchanged) for name in names], 64)


def test_makers_compute_on_one_thread(files):
    seen = []

    def watching(pixels):
        seen.append(torch.get_num_threads())
        return pixels

    torch.set_num_threads(2)
    tap_of(Reconstructor("watch", "5", watching)).side(Photograph.read(files["plain.png"]), "watch", 0)
    assert (seen, torch.get_num_threads()) == ([1], 2)


def test_a_cache_changes_nothing_but_the_work(files, tmp_path):
    calls = []

    def counted(pixels):
        calls.append(pixels.shape)
        return doubled(pixels)

    maker = Reconstructor("counted", "6", counted)
    photographs = [Photograph.read(path) for path in files.values()]
    plain = [tap_of(maker).side(one, "counted", 0) for one in photographs]
    kept = tmp_path / "deep" / "cache"
    tap = tap_of(maker, cache=kept)
    for _ in range(2):
        found = [tap.side(one, "counted", 0) for one in photographs]
        assert all((one == other).all() for one, other in zip(plain, found, strict=True))
        assert len(calls) == 2 * len(plain)
    written = [path for path in kept.rglob("*") if path.is_file()]
    assert len(written) == len(plain)
    assert {path.suffix for path in written} == {".png"}

    written[0].write_bytes(b"half a file")
    found = [tap.side(one, "counted", 0) for one in photographs]
    assert all((one == other).all() for one, other in zip(plain, found, strict=True))
    assert len(calls) == 2 * len(plain) + 1
    # Other weights, another scale: other files.
    tap_of(Reconstructor("counted", "7", counted), cache=kept).side(photographs[0], "counted", 0)
    tap_of(maker, cache=kept, scale=0.5).side(photographs[0], "counted", 0)
    assert len(calls) == 2 * len(plain) + 3


def test_a_cache_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="is no folder for reconstructions"):
        tap_of(SAME, cache=tmp_path / "file")


def entries_on_tap(files, recipe_of, makers, **data):
    rows = [Row(path=str(path), label="real", split="train", source="phone") for path in files.values()]
    pairs = PairsRecipe(autoencoders=makers, windows=3)
    values = {"manifest": "made.csv", "window": 64, "augment": AUGMENT, "paired_share": 1.0, "pairs": pairs}
    recipe = recipe_of(data=DataRecipe(**(values | data)))
    return entries_of(Manifest(rows), recipe, "train", CLASSES, makers), recipe


def stream(entries, recipe, reconstructors) -> TrainingTiles:
    sampler = Sampler(entries, 2, 0.0, recipe.data.paired_share)
    return TrainingTiles(sampler, Cutter.of(recipe, reconstructors), 0, Pictures())


def taken(dataset, indices, workers) -> torch.Tensor:
    return torch.cat([batch.tiles for batch in batches(dataset, parts(indices, 8), workers)])


def test_every_photograph_has_a_reconstruction_by_each(files, recipe_of):
    entries, _ = entries_on_tap(files, recipe_of, ["same", "blur"])
    assert [entry.maker for entry in entries] == [""] * 6 + ["same"] * 6 + ["blur"] * 6
    assert len({entry.name for entry in entries}) == 18
    couples = couples_of(entries)
    assert len(couples) == 12
    for camera, made in couples:
        assert (camera.path, camera.target, camera.maker) == (made.path, 0, CAMERA)


def test_photographs_can_be_limited_by_source(files, recipe_of):
    pairs = PairsRecipe(autoencoders=["same"], per_source=2)
    entries, _ = entries_on_tap(files, recipe_of, ["same"], pairs=pairs)
    assert sum(entry.maker == "same" for entry in entries) == 2


def test_stream_on_tap_does_not_depend_on_workers(files, recipe_of, tmp_path):
    pairs = PairsRecipe(autoencoders=["blur", "nearest"], cache=str(tmp_path / "cache"))
    entries, recipe = entries_on_tap(files, recipe_of, ["blur", "nearest"], paired_share=0.5)
    cached = recipe_of(data=msgspec.structs.replace(recipe.data, pairs=pairs))
    plain = recipe_of(
        data=msgspec.structs.replace(recipe.data, pairs=PairsRecipe(autoencoders=pairs.autoencoders))
    )
    alone = taken(stream(entries, plain, [BLUR, NEAREST]), range(48), 0)
    for chosen, workers in ((plain, 2), (cached, 1), (cached, 2)):
        assert torch.equal(taken(stream(entries, chosen, [BLUR, NEAREST]), range(48), workers), alone)


def test_formats_that_cannot_be_repeated_are_left_out_in_one_line(photographs, recipe_of, tmp_path):
    Image.fromarray(photographs["coffee"][:80, :80]).save(tmp_path / "a.webp", quality=50)
    entries, recipe = entries_on_tap({"a": tmp_path / "a.webp"}, recipe_of, ["same"])
    sample = stream(entries, recipe, [SAME])[0]
    assert sample.tiles is None
    assert sample.problems[0].name.endswith("a.webp")
    assert "is WEBP, which cannot be encoded again alike" in sample.problems[0].reason
    pairs = PairsRecipe(autoencoders=["same"], scale=0.5)
    entries, recipe = entries_on_tap({"a": tmp_path / "a.webp"}, recipe_of, ["same"], pairs=pairs)
    assert stream(entries, recipe, [SAME])[0].tiles is not None


@pytest.fixture
def photograph_manifest(tmp_path, photographs) -> Manifest:
    """Photographs only, every third of them PNG, of 60 pixels a side."""
    rows = []
    for number in range(16):
        pixels = photographs[("astronaut", "coffee", "china")[number % 3]][9 * number :, 7 * number :][
            :60, :60
        ]
        path = tmp_path / f"{number}{'.jpg' if number % 3 else '.png'}"
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG" if number % 3 else "PNG")
        path.write_bytes(buffer.getvalue())
        rows.append(Row(path=path.name, label="real", split="train" if number % 4 else "val"))
    return Manifest(rows, tmp_path)


class KilledInEpoch2(Silent):
    """Stops the training in the middle of its second epoch, as a kill does."""

    @contextmanager
    def task(self, name, total):
        def advance(done):
            if name == "epoch 2":
                raise KeyboardInterrupt

        yield advance


@pytest.mark.parametrize("cached", [False, True])
def test_trainings_from_photographs_alone_end_alike(photograph_manifest, recipe_of, tmp_path, cached):
    def recipe(cache: str):
        pairs = PairsRecipe(autoencoders=["nearest"], windows=2, cache=cache)
        data = DataRecipe(manifest="m.csv", window=48, augment=AUGMENT[:1], paired_share=0.5, pairs=pairs)
        return recipe_of(data=data, epochs=3)

    def trained(folder, cache="", workers=0, progress=None):
        chosen = recipe(cache)
        given = {"seed": 3, "workers": workers, "progress": progress, "reconstructors": [NEAREST]}
        return train(chosen, photograph_manifest, tmp_path / folder, **given)

    straight = trained("straight")
    cache = str(tmp_path / "cache") if cached else ""
    with pytest.raises(KeyboardInterrupt):
        trained("cut", cache, progress=KilledInEpoch2())
    resumed = trained("cut", cache, workers=2)
    ends = straight.network.state_dict(), resumed.network.state_dict()
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name], rtol=0, atol=1e-6)
    assert straight.digest == resumed.digest
    with pytest.raises(RecipeError, match="another recipe"):
        train(
            recipe(cache),
            photograph_manifest,
            tmp_path / "cut",
            seed=3,
            workers=0,
            reconstructors=[Reconstructor("nearest", "other weights", doubled)],
        )


def test_autoencoders_must_be_handed_in(photograph_manifest, recipe_of, tmp_path):
    data = DataRecipe(manifest="m.csv", paired_share=0.5, pairs=PairsRecipe(autoencoders=["a.pt"]))
    with pytest.raises(RecipeError, match="data.pairs names 1 autoencoders, 0 were handed"):
        train(recipe_of(data=data), photograph_manifest, tmp_path / "run", seed=0, workers=0)
