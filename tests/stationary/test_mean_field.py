import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.testing import activations, assert_bias_formula, assert_stationary, networks, noises


@given(
    w=st.floats(-2, 0.9),
    b=st.floats(-2, 2),
    sigma=st.floats(0, 2),
    name=st.sampled_from(["relu", "tanh", "gelu"]),
)
def test_mean_is_a_fixed_point_of_the_smoothed_map(w, b, sigma, name):
    net = CTRNN.single(w=w, b=b, activation=name, gamma=0.2)
    law = predict(net, Noise(inside=sigma), method="mean_field")
    assert law.converged
    np.testing.assert_allclose(net.activation.smoothed(w * law.mean + b, sigma), law.mean, atol=1e-11)


@settings(max_examples=25)
@given(networks(), st.data())
def test_mean_is_that_fixed_point_for_networks_too(net, data):
    noise = data.draw(noises(net.n))
    law = predict(net, noise, method="mean_field")
    assert law.converged
    smoothed = net.activation.smoothed(net.preactivation(law.mean), noise.std("inside", net.n))
    np.testing.assert_allclose(smoothed, law.mean, rtol=1e-11, atol=1e-11)


@settings(max_examples=25)
@given(networks(), st.data())
def test_noise_outside_does_not_shift_it(net, data):
    noise = data.draw(noises(net.n, sites=["outside"]))
    law, still = (predict(net, one, method="mean_field") for one in (noise, Noise()))
    np.testing.assert_allclose(law.mean, still.mean, rtol=1e-11, atol=1e-11)


def bias(net, noise):
    """Bias by mean field, as a formula."""
    return predict(net, noise, method="mean_field").mean - predict(net, noise, method="deterministic").mean


@settings(max_examples=5)
@given(activations(lipschitz=True), st.floats(-2, 2), noises(sites=["inside"]))
def test_without_recurrence_the_mean_is_exact(f, b, noise):
    assert assert_bias_formula(bias, CTRNN.single(0.0, b, f, 0.3), noise, precision=1e-12).is_exact


def test_with_recurrence_it_is_no_formula_of_second_order():
    net, noise = CTRNN.single(-1.0, 0.2, "softplus", 0.2), Noise(inside=0.5)
    assert_bias_formula(bias, net, noise, order=0, precision=1e-12)
    with pytest.raises(AssertionError, match=r"falls as σ\^2\.0"):
        assert_bias_formula(bias, net, noise, order=2, precision=1e-12)


def test_law_without_recurrence_is_stationary():
    net = CTRNN(np.zeros((3, 3)), [0.1, -0.2, 0.5], "relu", gamma=0.3)
    noise = Noise(inside=[[0.5, 0.0], [0.3, 0.4], [0.0, 0.7]], outside=0.2)
    assert_stationary(predict(net, noise, method="mean_field"), net, noise)
    with pytest.raises(AssertionError, match=r"E h\[0\] h\[1\] is off"):
        assert_stationary(
            predict(net, Noise(inside=noise.std("inside", 3), outside=0.2), method="mean_field"), net, noise
        )


def test_covariance_without_recurrence_is_exact():
    # W = 0: h is a filtered f(b + sigma xi), V = gamma/(2-gamma) Cov f, correlated noise included
    factor = np.array([[0.5, 0.0], [0.3, 0.4]])
    net = CTRNN(np.zeros((2, 2)), [0.1, -0.2], "relu", gamma=0.3)
    law = predict(net, Noise(inside=factor), method="mean_field")
    rng = np.random.default_rng(0)
    samples = np.maximum(0, net.b + rng.standard_normal((10, 200_000, 2)) @ factor.T)
    each = 0.3 / 1.7 * np.array([np.cov(s.T) for s in samples])
    error = each.std(axis=0, ddof=1) / np.sqrt(10)
    assert np.all(np.abs(each.mean(axis=0) - law.covariance) < 5 * error)
    assert np.any(np.abs(each.mean(axis=0) - 1.05 * law.covariance) > 5 * error)  # could fail


def test_limit_of_small_gamma():
    # at fixed sigma_in the exact mean tends to mean field as gamma -> 0, linearly
    gap = []
    for gamma in (0.04, 0.02, 0.01):
        net = CTRNN.single(w=-1.0, b=0.5, activation="relu", gamma=gamma)
        exact, smooth = (predict(net, Noise(inside=1.0), method=m).mean[0] for m in ("exact", "mean_field"))
        gap.append(abs(exact - smooth))
    np.testing.assert_allclose([gap[0] / gap[1], gap[1] / gap[2]], 2.0, atol=0.1)


@given(w=st.floats(-2, 0.9), b=st.floats(-2, 2), sigma=st.floats(0.1, 2), nu=st.floats(0, 1))
def test_covariance_of_one_neuron_is_the_linear_response_at_the_mean(w, b, sigma, nu):
    net = CTRNN.single(w=w, b=b, activation="softplus", gamma=0.2)
    law = predict(net, Noise(inside=sigma, outside=nu), method="mean_field")
    a = w * law.mean[0] + b
    A = 0.8 + 0.2 * w * net.activation.smoothed(a, sigma, 1)
    V = 0.04 * (net.activation.smoothed_variance(a, sigma) + nu**2) / (1 - A**2)
    np.testing.assert_allclose(law.covariance[0, 0], V, rtol=1e-9)
