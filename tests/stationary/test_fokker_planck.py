"""The method "fokker_planck": exact for a linear network, the limit γ → 0 of the map for any other."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_continuous_lyapunov

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.fokker_planck import cell_grid as grid_module
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.stationary import fokker_planck
from ctrnn_theory.stationary.fokker_planck import solve
from ctrnn_theory.support.errors import Divergence, NotApplicable

WEIGHTS = {
    1: np.array([[0.4]]),
    2: np.array([[0.3, -0.8], [0.6, 0.2]]),
    3: np.array([[0.2, 0.5, 0.0], [-0.4, 0.1, 0.3], [0.0, -0.6, 0.2]]),
}
FACTOR = np.array([[0.4, 0.0, 0.0], [0.2, 0.3, 0.0], [-0.1, 0.1, 0.3]])


def linear_net(n, gamma=0.2):
    return CTRNN(WEIGHTS[n], np.array([0.3, -0.2, 0.1])[:n], "identity", gamma, W_in=np.ones((n, 1)))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("shared", [False, True])
def test_linear_network(n, site, shared):
    """(W-1) V + V (W-1)ᵀ + γ Σ = 0, for noise at either site: the continuous Lyapunov equation.

    Not the discrete one of the map, V = A V Aᵀ + γ² Σ with A = 1 + γ (W-1): the two differ by the term
    γ² (W-1) V (W-1)ᵀ, of relative order γ, which the diffusion approximation leaves out.
    """
    factor = FACTOR[:n, :n] if shared else np.diag([0.4, 0.3, 0.3][:n])
    net, noise = linear_net(n), Noise(**{site: factor})
    law = solve(net, noise, [0.1], cells=None if n < 3 else 28 if shared else 20)
    J = net.W - np.eye(n)
    V = solve_continuous_lyapunov(J, -net.gamma * factor @ factor.T)
    error, size = law.details["error"], np.max(V)
    np.testing.assert_allclose(law.mean, np.linalg.solve(-J, net.b + 0.1), rtol=0.0, atol=1e-6 * np.sqrt(size))
    assert np.abs(law.covariance - V).max() <= error[1] + 2e-5 * size  # what shared noise inside loses by its table
    assert error[1] < {1: 1e-9, 2: 1e-3, 3: 0.3}[n] * size
    discrete = predict(net, noise, [0.1]).covariance  # the closure is exact here
    assert np.abs(discrete - V).max() > max(10.0 * error[1], 0.02 * size) or n == 3
    assert law.method == "fokker_planck"


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize(
    ("f", "w", "b", "sigma"), [("relu", -1.0, 0.2, 1.0), ("softplus", -1.0, 0.2, 1.0), ("tanh", 0.8, 0.5, 0.7)]
)
def test_first_order_in_gamma(f, w, b, sigma, site):
    """The distance to the map's own law, mean in units of the bias and variance in its own, falls with γ at least."""
    gammas, errors = np.array([0.1, 0.05, 0.025]), []
    for gamma in gammas:
        net, noise = CTRNN.single(w, b, f, gamma), Noise(**{site: sigma})
        law, exact = solve(net, noise), predict(net, noise, method="exact")
        errors.append([abs(law.mean - exact.mean)[0], abs(law.covariance / exact.covariance - 1.0)[0, 0]])
    orders = np.polyfit(np.log(gammas), np.log(errors), 1)[0]
    assert orders[1] == pytest.approx(1.0, abs=0.15)
    assert orders[0] > 0.9
    assert np.all(errors[-1] < np.array([0.02, 0.1]))


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_correlated_noise_against_simulation(site):
    """Two tanh neurons: what is left between the two, at 5 standard errors, falls with γ from a bound that is seen."""
    factor = 0.6 * np.array([[1.0, 0.0], [0.8, 0.6]])
    left, spread = [], []
    for gamma in (0.1, 0.05):
        net = CTRNN([[0.5, -0.6], [0.4, 0.3]], [0.5, 0.2], "tanh", gamma)
        law = solve(net, Noise(**{site: factor}))
        simulated = predict(net, Noise(**{site: factor}), method="simulation", target_se=2e-4, rng=1)
        size = np.sqrt(np.diag(law.covariance))
        left.append(np.abs(law.mean - simulated.mean) - 5.0 * simulated.standard_error)
        spread.append(np.abs((law.covariance - simulated.covariance) / np.outer(size, size)).max())
        sampling = 5.0 * np.max(simulated.details["variance_standard_error"] / size**2)
        assert np.all(left[-1] < 0.05 * gamma)
        independent = solve(net, Noise(**{site: np.linalg.norm(factor, axis=1)}))
        assert abs(independent.covariance[0, 1] - simulated.covariance[0, 1]) > 0.3 * abs(simulated.covariance[0, 1])
    assert spread[0] < 0.1
    assert spread[1] < 0.5 * spread[0] + 2.0 * sampling


