import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, NotApplicable, predict
from ctrnn_theory.stationary.flow import jacobian
from ctrnn_theory.stationary.small_noise import kink_shift


def slope_of_error(activation, w, b, gamma, site):
    """Regression slope of log |small_noise - exact| on log sigma."""
    net = CTRNN.single(w=w, b=b, activation=activation, gamma=gamma)
    sigmas = np.geomspace(0.05, 0.2, 6)
    errors = []
    for sigma in sigmas:
        noise = Noise(**{site: sigma})
        exact = predict(net, noise, method="exact")
        errors.append(abs(predict(net, noise, method="small_noise").mean[0] - exact.mean[0]))
    assert min(errors) > 100 * exact.details["error"][0]  # else the slope is that of rounding
    return np.polyfit(np.log(sigmas), np.log(errors), 1)[0]


@pytest.mark.parametrize(
    ("activation", "w", "b", "gamma", "site"),
    [
        ("softplus", -1.0, 0.2, 0.2, "inside"),
        ("softplus", -1.0, 0.2, 0.2, "outside"),
        ("tanh", 0.8, 0.5, 0.1, "inside"),
        ("tanh", 0.8, 0.5, 0.1, "outside"),
    ],
)
def test_error_falls_with_the_fourth_power_of_sigma(activation, w, b, gamma, site):
    assert slope_of_error(activation, w, b, gamma, site) == pytest.approx(4.0, abs=0.2)


def test_error_of_a_wrong_formula_does_not(monkeypatch):
    from ctrnn_theory.stationary import small_noise

    whole = small_noise.linear_covariance
    monkeypatch.setattr(small_noise, "linear_covariance", lambda *args: 2.0 * whole(*args))
    assert slope_of_error("softplus", -1.0, 0.2, 0.2, "inside") < 3.0


@given(
    w=st.floats(-2, 0.9),
    b=st.floats(-1, 1),
    gamma=st.floats(0.05, 1),
    sigma=st.floats(0.01, 1),
    nu=st.floats(0, 1),
)
def test_one_neuron_closed_form(w, b, gamma, sigma, nu):
    net, noise = CTRNN.single(w=w, b=b, activation="tanh", gamma=gamma), Noise(inside=sigma, outside=nu)
    try:
        law = predict(net, noise, method="small_noise")
    except NotApplicable:
        return
    h = law.details["fixed_point"][0]
    a = w * h + b
    d, k = 1 - np.tanh(a) ** 2, -2 * np.tanh(a) * (1 - np.tanh(a) ** 2)
    V = gamma * (d**2 * sigma**2 + nu**2) / ((1 - w * d) * (2 - gamma * (1 - w * d)))
    shift = k * (sigma**2 + w**2 * V) / (2 * (1 - w * d))
    np.testing.assert_allclose(law.covariance[0, 0], V, rtol=1e-9)
    np.testing.assert_allclose(law.mean[0] - h, shift, rtol=1e-9, atol=1e-14)


def test_network_covariance_solves_the_lyapunov_equation():
    rng = np.random.default_rng(3)
    n, factor = 5, rng.standard_normal((5, 2)) / 10
    net = CTRNN(rng.standard_normal((n, n)) / 4, rng.standard_normal(n), "softplus", gamma=0.3)
    noise = Noise(inside=factor, outside=0.05)
    law = predict(net, noise, method="small_noise")
    d = net.activation.derivative(net.preactivation(law.details["fixed_point"]))
    A, D, V = jacobian(net.W, d, net.gamma), np.diag(d), law.covariance
    Q = net.gamma**2 * (D @ factor @ factor.T @ D + 0.05**2 * np.eye(n))
    np.testing.assert_allclose(A @ V @ A.T + Q, V, atol=1e-15)


@given(scale=st.floats(0.1, 3), w=st.floats(-1, 0.8), site=st.sampled_from(["inside", "outside"]))
def test_shift_is_quadratic_in_sigma(scale, w, site):
    net = CTRNN.single(w=w, b=0.3, activation="softplus", gamma=0.2)
    one = predict(net, Noise(**{site: 0.1}), method="small_noise")
    other = predict(net, Noise(**{site: 0.1 * scale}), method="small_noise")
    h = one.details["fixed_point"]
    np.testing.assert_allclose(other.mean - h, scale**2 * (one.mean - h), rtol=1e-9, atol=1e-15)


def test_noise_outside_shifts_through_recurrence_alone():
    shift = predict(CTRNN.single(w=0.0, b=0.3, activation="softplus"), Noise(outside=0.5), method="small_noise")
    np.testing.assert_array_equal(shift.mean, shift.details["fixed_point"])


def test_on_a_kink_it_refuses_and_gives_the_block():
    net = CTRNN.single(w=0.0, b=0.0)
    with pytest.raises(NotApplicable, match=r"lies on the breakpoint of f at 0; .* 0\.1995"):
        predict(net, Noise(inside=0.5), method="small_noise")  # 0.5/sqrt(2 pi) = 0.19947
    with pytest.raises(NotApplicable, match="f'' does not exist") as info:
        predict(CTRNN.single(w=0.0, b=0.0, activation="relu2"), Noise(inside=0.5), method="small_noise")
    assert "block" not in str(info.value)


@given(
    a=st.floats(-3, 3),
    sigma=st.floats(0.01, 2),
    name=st.sampled_from(["relu", "hardtanh", "leaky_relu", "step"]),
)
def test_kink_block_without_recurrence_is_the_smoothing(a, sigma, name):
    net = CTRNN.single(w=0.0, b=a, activation=name)
    expected = net.activation.smoothed(a, sigma) - net.activation(a)
    np.testing.assert_allclose(kink_shift(net, Noise(inside=sigma), np.array([a])), [expected], atol=1e-14)


def test_near_a_kink_it_warns():
    law = predict(CTRNN.single(w=0.5, b=0.1), Noise(inside=0.5), method="small_noise")
    assert "standard deviations from the kink at 0" in law.message
    assert law.details["kink_shift"][0] > 0.1
    far = predict(CTRNN.single(w=0.5, b=5.0), Noise(inside=0.5), method="small_noise")
    assert far.message == ""
