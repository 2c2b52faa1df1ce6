import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, fixed_points, predict
from ctrnn_theory.stationary.fixed_points import fixed_point_at
from ctrnn_theory.stationary.flow import jacobian

weights = st.floats(-3, 3)


@pytest.mark.parametrize(
    ("activation", "w", "b", "expected"),
    [
        ("relu", 0.5, 0.1, [(0.2, True)]),
        ("relu", 2.0, -0.5, [(0.0, True), (0.5, False)]),
        ("relu", 0.5, 0.0, [(0.0, True)]),
        ("relu", 2.0, 0.5, []),
        ("hardtanh", 2.0, 0.0, [(-1.0, True), (0.0, False), (1.0, True)]),
        ("step", 1.0, -0.5, [(0.0, True), (0.5, False), (1.0, True)]),
        ("step", -1.0, 0.25, []),
        ("identity", 0.5, 1.0, [(2.0, True)]),
        ("relu2", 1.0, -2.0, [(0.0, True), (4.0, False)]),
    ],
)
def test_one_neuron_known_cases(activation, w, b, expected):
    found = fixed_points(CTRNN.single(w=w, b=b, activation=activation))
    assert [(round(float(p.state[0]), 9), p.stable) for p in found] == expected


@given(w=st.floats(-20, 20), b=weights, name=st.sampled_from(["tanh", "softplus", "sin", "gelu", "hardtanh"]))
def test_one_neuron_every_point_solves_the_equation(w, b, name):
    net = CTRNN.single(w=w, b=b, activation=name)
    for point in fixed_points(net):
        a = w * point.state + b
        np.testing.assert_allclose(net.activation(a), point.state, rtol=1e-9, atol=1e-9 * (1 + abs(a[0])))
        np.testing.assert_allclose(point.preactivation, a)


@given(w=st.floats(-20, 20), b=weights)
def test_bounded_continuous_activation_has_one_or_three(w, b):
    # a - w tanh(a) - b runs from -inf to inf and turns at most twice; two roots only where it touches zero
    found = fixed_points(CTRNN.single(w=w, b=b, activation="tanh"))
    touches = any(abs(1 - w / np.cosh(p.preactivation[0]) ** 2) < 1e-3 for p in found)
    assert len(found) in (1, 3) or touches
    assert sum(1 - w / np.cosh(p.preactivation[0]) ** 2 > 0 for p in found) == (len(found) + 1) // 2 or touches


@given(b=st.lists(st.floats(-1, 1), min_size=2, max_size=2))
def test_uncoupled_neurons_have_the_product_of_their_points(b):
    net = CTRNN(1.5 * np.eye(2), b, "tanh")
    each = [len(fixed_points(CTRNN.single(1.5, x, "tanh"))) for x in b]
    assert len(fixed_points(net)) <= each[0] * each[1]
    if max(map(abs, b)) < 0.1:
        assert len(fixed_points(net)) == 9


def test_eigenvalues_are_those_of_the_step():
    rng = np.random.default_rng(1)
    net = CTRNN(rng.standard_normal((4, 4)) / 2, rng.standard_normal(4), "tanh", gamma=0.3)
    point = fixed_points(net)[0]

    def step(h):
        return (1 - net.gamma) * h + net.gamma * net.activation(net.preactivation(h))

    eps = 1e-6
    numeric = np.stack([(step(point.state + eps * e) - step(point.state - eps * e)) / (2 * eps) for e in np.eye(4)], 1)
    slope = net.activation.derivative(point.preactivation)
    np.testing.assert_allclose(jacobian(net.W, slope, net.gamma), numeric, atol=1e-9)
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(numeric)), np.sort_complex(point.eigenvalues), atol=1e-8
    )


def test_stability_is_that_of_discrete_time():
    # relu with w = -15: the continuous flow is stable, the step at gamma = 0.2 is not: |1 - 0.2 * 16| > 1
    net = CTRNN.single(w=-15.0, b=1.0, gamma=0.2)
    assert [p.stable for p in fixed_points(net)] == [False]
    assert [p.stable for p in fixed_points(CTRNN.single(w=-15.0, b=1.0, gamma=0.1))] == [True]


def test_at_a_kink_both_slopes_count():
    net = CTRNN.single(w=1.5, b=0.0)  # stable from below, not from above; the midpoint slope 0.75 would pass
    assert not fixed_point_at(net, np.zeros(1), net.b).stable


def test_deterministic_follows_the_start():
    net = CTRNN.single(w=1.5, b=0.0, activation="tanh")
    up = predict(net, Noise(), method="deterministic", start=[0.01])
    down = predict(net, Noise(), method="deterministic", start=[-0.01])
    assert 0.8 < up.mean[0] == pytest.approx(np.tanh(1.5 * up.mean[0]), abs=1e-14)
    assert down.mean[0] == pytest.approx(-up.mean[0], abs=1e-14)
    assert up.converged
    assert len(up.details["fixed_points"]) == 3


@given(seed=st.integers(0, 10**6), gamma=st.floats(0.02, 0.3))
def test_deterministic_end_is_where_plain_iteration_ends(seed, gamma):
    rng = np.random.default_rng(seed)
    net = CTRNN(rng.standard_normal((3, 3)), rng.standard_normal(3), "tanh", gamma)
    law = predict(net, Noise(), method="deterministic")
    if not law.converged:
        return
    h = np.zeros(3)
    for _ in range(3000):
        h = (1 - gamma) * h + gamma * np.tanh(net.W @ h + net.b)
    before = h
    h = (1 - gamma) * h + gamma * np.tanh(net.W @ h + net.b)
    slack = 1e-9 + 1e4 * np.max(np.abs(h - before))  # what slow relaxation may have left
    np.testing.assert_allclose(law.mean, h, atol=slack)


def test_no_fixed_point_is_said():
    law = predict(CTRNN.single(w=-1.0, b=0.25, activation="step", gamma=0.5), Noise(), method="deterministic")
    assert not law.converged
    assert "does not settle" in law.message


def test_growth_without_bound_is_refused():
    with pytest.raises(Divergence, match="W must keep the state bounded"):
        predict(CTRNN.single(w=2.0, b=0.5), Noise(), method="deterministic")
