"""The corpus beside the checkout, when it is there: it reads as its README says, and the shipped model holds."""

from __future__ import annotations

import pytest

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.detector import Detector
from spectrace.evaluation.evaluate import observe
from spectrace.evaluation.metrics import auroc
from spectrace.images.decode import decode

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def manifest(corpus):
    return Manifest.read(corpus / "manifest.csv")


def some(manifest, count, **chosen):
    """Every n-th row by content hash: a sample that depends on nothing but the pictures."""
    rows = sorted(manifest.select(**chosen), key=lambda row: row.sha256)
    return Manifest(rows[:: max(1, len(rows) // count)], manifest.root, manifest.columns)


def test_counts_are_those_of_its_readme(manifest):
    assert len(manifest) == 7149
    assert {key: count for (key,), count in manifest.count("split").items()} == {
        "train": 5233,
        "val": 730,
        "unseen": 1186,
    }
    assert manifest.count("split", "label")["unseen", "generated"] == 750


def test_pictures_are_the_listed_ones(manifest):
    for row in some(manifest, 300):
        picture = decode(manifest.locate(row))
        assert picture.facts.sha256 == row.sha256
        assert (picture.facts.width, picture.facts.height) == (
            int(row.extra["crop_width"]),
            int(row.extra["crop_height"]),
        )


def test_the_shipped_model_tells_validation_pictures_apart(manifest):
    seen = observe(Detector.load(), some(manifest, 360, split="val"), workers=2)
    scored = [observation for observation in seen if observation.score is not None]
    assert len(scored) > 300
    labels = [observation.row.label == "generated" for observation in scored]
    # Far above chance for 360 pictures; a flipped label or a lost normaliser would show.
    assert auroc(labels, [observation.score for observation in scored]) > 0.62
