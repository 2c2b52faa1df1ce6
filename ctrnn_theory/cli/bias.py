"""The command `bias`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.cli.console import check_plot, check_seed, numbers, say, write_plot
from ctrnn_theory.cli.noise import noise_of, noise_options
from ctrnn_theory.cli.progress import progress_bar

if TYPE_CHECKING:
    from ctrnn_theory.model.network import CTRNN

DEFAULT_SIGMA = 0.5
"""Noise inside the activation if none is given."""
NEURON = {"w": 0.5, "b": 0.0, "gamma": 0.1}
"""Parameters of the single neuron that are not given."""


@click.command("bias")
@click.argument("activation", required=False)
@click.option("--w", type=float, help="Self-connection of the neuron.  [default: 0.5]")
@click.option("--b", type=float, help="Constant input of the neuron, its entry of the bias vector b.  [default: 0]")
@click.option("--gamma", type=float, help="Step over time constant, in (0, 1].  [default: 0.1]")
@click.option("--form", help="Form of the network: rate or voltage.  [default: rate]")
@noise_options
@click.option("--network", type=click.Path(path_type=Path), help="Network file, as CTRNN.save writes it.")
@click.option("--max-bytes", type=int, help="Bytes that the arrays of the network file may have.  [default: 256 MiB]")
@click.option("--input", "input_", metavar="U", help="Constant input, as numbers separated by commas.")
@click.option("--methods", metavar="LIST", help="Methods, separated by commas.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--target-se", type=float, help="Standard error of the mean at which the simulation stops.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a picture to this file (.pdf, .png or .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def bias_command(
    activation: str | None,
    w: float | None,
    b: float | None,
    gamma: float | None,
    form: str | None,
    noise: dict[str, float],
    network: Path | None,
    max_bytes: int | None,
    input_: str | None,
    methods: str | None,
    seed: int,
    target_se: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Compare every prediction of the noise-induced bias with the exact and the simulated value.

    ACTIVATION is the name of a built-in (see `ctrnn-theory list activations`) or an expression in x, such as
    "log(1 + exp(2*x))/2". It is the activation of a single neuron; --network names a file with a whole network
    instead. If no option gives noise, it is inside the activation, at 0.5.
    """
    if plot is not None:
        check_plot(plot)
    check_seed(seed)
    from ctrnn_theory.analysis.bias import bias

    neuron: dict[str, Any] = {
        name: value for name, value in (("w", w), ("b", b), ("gamma", gamma), ("form", form)) if value is not None
    }
    net = _neuron(activation, neuron, max_bytes) if network is None else _read(network, activation, neuron, max_bytes)
    given = noise_of(noise, DEFAULT_SIGMA)
    if plot is not None and given.is_zero:
        raise ValueError("--plot must come with noise, since biases are drawn in units of it; got none")
    u = None if input_ is None else numbers("--input", input_)
    chosen = None if methods is None else [name.strip() for name in methods.split(",")]
    with progress_bar("methods") as show:
        report = bias(net, given, u, chosen, seed, target_se, progress=show)
    say(json.dumps(report.to_dict(), allow_nan=False) if as_json else report.table())  # a picture may yet fail
    if plot is not None:
        write_plot(report, plot)


def _neuron(activation: str | None, neuron: dict[str, Any], max_bytes: int | None) -> CTRNN:
    """Build the network of a single neuron from the options that are given."""
    from ctrnn_theory.model.network import CTRNN

    if activation is None:
        raise ValueError("ACTIVATION must be given unless --network is; see `ctrnn-theory list activations`")
    if max_bytes is not None:
        raise ValueError(f"--max-bytes must be left out without --network; got {max_bytes}")
    return CTRNN.single(**NEURON | neuron, activation=activation)


def _read(file: Path, activation: str | None, neuron: dict[str, Any], max_bytes: int | None) -> CTRNN:
    """Read a network from a file, which the options for a single neuron must not contradict."""
    from ctrnn_theory.activations import activation as find
    from ctrnn_theory.model.network import CTRNN

    for name, value in neuron.items():
        raise ValueError(f"--{name} must be left out with --network, whose file holds it; got {value}")
    net = CTRNN.load(file) if max_bytes is None else CTRNN.load(file, max_bytes)
    if activation is not None and find(activation) != net.activation:
        raise ValueError(f"ACTIVATION must be left out or be the file's, {net.activation.name}; got {activation}")
    return net