def test_both_wells():
    """Bistable tanh: the law is that of both wells, wherever the network starts."""
    net = CTRNN.single(1.5, 0.0, "tanh", 0.1)
    laws = [solve(net, Noise(outside=0.3), start=start) for start in ([-1.0], None, [1.0])]
    for law in laws:
        assert law.mean[0] == pytest.approx(0.0, abs=1e-8)
        assert law.std[0] == pytest.approx(0.85, abs=0.03)
    h = laws[0].details["density"]
    assert h.expectation(lambda s: np.abs(s[:, 0]) > 0.5) > 0.99
    pair = CTRNN([[1.5, 0.0], [0.0, 0.3]], [0.0, 0.1], "tanh", 0.1)
    law = solve(pair, Noise(outside=0.5))
    alone = solve(net, Noise(outside=0.5))
    assert law.converged
    assert abs(law.mean[0]) <= law.details["error"][0] + 1e-8
    assert abs(law.covariance[0, 0] - alone.covariance[0, 0]) <= law.details["error"][1]
    assert law.details["density"].marginal(0).expectation(lambda s: s[:, 0] < -0.5) > 0.3


def test_wells_that_are_never_left_are_not_claimed():
    pair = CTRNN([[1.5, 0.0], [0.0, 0.3]], [0.01, 0.1], "tanh", 0.05)
    law = solve(pair, Noise(outside=0.15), cells=64)
    assert not law.converged
    assert law.message.startswith("the estimated error of the mean is ")


@pytest.mark.parametrize("w", [0.5, 0.9, -2.0])
@pytest.mark.parametrize("b", [-0.6, -1.0])
def test_far_on_the_flat_side(w, b):
    """Three and five σ: next to no noise comes through, and most of the law lies in rare events."""
    net, noise = CTRNN.single(w, b, "relu", 0.02), Noise(inside=0.2)
    law, exact = solve(net, noise), predict(net, noise, method="exact")
    assert law.converged
    assert law.mean[0] == pytest.approx(exact.mean[0], rel=1e-3)
    assert law.std[0] == pytest.approx(exact.std[0], rel=0.02)


@pytest.mark.parametrize(("w", "b", "gamma", "sigma"), [(-2.09, 0.6, 0.1, 0.98), (-3.0, 0.5, 0.1, 0.3)])
def test_where_noise_does_not_come_through(w, b, gamma, sigma):
    """hardtanh from saturation to saturation: beside the law diffusion is next to nothing, or underflows to zero."""
    net, noise = CTRNN.single(w, b, "hardtanh", gamma), Noise(inside=sigma)
    law, exact = solve(net, noise), predict(net, noise, method="exact")
    assert law.mean[0] == pytest.approx(exact.mean[0], abs=0.05 * exact.std[0])
    assert law.std[0] == pytest.approx(exact.std[0], rel=0.2)


def witness(net, noise, points=6401):
    """Mean and deviation by the trapezoidal rule on an interval that is shrunk to the law; one well."""
    problem = network_equation(net, noise, None)
    far = 10.0 ** np.linspace(-9, 15, 600)
    probes = np.concatenate([-far[::-1], far])
    drift = problem.drift(probes[:, None], 0.0)[:, 0]
    low, high = probes[max(np.flatnonzero(drift < 0.0)[0] - 1, 0)], probes[np.flatnonzero(drift > 0.0)[-1] + 1]
    room = 60.0 * np.sqrt(problem.diffusion(np.linspace(low, high, 201)[:, None], 0.0).max())
    low, high = low - room, high + room
    while True:
        x = np.linspace(low, high, points)
        A, B = problem.drift(x[:, None], 0.0)[:, 0], problem.diffusion(x[:, None], 0.0)[:, 0]
        slope = np.clip(2.0 * A / np.maximum(B, 1e-300), -1e200, 1e200)
        rise = 0.5 * (slope[1:] + slope[:-1]) * np.diff(x)
        top = np.flatnonzero((A[:-1] > 0.0) & (A[1:] <= 0.0))[0]
        for _ in range(30):
            exponent = np.concatenate([-np.cumsum(rise[:top][::-1])[::-1], [0.0], np.cumsum(rise[top:])])
            height = exponent - np.log(np.maximum(B, 1e-300))
            top = int(np.argmax(height))
        inside = np.flatnonzero(height > height[top] - 45.0)
        first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, points - 1)
        if last - first > 0.6 * points:
            p = np.exp(height - height[top])
            mean = p @ x / p.sum()
            return mean, np.sqrt(p @ (x - mean) ** 2 / p.sum())
        low, high = x[first] - 2 * (x[1] - x[0]), x[last] + 2 * (x[1] - x[0])


