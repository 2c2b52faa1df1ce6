"""The Gaussian closure: exact where it is exact, near the exact values elsewhere, and robust."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales
from ctrnn_theory.stationary.gaussian_closure import solve, solve_inputs, step
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.testing import assert_bias_formula, assert_stationary
from tests.reference_cases import REFERENCE_CASES

ACTIVATIONS = ["relu", "tanh", "softplus", "hardtanh", "erf", "step", "elu"]
seeds = st.integers(0, 2**32 - 1)


def random_weights(rng, n, radius):
    W = rng.normal(size=(n, n))
    return W * radius / np.max(np.abs(np.linalg.eigvals(W)))


def random_noise(rng, n, kind, size=0.5):
    """Noise of one of five kinds: each site alone, both, and correlated between neurons at either."""
    one, other = size * rng.uniform(0.2, 1.0, (2, n))
    factor = size * rng.normal(size=(n, 2))
    return [
        Noise(inside=one),
        Noise(outside=one),
        Noise(inside=one, outside=other),
        Noise(inside=factor),
        Noise(inside=one, outside=factor[:, :1]),
    ][kind]


def check_sound(net, noise, law):
    """Converged, symmetric, positive semi-definite, and a fixed point of the map."""
    V = law.covariance
    assert law.converged, law.message
    np.testing.assert_array_equal(V, V.T)
    assert np.linalg.eigvalsh(V)[0] >= -1e-15 * np.trace(V)
    after = step(net, noise, law.mean, V)[None]
    distance = relative(after.mean - law.mean, after.covariance - V, scales(after))
    assert distance[0] <= 1e-11  # ten times the tolerance: the residual is Newton's own


@given(seeds, st.integers(1, 6), st.sampled_from([0.05, 0.3, 1.0]), st.integers(0, 4))
def test_linear_network_obeys_the_lyapunov_equation(seed, n, gamma, kind):
    rng = np.random.default_rng(seed)
    W, b, noise = random_weights(rng, n, 0.8), rng.normal(size=n), random_noise(rng, n, kind)
    law = solve(CTRNN(W, b, "identity", gamma), noise)
    A = (1.0 - gamma) * np.eye(n) + gamma * W
    V = solve_discrete_lyapunov(A, gamma**2 * (noise.covariance("inside", n) + noise.covariance("outside", n)))
    np.testing.assert_allclose(
        law.mean, np.linalg.solve(np.eye(n) - W, b), rtol=0.0, atol=1e-11 * np.max(np.abs(law.mean))
    )
    np.testing.assert_allclose(law.covariance, V, rtol=0.0, atol=1e-11 * np.max(V))


@pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
def test_close_to_the_exact_law(case):
    net = CTRNN.single(case.w, case.b, case.activation, case.gamma)
    law = solve(net, Noise(**{case.site: case.sigma}))
    check_sound(net, Noise(**{case.site: case.sigma}), law)
    # noise-in is asked for within 2 %; noise-out at a kink sees the state's law itself, which is no Gaussian
    part = 0.02 if case.site == "inside" else 0.2
    assert abs(law.mean[0] - case.mean) <= part * abs(case.mean - case.fixed_point)
    assert law.std[0] == pytest.approx(case.std, rel=0.08)


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_one_step_from_a_gaussian_state_is_exact(name):
    """Moments of h' by Gauss–Hermite quadrature over h and ξ, of two neurons with correlated noise."""
    rng = np.random.default_rng(3)
    root = np.array([[0.4, 0.0], [-0.2, 0.3]])
    net = CTRNN(rng.normal(size=(2, 2)), rng.normal(size=2), name, 0.4)
    noise, mean = Noise(inside=[[0.3, 0.1], [0.0, 0.2]], outside=[0.1, 0.3]), np.array([0.3, -0.2])
    x, w = np.polynomial.hermite_e.hermegauss(24)
    grid = np.stack(np.meshgrid(x, x, x, x, indexing="ij"), axis=-1).reshape(-1, 4)
    weight = np.einsum("i,j,k,l->ijkl", w, w, w, w).ravel() / (2.0 * np.pi) ** 2
    h = mean + grid[:, :2] @ root.T
    after = 0.6 * h + 0.4 * net.activation(h @ net.W.T + net.b + grid[:, 2:] @ noise.factor("inside", 2).T)
    expected = weight @ after
    V = (weight[:, None] * (after - expected)).T @ (after - expected) + 0.16 * noise.covariance("outside", 2)
    found = step(net, noise, mean, root @ root.T)
    np.testing.assert_allclose(found.mean, expected, atol=1e-8)  # of the quadrature: 24 nodes, poles of f at ±iπ/2
    np.testing.assert_allclose(found.covariance, V, atol=1e-8)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_random_networks(name, kind):
    rng = np.random.default_rng(kind)
    for n, gamma in ((2, 0.1), (5, 0.5)):
        W = rng.normal(size=(n, n))
        W *= 0.95 / np.linalg.norm(W, 2)  # a contraction, so that a stationary state exists
        net = CTRNN(W, rng.normal(size=n), name, gamma)
        noise = random_noise(rng, n, kind)
        check_sound(net, noise, solve(net, noise))


