"""One step of the closure for every kind of network and noise, against sums over all variates of the step itself.

With polynomials for f, Gauss–Hermite quadrature of few nodes is exact, so that a step is known to rounding.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.augmented_step import AugmentedClosure
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments

seeds = st.integers(0, 2**32 - 1)
POLYNOMIALS = ("x", "1 - x/2 + x**2/4", "x**2/5 - x/3")
KINDS = ("coloured_in", "coloured_out", "gain_in", "common_gain_in", "gain_out", "common_out", "dropout", "both_out")


def grid(counts):
    """Gauss–Hermite nodes (M, dimensions) and weights (M,) of standard normal variates, `counts` nodes for each."""
    rules = [np.polynomial.hermite_e.hermegauss(count) for count in counts]
    points = np.stack([x.ravel() for x in np.meshgrid(*(x for x, _ in rules), indexing="ij")], axis=1)
    weight = np.ones(1)
    for _, w in rules:
        weight = np.multiply.outer(weight, w / w.sum())
    return points, weight.ravel()


def random_noise(rng, kinds):
    """Noise of two neurons with one white source at each site, and the other kinds that are asked for."""
    inside, rho_in, outside, rho_out = [rng.normal(size=2)], [0.0], [rng.normal(size=2)], [0.0]
    if "coloured_in" in kinds:
        inside, rho_in = [*inside, rng.normal(size=2)], [0.0, rng.uniform(0.1, 0.95)]
    if "coloured_out" in kinds:
        outside, rho_out = [*outside, rng.normal(size=2)], [0.0, rng.uniform(0.1, 0.95)]
    others = {}
    if "gain_in" in kinds:
        others["gain_inside"] = rng.uniform(0.1, 0.6, 2)
    if "common_gain_in" in kinds:
        others["gain_inside"] = rng.normal(size=(2, 1))
    if "gain_out" in kinds:
        others["gain_outside"] = rng.uniform(0.1, 0.6, 2)
    if "both_out" in kinds:
        others["gain_outside"] = rng.normal(size=(2, 2))
    if "common_out" in kinds:
        others["common_gain_outside"] = rng.uniform(0.1, 0.6, 2)
    if "dropout" in kinds:
        others["keep"] = rng.uniform(0.3, 0.9, 2)
    factors = np.array(inside).T, np.array(outside).T
    return Noise(inside=factors[0], outside=factors[1], rho_inside=rho_in, rho_outside=rho_out, **others)


def moments_by_sums(net, noise, mean, V):
    """Mean and covariance of the state and its sources, of unit variance, after one step from N(mean, V)."""
    n, g = net.n, net.gammas
    (L_in, rho_in), (L_out, rho_out) = (noise.coloured(site, n) for site in ("inside", "outside"))
    G_in, G_out = noise.gain_factor("inside", n), noise.gain_factor("outside", n)
    G_in, G_out = (G[:, np.any(G, axis=0)] for G in (G_in, G_out))
    white = noise.white("inside", n), noise.white("outside", n)
    first, second = len(rho_in), len(rho_out)
    # y² has degree 4 in what f sees, and degree 2 in the rest
    sizes = [len(mean) - second, second, white[0].shape[1], first, G_in.shape[1], white[1].shape[1], second]
    sizes += [G_out.shape[1], int(np.any(noise.common_gain(n)))]
    nodes, weight = grid(
        [count for size, count in zip(sizes, (4, 2, 4, 4, 4, 2, 2, 2, 2), strict=True) for _ in range(size)]
    )
    parts = np.split(nodes, np.cumsum(sizes)[:-1], axis=1)
    state = mean + np.concatenate(parts[:2], axis=1) @ np.linalg.cholesky(V).T
    h, x_in, x_out = state[:, :n], state[:, n : n + first], state[:, n + first :]
    x_in = rho_in * x_in + np.sqrt(1.0 - rho_in**2) * parts[3]
    x_out = rho_out * x_out + np.sqrt(1.0 - rho_out**2) * parts[6]
    a = net.preactivation(h)
    y = net.activation(a * (1.0 + parts[4] @ G_in.T) + parts[2] @ white[0].T + x_in @ L_in.T)
    y = y * (1.0 + parts[7] @ G_out.T)
    if parts[8].shape[1]:
        y = y * (1.0 + parts[8] * noise.common_gain(n))
    keep = noise.kept(n)
    masks = list(itertools.product((0.0, 1.0), repeat=n)) if np.any(keep < 1.0) else [(1.0,) * n]
    total, square, mass = 0.0, 0.0, 0.0
    for mask in masks:
        share = np.prod(np.where(mask, keep, 1.0 - keep)) if len(masks) > 1 else 1.0
        z = y * mask / keep
        driven = z if net.form == "rate" else z @ net.W.T + net.b
        after = (1.0 - g) * h + g * (driven + parts[5] @ white[1].T + x_out @ L_out.T)
        whole = np.concatenate([after, x_in, x_out], axis=1)
        total, mass = total + share * (weight @ whole), mass + share
        square = square + share * (whole.T * weight) @ whole
    assert mass == pytest.approx(1.0)
    return total, square - np.outer(total, total)


@given(
    seeds,
    st.sampled_from(["rate", "voltage"]),
    st.lists(st.sampled_from(KINDS), max_size=3, unique=True),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_one_step_of_any_combination(seed, form, kinds, alike):
    rng = np.random.default_rng(seed)
    f = str(rng.choice(POLYNOMIALS)) if alike else list(rng.choice(POLYNOMIALS, size=2))
    gamma = 0.3 if alike else rng.uniform(0.05, 1.0, 2)
    net = CTRNN(rng.normal(size=(2, 2)), rng.normal(size=2), f, gamma, form=form)
    noise = random_noise(rng, kinds)
    closure = AugmentedClosure.of(net, noise)
    M = closure.read.shape[-1]
    L = rng.normal(size=(M, M)) / np.sqrt(M)
    mean, V = np.concatenate([rng.normal(size=2), np.zeros(M - 2)]), L @ L.T
    scale = np.concatenate([np.ones(2), np.sqrt(np.diagonal(closure.rest[0])[2:])])
    after = closure.step(Moments(mean[None], (V * np.outer(scale, scale))[None]))
    expected = moments_by_sums(net, noise, mean, V)
    np.testing.assert_allclose(
        after.mean[0] / scale, expected[0], rtol=0.0, atol=1e-12 * (1.0 + np.max(np.abs(expected[0])))
    )
    size = np.max(np.abs(expected[1])) + np.max(np.abs(expected[0])) ** 2  # which the sums subtract
    np.testing.assert_allclose(after.covariance[0] / np.outer(scale, scale), expected[1], rtol=0.0, atol=1e-11 * size)


@given(seeds, st.integers(1, 5), st.sampled_from(["relu", "tanh"]), st.sampled_from([1e-3, 0.3, 1.0]))
@settings(max_examples=15)
def test_the_map_of_white_rate_networks_is_a_special_case(seed, n, name, gamma):
    rng = np.random.default_rng(seed)
    net = CTRNN(rng.normal(size=(n, n)), rng.normal(size=n), name, gamma)
    noise = Noise(inside=rng.normal(size=(n, 2)), outside=rng.normal(size=(n, 2)))
    L = rng.normal(size=(n, n))
    state = Moments(rng.normal(size=(1, n)), (L @ L.T)[None])
    one, other = (kind.of(net, noise).rate(state) for kind in (GaussianClosure, AugmentedClosure))
    for first, second in ((one.mean, other.mean), (one.covariance, other.covariance), (one.s, other.s)):
        np.testing.assert_allclose(second, first, rtol=0.0, atol=1e-13 * np.max(np.abs(first)))
    response = [
        kind.of(net, noise).response(rate.slope) for kind, rate in ((GaussianClosure, one), (AugmentedClosure, other))
    ]
    np.testing.assert_allclose(response[1], response[0], rtol=0.0, atol=1e-14 * np.max(np.abs(response[0])))


@given(seeds, st.sampled_from(["rate", "voltage"]), st.booleans())
@settings(max_examples=15)
def test_drift_and_slopes_are_those_of_the_rate(seed, form, gained):
    """The mean by itself moves as the rate says, and its derivative is the jacobian, by central differences."""
    rng = np.random.default_rng(seed)
    n, gain = 3, 0.3 * gained
    net = CTRNN(rng.normal(size=(n, n)), rng.normal(size=n), ["tanh", "softplus", "sin"], [0.1, 0.2, 0.3], form=form)
    noise = Noise(inside=0.4, rho_inside=0.5, outside=0.2, gain_inside=gain)
    closure = AugmentedClosure.of(net, noise)
    state = closure.begin(Moments(rng.normal(size=(1, n)), 0.1 * np.eye(n)[None]))
    rate, step = closure.rate(state), 1e-5
    np.testing.assert_allclose(closure.drift(state.mean, rate.spread), rate.mean, rtol=0.0, atol=1e-13)
    J = closure.jacobian(rate.slope)[0]
    moves = step * np.eye(J.shape[0])
    found = [
        (closure.drift(state.mean - e, rate.spread) - closure.drift(state.mean + e, rate.spread))[0] for e in moves
    ]
    np.testing.assert_allclose(np.array(found).T / (2.0 * step), J, rtol=0.0, atol=1e-8 * np.max(np.abs(J)))


def test_a_changed_input_is_seen():
    net = CTRNN(np.eye(2), 0.1, "tanh", [0.1, 0.2], W_in=np.ones((2, 1)), form="voltage")
    noise, state = Noise(0.3), Moments(np.zeros((1, 2)), np.zeros((1, 2, 2)))
    driven = AugmentedClosure.of(net, noise).driven_by(net.drive([0.7])[None]).step(state)
    np.testing.assert_allclose(driven.mean, AugmentedClosure.of(net, noise, [0.7]).step(state).mean, rtol=1e-15)
    assert not np.allclose(driven.mean, AugmentedClosure.of(net, noise).step(state).mean)


def test_the_public_step_begins_with_stationary_sources():
    net, noise = CTRNN.single(0.5, 0.1, "identity", 0.2), Noise(outside=0.3, rho_outside=0.9)
    after = gaussian_closure.step(net, noise, [0.2], [[0.01]])
    assert after.covariance[0, 0] == pytest.approx(0.9**2 * 0.01 + 0.2**2 * 0.09, rel=1e-13)
