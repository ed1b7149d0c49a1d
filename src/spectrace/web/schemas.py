"""What OpenAPI says of bodies and answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from spectrace.web.refusals import MEDIA_TYPE

Schema = dict[str, Any]

REFUSED = (400, 403, 408, 413, 415, 422, 429)


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _object(properties: Schema, *, required: bool = True) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        **({"required": sorted(properties)} if required else {}),
    }


_STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
ROW = _object(
    {
        "schema_version": {"type": "integer"},
        "path": {"type": "string", "description": "Name of the file."},
        "sha256": _or_null("string"),
        "width": _or_null("integer"),
        "height": _or_null("integer"),
        "format": _or_null("string"),
        "score": {**_or_null("number"), "description": "Natural-log likelihood ratio, positive: generated."},
        "probability": {**_or_null("number"), "description": "Of generated, at even prior odds."},
        "verdict": {"enum": ["generated", "camera", "inconclusive", None]},
        "reasons": {**_STRINGS, "description": "Why the verdict is inconclusive, each `code: sentence`."},
        "model": {"type": "string"},
        "tiles": {"type": "integer"},
        "branches": {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "Of a fusion, what each branch adds to the score.",
        },
        "family": {**_or_null("string"), "description": "Whose traces the picture's resemble: a hint."},
        "family_probability": {
            **_or_null("number"),
            "description": "Of the family, among those the model knows.",
        },
        "provenance": {**_or_null("object"), "description": "What the file says about itself."},
        "error": {**_or_null("string"), "description": "Why the picture could not be read."},
    }
)
ROWS: Schema = {"type": "array", "items": ROW, "minItems": 1}
_DRAWING = _object({"uri": {"type": "string"}, "width": {"type": "integer"}, "height": {"type": "integer"}})
_DRAWING["type"] = ["object", "null"]
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
EVIDENCE = _object(
    {
        "row": ROW,
        "title": {"type": "string"},
        "meaning": {"type": "string"},
        "reasons": _OBJECTS,
        "score": _or_null("object"),
        "branches": _OBJECTS,
        "resemblance": _or_null("string"),
        "picture": _DRAWING,
        "heatmap": _DRAWING,
        "spectrum": _DRAWING,
        "peaks": _OBJECTS,
        "upsampling": _or_null("integer"),
        "facts": _OBJECTS,
        "claims": _OBJECTS,
        "notes": _STRINGS,
    }
)
MODELS = _object({"in_use": {"type": "string"}, "models": _OBJECTS})
LIMITS: Schema = {"type": "object", "additionalProperties": {"type": "number"}}
HEALTH = _object({"status": {"const": "ok"}})
PROBLEM = _object(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "The reason, for programs."},
        "detail": {"type": "string", "description": "The reason, for people."},
    }
)


def body(name: str) -> Schema:
    """A form of one ``file``, or of many ``files``."""
    file = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
    content = {"type": "array", "items": file, "minItems": 1} if name == "files" else file
    form = _object({name: content})
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def answers(
    media_type: str, schema: Schema | None = None, *, refused: tuple[int, ...] = REFUSED
) -> dict[int | str, Schema]:
    """The answer of a route, and the refusals that it may give instead."""
    content = {media_type: {"schema": schema or {"type": "string"}}}
    return {200: {"description": "The answer", "content": content}, **refusals(*refused)}


def refusals(*statuses: int) -> dict[int | str, Schema]:
    """Refusals, all of one shape.

    Example:
        >>> refusals(429)[429]["description"]
        'Too Many Requests'
    """
    content = {MEDIA_TYPE: {"schema": PROBLEM}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}
