"""Planes of rotation and their rates: closed forms, invariances, and the closure of linear networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import schur, solve_discrete_lyapunov

import ctrnn_theory as ct
from ctrnn_theory.analysis.orbit.rotation import rotation_planes, turning

ANGLES = st.floats(-3.0, 3.0).filter(lambda x: abs(x) > 0.01)
SEEDS = st.integers(0, 10_000)


def rotation(angle, shrinking=1.0):
    return shrinking * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def gaussian(net, noise, **options):
    return ct.orbit(net, noise, simulate=False, **options).laws["gaussian_closure"]


def stable(rng, n, radius=0.9):
    W = rng.standard_normal((n, n))
    return W * radius / np.max(np.abs(np.linalg.eigvals(W)))


@given(ANGLES, st.floats(0.05, 0.98), st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(-0.9, 0.9))
def test_a_linear_step_turns_by_its_angle_whatever_its_noise(angle, shrinking, a, b, c):
    factor = np.array([[a, 0.0], [c, b]])
    law = gaussian(ct.CTRNN(rotation(angle, shrinking), 0.0, "x", 1.0), ct.Noise(inside=factor), planes=[np.eye(2)])
    np.testing.assert_allclose(law.angle, angle, rtol=1e-9)
    np.testing.assert_allclose(law.rate, shrinking * np.sin(angle), rtol=1e-9)


@given(ANGLES, st.floats(0.05, 0.98), SEEDS)
def test_the_plane_that_is_found_turns_forwards(angle, shrinking, seed):
    factor = np.random.default_rng(seed).standard_normal((2, 2)) + np.eye(2)
    law = gaussian(ct.CTRNN(rotation(angle, shrinking), 0.0, "x", 1.0), ct.Noise(inside=factor))
    assert law.rate.shape == (1,)
    np.testing.assert_allclose(law.angle, abs(angle), rtol=1e-9)


@given(SEEDS, st.integers(2, 6), st.floats(0.05, 1.0), st.sampled_from(["inside", "outside"]))
def test_moments_of_linear_networks_solve_the_lyapunov_equation(seed, n, gamma, site):
    rng = np.random.default_rng(seed)
    W, L, b = stable(rng, n), rng.standard_normal((n, n + 1)), rng.standard_normal(n)
    A = (1.0 - gamma) * np.eye(n) + gamma * W
    C = solve_discrete_lyapunov(A, gamma**2 * L @ L.T)
    law = gaussian(ct.CTRNN(W, b, "x", gamma), ct.Noise(**{site: L}))
    size = np.max(np.abs(C))
    np.testing.assert_allclose(law.mean, np.linalg.solve(np.eye(n) - W, b), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(law.covariance, C, atol=1e-8 * size)
    np.testing.assert_allclose(law.lagged, A @ C, atol=1e-8 * size)
    np.testing.assert_allclose(law.antisymmetric, 0.5 * (A @ C - C @ A.T), atol=1e-8 * size)


@given(SEEDS, st.integers(2, 7))
def test_planes_are_those_of_the_schur_form_and_hold_all_angular_momentum(seed, n):
    rng = np.random.default_rng(seed)
    K, C = rng.standard_normal((n, n)), np.eye(n) + np.diag(rng.random(n))
    planes = rotation_planes(C, K, n)
    assert planes.shape == (n // 2, 2, n)
    flat = planes.reshape(-1, n)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-10)
    found = turning(planes, C, K)
    momentum = found.rate * found.variance
    assert np.all(np.diff(momentum) <= 1e-10)
    whole = sum(x * (np.outer(q, p) - np.outer(p, q)) for x, (p, q) in zip(momentum, planes, strict=True))
    np.testing.assert_allclose(whole, K - K.T, atol=1e-10)
    T = schur(K - K.T, output="real")[0]
    blocks = np.sort(np.abs(np.diag(T, 1)[np.abs(np.diag(T, 1)) > 1e-9]))[::-1]
    np.testing.assert_allclose(momentum, blocks, atol=1e-9)
    # the first axis has the larger variance, and no covariance with the second
    within = planes @ C @ planes.swapaxes(1, 2)
    assert np.all(within[:, 0, 0] >= within[:, 1, 1] - 1e-12)
    np.testing.assert_allclose(within[:, 0, 1], 0.0, atol=1e-10)


@given(SEEDS, st.integers(2, 5))
def test_time_reversed_it_turns_backwards_and_coordinates_do_not_matter(seed, n):
    rng = np.random.default_rng(seed)
    K, U = rng.standard_normal((n, n)), np.linalg.qr(rng.standard_normal((n, n)))[0]
    C = np.eye(n) + np.diag(rng.random(n))
    planes = rotation_planes(C, K, n)
    forwards, backwards = turning(planes, C, K), turning(planes, C, K.T)
    np.testing.assert_allclose(backwards.rate, -forwards.rate, atol=1e-12)
    np.testing.assert_allclose(np.cos(backwards.angle), np.cos(forwards.angle), atol=1e-12)
    turned = turning(rotation_planes(U @ C @ U.T, U @ K @ U.T, n), U @ C @ U.T, U @ K @ U.T)
    np.testing.assert_allclose(turned.rate, forwards.rate, atol=1e-9)


@given(SEEDS, st.integers(2, 6), st.floats(0.05, 1.0))
def test_symmetric_weights_and_equal_noise_have_detailed_balance(seed, n, gamma):
    W = stable(np.random.default_rng(seed), n)
    W = 0.5 * (W + W.T) / max(1.0, 1.1 * np.max(np.abs(np.linalg.eigvalsh(0.5 * (W + W.T)))))
    found = ct.orbit(ct.CTRNN(W, 0.0, "x", gamma), ct.Noise(inside=0.7), simulate=False)
    assert found.planes.shape == (0, 2, n)
    law = found.laws["gaussian_closure"]
    np.testing.assert_allclose(law.antisymmetric, 0.0, atol=1e-10 * np.max(np.abs(law.covariance)))


def test_symmetric_weights_under_unequal_noise_turn():
    W, L = np.array([[0.5, 0.3], [0.3, 0.2]]), np.diag([1.0, 0.2])
    law = gaussian(ct.CTRNN(W, 0.0, "x", 1.0), ct.Noise(inside=L))
    K = W @ solve_discrete_lyapunov(W, L @ L.T)
    assert abs(K[1, 0] - K[0, 1]) > 0.1
    np.testing.assert_allclose(2.0 * law.antisymmetric, K - K.T, atol=1e-12)


@given(SEEDS, st.floats(0.1, 8.0))
@settings(max_examples=15)
def test_the_orbit_of_a_homogeneous_network_grows_with_its_noise_and_turns_as_before(seed, s):
    rng = np.random.default_rng(seed)
    net = ct.CTRNN(stable(rng, 4, 0.7), 0.0, "relu", 1.0)
    noise = ct.Noise(inside=rng.standard_normal((4, 3)))
    one = ct.orbit(net, noise, simulate=False)
    law, more = one.laws["gaussian_closure"], gaussian(net, noise.scaled(s), planes=one.planes)
    size = np.max(np.abs(law.covariance))
    np.testing.assert_allclose(more.mean, s * law.mean, atol=1e-8 * s * np.sqrt(size))
    np.testing.assert_allclose(more.lagged, s**2 * law.lagged, atol=1e-8 * s**2 * size)
    np.testing.assert_allclose(more.rate, law.rate, atol=1e-8)
    np.testing.assert_allclose(more.angle, law.angle, atol=1e-6)


def test_a_network_with_bias_is_not_homogeneous():
    net = ct.CTRNN(rotation(0.4, 0.8), [1.5, 0.5], "relu", 1.0)  # weak noise leaves both neurons above the kink
    weak, strong = (gaussian(net, ct.Noise(inside=s), planes=[np.eye(2)]).rate[0] for s in (0.01, 10.0))
    np.testing.assert_allclose(weak, 0.8 * np.sin(0.4), rtol=1e-3)
    assert strong < 0.9 * weak


@given(SEEDS, st.floats(0.1, 0.9), st.sampled_from(["inside", "outside"]))
@settings(max_examples=20)
def test_coloured_sources_are_part_of_the_step(seed, rho, site):
    rng, g, n = np.random.default_rng(seed), 0.4, 3
    W, L = stable(rng, n), rng.standard_normal((n, n))
    # (h, x) with x' = ρ x + √(1-ρ²) ξ and h' = (1-γ) h + γ (W h + L x')
    A = np.block([[(1 - g) * np.eye(n) + g * W, g * rho * L], [np.zeros((n, n)), rho * np.eye(n)]])
    B = np.sqrt(1.0 - rho**2) * np.vstack([g * L, np.eye(n)])
    C = solve_discrete_lyapunov(A, B @ B.T)
    law = gaussian(ct.CTRNN(W, 0.0, "x", g), ct.Noise(**{site: L, f"rho_{site}": rho}))
    size = np.max(np.abs(C))
    np.testing.assert_allclose(law.covariance, C[:n, :n], atol=1e-7 * size)
    np.testing.assert_allclose(law.lagged, (A @ C)[:n, :n], atol=1e-7 * size)


def test_one_neuron_has_no_plane():
    found = ct.orbit(ct.CTRNN.single(0.5, 0.1), ct.Noise(inside=0.5), simulate=False)
    assert found.planes.shape == (0, 2, 1)
    with pytest.raises(ct.NotApplicable, match="turns in none"):
        found.plot()
