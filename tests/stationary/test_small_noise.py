from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, NotApplicable, predict
from ctrnn_theory.derive.hierarchy import numbers
from ctrnn_theory.dynamics.linear_response import jacobian
from ctrnn_theory.stationary.small_noise import kink_shift

NEURONS = {"softplus": (-1.0, 0.2, 0.2), "tanh": (0.8, 0.5, 0.1), "sigmoid": (-2.0, 0.6, 0.3)}
"""w, b and γ of a neuron for each activation."""
RANGES = {
    ("softplus", "inside"): (0.08, 0.2),
    ("softplus", "outside"): (0.24, 0.6),
    ("softplus", "both"): (0.08, 0.2),
    ("tanh", "inside"): (0.045, 0.1),
    ("tanh", "outside"): (0.14, 0.32),
    ("tanh", "both"): (0.045, 0.1),
    ("sigmoid", "inside"): (0.06, 0.15),
    ("sigmoid", "outside"): (0.1, 0.25),
    ("sigmoid", "both"): (0.06, 0.15),
}
"""Two values of σ, so small that the next term rules, and so large that the error exceeds that of the exact law."""
SITES = ("inside", "outside", "both")


def both_sites(site, sigma):
    return Noise(inside=sigma, outside=sigma) if site == "both" else Noise(**{site: sigma})


@cache
def exact_laws(activation, site):
    """Network, five noises and the exact law with each."""
    w, b, gamma = NEURONS[activation]
    net = CTRNN.single(w=w, b=b, activation=activation, gamma=gamma)
    noises = [both_sites(site, sigma) for sigma in np.geomspace(*RANGES[activation, site], 5)]
    return net, noises, [predict(net, noise, method="exact", tolerance=1e-14) for noise in noises]


def slope(activation, site, errors):
    """Regression slope of log |error| on log σ."""
    return np.polyfit(np.log(np.geomspace(*RANGES[activation, site], len(errors))), np.log(np.abs(errors)), 1)[0]


def slope_of_error(activation, site, order):
    """Regression slope of log |small_noise - exact| on log σ, for the mean and for the variance."""
    net, noises, exact = exact_laws(activation, site)
    laws = [predict(net, noise, method="small_noise", order=order) for noise in noises]
    mean = [law.mean[0] - true.mean[0] for law, true in zip(laws, exact, strict=True)]
    variance = [law.covariance[0, 0] - true.covariance[0, 0] for law, true in zip(laws, exact, strict=True)]
    # an error of 1/50 in the least of them moves the slope by 0.02, a tenth of what is allowed: the points span a
    # factor e^0.8 in σ, so that the weight of an end in the regression is about one
    for errors, k in ((mean, 0), (variance, 1)):
        assert min(map(abs, errors)) > 50 * max(true.details["error"][k] for true in exact)
    return slope(activation, site, mean), slope(activation, site, variance)


@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("activation", NEURONS)
def test_error_falls_with_the_next_power_of_sigma(activation, site, order):
    assert slope_of_error(activation, site, order) == pytest.approx((order + 2, order + 2), abs=0.2)


@pytest.mark.parametrize("order", [4, 6])
@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("activation", NEURONS)
def test_error_of_the_third_cumulant_falls_no_slower(activation, site, order):
    net, noises, exact = exact_laws(activation, site)
    errors = []
    for noise, law in zip(noises, exact, strict=True):
        a = net.preactivation(predict(net, noise, method="deterministic").mean)
        slopes = [float(net.activation.derivative(a, k)[0]) for k in range(1, order + 1)]
        parts = numbers(order, net.W[0, 0], net.gamma, noise.inside, noise.outside, slopes)
        true = law.details["weights"] @ (law.details["points"] - law.mean[0]) ** 3
        errors.append(sum(parts["third_cumulant"]) - true)
    assert slope(activation, site, errors) > order + 1.8