@pytest.mark.parametrize(
    ("f", "w", "b", "gamma", "sigma", "mean", "std"),
    [
        ("relu", 0.99, 0.1, 0.2, 0.3, 10.0, np.sqrt(0.2 * 0.09 / 0.02)),  # linear about the law
        ("hardtanh", -25.0, 5.0, 0.1, 0.1, 5.0 / 26.0, np.sqrt(0.1 * 0.01 / 52.0)),
        ("tanh", -3.0, 0.5, 1.0, 0.3, 0.1204335, 0.0965851),
    ],
)
def test_where_the_diffusion_all_but_vanishes(f, w, b, gamma, sigma, mean, std):
    net, noise = CTRNN.single(w, b, f, gamma), Noise(inside=sigma)
    law = solve(net, noise)
    assert law.mean[0] == pytest.approx(mean, rel=1e-6)
    assert law.std[0] == pytest.approx(std, rel=1e-6)
    np.testing.assert_allclose([law.mean[0], law.std[0]], witness(net, noise), rtol=1e-5)
    assert law.converged
    assert np.all(law.details["error"] < 1e-11)


RANGES = {"relu": (0.0, np.inf), "leaky_relu": (-np.inf, np.inf), "relu2": (0.0, np.inf), "sin": (-1.0, 1.0)}
RANGES |= {
    "probit": (0.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "step": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "elu": (-1.0, np.inf),
}


def agrees(f, w, b, gamma, sigma, outside=0.0):
    """Whether a law was found; it is compared with the witness, and its mean lies within the range of f."""
    net, noise = CTRNN.single(w, b, f, gamma), Noise(sigma, outside)
    try:
        law = solve(net, noise)
    except (NotApplicable, Divergence):
        return False
    low, high = RANGES.get(f, (-np.inf, np.inf))
    slack = 1e-9 * law.std[0] + law.details["error"][0]
    assert low - slack <= law.mean[0] <= high + slack  # E h = E F
    F = network_equation(net, noise, None).drift
    pull = (
        law.expectation(lambda h: np.abs(F(h, 0.0)[:, 0])) / law.std[0]
    )  # E A = 0; of a linear drift 0.8 times its rate
    assert abs(law.expectation(lambda h: F(h, 0.0)[:, 0])) <= 2.0 * pull * (slack + 1e-9 * law.std[0])
    if f != "sin":  # one well
        (coarse, _), (mean, std) = witness(net, noise, 1601), witness(net, noise)
        unsure = 1e-4 * std + abs(mean - coarse)  # of second order, and 1/15 of the difference: of a kink, less good
        assert abs(law.mean[0] - mean) < unsure + 1e-9 * abs(mean) + 10.0 * law.details["error"][0]
        assert law.std[0] == pytest.approx(std, rel=1e-2)
    return True


decades = {"gamma": st.floats(-3.0, 0.0), "sigma": st.floats(-3.0, 1.0)}


@given(
    f=st.sampled_from(["relu", "leaky_relu", "relu2", "sin"]),
    w=st.floats(-30.0, 0.95),
    b=st.floats(-3.0, 3.0),
    **decades,
)
@settings(max_examples=12)
def test_any_weight_and_noise(f, w, b, gamma, sigma):
    agrees(f, w, b, 10.0**gamma, 10.0**sigma)


@pytest.mark.slow
@pytest.mark.parametrize("f", BUILTIN)
@pytest.mark.parametrize("outside", [0.0, 0.1])
def test_any_weight_and_noise_of_every_activation(f, outside):
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(20):
        w, gamma, sigma = (
            -(10.0 ** rng.uniform(-2.0, 1.477)),
            10.0 ** rng.uniform(-3.0, 0.0),
            10.0 ** rng.uniform(-3.0, 1.0),
        )
        found += agrees(f, w, float(rng.normal(scale=2.0)), gamma, sigma, outside)
    assert found >= 5


def test_a_neuron_on_its_own():
    """w = 0: the law of an Ornstein–Uhlenbeck process about F(b), of variance γ (Var f + σ_out²) / 2."""
    net, noise = CTRNN.single(0.0, 0.3, "tanh", 0.1), Noise(0.5, 0.2)
    law = solve(net, noise)
    f = net.activation
    assert law.mean[0] == pytest.approx(f.smoothed(0.3, 0.5), rel=1e-12)
    assert law.covariance[0, 0] == pytest.approx(0.05 * (f.smoothed_variance(0.3, 0.5) + 0.04), rel=1e-12)


def test_a_step_too_long_for_the_approximation_is_remarked_on():
    """At γ (1 - w f') = 2.6 the map oscillates, and its deviation is ten times that of the diffusion."""
    law = solve(CTRNN.single(-25.0, 5.0, "hardtanh", 0.1), Noise(inside=0.1))
    assert law.message.startswith(
        "a step of the map is too long for the diffusion approximation: it moves the state by 2.6"
    )
    assert solve(CTRNN.single(-3.0, 0.5, "tanh", 0.1), Noise(inside=0.3)).message == ""


@pytest.mark.slow
def test_a_box_too_wide_for_two_neurons_says_so():
    """The closure does not settle, and its average is no guide to where the law lives: 0.004 wide in a box of 2.8."""
    net, noise = CTRNN([[0.5, -1.0], [10.0, 0.5]], [0.5, 0.1], "hardtanh", 0.02), Noise(inside=0.05)
    law = solve(net, noise, cells=64)
    h = np.linalg.solve(np.eye(2) - net.W, net.b)  # of the linear piece, where the law lies
    assert not law.converged
    assert np.abs(law.mean - h).max() <= law.details["error"][0]


@given(
    w=st.floats(-2.0, 0.9),
    b=st.floats(-1.0, 1.0),
    sigma=st.floats(0.1, 1.0),
    site=st.sampled_from(["inside", "outside"]),
)
@settings(max_examples=15)
def test_odd_activation(w, b, sigma, site):
    """Bias turned, law turned; without bias no mean."""
    noise = Noise(**{site: sigma})
    there, back = (solve(CTRNN.single(w, side * b, "tanh", 0.1), noise) for side in (1.0, -1.0))
    assert there.mean[0] == pytest.approx(-back.mean[0], abs=1e-9)
    assert there.std[0] == pytest.approx(back.std[0], rel=1e-9)
    assert solve(CTRNN.single(w, 0.0, "tanh", 0.1), noise).mean[0] == pytest.approx(0.0, abs=1e-9)


def test_neurons_may_change_places():
    W, b = np.array([[0.3, -0.8], [0.6, 0.2]]), np.array([0.4, -0.1])
    noise, turned = Noise(inside=[[0.5, 0.0], [0.2, 0.4]]), Noise(inside=[[0.2, 0.4], [0.5, 0.0]])
    there = solve(CTRNN(W, b, "softplus", 0.1), noise, cells=48)
    back = solve(CTRNN(W[::-1, ::-1], b[::-1], "softplus", 0.1), turned, cells=48)
    np.testing.assert_allclose(there.mean, back.mean[::-1], atol=1e-8)
    np.testing.assert_allclose(there.covariance, back.covariance[::-1, ::-1], atol=1e-8)


def test_neurons_apart_are_alone():
    """No connection: each has the law that it has alone, and none of the covariance."""
    f = ["relu", 0.1]
    pair = solve(CTRNN(np.diag([0.5, -1.0]), [0.1, 0.5], *f), Noise(inside=[0.5, 0.8]))
    for i, (w, b, sigma) in enumerate([(0.5, 0.1, 0.5), (-1.0, 0.5, 0.8)]):
        alone = solve(CTRNN.single(w, b, *f), Noise(inside=sigma))
        assert abs(pair.mean[i] - alone.mean[0]) <= pair.details["error"][0]
        assert abs(pair.covariance[i, i] - alone.covariance[0, 0]) <= pair.details["error"][1]
    assert abs(pair.covariance[0, 1]) < 1e-9


def test_details():
    law = solve(linear_net(2), Noise(outside=0.3), tolerance=1e-2)
    details = law.details
    assert set(details) == {"density", "error", "domain", "cells", "order", "border", "negative"}
    assert details["density"].mass == pytest.approx(1.0, abs=1e-12)
    assert details["domain"].shape == (2, 2)
    assert details["border"] < 1e-9
    assert details["order"] == pytest.approx(2.0, abs=0.3)
    assert (details["cells"], details["negative"], law.converged, law.message) == ((64, 64), 0.0, True, "")
    finer = solve(linear_net(2), Noise(outside=0.3), tolerance=1e-4)
    assert finer.details["cells"] > details["cells"]
    poor = solve(linear_net(2), Noise(outside=0.3), tolerance=1e-4, cells=32)
    assert not poor.converged
    assert poor.message.startswith("the estimated error of the mean is ")


def test_a_domain_that_never_is_wide_enough_says_so(monkeypatch):
    monkeypatch.setattr(fokker_planck, "MOST_WIDENINGS", 1)
    monkeypatch.setattr(fokker_planck, "WIDTHS", 2.0)
    monkeypatch.setattr(fokker_planck, "BEYOND", 0.5)
    for n in (1, 2):
        law = solve(linear_net(n), Noise(outside=0.3))
        assert not law.converged
        assert "the domain cuts the law off" in law.message


def test_without_noise():
    law = solve(CTRNN.single(0.5, 0.1, "relu"), Noise())
    assert (law.mean[0], law.covariance[0, 0]) == (pytest.approx(0.2), 0.0)


def test_refused(monkeypatch):
    four = CTRNN(np.zeros((4, 4)), np.zeros(4), "relu")
    with pytest.raises(NotApplicable, match=r"^Fokker–Planck is for one to three neurons; the network has 4$"):
        solve(four, Noise(inside=0.5))
    with pytest.raises(NotApplicable, match=r"^Fokker–Planck is for neurons that fluctuate; neuron 1 does not$"):
        solve(CTRNN(np.zeros((2, 2)), np.zeros(2), "relu"), Noise(outside=[0.3, 0.0]))
    with pytest.raises(NotApplicable, match=r"point to rounding|neurons that fluctuate"):
        solve(CTRNN.single(0.5, -60.0, "relu", 0.1), Noise(inside=1.0))
    with pytest.raises(Divergence):
        solve(CTRNN.single(1.5, 0.1, "relu"), Noise(outside=0.3))
    for options in ({"tolerance": 0.0}, {"tolerance": -1}, {"cells": 3}):
        name = next(iter(options))
        with pytest.raises(ValueError, match="^" + name):
            solve(linear_net(2), Noise(outside=0.3), **options)
    monkeypatch.setattr(grid_module, "free_memory", lambda: 1e6)
    with pytest.raises(
        ValueError, match=r"^cells must fit into memory; 64 x 64 need about 0.00\d* GB, 0.001 are free$"
    ):
        solve(linear_net(2), Noise(outside=0.3))


def test_diffusion_that_does_not_connect_the_cells_is_not_applicable():
    net = CTRNN([[-612000.0, 243000.0], [-564000.0, -493000.0]], [-589000.0, 1870.0], "sin", 1.0)
    with pytest.raises(NotApplicable, match=r"^diffusion must connect the cells"):
        solve(net, Noise(inside=5.62e-8))


def test_saturated_neurons_are_refused_without_a_warning():
    W = [[2530.0, 2240.0, 7030.0], [6210.0, 6980.0, -3040.0], [8030.0, 4880.0, -7130.0]]
    net = CTRNN(W, [109.0, 446.0, -9000.0], "probit", 0.164)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NotApplicable, match="diffusion must connect the cells"):
            predict(net, Noise(0.00173), method="fokker_planck")


def test_states_beyond_what_a_start_may_be_are_refused():
    net = CTRNN(np.zeros((2, 2)), [46000.0, 3.31], "relu2", 0.1)
    with pytest.raises(NotApplicable, match=r"for states of up to 1e\+09 in size; a fixed point has 2.116e\+09"):
        predict(net, Noise(0.1), method="fokker_planck")
