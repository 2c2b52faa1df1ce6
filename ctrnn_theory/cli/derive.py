"""The command `derive`."""

from __future__ import annotations

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.progress import progress_bar


@click.command("derive")
@click.argument("activation", required=False)
@click.option(
    "--formula", default="bias", show_default=True, help="Name of a formula; see `ctrnn-theory list formulas`."
)
@click.option("--order", type=int, default=4, show_default=True, help="Highest power of sigma; it must be even.")
@click.option(
    "--site",
    default="inside",
    show_default=True,
    metavar="inside|outside",
    help="Where the noise is: inside or outside the activation.",
)
@click.option("--latex", is_flag=True, help="Print LaTeX instead of plain text.")
def derive_command(activation: str | None, formula: str, order: int, site: str, latex: bool) -> None:
    """Print a formula of the theory, with the assumptions under which it holds and the order of its error.

    If an ACTIVATION is given, the formula is written out for it, in its pre-activation a at the fixed point.
    """
    from ctrnn_theory.derive import derivation

    with progress_bar("formulas") as show:
        show(0, 1, f"deriving {formula}")
        result = derivation(formula, order, site, activation)
        text = result.latex() if latex else result.text()
    say(text)
