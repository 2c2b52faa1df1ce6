"""The comparison with peers: that it runs, and that nobody is timed on wrong work."""

import json
import subprocess
import sys

import click.testing
import numpy as np
import pytest

import benchmarks.__main__ as program
from benchmarks import simulation
from benchmarks.peers import ours, with_numpy

ONE, TWO = simulation.works("inside", quick=True)[:2]


def result(peer, work):
    return simulation.measure(work, peer.prepare(work), quick=True)


def test_numpy_beside_ours():
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", "--peers", "numpy"]
    done = subprocess.run(command, cwd=simulation.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["missing"] == {}
    assert set(found["peers"]) == {"ours", "ours_plain", "numpy"}
    assert [(work["activation"], work["n"]) for work in found["works"][:5]] == [
        *(("relu", n) for n in simulation.SIZES),
        ("tanh", 1),
    ]
    for work in found["works"]:
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
    assert program.judged(work, result(with_numpy, work._replace(**change)), reference)["right"] is right


def test_a_value_that_is_not_finite_is_wrong():
    nothing = simulation.Estimate(np.full(2, np.nan), np.zeros(2))
    assert simulation.deviation(nothing, simulation.exact(ONE)) == np.inf


def test_what_is_missing_is_told():
    assert simulation.run_apart("with_nothing", quick=True) == {
        "skipped": "No module named 'benchmarks.peers.with_nothing'"
    }


def test_a_list_of_peers_is_checked():
    done = click.testing.CliRunner().invoke(program.main, ["--peers", "numpy,matlab"])
    assert done.exit_code == 2
    assert "must be among numpy, mkl_random" in done.output
    assert "got 'matlab'" in done.output


def fake(offset):
    """A stand-in for `run_apart` in which NumPy's moments are off by so many standard errors."""

    def run_apart(name, quick, threads=1):
        if name == "with_torch":
            return {"skipped": "No module named 'torch'"}
        if not name.startswith(("ours", "with_")):
            return {"report": REPORTS[name]}
        site = "outside" if name in ("ours_outside", "with_diffrax") else "inside"
        results = []
        for work in simulation.works(site, quick):
            value = simulation.exact(work).value if work.n == 1 else np.zeros(2 * work.n)
            error = np.ones_like(value)
            value = value + offset * error if name == "with_numpy" else value
            numbers = {"value": value.tolist(), "error": error.tolist()}
            results.append({"way": "some", "ns": 2.0, "first_call": 0.5} | numbers)
        return {"site": site, "versions": {"numpy": "2.4.6"}, "import": 0.1, "results": results}

    return run_apart


REPORTS = {
    "primitives": {"normal": {"ours": 1.0, "numpy": 7.5}},
    "threads": [{"n": 1, "ns": {"1": 2.0, "2": 1.0}}],
    "start": {"empty cache": {"import": 0.1}, "next process": {"import": 0.1}},
    "to_error": [{"activation": "tanh", "target": 1e-5, "ours": 1, "ours, plain": 3, "numpy": 9, "neuron_steps": 1e9}],
}


@pytest.mark.parametrize(("offset", "status"), [(4.0, 0), (8.0, 1)])  # N > 1: off by 8 / sqrt(2) of both errors
def test_tables(monkeypatch, offset, status):
    monkeypatch.setattr(program, "run_apart", fake(offset))
    done = click.testing.CliRunner().invoke(program.main, [])
    assert done.exit_code == status, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert ("wrong" in next(line for line in lines if line.startswith("relu"))) == bool(status)
    for text in ("torch skipped: No module named 'torch'", "noise outside", "seconds to SE 1e-05", "gain"):
        assert text in done.stdout


@pytest.mark.slow
def test_what_is_measured_besides():
    found = program.run((), tuple(program.EXTRAS), quick=True)
    assert found["missing"] == {}
    assert found["start"]["empty cache"]["first simulation"] > found["start"]["next process"]["first simulation"]
    assert all(row["ours"] < row["ours, plain"] for row in found["to_error"])
    assert {row["n"] for row in found["threads"]} == set(simulation.SIZES)
    assert all(row["ours"] < row["numpy"] for row in found["primitives"].values())
