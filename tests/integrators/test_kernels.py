"""The stepping kernel against a NumPy loop of a few lines on the same variates."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ctrnn_theory.integrators import simulate
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.normals import LANES, seed_words, standard_normals
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise


def numpy_loop(net, noise, drive, start, steps, rng, block=0):
    """Paths (steps, LANES, N) of one block: the formula of the map, and nothing else."""
    n = net.n
    factors = [noise.factor(site, n) for site in ("inside", "outside")]
    columns = [factor.shape[1] if factor.any() else 0 for factor in factors]
    z = standard_normals(seed_words(rng), block, steps, sum(columns))
    h, path = np.tile(start, (LANES, 1)), []
    for t in range(steps):
        inside = z[t, : columns[0]].T @ factors[0].T if columns[0] else 0.0
        outside = z[t, columns[0] :].T @ factors[1].T if columns[1] else 0.0
        a = h @ net.W.T + np.atleast_2d(drive)[min(t, len(np.atleast_2d(drive)) - 1)] + inside
        h = (1 - net.gamma) * h + net.gamma * (net.activation(a) + outside)
        path.append(h)
    return np.array(path)


def network(n, activation="tanh", gamma=0.2, scale=0.8, seed=0):
    rng = np.random.default_rng(seed)
    return CTRNN(
        rng.normal(size=(n, n)) * scale / np.sqrt(n),
        rng.normal(size=n) * 0.3,
        activation,
        gamma,
        W_in=rng.normal(size=(n, 2)),
        W_out=rng.normal(size=(1, n)),
        b_out=[0.5],
    )


FACTOR = np.arange(6.0).reshape(3, 2) / 10
NOISES = {
    "in": Noise(inside=0.5),
    "out": Noise(outside=0.3),
    "both": Noise(inside=0.2, outside=[0.1, 0.0, 0.3]),
    "factor in": Noise(inside=FACTOR),
    "factor out": Noise(outside=FACTOR),
    "factors": Noise(inside=FACTOR, outside=np.arange(15.0).reshape(3, 5) / 30),
    "factor and vector": Noise(inside=[0.1, 0.2, 0.0], outside=FACTOR),
    "none": Noise(),
}
ROUNDING = {"rtol": 1e-11, "atol": 1e-12}  # a contracting map: rounding of single steps does not add up


@pytest.mark.parametrize("name", NOISES)
def test_equals_numpy_loop(name):
    net, start = network(3), np.array([0.3, -0.2, 1.0])
    path = simulate(net, NOISES[name], [0.3, 0.1], 50, LANES, start=start, rng=5)
    expected = numpy_loop(net, NOISES[name], net.drive([0.3, 0.1]), start, 50, rng=5)
    np.testing.assert_allclose(path.h[1:], expected, **ROUNDING)
    assert np.array_equal(path.h[0], np.tile(start, (LANES, 1)))


@pytest.mark.parametrize("n", [1, 2, 4, 5, 9, 17])
@pytest.mark.parametrize("activation", ["relu", "x/(1 + x**2)"])
def test_equals_numpy_loop_at_any_size(n, activation):
    """Columns are taken four at a time, variates many rows at a time: sizes around both."""
    net, noise = network(n, activation), Noise(inside=0.4, outside=0.2)
    path = simulate(net, noise, steps=40, trajectories=LANES + 3, rng=1)
    for block in range(2):
        expected = numpy_loop(net, noise, net.drive(), np.zeros(n), 40, rng=1, block=block)
        mine = path.h[1:, block * LANES : (block + 1) * LANES]
        np.testing.assert_allclose(mine, expected[:, : mine.shape[1]], **ROUNDING)


@pytest.mark.parametrize(("n", "columns"), [(4, 4), (5, 9), (8, 3), (9, 6)])
def test_equals_numpy_loop_with_factors_of_any_size(n, columns):
    """Rows and columns of a factor are taken four at a time too, with variates that begin at any row."""
    rng = np.random.default_rng(n)
    net, inside, outside = network(n), rng.normal(size=(n, columns)) / 3, rng.normal(size=(n, columns + 1)) / 3
    path = simulate(net, Noise(inside=inside, outside=outside), steps=30, trajectories=LANES, rng=6)
    expected = numpy_loop(net, Noise(inside=inside, outside=outside), net.drive(), np.zeros(n), 30, rng=6)
    np.testing.assert_allclose(path.h[1:], expected, **ROUNDING)


def test_equals_numpy_loop_with_input_in_time():
    net, u = network(3), np.random.default_rng(3).normal(size=(30, 2))
    path = simulate(net, NOISES["both"], u, 30, LANES, rng=2)
    expected = numpy_loop(net, NOISES["both"], u @ net.W_in.T + net.b, np.zeros(3), 30, rng=2)
    np.testing.assert_allclose(path.h[1:], expected, **ROUNDING)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("name", NOISES)
def test_averages_are_those_of_the_path(name, table):
    net, noise = network(3, "relu"), NOISES[name]
    samples, every, centre = 20, 3, np.array([0.1, 0.0, -0.2])
    path = simulate(net, noise, steps=samples * every, trajectories=2 * LANES, record_every=every, rng=4).h[1:]
    ensemble = Ensemble(net, noise, net.drive(), trajectories=2 * LANES, rng=4)
    if table:  # too narrow at first: it has to be widened, without a trace
        ensemble.tabulate(np.full(3, 0.0), np.full(3, 0.1))
    averages = ensemble.measure(samples, every, centre)
    std = noise.std("inside", 3) if table else 0.0
    preactivation = path @ net.W.T + net.drive()
    smoothed = net.activation.smoothed(preactivation, std)
    np.testing.assert_allclose(averages.means(), path.mean(axis=0), **ROUNDING)
    np.testing.assert_allclose(averages.residual, (smoothed - path).mean(axis=0), rtol=0, atol=1e-11)
    mean = np.array([0.3, 0.2, 0.1])
    np.testing.assert_allclose(averages.squares(mean), ((path - mean) ** 2).mean(axis=0), **ROUNDING)
    moment = np.einsum("tki,tkj->ij", path - mean, path - mean) / path.shape[0] / path.shape[1]
    np.testing.assert_allclose(averages.covariance(mean), moment, **ROUNDING)
    by_block = (path - centre).reshape(samples, 2, LANES, 3)
    cross = np.einsum("tbki,tbkj->bij", by_block, by_block) / samples / LANES
    np.testing.assert_allclose(averages.cross, cross, **ROUNDING)
    np.testing.assert_allclose(averages.low, preactivation.min(axis=(0, 1)), **ROUNDING)
    np.testing.assert_allclose(averages.high, preactivation.max(axis=(0, 1)), **ROUNDING)
    np.testing.assert_allclose(ensemble.states, path[-1], **ROUNDING)


@pytest.mark.parametrize("name", ["in", "out", "both", "factor out", "none"])
def test_moments_a_step_ahead(name):
    """E[d' d'ᵀ | h] of each sampled state, by the mean and variance of its step."""
    net, noise = network(3, "relu"), NOISES[name]
    samples, every, centre = 20, 3, np.array([0.1, 0.0, -0.2])
    path = simulate(net, noise, steps=samples * every, trajectories=2 * LANES, record_every=every, rng=4).h[1:]
    ensemble = Ensemble(net, noise, net.drive(), trajectories=2 * LANES, rng=4)
    ensemble.tabulate(np.full(3, 0.0), np.full(3, 0.1), variance=True)
    averages = ensemble.measure(samples, every, centre)
    a, std = path @ net.W.T + net.drive(), noise.std("inside", 3)
    mean = (1 - net.gamma) * path + net.gamma * net.activation.smoothed(a, std) - centre
    mean = mean.reshape(samples, 2, LANES, 3)
    ahead = np.einsum("tbki,tbkj->bij", mean, mean) / samples / LANES
    variance = net.activation.smoothed_variance(a, std).reshape(samples, 2, LANES, 3).mean(axis=(0, 2))
    ahead += net.gamma**2 * (noise.covariance("outside", 3) + np.array([np.diag(v) for v in variance]))
    np.testing.assert_allclose(averages.ahead, ahead, rtol=1e-8, atol=1e-9)  # v to the tolerance of its table


WITHOUT_JIT = """
import sys, numpy as np
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
np.seterr(over="ignore")  # integers that wrap around
factor = np.array([[0.3, 0.1], [0.0, 0.2]])
net = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], "relu", 0.2)
ensemble = Ensemble(net, Noise(inside=[0.3, 0.0], outside=factor), net.drive(), rng=3, workers=1)
ensemble.tabulate(np.full(2, -1.0), np.full(2, 1.0), variance=True)
path = ensemble.record(2, 1, 5)
averages = ensemble.measure(1, 2, np.zeros(2))
second = averages.cross, averages.ahead
np.savez(sys.argv[1], path, averages.first, averages.residual, *second, averages.low, ensemble.states)
"""


def test_without_jit(tmp_path):
    """Bounds are checked with the compiler off: the same numbers, and no index out of range."""
    results = []
    for off in ("1", "0"):
        file = tmp_path / f"{off}.npz"
        environment = {**os.environ, "NUMBA_DISABLE_JIT": off}
        subprocess.run([sys.executable, "-c", WITHOUT_JIT, file], check=True, env=environment)
        with np.load(file) as arrays:
            results.append([arrays[name] for name in arrays])
    for interpreted, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(interpreted, compiled, **ROUNDING)
