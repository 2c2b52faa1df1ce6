"""The closure at the third cumulant: an order better than the Gaussian closure, and never silently wrong."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact, gaussian_closure, simulation
from ctrnn_theory.stationary.closure.cumulant_step import CumulantClosure
from ctrnn_theory.stationary.closure.cumulants import Cumulants, change
from ctrnn_theory.stationary.cumulant_closure import solve
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.testing import assert_bias_formula, networks, noises
from tests.reference_cases import REFERENCE_CASES


def single(case):
    return CTRNN.single(case.w, case.b, case.activation, case.gamma), Noise(**{case.site: case.sigma})


def random_net(n, name, seed, gamma=0.1, radius=0.9):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n, n))
    return CTRNN(W * radius / np.max(np.abs(np.linalg.eigvals(W))), 0.5 * rng.normal(size=n), name, gamma)


@pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
def test_no_worse_than_the_gaussian_closure(case):
    one, two = gaussian_closure.solve(*single(case)), solve(*single(case))
    assert two.converged
    assert two.details["iterations"] < 60  # relaxation has most of Newton's step
    assert abs(two.mean[0] - case.mean) <= abs(one.mean[0] - case.mean)
    assert abs(two.std[0] - case.std) <= abs(one.std[0] - case.std)


@pytest.mark.parametrize(
    ("name", "noise"), [("tanh", Noise(inside=0.5)), ("tanh", Noise(outside=0.5)), ("softplus", Noise(inside=0.5))]
)
def test_order_in_gamma(name, noise):
    """The errors of mean and variance fall as γ³, and those of the Gaussian closure as γ²."""
    errors = {"gaussian": [], "third": []}
    for gamma in (0.02, 0.01):
        net = CTRNN.single(0.7, 0.4, name, gamma)
        truth = exact.solve(net, noise, tolerance=1e-12)
        for key, law in (("gaussian", gaussian_closure.solve(net, noise)), ("third", solve(net, noise))):
            errors[key].append(np.abs([law.mean[0] - truth.mean[0], law.covariance[0, 0] - truth.covariance[0, 0]]))
    power = {key: np.log2(np.divide(*values)) for key, values in errors.items()}
    assert np.all(power["third"] > 2.7)
    assert np.all(power["gaussian"] < 2.3)


@pytest.mark.parametrize("noise", [Noise(inside=0.5), Noise(outside=0.5), Noise(inside=0.4, outside=0.4)])
def test_order_in_the_noise(noise):
    def bias(net, noise):
        return solve(net, noise, tolerance=1e-14).mean - gaussian_closure.solve(net, Noise()).mean

    assert_bias_formula(bias, CTRNN.single(-1.0, 0.2, "softplus", 0.5), noise, order=4, precision=1e-13)


def test_skewness_is_of_first_order():
    """Its relative error falls as γ."""
    errors = []
    for gamma in (0.1, 0.05, 0.025):
        net, noise = CTRNN.single(0.8, 0.5, "tanh", gamma), Noise(inside=0.7)
        truth = exact.solve(net, noise)
        d = truth.details["points"] - truth.mean[0]
        errors.append(solve(net, noise).details["third_cumulant"][0, 0, 0] / (truth.details["weights"] @ d**3) - 1.0)
    assert 1.6 < errors[0] / errors[1] < 2.6
    assert 1.6 < errors[1] / errors[2] < 2.6


@settings(max_examples=15)
@given(networks(activations=["relu", "tanh", "softplus", "hardtanh"]), st.data())
def test_it_is_a_fixed_point_of_the_map(net, data):
    noise = data.draw(noises(net.n))
    law = solve(net, noise)
    third, V = law.details["third_cumulant"], law.covariance
    np.testing.assert_allclose(third, np.transpose(third, (1, 2, 0)), atol=1e-12 * (1.0 + np.max(np.abs(third))))
    assert np.linalg.eigvalsh(V)[0] >= -1e-15 * np.trace(V)
    if not law.converged:
        assert "Gaussian closure is returned" in law.message
        assert np.array_equal(law.mean, gaussian_closure.solve(net, noise).mean)
        return
    state = Cumulants(law.mean, V, third)
    assert change(state[None], CumulantClosure.of(net, noise).step(state[None]))[0] <= 1e-9


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_networks_with_noise_outside_against_simulation(seed):
    """Within a hundredth of the largest bias; negative control: the Gaussian closure is not."""
    net, noise = random_net(4, "relu", seed), Noise(outside=1.0)
    truth = simulation.solve(net, noise, target_se=1e-4, rng=seed, workers=1)
    bias = np.max(np.abs(truth.mean - gaussian_closure.solve(net, Noise()).mean))
    allowed = 0.01 * bias + 5.0 * truth.standard_error
    assert np.all(np.abs(solve(net, noise).mean - truth.mean) <= allowed)
    assert np.any(np.abs(gaussian_closure.solve(net, noise).mean - truth.mean) > allowed)


def test_linear_networks_are_gaussian():
    net, noise = random_net(5, "identity", 0), Noise(inside=0.5, outside=[[0.2]] * 5)
    one, two = gaussian_closure.solve(net, noise), solve(net, noise)
    np.testing.assert_allclose(two.mean, one.mean, atol=1e-11)
    np.testing.assert_allclose(two.covariance, one.covariance, atol=1e-11)
    np.testing.assert_allclose(two.details["third_cumulant"], 0.0, atol=1e-15)


def test_neurons_that_are_not_connected_are_single_ones():
    w, b = np.array([0.5, -1.0, 0.2]), np.array([0.1, 0.5, -0.3])
    law = solve(CTRNN(np.diag(w), b, "relu", 0.1), Noise(inside=0.5, outside=0.1))
    for k in range(3):
        alone = solve(CTRNN.single(w[k], b[k], "relu", 0.1), Noise(inside=0.5, outside=0.1))
        assert law.mean[k] == pytest.approx(alone.mean[0], abs=1e-10)
        assert law.details["skewness"][k] == pytest.approx(alone.details["skewness"][0], abs=1e-9)
    third = law.details["third_cumulant"]
    own = np.zeros_like(third)
    np.einsum("iii->i", own)[:] = np.einsum("iii->i", third)
    np.testing.assert_allclose(third, own, atol=1e-15)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["relu", "tanh"]))
def test_neurons_may_be_renumbered(seed, name):
    net, order = random_net(4, name, seed, radius=0.7), np.random.default_rng(seed).permutation(4)
    L = np.random.default_rng(seed).normal(size=(4, 2))
    other = CTRNN(net.W[np.ix_(order, order)], net.b[order], name, net.gamma)
    one, two = solve(net, Noise(inside=L)), solve(other, Noise(inside=L[order]))
    np.testing.assert_allclose(two.mean, one.mean[order], atol=1e-9)
    np.testing.assert_allclose(two.details["correction"], one.details["correction"][order], atol=1e-9)


def test_without_noise_it_is_the_fixed_point():
    net = random_net(3, "tanh", 2)
    law = solve(net, Noise())
    np.testing.assert_allclose(law.mean, net.activation(net.preactivation(law.mean)), atol=1e-11)
    np.testing.assert_array_equal(law.covariance, 0.0)
    assert law.converged
    assert "unstable" in solve(CTRNN.single(1.8, 0.0, "tanh"), Noise()).message


def test_an_input_and_a_start_are_passed_on():
    net = CTRNN([[1.8]], 0.0, "tanh", 0.1, W_in=[[1.0]])
    shifted = CTRNN([[1.8]], 0.1, "tanh", 0.1)
    for start in (-1.0, 1.0):
        one, two = solve(net, Noise(inside=0.2), [0.1], [start]), solve(shifted, Noise(inside=0.2), start=[start])
        np.testing.assert_allclose(one.mean, two.mean, rtol=1e-10)
        assert np.sign(one.mean[0]) == start


@pytest.mark.parametrize("name", ["softplus", "relu"])
def test_common_noise_leaves_a_singular_covariance(name):
    """One source for eight neurons: V has hardly any rank, and no negative eigenvalue."""
    net, noise = random_net(8, name, 0, radius=0.8), Noise(inside=np.ones((8, 1)))
    law = solve(net, noise)
    assert law.converged
    values = np.linalg.eigvalsh(law.covariance)
    assert -1e-15 * values[-1] <= values[0] < 1e-3 * values[-1]


def test_where_it_fails_the_gaussian_closure_is_given():
    """γ = 1 and a strong negative feedback: nothing is small."""
    net, noise = CTRNN.single(-1.86, 0.62, "tanh", 1.0), Noise(inside=0.5)
    law, gaussian = solve(net, noise), gaussian_closure.solve(net, noise)
    assert not law.converged
    assert "the law of the Gaussian closure is returned" in law.message
    assert np.array_equal(law.covariance, gaussian.covariance)
    cycle = solve(CTRNN([[2.0, -3.0], [3.0, 2.0]], 0.0, "tanh", 0.3), Noise(inside=0.1), start=[0.5, 0.0])
    assert not cycle.converged
    assert "does not settle" in cycle.message
    few = solve(CTRNN.single(0.9, 0.2, "hardtanh"), Noise(outside=0.6), max_iterations=2)
    assert not few.converged
    assert few.details["iterations"] == 2


def test_growth_without_bound_is_an_error():
    with pytest.raises(Divergence, match="W must keep the state bounded"):
        solve(CTRNN.single(1.5, 0.5, "relu"), Noise(inside=0.5))


@pytest.mark.parametrize(("name", "value"), [("tolerance", 0.0), ("max_iterations", 0)])
def test_refused_options(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        solve(CTRNN.single(0.5), Noise(inside=0.1), **{name: value})


def test_a_variance_next_to_underflow_has_no_third_cumulants():
    """f' is e^{-346} where the neuron is, so that the third power of its deviation is 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        law = solve(CTRNN.single(6.91e-06, 18.6, "erf", 0.0531), Noise(3.83e-08))
    assert law.converged
    np.testing.assert_allclose(law.mean, 1.0)
