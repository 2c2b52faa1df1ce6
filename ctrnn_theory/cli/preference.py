"""The command `preference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ctrnn_theory.cli.console import check_plot, check_seed, numbers, say, write_plot
from ctrnn_theory.cli.progress import progress_bar


@click.command("preference")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--levels",
    metavar="LIST",
    help="Levels of the test noise, as multiples of the training noise.  [default: 0 to 1.5]",
)
@click.option("--repeats", type=int, default=256, show_default=True, help="Trials in each condition, at each level.")
@click.option("--predict-only", is_flag=True, help="Predict the losses, and simulate no trials.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--workers", type=int, help="Number of threads.  [default: one for each core]")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a picture to this file (.pdf, .png or .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def preference_command(
    run: Path,
    levels: str | None,
    repeats: int,
    predict_only: bool,
    seed: int,
    workers: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Test a trained network under less noise and under more, and find the level at which it does best.

    RUN is the folder of the training. The loss is split into squared bias and variance, and compared with the
    prediction of the Gaussian closure.
    """
    if plot is not None:
        check_plot(plot)
    check_seed(seed)
    from ctrnn_theory.analysis.preference.curve import preference
    from ctrnn_theory.training.trainer import Training

    found = Training.load(run)
    chosen = None if levels is None else numbers("--levels", levels)
    options: dict[str, Any] = {"noise": found.noise, "repeats": repeats, "rng": seed, "workers": workers}
    options["simulate"] = not predict_only
    with progress_bar("levels") as show:
        result = preference(found.network, found.task, chosen, **options, progress=show)
    say(json.dumps(result.to_dict(), allow_nan=False) if as_json else result.table())
    if plot is not None:
        write_plot(result, plot)
