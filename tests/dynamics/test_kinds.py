"""Noise-free paths and fixed points of the voltage form, of neurons that differ, and under multiplicative noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, activation, fixed_points, predict
from ctrnn_theory.activations import ActivationGroup
from ctrnn_theory.activations.symbolic.bounds import bounds, slope_bounds
from ctrnn_theory.dynamics.ball import Ball
from ctrnn_theory.dynamics.basins import basin_of
from ctrnn_theory.dynamics.destination import destination
from ctrnn_theory.dynamics.linear_response import LARGE
from ctrnn_theory.dynamics.piecewise_linear import enumerable, enumerate_states
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.model.wiring import Wiring

FORMS = ("rate", "voltage")


def network(seed, n=None, radius=1.0, functions=("tanh", "relu", "softplus", "hardtanh"), form=None):
    """Return a random network whose neurons may have values of γ and activations of their own."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5)) if n is None else n
    return CTRNN(
        radius * rng.standard_normal((n, n)) / np.sqrt(n),
        0.5 * rng.standard_normal(n),
        list(rng.choice(functions, n)) if rng.random() < 0.6 else str(rng.choice(functions)),
        rng.uniform(0.05, 1.0, n) if rng.random() < 0.6 else float(rng.uniform(0.05, 1.0)),
        form=form or str(rng.choice(FORMS)),
    )