@pytest.mark.parametrize("order", [2, 4])
def test_error_of_a_wrong_formula_does_not(order, monkeypatch):
    from ctrnn_theory.derive import hierarchy
    from ctrnn_theory.dynamics import linear_response

    whole, gaussian = linear_response.lyapunov, hierarchy._gaussian
    if order == 2:
        monkeypatch.setattr(linear_response, "lyapunov", lambda *args: 2.0 * whole(*args))
    else:
        monkeypatch.setattr(hierarchy, "_gaussian", lambda n: 2 if n == 4 else gaussian(n))
    assert slope_of_error("softplus", "inside", order)[0] < order + 1


@given(
    w=st.floats(-2, 0.9),
    b=st.floats(-1, 1),
    gamma=st.floats(0.05, 1),
    inside=st.floats(0, 1),
    outside=st.floats(0, 1),
    name=st.sampled_from(["tanh", "softplus", "gelu", "elu", "identity"]),
)
def test_first_term_of_a_higher_order_is_order_two(w, b, gamma, inside, outside, name):
    net, noise = CTRNN.single(w=w, b=b, activation=name, gamma=gamma), Noise(inside=inside, outside=outside)
    try:
        two, four = (predict(net, noise, method="small_noise", order=order) for order in (2, 4))
    except (NotApplicable, Divergence):
        return
    np.testing.assert_allclose(four.details["terms"][0], two.details["terms"][0], rtol=1e-9, atol=1e-15)
    for law, count in ((two, 1), (four, 2)):
        assert law.details["terms"].shape == (count, 1)
        np.testing.assert_array_equal(law.details["fixed_point"] + law.details["terms"].sum(axis=0), law.mean)
        assert law.covariance[0, 0] >= 0.0


def test_it_says_how_far_it_is_to_be_trusted():
    net = CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2)
    good = predict(net, Noise(inside=0.5), method="small_noise", order=6)
    first, _, last = good.details["terms"][:, 0]
    assert good.details["ratio"] == pytest.approx(abs(last) / abs(good.mean[0] - good.details["fixed_point"][0]))
    assert good.details["ratio"] < 0.01 * first / abs(last)
    assert good.message == ""
    poor = predict(net, Noise(inside=1.6), method="small_noise", order=6)
    assert "the term in σ⁶ is" in poor.message
    assert poor.details["ratio"] > 0.1
    assert predict(net, Noise(inside=1.6), method="small_noise").details["ratio"] is None


@pytest.mark.parametrize("order", [4, 6])
def test_where_nothing_shifts_the_ratio_is_zero(order):
    law = predict(CTRNN.single(w=0.0, b=0.3, activation="tanh"), Noise(outside=0.5), method="small_noise", order=order)
    assert law.details["ratio"] == 0.0
    assert law.message == ""


def test_a_negative_variance_is_not_given():
    net = CTRNN.single(w=0.0, b=0.0, activation="tanh", gamma=0.5)
    law = predict(net, Noise(inside=1.5), method="small_noise", order=4)  # σ² - 2σ⁴ < 0, times γ/(2-γ)
    np.testing.assert_allclose(law.covariance, [[1.5**2 / 3]])
    assert "the series of the variance is negative" in law.message


def test_orders_that_it_does_not_have():
    one = CTRNN.single(w=0.5, b=0.1, activation="tanh")
    for order in (1, 3, 0, 2.0):
        with pytest.raises(ValueError, match="order must be even and at least 2; got"):
            predict(one, Noise(inside=0.1), method="small_noise", order=order)
    two = CTRNN(np.eye(2) / 4, 0.1, "tanh")
    with pytest.raises(NotApplicable, match="order 4 of small_noise is for one neuron, and the network has 2"):
        predict(two, Noise(inside=0.1), method="small_noise", order=4)
    assert predict(two, Noise(inside=0.1), method="small_noise", order=2).details["terms"].shape == (1, 2)


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
    name=st.sampled_from(["relu", "hardtanh", "leaky_relu", "step", "Heaviside(x - 3/4) - Max(0, x - 3/4)"]),
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


@pytest.mark.parametrize("order", [2, 4])
def test_near_a_breakpoint_it_warns(order):
    law = predict(CTRNN.single(w=0.0, b=0.1, activation="elu"), Noise(inside=0.2), method="small_noise", order=order)
    assert "0.5 standard deviations from the breakpoint at 0" in law.message
    assert "kink_shift" not in law.details