def iterate(net, noise, start, steps):
    state = Moments(np.array(start, dtype=float), np.zeros((net.n, net.n)))
    for _ in range(steps):
        state = step(net, noise, state.mean, state.covariance)
    return state


@pytest.mark.parametrize("start", [-1.0, -0.35, -0.3, -0.1, 0.0, 1.0])
@pytest.mark.parametrize("noise", [Noise(inside=0.3), Noise(outside=0.15)], ids=["in", "out"])
@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_bistable_neuron_ends_where_the_map_flows(start, noise, gamma):
    net = CTRNN.single(1.8, 0.1, "tanh", gamma)
    law, end = solve(net, noise, start=[start]), iterate(net, noise, [start], int(60 / gamma))
    assert law.converged
    np.testing.assert_allclose(law.mean, end.mean, atol=1e-6)
    ends = {np.sign(solve(net, noise, start=[s]).mean[0]) for s in (-1.0, 1.0)}
    assert ends == {-1.0, 1.0}  # there are two to choose from


def test_networks_with_several_attractors_end_where_the_map_flows():
    rng, ends = np.random.default_rng(8), set()
    for trial in range(8):
        W = random_weights(rng, 3, 1.0) + 1.6 * np.eye(3)
        net = CTRNN(W, 0.2 * rng.normal(size=3), "erf" if trial % 2 else "hardtanh", 0.3)
        noise, start = random_noise(rng, 3, trial % 5, 0.2), rng.normal(size=3)
        law = solve(net, noise, start=start)
        if law.converged:
            np.testing.assert_allclose(law.mean, iterate(net, noise, start, 300).mean, atol=1e-5)
            ends.add(tuple(np.sign(law.mean)))
    assert len(ends) > 2  # or there would be nothing to confuse


@pytest.mark.parametrize("gamma", [0.005, 0.1])
@pytest.mark.parametrize("n", [8, 32])
def test_strong_feedback_of_a_trained_network(n, gamma):
    """Spectral radius above 4, most of it inhibitory feedback, and a random rest, as training leaves it."""
    rng = np.random.default_rng(n)
    out = np.abs(rng.normal(size=(n, 1)))
    W = random_weights(rng, n, 0.9) - 4.5 * out @ out.T / (out.T @ out)
    assert np.max(np.abs(np.linalg.eigvals(W))) > 4.0
    net, noise = CTRNN(W, rng.normal(size=n) + 1.0, "relu", gamma), Noise(inside=1.0)
    check_sound(net, noise, solve(net, noise))


