"""The audit on a sample of the corpus: it finds the leaks that its README names, and the copy hides them."""

from __future__ import annotations

import pytest

from spectrace.corpora.manifest import Manifest
from spectrace.evaluation.audit.equalise import Chain, equalise
from spectrace.evaluation.audit.findings import Verdict, audit
from spectrace.evaluation.audit.tells import uniform_sources

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def sample(corpus):
    """Every 22nd picture of train by content hash."""
    manifest = Manifest.read(corpus / "manifest.csv")
    rows = sorted(manifest.select(split="train"), key=lambda row: row.sha256)
    return Manifest(rows[::22], manifest.root, manifest.columns)


def test_its_formats_leak_and_those_of_the_copy_do_not(sample, tmp_path):
    before = audit(sample)
    assert before.verdict is Verdict.LEAK
    assert before.part("file").auroc.low > 0.7
    assert before.part("grid").auroc.low > 0.6
    told = {tell.name for tell in before.tells if tell.auroc.low > 0.6}
    assert {"jpeg_tables", "jpeg_quality"} <= told
    copy, done = equalise(sample, tmp_path / "copy", Chain())
    after = audit(copy)
    assert len(done.written) > 0.8 * len(sample)
    assert after.part("file").auroc.value == 0.5
    assert after.part("grid").auroc.low <= 0.5
    assert after.part("grid").auroc.value < 0.6


def test_whole_sources_share_one_size(sample):
    rows = [row for row in sample if row.source == "aigameapp"]
    traits = [{"size": f"{row.extra['crop_width']} x {row.extra['crop_height']}"} for row in rows]
    assert uniform_sources(rows, traits)[0].size == "288 x 288"
