"""Baselines against scikit-learn, numpy and planted patterns; properties that hold for all of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import class_count
from spectrace.evaluation.baselines.eigenfaces import Eigenfaces, principal_components
from spectrace.evaluation.baselines.features import Representation
from spectrace.evaluation.baselines.neighbours import NearestNeighbours
from spectrace.evaluation.baselines.prnu import NoiseFingerprints
from spectrace.evaluation.baselines.registry import BASELINES, build_baseline
from spectrace.evaluation.baselines.svm import train_machine
from spectrace.evaluation.baselines.wavelets import noise_residual, wavelet_matrix

KINDS = [
    (name, representation) for name, entry in BASELINES.items() for representation in entry.representations
]
SIDE = 16


def crops(photographs, count, seed, side=SIDE):
    """Pieces of photographs, uint8 [N, S, S, 3]."""
    rng = np.random.default_rng(seed)
    pictures = list(photographs.values())
    pieces = []
    for _ in range(count):
        picture = pictures[rng.integers(len(pictures))]
        top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
        pieces.append(picture[top : top + side, left : left + side])
    return np.stack(pieces)


def sources(photographs, count, seed, classes=3):
    """Pictures of several sources, each with a faint lattice of its own."""
    pictures = crops(photographs, count * classes, seed).astype(np.float64)
    labels = np.repeat(np.arange(classes), count)
    wave = np.cos(2 * np.pi * np.arange(SIDE)[None, :] / np.array([2, 4, 8])[:, None])
    pictures += 6.0 * (wave[labels][:, :, None] * wave[labels][:, None, :])[..., None]
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def data(photographs):
    return (*sources(photographs, 60, 0), *sources(photographs, 20, 1))


def standardised(train, pictures):
    from scipy.fft import dctn

    def represent(some):
        coefficients = dctn(some.astype(float), axes=(1, 2), norm="ortho").transpose(0, 3, 1, 2)
        return np.log(np.abs(coefficients) + 1e-12).reshape(len(some), -1)

    return StandardScaler().fit(represent(train)).transform(represent(pictures))


def test_log_dct_is_scipys_standardised_by_scikit_learn(data):
    train, _, val, _ = data
    ours = Representation("log-dct").fit(train)(val)
    assert ours == pytest.approx(standardised(train, val), abs=1e-4)
    assert Representation("pixels").fit(train)(val)[:, :SIDE] == pytest.approx(
        val[:, 0, :, 0] / 127.5 - 1, abs=1e-6
    )


def test_log_dct_is_what_the_networks_see():
    torch = pytest.importorskip("torch")
    from spectrace.learning.representations import LogDCT, Standardiser

    # Noise leaves no coefficient empty: what round-off leaves of those is another in every library.
    train, val = np.random.default_rng(8).integers(0, 256, (2, 60, SIDE, SIDE, 3), dtype=np.uint8)
    theirs = LogDCT(SIDE)
    fit = Standardiser(theirs)
    fit.update(torch.from_numpy(train.transpose(0, 3, 1, 2).copy()))
    fit.finish()
    with torch.no_grad():
        seen = theirs(torch.from_numpy(val.transpose(0, 3, 1, 2).copy())).flatten(1).numpy()
    assert Representation("log-dct").fit(train)(val) == pytest.approx(seen, abs=1e-3)


@pytest.mark.parametrize("representation", ["pixels", "log-dct"])
def test_neighbours_are_scikit_learns(data, representation):
    train, labels, val, val_labels = data
    ours = NearestNeighbours(representation)
    ours.fit(train, labels, val, val_labels)
    known, others = (
        (train.reshape(len(train), -1) / 127.5 - 1, val.reshape(len(val), -1) / 127.5 - 1)
        if representation == "pixels"
        else (standardised(train, train), standardised(train, val))
    )
    counts = [1, 3, 5, 9, 17, 33, 65, 129, len(train)]
    reached = [
        KNeighborsClassifier(count, algorithm="brute").fit(known, labels).score(others, val_labels)
        for count in counts
    ]
    best = counts[int(np.argmax(reached))]
    assert ours.chosen == {"neighbours": best}
    theirs = KNeighborsClassifier(best, algorithm="brute").fit(known, labels)
    judged = ours.judge(val)
    assert judged.scores == pytest.approx(theirs.predict_proba(others))
    assert judged.unknown == pytest.approx(theirs.kneighbors(others)[0].mean(axis=1), abs=2e-3)
    assert (ours.predict(val) == theirs.predict(others)).all()


@pytest.mark.parametrize("c", [1e-4, 1e-2, 1e-1])
def test_the_machine_is_liblinears(c):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    # Variances over five powers of ten, as principal components have.
    features = rng.normal(size=(200, 40)) * np.geomspace(30.0, 0.1, 40)
    features[:, 5:8] += 3.0 * np.eye(3)[labels]
    ours = train_machine(features.astype(np.float32), labels, 3, c)(features)
    theirs = (
        LinearSVC(C=c, dual=False, tol=1e-8, max_iter=10000).fit(features, labels).decision_function(features)
    )
    assert ours == pytest.approx(theirs, abs=0.01)


def test_a_warm_start_ends_at_the_same_place():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(100, 10)), rng.integers(0, 2, 100)
    cold = train_machine(features, labels, 2, 0.1)
    warm = train_machine(features, labels, 2, 0.1, train_machine(features, labels, 2, 1e-4))
    assert warm.weights == pytest.approx(cold.weights, abs=1e-3)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_components_are_scikit_learns(shape):
    rng = np.random.default_rng(2)
    features = (rng.normal(size=shape) * np.geomspace(10, 0.1, shape[1])).astype(np.float32)
    features -= features.mean(axis=0)
    theirs = PCA(n_components=0.9, svd_solver="full").fit(features)
    ours, explained = principal_components(features, 0.9)
    assert ours.shape == (shape[1], theirs.n_components_)
    assert explained == pytest.approx(np.cumsum(theirs.explained_variance_ratio_), abs=1e-4)
    assert np.abs((ours * theirs.components_.T).sum(axis=0)) == pytest.approx(
        np.ones(ours.shape[1]), abs=1e-3
    )


def test_eigenfaces_choose_on_validation_as_a_grid_of_scikit_learns_would(data):
    train, labels, val, val_labels = data
    known, others = standardised(train, train), standardised(train, val)
    ours = Eigenfaces("log-dct", variances=(0.5, 0.9), penalties=(1e-3, 1e-1))
    ours.fit(train, labels, val, val_labels)
    reached = {}
    for share in (0.5, 0.9):
        components = PCA(n_components=share, svd_solver="full").fit(known)
        for c in (1e-3, 1e-1):
            machine = LinearSVC(C=c, dual=False).fit(components.transform(known), labels)
            reached[share, c] = machine.score(components.transform(others), val_labels)
    assert (ours.predict(val) == val_labels).mean() == pytest.approx(
        max(reached.values()), abs=1.5 / len(val)
    )
    assert reached[ours.chosen["variance"], ours.chosen["c"]] == pytest.approx(
        max(reached.values()), abs=1.5 / len(val)
    )


@pytest.mark.parametrize("size", [2, 4, 8, 16, 64])
def test_the_wavelet_is_orthogonal(size):
    assert wavelet_matrix(size) @ wavelet_matrix(size).T == pytest.approx(np.eye(size), abs=1e-6)


def test_the_wavelet_sees_no_cubic():
    details = wavelet_matrix(64)[32:] @ (np.linspace(-1, 1, 64) ** 3)
    # The last ones wrap around, where a cubic jumps.
    assert np.abs(details[:29]).max() < 1e-6 < np.abs(details[29:]).max()


def test_the_denoiser_leaves_edges_and_takes_noise(photographs):
    rng = np.random.default_rng(3)
    picture = photographs["astronaut"][:64, 100:164].transpose(2, 0, 1).astype(np.float32)
    noise = rng.normal(0, 5, picture.shape).astype(np.float32)
    residual = noise_residual(picture + noise)
    assert np.corrcoef(residual.ravel(), noise.ravel())[0, 1] > 0.6
    step = np.zeros((1, 64, 64), np.float32)
    step[..., 16:48] = 200.0
    assert np.abs(noise_residual(step)).max() < 2.0


@settings(max_examples=30)
@given(arrays.arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 40), st.integers(1, 40))))
def test_residuals_of_any_picture_are_finite_and_of_its_size(picture):
    residual = noise_residual(picture.astype(np.float32))
    assert residual.shape == picture.shape
    assert np.isfinite(residual).all()
    assert noise_residual(np.full(picture.shape, 9, np.float32)) == pytest.approx(0.0, abs=1e-3)


def test_prnu_finds_a_planted_multiplicative_pattern(photographs):
    rng = np.random.default_rng(4)
    side = 32
    patterns = 0.03 * rng.normal(size=(3, side, side, 3))

    def taken(count, seed):
        scenes = crops(photographs, 3 * count, seed, side).astype(np.float64)
        labels = np.repeat(np.arange(3), count)
        return np.clip(np.rint(scenes * (1 + patterns[labels])), 0, 255).astype(np.uint8), labels

    train, labels = taken(150, 5)
    test, test_labels = taken(50, 6)
    baseline = NoiseFingerprints()
    baseline.fit(train, labels, test[:3], test_labels[:3])
    for fingerprint, pattern in zip(baseline.fingerprints, patterns, strict=True):
        assert np.corrcoef(fingerprint.ravel(), pattern.transpose(2, 0, 1).ravel())[0, 1] > 0.6
    assert (baseline.predict(test) == test_labels).mean() > 0.85
    # Pictures of no source are like none of the fingerprints.
    plain = crops(photographs, 100, 7, side)
    assert np.median(baseline.judge(plain).unknown) > np.median(baseline.judge(test).unknown)


@pytest.mark.parametrize(("name", "representation"), KINDS)
def test_every_baseline_beats_guessing_and_keeps_its_promises(data, photographs, name, representation):
    train, labels, val, val_labels = data
    baseline = build_baseline(name, representation)
    baseline.fit(train, labels, val, val_labels)
    pictures, truth = sources(photographs, 40, 2)
    judged = baseline.judge(pictures)
    assert judged.scores.shape == (120, 3)
    assert judged.unknown.shape == (120,)
    assert judged.scores.dtype == judged.unknown.dtype == np.float64
    assert np.isfinite(judged.scores).all()
    assert (baseline.scores(pictures) == judged.scores).all()
    assert (baseline.predict(pictures) == judged.scores.argmax(axis=1)).all()
    # A picture's scores do not depend on its company.
    assert baseline.scores(pictures[::-1])[::-1] == pytest.approx(judged.scores, abs=1e-4)
    floor = {"pixels": 0.3, "log-dct": 0.5}[representation] if name != "prnu" else 0.6
    assert (baseline.predict(pictures) == truth).mean() > floor


@pytest.mark.parametrize(("name", "representation"), KINDS)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**16), levels=st.sampled_from([1, 2, 256]))
def test_every_baseline_takes_any_pictures(name, representation, seed, levels):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, levels, (9, 8, 8, 3)).astype(np.uint8)
    labels = np.array([0, 1, 1, 0, 1, 1])
    baseline = build_baseline(name, representation)
    baseline.fit(pictures[:6], labels, pictures[6:], np.array([0, 1, 0]))
    judged = baseline.judge(pictures)
    assert np.isfinite(judged.scores).all()
    assert np.isfinite(judged.unknown).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": np.zeros((4, 8, 8, 3))}, "training pictures: float64"),
        ({"val_pictures": np.zeros((2, 8, 9, 3), np.uint8)}, "validation pictures: uint8 \\[2, 8, 9, 3\\]"),
        ({"val_pictures": np.zeros((2, 4, 4, 3), np.uint8)}, "sides of 8 and 4 pixels"),
        ({"labels": np.array([0, 1, 1])}, "wanted 4 whole numbers"),
        ({"labels": np.array([0.0, 1.0, 1.0, 0.0])}, "training labels: float64"),
        ({"labels": np.zeros(4, int), "val_labels": np.zeros(2, int)}, "wanted 0 to K-1"),
        ({"val_labels": np.array([0, 2])}, "class 2: none"),
        ({"val_labels": np.array([0, -1])}, "labels from -1 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given_ = {
        "pictures": np.zeros((4, 8, 8, 3), np.uint8),
        "labels": np.array([0, 1, 1, 0]),
        "val_pictures": np.zeros((2, 8, 8, 3), np.uint8),
        "val_labels": np.array([0, 1]),
    }
    assert class_count(**given_) == 2
    with pytest.raises(UsageError, match=message) as raised:
        class_count(**given_ | change)
    assert "\n" not in str(raised.value)


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="'magic' is unknown: use one of knn, eigenfaces, prnu"):
        build_baseline("magic")
    with pytest.raises(UsageError, match="'fft' is unknown: use pixels or log-dct"):
        Representation("fft")


def test_baselines_need_no_training_extra():
    code = (
        "import sys, spectrace.evaluation.baselines.registry; print(*{'torch', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
