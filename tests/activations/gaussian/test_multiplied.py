"""Moments of f where noise multiplies its argument, against averages over that noise instead of over the argument."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import ActivationGroup, activation
from ctrnn_theory.activations.gaussian.common_gains import common_covariances
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.gaussian.multiplied import Argument, gained_moments, gained_values

seeds = st.integers(0, 2**32 - 1)


def nodes(breaks=()):
    """Gauss–Legendre panels for a standard normal variate, with edges that crowd about some places."""
    crowd = [place + sign * 2.0 ** -np.arange(-1.0, 45.0) for place in breaks for sign in (-1.0, 1.0)]
    edges = np.unique(np.clip(np.concatenate([np.linspace(-9.6, 9.6, 40), np.array(breaks), *crowd]), -9.6, 9.6))
    x, w = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2.0
    u, weight = (edges[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()
    weight = weight * np.exp(-0.5 * u * u)
    return u, weight / weight.sum()


def argument(rng, n, kind="all", gain=0.5):
    """Arguments of n neurons in a batch of one, with what the kind says in common."""
    L, R = 0.5 * rng.normal(size=(2 * n, 2 * n)), gain * rng.normal(size=(n, n)) / np.sqrt(n)
    V, R = L @ L.T / n, R @ R.T
    own, cross, added = V[:n, :n], V[:n, n:], V[n:, n:]
    if kind in ("separable", "bare"):
        cross, added, R = np.zeros((n, n)), np.diag(np.diag(added)) * (kind != "bare"), np.diag(np.diag(R))
    if kind == "column":
        g = gain * rng.uniform(0.2, 1.0, n)
        R = np.outer(g, g)
    return Argument(*(x[None] for x in (rng.normal(size=n), 0.3 * rng.normal(size=n), own, cross, added, R)))


def given_noise(f, x, i):
    """Mean, E (1 + w) f', E f' and variance of one neuron: averages over w of what a normal argument has."""
    g = np.sqrt(x.gain[0, i, i])
    u, weight = nodes([-1.0 / g])
    scale = 1.0 + g * u
    own, cross, added = (part[0, i, i] for part in (x.own, x.cross, x.added))
    a, s = scale * x.mean[0, i] + x.shift[0, i], np.sqrt(np.maximum(scale**2 * own + 2.0 * scale * cross + added, 0.0))
    F, slope = f.smoothed(a, s), f.smoothed(a, s, 1)
    mean = weight @ F
    return mean, weight @ (scale * slope), weight @ slope, weight @ (f.smoothed_variance(a, s) + (F - mean) ** 2)


@given(
    seeds, st.sampled_from(["tanh", "softplus", "relu", "hardtanh", "gelu", "sin"]), st.sampled_from([0.1, 0.5, 1.5])
)
@settings(max_examples=25)
def test_one_neuron_against_the_average_over_the_noise(seed, name, gain):
    rng = np.random.default_rng(seed)
    f, x = activation(name), argument(rng, 1, gain=gain)
    at = gained_moments(f, x)
    found = at.value[0, 0], at.slope[0, 0, 0], at.slope[0, 1, 0], at.covariance[0, 0, 0]
    np.testing.assert_allclose(found, given_noise(f, x, 0), rtol=1e-11, atol=1e-12)
    value, slope = gained_values(f, x.mean, x.shift, np.sqrt(x.gain[:, 0]), x.parts(), slope=True)
    assert (value[0, 0], slope[0, 0, 0]) == (at.value[0, 0], at.slope[0, 0, 0])


@given(seeds, st.integers(1, 5), st.sampled_from(["all", "separable", "column", "bare"]))
@settings(max_examples=20)
def test_a_linear_activation_has_moments_in_closed_form(seed, n, kind):
    rng = np.random.default_rng(seed)
    x = argument(rng, n, kind)
    at = gained_moments(activation("2*x + 1"), x)
    a = x.mean[0]
    expected = x.total()[0] + x.gain[0] * (x.own[0] + np.outer(a, a))
    np.testing.assert_allclose(at.value[0], 2.0 * (a + x.shift[0]) + 1.0, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(at.slope, 2.0, rtol=1e-13)
    np.testing.assert_allclose(at.covariance[0], 4.0 * expected, rtol=1e-11, atol=1e-12 * np.max(np.abs(expected)))


@given(seeds, st.sampled_from([0.0, 0.5, 0.97, 1.0, -1.0]))
@settings(max_examples=15)
def test_relu_without_additive_noise_has_two_slopes(seed, r):
    """E relu(α (1 + g ξ)) = M α₊ + (M - 1) (-α)₊ with M = E relu(1 + g ξ), whose covariance is known in closed form."""
    rng = np.random.default_rng(seed)
    m, s, g = rng.normal(size=2), rng.uniform(0.3, 1.0, 2), rng.uniform(0.2, 1.2)
    S, zero = np.array([[1.0, r], [r, 1.0]]) * np.outer(s, s), np.zeros((1, 2, 2))
    at = gained_moments(
        activation("relu"), Argument(m[None], 0.0 * m[None], S[None], zero, zero, zero + g**2 * np.eye(2))
    )
    M = float(activation("relu").smoothed(1.0, g))
    bent = activation(f"{M!r}*Max(0, x) + {M - 1.0!r}*Max(0, -x)")
    np.testing.assert_allclose(at.value[0], bent.smoothed(m, s), rtol=1e-13, atol=1e-15)
    expected = covariance_matrices(bent, m, S)[0, 1]
    # the remainder of 400 terms of a series with coefficients like those of a ramp, or quadrature at |r| near 1
    assert at.covariance[0, 0, 1] == pytest.approx(expected, abs=1e-11)


@given(seeds, st.sampled_from(["tanh", "softplus", "sin"]))
@settings(max_examples=10)
def test_the_rule_for_common_noise_agrees_with_the_series_for_private_noise(seed, name):
    """Two methods that share nothing but the formulas for normal inputs, where both apply."""
    rng = np.random.default_rng(seed)
    x, f = argument(rng, 3, "separable", gain=0.3), activation(name)
    x = Argument(x.mean, x.shift, x.own, x.cross, x.added + 0.1 * np.eye(3), x.gain)
    C, common = gained_moments(f, x).covariance[0], common_covariances(f, x)[0]
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(common[off], C[off], rtol=0.0, atol=1e-9)


@given(seeds, st.sampled_from(["tanh", "softplus", "relu"]), st.booleans())
@settings(max_examples=5)
def test_noise_of_one_source_against_the_average_over_it(seed, name, mixed):
    """E Cov(f_i, f_j | u) + Cov(F_i(u), F_j(u)) with every w_i = g_i u."""
    rng = np.random.default_rng(seed)
    x, other = argument(rng, 3, "column", gain=0.4), activation("erf" if mixed else name)
    f = ActivationGroup((activation(name), other, activation(name))) if mixed else activation(name)
    x = Argument(x.mean, x.shift, x.own, x.cross, x.added + 0.1 * np.eye(3), x.gain)
    g = np.sqrt(np.diagonal(x.gain[0]))
    u, weight = nodes([*(-1.0 / g), *((-x.shift[0] / x.mean[0] - 1.0) / g)])
    scale = 1.0 + np.sqrt(np.diagonal(x.gain[0])) * u[:, None]
    mean = scale * x.mean[0] + x.shift[0]
    S = scale[:, :, None] * scale[:, None] * x.own[0] + x.added[0]
    one = scale[:, :, None] * x.cross[0]
    S = S + one + np.swapaxes(one, 1, 2)
    C, F = covariance_matrices(f, mean, S), f.smoothed(mean, np.sqrt(np.diagonal(S, axis1=1, axis2=2)))
    F = F - weight @ F
    expected = np.einsum("q,qij->ij", weight, C) + np.einsum("q,qi,qj->ij", weight, F, F)
    np.testing.assert_allclose(gained_moments(f, x).covariance[0], expected, rtol=0.0, atol=1e-12)
    assert np.max(np.abs(gained_moments(f, x).covariance[0] - np.einsum("q,qij->ij", weight, C))) > 1e-4  # control


def test_no_variance_of_the_state():
    """α is a point, so that the argument is normal."""
    one, zero = np.ones((1, 1)), np.zeros((1, 1, 1))
    at = gained_moments(activation("tanh"), Argument(0.7 * one, 0.0 * one, zero, zero, zero + 0.04, zero + 0.25))
    f, s = activation("tanh"), np.sqrt(0.04 + 0.25 * 0.49)
    assert at.value[0, 0] == pytest.approx(f.smoothed(0.7, s), rel=1e-13)
    assert at.covariance[0, 0, 0] == pytest.approx(f.smoothed_variance(0.7, s), rel=1e-13)
