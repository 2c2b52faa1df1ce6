"""The command `audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ctrnn_theory.cli.console import check_plot, check_seed, numbers, say, write_plot
from ctrnn_theory.cli.progress import progress_bar

ARRAYS = ("inputs", "targets", "weights")
"""Arrays that the file of inputs may hold."""


@click.command("audit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--convention", default="paper", show_default=True, help="Convention of the code that made the network.")
@click.option("--alpha", type=float, help="Step over time constant, γ = Δt/τ, if neither file nor convention has it.")
@click.option("--sigma", type=float, help="Noise of the code, by its convention.")
@click.option("--noise", "noises", metavar="NAME=VALUE", multiple=True, help="Noise by the convention's own names.")
@click.option("--activation", help="Activation, if neither file nor convention has it.")
@click.option("--inputs", type=click.Path(path_type=Path), help="File (.npz) of inputs, and of targets and weights.")
@click.option("--method", default="gaussian_closure", show_default=True, help="Method for the moments under noise.")
@click.option("--levels", metavar="LIST", help="Levels of the test noise, as multiples.  [default: 0 to 1.5]")
@click.option("--checks", type=int, default=2, show_default=True, help="Number of inputs that are simulated as well.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--workers", type=int, help="Number of threads.  [default: one for each core]")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a picture to this file (.pdf, .png or .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def audit_command(
    file: Path,
    convention: str,
    alpha: float | None,
    sigma: float | None,
    noises: tuple[str, ...],
    activation: str | None,
    inputs: Path | None,
    method: str,
    levels: str | None,
    checks: int,
    seed: int,
    workers: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Say what its noise does to a trained network, and how the network does without it.

    FILE holds the weights, as .safetensors, .npz, or as the package wrote it. The file of inputs has the arrays
    `inputs`, which are (conditions, K) if they are constant or (steps, conditions, K), and, for a loss, `targets` and
    perhaps `weights` (steps,).
    """
    if plot is not None:
        check_plot(plot)
    check_seed(seed)
    from ctrnn_theory.analysis.audit.audit import audit
    from ctrnn_theory.model.conventions import load_network

    options: dict[str, Any] = {"alpha": alpha, "sigma": sigma, "activation": activation}
    options |= dict(_noise(text) for text in noises)
    net, noise = load_network(file, convention, **options)
    found: dict[str, Any] = {} if inputs is None else _arrays(inputs)
    if levels is not None:
        found["levels"] = numbers("--levels", levels)
    with progress_bar("conditions") as show:
        found |= {"method": method, "checks": checks, "rng": seed, "workers": workers, "convention": convention}
        report = audit(net, noise, **found, progress=show)
    say(json.dumps(report.to_dict(), allow_nan=False) if as_json else report.table())
    if plot is not None:
        from ctrnn_theory.plotting.audit import audit_page

        write_plot(report, plot, audit_page)


def _noise(text: str) -> tuple[str, float]:
    """Return name and value of a noise, from NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"--noise must be NAME=VALUE with a number; got {text!r}") from None


def _arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file of inputs."""
    from ctrnn_theory.model.conventions import load_arrays

    found = load_arrays(path)
    if "inputs" not in found or not set(found) <= set(ARRAYS):
        names = ", ".join(found) or "nothing"
        raise ValueError(f"{path} must hold inputs, and perhaps targets and weights; it holds {names}")
    return dict(found)