def walked(net, h, noise=None, steps=20_000):
    """Return the end of plain iteration, or None if it comes to no rest; a loop of its own, in sums over neurons."""
    noise = noise or Noise()
    std, gain = noise.std("inside", net.n), np.sqrt(np.diag(noise.gain_covariance("inside", net.n)))
    for _ in range(steps):
        a = h if net.form == "voltage" else net.W @ h + net.b
        y = np.array(
            [f.smoothed(x, np.hypot(s, g * x)) for f, x, s, g in zip(net.activations, a, std, gain, strict=True)]
        )
        target = net.W @ y + net.b if net.form == "voltage" else y
        new = h + net.gammas * (target - h)
        if np.max(np.abs(new)) > 1e6:
            return None
        if np.max(np.abs(new - h)) <= 1e-13 * (1.0 + np.max(np.abs(h))):
            return new
        h = new
    return None


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_a_path_ends_where_plain_iteration_does(seed):
    net = network(seed)
    h = np.random.default_rng(seed + 1).standard_normal(net.n)
    try:
        end = settle(net, start=h)
    except Divergence:
        assert walked(net, h, steps=2000) is None
        return
    plain = walked(net, h, steps=2000)
    if plain is not None:
        assert end.converged
        np.testing.assert_allclose(end.state, plain, rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_a_path_under_multiplicative_noise_ends_where_plain_iteration_does(seed):
    net = network(seed, functions=("tanh", "relu", "erf"), radius=0.7)
    noise = Noise(inside=0.2, gain_inside=np.random.default_rng(seed).uniform(0.0, 0.8, net.n))
    plain = walked(net, np.zeros(net.n), noise, steps=1000)
    try:
        end = settle(net, noise=noise)
    except Divergence:
        assert plain is None
        return
    if plain is not None:
        assert end.converged
        np.testing.assert_allclose(end.state, plain, rtol=1e-9, atol=1e-9)
        assert np.max(np.abs(end.state - settle(net, noise=Noise(inside=0.2)).state)) > 1e-6


@given(st.integers(0, 10**6))
def test_the_jacobian_is_that_of_the_step(seed):
    net = network(seed, functions=("tanh", "softplus"))
    step, h = Step.of(net, None, Noise(inside=0.3, gain_inside=0.4)), np.linspace(-0.5, 0.7, net.n)
    numeric = np.array([(step(h + 1e-5 * e) - step(h - 1e-5 * e)) / 2e-5 for e in np.eye(net.n)]).T
    np.testing.assert_allclose(step.jacobian(h), numeric, rtol=0, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_points_in_voltages_are_those_in_rates(seed):
    rate = network(seed, radius=2.0, form="rate")
    voltage = CTRNN(rate.W, rate.b, rate.activation, rate.gamma, form="voltage")
    h, v = fixed_points(rate), fixed_points(voltage)
    assert len(h) == len(v)
    assert h.message == v.message
    matched = {tuple(np.round(point.state, 6)) for point in v}
    for point in h:
        mapped = rate.W @ point.state + rate.b
        np.testing.assert_allclose(point.preactivation, mapped, rtol=1e-12, atol=1e-12)
        assert tuple(np.round(mapped, 6)) in matched or len(h) != len(matched)
    for point in v:
        np.testing.assert_allclose(point.preactivation, point.state)
        residual = rate.W @ voltage.activation(point.state) + rate.b - point.state
        assert np.max(np.abs(residual)) <= 1e-9 * (1.0 + np.max(np.abs(point.state)))
    assert sum(point.stable for point in h) == sum(point.stable for point in v)


@given(st.integers(0, 10**6))
def test_stability_is_that_of_the_step(seed):
    net = network(seed, radius=2.0, functions=("tanh", "softplus"))
    step = Step.of(net)
    for point in fixed_points(net):
        numeric = [(step(point.state + 1e-5 * e) - step(point.state - 1e-5 * e)) / 2e-5 for e in np.eye(net.n)]
        radius = np.max(np.abs(np.linalg.eigvals(np.array(numeric).T)))
        assert abs(point.eigenvalues[0]) == pytest.approx(radius, abs=1e-6)
        if abs(radius - 1.0) > 1e-6:
            assert point.stable == (radius < 1.0)


def test_values_of_gamma_decide_about_stability():
    """A loop of excitation and inhibition is stable or not by who is fast."""
    W, b = np.array([[1.4, -2.0], [2.0, 0.0]]), np.zeros(2)
    stable = {}
    for form in FORMS:
        for gamma in (0.1, (0.5, 0.05), (0.05, 0.5)):
            found = fixed_points(CTRNN(W, b, "tanh", gamma, form=form))
            point = next(point for point in found if np.max(np.abs(point.state)) < 1e-9)
            A = np.eye(2) + np.diag(np.broadcast_to(gamma, 2)) @ (W - np.eye(2))  # f' = 1: both forms have this one
            assert point.stable == (np.max(np.abs(np.linalg.eigvals(A))) < 1.0)
            stable[form, gamma] = point.stable
    assert set(stable.values()) == {True, False}


def test_both_forms_have_the_same_eigenvalues():
    """D (1 - Γ + Γ W D) D⁻¹ = 1 - Γ + Γ D W, since diagonal matrices commute."""
    W, b = np.array([[1.0, -3.0, 0.5], [2.0, 0.3, -1.0], [0.5, 1.0, 0.2]]), np.array([0.5, -0.2, 1.0])
    spectra = []
    for gamma in (0.3, (0.9, 0.2, 0.4)):
        rate, voltage = (fixed_points(CTRNN(W, b, "softplus", gamma, form=form))[0] for form in FORMS)
        spectra.append(np.sort_complex(rate.eigenvalues))
        np.testing.assert_allclose(np.sort_complex(voltage.eigenvalues), spectra[-1], rtol=0, atol=1e-9)
    assert not np.allclose(*spectra, atol=0.1)


@pytest.mark.parametrize("form", FORMS)
def test_a_group_of_one_activation_is_that_activation(form):
    W, b = np.array([[0.5, -1.5, 0.2], [1.0, 0.3, -0.8], [-0.4, 0.9, 1.5]]), np.array([0.3, -0.1, 0.2])
    f = activation("hardtanh")
    group = ActivationGroup((f, f, f))
    one, regular = enumerate_states(f, W, b)
    many, also = enumerate_states(group, W, b)
    np.testing.assert_array_equal(one, many)
    assert regular == also
    low, high = np.array([-2.0, 0.0, 0.5]), np.array([0.5, 0.1, 3.0])
    for order in (0, 1):
        for s in (0.0, 0.4):
            np.testing.assert_array_equal(bounds(group, low, high, order, s), bounds(f, low, high, order, s))
    assert slope_bounds(group) == slope_bounds(f)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_points_of_mixed_straight_pieces_are_all_found(seed):
    """Newton's method from many states finds no point that the enumeration lacks."""
    rng = np.random.default_rng(seed)
    net = network(seed, n=3, radius=2.0, functions=("relu", "hardtanh", "leaky_relu", "x/2"))
    assert enumerable(net.activation, 3)
    states, _ = enumerate_states(net.activation, net.W, net.b)
    for h in 2.0 * rng.standard_normal((40, 3)):
        for _ in range(30):
            slope = net.activation.derivative(net.W @ h + net.b)
            try:
                h = h - np.linalg.solve(np.eye(3) - slope[:, None] * net.W, h - net.activation(net.W @ h + net.b))
            except np.linalg.LinAlgError:
                break
        if np.max(np.abs(h - net.activation(net.W @ h + net.b))) < 1e-12 * (1.0 + np.max(np.abs(h))):
            assert min(np.max(np.abs(h - state)) for state in states) < 1e-6 * (1.0 + np.max(np.abs(h)))


def test_regions_of_a_group_are_counted_by_neuron():
    relu, cut = activation("relu"), activation("hardtanh")
    assert enumerable(ActivationGroup((relu,) * 11 + (cut,) * 3), 14)  # 2^11 3^3 regions, and slopes 0 and 1
    assert not enumerable(ActivationGroup((relu, cut) * 8), 16)
    assert not enumerable(ActivationGroup((relu, activation("tanh"))), 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mixed", [False, True])
def test_the_step_of_a_large_network_contracts_on_a_ball_that_it_names(form, mixed):
    rng = np.random.default_rng(0)
    W = rng.standard_normal((LARGE, LARGE))
    W *= 0.7 / np.max(np.abs(np.linalg.eigvals(W)))
    names = ["tanh", "softplus"] * (LARGE // 2) if mixed else "tanh"
    gamma = rng.uniform(0.05, 0.9, LARGE) if mixed else 0.2
    step = Step.of(CTRNN(W, 0.5 * rng.standard_normal(LARGE), names, gamma, form=form))
    h = np.zeros(LARGE)
    while (found := destination(step, h)) is None:
        h = step(h)
    ball = Ball.around(step, found[0])
    tried, refused = 0, 0
    for scale in (1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            x, y = scale * rng.standard_normal(LARGE), rng.standard_normal(LARGE)
            if not ball.holds(ball.root + x):
                refused += 1
                continue
            tried += 1
            y *= rng.uniform() * ball.distance(ball.root + x) / ball.distance(ball.root + y)
            ahead = step(ball.root + x) - step(ball.root + y) + ball.root
            assert ball.distance(ahead) < ball.distance(ball.root + x - y)
    assert tried >= 20
    assert refused >= 20


def test_no_ball_is_named_under_multiplicative_noise():
    step = Step.of(CTRNN(0.5 * np.eye(LARGE), 0.1, "tanh"), None, Noise(gain_inside=0.2))
    root = settle(CTRNN(0.5 * np.eye(LARGE), 0.1, "tanh"), noise=Noise(gain_inside=0.2)).state
    assert not Ball.around(step, root).holds(root)


@pytest.mark.parametrize("gamma", [1e-4, 0.3, [1e-3, 0.5]])
def test_basins_of_a_voltage_network_are_where_paths_settle(gamma):
    net = CTRNN([[1.5, 0.3], [-0.2, 1.8]], [0.05, -0.1], "tanh", gamma, form="voltage")
    points = np.array([point.state for point in fixed_points(net) if point.stable])
    assert len(points) > 1
    states = 2.0 * np.random.default_rng(0).standard_normal((12, 2))
    found = basin_of(net, net.drive(), states, points)
    ends = np.array([settle(net, start=state).state for state in states])
    np.testing.assert_allclose(points[found], ends, rtol=0, atol=1e-6)
    assert len(set(found)) > 1


def test_growth_without_bound_is_a_divergence():
    for weight, start in ((2.0, 0.0), (2.0, 1.0)):
        with pytest.raises(Divergence, match="the noise-free state passes"):
            settle(CTRNN([[weight]], 0.5, "relu", 0.1, form="voltage"), start=[start])
    assert settle(CTRNN([[2.0]], -0.5, "relu", 0.1, form="voltage")).state[0] == -0.5


@given(st.floats(-3, 3), st.floats(-2, 2), st.sampled_from(["tanh", "relu", "sin", "hardtanh"]))
def test_one_neuron_in_voltage(w, b, name):
    found = fixed_points(CTRNN([[w]], b, name, form="voltage"))
    assert found.message == fixed_points(CTRNN([[w]], b, name)).message
    for point in found:
        assert point.state[0] == pytest.approx(w * activation(name)(point.state[0]) + b, abs=1e-9)


def test_a_wiring_is_the_network():
    net = network(3, n=3, form="voltage")
    wiring = Wiring.of(net)
    np.testing.assert_array_equal(wiring.recurrence, net.W)
    np.testing.assert_array_equal(wiring.current, net.b)
    C = np.cov(np.random.default_rng(0).standard_normal((3, 9)))
    G = np.diag(net.gammas)
    np.testing.assert_allclose(wiring.spread(C), G @ net.W @ C @ net.W.T @ G, rtol=1e-13)


def test_the_deterministic_law_has_rates():
    net = CTRNN([[0.5]], 0.1, "tanh", form="voltage")
    law = predict(net, Noise.dropout(0.5, gain_inside=1.0), method="deterministic")
    np.testing.assert_array_equal(law.rates, np.tanh(law.mean))
    assert law.mean[0] == pytest.approx(0.5 * np.tanh(law.mean[0]) + 0.1, abs=1e-15)
    assert predict(CTRNN([[0.5]], 0.1, "tanh"), Noise(), method="deterministic").rates is None
