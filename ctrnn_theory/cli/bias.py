"""The command `bias`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctrnn_theory.cli.console import check_plot, check_seed, check_sigma, numbers, progress, say, write_plot

if TYPE_CHECKING:
    from ctrnn_theory.model.network import CTRNN

DEFAULT_SIGMA = 0.5


@click.command("bias")
@click.argument("activation", required=False)
@click.option("--w", type=float, help="Self-connection of the neuron.  [default: 0.5]")
@click.option("--b", type=float, help="Bias of the neuron.  [default: 0]")
@click.option("--gamma", type=float, help="Step over time constant, in (0, 1].  [default: 0.1]")
@click.option("--sigma-in", type=float, help="Noise inside the activation, standard deviation per step.")
@click.option("--sigma-out", type=float, help="Noise outside the activation, standard deviation per step.")
@click.option("--network", type=click.Path(path_type=Path), help="Network file, as CTRNN.save writes it.")
@click.option("--input", "input_", metavar="U", help="Constant input, numbers separated by commas.")
@click.option("--methods", metavar="LIST", help="Methods, separated by commas.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--target-se", type=float, help="Standard error that the simulation runs to.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the picture here (.pdf, .png or .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def bias_command(
    activation: str | None,
    w: float | None,
    b: float | None,
    gamma: float | None,
    sigma_in: float | None,
    sigma_out: float | None,
    network: Path | None,
    input_: str | None,
    methods: str | None,
    seed: int,
    target_se: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Lay every prediction of the noise-induced bias beside the exact and the simulated value.

    ACTIVATION is a built-in (see `ctrnn-theory list activations`) or an expression in x, such as
    "log(1 + exp(2*x))/2". Without --network it is that of a single neuron. If neither --sigma-in nor
    --sigma-out is given, the noise is inside, at 0.5.
    """
    if plot is not None:
        check_plot(plot)
    check_seed(seed)
    from ctrnn_theory.analysis.bias import bias
    from ctrnn_theory.model.noise import Noise

    net = _network(activation, w, b, gamma, network)
    check_sigma(sigma_in=sigma_in, sigma_out=sigma_out)
    if sigma_in is None and sigma_out is None:
        sigma_in = DEFAULT_SIGMA
    if plot is not None and not (sigma_in or sigma_out):
        raise ValueError("--plot must come with noise, in units of which it is drawn; got none")
    noise = Noise(inside=sigma_in or 0.0, outside=sigma_out or 0.0)
    u = None if input_ is None else numbers("--input", input_)
    chosen = None if methods is None else [name.strip() for name in methods.split(",")]
    with progress() as show:
        report = bias(net, noise, u, chosen, seed, target_se, progress=show)
    say(json.dumps(report.to_dict(), allow_nan=False) if as_json else report.table())  # a picture may yet fail
    if plot is not None:
        with progress() as show:
            show("picture")
            write_plot(report, plot)


def _network(activation: str | None, w: float | None, b: float | None, gamma: float | None, file: Path | None) -> CTRNN:
    """Build the network that the options name, or read it."""
    from ctrnn_theory.activations import activation as find
    from ctrnn_theory.model.network import CTRNN

    if file is None:
        if activation is None:
            raise ValueError("ACTIVATION must be given unless --network is; see `ctrnn-theory list activations`")
        return CTRNN.single(
            w=0.5 if w is None else w,
            b=0.0 if b is None else b,
            activation=activation,
            gamma=0.1 if gamma is None else gamma,
        )
    for name, value in (("--w", w), ("--b", b), ("--gamma", gamma)):
        if value is not None:
            raise ValueError(f"{name} must be left out with --network, whose file holds it; got {value:g}")
    net = CTRNN.load(file)
    if activation is not None and find(activation) != net.activation:
        raise ValueError(f"ACTIVATION must be left out or be the file's, {net.activation.text}; got {activation}")
    return net
