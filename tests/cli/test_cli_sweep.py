"""The commands `sweep` and `plot`."""

import json
import subprocess
import sys

import click.testing
import pytest

from ctrnn_theory.cli import sweep
from ctrnn_theory.cli.plot import plot_command
from ctrnn_theory.sweeping import dataset

SPEC = """
methods = ["mean_field", "gaussian_closure"]
quantities = ["bias", "converged"]
[fixed]
b = 0.1
w = {w}
[axes]
sigma = {{linspace = [0.0, 1.0, 4]}}
gamma = {{logspace = [-2, 0, 3]}}
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.format(w=0.5))
    return path


def invoke(command, *arguments):
    return click.testing.CliRunner().invoke(command, [str(text) for text in arguments], standalone_mode=False)


def test_sweep_and_plot(spec, tmp_path):
    done = invoke(sweep.sweep_command, spec, "--out", tmp_path / "run", "--workers", 1)
    assert (done.return_value, done.exception, done.stderr) == (0, None, "")
    assert done.stdout.splitlines()[0].startswith("12 points by 2 methods in ")
    assert done.stdout.splitlines()[0].endswith("0 of 24 failed")
    assert dataset.load(tmp_path / "run")["bias"].shape == (2, 4, 3)
    arguments = ("--x", "sigma", "--y", "gamma", "--quantity", "bias", "--at", "methods=mean_field")
    done = invoke(plot_command, tmp_path / "run", *arguments)
    assert done.exception is None
    assert (tmp_path / "run" / "bias.png").read_bytes()[:4] == b"\x89PNG"
    arguments = ("--x", "sigma", "--quantity", "bias", "--at", "gamma=0.1", "--out", tmp_path / "lines.svg")
    assert invoke(plot_command, tmp_path / "run", *arguments).exception is None
    assert (tmp_path / "lines.svg").exists()
    done = invoke(plot_command, tmp_path / "run", "--x", "sigma", "--quantity", "bias", "--at", "colour=3")
    assert str(done.exception) == "--at must name one of methods, sigma, gamma; got 'colour'"
    arguments = ("--x", "sigma", "--quantity", "bias", "--at", "gamma=0.1", "--out", "/nowhere/x.png")
    done = invoke(plot_command, tmp_path / "run", *arguments)
    assert str(done.exception).startswith(
        "--out must be a file in a folder that exists and can be written; got /nowhere"
    )


def test_failures_are_counted(spec, tmp_path):
    spec.write_text(SPEC.format(w=2.0))
    done = invoke(sweep.sweep_command, spec, "--out", tmp_path / "run", "--workers", 1)
    assert done.return_value == 1
    assert "24 of 24 failed" in done.stdout
    assert "12 failed: W must keep the state bounded; the noise-free state passes 1e+12" in done.stderr
    done = invoke(sweep.sweep_command, spec, "--out", tmp_path / "run", "--workers", 1, "--json")
    found = json.loads(done.stdout)
    assert (done.return_value, found["failed"], sum(found["failures"].values()), done.stderr) == (1, 24, 24, "")


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("sweep", ["--workers", 0], "workers must be an integer of at least 1; got 0"),
        ("sweep", ["--format", "csv"], "format must be one of netcdf, zarr; got 'csv'"),
        ("sweep", ["--workers", 2, "--dask", "tcp://127.0.0.1:9"], "workers must be None with dask; got 2"),
        ("plot", ["--x", "sigma", "--quantity", "bias"], "run must be the folder of a finished sweep"),
        ("plot", ["--x", "sigma", "--quantity", "bias", "--at", "w"], "--at must be NAME=VALUE; got 'w'"),
        ("plot", ["--x", "a", "--y", "b", "--colour", "c", "--quantity", "d"], "--colour must be left out with --y"),
    ],
)
def test_bad_input(spec, tmp_path, command, arguments, message):
    if command == "sweep":
        done = invoke(sweep.sweep_command, spec, "--out", tmp_path / "run", *arguments)
    else:
        done = invoke(plot_command, tmp_path, *arguments)
    assert isinstance(done.exception, ValueError)
    assert message in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_large_grids_need_a_yes(spec, tmp_path):
    spec.write_text(SPEC.format(w=0.5).replace("4]", "40000]"))
    done = invoke(sweep.sweep_command, spec, "--out", tmp_path / "run")
    assert "unless --yes is given; got 120000 points by 2 methods, about" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_help_is_quick():
    code = "import sys; from ctrnn_theory.cli import sweep; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "xarray", "joblib", "distributed", "matplotlib"} & set(loaded)
