"""Operating points are compared with closed forms and with simulated pre-activations."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ctrnn_theory as ct
from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.analysis import operating_points
from ctrnn_theory.training.tasks import Feedforward, Function, PathIntegration


def network(activation="relu", inputs=1, n=3):
    rng = np.random.default_rng(0)
    W, b = 0.4 * rng.standard_normal((n, n)), rng.normal(size=n)
    return CTRNN(W, b, activation, 0.2, rng.normal(size=(n, inputs)), rng.normal(size=(inputs, n)), np.zeros(inputs))


def test_one_layer_is_its_closed_form():
    net = CTRNN(np.zeros((2, 2)), [0.3, -0.8], "hardtanh", 1.0, [[1.0], [0.5]], [[1.0, 1.0]], [0.0])
    points = ct.operating_points(net, Noise(inside=[0.5, 0.25]), Feedforward(conditions=3))
    a = np.array([-1.0, 0.0, 1.0])[:, None] * [1.0, 0.5] + [0.3, -0.8]
    np.testing.assert_allclose(points.preactivation, a)
    np.testing.assert_allclose(points.std, np.broadcast_to([0.5, 0.25], (3, 2)))
    np.testing.assert_array_equal(points.nonlinearity, np.where(a > 0.0, 1.0, -1.0))
    np.testing.assert_allclose(points.distance, (a - np.where(a > 0.0, 1.0, -1.0)) / [0.5, 0.25])
    assert points.fraction == 1 / 2


@pytest.mark.parametrize("noise", [Noise(inside=0.7), Noise(outside=0.7), Noise(inside=0.3, outside=[0.1, 0.5, 0.0])])
def test_linear_network_is_simulated_alike(noise):
    net, task, count = network("x"), Function(conditions=2, steps=12), 20_000
    points = ct.operating_points(net, noise, task)
    for c, u in enumerate((-1.0, 1.0)):
        h = ct.simulate(net, noise, [u], steps=11, trajectories=count, record_every=11).h[-1]
        a = net.preactivation(h, [u])
        variance = a.var(axis=0, ddof=1) + noise.std("inside", 3) ** 2
        assert np.all(np.abs(a.mean(axis=0) - points.preactivation[c]) < 5 * points.std[c] / np.sqrt(count))
        assert np.all(np.abs(variance - points.std[c] ** 2) < 5 * points.std[c] ** 2 * np.sqrt(2 / count))
        later = ct.simulate(net, noise, [u], steps=4, trajectories=count, record_every=4).h[-1]
        gap = net.preactivation(later, [u]).mean(axis=0) - points.preactivation[c]
        assert np.max(np.abs(gap) * np.sqrt(count) / points.std[c]) > 10  # another step has another mean


KINDS = {
    "voltage": ({"form": "voltage"}, Noise(inside=0.4, outside=0.3)),
    "gains": ({}, Noise(inside=0.2, gain_inside=[0.5, 0.0, 0.3], gain_outside=0.4)),
    "values of gamma": ({"gamma": [0.1, 0.3, 0.8]}, Noise(outside=0.5)),
    "coloured outside": ({"form": "voltage"}, Noise(outside=0.4, rho_outside=0.8)),
}


def states_of(net, noise, u, steps=150, count=20_000):
    """Return states (M, N) of trajectories of a linear network, step by step."""
    rng, n = np.random.default_rng(0), net.n
    inside, outside = noise.std("inside", n), noise.std("outside", n)
    rho = np.broadcast_to(noise.rho_outside, n)
    h, x = np.zeros((count, n)), rng.standard_normal((count, n))
    for _ in range(steps):
        x = rho * x + np.sqrt(1.0 - rho**2) * rng.standard_normal((count, n))
        a = net.preactivation(h, u)
        y = a * (1.0 + noise.gain_inside * rng.standard_normal((count, n))) + inside * rng.standard_normal((count, n))
        y = y * (1.0 + noise.gain_outside * rng.standard_normal((count, n)))
        target = y @ net.W.T + net.drive(u) if net.form == "voltage" else y
        h = (1.0 - net.gammas) * h + net.gammas * (target + outside * x)
    return h


@pytest.mark.parametrize("name", KINDS)
def test_linear_networks_of_other_kinds_are_simulated_alike(name):
    """The pre-activation is (1 + g ξ) a + σ ξ'; for a linear network the closure is exact."""
    options, noise = KINDS[name]
    net, count = replace(network("x"), **options), 20_000
    points = ct.operating_points(net, noise, [[0.7]])
    a = net.preactivation(states_of(net, noise, [0.7]), [0.7])
    gain = np.random.default_rng(1).standard_normal(a.shape)
    felt = a * (1.0 + noise.gain_inside * gain)
    variance = felt.var(axis=0, ddof=1) + noise.std("inside", 3) ** 2
    assert np.all(np.abs(a.mean(axis=0) - points.preactivation[0]) < 5 * points.std[0] / np.sqrt(count))
    # multiplicative noise makes tails heavier than those of a normal law, of kurtosis 3
    kurtosis = np.maximum(3.0, np.mean((felt - felt.mean(axis=0)) ** 4, axis=0) / felt.var(axis=0) ** 2)
    allowed = 5 * points.std[0] ** 2 * np.sqrt((kurtosis - 1.0) / count)
    assert np.all(np.abs(variance - points.std[0] ** 2) < allowed)
    plain = ct.operating_points(replace(network("x")), Noise(outside=0.4), [[0.7]])
    assert np.any(np.abs(variance - plain.std[0] ** 2) > 2 * allowed)  # another kind of noise has another one


