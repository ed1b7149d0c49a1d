"""Real photographs that ship inside installed packages: enough to try something out, never to measure."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import Row
from spectrace.errors import ManifestError

TRAIN, TEST = "train", "val"

_PHOTOGRAPHS = (
    (TRAIN, "skimage", "data/astronaut.png"),
    (TRAIN, "skimage", "data/coffee.png"),
    (TRAIN, "skimage", "data/rocket.jpg"),
    (TRAIN, "skimage", "data/motorcycle_left.png"),
    (TRAIN, "sklearn", "datasets/images/china.jpg"),
    (TRAIN, "matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    (TEST, "sklearn", "datasets/images/flower.jpg"),
    (TEST, "skimage", "data/chelsea.png"),
    (TEST, "skimage", "data/hubble_deep_field.jpg"),
)


def wheel_photographs() -> Manifest:
    """Photographs of scikit-image, scikit-learn and matplotlib, as far as those are installed.

    Returns:
        Real pictures of the splits ``train`` and ``val``, each a source of its own.

    Raises:
        ManifestError: fewer than two of either split.

    Example:
        >>> sorted(wheel_photographs().count("split", "label"))
        [('train', 'real'), ('val', 'real')]
    """
    rows = []
    for split, package, name in _PHOTOGRAPHS:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / name
            if path.is_file():
                rows.append(Row(path=path.as_posix(), label="real", split=split, source=path.stem))
    manifest = Manifest(rows)
    if min(len(manifest.select(split=split)) for split in (TRAIN, TEST)) < 2:
        raise ManifestError(
            "too few photographs in the installed packages: pip install scikit-image scikit-learn, or give "
            "photographs of your own"
        )
    return manifest
