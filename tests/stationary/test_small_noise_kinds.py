"""Small noise and mean field for gains, colour, the voltage form and neurons that differ."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, NotApplicable, predict
from ctrnn_theory.stationary.small_noise import solve
from tests.stationary.linearised_step import case, second_order

WEIGHTS = [[0.3, -0.6], [0.5, 0.3]]
REFERENCES = {
    "coloured inside, one neuron": (
        CTRNN([[-0.7]], 0.3, "tanh", 0.3),
        Noise(inside=0.6, rho_inside=0.7),
        [0.15071508687780438],
        [[0.08342119984043692]],
    ),
    "coloured inside, white outside": (
        CTRNN(WEIGHTS, [0.4, 0.3], "tanh", 0.3),
        Noise(inside=[0.5, 0.4], rho_inside=[0.6, 0.3], outside=0.2),
        [0.171089379398672, 0.38223148483867964],
        [[0.1485119062047146, 0.02430118678760446], [0.024301186787604446, 0.05749371524225786]],
    ),
    "neurons that differ": (
        CTRNN(WEIGHTS, [0.4, 0.3], ["tanh", "relu(1.5*(x - 0.1)) + 0.05"], [0.5, 0.2]),
        Noise(inside=[0.4, 0.3]),
        [0.010527064972022616, 0.6507187249618475],
        [[0.07955370974178906, -0.006107682579515698], [-0.0061076825795157, 0.039726826457236956]],
    ),
    "dropout": (
        CTRNN([[-0.8]], 0.1, "relu", 0.3),
        Noise.dropout(0.6, outside=0.3),
        [0.05555555555555375],
        [[0.010508859950767623]],
    ),
    "gain outside": (
        CTRNN([[0.4]], 0.03, "relu", 0.2),
        Noise(outside=0.3, gain_outside=0.6),
        [0.04999999999999254],
        [[0.016117021276595738]],
    ),
    "gain inside": (
        CTRNN([[-0.8]], 0.5, "tanh", 0.25),
        Noise(inside=0.4, gain_inside=0.6),
        [0.2449919130602854],
        [[0.014801704588029816]],
    ),
    "private and common gain outside": (
        CTRNN(WEIGHTS, [0.2, 0.3], "relu", 0.25),
        Noise(outside=0.2, gain_outside=0.4, common_gain_outside=0.5),
        [2.9848481958293316e-21, 0.42857142857143365],
        [[0.005714285714285715, 0.001405152224824356], [0.001405152224824356, 0.02518955675048575]],
    ),
    "threshold-quadratic": (
        CTRNN([[-0.7]], 0.3, "0.8*Max(0, x)**2", 0.2),
        Noise(inside=0.4),
        [0.15451769840533636],
        [[0.0024908550350543146]],
    ),
    "voltage, coloured outside": (
        CTRNN([[0.6, -0.8], [0.9, -0.3]], [0.7, 0.4], "0.4*Max(0, x)**2", [0.2, 0.4], form="voltage"),
        Noise(outside=0.3, rho_outside=0.8),
        [0.719794208230175, 0.566162696418263],
        [[0.06991059337851041, 0.017279564573979767], [0.017279564573979767, 0.05868221346771621]],
    ),
    "voltage, both sites": (
        CTRNN([[-0.7]], 0.5, "softplus", 0.2, form="voltage"),
        Noise(inside=0.6, outside=0.5),
        [-0.013977347739332957],
        [[0.025196478687227998]],
    ),
    "voltage, three neurons": (
        CTRNN([[0.3, -0.6, 0.2], [0.5, 0.3, -0.4], [-0.2, 0.4, 0.1]], [0.4, 0.3, 0.2], "relu", 0.3, form="voltage"),
        Noise(inside=0.3, outside=[0.2, 0.3, 0.4]),
        [0.2956926658905736, 0.4388824214202558, 0.35157159487776257],
        [
            [0.02620202177082043, -0.00588476254375579, -0.006951441276560584],
            [-0.005884762543755789, 0.033440859203815516, -0.00238764610172901],
            [-0.006951441276560581, -0.002387646101729011, 0.03629254311784149],
        ],
    ),
}
"""Networks, noise, and mean and covariance to second order by a solver independent of the package."""


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_cases(name):
    net, noise, mean, covariance = REFERENCES[name]
    law = predict(net, noise, method="small_noise")
    np.testing.assert_allclose(law.mean, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(law.covariance, covariance, rtol=0, atol=1e-12)


def solved(net, noise, method="small_noise", **options):
    """Return a law, or None where there is none because the fixed point is unstable."""
    try:
        return predict(net, noise, method=method, **options)
    except (NotApplicable, Divergence):
        return None


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_all_kinds_together_are_the_second_order_of_the_step(seed):
    """Differences are good to 1e-9 here: their error is WIDTH⁴ times derivatives of order 5, or 1e-16 / WIDTH²."""
    net, noise = case(seed)
    law = solved(net, noise)
    if law is None:
        return
    shift, V = second_order(net, noise, law.details["fixed_point"])
    size = max(1.0, np.max(np.abs(V)), np.max(np.abs(shift)))
    np.testing.assert_allclose(law.covariance, V, rtol=0, atol=1e-7 * size)
    np.testing.assert_allclose(law.mean - law.details["fixed_point"], shift, rtol=0, atol=1e-7 * size)


KINDS = ("inside", "outside", "gain_inside", "gain_outside", "common", "dropout")


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_order_feels_every_kind(kind):
    """So that the test above could fail: without one kind of noise, it does not agree."""
    found = 0
    for seed in range(12):
        net, noise = case(seed, kinds=("inside", kind))
        less = case(seed, kinds=KINDS)[1]
        less = Noise(inside=less.inside if kind != "inside" else 0.0)
        law = solved(net, noise)
        if law is not None:
            found += np.max(np.abs(second_order(net, less, law.details["fixed_point"])[1] - law.covariance)) > 1e-4
    assert found >= 6


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_linear_networks_have_their_exact_law_by_both_methods(seed):
    """They are exact without gains; with gains at one site, the methods agree on what they leave out."""
    net, noise = case(seed, functions=("x", "x/2", "1 - x/3"))
    plain = Noise(noise.inside, noise.outside, rho_inside=noise.rho_inside, rho_outside=noise.rho_outside)
    outside = replace(noise, inside=0.0, rho_inside=0.0, gain_inside=0.0)
    inside = replace(noise, gain_outside=0.0, common_gain_outside=0.0, keep=1.0)
    for one in (outside, inside, plain):
        small, field = solved(net, one), solved(net, one, "mean_field")
        if small is None or field is None:
            return
        np.testing.assert_allclose(field.mean, small.mean, rtol=1e-10, atol=1e-11)
        size = max(1.0, np.max(np.abs(small.covariance)))
        np.testing.assert_allclose(field.covariance, small.covariance, rtol=0, atol=1e-9 * size)
    np.testing.assert_allclose(small.mean, small.details["fixed_point"], rtol=0, atol=1e-14)
    np.testing.assert_allclose(small.covariance, second_order(net, plain, small.mean)[1], rtol=0, atol=1e-8 * size)


@given(st.floats(-1, 0.9), st.floats(0.05, 1), st.floats(0, 0.99), st.floats(-1, 1))
def test_one_neuron_under_coloured_noise_inside(w, gamma, rho, b):
    net, sigma = CTRNN.single(w, b, "tanh", gamma), 0.3
    law = predict(net, Noise(inside=sigma, rho_inside=rho), method="small_noise")
    h = law.details["fixed_point"][0]
    d, bend = 1 - h**2, -2 * h * (1 - h**2)
    A = 1 - gamma * (1 - w * d)
    P = gamma * d * sigma**2 / (1 - rho * A)
    V = gamma**2 * d**2 * sigma**2 * (1 + rho * A) / ((1 - A**2) * (1 - rho * A))
    S = sigma**2 + w**2 * V + 2 * w * rho * P
    np.testing.assert_allclose(law.covariance[0, 0], V, rtol=1e-9)
    np.testing.assert_allclose(law.mean[0] - h, bend * S / (2 * (1 - w * d)), rtol=1e-9, atol=1e-14)


def test_slow_noise_is_quenched():
    net, sigma = CTRNN.single(-0.8, 0.4, "tanh", 0.2), 0.01
    h = predict(net, Noise(), method="deterministic").mean[0]
    d = 1 - h**2
    law = predict(net, Noise(inside=sigma, rho_inside=1 - 1e-7), method="small_noise")
    quenched = -h * d * sigma**2 / (1 + 0.8 * d) ** 3  # δ = f'' σ² / (2 (1 - w d)³)
    assert law.mean[0] - h == pytest.approx(quenched, rel=1e-5)
    still = predict(net, Noise(inside=sigma), method="small_noise").mean[0] - h
    assert still != pytest.approx(quenched, rel=0.1)


@pytest.mark.parametrize("method", ["small_noise", "mean_field"])
@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_limits_of_no_colour_and_no_gain(method, form):
    net = CTRNN(WEIGHTS, [0.4, 0.3], "tanh", 0.3, form=form)
    plain = predict(net, Noise(inside=0.4, outside=0.2), method=method)
    for extra in ({"rho_inside": 1e-13}, {"rho_outside": 1e-13}, {"gain_inside": 1e-7}, {"gain_outside": 1e-7}):
        near = predict(net, Noise(inside=0.4, outside=0.2, **extra), method=method)
        np.testing.assert_allclose(near.mean, plain.mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(near.covariance, plain.covariance, rtol=0, atol=1e-12)
    for extra in ({"rho_inside": 0.5}, {"rho_outside": 0.5}, {"gain_inside": 0.5}, {"gain_outside": 0.5}):
        far = predict(net, Noise(inside=0.4, outside=0.2, **extra), method=method)
        assert np.max(np.abs(far.covariance - plain.covariance)) > 1e-4


@pytest.mark.parametrize("method", ["small_noise", "mean_field", "deterministic"])
@pytest.mark.parametrize("singular", [False, True])
def test_voltage_under_noise_inside_is_the_rate_network_seen_through_its_weights(method, singular):
    W = np.array([[0.3, -0.6], [-0.15, 0.3]]) if singular else np.array(WEIGHTS)
    noise = Noise(inside=[[0.3, 0.1], [0.0, 0.4]], rho_inside=[0.0, 0.6])
    rate, voltage = (
        predict(CTRNN(W, [0.4, 0.3], "tanh", 0.3, form=form), noise, method=method) for form in ("rate", "voltage")
    )
    np.testing.assert_allclose(voltage.mean, W @ rate.mean + [0.4, 0.3], rtol=0, atol=1e-12)
    np.testing.assert_allclose(voltage.covariance, W @ rate.covariance @ W.T, rtol=0, atol=1e-13)


@pytest.mark.parametrize("singular", [False, True])
def test_white_noise_outside_a_voltage_network_is_coloured_noise_inside_a_rate_network(singular):
    """v = W h + b + x exactly, so that E v = W E h + b, and E f(v) = E h."""
    gamma, L = 0.3, np.array([[0.3, 0.1], [0.0, 0.4]])
    W = np.array([[0.3, -0.6], [-0.15, 0.3]]) if singular else np.array(WEIGHTS)
    voltage = predict(CTRNN(W, [0.4, 0.3], "tanh", gamma, form="voltage"), Noise(outside=L), method="small_noise")
    inside = np.sqrt(gamma / (2 - gamma)) * L
    rate = predict(
        CTRNN(W, [0.4, 0.3], "tanh", gamma), Noise(inside=inside, rho_inside=1 - gamma), method="small_noise"
    )
    np.testing.assert_allclose(voltage.mean, W @ rate.mean + [0.4, 0.3], rtol=0, atol=1e-12)
    np.testing.assert_allclose(voltage.rates, rate.mean, rtol=0, atol=1e-12)
    white = predict(CTRNN(W, [0.4, 0.3], "tanh", gamma), Noise(inside=inside), method="small_noise")
    assert np.max(np.abs(voltage.rates - white.mean)) > 1e-4


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("method", ["small_noise", "mean_field", "deterministic"])
def test_gains_thresholds_scales_and_offsets_are_a_reparametrisation(method, form):
    W, b = np.array(WEIGHTS), np.array([0.4, 0.3])
    g, c, s, o = (np.array(x) for x in ([1.5, 0.7], [0.1, -0.2], [0.8, 1.3], [0.05, -0.1]))
    inside, outside = np.array([[0.3, 0.1], [0.0, 0.2]]), np.array([[0.1, 0.0], [0.2, 0.1]])
    texts = [f"{s[i]}*tanh({g[i]}*(x - ({c[i]}))) + ({o[i]})" for i in range(2)]
    given = CTRNN(W, b, texts, [0.3, 0.5], form=form)
    plain = CTRNN(g[:, None] * W * s, g * (b - c + W @ o), "tanh", [0.3, 0.5], form=form)
    rho = {"rho_inside": [0.5, 0.0], "rho_outside": [0.0, 0.7]}
    # in voltage form v is g (v - c), and noise outside is part of it
    scale = g if form == "voltage" else 1.0 / s
    law = predict(given, Noise(inside, outside, **rho), method=method, start=[0.0, 0.0])
    noise = Noise(g[:, None] * inside, scale[:, None] * outside, **rho)
    other = predict(plain, noise, method=method, start=-g * c if form == "voltage" else -o / s)
    back = other.mean / g + c if form == "voltage" else s * other.mean + o
    np.testing.assert_allclose(law.mean, back, rtol=0, atol=1e-11)
    np.testing.assert_allclose(law.covariance, other.covariance / np.outer(scale, scale), rtol=0, atol=1e-11)
    if form == "voltage":
        np.testing.assert_allclose(law.rate, s * other.rate + o, rtol=0, atol=1e-11)


@given(st.floats(-1, 0.95), st.floats(0.05, 1), st.floats(0, 3))
def test_multiplicative_noise_that_leaves_no_variance_is_named(w, gamma, mu):
    law = solve(CTRNN.single(w, 0.5, "x", gamma), Noise(gain_outside=mu))
    second = (1 - gamma + gamma * w) ** 2 + (gamma * w * mu) ** 2  # E A², A = 1 - γ + γ w (1 + μ ξ)
    if abs(second - 1.0) > 1e-6:
        assert ("has no variance" in law.message) == (second > 1.0)


def test_several_neurons_without_a_variance_are_named():
    net = CTRNN([[0.5, 0.4], [0.4, 0.5]], 0.1, "x", 0.5)
    for mu, strong in ((0.1, False), (2.0, True)):
        law = solve(net, Noise(gain_outside=mu))
        A, I2 = 0.5 * np.eye(2) + 0.5 * net.W, np.eye(2)
        R = np.diag(I2.ravel()) * mu**2 / 4.0
        second = np.kron(A, A) + R @ np.kron(net.W, net.W)
        assert (np.max(np.abs(np.linalg.eigvals(second))) > 1.0) == strong
        assert ("has no variance" in law.message) == strong


@pytest.mark.parametrize(("power", "allowed"), [(1, False), (1.5, False), (2, False), (2.5, True), (3, True)])
def test_a_power_law_at_its_threshold_needs_a_second_derivative(power, allowed):
    net, noise = CTRNN([[0.5]], 0.0, f"Max(0, x)**{power}"), Noise(inside=0.1)
    if allowed:
        law = predict(net, noise, method="small_noise")
        assert law.mean[0] == 0.0
        assert "standard deviations from the breakpoint at 0" in law.message
    else:
        with pytest.raises(NotApplicable, match="f'' does not exist at the fixed point"):
            predict(net, noise, method="small_noise")


@pytest.mark.parametrize(
    ("net", "noise", "what"),
    [
        (CTRNN([[0.5]], 0.1, "tanh", form="voltage"), Noise(inside=0.1), "the voltage form"),
        (CTRNN.single(0.5, 0.1, "tanh"), Noise(inside=0.1, rho_inside=0.5), "coloured noise inside"),
        (CTRNN.single(0.5, 0.1, "tanh"), Noise.dropout(0.5), "multiplicative noise outside"),
    ],
)
def test_higher_orders_are_for_white_additive_noise_in_rate_form(net, noise, what):
    with pytest.raises(NotApplicable, match=f"^order 4 of small_noise does not take {what}"):
        predict(net, noise, method="small_noise", order=4)


def test_mean_field_says_when_the_noise_is_slow():
    net = CTRNN.single(-0.7, 0.3, "tanh", 0.1)
    slow, fast = (predict(net, Noise(inside=0.5, rho_inside=rho), method="mean_field") for rho in (0.9, 0.2))
    assert "the noise has a correlation time of 0.949 τ" in slow.message
    assert fast.message == ""
    alone = CTRNN.single(0.0, 0.3, "tanh", 0.1)
    assert predict(alone, Noise(inside=0.5, rho_inside=0.9), method="mean_field").message == ""


def test_mean_field_of_gains_is_smoothed_by_their_width_at_the_mean():
    net = CTRNN(WEIGHTS, [0.4, 0.3], ["tanh", "softplus"], 0.3)
    noise = Noise(inside=0.2, gain_inside=[0.3, 0.6], gain_outside=0.5)
    law = predict(net, noise, method="mean_field")
    a = net.preactivation(law.mean)
    np.testing.assert_allclose(
        net.activation.smoothed(a, np.hypot(0.2, np.array([0.3, 0.6]) * a)), law.mean, rtol=0, atol=1e-11
    )
    quiet = predict(net, Noise(inside=0.2, gain_inside=[0.3, 0.6]), method="mean_field")
    np.testing.assert_array_equal(quiet.mean, law.mean)  # noise outside shifts nothing
    assert np.all(np.diag(law.covariance) > 1.05 * np.diag(quiet.covariance))


@pytest.mark.parametrize(
    ("form", "noise"),
    [
        ("voltage", Noise(inside=0.5, outside=0.3)),
        ("rate", Noise(inside=0.2, gain_inside=0.6)),
        ("rate", Noise(inside=0.4, gain_outside=0.5, common_gain_outside=0.3)),
        ("rate", Noise(inside=0.5, rho_inside=0.6, outside=0.2, rho_outside=0.3)),
        ("voltage", Noise.dropout(0.7, gain_inside=0.5)),
    ],
)
def test_mean_field_is_the_limit_of_small_gamma(form, noise):
    """At a fixed ρ the correlation time falls with γ as well; the closure, whose error is smaller, is the witness."""
    means, spreads = [], []
    for gamma in (0.02, 0.01, 0.005):
        net = CTRNN(WEIGHTS, [0.4, 0.3], ["tanh", "softplus"], [gamma, 2.0 * gamma], form=form)
        field, closure = (predict(net, noise, method=method) for method in ("mean_field", "gaussian_closure"))
        means.append(np.max(np.abs(field.mean - closure.mean)))
        spreads.append(np.max(np.abs(field.covariance - closure.covariance)) / np.max(closure.covariance))
    for gaps in (means, spreads):
        assert gaps[0] / gaps[1] == pytest.approx(2.0, abs=0.15)
        assert gaps[1] / gaps[2] == pytest.approx(2.0, abs=0.1)
