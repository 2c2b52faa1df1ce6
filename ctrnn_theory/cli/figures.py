"""The command `figures`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.progress import progress_bar


@click.command("figures")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Coarser, in a minute, without training: from networks that come along.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("figures"), show_default=True, help="Folder.")
@click.option("--fresh", is_flag=True, help="Compute again what was computed before, but do not train again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a line for each figure.")
def figures_command(names: tuple[str, ...], quick: bool, out: Path, fresh: bool, as_json: bool) -> None:
    """Make the figures of the theory, or those NAMEd, as PDF and PNG.

    See `ctrnn-theory list figures`. What they compute, and the networks they train, are kept in a folder of the user's
    for such things, or in that of the environment variable CTRNN_THEORY_CACHE: drawing them again takes no time.
    """
    from paper_figs.make import make

    found = {}
    with progress_bar("figures") as show:
        for made in make(names, quick, out, fresh, show):
            files = [str(path) for path in made.files]
            found[made.name] = {"files": files, "seconds": made.seconds, "headline": made.headline}
            if not as_json:
                say(f"{made.name:<12} {made.seconds:7.1f} s   {'  '.join(files)}")
    if as_json:
        say(json.dumps(found))
