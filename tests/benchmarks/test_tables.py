"""What ``python -m benchmarks`` prints, of figures that are given."""

import sys

import click.testing
import numpy as np
import pytest

import benchmarks.__main__ as program
from benchmarks import kept, ratios, tables, training


def moments(offset):
    """Reports of one work at either site, in which NumPy is off by so many standard errors."""
    works = []
    for site, name in (("inside", "ours"), ("outside", "ours_outside")):
        peer = {"way": "some", "ns": 30.0, "first_call": 0.5, "ratio": 15.0, "deviation": offset, "right": offset < 5}
        results = {name: peer | {"ns": 2.0, "ratio": 1.0, "right": True}, "numpy": peer}
        works.append({"activation": "relu", "site": site, "n": 1, "trajectories": 64, "steps": 250, "results": results})
    peers = {name: {"site": "inside", "versions": {"numpy": "2.4.6"}} for name in ("ours", "ours_outside", "numpy")}
    return {"peers": peers, "missing": {"torch": {"skipped": "No module named 'torch'"}}, "works": works}


def example(part, offset=1.0):
    rule = {"order": 64, "reached": False}
    way = {"rate": 1e5, "error": 1e-3, "right": True, "ratio": 100.0}
    row = {"problem": "in time", "way": "some", "cells": 64, "seconds": 0.5, "first_call": 9.0, "error": [1e-4, 2e-4]}
    best = {"way": "some", "cells": 64, "first_call": 9.0}
    return {
        "simulation": moments(offset),
        "fokker_planck": {
            "versions": {"ours": {"scipy": "1.17.1"}, "py-pde": {"py-pde": "0.59.0"}},
            "missing": {},
            "rows": [row | {"solver": solver, "right": True} for solver in ("ours", "py-pde")],
            "to_error": [
                {
                    "problem": "in time",
                    "target": 1e-3,
                    "solvers": {"ours": best | {"seconds": 0.5}, "py-pde": best | {"seconds": 2.0}},
                },
                {"problem": "in time", "target": 1e-6, "solvers": {"py-pde": best | {"seconds": 4.0}}},
            ],
        },
        "smoothing": [
            {
                "activation": "relu",
                "ways": [way | {"way": "ours", "rate": 1e7, "ratio": 1.0}, way | rule | {"way": "Gauss–Hermite"}],
                "ours": {"F'": 1e7, "variance": 1e6},
            }
        ],
        "start": {"before": {"import ctrnn_theory": 0.1}, "bias": {"empty cache": {"seconds": {"first bias": 9.0}}}},
        "scaling": {"neurons": [{"n": 1, "trajectories": 64, "results": moments(offset)["works"][0]["results"]}]},
        "threads": [
            {
                "activation": "tanh",
                "n": 1,
                "trajectories": 64,
                "ns": {"1": 2.0, "2": 1.0},
                "gain": {"1": 1.0, "2": 1.9},
                "right": True,
            }
        ],
        "primitives": {"normal": {"ours": 1.0, "numpy": 7.5}},
        "to_error": [
            {"activation": "tanh", "target": 1e-5, "ours": 1, "ours, plain": 3, "numpy": 9, "neuron_steps": 1e9}
        ],
    }[part]


@pytest.mark.parametrize(("offset", "status"), [(4.0, 0), (8.0, 1)])
def test_tables(monkeypatch, offset, status):
    asked = []

    def run_apart(name, quick, threads, peers, show):
        asked.append((name, peers))
        show("half way")
        return {"report": example(name.removeprefix("peers."), offset)}

    monkeypatch.setattr(program, "run_apart", run_apart)
    done = click.testing.CliRunner().invoke(program.main, ["--peer", "fplanck=other/python"])
    assert done.exit_code == status, done.output
    assert [name for name, _ in asked] == list(program.PARTS.values())
    assert "fplanck=other/python" in asked[0][1]
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert ("wrong" in next(line for line in lines if line.startswith("relu"))) == bool(status)
    for text in ("torch skipped: No module named 'torch'", "noise outside", "seconds to SE 1e-05", "gain of 2"):
        assert text in done.stdout
    assert "8/8 to_error: 0 s" in done.stderr


def test_every_part_has_a_table():
    assert [part.__name__ for part in tables.SHOWN] == list(program.PARTS)


