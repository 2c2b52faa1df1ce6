"""The stationary Gaussian closure of every kind of network and noise: references, identities, linear networks."""

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.gaussian_closure import solve
from ctrnn_theory.support.errors import Divergence
from tests.stationary.noise_cases import NOISE_CASES

seeds = st.integers(0, 2**32 - 1)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
forms = st.sampled_from(["rate", "voltage"])


def weights(rng, n, norm=0.7):
    """Weights of a spectral norm below one, so that slopes of at most one leave every network with one fixed point."""
    W = rng.normal(size=(n, n))
    return W * norm / np.linalg.norm(W, 2)


def agree(law, mean, covariance, size=1e-11):
    """The tolerance of both laws is 1e-12 of the largest mean and variance."""
    assert law.converged, law.message
    np.testing.assert_allclose(law.mean, mean, rtol=0.0, atol=size * (np.max(np.abs(mean)) + np.max(law.std)))
    np.testing.assert_allclose(law.covariance, covariance, rtol=0.0, atol=size * np.max(np.abs(covariance)))


@pytest.mark.parametrize("case", NOISE_CASES, ids=lambda case: case.name)
def test_references(case):
    """The references are good to 1e-11."""
    law = solve(case.net, case.noise)
    np.testing.assert_allclose(law.mean, case.mean, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(law.covariance, case.covariance, rtol=0.0, atol=1e-10)


def test_rates_of_a_voltage_network():
    """E f(v) by simulation, whose standard errors are 1e-5; the closure takes v as normal."""
    softplus, relu = (
        next(case for case in NOISE_CASES if case.name == name)
        for name in ("voltage form", "voltage form, three neurons")
    )
    assert solve(softplus.net, softplus.noise).rates[0] == pytest.approx(0.68984720, abs=5e-5)
    rates = solve(relu.net, relu.noise).rate
    np.testing.assert_allclose(rates, [0.29854273, 0.45083364, 0.36068412], rtol=0.0, atol=1.5e-4)
    assert solve(CTRNN.single(0.5), Noise(0.5)).rates is None


def test_excitatory_and_inhibitory_neurons_with_a_power_law():
    """τ = 20 and 10 ms in steps of 0.1 ms, and noise with a correlation time of 50 ms."""
    tau, step, correlation = np.array([20.0, 10.0]), 0.1, 50.0
    net = CTRNN([[1.25, -0.65], [1.2, -0.5]], 2.0, "0.3*Max(0, x)**2", step / tau, form="voltage")
    noise = Noise(outside=[0.2, 0.1] * np.sqrt(1.0 + tau / correlation), rho_outside=math.exp(-step / correlation))
    law = solve(net, noise)
    np.testing.assert_allclose([*law.mean, *law.std], [3.366, 3.921, 0.915, 1.009], rtol=0.0, atol=5e-4)


@given(seeds, st.integers(1, 4), st.sampled_from(["tanh", "relu", "softplus"]), st.sampled_from([0.1, 0.5, 1.0]))
@settings(max_examples=12)
def test_noise_inside_alone_is_the_same_in_both_forms(seed, n, name, gamma):
    """v = W h + b."""
    rng = np.random.default_rng(seed)
    W, b, noise = weights(rng, n), rng.normal(size=n), Noise(inside=rng.normal(size=(n, 2)))
    rate = solve(CTRNN(W, b, name, gamma), noise)
    agree(solve(CTRNN(W, b, name, gamma, form="voltage"), noise), W @ rate.mean + b, W @ rate.covariance @ W.T)


@given(seeds, st.integers(1, 4), st.sampled_from(["tanh", "relu", "softplus"]), st.sampled_from([0.1, 0.5]))
@settings(max_examples=12)
def test_white_noise_outside_a_voltage_network_is_coloured_noise_inside_a_rate_network(seed, n, name, gamma):
    """v = W h + b + x with ρ = 1 - γ: the rate network has the same mean rates, and its argument the same law."""
    rng = np.random.default_rng(seed)
    W, b, L = weights(rng, n), rng.normal(size=n), 0.5 * rng.normal(size=(n, 2))
    voltage = solve(CTRNN(W, b, name, gamma, form="voltage"), Noise(outside=L))
    factor = math.sqrt(gamma / (2.0 - gamma)) * L
    rate = solve(CTRNN(W, b, name, gamma), Noise(inside=factor, rho_inside=1.0 - gamma))
    agree(voltage, W @ rate.mean + b, voltage.covariance)
    np.testing.assert_allclose(voltage.rates, rate.mean, rtol=0.0, atol=1e-11 * (1.0 + np.max(np.abs(rate.mean))))
    white = solve(CTRNN(W, b, name, gamma), Noise(inside=factor))
    assert np.max(np.abs(white.mean - rate.mean)) > 1e-9  # the colour matters


@given(seeds, st.integers(1, 4), st.sampled_from(["tanh", "relu", "softplus"]), st.sampled_from([0.1, 0.5, 1.0]))
@settings(max_examples=12)
def test_noise_outside_a_rate_network_reaches_a_voltage_network_through_its_weights(seed, n, name, gamma):
    rng = np.random.default_rng(seed)
    W, b, L = weights(rng, n), rng.normal(size=n), 0.5 * rng.normal(size=(n, 2))
    rate = solve(CTRNN(W, b, name, gamma), Noise(outside=L))
    voltage = solve(CTRNN(W, b, name, gamma, form="voltage"), Noise(outside=W @ L))
    agree(voltage, W @ rate.mean + b, W @ rate.covariance @ W.T)


@given(seeds, st.integers(1, 4), forms)
@settings(max_examples=10)
def test_dropout_is_to_the_closure_what_multiplicative_noise_of_its_variance_is(seed, n, form):
    rng = np.random.default_rng(seed)
    net, keep = CTRNN(weights(rng, n), rng.normal(size=n), "relu", 0.3, form=form), rng.uniform(0.6, 1.0, n)
    other = solve(net, Noise(inside=0.3, gain_outside=np.sqrt((1.0 - keep) / keep)))
    agree(solve(net, Noise.dropout(keep, inside=0.3)), other.mean, other.covariance)


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("small", ["rho_inside", "rho_outside", "gain_inside", "gain_outside", "common_gain_outside"])
def test_small_numbers_are_nearly_none(form, small):
    """A change of 1e-7 in ρ changes the law by as much, and one of 1e-5 in a gain by its square."""
    rng = np.random.default_rng(4)
    net = CTRNN(weights(rng, 3), rng.normal(size=3), "tanh", 0.3, form=form)
    plain = solve(net, Noise(inside=0.4, outside=0.3))
    size = 1e-7 if small.startswith("rho") else 1e-5
    law = solve(net, Noise(inside=0.4, outside=0.3, **{small: size}))
    agree(law, plain.mean, plain.covariance, 1e-6)
    other = solve(net, Noise(inside=0.4, outside=0.3, **{small: 0.5}))
    assert np.max(np.abs(other.covariance - plain.covariance)) > 1e-4


@given(seeds, st.sampled_from(["tanh", "relu", "gelu"]), forms, st.sampled_from([0.0, 0.6]))
@settings(max_examples=5, phases=NO_SHRINKING)
def test_gain_threshold_scale_and_offset_are_a_change_of_variables(seed, name, form, rho):
    """f̃ = s f(g (x - c)) + o in place of f, for W̃ = diag(g) W diag(s), b̃ = g (b - c + W o) and scaled noise."""
    rng = np.random.default_rng(seed)
    n, W, b = 2, weights(rng, 2, 0.4), rng.normal(size=2)
    g, c, s, o = rng.uniform(0.5, 1.5, n), 0.5 * rng.normal(size=n), rng.uniform(0.5, 1.5, n), 0.5 * rng.normal(size=n)
    own = [f"{s[i]:.17g}*{name}({g[i]:.17g}*(x - {c[i]:.17g})) + {o[i]:.17g}" for i in range(n)]
    inside, outside = rng.uniform(0.2, 0.5, (2, n))
    law = solve(CTRNN(W, b, own, 0.3, form=form), Noise(inside, outside, rho_inside=rho, rho_outside=rho))
    net = CTRNN(g[:, None] * W * s, g * (b - c + W @ o), name, 0.3, form=form)
    # of a rate h = s h̃ + o outside noise is over s; a potential is v = c + ṽ/g
    other = solve(
        net, Noise(g * inside, outside / s if form == "rate" else g * outside, rho_inside=rho, rho_outside=rho)
    )
    unit = s if form == "rate" else 1.0 / g
    agree(law, unit * other.mean + (o if form == "rate" else c), unit[:, None] * other.covariance * unit, 1e-10)


def every_kind(rng, n):
    """Neurons that differ, with noise of every kind that need not be the same for all neurons."""
    names = rng.choice(["tanh", "relu", "softplus"], size=n)
    noise = {
        "inside": rng.uniform(0.2, 0.5, n),
        "outside": rng.uniform(0.2, 0.5, n),
        "rho_inside": rng.uniform(0.0, 0.9, n),
        "rho_outside": rng.uniform(0.0, 0.9, n),
        "gain_outside": rng.uniform(0.0, 0.3, n),
        "keep": rng.uniform(0.7, 1.0, n),
    }
    return names, rng.uniform(0.1, 0.9, n), noise


@given(seeds, forms)
@settings(max_examples=8)
def test_order_of_the_neurons(seed, form):
    rng = np.random.default_rng(seed)
    n, W, b = 4, weights(rng, 4, 0.5), rng.normal(size=4)
    names, gamma, noise = every_kind(rng, n)
    order = rng.permutation(n)
    law = solve(CTRNN(W, b, list(names), gamma, form=form), Noise(**noise))
    there = CTRNN(W[np.ix_(order, order)], b[order], list(names[order]), gamma[order], form=form)
    other = solve(there, Noise(**{key: value[order] for key, value in noise.items()}))
    agree(other, law.mean[order], law.covariance[np.ix_(order, order)])


@given(seeds, forms)
@settings(max_examples=8)
def test_unconnected_parts_are_networks_of_their_own(seed, form):
    rng = np.random.default_rng(seed)
    W, b = np.zeros((4, 4)), rng.normal(size=4)
    W[:2, :2], W[2:, 2:] = weights(rng, 2, 0.5), weights(rng, 2, 0.5)
    names, gamma, noise = every_kind(rng, 4)
    law = solve(CTRNN(W, b, list(names), gamma, form=form), Noise(**noise))
    assert np.max(np.abs(law.covariance[:2, 2:])) <= 1e-13
    for part in (slice(0, 2), slice(2, 4)):
        own = solve(
            CTRNN(W[part, part], b[part], list(names[part]), gamma[part], form=form),
            Noise(**{key: value[part] for key, value in noise.items()}),
        )
        agree(own, law.mean[part], law.covariance[part, part])


def linear_law(net, noise):
    """Mean and covariance of a linear network and its sources, by one linear system for all entries of V."""
    whole, n = Augmented.of(net, noise), net.n
    T, E, H, M = whole.transition, whole.write, whole.read, whole.size
    A, R, R_in = T + E @ H, noise.gain_covariance("outside", n), noise.gain_covariance("inside", n)
    mean = np.linalg.solve(np.eye(M) - A, E @ whole.wiring.c + whole.offset)
    a, U = H @ mean + whole.wiring.c, np.hstack([whole.wiring.read, np.zeros((n, M - n))])

    def after(V):
        alpha = U @ V @ U.T + np.outer(a, a)
        S = H @ V @ H.T + whole.inner
        C = S + R_in * alpha
        cross = T @ V @ H.T + whole.shared.T
        V = T @ V @ T.T + E @ (C + R * (C + np.outer(a, a))) @ E.T + whole.outer
        return V + cross @ E.T + E @ cross.T

    constant = after(np.zeros((M, M))).ravel()
    units = np.eye(M * M).reshape(-1, M, M)
    columns = np.stack([after(0.5 * (unit + unit.T)).ravel() - constant for unit in units], axis=1)
    V = np.linalg.solve(np.eye(M * M) - columns, constant).reshape(M, M)
    return mean[:n], V[:n, :n]


@given(seeds, forms, st.booleans(), st.booleans())
@settings(max_examples=12)
def test_linear_networks_obey_one_linear_system(seed, form, coloured, gained):
    rng = np.random.default_rng(seed)
    n, rho = 2, 0.7 * coloured
    net = CTRNN(weights(rng, n, 0.6), rng.normal(size=n), "identity", rng.uniform(0.1, 1.0, n), form=form)
    gains = {"gain_inside": 0.2, "gain_outside": rng.uniform(0.1, 0.4, n), "common_gain_outside": 0.2} if gained else {}
    noise = Noise(inside=rng.normal(size=(n, 2)), outside=0.3, rho_inside=rho, rho_outside=rho, **gains)
    agree(solve(net, noise), *linear_law(net, noise), 1e-10)


@pytest.mark.parametrize("f", ["relu", "identity"])
@pytest.mark.parametrize("site", ["gain_inside", "gain_outside"])
def test_a_covariance_that_multiplicative_noise_makes_grow_is_a_divergence(f, site):
    """E A² = (1 - γ + γ w)² + (γ w μ)² = 1.105; the mean alone, with E A = 0.95, would settle."""
    with pytest.raises(Divergence, match="grows on and on"):
        solve(CTRNN.single(0.9, 0.1, f, 0.5), Noise(**{site: 1.0}))
    assert solve(CTRNN.single(0.9, 0.1, f, 0.5), Noise(**{site: 0.2})).converged


@pytest.mark.parametrize(
    ("form", "noise"),
    [
        ("rate", Noise(inside=0.5, rho_inside=0.8)),
        ("rate", Noise(inside=0.3, gain_outside=0.3, common_gain_outside=0.1)),
        ("voltage", Noise(inside=0.5, outside=0.2)),
        ("voltage", Noise.dropout(0.8, inside=0.3)),
    ],
    ids=["coloured", "gains", "voltage", "dropout"],
)
def test_large_networks_settle_where_the_map_does(form, noise):
    """The end of 40 neurons is a fixed point of 400 further steps of the public map in time."""
    from ctrnn_theory.analysis.evolution.evolve import evolve

    rng = np.random.default_rng(2)
    net = CTRNN(weights(rng, 40, 0.9), rng.normal(size=40), ["tanh", "relu"] * 20, np.linspace(0.1, 0.4, 40), form=form)
    law, path = solve(net, noise), evolve(net, noise, steps=400, record_every=400)
    assert law.converged
    np.testing.assert_allclose(path.mean[-1], law.mean, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(path.covariance[-1], law.covariance, rtol=0.0, atol=1e-9)
