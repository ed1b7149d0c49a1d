"""One labelled picture, and how a line of a manifest becomes one."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Literal, cast

import msgspec

from spectrace.errors import ManifestError

Label = Literal["real", "generated"]

LABELS: tuple[Label, ...] = ("real", "generated")
CAMERA = "camera"
UNKNOWN = "unknown"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled picture.

    Attributes:
        path: absolute, or relative to the manifest's folder; with forward slashes.
        label: ``real`` (a camera took it) or ``generated``.
        split: ``train``, ``val``, ``unseen`` or a name of your own; empty when nothing was assigned.
        generator: what made the picture; always ``camera`` for real ones.
        source: the collection it came from: same source means same pipeline of resizing and saving.
        family: kind of generator (``gan``, ``diffusion``, ...), empty when unknown.
        pair: real and generated pictures that share this id went through one pipeline.
        sha256: of the file's bytes, in hex; empty when not computed.
        extra: every further column of the manifest, kept as text.

    Example:
        >>> Row(path="a.jpg", label="real", source="phone").generator
        'camera'
        >>> Row(path="a.jpg", label="generated", source="web").generator
        'unknown'
    """

    path: str
    label: Label
    split: str = ""
    generator: str = ""
    source: str = UNKNOWN
    family: str = ""
    pair: str = ""
    sha256: str = ""
    extra: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path:
            raise ManifestError(f"the path {self.path!r} names no file: give the path of a picture")
        if self.label not in LABELS:
            raise ManifestError(
                f"{self.path}: unknown label {str(self.label)!r}, wanted one of {', '.join(LABELS)}"
            )
        generator = self.generator or (CAMERA if self.label == "real" else UNKNOWN)
        if (generator == CAMERA) != (self.label == "real"):
            raise ManifestError(
                f"{self.path}: label {self.label!r} with generator {generator!r} contradict each other, "
                f"wanted {CAMERA!r} for every real picture and for no generated one"
            )
        msgspec.structs.force_setattr(self, "generator", generator)
        msgspec.structs.force_setattr(self, "sha256", self.sha256.lower())

    @property
    def is_generated(self) -> bool:
        """Whether the picture belongs to the positive class."""
        return self.label == "generated"


COLUMNS: tuple[str, ...] = tuple(name for name in Row.__struct_fields__ if name != "extra")
REQUIRED_COLUMNS: tuple[str, ...] = ("path", "label")


def row_from_fields(fields: Mapping[str, str]) -> Row:
    """Turn one line of a manifest into a row.

    Args:
        fields: text by column name; ``path`` and ``label`` must be there. A missing source
            becomes the name of the picture's folder.

    Returns:
        The row; columns that are not :data:`COLUMNS` are in ``extra``.

    Raises:
        ManifestError: for an impossible value.

    Example:
        >>> row = row_from_fields({"path": "phone/a.jpg", "label": "real", "iso": "100"})
        >>> row.source, row.extra
        ('phone', {'iso': '100'})
    """
    known = {name: fields.get(name, "") for name in COLUMNS}
    known["source"] = known["source"] or posixpath.basename(posixpath.dirname(known["path"])) or UNKNOWN
    extra = {name: value for name, value in fields.items() if name not in known}
    label = cast("Label", known.pop("label"))
    return Row(label=label, extra=extra, **known)


def fields_from_row(row: Row) -> dict[str, str]:
    """Turn a row back into text by column name, extra columns last.

    Example:
        >>> fields_from_row(Row(path="a.jpg", label="real", extra={"iso": "100"}))["iso"]
        '100'
    """
    return {name: str(getattr(row, name)) for name in COLUMNS} | row.extra
