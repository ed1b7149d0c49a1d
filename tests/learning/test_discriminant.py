from __future__ import annotations

import numpy as np
import pytest

from spectrace.errors import RecipeError
from spectrace.learning.discriminant import fit_discriminant


def observations(rng, *, sources=12, rows=40):
    """Classes differ in column 0; sources in column 1, which by chance goes with the class as well."""
    generated = np.repeat(np.arange(sources) % 2 == 1, rows)
    source = np.repeat([f"s{number}" for number in range(sources)], rows)
    features = rng.normal(size=(sources * rows, 4))
    features[:, 0] += 1.0 * generated
    features[:, 1] += np.repeat(rng.normal(scale=3.0, size=sources), rows) + 2.0 * generated
    return features, generated, source


def test_what_tells_sources_apart_counts_less_with_more_weight_between():
    features, generated, source = observations(np.random.default_rng(0))
    plain, aware = (fit_discriminant(features, generated, source, between=between) for between in (0.0, 10.0))
    trust = [abs(found.weights[1] / found.weights[0]) for found in (plain, aware)]
    assert trust[1] < 0.2 * trust[0]


def test_sources_weigh_alike_or_by_rows():
    rng = np.random.default_rng(1)
    features = np.concatenate(
        [rng.normal(0, 1, (100, 1)), rng.normal(3, 1, (900, 1)), rng.normal(9, 1, (9, 1))]
    )
    generated = np.arange(1009) >= 1000
    source = np.array(["few"] * 100 + ["many"] * 900 + ["made"] * 9)
    alike = fit_discriminant(features, generated, source, temperature=0.0)
    by_rows = fit_discriminant(features, generated, source, temperature=1.0)
    assert alike.mean[0] == pytest.approx(0.5 * (1.5 + 9.0), abs=0.3)
    assert by_rows.mean[0] == pytest.approx(0.5 * (2.7 + 9.0), abs=0.3)


def test_zero_lies_between_the_classes_and_clipping_bounds_a_row():
    features, generated, source = observations(np.random.default_rng(2))
    found = fit_discriminant(features, generated, source)
    logits = found.logits(features)[:, 0]
    assert logits[generated].mean() > 0 > logits[~generated].mean()
    wild = np.array([[1e9, -1e9, 0.0, 0.0]])
    assert np.abs(found.standardised(wild)).max() == 4.0


def test_a_constant_feature_is_ignored():
    features, generated, source = observations(np.random.default_rng(3))
    features[:, 3] = 7.0
    found = fit_discriminant(features, generated, source)
    assert found.logits(np.add(features, [0.0, 0.0, 0.0, 5.0])) == pytest.approx(found.logits(features))


def test_one_class_is_refused():
    with pytest.raises(RecipeError, match="all 2 classes"):
        fit_discriminant(np.ones((3, 2)), np.zeros(3, bool), np.array(["a"] * 3))


def test_three_classes_have_a_logit_each_and_two_their_difference():
    rng = np.random.default_rng(4)
    targets = np.arange(900) % 3
    features = rng.normal(size=(900, 5)) + 3.0 * np.eye(5)[targets]
    source = np.array([f"s{number % 7}" for number in range(900)])
    found = fit_discriminant(features, targets, source, classes=3)
    assert found.logits(features).shape == (900, 3)
    assert np.mean(found.logits(features).argmax(1) == targets) > 0.9
    pair = targets < 2
    two = fit_discriminant(features[pair], targets[pair], source[pair])
    assert two.logits(features[pair]).shape == (600, 1)
    assert np.mean((two.logits(features[pair])[:, 0] > 0) == (targets[pair] == 1)) > 0.9
