"""Every method on networks of many neurons, against the simulation and against the numbers of an earlier version.

In a stationary law E h = E f(y), y = W h + b + noise. About a state h with a = W h + b the mean is off by d, and
Taylor's formula gives (I - D W) d = R, where R is what the method leaves out. Each bound below is that of R, times
|(I - D W)⁻¹|; what it needs to know about the law is taken from the simulation.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

import ctrnn_theory as ct
from tests.large_networks import GAMMA, KINDS, REFERENCES, SIGMA, network, noise
from tests.large_references import FILE, moments, solved

SAME = 1e-10  # relative to the largest mean or variance; the closures stop at 1e-11
ROUNDING = 1e-9
SIMULATED = {"trajectories": 128, "steps": 2000, "rng": 1, "workers": 1}
GRID = np.linspace(-12.0, 12.0, 2401)
TINY = np.finfo(float).tiny
SKEWNESS = 3.0 * np.sqrt(GAMMA)
"""Skewness of a recurrent input that the bound of the closures allows: the state averages the skewed f(y) over 1/γ
steps, which divides its skewness by about √(1/γ)."""
FEW = ("exact", "fokker_planck")  # methods for up to three neurons, or latent variables
AT_MOST = {"cumulant_closure": 64}  # neurons of a method that has a limit


class Truth(NamedTuple):
    """A network, its noise-free fixed point, its simulated law, and the variances of y that belong to it."""

    net: ct.CTRNN
    noise: ct.Noise
    fixed_point: np.ndarray
    law: ct.StationaryLaw

    @property
    def private(self):
        """Variance (N,) of the noise inside."""
        return self.noise.std("inside", self.net.n) ** 2

    def recurrent(self, V):
        """Variance (N,) of W h."""
        return np.einsum("ij,jk,ik->i", self.net.W, V, self.net.W, optimize=True)

    def through(self, slopes, left_out):
        """Bound (N,) of the mean for one of R."""
        return np.abs(np.linalg.inv(np.eye(self.net.n) - slopes[:, None] * self.net.W)) @ left_out

    def steepest(self, derivative, s=None):
        f = self.net.activation
        return np.max(np.abs(f.derivative(GRID, derivative) if s is None else f.smoothed(GRID, s, derivative)))


@cache
def truth(kind, n, site, activation=None):
    net, own = network(kind, n, activation), noise(kind, n, site)
    law = ct.predict(net, own, method="simulation", **SIMULATED)
    assert law.converged, law.message
    return Truth(net, own, ct.predict(net, own, method="deterministic").mean, law)


def second_order(true, a, square):
    """R of a method that ignores a variable part of y of mean square `square` (N,): |f''| square/2, or for a relu the
    mean of (|x| - |a|)₊, which is at most √square and square/4|a|."""
    if true.net.activation.kinks:
        return np.minimum(np.sqrt(square), square / np.maximum(4.0 * np.abs(a), TINY))
    return 0.5 * true.steepest(2) * square


def deterministic(true, law):
    W, a = true.net.W, true.net.preactivation(true.fixed_point)
    shift = W @ (true.law.mean - true.fixed_point)
    square = true.private + true.recurrent(true.law.covariance) + shift**2
    return true.through(true.net.activation.derivative(a), second_order(true, a, square))


def small_noise(true, law):
    """Terms of the third order, of the fourth, and of the second with the linear response's variance."""
    f, W = true.net.activation, true.net.W
    if f.kinks:
        return deterministic(true, law)  # f'' = 0: it has no shift
    a = true.net.preactivation(true.fixed_point)
    shift, S = np.abs(W @ (true.law.mean - true.fixed_point)), true.private + true.recurrent(true.law.covariance)
    off = np.abs(true.recurrent(true.law.covariance) - true.recurrent(law.covariance))
    second, third = np.abs(f.derivative(a, 2)), np.abs(f.derivative(a, 3))
    left_out = second / 2 * (off + shift**2) + third / 6 * (3 * S * shift + shift**3)
    fourth = true.steepest(4) / 24 * 3 * (S + shift**2) ** 2
    return true.through(f.derivative(a), left_out + fourth)


def mean_field(true, law):
    """It ignores the fluctuations of the state, with f smoothed by the noise inside."""
    f, a, s = true.net.activation, true.net.preactivation(law.mean), np.sqrt(true.private)
    square = true.recurrent(true.law.covariance) + (true.net.W @ (true.law.mean - law.mean)) ** 2
    left_out = 0.5 * true.steepest(2, s.min()) * square if s.min() else second_order(true, a, square)
    return true.through(f.smoothed(a, s, 1), left_out)


def closure(true, law):
    """E f'''(y) κ₃(y)/6, where |E f'''| ≤ max |f'|/s² by Stein's lemma, and κ₃ is that of the recurrent input."""
    recurrent = true.recurrent(true.law.covariance)
    S = np.maximum(true.private + recurrent, TINY)
    slopes = true.net.activation.smoothed(true.net.preactivation(law.mean), np.sqrt(S), 1)
    return true.through(slopes, true.steepest(1) / 6 * SKEWNESS * recurrent**1.5 / S)


