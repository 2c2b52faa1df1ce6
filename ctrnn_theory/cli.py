"""The command line: parses, calls, prints. No mathematics, and no heavy import before it is needed."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ctrnn_theory import __version__
from ctrnn_theory.cli_figures import figures_command
from ctrnn_theory.cli_sweep import plot_command, sweep_command
from ctrnn_theory.cli_training import preference_command, train_command
from ctrnn_theory.console import check_plot, check_seed, check_sigma, numbers, plain_text, progress, say, write_plot
from ctrnn_theory.files import Unwritten

if TYPE_CHECKING:
    from ctrnn_theory.network import CTRNN

DEFAULT_SIGMA = 0.5


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Noise in recurrent neural networks: where does it move the network, and by how much?"""


cli.add_command(train_command)
cli.add_command(preference_command)
cli.add_command(sweep_command)
cli.add_command(plot_command)
cli.add_command(figures_command)


@cli.command("bias")
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
    from ctrnn_theory.bias_report import bias
    from ctrnn_theory.network import Noise

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


@cli.command("derive")
@click.argument("activation", required=False)
@click.option("--formula", default="bias", show_default=True, help="What to derive; see `ctrnn-theory list formulas`.")
@click.option("--order", type=int, default=4, show_default=True, help="Highest power of sigma, even.")
@click.option("--site", default="in", show_default=True, help="Noise inside (in) or outside (out) the activation.")
@click.option("--latex", is_flag=True, help="Print LaTeX.")
def derive_command(activation: str | None, formula: str, order: int, site: str, latex: bool) -> None:
    """Print a formula of the theory, with the assumptions under which it holds and the order of its error.

    With an ACTIVATION the formula is written out for it, in its pre-activation a at the fixed point.
    """
    from ctrnn_theory.derive import derivation

    with progress() as show:
        show(f"deriving {formula}")
        result = derivation(formula, order, site, activation)
        text = result.latex() if latex else result.text()
    say(text)


@cli.command("list")
@click.argument("what", type=click.Choice(["activations", "figures", "formulas", "methods", "tasks"]))
def list_command(what: str) -> None:
    """List what there is to choose from."""
    from rich.console import Console
    from rich.table import Table

    if what == "activations":
        from ctrnn_theory.activations import BUILTIN, description

        rows = [(name, description(name)) for name in BUILTIN]
    elif what == "figures":
        from paper_figs import FIGURES
        from paper_figs.make import summary as shows

        rows = [(name, shows(name)) for name in FIGURES]
    elif what == "formulas":
        from ctrnn_theory.derive import FORMULAS

        rows = [(name, about) for name, (about, _) in FORMULAS.items()]
    elif what == "tasks":
        from ctrnn_theory.training.tasks import TASKS

        rows = [(name, task.summary) for name, task in TASKS.items()]
    else:
        from ctrnn_theory.stationary import METHODS, summary

        rows = [(name, summary(name)) for name in METHODS]
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(*row)
    console = Console(width=120, color_system=None, highlight=False, file=io.StringIO())
    console.print(table)
    say(console.file.getvalue().rstrip("\n"))  # type: ignore[attr-defined]


def _network(activation: str | None, w: float | None, b: float | None, gamma: float | None, file: Path | None) -> CTRNN:
    """Build the network that the options name, or read it."""
    from ctrnn_theory.activations import activation as find
    from ctrnn_theory.network import CTRNN

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


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 2 bad input, 1 anything else; never with a traceback."""
    backend = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"  # pictures are written, not shown; what a notebook has set may be out of reach
    try:
        with plain_text():
            code, message = _flushed(*_run(arguments))
            if message:
                say(f"ctrnn-theory: {' '.join(message.split())}", sys.stderr)
    finally:
        os.environ.pop("MPLBACKEND") if backend is None else os.environ.update(MPLBACKEND=backend)
    sys.exit(code)


def _flushed(code: int, message: str) -> tuple[int, str]:
    """Write out what is printed, where a failure can still be reported, and not as Python ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - else the interpreter complains at exit
        if not isinstance(error, BrokenPipeError):
            return 1, f"standard output must be open for writing: {error.strerror}"
        return 1, message
    return code, message


def _run(arguments: list[str] | None) -> tuple[int, str]:
    try:
        result: Any = cli.main(args=arguments, prog_name="ctrnn-theory", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return 0, ""
    except click.ClickException as error:
        return 2, error.format_message()
    except (click.Abort, KeyboardInterrupt):
        return 1, "interrupted"
    except BrokenPipeError:
        return 1, ""
    except Unwritten as error:
        return 1, str(error)
    except Exception as error:
        # UnicodeEncodeError, LinAlgError and others are ValueErrors too, and say nothing of what was given
        kind = type(error)
        if kind is ValueError or (issubclass(kind, ValueError) and kind.__module__.partition(".")[0] == "ctrnn_theory"):
            return 2, str(error)
        return 1, f"{type(error).__name__}: {error}"
    return (result if isinstance(result, int) else 0), ""
