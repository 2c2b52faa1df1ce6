"""The command `list`."""

from __future__ import annotations

import io

import click

from ctrnn_theory.cli.console import say


@click.command("list")
@click.argument("what", type=click.Choice(["activations", "figures", "formulas", "methods", "tasks"]))
def list_command(what: str) -> None:
    """List what there is to choose from."""
    from rich.console import Console
    from rich.table import Table

    if what == "activations":
        from ctrnn_theory.activations import BUILTIN, description

        rows = [(name, description(name)) for name in BUILTIN]
    elif what == "figures":
        from ctrnn_theory.cli.figures import paper_figs

        figures = paper_figs()
        rows = [(name, figures.summary(name)) for name in figures.FIGURES]
    elif what == "formulas":
        from ctrnn_theory.derive import FORMULAS

        rows = [(name, about) for name, (about, _) in FORMULAS.items()]
    elif what == "tasks":
        from ctrnn_theory.training.tasks import TASKS

        rows = [(name, task.summary) for name, task in TASKS.items()]
    else:
        from ctrnn_theory.stationary.registry import METHODS, summary

        rows = [(name, summary(name)) for name in METHODS]
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(*row)
    console = Console(width=120, color_system=None, highlight=False, file=io.StringIO())
    console.print(table)
    say(console.file.getvalue().rstrip("\n"))  # type: ignore[attr-defined]