def test_ratios():
    machine = {"processor": "some processor", "cores": 2, "system": "Linux", "python": "3.11.7"}
    found = {"machine": machine, "versions": {"ctrnn-theory": "0.4.1", "numpy": "2.4.6"}}
    lines = ratios.markdown(found | {part: example(part) for part in program.PARTS}).splitlines()
    assert lines[-1] == (
        "Measured on some processor, 2 cores, Python 3.11.7; "
        "ctrnn-theory 0.4.1, numpy 2.4.6, scipy 1.17.1, py-pde 0.59.0."
    )
    for row in (
        "| relu, N = 1 | 2.0 | 15 |",
        "| density in time, to an error of 0.001 | 0.5 s | py-pde | 2 s, and 9 s of compiling | 4 |",
        "| density in time, to an error of 1e-06 | not reached | py-pde | 4 s, and 9 s of compiling | – |",
        "| smoothed relu | 1.0e+07 a second | Gauss–Hermite, 64 nodes (error 1e-03) | 1.0e+05 | 100 |",
        "| tanh simulated to SE 1e-05 | 1 s | NumPy, extrapolated | 9 s | 9 |",
        "| tanh, N = 1 | 1.90 |",
        "| import ctrnn_theory | 0.1 |",
        "| first bias, empty cache | 9 |",
    ):
        assert row in lines, row
    assert ratios.markdown(found).count("|") == 0


def test_results_are_kept_with_versions_that_are_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    monkeypatch.setattr(program, "run_apart", lambda name, *_, **__: {"report": example("to_error")})
    done = click.testing.CliRunner().invoke(program.main, ["--write", "--parts", "to_error"])
    assert (done.exit_code, done.stdout) == (0, "")
    found = kept.kept("peers")
    assert found["to_error"] == example("to_error")
    assert found["versions"]["numpy"] == np.__version__


def trainings(*seconds):
    """One for each; None is one that was given up."""
    return [
        {"seconds": 30.0 if s is None else s, "tried": 500, "loss": 0.0119 if s else 0.02, "reached": s is not None}
        for s in seconds
    ]


@pytest.mark.parametrize("right", [True, False])
def test_training_tables(monkeypatch, right):
    found = {
        "training_ours": {
            "losses": {"simulation": 2e4, "closure": 20.0},
            "search": {"rate": 1e4, "share": 0.25},
            "races": {"CMA-ES": trainings(9.0, None, 8.0)},
        },
        "training_torch": {
            "updates": {"float32, threads: 1": 200.0},
            "right": right,
            "races": {"Adam 0.01": trainings(None, 7.0, None)},
        },
    }
    asked = []

    def run_apart(name, quick, threads, python, show):
        asked.append((name, threads, python))
        return {"report": found[name.removeprefix("peers.")]}

    monkeypatch.setattr(training, "run_apart", run_apart)
    monkeypatch.setattr(training, "cores", lambda: 2)
    done = click.testing.CliRunner().invoke(training.main, ["--torch", "other/python"])
    assert done.exit_code == (0 if right else 1), done.output
    ours, peer = ("peers.training_ours", sys.executable), ("peers.training_torch", "other/python")
    assert [(name, python) for name, _, python in asked] == [ours, ours, peer]
    assert [threads for _, threads, _ in asked] == [1, 2, 2]
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    rows = [line.split() for line in lines]
    assert ["ours,", "threads:", "2,", "CMA-ES", "9.0", "500", "2", "of", "3", "0.0119"] in rows
    label = ["PyTorch,"] if right else ["PyTorch", "(wrong),"]
    assert [*label, "Adam", "0.01", "over", "30", "500", "1", "of", "3", "0.0200"] in rows


def test_training_without_pytorch(monkeypatch):
    monkeypatch.setattr(training, "run_apart", lambda *_, **__: {"skipped": "No module named 'torch'"})
    done = click.testing.CliRunner().invoke(training.main, [])
    assert done.exit_code == 0, done.output
    assert "PyTorch skipped: No module named 'torch'" in done.stdout


@pytest.mark.parametrize(("falls", "seconds"), [(1.0, 3.0), (0.0, training.LIMIT)])
def test_clock_of_a_training(monkeypatch, falls, seconds):
    now = 0.0

    class Judge:
        def __call__(self, x):
            nonlocal now
            now += 100.0  # which must not count
            return x

    monkeypatch.setattr(training, "judge", lambda *_: Judge())
    monkeypatch.setattr(training, "perf_counter", lambda: now)
    race, tried, over = training.Race(quick=False), 0, False
    while not over:
        now, tried = now + 0.5, tried + 1
        loss = 10.0 * training.TARGET if not falls or tried < 6 else training.TARGET
        over = race.over(loss, tried)
    assert race.result == {"seconds": seconds, "tried": 2 * seconds, "loss": loss, "reached": bool(falls)}
