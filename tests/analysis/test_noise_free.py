"""The noise-free surrogate of a noisy network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, fixed_points, noise_free, predict
from tests.reference_cases import LAST_DIGIT, REFERENCE_CASES

INSIDE = [case for case in REFERENCE_CASES if case.site == "inside"]


def network(seed, activation, n=4):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, n)) * 0.5 / np.sqrt(n)
    return CTRNN(W, rng.normal(0, 0.3, n), activation, 0.2, rng.normal(size=(n, 2)), rng.normal(size=(1, n)), [0.1])


def fixed(net, u=None):
    return predict(net, Noise(), u, method="deterministic").mean


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from(["relu", "tanh", "softplus", "gelu", "atan(2*x)"]), st.floats(0.05, 2))
def test_fixed_point_is_the_mean_field_mean(seed, activation, sigma):
    net, u = network(seed, activation), [0.3, -0.2]
    true = predict(net, Noise(inside=sigma), u, method="mean_field").mean
    np.testing.assert_allclose(fixed(noise_free(net, Noise(inside=sigma)), u), true, atol=1e-10)


@pytest.mark.parametrize("case", INSIDE, ids=lambda case: case.name)
def test_takes_most_of_the_bias_out(case):
    net = CTRNN.single(case.w, case.b, case.activation, case.gamma)
    quiet = noise_free(net, Noise(inside=case.sigma))
    error = abs(fixed(quiet)[0] - case.mean)
    assert error <= abs(case.mean - case.fixed_point) / 5
    assert error > LAST_DIGIT["mean"]  # exact it is not
    assert [point.stable for point in fixed_points(quiet)] == [True]


def test_error_is_of_order_gamma():
    gammas = 0.2 * 0.5 ** np.arange(5)
    errors, biases = [], []
    for gamma in gammas:
        net, noise = CTRNN.single(0.5, 0.1, "softplus", gamma), Noise(inside=1.0)
        exact = predict(net, noise, method="exact").mean[0]
        errors.append(abs(fixed(noise_free(net, noise))[0] - exact))
        biases.append(abs(fixed(net)[0] - exact))
    assert np.polyfit(np.log(gammas), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.1)
    assert np.polyfit(np.log(gammas), np.log(biases), 1)[0] == pytest.approx(0.0, abs=0.1)  # without it: no order


def test_keeps_the_rest_of_the_network(tmp_path):
    net = network(3, "relu")
    quiet = noise_free(net, Noise(inside=0.5, outside=0.3))
    assert quiet.activation.text == "smoothed(relu, 0.5)"
    assert quiet.gamma == net.gamma
    quiet.save(tmp_path / "net.npz")
    loaded = CTRNN.load(tmp_path / "net.npz")
    assert loaded.activation == quiet.activation
    for name in ("W", "b", "W_in", "W_out", "b_out"):
        np.testing.assert_array_equal(getattr(quiet, name), getattr(net, name))
        np.testing.assert_array_equal(getattr(loaded, name), getattr(net, name))


def test_what_counts_is_the_standard_deviation_inside():
    net = network(1, "tanh", n=2)
    assert noise_free(net, Noise(outside=0.5)).activation == net.activation
    assert noise_free(net, Noise()).activation == net.activation
    for inside in ([0.5, 0.5], [[0.3, 0.4], [0.5, 0.0]]):
        assert noise_free(net, Noise(inside=inside)).activation.text == "smoothed(tanh, 0.5)"
    again = noise_free(noise_free(net, Noise(inside=0.3)), Noise(inside=0.4))
    assert again.activation.text == "smoothed(tanh, 0.5)"


@pytest.mark.parametrize("inside", [[0.5, 0.6], [[0.5, 0.0], [0.0, 0.6]]])
def test_refuses_noise_that_differs_between_neurons(inside):
    with pytest.raises(ValueError, match=r"^noise inside must have one .*; got 0\.5 to 0\.6$"):
        noise_free(network(1, "tanh", n=2), Noise(inside=inside))


@pytest.mark.parametrize(("net", "noise"), [("relu", Noise()), (CTRNN.single(0.5), 0.5)])
def test_refuses_what_is_no_model(net, noise):
    with pytest.raises(ValueError, match=r"^(net|noise) must be a"):
        noise_free(net, noise)


METHODS = ("deterministic", "mean_field", "small_noise", "gaussian_closure", "cumulant_closure", "exact")


def test_methods_agree_on_it_in_little_noise():
    """Their differences are of order σ⁴, and σ⁴ = 6e-6 times derivatives of order one."""
    quiet, noise = noise_free(CTRNN.single(0.5, 0.1, "hardtanh", 0.2), Noise(inside=0.7)), Noise(0.05, 0.05)
    means = [predict(quiet, noise, method=method).mean[0] for method in METHODS[1:]]
    assert np.ptp(means[1:]) < 1e-5
    simulated = predict(quiet, noise, method="simulation", target_se=1e-4, rng=0)
    assert abs(simulated.mean[0] - means[-1]) < 5 * simulated.standard_error[0]
