import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, activation, fixed_points, predict
from ctrnn_theory.dynamics.fixed_points import _multistart, fixed_point_at
from ctrnn_theory.dynamics.linear_response import jacobian
from ctrnn_theory.dynamics.piecewise_linear import enumerable, enumerate_states

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


# --- enumeration for piecewise-linear activations ----------------------------------------------------------------

LINEAR_PIECES = ("relu", "hardtanh", "leaky_relu", "Abs(x) - 1", "Abs(Abs(x) - 1)", "Max(x/2, Min(1, x), 3*x - 4)")


def random_network(name: str, n: int, seed: int, gain: float = 3.0) -> CTRNN:
    rng = np.random.default_rng(seed)
    return CTRNN(gain * rng.standard_normal((n, n)) / np.sqrt(n), 0.5 * rng.standard_normal(n), name)


def one_region_at_a_time(net: CTRNN) -> np.ndarray:
    """Fixed points by a loop over all regions, each solved for the state with a general solver."""
    found = []
    for pieces in itertools.product(net.activation.pieces, repeat=net.n):
        middle = [np.clip(0.0, max(p.lower, -1e3) + 1e-3, min(p.upper, 1e3) - 1e-3) for p in pieces]
        slope = np.array([p.value(x, 1) for p, x in zip(pieces, middle, strict=True)])
        value = np.array([p.value(x) for p, x in zip(pieces, middle, strict=True)])
        h = np.linalg.solve(np.eye(net.n) - slope[:, None] * net.W, value + slope * (net.b - middle))
        a = net.W @ h + net.b
        if all(p.lower <= x <= p.upper for p, x in zip(pieces, a, strict=True)):
            found.append(h)
    return np.array(sorted(map(tuple, found))).reshape(-1, net.n)


@pytest.mark.parametrize("name", LINEAR_PIECES)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_enumeration_is_a_loop_over_regions(name, n):
    counts = []
    for seed in range(8):
        net = random_network(name, n, seed)
        expected = one_region_at_a_time(net)
        found = np.array(sorted(map(tuple, enumerate_states(net.activation, net.W, net.b)[0]))).reshape(-1, n)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose([p.state for p in fixed_points(net)], list(expected), rtol=1e-9, atol=1e-9)
        counts.append(len(found))
    assert len(set(counts)) > 1


@given(name=st.sampled_from(LINEAR_PIECES), n=st.integers(2, 6), seed=st.integers(0, 10**6), gain=st.floats(0.5, 5))
def test_enumerated_points_solve_the_equation_and_none_is_missed(name, n, seed, gain):
    net = random_network(name, n, seed, gain)
    found = np.array([p.state for p in fixed_points(net)]).reshape(-1, n)
    np.testing.assert_allclose(net.activation(net.preactivation(found)), found, rtol=1e-9, atol=1e-9)
    for state in _multistart(net, net.b):
        assert np.min(np.max(np.abs(found - state), axis=1)) <= 1e-6 * (1 + np.max(np.abs(state)))


@given(name=st.sampled_from(["relu", "hardtanh"]), n=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_where_a_path_settles_is_among_the_points(name, n, seed):
    net = random_network(name, n, seed, 0.9 if name == "relu" else 2.0)
    try:
        law = predict(net, Noise(), method="deterministic")
    except Divergence:
        return
    if law.converged:
        gaps = [np.max(np.abs(p.state - law.mean)) for p in law.details["fixed_points"]]
        assert min(gaps) < 1e-9 * (1 + np.max(np.abs(law.mean)))


@pytest.mark.parametrize("n", [2, 4, 6])
def test_uncoupled_bistable_neurons(n):
    points = fixed_points(CTRNN(2.0 * np.eye(n), np.zeros(n), "hardtanh"))
    assert len(points) == 3**n
    assert {tuple(p.state) for p in points if p.stable} == set(itertools.product([-1.0, 1.0], repeat=n))


def test_two_relus_that_inhibit_each_other():
    # winner takes all: either is alone at its drive, and the even point (1/3, 1/3) lies between
    points = fixed_points(CTRNN([[0.0, -2.0], [-2.0, 0.0]], [1.0, 1.0], "relu"))
    assert [(tuple(p.state.round(12)), p.stable) for p in points] == [
        ((0.0, 1.0), True),
        ((round(1 / 3, 12), round(1 / 3, 12)), False),
        ((1.0, 0.0), True),
    ]


def test_a_point_on_a_border_counts_once():
    # at rest every neuron sits on its kink, so that all 2^5 regions share the point; inhibition allows no other
    net = CTRNN(-np.ones((5, 5)), np.zeros(5), "relu")
    assert [tuple(p.state) for p in fixed_points(net)] == [(0.0,) * 5]


def test_jumps():
    # two neurons, each with the points 0, 1 and, in the middle of the jump, 1/2
    points = fixed_points(CTRNN(np.eye(2), [-0.5, -0.5], "step"))
    assert {(*p.state, p.stable) for p in points} == {
        (x, y, 0.5 not in (x, y)) for x, y in itertools.product([0.0, 0.5, 1.0], repeat=2)
    }
    # a negative loop through a jump has none; a jump's edge is no part of the piece beside it
    assert fixed_points(CTRNN([[0.0, 1.0], [-1.0, 0.0]], [-0.4, 0.5], "step")) == ()
    assert fixed_points(CTRNN(np.zeros((2, 2)), [0.0, 1.0], "step"))[0].state.tolist() == [0.5, 1.0]


def test_of_a_continuum_the_ends_are_found():
    # W has the eigenvalue 1 along (1, 0.5): a line of points until the first neuron saturates
    v = np.array([1.0, 0.5])
    points = fixed_points(CTRNN(np.outer(v, v) / (v @ v), np.zeros(2), "hardtanh"))
    np.testing.assert_allclose([p.state for p in points], [-v, v], atol=1e-12)
    assert not any(p.stable for p in points)


def test_what_is_enumerable():
    assert enumerable(activation("relu"), 14)
    assert enumerable(activation("hardtanh"), 12)
    assert not enumerable(activation("hardtanh"), 13)
    assert not enumerable(activation("relu2"), 2)


def test_starts_find_every_attractor_of_uncoupled_neurons():
    # 128 attractors among 3^7 fixed points: more points than starts
    net = CTRNN(1.5 * np.eye(7), np.linspace(-0.05, 0.05, 7), "tanh")
    assert sum(p.stable for p in fixed_points(net)) == 2**7


@pytest.mark.parametrize("name", ["relu2", "step"])
def test_unbounded_slopes_do_not_matter_without_weights(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fixed_points(CTRNN(np.zeros((3, 3)), [46000.0, -7.0, 3.0], name))
    assert found.complete
    assert len(found) == 1
