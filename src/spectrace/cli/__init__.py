"""The ``spectrace`` command: one thin file a verb, imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from spectrace import __version__
from spectrace.errors import SpectraceError

VERBS = {
    "detect": "Say of pictures whether a camera or a generator made them.",
    "spectrum": "Mean spectra of folders, their differences and upsampling peaks.",
    "audit": "What file formats tell of the class; --fix writes an equalised copy.",
    "train": "Train a detector from a recipe; resumes where it stopped.",
    "fuse": "Merge detectors into one file whose score is their weighed sum.",
    "calibrate": "Fit a model's scores and thresholds to labelled pictures.",
    "evaluate": "Measure a model on labelled pictures, by source and by generator.",
    "explain": "Show what a model looks at: mean heatmaps, predictive patches, regions.",
    "generate": "Train small generators, sample them, see how far their traces can be hidden.",
    "experiment": "Make one table or figure of the papers, or of ours, again.",
    "gate": "Fail when pictures that enter a repository are generated.",
    "scan": "Scan big collections to Parquet; resumes where it stopped.",
    "manifest": "Build or check a manifest of labelled pictures.",
    "serve": "Serve a page and a REST API about pictures on this machine.",
    "models": "Show which models are installed, with their cards.",
}


class _LazyGroup(click.Group):
    """A group that knows its verbs' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"spectrace.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spectrace")
def cli() -> None:
    """Tell camera pictures from generated ones, and see the evidence.

    Results go to stdout, progress and warnings to stderr.
    """


def main() -> None:
    """Run the command; an error made by the input is one line on stderr and exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SpectraceError as error:
        click.echo(f"spectrace: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        # Bad pictures never get here; what is left is a full disk or a folder one may not write to.
        click.echo(f"spectrace: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
