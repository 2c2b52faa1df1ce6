"""The general kernel against a NumPy loop of a few lines on the same variates."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import ndtri

from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.general import STATIONARY, GeneralSteps
from ctrnn_theory.integrators.normals import LANES, seed_words, standard_normals
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import NotApplicable

ROUNDING = {"rtol": 1e-11, "atol": 1e-12}
FACTOR = np.arange(6.0).reshape(3, 2) / 10
START = np.array([0.3, -0.2, 1.0])


def rows_of(value, factor):
    return factor.shape[1] if np.any(value) else 0


def numpy_loop(net, noise, drive, start, steps, rng, block=0, sign=1.0):
    """Paths of the states (steps, LANES, N) and of all sources, by the formulas of the step and nothing else."""
    n, words = net.n, seed_words(rng)
    factors = {site: noise.factor(site, n) for site in SITES}
    gains = {site: noise.gain_factor(site, n) for site in SITES}
    common, keep = noise.common_gain(n), noise.kept(n)
    sizes = [rows_of(getattr(noise, site), factors[site]) for site in SITES]
    sizes += [rows_of(getattr(noise, f"gain_{site}"), gains[site]) for site in SITES]
    sizes += [int(common.any()), n * int(np.any(keep < 1.0))]
    if np.any(gains["inside"].any(axis=1) & noise.coloured("inside", n)[0].any(axis=1)):
        sizes.append(sizes[2])  # the probe, which no step uses
    z = sign * standard_normals(words, block, steps, sum(sizes)).transpose(0, 2, 1)
    parts = np.split(z, np.cumsum(sizes)[:-1], axis=2)
    rho, x = {}, {}
    chosen = {site: (noise.rho(site, n) > 0) & factors[site].any(axis=0) for site in SITES}
    first = sign * standard_normals(words, block, 1, max(1, sum(map(np.sum, chosen.values()))), STATIONARY)[0].T
    for site, part in zip(SITES, parts, strict=False):
        rho[site] = noise.rho(site, n) if part.shape[2] else np.zeros(0)
        x[site] = np.zeros((LANES, part.shape[2]))
        count = np.sum(chosen[site])
        x[site][:, np.flatnonzero(chosen[site])] = first[:, :count]
        first = first[:, count:]
    h, path = np.tile(start, (LANES, 1)), []
    for t in range(steps):
        added = {}
        for site, part in zip(SITES, parts, strict=False):
            x[site] = rho[site] * x[site] + np.sqrt(1 - rho[site] ** 2) * part[t]
            added[site] = x[site] @ factors[site].T if part.shape[2] else 0.0
        current = np.atleast_2d(drive)[min(t, len(np.atleast_2d(drive)) - 1)]
        a = h if net.form == "voltage" else h @ net.W.T + current
        if parts[2].shape[2]:
            a = a * (1 + parts[2][t] @ gains["inside"].T)
        y = net.activation(a + added["inside"])
        if parts[3].shape[2]:
            y = y * (1 + parts[3][t] @ gains["outside"].T)
        if parts[4].shape[2]:
            y = y * (1 + parts[4][t] * common)
        if parts[5].shape[2]:
            y = y * (parts[5][t] < ndtri(keep)) / keep
        target = y @ net.W.T + current if net.form == "voltage" else y
        h = (1 - net.gammas) * h + net.gammas * (target + added["outside"])
        path.append(h)
    return np.array(path)


def network(form="rate", activation="tanh", gamma=0.2, n=3):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(n, n)) * 0.8 / np.sqrt(n)
    return CTRNN(W, rng.normal(size=n) * 0.3, activation, gamma, W_in=rng.normal(size=(n, 2)), form=form)


NETWORKS = {
    "rate": network(),
    "voltage": network("voltage"),
    "gammas": network(gamma=[0.1, 0.5, 1.0]),
    "activations": network(activation=["tanh", "relu", "tanh"]),
    "all": network("voltage", ["relu", "softplus", "softplus"], [0.3, 0.2, 0.2]),
}
NOISES = {
    "white": Noise(0.5, [0.1, 0.2, 0.3]),
    "factors": Noise(FACTOR, FACTOR[:, :1]),
    "gain inside": Noise(inside=0.2, gain_inside=[0.5, 0.0, 0.3]),
    "gain outside": Noise(gain_outside=0.5),
    "common gains": Noise(inside=0.1, gain_inside=FACTOR, gain_outside=FACTOR[:, 1:]),
    "product": Noise(outside=0.2, gain_outside=0.4, common_gain_outside=[0.5, 0.3, 0.2]),
    "dropout": Noise.dropout([0.5, 1.0, 0.9], outside=0.1),
    "coloured inside": Noise(0.5, 0.1, rho_inside=0.7),
    "coloured outside": Noise(0.2, FACTOR, rho_outside=[0.9, 0.0]),
    "some coloured": Noise([0.4, 0.0, 0.3], 0.3, rho_inside=[0.5, 0.9, 0.0], rho_outside=[0.0, 0.3, 0.99]),
    "everything": Noise(FACTOR, 0.3, 0.2, FACTOR, [0.5, 0.0], [0.1, 0.0, 0.9], 0.2, 0.8),
    "none": Noise(),
}


def general(net, noise, **options):
    """An ensemble that steps by the general kernel in any case."""
    made = Ensemble(net, noise, net.drive([0.3, 0.1]), START, 2 * LANES, 5, **options)
    made.taken = GeneralSteps(net, noise, net.drive([0.3, 0.1]), seed_words(5))
    return made


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_equals_numpy_loop(kind, name):
    net, noise = NETWORKS[kind], NOISES[name]
    path = general(net, noise).record(30, 1, 2 * LANES)
    for block in range(2):
        expected = numpy_loop(net, noise, net.drive([0.3, 0.1]), START, 30, 5, block)
        np.testing.assert_allclose(path[:, block * LANES : (block + 1) * LANES], expected, **ROUNDING)


@pytest.mark.parametrize("name", NOISES)
def test_mirror_images_have_the_opposite_variates(name):
    net, noise = NETWORKS["all"], NOISES[name]
    path = general(net, noise, antithetic=True).record(30, 1, 2 * LANES)
    for block, sign in enumerate((1.0, -1.0)):
        expected = numpy_loop(net, noise, net.drive([0.3, 0.1]), START, 30, 5, sign=sign)
        np.testing.assert_allclose(path[:, block * LANES : (block + 1) * LANES], expected, **ROUNDING)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_any_size(form, n):
    net, noise = network(form, n=n), Noise(0.3, 0.2, 0.1, 0.4, 0.5, 0.2, 0.1, 0.7)
    drive = np.random.default_rng(3).normal(size=(25, n))
    path = Ensemble(net, noise, drive, rng=2).record(30, 1, LANES)
    expected = numpy_loop(net, noise, drive, np.zeros(n), 30, 2)
    np.testing.assert_allclose(path, expected, **ROUNDING)


def noisy(net, noise):
    """Mean and variance of the activation given the state, for noise inside that is new in a step."""
    factor, rho = noise.factor("inside", net.n), noise.rho("inside", net.n)
    std = np.sqrt(np.sum(factor**2 * (1 - rho**2), axis=1))
    return NoisyActivation(net.activation, std, np.sqrt(np.diag(noise.gain_covariance("inside", net.n))))


def begun(net, noise, workers=1, **options):
    made = Ensemble(net, noise, net.drive([0.3, 0.1]), START, 4 * LANES, 5, workers, **options)
    made.tabulate(np.full(3, -1.0), np.full(3, 1.0), made.taken.separate)
    return made


TABLED = [name for name in NOISES if name != "everything"]  # which is probed: see the test of surprises


@pytest.mark.parametrize("name", TABLED)
@pytest.mark.parametrize("kind", ["all", "rate"])
def test_averages_are_those_of_the_path(kind, name):
    """Moments, residuals, and the second moments a step ahead, by formulas of the mean and covariance of a step."""
    net, noise, every, centre = NETWORKS[kind], NOISES[name], 3, np.array([0.1, 0.0, -0.2])
    one, other = (begun(net, noise) for _ in range(2))
    averages = one.measure(5, every, centre)
    states, sources = [], []
    for _ in range(5):
        other.advance(every)
        states.append(other.states)
        sources.append(other.sources)
    h, x = np.array(states), np.array(sources)
    whole = Augmented.of(net, noise, [0.3, 0.1])
    g, about = np.concatenate([h, x], axis=2), np.append(centre, np.zeros(whole.size - 3))
    f = noisy(net, noise)
    argument = g @ whole.read.T + whole.wiring.c
    F = f.value(argument)
    ahead = g @ whole.transition.T + F @ whole.write.T + whole.offset
    scale = np.append(net.gammas, np.ones(whole.size - 3))
    np.testing.assert_allclose(averages.first, (g - about).mean(axis=0), **ROUNDING)
    np.testing.assert_allclose(averages.residual, ((ahead - g) / scale).mean(axis=0), rtol=0, atol=1e-10)
    if one.table.has_variance:
        R = noise.gain_covariance("outside", 3)
        C = R * (F[..., :, None] * F[..., None, :]) + (1.0 + R) * (np.eye(3) * f.variance(argument)[..., None, :])
        mixed = whole.write @ (f.slope(argument)[..., None] * whole.shared)
        Q = whole.write @ C @ whole.write.T + whole.outer + mixed + mixed.swapaxes(-1, -2)
        d = ahead - about
        second = (d[..., :, None] * d[..., None, :] + Q).reshape(5, -1, LANES, whole.size, whole.size)
        np.testing.assert_allclose(averages.ahead, second.mean(axis=(0, 2)), rtol=1e-8, atol=1e-9)
    if net.form == "voltage":
        np.testing.assert_allclose(averages.rate, net.activation(h).mean(axis=0), **ROUNDING)
    np.testing.assert_allclose(averages.low, argument.min(axis=(0, 1)), **ROUNDING)


NAMES = ("first", "second", "residual", "cross", "ahead", "low", "high", "rate")


@pytest.mark.parametrize("name", ["everything", "some coloured", "dropout"])
def test_threads_and_cuts_make_no_difference(name, monkeypatch):
    net, noise = NETWORKS["all"], NOISES[name]
    made = [Ensemble(net, noise, net.drive([0.3, 0.1]), START, 4 * LANES, 5, workers) for workers in (1, 2, 1)]
    monkeypatch.setattr(made[2].pace, "steps", 7)
    monkeypatch.setattr(made[2].pace, "lasted", lambda *_: None)
    for each in made:
        each.advance(300)
    found = [each.measure(50, 2, np.zeros(3), residual=False) for each in made]
    for each, averages in zip(made[1:], found[1:], strict=True):
        assert np.array_equal(each.g, made[0].g)
        for part in NAMES:
            assert np.array_equal(getattr(averages, part), getattr(found[0], part)), part
    again = Ensemble(net, noise, net.drive([0.3, 0.1]), START, 4 * LANES, 5)
    again.advance(100)
    middle = again.states, again.sources
    again.restart()
    again.place(*middle)
    again.seek(100)
    again.advance(300)
    assert np.array_equal(again.g, made[0].g)
    again.restart()
    again.advance(400)
    assert np.array_equal(again.g, made[0].g)


def test_sources_begin_in_their_stationary_law():
    """At once, and after many steps, from independent variates."""
    net, noise = CTRNN([[0.5]], 0.1, "tanh", 0.3), Noise(0.5, 0.2, rho_inside=0.99, rho_outside=0.9)
    made = Ensemble(net, noise, net.drive(), None, 256 * LANES, 3)
    for _ in range(3):
        x = made.sources
        size = len(x)
        assert np.all(np.abs(x.mean(axis=0)) < 5 / np.sqrt(size))
        assert np.all(np.abs(np.mean(x**2, axis=0) - 1.0) < 5 * np.sqrt(2 / size))
        assert abs(np.mean(x[:, 0] * x[:, 1])) < 5 / np.sqrt(size)
        made.advance(5)


def test_white_noise_is_the_same_by_either_kernel():
    net, noise = NETWORKS["rate"], NOISES["factors"]
    white = Ensemble(net, noise, net.drive([0.3, 0.1]), START, 2 * LANES, 5)
    np.testing.assert_allclose(white.record(300, 1, 100), general(net, noise).record(300, 1, 100), **ROUNDING)


def test_too_many_activations_are_refused():
    n = 65
    net = CTRNN(np.zeros((n, n)), 0.0, [f"tanh({i + 1}*x/10)" for i in range(n)], 0.1)
    with pytest.raises(NotApplicable, match="at most 64 activations, not 65"):
        Ensemble(net, Noise(0.1), net.drive())


WITHOUT_JIT = """
import sys, numpy as np
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
np.seterr(over="ignore")  # integers that wrap around
net = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], ["relu", "tanh"], [0.2, 0.3], form="voltage")
noise = Noise([0.3, 0.1], [[0.1], [0.2]], 0.0, 0.3, 0.5, [0.7], 0.2, 0.8)
ensemble = Ensemble(net, noise, net.drive(), rng=3, workers=1)
ensemble.tabulate(np.full(2, -1.0), np.full(2, 1.0), True)
path = ensemble.record(2, 1, 5)
averages = ensemble.measure(1, 2, np.zeros(2))
np.savez(sys.argv[1], path, averages.first, averages.residual, averages.ahead, averages.rate, ensemble.g)
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
