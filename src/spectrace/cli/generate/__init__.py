"""``spectrace generate``: small generators of one's own, and what they leave."""

from __future__ import annotations

import click

from spectrace.cli.generate import families, reconstruct, sample, train, tune


@click.group(name="generate")
def command() -> None:
    """Train small generators with a chosen upsampler, sample them, see how far their traces can be hidden.

    What samples leave in the spectrum: spectrace spectrum SAMPLES --reference PHOTOGRAPHS --report PAGE.html
    """


for _module in (train, sample, reconstruct, tune, families):
    command.add_command(_module.command)