@settings(max_examples=10)
@given(seeds, st.sampled_from(["relu", "tanh"]))
def test_neurons_may_be_renumbered(seed, name):
    rng = np.random.default_rng(seed)
    W, b, L, order = random_weights(rng, 4, 0.8), rng.normal(size=4), rng.normal(size=(4, 2)), rng.permutation(4)
    one = solve(CTRNN(W, b, name), Noise(inside=L))
    two = solve(CTRNN(W[np.ix_(order, order)], b[order], name), Noise(inside=L[order]))
    np.testing.assert_allclose(two.mean, one.mean[order], atol=1e-10)
    np.testing.assert_allclose(two.covariance, one.covariance[np.ix_(order, order)], atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_neurons_that_are_not_connected_are_single_ones(name):
    w, b, sigma = np.array([0.5, -1.0, 0.2]), np.array([0.1, 0.5, -0.3]), np.array([0.5, 0.2, 1.0])
    law = solve(CTRNN(np.diag(w), b, name), Noise(inside=sigma, outside=0.1))
    for k in range(3):
        single = solve(CTRNN.single(w[k], b[k], name), Noise(inside=sigma[k], outside=0.1))
        assert law.mean[k] == pytest.approx(single.mean[0], abs=1e-10)
        assert law.covariance[k, k] == pytest.approx(single.covariance[0, 0], abs=1e-10)
    np.testing.assert_allclose(law.covariance, np.diag(np.diag(law.covariance)), atol=1e-15)


@pytest.mark.parametrize("name", ["relu", "tanh", "hardtanh", "sin"])
def test_without_noise_it_is_the_fixed_point(name):
    rng = np.random.default_rng(5)
    net = CTRNN(random_weights(rng, 3, 0.5), rng.normal(size=3), name, 0.2)
    law = solve(net, Noise())
    np.testing.assert_allclose(law.mean, net.activation(net.preactivation(law.mean)), atol=1e-12)
    np.testing.assert_array_equal(law.covariance, 0.0)
    np.testing.assert_allclose(law.mean, iterate(net, Noise(), np.zeros(3), 1000).mean, atol=1e-10)


def test_unstable_rest_is_named():
    law = solve(CTRNN.single(1.8, 0.0, "tanh"), Noise())
    assert law.mean[0] == 0.0
    assert "unstable" in law.message


def test_input_enters_as_a_bias_does():
    W, W_in, u = [[0.2, -0.4], [0.3, 0.1]], [[1.0, 0.5], [0.0, -1.0]], [0.3, 0.2]
    one = solve(CTRNN(W, [0.1, 0.2], "tanh", W_in=W_in), Noise(inside=0.4), u)
    two = solve(CTRNN(W, [0.5, 0.0], "tanh"), Noise(inside=0.4))
    np.testing.assert_allclose(one.mean, two.mean, rtol=1e-11)


def test_cycle_is_reported():
    """A rotation that outgrows its damping: the mean runs round for ever."""
    net = CTRNN([[2.0, -3.0], [3.0, 2.0]], 0.0, "tanh", 0.3)
    law = solve(net, Noise(inside=0.1), start=[0.5, 0.0])
    assert not law.converged
    assert "does not settle" in law.message
    assert np.all(np.abs(law.mean) < 0.1)  # the cycle is symmetric about the origin
    assert np.all(law.std > 0.3)  # and its phase is part of the spread


def test_too_few_iterations_are_reported():
    law = solve(CTRNN.single(1.8, 0.1, "tanh", 0.01), Noise(inside=0.3), max_iterations=3, start=[-0.3])
    assert not law.converged
    assert law.details["iterations"] == 3


UNBOUNDED = [("relu", 1.5, 0.5), ("relu", 1.0, 0.5), ("identity", -25.0, 0.0), ("relu2", 1.0, 1.0)]


@pytest.mark.parametrize(("name", "w", "b"), UNBOUNDED)
def test_growth_without_bound_is_an_error(name, w, b):
    with pytest.raises(Divergence, match="W must keep the state bounded"):
        solve(CTRNN.single(w, b, name, 0.1), Noise(inside=0.5))


def test_slow_but_stable_growth_is_not_taken_for_divergence():
    """The mean approaches b/(1-w) over 1000 time constants."""
    law = solve(CTRNN.single(0.999, 1.0, "relu", 0.5), Noise(inside=0.5))
    assert law.converged
    assert law.mean[0] == pytest.approx(1000.0, rel=1e-10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be a positive number; got 0.0"),
        ({"max_iterations": 0}, "max_iterations must be an integer of at least 1"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        solve(CTRNN.single(0.5), Noise(inside=0.1), **options)


@pytest.mark.parametrize("V", [[[1.0, 0.5], [0.2, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
def test_step_refuses_what_is_no_covariance(V):
    with pytest.raises(ValueError, match="covariance must be symmetric positive semi-definite"):
        step(CTRNN(np.eye(2), 0.0), Noise(), [0.0, 0.0], V)


def simulated_mean(net, noise, rng, trajectories=4000, steps=600, burn=150):
    """Time averages of independent trajectories of the map, (M, N), in plain NumPy."""
    L, h, total = noise.factor("inside", net.n), np.zeros((trajectories, net.n)), 0.0
    for k in range(burn + steps):
        x = h @ net.W.T + net.b + rng.standard_normal((trajectories, L.shape[1])) @ L.T
        h = (1.0 - net.gamma) * h + net.gamma * net.activation(x)
        total = total + h if k >= burn else 0.0
    return total / steps


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_against_simulation(name):
    rng = np.random.default_rng(11)
    net = CTRNN(random_weights(rng, 3, 0.8), 0.5 * rng.normal(size=3), name, 0.2)
    noise = Noise(inside=[[0.5, 0.1], [0.3, 0.5], [0.0, 0.6]])
    runs, law = simulated_mean(net, noise, rng), solve(net, noise)
    rest = solve(net, Noise()).mean
    error, bias = np.abs(law.mean - runs.mean(axis=0)), np.max(np.abs(law.mean - rest))
    allowed = 0.01 * bias + 5.0 * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert np.all(error <= allowed)
    wrong = solve(net, Noise(inside=1.1 * np.asarray(noise.inside)))  # negative control: ten percent more noise
    assert np.any(np.abs(wrong.mean - runs.mean(axis=0)) > allowed)


@pytest.mark.parametrize("seed", range(8))
def test_law_of_contracting_networks(seed):
    """Its error is measured: within 5 % of a deviation where a step is short, and noise reaches across the kinks."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    W = rng.standard_normal((n, n))
    f = ["relu", "hardtanh", "erf", "Max(x/2, -x/4) + 1/4"][seed % 4]
    net = CTRNN(0.8 * W / np.linalg.norm(W, 2), rng.uniform(-1.0, 1.0, n), f, rng.uniform(0.05, 0.3))
    noise = Noise(inside=rng.uniform(0.4, 1.0), outside=rng.uniform(0.0, 0.3))
    law = solve(net, noise)
    assert_stationary(law, net, noise, tolerance=0.05)
    wrong = replace(law, mean=law.mean + 0.2 * law.std)  # negative control
    with pytest.raises(AssertionError):
        assert_stationary(wrong, net, noise, tolerance=0.05)


def test_its_error_is_of_fourth_order():
    def bias(net, noise):
        return solve(net, noise).mean - solve(net, Noise()).mean

    for noise in (Noise(inside=0.4), Noise(outside=0.4), Noise(inside=0.3, outside=0.3)):
        assert_bias_formula(bias, CTRNN.single(-1.0, 0.2, "softplus", 0.2), noise, order=2, precision=1e-12)


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("noise", [Noise(inside=0.7), Noise(outside=0.5), Noise(outside=0.5, rho_outside=0.6)])
def test_many_inputs_at_once_settle_where_each_does(n, form, noise):
    rng = np.random.default_rng(n)
    net = CTRNN(0.7 * rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n), "relu", 0.2, rng.normal(size=(n, 1)))
    net, inputs = replace(net, form=form), np.array([[-1.0], [0.2], [2.0]])
    for law, u in zip(solve_inputs(net, noise, inputs), inputs, strict=True):
        alone = solve(net, noise, u)
        assert law.converged
        np.testing.assert_allclose(law.mean, alone.mean, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(law.covariance, alone.covariance, rtol=1e-9, atol=1e-10)


def test_of_many_inputs_those_that_grow_without_bound_say_so():
    net = CTRNN([[0.5]], 0.0, "Max(0, x)**2", 0.2, W_in=[[1.0]])  # settles from zero for small inputs alone
    calm, wild = solve_inputs(net, Noise(inside=0.1), np.array([[0.1], [50.0]]))
    assert calm.converged
    assert isinstance(wild, Divergence)
