"""Drift and diffusion of the diffusion approximation: the moments of one step of the map, and its tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.stationary import gaussian_closure

NOISES = {
    "in": Noise(inside=0.5),
    "out": Noise(outside=[0.3, 0.4]),
    "both": Noise(inside=[0.5, 0.2], outside=0.3),
    "shared in": Noise(inside=[[0.5], [0.3]]),
    "shared out": Noise(outside=[[0.3, 0.1], [0.2, -0.4]]),
    "shared both": Noise(inside=[[0.4, 0.1], [0.2, -0.3]], outside=[[0.2], [0.1]]),
}


def network(name="tanh", gamma=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return CTRNN(rng.normal(size=(2, 2)), rng.normal(size=2), name, gamma, W_in=rng.normal(size=(2, 1)))


@pytest.mark.parametrize("f", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("name", NOISES)
def test_moments_of_a_step(name, f):
    """After a step from a state h, E h' = h + γ A and Cov h' = γ B."""
    net, noise, u = network(f), NOISES[name], [0.4]
    problem = network_equation(net, noise, u)
    for state in np.random.default_rng(1).normal(size=(5, 2)):
        after = gaussian_closure.step(net, noise, state, np.zeros((2, 2)), u)
        A, B = problem.drift(state[None], 0.0)[0], problem.diffusion(state[None], 0.0)[0]
        assert (B.ndim == 2) == name.startswith("shared")
        np.testing.assert_allclose(state + net.gamma * A, after.mean, rtol=0.0, atol=1e-13)
        np.testing.assert_allclose(
            net.gamma * (B if B.ndim == 2 else np.diag(B)), after.covariance, rtol=0.0, atol=1e-12
        )


@given(r=st.floats(-0.99, 0.99), a=st.floats(-2.0, 2.0), b=st.floats(-2.0, 2.0))
def test_shared_noise_against_gauss_and_hermite(r, a, b):
    """Return γ Cov(tanh(a + σ ξ), tanh(b + σ η)) by a rule of 40 x 40 nodes."""
    root = 0.5 * np.array([[1.0, 0.0], [r, np.sqrt(1.0 - r * r)]])
    net = CTRNN(np.eye(2), np.zeros(2), "tanh", 0.3)
    B = network_equation(net, Noise(inside=root), None).diffusion(np.array([[a, b]]), 0.0)[0]
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    xi = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.multiply.outer(weights, weights).ravel() / (2.0 * np.pi)
    f = np.tanh(np.array([a, b]) + xi @ root.T)
    f -= weight @ f
    full = 0.3 * np.einsum("m,mi,mj->ij", weight, f, f)
    np.testing.assert_allclose(B if B.ndim == 2 else np.diag(B), full, rtol=0.0, atol=1e-8)


@pytest.mark.parametrize(
    ("f", "width"), [("tanh", 0.3), ("tanh", 2.0), ("relu", 2.0), ("relu", 30.0), ("hardtanh", 30.0), ("gelu", 2.0)]
)
def test_tables(f, width):
    """For any box a table is good to 1e-9 of the noise in mean and variances, and to 1e-4 in the covariance."""
    net, noise = network(f), Noise(inside=0.1 * np.array([[1.0, 0.0], [0.8, 0.6]]), outside=[[0.1], [0.2]])
    box = np.array([-width, -0.5 * width]), np.array([width, 2.0 * width])
    rng = np.random.default_rng(2)
    points = rng.uniform(*box, size=(500, 2))
    points[100:] = np.linalg.solve(net.W, rng.normal(scale=0.3, size=(400, 2)).T - net.b[:, None]).T  # near the kinks
    points = points[np.all((box[0] <= points) & (points <= box[1]), axis=1)]
    table, exact = (network_equation(net, noise, None, given) for given in (box, None))
    np.testing.assert_allclose(table.drift(points, 0.0), exact.drift(points, 0.0), rtol=0.0, atol=1e-10)
    difference = np.abs(table.diffusion(points, 0.0) - exact.diffusion(points, 0.0)) / (0.1**2 * net.gamma)
    assert np.all(difference[:, [0, 1], [0, 1]] < 1e-9)
    assert np.all(difference[:, 0, 1] < 1e-4)
    np.testing.assert_array_equal(difference[:, 0, 1], difference[:, 1, 0])


def test_the_corners_are_in_the_tables():
    net = network("tanh", seed=3)
    box = np.array([-1.0, -2.0]), np.array([3.0, 1.0])
    corners = np.array([[a, b] for a in (-1.0, 3.0) for b in (-2.0, 1.0)])
    for noise in (NOISES["shared both"], NOISES["both"]):
        table, exact = (network_equation(net, noise, None, given) for given in (box, None))
        np.testing.assert_allclose(table.drift(corners, 0.0), exact.drift(corners, 0.0), rtol=0.0, atol=1e-9)
        np.testing.assert_allclose(table.diffusion(corners, 0.0), exact.diffusion(corners, 0.0), rtol=0.0, atol=1e-5)


def test_only_what_is_shared_is_full():
    """The diffusion between a neuron and others that share no noise with it is zero."""
    net = CTRNN(np.eye(3), np.zeros(3), "relu", 0.5)
    B = network_equation(net, Noise(outside=[[0.3, 0.0], [0.1, 0.0], [0.0, 0.2]]), None).diffusion(np.ones((2, 3)), 0.0)
    np.testing.assert_allclose(
        B[0], 0.5 * np.array([[0.09, 0.03, 0.0], [0.03, 0.01, 0.0], [0.0, 0.0, 0.04]]), atol=1e-16
    )
