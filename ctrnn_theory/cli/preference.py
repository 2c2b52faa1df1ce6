"""The command `preference`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ctrnn_theory.cli.console import check_plot, check_seed, numbers, progress, say, write_plot


@click.command("preference")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--levels", metavar="LIST", help="Test noise, as multiples of the training noise.  [default: 0 to 1.5]")
@click.option("--repeats", type=int, default=256, show_default=True, help="Trials in each condition.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--workers", type=int, help="Threads.  [default: one a core]")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the picture here (.pdf, .png or .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def preference_command(
    run: Path, levels: str | None, repeats: int, seed: int, workers: int | None, plot: Path | None, as_json: bool
) -> None:
    """Test the network of a training RUN under less noise and more: which level does it do best at?

    The loss is split into squared bias and variance, and laid beside the prediction of the Gaussian closure.
    """
    if plot is not None:
        check_plot(plot)
    check_seed(seed)
    from ctrnn_theory.analysis.preference.curve import preference
    from ctrnn_theory.training.trainer import Training

    found = Training.load(run)
    chosen = None if levels is None else numbers("--levels", levels)
    with progress() as show:
        show("testing")
        result = preference(
            found.network, found.task, chosen, noise=found.noise, repeats=repeats, rng=seed, workers=workers
        )
    say(json.dumps(result.to_dict(), allow_nan=False) if as_json else result.table())
    if plot is not None:
        with progress() as show:
            show("picture")
            write_plot(result, plot)
