"""The comparisons with peers: that they run, and that nobody is timed on wrong work."""

import json
import subprocess
import sys
from functools import partial

import click.testing
import numpy as np
import pytest

import benchmarks.__main__ as program
from benchmarks import density, fokker_planck, processes, scaling, simulation, smoothing, threads
from benchmarks.peers import density_ours, ours, with_numpy

ONE, TWO = simulation.works("inside", quick=True)[:2]


def result(peer, work):
    return simulation.measure(work, peer.prepare(work), quick=True)


def test_numpy_beside_ours():
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", "--parts", "simulation", "--peers", "numpy"]
    done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1/1 simulation: " in done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"machine", "quick", "missing", "simulation"}
    report = found["simulation"]
    assert found["missing"] == report["missing"] == {}
    assert set(report["peers"]) == {"ours", "ours_plain", "numpy"}
    assert [(work["activation"], work["n"]) for work in report["works"][:5]] == [
        *(("relu", n) for n in simulation.SIZES),
        ("tanh", 1),
    ]
    for work in report["works"]:
        assert work["results"]["ours"]["ratio"] == 1.0
        for peer in work["results"].values():
            assert peer["right"]
            assert 0.1 < peer["ns"] < 1e5


@pytest.mark.parametrize("work", [ONE, TWO], ids=["exact", "ours"])
@pytest.mark.parametrize(
    ("change", "right"),
    [({}, True), ({"sigma": 0.6}, False), ({"gamma": 0.15}, False), ({"activation": "softplus"}, False)],
    ids=["right", "noise", "leak", "activation"],
)
def test_wrong_work_is_noticed(work, change, right):
    reference = result(ours, work)
    assert simulation.judged(work, result(with_numpy, work._replace(**change)), reference)["right"] is right


def test_a_value_that_is_not_finite_is_wrong():
    nothing = simulation.Estimate(np.full(2, np.nan), np.zeros(2))
    assert simulation.deviation(nothing, simulation.exact(ONE)) == np.inf
    assert smoothing.error(np.array([np.nan]), np.array([0.0])) == np.inf


@pytest.fixture(scope="module")
def truth():
    return fokker_planck.reference()


@pytest.fixture(scope="module")
def densities():
    return density_ours.report(quick=True)["rows"]


def test_densities_agree_with_the_spectral_reference(truth, densities):
    rows = fokker_planck.judged("ours", densities, truth)
    assert {(row["problem"], row["cells"]) for row in rows} == {
        (problem, cells) for problem in density.CELLS for cells in density.QUICK_CELLS
    }
    assert all(row["right"] for row in rows)
    fine = next(row for row in rows if row["way"] == "extrapolated" and row["cells"] == 64)
    assert max(fine["error"]) < 1e-5  # fourth order: 64 cells, of 0.3 standard deviations
    moving = next(row for row in rows if row["problem"] == "in time" and row["cells"] == 64)
    assert max(moving["error"]) < 1e-6  # the same order, with moments that are exact but for the curvature of the drift


def test_the_reference_is_settled(truth, monkeypatch):
    monkeypatch.setattr(fokker_planck, "MODES", 40)
    monkeypatch.setattr(fokker_planck, "LONG", 25.0)
    fewer = fokker_planck.reference()
    for problem, laws in truth.items():
        assert np.abs(fewer[problem] - laws).max() < 1e-7  # exp(-18), the highest of 40 modes at the start


@pytest.mark.parametrize("change", ["diffusion", "drift", "not a number"])
def test_wrong_densities_are_noticed(truth, monkeypatch, change):
    """A solver of second order on wrong work: by a third of the noise, or by an eighth of a standard deviation."""
    if change == "diffusion":
        monkeypatch.setattr(density_ours, "DIFFUSION", 1.3 * density.DIFFUSION)
    elif change == "drift":
        drift = density.drift
        monkeypatch.setattr(density_ours, "drift", lambda x, y: (drift(x, y)[0] + 0.02, drift(x, y)[1]))
    rows = density.measured("ours", "stationary", {"one grid": density_ours.one_grid}, quick=True)
    if change == "not a number":
        rows = [row | {"moments": [[np.nan] * 5]} for row in rows]
    assert not any(row["right"] for row in fokker_planck.judged("peer", rows, truth))


def test_wrong_densities_in_time_are_noticed(truth, monkeypatch):
    monkeypatch.setattr(density_ours, "DIFFUSION", 1.3 * density.DIFFUSION)
    ways = {"extrapolated": partial(density_ours.followed, 1e-3)}
    rows = density.measured("ours", "in time", ways, quick=True)
    assert not any(row["right"] for row in fokker_planck.judged("peer", rows, truth))


