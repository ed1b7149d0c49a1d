"""What the site has beyond docs/: files that its pages link to, and pages made from the code. A hook of mkdocs.yml."""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

from spectrace.cli import cli

ROOT = Path(__file__).resolve().parents[1]
ICON = "src/spectrace/web/page/icon.svg"
OUTWARD = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)")
INTERVAL = re.compile(r"\([-+−.\d]+ to [-+−.\d]+\)")

# What a reader of the guides calls, by room; the rest of a room is for those who work in it.
ROOMS = {
    "images": "decode facts tiles perturbations sources video",
    "spectra": "transforms fingerprints profiles peaks upsampling display known",
    "provenance": "record reading",
    "detectors": "card calibration patches pooling runtime clips",
    "corpora": "manifest splits check masks",
    "evaluation": "evaluate results tables metrics reliability calibrate fusion sweeps stability localisation "
    "baselines.baseline baselines.registry",
    "explain": "heatmap report description study study_figures study_page findings",
    "learning": "recipes loop network networks.registry export fusion",
    "generators": "sampler upsamplers quality manipulated attacks.registry attacks.aim",
    "scan": "run scoring",
    "web": "app settings",
    "studies": "registry operating_limits",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    outside = {uri for page in files.documentation_pages() for uri in _links_outside(page)}
    for uri in sorted(outside):
        files.append(_from_outside(uri, config))
    files.append(File.generated(config, "assets/icon.svg", abs_src_path=str(ROOT / ICON)))
    files.append(File.generated(config, "reference/commands.md", content=commands()))
    for room, modules in ROOMS.items():
        files.append(File.generated(config, f"reference/{room}.md", content=_room(room, modules.split())))
    files.append(File.generated(config, "reference/spectrace.md", content=PUBLIC))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Keeps intervals on one line, so that narrow columns of figures can be read."""
    return INTERVAL.sub(r'<span class="interval">\g<0></span>', html)


def _links_outside(page: File) -> Iterator[str]:
    for target in OUTWARD.findall(page.content_string):
        uri = posixpath.normpath(posixpath.join(posixpath.dirname(page.src_uri), target))
        if uri.startswith("../") and (ROOT / "docs" / uri).is_file():
            yield uri


def _from_outside(uri: str, config: MkDocsConfig) -> File:
    """The file under the name that documents link to, ``../results/x.png``, at its place in the repository."""
    folders = config.docs_dir, config.site_dir, config.use_directory_urls
    place = File(uri.removeprefix("../"), *folders).dest_uri
    # MkDocs leaves out what begins with a dot unless it is told.
    return File(uri, *folders, dest_uri=place, inclusion=InclusionLevel.INCLUDED)


PUBLIC = """# Python

What `import spectrace` gives. Other modules are imported by their own names; `py.typed`: all of it has types.

::: spectrace.detect
::: spectrace.detect_all
::: spectrace.detectors.detector.Detector
::: spectrace.detectors.detection.Detection
::: spectrace.detectors.detections.Detections
::: spectrace.detectors.detection.Verdict
::: spectrace.detectors.detection.Evidence

## Errors

::: spectrace.errors
    options: {heading_level: 3, show_root_heading: false, show_root_toc_entry: false}
"""


def _room(room: str, modules: list[str]) -> str:
    package = f"spectrace.{room}"
    head = f"::: {package}\n    options: {{heading_level: 1, show_root_full_path: true, members: false}}\n"
    rest = (f"::: {package}.{module}\n    options: {{show_root_full_path: true}}\n" for module in modules)
    return "\n".join([head, *rest])


def commands() -> str:
    """Every command with its usage, help and options, as it says them itself."""
    return "\n".join(_command("spectrace", cli))


def _command(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f"{'#' * len(path.split())} {path}\n"
    yield f"```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
    yield _prose(inspect.cleandoc(command.help or "")) + "\n"
    yield "| option | meaning |\n|---|---|"
    for option in command.get_params(context):
        if isinstance(option, click.Option) and (record := option.get_help_record(context)):
            yield f"| `{record[0]}` | {_prose(record[1])} |"
    yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _command(f"{path} {name}", command.get_command(context, name))


def _prose(text: str) -> str:
    """Text for a terminal as Markdown that shows just that."""
    return re.sub(r"([\\`*_\[\]#|])", r"\\\1", text).replace("<", "&lt;")
