"""Known image generators and the marks they leave in metadata.

Sources, all public: the source code of the Stable Diffusion web UI (PNG ``parameters``, EXIF UserComment),
ComfyUI (PNG ``prompt`` and ``workflow``; in WebP inside EXIF Make and Model), InvokeAI, Fooocus
(``fooocus_scheme``), SwarmUI (``sui_image_params``), Easy Diffusion, Draw Things (XMP CreatorTool) and FLUX
(EXIF Software and Make); what NovelAI, Midjourney, Google, OpenAI and Adobe write into the files they serve.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

Texts = Mapping[str, str]

# Names looked for where a file names the program that made it. Only words that mean nothing else.
_NAMES = (
    ("Stable Diffusion", r"stable\s?diffusion"),
    ("NovelAI", r"novel\s?ai"),
    ("Midjourney", r"midjourney"),
    ("DALL-E (OpenAI)", r"dall[\s·]e\b|dalle\s?[23]"),
    ("OpenAI", r"openai|chatgpt|gpt image|gpt 4o"),
    ("Adobe Firefly", r"adobe firefly"),
    ("ComfyUI", r"comfy\s?ui"),
    ("InvokeAI", r"invoke\s?ai"),
    ("Fooocus", r"fooocus"),
    ("SwarmUI", r"swarm\s?ui"),
    ("Easy Diffusion", r"easy\s?diffusion"),
    ("Draw Things", r"draw things"),
    ("DiffusionBee", r"diffusion\s?bee"),
    ("FLUX (Black Forest Labs)", r"black forest labs|(?:txt|img)2img;flux"),
    ("Ideogram", r"ideogram"),
    ("Bing Image Creator", r"bing image creator"),
    ("Google AI", r"(?:made|created|edited) with google ai"),
)
_NAME_PATTERNS = [(name, re.compile(rf"(?<![a-z]){pattern}", re.IGNORECASE)) for name, pattern in _NAMES]
_SETTINGS = re.compile(r"\bSteps: \d+, ")


class Mark(NamedTuple):
    """A generator and what it left."""

    generator: str
    text: str


def named(values: Iterable[str]) -> Mark | None:
    """The first known generator that one of the values names.

    Example:
        >>> named(["GIMP 2.10", "Adobe_Firefly/1.0"])
        Mark(generator='Adobe Firefly', text='Adobe_Firefly/1.0')
        >>> named(["Adobe Photoshop 25.0"]) is None
        True
    """
    for value in values:
        spaced = value[:1000].replace("_", " ").replace("-", " ")
        for generator, pattern in _NAME_PATTERNS:
            if pattern.search(spaced):
                return Mark(generator, value)
    return None


def recognise(texts: Texts) -> Mark | None:
    r"""The generator whose own metadata fields are present.

    Args:
        texts: text by keyword: PNG text chunks by their keywords, EXIF fields as ``UserComment``,
            ``ImageDescription``, ``Make`` and ``Model``.

    Example:
        >>> recognise({"parameters": "a fox\nSteps: 20, Sampler: Euler a, Seed: 1"}).generator
        'Stable Diffusion web UI'
        >>> recognise({"Comment": "holiday"}) is None
        True
    """
    for generator, rule in _RULES:
        text = rule(texts)
        if text is not None:
            return Mark(generator, text)
    return None


def _fooocus(texts: Texts) -> str | None:
    return texts.get("parameters", texts["fooocus_scheme"]) if "fooocus_scheme" in texts else None


def _swarm(texts: Texts) -> str | None:
    return _first(texts, ("parameters", "UserComment"), lambda text: '"sui_image_params"' in text)


def _web_ui(texts: Texts) -> str | None:
    return _first(texts, ("parameters", "UserComment"), lambda text: _SETTINGS.search(text) is not None)


def _comfy(texts: Texts) -> str | None:
    prompt = _first(texts, ("prompt", "Make", "Model"), lambda text: '"class_type"' in text)
    if prompt is not None:
        return prompt
    graph = _first(texts, ("workflow", "Make", "Model"), lambda text: '"nodes"' in text)
    return graph if graph is not None and '"links"' in graph else None


def _invoke(texts: Texts) -> str | None:
    return _first(texts, ("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream"))


def _novel(texts: Texts) -> str | None:
    if not texts.get("Software", "").startswith("NovelAI"):
        return None
    return _first(texts, ("Description", "Comment", "Source", "Software"))


def _easy(texts: Texts) -> str | None:
    for prompt, refused in (("prompt", "negative_prompt"), ("Prompt", "Negative Prompt")):
        if prompt in texts and refused in texts:
            return texts[prompt]
    return _first(texts, ("UserComment",), lambda text: '"use_stable_diffusion_model"' in text)


def _midjourney(texts: Texts) -> str | None:
    return _first(texts, ("Description", "ImageDescription"), lambda text: "Job ID:" in text)


def _first(texts: Texts, keys: Iterable[str], fits: Callable[[str], bool] = bool) -> str | None:
    return next((texts[key] for key in keys if key in texts and fits(texts[key])), None)


# Narrow marks before wide ones: several programs write `parameters` in the web UI's form.
_RULES: tuple[tuple[str, Callable[[Texts], str | None]], ...] = (
    ("Fooocus", _fooocus),
    ("SwarmUI", _swarm),
    ("InvokeAI", _invoke),
    ("NovelAI", _novel),
    ("Stable Diffusion web UI", _web_ui),
    ("ComfyUI", _comfy),
    ("Easy Diffusion", _easy),
    ("Midjourney", _midjourney),
)