def test_seconds_to_an_error_are_of_the_fastest_that_reaches_it():
    def row(solver, cells, seconds, error):
        numbers = {"cells": cells, "seconds": seconds, "first_call": 1.0, "error": [error, error / 2]}
        return {"solver": solver, "problem": "in time", "way": "some", "right": True} | numbers

    rows = [row("ours", 32, 0.1, 5e-4), row("ours", 64, 0.4, 5e-6), row("peer", 64, 0.2, 5e-4)]
    rows.append(row("peer", 32, 0.1, 5e-7) | {"right": False})
    found = {found["target"]: found["solvers"] for found in fokker_planck.to_error(rows)}
    assert found[1e-3]["ours"]["seconds"] == 0.1
    assert found[1e-4]["ours"]["seconds"] == found[1e-5]["ours"]["seconds"] == 0.4
    assert (set(found[1e-3]), set(found[1e-4]), found[1e-6]) == ({"ours", "peer"}, {"ours"}, {})


@pytest.mark.parametrize("name", smoothing.FUNCTIONS)
def test_smoothing_agrees_with_quadrature(name):
    activation = smoothing.ct.activation(name)
    assert smoothing.ours(name, activation.smoothed)["right"]
    assert smoothing.by_quad(name)["right"]
    assert smoothing.by_samples(name, quick=True)["right"]


def test_quadrature_never_reaches_the_kink_of_relu(monkeypatch):
    monkeypatch.setattr(smoothing, "ORDERS", (64, 1024))
    for way in smoothing.RULES:
        found = smoothing.by_rule("relu", way, 1)
        assert (found["order"], found["reached"], found["right"]) == (1024, False, True)
        assert found["error"] > 1e-6
    found = smoothing.by_rule("gelu", "Gauss–Hermite", 1)
    assert (found["order"], found["reached"]) == (1024, True)


def test_wrong_smoothing_is_noticed(monkeypatch):
    smoothed = smoothing.ct.activation("tanh").smoothed
    assert not smoothing.ours("tanh", lambda a, s: smoothed(a, 1.001 * s))["right"]
    monkeypatch.setitem(smoothing.FUNCTIONS, "relu", lambda x: np.maximum(x, 0.02))
    monkeypatch.setitem(smoothing.RULES, "trapezoidal rule", lambda n: (np.linspace(-9.0, 9.0, n), np.full(n, 1 / n)))
    assert not smoothing.by_quad("relu")["right"]
    assert not smoothing.by_samples("relu", quick=False)["right"]
    assert not smoothing.by_rule("gelu", "trapezoidal rule", 1)["right"]


def test_scaling(monkeypatch):
    monkeypatch.setattr(scaling, "NEURONS", (1, 32))
    monkeypatch.setattr(scaling, "TRAJECTORIES", (64,))
    found = scaling.report(quick=True)
    assert [row["n"] for row in found["neurons"]] == [1]
    assert all(result["right"] for rows in found.values() for row in rows for result in row["results"].values())


def test_threads_take_turns_and_agree(monkeypatch):
    monkeypatch.setattr(threads, "counts", lambda: [1, 2])
    found = threads.in_turn(TWO, 3)
    assert found["right"]
    assert set(found["gain"]) == set(found["ns"]) == {1, 2}
    assert found["gain"][1] == 1.0
    calls = iter(range(2))
    prepare = threads.prepare

    def differently(work, workers):  # the second ensemble has another noise
        return prepare(work._replace(sigma=work.sigma + 1e-6 * next(calls)), workers=workers)

    monkeypatch.setattr(threads, "prepare", differently)
    assert not threads.in_turn(TWO, 1)["right"]


def test_what_is_missing_is_reported():
    solver = processes.run_apart("peers.density_fplanck", quick=True)
    assert solver == {"skipped": "No module named 'fplanck'"} or "report" in solver
    assert "No module named 'benchmarks.peers.nothing'" in processes.run_apart("peers.nothing", quick=True)["failed"]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--peers", "numpy,matlab"], "must be one of numpy, mkl_random"),
        (["--parts", "matlab"], "must be one of simulation, fokker_planck"),
        (["--peer", "matlab=python"], "must be NAME=PYTHON"),
    ],
)
def test_names_are_checked(arguments, rule):
    done = click.testing.CliRunner().invoke(program.main, arguments)
    assert done.exit_code == 2
    assert rule in " ".join(done.output.replace("│", " ").split())
    assert "matlab" in done.output


@pytest.mark.slow
def test_every_part():
    found = program.run(["numpy"], list(program.PARTS), quick=True)
    assert found["missing"] == {}
    assert not program.wrong(found)
    bias = {name: row["seconds"]["first bias"] for name, row in found["start"]["bias"].items()}
    assert bias["empty cache"] > bias["next process"]
    assert all(row["ours"] < row["ours, plain"] for row in found["to_error"])
    assert {row["n"] for row in found["threads"]} == set(simulation.SIZES)
    assert all(row["ours"] < row["numpy"] for row in found["primitives"].values())
