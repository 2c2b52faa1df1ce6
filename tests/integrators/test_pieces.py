"""Runs in short calls of the kernels: the same bits however they are cut, and an interrupt is heard between them."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.activations import activation
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.pace import SECONDS, Pace
from ctrnn_theory.training import rollout
from ctrnn_theory.training.kernels import Given, Weights
from ctrnn_theory.training.tasks import Maze, Model

NOISE = ct.Noise(inside=0.4, outside=[[0.1], [0.2], [0.0]])


def network(n, seed=0):
    rng = np.random.default_rng(seed)
    return ct.CTRNN(rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n), "tanh", 0.2)


class Fixed:
    """Calls of so many steps, whatever they last."""

    def __init__(self, steps):
        self.steps = steps

    def lasted(self, steps, seconds):
        assert 0 < steps <= self.steps
        assert seconds >= 0.0


def cut(steps, antithetic=False):
    net = network(3)
    made = Ensemble(net, NOISE, net.drive(), None, 3 * LANES, 9, 2, antithetic)
    made.tabulate(np.full(3, -9.0), np.full(3, 9.0), variance=True)
    made.pace = Fixed(steps)
    return made


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("steps", [1, 7, 60])
@pytest.mark.parametrize("every", [1, 6, 40])
def test_ensembles_do_not_depend_on_the_cut(steps, every, antithetic):
    whole, parts = cut(10**9, antithetic), cut(steps, antithetic)
    for each in (whole, parts):
        each.advance(250)  # up to the end of an epoch of the variates
    assert np.array_equal(whole.record(4, every, 70), parts.record(4, every, 70))
    first, second = (each.measure(7, every, np.full(3, 0.1)) for each in (whole, parts))
    for name in ("first", "second", "cross", "residual", "ahead", "low", "high"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert np.array_equal(whole.states, parts.states)


@pytest.mark.parametrize(
    "noise",
    [
        ct.Noise(inside=0.5, outside=0.1),
        ct.Noise.dropout(
            0.5, inside=0.5, outside=0.1, rho_inside=0.9, rho_outside=0.5, gain_inside=0.1, gain_outside=0.2
        ),
    ],
    ids=["white", "all kinds"],
)
@pytest.mark.parametrize("constant", [False, True])
def test_training_does_not_depend_on_the_cut(monkeypatch, constant, noise):
    rng, (S, N, K, P, L, T) = np.random.default_rng(1), (3, 5, 2, 1, 2 * LANES, 300)
    weights = Weights(*(rng.normal(size=shape) for shape in ((S, N, N), (S, N), (S, N, K), (S, P, N), (S, P))))
    rows = 1 if constant else T
    given = Given(rng.normal(size=(rows, K, L)), rng.normal(size=(rows, P, L)), rng.normal(size=T) ** 2)
    key = np.array([1, 2], np.uint64)
    found = []
    for steps in (10**9, 1, 100, 299):
        monkeypatch.setattr(rollout, "Pace", lambda *_, steps=steps: Fixed(steps))
        found.append(rollout.run_open(Model(activation("tanh"), 0.2, weights, noise), given, key, 2, record=True))
    for cost, outputs in found[1:]:
        assert np.array_equal(cost, found[0][0])
        assert np.array_equal(outputs, found[0][1])


def test_closed_loops_do_not_depend_on_the_cut(monkeypatch):
    task = Maze(steps=60, conditions=2, repeats=2)
    layout = task.layout(3)
    weights = layout.weights(np.random.default_rng(0).normal(size=(layout.size, 2)))
    model = Model(activation("relu"), 0.3, weights, ct.Noise(inside=0.5))
    found = []
    for steps in (10**9, 1, 17):
        monkeypatch.setattr(rollout, "Pace", lambda *_, steps=steps: Fixed(steps))
        found.append(task.simulated(model, np.array([1, 2], np.uint64), 2))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("cost", [1e-9, 1e-7, 1e-6, 6e-5])
def test_calls_last_as_long_as_they_should(cost):
    """Up to 1 µs for a neuron and a trajectory, no call lasts longer than a second, and later ones a tenth."""
    pace, spent, calls = Pace(neurons=1, lanes=LANES), 0.0, []
    while spent < 30.0:
        calls.append(pace.steps * cost)
        spent += calls[-1]
        pace.lasted(pace.steps, calls[-1])
    assert max(calls) < 1.0
    assert SECONDS / 2 < calls[-1] < 2 * SECONDS


def test_steps_that_become_slow():
    pace = Pace(neurons=1, lanes=LANES)
    for _ in range(30):
        pace.lasted(pace.steps, 1e-6 * pace.steps)
    pace.lasted(pace.steps, 10e-6 * pace.steps)
    assert 10e-6 * pace.steps <= SECONDS


@contextmanager
def interrupted(after):
    """Press Ctrl-C after some seconds: what runs must end soon, and leave no thread behind."""
    pressed, threads = [], threading.active_count()

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, press)
    timer.start()
    try:
        yield
        pytest.fail("it went on to its end")
    except KeyboardInterrupt:
        ended = time.perf_counter()
    finally:
        timer.cancel()
        timer.join()
    assert ended - pressed[0] < 2.0
    while threading.active_count() > threads:  # those that had nothing left to do are about to end
        assert time.perf_counter() - pressed[0] < 2.0
        time.sleep(0.01)


RUNS = {
    "one thread": lambda n: ct.simulate(network(3), NOISE, None, n, 1, -(-n // 10), workers=1),
    "two threads": lambda n: ct.simulate(network(3), NOISE, None, n, 1000, -(-n // 10), workers=2),
    "large": lambda n: ct.simulate(network(300), ct.Noise(0.5), None, n, 1000, -(-n // 10), workers=2),
    "slow activation": lambda n: ct.simulate(SLOW, ct.Noise(0.5), None, n, 1, -(-n // 10)),
    "stationary": lambda n: ct.predict(network(3), NOISE, method="simulation", steps=n),
    "large stationary": lambda n: ct.predict(network(300), ct.Noise(0.5), method="simulation", steps=n),
    "pairs": lambda n: ct.difference(network(3), NOISE, ct.Noise(0.1), steps=n),
    "escape": lambda n: ct.escape_times(WELLS, ct.Noise(0.3), None, "simulation", relative_error=1e-6, max_steps=n),
    "training": lambda n: ct.train("function", neurons=20, noise=ct.Noise(0.5), evaluations=n),
}
"""Runs of so many steps, or evaluations."""
SLOW = ct.CTRNN.single(0.5, 0.1, "sin(sin(sin(sin(sin(sin(x))))))")
WELLS = ct.CTRNN.single(1.5, 0.0, "tanh")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals are for the main thread")
@pytest.mark.parametrize("name", RUNS)
def test_an_interrupt_is_heard(name):
    RUNS[name](100)  # imports and compiles
    with interrupted(after=0.5):
        RUNS[name](10**9)


def test_an_interrupted_run_goes_on(tmp_path):
    """What was kept is not lost."""
    options = {"steps": 400_000, "trajectories": 10, "record_every": 100, "rng": 1, "out": tmp_path / "run"}

    def press(done, total, text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ct.simulate(network(3), NOISE, progress=press, **options)
    kept = ct.Path.load(tmp_path / "run").h.copy()
    assert len(kept) > 1
    whole = ct.simulate(network(3), NOISE, resume=True, **options)
    assert np.array_equal(whole.h[: len(kept)], kept)
    assert np.array_equal(whole.h, ct.simulate(network(3), NOISE, **options | {"out": None}).h)
