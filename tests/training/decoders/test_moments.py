"""Moments of rates under noise of each kind: against quadrature, and against a loop over the steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.training.decoders.moments import leak_factor, moments

GAMMAS = st.floats(0.05, 1.0)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
COMMON = np.array([[0.5, 0.0, 0.3], [0.0, 0.6, -0.3], [0.2, 0.0, 0.4]])
KINDS = {
    "inside": {"inside": 0.7},
    "outside": {"outside": 0.4},
    "by neuron": {"inside": [0.7, 0.0, 1.2], "outside": [0.0, 0.3, 0.1]},
    "shared inside": {"inside": COMMON},
    "shared outside": {"outside": COMMON},
    "coloured inside": {"inside": [0.7, 0.3, 1.0], "rho_inside": [0.8, 0.0, 0.5]},
    "coloured outside": {"outside": COMMON, "rho_outside": [0.5, 0.0, 0.9]},
    "gains inside": {"inside": 0.3, "gain_inside": [0.5, 0.2, 0.0]},
    "shared gains inside": {"inside": 0.3, "gain_inside": COMMON},
    "gains outside": {"inside": 0.5, "gain_outside": COMMON, "common_gain_outside": 0.2, "keep": 0.8},
    "coloured, with gains outside": {"inside": 0.5, "rho_inside": 0.6, "gain_outside": COMMON},
}


def stepped(f, a, noise, gamma, steps, rng, lanes=20_000):
    """States (lanes, N) of neurons of constant pre-activations a (N,) after steps from the mean, by a plain loop."""
    n = a.size
    L, M = noise.factor("inside", n), noise.factor("outside", n)
    rho, eta = noise.rho("inside", n), noise.rho("outside", n)
    G, H = noise.gain_factor("inside", n), noise.gain_factor("outside", n)
    x, y, h = rng.standard_normal((lanes, L.shape[1])), rng.standard_normal((lanes, M.shape[1])), 0.0
    for _ in range(steps):
        x = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(x.shape)
        y = eta * y + np.sqrt(1 - eta**2) * rng.standard_normal(y.shape)
        rate = f(a * (1 + rng.standard_normal((lanes, G.shape[1])) @ G.T) + x @ L.T)
        rate = rate * (1 + rng.standard_normal((lanes, H.shape[1])) @ H.T)
        rate = rate * (1 + noise.common_gain(n) * rng.standard_normal((lanes, 1)))
        rate = rate * (rng.random((lanes, n)) < noise.kept(n)) / noise.kept(n)
        h = (1 - gamma) * h + gamma * (rate + y @ M.T)
    return h


@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_a_loop(kind):
    gamma, a, steps = 0.3, np.array([0.4, -0.5, 1.1]), 40  # (1-γ)^40 is 6e-7
    f, noise = ct.activation("relu"), ct.Noise(**KINDS[kind])
    found = moments(f, a[None], noise, gamma)
    h = stepped(f, a, noise, gamma, steps, np.random.default_rng(1))
    deviation = h - found.mean[0] * (1 - (1 - gamma) ** steps)
    products = deviation[:, :, None] * deviation[:, None, :]
    for sample, expected in ((deviation, 0.0), (products, found.covariance)):
        error = sample.std(axis=0) / np.sqrt(len(h))
        assert np.all(abs(sample.mean(axis=0) - expected) <= 5 * error + 1e-6)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("coloured inside", {"inside": [0.7, 0.3, 1.0]}),
        ("shared inside", {"inside": np.sqrt(np.sum(COMMON**2, axis=1))}),
        ("coloured outside", {"outside": COMMON}),
        ("gains outside", {"inside": 0.5, "gain_outside": COMMON}),
    ],
)
def test_another_kind_has_other_moments(kind, wrong):
    """The loop tells them apart: what the noise of each kind adds is many times its error."""
    a = np.array([[0.4, -0.5, 1.1]])
    right, other = (moments(ct.activation("relu"), a, ct.Noise(**noise), 0.3) for noise in (KINDS[kind], wrong))
    assert abs(right.covariance - other.covariance).max() > 0.1 * right.covariance.max()


@given(GAMMAS, st.floats(0.0, 1.0))
def test_leak_factor_is_the_sum_over_lags(gamma, rho):
    weights = gamma * (1 - gamma) ** np.arange(int(40 / gamma))
    lags = abs(np.subtract.outer(np.arange(weights.size), np.arange(weights.size)))
    assert leak_factor(gamma, rho) == pytest.approx(weights @ rho**lags @ weights, rel=1e-12)


@given(st.floats(-2.0, 2.0), st.floats(0.1, 1.5), GAMMAS)
def test_white_noise_inside_by_quadrature(a, s, gamma):
    values = np.tanh(a + s * NODES)
    mean, square = WEIGHTS @ values, WEIGHTS @ values**2
    found = moments(ct.activation("tanh"), np.array([[a]]), ct.Noise(inside=s), gamma)
    assert found.mean[0, 0] == pytest.approx(mean, abs=1e-6)
    assert found.covariance[0, 0] == pytest.approx(gamma / (2 - gamma) * (square - mean**2), abs=1e-6)


@given(st.floats(-2.0, 2.0), st.floats(0.1, 1.2), st.floats(0.0, 0.95), st.floats(0.1, 1.0))
def test_coloured_noise_inside_by_quadrature(a, s, rho, gamma):
    """The sum over lags of the covariance of tanh at two normal numbers of correlation ρᵏ."""
    lags, f = np.arange(1, int(30 / gamma)), np.tanh(a + s * NODES)
    mean, total = WEIGHTS @ f, 0.0
    for k in lags:
        r = rho**k
        later = np.tanh(a + s * (r * NODES[:, None] + np.sqrt(1 - r * r) * NODES))
        total += 2 * (1 - gamma) ** k * (WEIGHTS * f @ (later @ WEIGHTS) - mean**2)
    expected = gamma / (2 - gamma) * (WEIGHTS @ f**2 - mean**2 + total)
    found = moments(ct.activation("tanh"), np.array([[a]]), ct.Noise(inside=s, rho_inside=rho), gamma)
    assert found.covariance[0, 0] == pytest.approx(expected, rel=1e-5)


def test_coloured_relu_at_its_kink():
    """E x₊ y₊ = s² (√(1-r²) + r (π - arccos r))/2π (Y. Cho and L. K. Saul, NIPS 22, 2009)."""
    rho, gamma, s = 0.7, 0.2, 0.8
    r = rho ** np.arange(200.0)
    both = s**2 / (2 * np.pi) * (np.sqrt(1 - r**2) + r * (np.pi - np.arccos(r))) - s**2 / (2 * np.pi)
    expected = gamma / (2 - gamma) * (both[0] + 2 * both[1:] @ (1 - gamma) ** np.arange(1, 200))
    found = moments(ct.activation("relu"), np.zeros((1, 1)), ct.Noise(inside=s, rho_inside=rho), gamma)
    assert found.covariance[0, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["relu", "tanh", "step", "gelu"])
def test_tables_of_variances_do_not_matter(name):
    """Many points share a table; one point alone has none."""
    f, noise, a = ct.activation(name), ct.Noise(inside=0.3), np.random.default_rng(0).normal(size=(400, 5))
    alone = [moments(f, a[:1, i : i + 1], noise, 0.1).covariance[0, 0] for i in range(5)]
    table = moments(f, np.repeat(a[:1], 400, axis=0) + np.linspace(0, 1e-9, 400)[:, None], noise, 0.1)
    wide = moments(f, a, noise, 0.1).covariance
    each = f.smoothed_variance(a, 0.3).mean(axis=0) * 0.1 / 1.9
    np.testing.assert_allclose(np.diag(wide), each, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.diag(table.covariance), alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        ({"inside": COMMON, "rho_inside": 0.5}, "coloured noise inside that neurons share"),
        ({"inside": 0.5, "rho_inside": 0.5, "gain_inside": 0.2}, "coloured with multiplicative noise inside"),
    ],
)
def test_noise_without_a_leak_factor_is_refused(noise, reason):
    with pytest.raises(ct.NotApplicable, match=reason):
        moments(ct.activation("relu"), np.zeros((2, 3)), ct.Noise(**noise), 0.1)
