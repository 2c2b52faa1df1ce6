"""The noise-free surrogate of a noisy network."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from ctrnn_theory import CTRNN, Noise, NotApplicable, activation, fixed_points, noise_free, predict
from ctrnn_theory.analysis.multiplied_activation import multiplied
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
def test_neurons_with_different_noise_get_different_activations(inside):
    net, noise = network(1, "tanh", n=2), Noise(inside=inside)
    quiet = noise_free(net, noise)
    assert [f.text for f in quiet.activations] == ["smoothed(tanh, 0.5)", "smoothed(tanh, 0.6)"]
    true = predict(net, noise, [0.3, -0.2], method="mean_field").mean
    np.testing.assert_allclose(fixed(quiet, [0.3, -0.2]), true, atol=1e-10)


KINDS = {
    "gain": ({"activation": "erf"}, Noise(gain_inside=0.6)),
    "both": ({"activation": "hardtanh"}, Noise(inside=0.4, gain_inside=0.5)),
    "relu": ({"activation": "relu"}, Noise(gain_inside=[0.6, 0.3])),
    "mixed": (
        {"activation": ["relu", "probit"], "gamma": [0.1, 0.3]},
        Noise(inside=[0.2, 0.4], gain_inside=[0.0, 0.5]),
    ),
    "voltage": ({"activation": "tanh", "form": "voltage"}, Noise(inside=0.5, outside=0.3, gain_outside=0.4)),
    "coloured": ({"activation": "tanh"}, Noise(inside=0.5, rho_inside=0.1)),
}


@pytest.mark.parametrize("name", KINDS)
def test_fixed_point_is_the_mean_field_mean_for_other_kinds(name):
    options, noise = KINDS[name]
    net = CTRNN([[0.4, -0.7], [0.5, 0.2]], [0.3, -0.4], **options)
    true = predict(net, noise, method="mean_field").mean
    np.testing.assert_allclose(fixed(noise_free(net, noise)), true, atol=1e-10)
    assert np.max(np.abs(fixed(net) - true)) > 1e-3  # there was something to repair


def test_what_moves_fluctuations_alone_needs_no_repair():
    net = network(1, "tanh")
    for noise in (Noise(gain_outside=0.5), Noise.dropout(0.5), Noise(common_gain_outside=0.3, outside=0.2)):
        assert noise_free(net, noise).activation == net.activation


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hardtanh", "step", "erf", "probit", "gelu", "sin"])
@pytest.mark.parametrize(("std", "gain"), [(0.4, 0.6), (0.0, 0.5)])
def test_average_over_multiplicative_noise_is_that_of_quadrature(name, std, gain):
    f, x = activation(name), np.array([-3.0, -0.7, -0.1, 0.2, 0.9, 2.5])
    if name == "hardtanh" and not std:
        with pytest.raises(NotApplicable, match=r"^hardtanh averaged over multiplicative noise alone is not smooth"):
            multiplied(f, std, gain)
        return
    F = multiplied(f, std, gain)
    for at in x:
        # the argument is normal; the pieces of the integral end where f bends
        width = np.hypot(std, gain * at)
        bends = [z for z in (np.array(f.breakpoints) - at) / width if abs(z) < 12.0]
        ends = [-12.0, *bends, 12.0]
        parts = [
            quad(lambda z: f(at + width * z) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), low, high, epsabs=1e-13)[0]  # noqa: B023
            for low, high in itertools.pairwise(ends)
        ]
        assert F(at) == pytest.approx(sum(parts), abs=1e-11)
    assert np.max(np.abs(F(x) - f.smoothed(x, np.hypot(std, gain)))) > 1e-3  # additive noise would be something else


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_refuses_an_average_without_closed_expression(name):
    with pytest.raises(NotApplicable, match=f"^{name} averaged over multiplicative noise inside has no closed"):
        noise_free(network(1, name), Noise(inside=0.1, gain_inside=0.5))


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