def test_neurons_that_differ_have_their_own_nonlinearities():
    net = CTRNN(np.zeros((3, 3)), [0.8, 0.2, 3.0], ["hardtanh", "relu", "relu(x - 2)"])
    points = ct.operating_points(net, Noise(inside=0.5))
    np.testing.assert_array_equal(points.nonlinearity, [[1.0, 0.0, 2.0]])
    np.testing.assert_allclose(points.distance, [[-0.4, 0.4, 2.0]])


def test_coloured_noise_inside_is_refused():
    with pytest.raises(ct.NotApplicable, match=r"^operating_points does not take coloured noise inside"):
        ct.operating_points(network(), Noise(inside=0.5, rho_inside=0.5), [[0.1]])


def test_a_long_trial_ends_in_the_stationary_law():
    net, noise = network("softplus"), Noise(inside=0.5, outside=0.2)
    task = Function(conditions=3, steps=300)
    trial = ct.operating_points(net, noise, task)
    given = ct.operating_points(net, noise, [[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(trial.preactivation, given.preactivation, atol=1e-7)
    np.testing.assert_allclose(trial.std, given.std, atol=1e-7)
    assert given.converged
    short = ct.operating_points(net, noise, Function(conditions=3, steps=3))
    assert np.max(np.abs(short.preactivation - given.preactivation)) > 1e-2


def test_task_that_draws_its_inputs_follows_the_seed():
    net, task = network(inputs=2), PathIntegration(conditions=4, steps=6)
    first, again, other = (ct.operating_points(net, Noise(inside=1.0), task, rng) for rng in (0, 0, 1))
    np.testing.assert_array_equal(first.distance, again.distance)
    assert first.distance.shape == (4, 3)
    assert np.max(np.abs(first.distance - other.distance)) > 0.1


def test_without_fluctuation_the_distance_is_infinite():
    net = CTRNN(np.zeros((3, 3)), [0.5, -0.5, 0.0])
    points = ct.operating_points(net, Noise(outside=1.0))
    np.testing.assert_array_equal(points.distance, [[np.inf, -np.inf, 0.0]])
    assert points.fraction == 1 / 3
    assert json.loads(json.dumps(points.to_dict(), allow_nan=False))["distance"] == [[None, None, 0.0]]
    assert points.table().splitlines()[3].split()[-2:] == ["+inf", "0%"]
    plt.close(points.plot().figure)


def test_what_does_not_settle_is_left_out_and_said(monkeypatch):
    net = CTRNN([[0.0]], 0.2, "relu", W_in=[[1.0]])
    given = ct.operating_points(net, Noise(inside=0.5), [[-0.7], [0.0]])

    def half(*arguments):
        law = ct.predict(*arguments)
        return replace(law, converged=False, message="it wanders") if arguments[2][0] else law

    monkeypatch.setattr(operating_points, "predict", half)
    points = ct.operating_points(net, Noise(inside=0.5), [[-0.7], [0.0]])
    assert np.isnan(points.distance).tolist() == [[True], [False]]
    assert points.distance[1] == given.distance[1]
    assert points.message == "1 of 2 conditions left out: it wanders"
    assert not points.converged
    assert points.fraction == 1.0
    assert points.table().endswith(points.message)
    assert json.loads(json.dumps(points.to_dict(), allow_nan=False))["preactivation"] == [[None], [0.2]]
    ax = points.plot()
    assert "some left out" in ax.get_legend().get_texts()[0].get_text()
    plt.close(ax.figure)
    none = ct.operating_points(net, Noise(inside=0.5), [[-0.7]])
    assert np.isnan(none.fraction)
    assert none.table().splitlines()[1:] == ["1 of 1 conditions left out: it wanders"]
    plt.close(none.plot().figure)


def test_picture_has_all_neurons_in_it():
    net = network()
    named = {"in": ct.operating_points(net, Noise(inside=0.1)), "out": ct.operating_points(net, Noise(outside=3.0))}
    ax = ct.plotting.operating_points(named)
    assert sum(bar.get_height() for bar in ax.patches[1:]) == pytest.approx(2.0)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [f"{name}: {points.fraction:.0%} within one" for name, points in named.items()]
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("maze", "where must be an open-loop task, or inputs; got maze, whose inputs depend on the network"),
        ("chess", "task must be a Task, or one of .*; got 'chess'"),
        ([0.5], r"where must have shape \(any, any\); got \(1,\)"),
        ([[0.5, 0.5]], r"u must have shape \(1,\); got \(2,\)"),
        ("path_integration", "W_in of the network must have shape"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(where, message):
    with pytest.raises(ValueError, match=message):
        ct.operating_points(network(), Noise(inside=1.0), where)
