"""Functions that take `workers` give the same numbers wherever they are called, and see through a foreign map."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import joblib
import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.support.workers import for_each
from ctrnn_theory.sweeping import engine
from tests import places

NET, NOISE = ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(0.5)
SPEC = {"methods": ["exact"], "fixed": {"w": 0.5, "b": 0.1}, "axes": {"sigma": [0.2, 0.4, 0.6, 0.8, 1.0]}}


def swept():
    return ct.sweep(SPEC, workers=2)["bias"].values


def under_threads():
    with joblib.parallel_config(backend="threading"):
        return swept()


@pytest.mark.parametrize(
    "call", [under_threads, lambda: places.in_thread(under_threads), lambda: places.in_loop(swept)]
)
def test_a_sweep_goes_on_under_any_engine(monkeypatch, call):
    monkeypatch.setattr(engine, "LENGTH", 1e-9)  # a task for each point
    monkeypatch.setattr(engine, "SAMPLED", 1)
    assert np.array_equal(call(), ct.sweep(SPEC, workers=1)["bias"].values)


@cache
def numbers(place, semaphores="1"):
    command = [sys.executable, "-W", "error::UserWarning", places.__file__, place]
    environment = {**os.environ, "PYTHONPATH": str(Path(ct.__file__).parents[1]), "JOBLIB_MULTIPROCESSING": semaphores}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("found"))


@pytest.mark.slow
@pytest.mark.parametrize("place", [place for place in places.PLACES if place != "here"])
def test_every_place_gives_the_same(place):
    if "Dask" in place:
        pytest.importorskip("distributed")
    assert numbers(place) == numbers("here")


@pytest.mark.slow
def test_without_semaphores():
    assert numbers("here", "0") == numbers("here")


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def lazy(function, items):
    return (function(item) for item in items)


def silent(function, items):
    for item in items:
        function(item)


def parallel(backend):
    return lambda function, items: joblib.Parallel(2, backend=backend)(joblib.delayed(function)(i) for i in items)


def again(function, items):
    return [function(item) for _ in range(2) for item in items]


def forked(function, items):
    for item in items:
        if (child := os.fork()) == 0:
            function(item)
            os._exit(0)
        os.waitpid(child, 0)


def simulated(workers):
    return ct.simulate(NET, NOISE, steps=10, trajectories=500, rng=1, workers=workers).h


@pytest.mark.parametrize("name", ["pool", "built in", "lazy", "silent", "joblib"])
def test_maps_of_this_process_give_the_same(name, threads):
    maps = {"pool": threads.map, "built in": map, "lazy": lazy, "silent": silent, "joblib": parallel("threading")}
    assert np.array_equal(simulated(maps[name]), simulated(1))


USERS = {
    "simulate": lambda workers: simulated(workers),
    "bias": lambda workers: ct.bias(NET, NOISE, methods=["simulation"], target_se=1e-2, rng=1, workers=workers),
    "predict": lambda workers: ct.predict(NET, NOISE, method="simulation", steps=10, workers=workers),
    "evolve": lambda workers: ct.evolve(NET, NOISE, steps=5, method="simulation", workers=workers),
    "difference": lambda workers: ct.difference(NET, NOISE, ct.Noise(0.4), steps=10, workers=workers),
    "escape_times": lambda workers: ct.escape_times(
        ct.CTRNN.single(1.5, 0.0, "tanh", 0.2), ct.Noise(outside=1.0), method="simulation", rng=1, workers=workers
    ),
    "train": lambda workers: ct.train(
        "regulator", 1, noise=NOISE, evaluations=40, rng=1, loss="simulation", workers=workers
    ),
    "preference": lambda workers: ct.preference(
        ct.CTRNN([[0.5]], [0.1], "tanh", 0.1, [[1.0]], [[1.0]], [0.0]),
        "function",
        [0, 1],
        noise=NOISE,
        repeats=8,
        workers=workers,
    ),
}


@pytest.mark.parametrize("user", USERS)
def test_processes_are_refused(user, processes):
    with pytest.raises(
        ValueError, match=r"^workers must be .* once in this process, .*: it sends work to another process$"
    ):
        USERS[user](processes.map)


def late(function, items):
    return list(items)


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        (parallel("loky"), "it sends work to another process"),
        (again, "it made a call twice"),
        (late, "0 of 8 calls were done when it returned"),
        (lambda function, items: [function(item) for item in items[1:]], "7 of 8 calls were done when it returned"),
        pytest.param(
            forked,
            "0 of 8 calls were done when it returned",
            marks=[
                pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
                pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
            ],
        ),
    ],
)
def test_what_did_not_happen_here_is_refused(workers, reason):
    found = np.zeros(8)
    with pytest.raises(ValueError, match=f"workers must be .*: {reason}$"):
        for_each(lambda i: found.__setitem__(i, 1.0), range(8), workers)


def test_errors_of_a_map_and_of_a_call_go_through(threads):
    def broken(function, items):
        raise RuntimeError("the map is broken")

    with pytest.raises(RuntimeError, match="the map is broken"):
        for_each(abs, range(3), broken)
    with pytest.raises(ZeroDivisionError):
        for_each(lambda i: 1 // i, range(3), threads.map)


def test_a_retried_call_that_failed_is_done_no_second_time():
    calls = []

    def fails_once(item):
        calls.append(item)
        if len(calls) == 1:
            raise OSError("once")

    def retrying(function, items):
        for item in items:
            for _ in range(2):
                try:
                    function(item)
                    break
                except OSError:
                    pass

    with pytest.raises(ValueError, match="it made a call twice"):
        for_each(fails_once, range(3), retrying)


def test_a_call_that_comes_too_late_does_nothing():
    kept, done = [], []

    def keeping(function, items):
        kept.append(function)

    with pytest.raises(ValueError, match="0 of 2 calls"):
        for_each(done.append, range(2), keeping)
    thread = Thread(target=kept[0], args=(0,))
    thread.start()
    thread.join()
    assert not done


@pytest.mark.parametrize(
    ("workers", "got"),
    [
        (lambda function, tasks: [result for task in tasks for result in [function(task)] * 2], "a result twice"),
        (lambda function, tasks: [None for _ in tasks], "NoneType"),
        (lambda function, tasks: None, "NoneType"),
    ],
)
def test_a_sweep_sees_that_results_come_once(monkeypatch, workers, got):
    monkeypatch.setattr(engine, "LENGTH", 1e-9)  # a task for each point
    monkeypatch.setattr(engine, "SAMPLED", 1)
    with pytest.raises(ValueError, match=f"workers must be a function like map, .*; got {got}"):
        ct.sweep(SPEC, workers)
