"""The command `ctrnn-theory`: its commands, its errors and its exit status. Commands import what is heavy late."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Any, NoReturn

import click

from ctrnn_theory import __version__
from ctrnn_theory.cli.audit import audit_command
from ctrnn_theory.cli.bias import bias_command
from ctrnn_theory.cli.console import plain_text, say
from ctrnn_theory.cli.derive import derive_command
from ctrnn_theory.cli.figures import figures_command
from ctrnn_theory.cli.list import list_command
from ctrnn_theory.cli.plot import plot_command
from ctrnn_theory.cli.preference import preference_command
from ctrnn_theory.cli.sweep import sweep_command
from ctrnn_theory.cli.train import train_command
from ctrnn_theory.support.files import Unwritten

atexit.register(gc.freeze)  # else the process looks for garbage as it ends, which takes a tenth of a second


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Compute where noise moves a recurrent neural network, and by how much."""


for command in (
    bias_command,
    derive_command,
    train_command,
    preference_command,
    audit_command,
    sweep_command,
    plot_command,
    figures_command,
    list_command,
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with status 0 (done), 2 (bad input) or 1 (anything else), without a traceback."""
    backend = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"  # pictures are written, not shown; a notebook's backend may be out of reach
    try:
        with plain_text():
            code, message = _flushed(*_run(arguments))
            if message:
                say(f"ctrnn-theory: {' '.join(message.split())}", sys.stderr)
    finally:
        os.environ.pop("MPLBACKEND") if backend is None else os.environ.update(MPLBACKEND=backend)
    sys.exit(code)


def _flushed(code: int, message: str) -> tuple[int, str]:
    """Write out what was printed while a failure can still be reported, and not only as Python ends."""
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
        # UnicodeEncodeError, LinAlgError and others are ValueErrors too, but are not about what the user gave
        kind = type(error)
        if kind is ValueError or (issubclass(kind, ValueError) and kind.__module__.partition(".")[0] == "ctrnn_theory"):
            return 2, str(error)
        return 1, f"{type(error).__name__}: {error}"
    return (result if isinstance(result, int) else 0), ""
