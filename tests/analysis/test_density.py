"""The density in time is exact for a linear network, and the limit γ → 0 of the map for any other."""

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.analysis.evolution.density import evolve
from ctrnn_theory.stationary.fokker_planck import solve
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.errors import Divergence, NotApplicable

WEIGHTS = {1: np.array([[0.4]]), 2: np.array([[0.3, -0.8], [0.6, 0.2]])}
FACTOR = np.array([[0.4, 0.0], [0.2, 0.3]])


def linear_net(n, gamma=0.2):
    return CTRNN(WEIGHTS[n], np.array([0.3, -0.2])[:n], "identity", gamma, W_in=np.ones((n, 1)))


def test_refused():
    with pytest.raises(NotApplicable, match="a network with noise"):
        evolve(CTRNN.single(0.5, 0.1, "relu"), Noise())
    with pytest.raises(NotApplicable, match=r"^Fokker–Planck is for one to three neurons; the network has 4$"):
        evolve(CTRNN(np.zeros((4, 4)), np.zeros(4), "relu"), Noise(inside=0.5))
    with pytest.raises(Divergence):
        evolve(CTRNN.single(3.0, 1.0, "relu", 0.5), Noise(outside=0.3), steps=200)
    for options in ({"tolerance": 0.0}, {"tolerance": -1}, {"cells": 3}):
        with pytest.raises(ValueError, match="^" + next(iter(options))):
            evolve(linear_net(2), Noise(outside=0.3), **options)


def flowed(net, noise, u, m, V, steps):
    """Return mean and covariance of the linear network's diffusion approximation; each row of input lasts a time γ."""
    J, g = net.W - np.eye(net.n), net.gamma
    P = solve_continuous_lyapunov(J, -g * (noise.covariance("inside", net.n) + noise.covariance("outside", net.n)))
    E, means, covariances = expm(g * J), [m], [V]
    for k in range(steps):
        end = np.linalg.solve(-J, net.drive(u[k]))
        means.append(end + E @ (means[-1] - end))
        covariances.append(P + E @ (covariances[-1] - P) @ E.T)
    return np.array(means), np.array(covariances)


@pytest.mark.parametrize("n", [1, 2])
def test_linear_network_along_an_input(n):
    """The density is exact for f(a) = a, and a row of input that comes one step late is seen."""
    net, noise, steps = linear_net(n), Noise(inside=FACTOR[:n, :n], outside=0.2), 12
    u = 0.7 * np.sin(np.arange(steps))[:, None]
    start = StationaryLaw(np.array([0.3, -0.1])[:n], 0.05 * np.eye(n), "given")
    for begin, m, V in ((start, start.mean, start.covariance), ([0.5] * n, np.full(n, 0.5), np.zeros((n, n)))):
        path = evolve(net, noise, u, steps, 3, begin, cells=None if n == 1 else 64)
        means, covariances = (values[::3] for values in flowed(net, noise, u, m, V, steps))
        size = np.max(covariances)
        np.testing.assert_allclose(path.time, 0.6 * np.arange(5))
        assert np.abs(path.mean - means).max() - 1e-9 <= path.error[0] < {1: 0.002, 2: 0.06}[n] * np.sqrt(size)
        assert np.abs(path.covariance - covariances)[1:].max() <= path.error[1] < {1: 0.1, 2: 0.7}[n] * size
        late, _ = flowed(net, noise, np.roll(u, 1, axis=0), m, V, steps)
        assert np.abs(path.mean - late[::3]).max() > 0.1 * np.sqrt(size)
        for density in path.densities:
            assert density.mass == pytest.approx(1.0, abs=1e-12)


def test_its_end_is_the_stationary_law():
    net, noise = CTRNN([[0.3, -0.8], [0.6, 0.2]], [0.4, -0.1], "relu", 0.1), Noise(inside=0.5)
    law = solve(net, noise)
    path = evolve(net, noise, None, 200, 200, cells=64)
    std = law.std.max()
    np.testing.assert_allclose(path.mean[-1], law.mean, atol=1e-3 * std)
    np.testing.assert_allclose(path.covariance[-1], law.covariance, atol=3e-3 * std**2)
    still = evolve(net, noise, None, 20, 10, start=law, cells=64)
    np.testing.assert_allclose(still.mean, np.tile(law.mean, (3, 1)), atol=1e-3 * std)
    np.testing.assert_allclose(still.covariance, np.tile(law.covariance, (3, 1, 1)), atol=5e-3 * std**2)


def test_a_path_against_the_map():
    """The mean of one relu neuron from zero is that of simulated paths to first order in γ, at γ and half of it."""
    errors = []
    for gamma, steps in ((0.1, 10), (0.05, 20)):
        net, noise = CTRNN.single(0.5, 0.1, "relu", gamma), Noise(inside=0.5)
        path = evolve(net, noise, None, steps, steps)
        exact = moments_of_the_map(net, 0.5, steps)
        errors.append([abs(path.mean[-1, 0] - exact[0]), abs(path.covariance[-1, 0, 0] - exact[1])])
    assert np.all(np.divide(errors[1], errors[0]) < 0.65)
    assert errors[0][0] < 0.1 * 0.3
    assert errors[0][1] < 0.1 * exact[1] * 4.0


def moments_of_the_map(net, sigma, steps):
    """Return mean and variance from zero by backward recursion on Chebyshev nodes, an independent method."""
    chebyshev = np.polynomial.chebyshev
    edges = np.linspace(-9.0, 9.0, 721)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    xi = (0.5 * (edges[:-1] + edges[1:])[:, None] + 0.0125 * nodes).ravel()
    weight = np.tile(0.0125 * weights, 720) * np.exp(-0.5 * xi**2) / np.sqrt(2.0 * np.pi)
    at = 1.0 + 1.5 * chebyshev.chebpts1(40)
    fit = np.linalg.inv(chebyshev.chebvander((at - 1.0) / 1.5, 39))
    values = np.stack([at, at**2], axis=1)
    after = (1.0 - net.gamma) * at[:, None] + net.gamma * net.activation(0.5 * at[:, None] + 0.1 + sigma * xi)
    after = np.clip((after - 1.0) / 1.5, -1.0, 1.0)
    for _ in range(steps):
        values = np.stack([chebyshev.chebval(after, fit @ phi) @ weight for phi in values.T], axis=1)
    mean, square = (float(chebyshev.chebval(-1.0 / 1.5, fit @ phi)) for phi in values.T)
    return mean, square - mean**2


def test_a_law_with_a_small_second_well_stays_where_it_is():
    """The well lies further out than six deviations of the whole law."""
    net, noise = CTRNN.single(1.5, -0.1, "tanh", 0.1), Noise(outside=0.5)
    law = solve(net, noise)
    path = evolve(net, noise, None, 20, 20, start=law)
    np.testing.assert_allclose(path.mean, np.tile(law.mean, (2, 1)), atol=1e-5)


def test_a_start_at_the_edge_of_the_path():
    """The state never returns to zero, which lies as far inside the domain as the cells demand."""
    path = evolve(CTRNN.single(-25.0, 5.0, "hardtanh", 0.01), Noise(inside=0.1), None, 400, 200)
    assert path.mean[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert path.mean[-1, 0] == pytest.approx(5.0 / 26.0, abs=1e-6)
