"""The spectrum of the Markov operator: linear networks, products of neurons, simulated relaxation, escape."""

import numpy as np
import pytest

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.markov.spectrum import spectrum
from ctrnn_theory.support.errors import NotApplicable

W = np.array([[0.5, -0.8], [0.6, 0.3]])


@pytest.mark.parametrize("noise", [Noise(0.5), Noise(outside=0.5), Noise(0.3, 0.2)], ids=repr)
@pytest.mark.parametrize(("w", "gamma"), [(0.5, 0.2), (-2.0, 0.5)])
def test_linear_neuron_has_powers(w, gamma, noise):
    found = spectrum(CTRNN.single(w, 0.1, "identity", gamma), noise, count=4)
    expected = (1.0 - gamma + gamma * w) ** np.arange(4)
    assert np.all(np.abs(found.eigenvalues - expected) < found.errors + 1e-11)
    assert found.relaxation_time == pytest.approx(-1.0 / np.log(abs(expected[1])), rel=1e-9)
    h = np.linspace(-0.3, 0.5, 7)
    first = found.functions(h[:, None])[:, 1]
    mean, std = found.law.mean[0], found.law.std[0]
    assert np.abs(np.abs(first) - np.abs(h - mean) / std).max() < 1e-7  # the first Hermite polynomial


@pytest.mark.parametrize("noise", [Noise(0.5), Noise(outside=[[0.5, 0.0], [0.2, 0.4]])], ids=repr)
def test_linear_pair_has_products_of_the_eigenvalues_of_A(noise):
    net = CTRNN(W, 0.1, "identity", 0.5)
    found = spectrum(net, noise, tolerance=1e-6)
    a, b = np.linalg.eigvals(0.5 * np.eye(2) + 0.5 * W)
    expected = np.array([1.0, a, b, a * b, a * a, b * b])
    distance = np.min(np.abs(found.eigenvalues[:, None] - expected), axis=1)
    assert np.all(distance < found.errors + 1e-9)
    assert np.max(distance[:3]) < 1e-5
    assert np.all(np.diff(np.abs(found.eigenvalues)) < 1e-6)


def test_uncoupled_pair_has_the_eigenvalues_of_either():
    single = [spectrum(CTRNN.single(w, b, "tanh", 0.5), Noise(0.5)).eigenvalues for w, b in ((0.8, 0.1), (-0.5, 0.3))]
    found = spectrum(CTRNN(np.diag([0.8, -0.5]), [0.1, 0.3], "tanh", 0.5), Noise(0.5), tolerance=1e-6)
    products = np.outer(*single).ravel()
    assert np.all(np.min(np.abs(found.eigenvalues[:, None] - products), axis=1) < found.errors + 1e-9)
    assert found.eigenvalues[1] == pytest.approx(single[0][1], abs=1e-6)


@pytest.mark.parametrize(
    "noise", [Noise(0.6), pytest.param(Noise(outside=0.6), marks=pytest.mark.slow)], ids=["inside", "outside"]
)
def test_two_bistable_neurons_have_products_of_eigenvalues(noise):
    single = spectrum(CTRNN.single(1.5, 0.0, "tanh", 0.1), noise).eigenvalues
    found = spectrum(CTRNN(1.5 * np.eye(2), 0.0, "tanh", 0.1), noise, count=5)
    gap = 1.0 - single[1].real
    assert gap < 1e-2
    expected = [0.0, gap, gap, 1.0 - (1.0 - gap) ** 2, 1.0 - single[2].real]
    assert np.all(found.errors[:4] < 1e-5 * gap)
    np.testing.assert_allclose(1.0 - found.eigenvalues.real, expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("noise", [Noise(0.5), Noise(outside=0.5)], ids=repr)
def test_eigenfunctions_decay_by_their_eigenvalue(noise):
    """Monte Carlo from given states confirms E g(h') = λ g(h), and rejects a wrong eigenvalue."""
    net = CTRNN(W, [0.1, 0.2], "relu", 0.5)
    found = spectrum(net, noise, tolerance=1e-4, count=3)
    rng = np.random.default_rng(0)
    inside, outside = (np.diag(noise.factor(site, 2)) for site in ("inside", "outside"))
    for h in found.law.mean + found.law.std * np.array([[1.0, 0.5], [-0.5, 1.0]]):
        xi, eta = rng.standard_normal((2, 200_000, 2))
        after = 0.5 * h + 0.5 * (net.activation(net.preactivation(h) + inside * xi) + outside * eta)
        g, g_after = found.functions(h)[0, 1], found.functions(after)[:, 1]
        error = np.std(g_after) / np.sqrt(len(after))
        assert abs(np.mean(g_after) - found.eigenvalues[1] * g) < 5 * error
        assert abs(np.mean(g_after) - 0.9 * found.eigenvalues[1] * g) > 5 * error


@pytest.mark.parametrize(
    ("noise", "low", "high"),
    [
        (Noise(outside=0.9), 1e-3, 1e-2),
        (Noise(0.5), 1e-5, 1e-4),
        (Noise(0.42), 1e-7, 1e-6),
        (Noise(outside=0.45), 1e-6, 1e-5),
    ],
    ids=repr,
)
def test_the_gap_of_a_bistable_neuron(noise, low, high):
    """The gap 1 - λ₁ agrees with collocation in odd polynomials, with the trapezoidal rule for the noise.

    For an odd network the second eigenfunction is odd.
    """
    net = CTRNN.single(1.5, 0.0, "tanh", 0.1)
    found = spectrum(net, noise, count=3)
    gap = 1.0 - found.eigenvalues[1].real
    assert low < gap < high
    assert found.errors[1] < 1e-4 * gap
    domain = found.law.details["domain"]
    top, size = min(domain[1], 1.0 + 3.0 * noise.outside) if noise.outside else domain[1], 100
    t = np.cos(np.pi * (np.arange(size) + 0.5) / (2 * size))  # the positive nodes of T of degree 2 · size
    odd = np.arange(1, 2 * size, 2)
    x = np.linspace(-8.5, 8.5, 341)[:, None]
    weight = np.exp(-0.5 * x[:, 0] ** 2) / np.sum(np.exp(-0.5 * x**2))
    h = top * t
    after = 0.9 * h + 0.1 * (np.tanh(1.5 * h + noise.inside * x) + noise.outside * x)
    angle = np.arccos(np.clip(after / top, -1.0, 1.0))
    P = np.einsum("q,qjk->jk", weight, np.cos(angle[:, :, None] * odd))
    witness = 1.0 - np.max(np.linalg.eigvals(np.linalg.solve(np.cos(np.arccos(t)[:, None] * odd), P)).real)
    assert gap == pytest.approx(witness, rel=1e-5)


def test_refusals():
    with pytest.raises(NotApplicable, match="no latent variables"):
        spectrum(CTRNN(np.zeros((4, 4)), 0.1), Noise(0.5))
    with pytest.raises(NotApplicable, match=r"rank of at most 3; singular values are 0\.5, 0\.5, 0\.5, 0\.5"):
        spectrum(CTRNN(0.5 * np.eye(4), 0.1), Noise(0.5))
    with pytest.raises(NotApplicable, match="without noise"):
        spectrum(CTRNN.single(0.5), Noise())
    with pytest.raises(ValueError, match="count must be at least 2"):
        spectrum(CTRNN.single(0.5), Noise(0.5), count=1)
    assert exact.solve(CTRNN.single(0.5), Noise(0.5)).converged