def latent(true, law):
    """What the law states of κ = Dᵀ h, whose decoders have length one, as the neurons read it."""
    return np.linalg.norm(true.net.W, axis=1) * np.max(law.details["cumulant_error"] + law.details["error"])


def fokker_planck(true, law):
    """The variance of a motion of rate λ per τ lacks γλ/(2 - γλ) of itself, which reaches the mean by f''; and what the
    closure leaves out, as the skewness of a step is neglected too."""
    f, a = true.net.activation, true.net.preactivation(law.mean)
    slopes = f.smoothed(a, np.sqrt(true.private + true.recurrent(true.law.covariance)), 1)
    fastest = GAMMA * np.max(np.abs(np.linalg.eigvals(np.eye(true.net.n) - slopes[:, None] * true.net.W)))
    missing = fastest / (2.0 - fastest) * true.recurrent(true.law.covariance)
    s = np.sqrt(true.private)
    bend = true.steepest(2, s.min()) if s.min() else true.steepest(2)
    return true.through(slopes, 0.5 * bend * missing) + closure(true, law)


BOUNDS = {
    "latent": latent,
    "fokker_planck": fokker_planck,
    "deterministic": deterministic,
    "mean_field": mean_field,
    "small_noise": small_noise,
    "gaussian_closure": closure,
    "cumulant_closure": closure,
}


def check(method, kind, n, site, activation=None):
    true = truth(kind, n, site, activation)
    if method == "simulation":  # of half the length, and with other variates
        law = ct.predict(true.net, true.noise, method=method, **(SIMULATED | {"rng": 2, "steps": 1000}))
        error = np.hypot(law.standard_error, true.law.standard_error)
        assert np.all(np.abs(law.mean - true.law.mean) <= 5.0 * error + ROUNDING)
        return
    if method == "latent" and kind != "low_rank":
        with pytest.raises(ct.NotApplicable, match=r"rank of at most 3; singular values are|theirs are correlated"):
            ct.predict(true.net, true.noise, method=method)
        return
    few = method in FEW and (method, kind) != ("fokker_planck", "low_rank")
    if few or n > AT_MOST.get(method, n):
        with pytest.raises(ct.NotApplicable, match=f"{n}"):
            ct.predict(true.net, true.noise, method=method)
        return
    law = ct.predict(true.net, true.noise, method=method)
    if not law.converged and method in ("latent", "fokker_planck"):  # of what no noise smooths, and the law says so
        assert law.message.startswith("the smoothed activation bends too sharply to be resolved")
        assert np.all(np.abs(law.mean - true.law.mean) <= 0.05 * true.law.std + ROUNDING)
        return
    assert law.converged, law.message
    allowed = BOUNDS[method](true, law) + 5.0 * true.law.standard_error + ROUNDING
    assert np.all(np.abs(law.mean - true.law.mean) <= allowed)
    if BOUNDS[method] is closure:
        variance, error = (np.diag(V) for V in (true.law.covariance, true.law.details["covariance_standard_error"]))
        assert np.all(np.abs(law.std**2 - variance) <= 5.0 * error + GAMMA * variance + ROUNDING)


@pytest.mark.parametrize("n", [48, 160])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ct.METHODS)
def test_methods_agree_with_the_simulation(method, kind, n):
    check(method, kind, n, "inside")


@pytest.mark.slow
@pytest.mark.parametrize("n", [48, 160])
@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ct.METHODS)
def test_methods_agree_with_the_simulation_on_more_networks(method, kind, site, activation, n):
    check(method, kind, n, site, activation)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bounds_would_notice(kind):
    """The closure's bound is far below the bias, and below what a noise a tenth stronger would make of it."""
    true = truth(kind, 48, "inside")
    law = ct.predict(true.net, true.noise, method="gaussian_closure")
    allowed = closure(true, law) + 5.0 * true.law.standard_error + ROUNDING
    assert np.max(allowed) < 0.05 * np.max(np.abs(law.mean - true.fixed_point))
    stronger = ct.predict(true.net, noise(kind, 48, sigma=1.1 * SIGMA), method="gaussian_closure")
    assert np.any(np.abs(stronger.mean - true.law.mean) > allowed)


@pytest.fixture(scope="module")
def kept():
    with np.load(FILE) as file:
        return dict(file)


@pytest.mark.parametrize("case", REFERENCES, ids=lambda case: case.name)
def test_numbers_are_those_of_an_earlier_version(case, kept):
    law = solved(case)
    assert law.converged, law.message
    for found, wanted in zip(moments(law), kept[case.name], strict=True):
        assert np.max(np.abs(found - wanted)) <= SAME * np.max(np.abs(wanted))
