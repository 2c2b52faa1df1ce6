"""Fokker–Planck for multiplicative and coloured noise, dropout, the voltage form, and neurons that differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import solve_continuous_lyapunov

from ctrnn_theory import CTRNN, Noise, NotApplicable, predict
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.fokker_planck.still_points import still_points
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.fokker_planck import solve

W = np.array([[0.3, -0.6], [0.5, 0.3]])
B = np.array([0.4, 0.3])
KINDS = {
    "outside": Noise(outside=0.2, gain_outside=[0.4, 0.3]),
    "common": Noise(outside=0.2, gain_outside=0.3, common_gain_outside=0.4),
    "a factor": Noise(inside=0.3, gain_outside=[[0.3, 0.1], [0.2, -0.3]]),
    "dropout": Noise.dropout([0.6, 0.9], inside=0.3),
    "inside": Noise(inside=0.3, gain_inside=0.5),
    "both": Noise(inside=0.3, gain_inside=0.4, gain_outside=0.3, outside=[[0.1], [0.2]]),
    "shared inside": Noise(inside=[[0.3, 0.1], [0.1, 0.3]], gain_inside=[[0.3], [0.2]], gain_outside=0.2),
}


@pytest.mark.parametrize("activation", ["tanh", "relu", ["tanh", "relu"]], ids=str)
@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("kind", KINDS)
def test_drift_and_diffusion_are_the_moments_of_a_step(kind, form, activation):
    """From a state h, E h' = h + γ A and Cov h' = γ B, with the γ of the slowest neuron."""
    net, noise = CTRNN(W, B, activation, [0.2, 0.1], form=form), KINDS[kind]
    problem = network_equation(net, noise, None)
    for state in np.random.default_rng(1).normal(size=(3, 2)):
        after = gaussian_closure.step(net, noise, state, np.zeros((2, 2)))
        A, D = problem.drift(state[None], 0.0)[0], problem.diffusion(state[None], 0.0)[0]
        np.testing.assert_allclose(state + 0.1 * A, after.mean, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(0.1 * (D if D.ndim == 2 else np.diag(D)), after.covariance, rtol=0.0, atol=1e-9)


@settings(deadline=None, max_examples=15)
@given(
    w=st.floats(0.2, 0.9),
    b=st.floats(0.05, 1.0),
    gamma=st.floats(0.02, 0.5),
    gain=st.floats(0.2, 1.0),
    site=st.sampled_from(["gain_outside", "gain_inside", "common_gain_outside"]),
    form=st.sampled_from(["rate", "voltage"]),
)
def test_a_linear_neuron_has_an_inverse_gamma_density(w, b, gamma, gain, site, form):
    """α = w h + b, or v, obeys dα = (b - (1-w) α) dt + √γ w g α dB, which has a density of Pearson's type V."""
    D = gamma * (w * gain) ** 2
    shape = 1.0 + 2.0 * (1.0 - w) / D
    if shape < 6.0:  # the tail would have to be followed too far
        return
    law = solve(CTRNN([[w]], b, "identity", gamma, form=form), Noise(**{site: gain}))
    density = law.details["density"]
    x, jacobian = (w * density.axes[0] + b, w) if form == "rate" else (density.axes[0], 1.0)
    exact = stats.invgamma(shape, scale=2.0 * b / D)
    values = jacobian * exact.pdf(x)
    assert np.abs(density.values - values).max() < 1e-9 * values.max()
    assert density.mass == pytest.approx(1.0, abs=1e-12)
    deviation = exact.std() / jacobian
    assert abs(law.mean[0] - (exact.mean() - b * (form == "rate")) / jacobian) < 1e-8 * deviation
    if shape > 12.0:
        assert law.std[0] == pytest.approx(deviation, rel=1e-6)


def test_the_tail_limits_what_an_interval_gives():
    """Near the exponent at which the variance is lost, here 3.07, the error is what the interval cuts off."""
    law = solve(CTRNN.single(0.5, 0.2, "identity", 0.4), Noise(gain_outside=2.2))
    exact = stats.invgamma(1.0 + 1.0 / (0.4 * 1.1**2), scale=0.4 / (0.4 * 1.1**2)).std() / 0.5
    assert abs(law.covariance[0, 0] - exact**2) < 1.5 * law.details["error"][1]
    assert law.details["error"][1] < 1e-4 * exact**2


@settings(deadline=None, max_examples=10)
@given(w=st.floats(-1.5, 0.8), b=st.floats(-0.5, 0.5), activation=st.sampled_from(["tanh", "relu", "softplus"]))
def test_one_neuron_in_both_forms(w, b, activation):
    """v = w h + b is the same process where all noise goes through f, and E f(v) is then E h for noise outside."""
    if abs(w) < 0.05:
        return
    noise = Noise(inside=0.3, gain_inside=0.2, gain_outside=0.3, keep=0.9)
    rate, voltage = (solve(CTRNN([[w]], b, activation, 0.1, form=form), noise) for form in ("rate", "voltage"))
    assert voltage.mean[0] == pytest.approx(w * rate.mean[0] + b, abs=1e-9)
    assert voltage.std[0] == pytest.approx(abs(w) * rate.std[0], rel=1e-7)
    outside = Noise(outside=0.0, gain_outside=0.4, common_gain_outside=0.2)
    if activation == "softplus":
        rate, voltage = (solve(CTRNN([[w]], b, activation, 0.1, form=form), outside) for form in ("rate", "voltage"))
        assert voltage.rate[0] == pytest.approx(rate.mean[0], abs=1e-8)


def test_two_neurons_in_both_forms():
    noise = Noise(inside=[0.5, 0.4], gain_outside=0.3)
    rate, voltage = (solve(CTRNN(W, B, "tanh", 0.2, form=form), noise) for form in ("rate", "voltage"))
    error = rate.details["error"] + voltage.details["error"]
    assert np.abs(voltage.mean - (W @ rate.mean + B)).max() < 2.0 * error[0]
    assert np.abs(voltage.covariance - W @ rate.covariance @ W.T).max() < 2.0 * error[1]
    assert voltage.rates is not None
    assert rate.rates is None


def test_white_noise_outside_a_voltage_network():
    """dv = (W v + b - v) dt + √γ σ dB for a linear network: the continuous Lyapunov equation."""
    net = CTRNN(W, B, "identity", 0.2, form="voltage")
    law, J = solve(net, Noise(outside=[0.3, 0.2])), W - np.eye(2)
    V = solve_continuous_lyapunov(J, -0.2 * np.diag([0.09, 0.04]))
    np.testing.assert_allclose(law.covariance, V, atol=law.details["error"][1] + 1e-7)
    np.testing.assert_allclose(law.rate, law.mean, atol=1e-4)


def test_neurons_of_unlike_time_constants():
    """Rows of drift and diffusion are in proportion to γ_i."""
    gammas = np.array([0.2, 0.05])
    net = CTRNN(W, B, "identity", gammas)
    law, S = solve(net, Noise(outside=[0.3, 0.2])), np.diag(gammas / 0.2)
    V = solve_continuous_lyapunov(S @ (W - np.eye(2)), -0.2 * S @ np.diag([0.09, 0.04]) @ S)
    np.testing.assert_allclose(law.covariance, V, atol=law.details["error"][1] + 1e-7)


@pytest.mark.parametrize(
    ("net", "noise"),
    [
        (CTRNN.single(0.6, -0.05, "relu"), Noise(outside=0.3, gain_outside=0.6)),
        (CTRNN.single(0.6, -0.05, "relu"), Noise.dropout(0.6, outside=0.3)),
        (CTRNN.single(-0.8, 0.4, "tanh"), Noise(inside=0.4, gain_inside=0.6)),
        (CTRNN(W, B, "relu"), Noise(outside=0.2, gain_outside=0.4, common_gain_outside=0.5)),
    ],
    ids=["outside", "dropout", "inside", "common"],
)
def test_first_order_in_gamma(net, noise):
    """The distance to the closure, which is exact to a higher order in γ, falls with γ."""
    distance = []
    for gamma in (0.08, 0.02):
        small = CTRNN(net.W, net.b, net.activation, gamma)
        law, closure = solve(small, noise), predict(small, noise)
        distance.append(np.abs(np.diag(law.covariance) / np.diag(closure.covariance) - 1.0).max())
    assert distance[1] < 0.5 * distance[0] + 2e-3


def test_without_gains_the_law_is_the_old_one():
    base, tiny = Noise(inside=0.4, outside=0.2), Noise(inside=0.4, outside=0.2, gain_inside=1e-4, gain_outside=1e-4)
    for n in (1, 2):
        net = CTRNN(W[:n, :n], B[:n], "tanh", 0.2)
        old, new = solve(net, base), solve(net, tiny)
        np.testing.assert_allclose(new.mean, old.mean, atol=1e-7)
        np.testing.assert_allclose(new.covariance, old.covariance, rtol=1e-6, atol=1e-8)


# Coloured noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_coloured_noise_of_a_linear_neuron(site):
    """dh = (b - (1-w) h + σ x) dt, dx = -k x dt + √(2k) dB: Var h = σ² / (c (c + k)), c = 1 - w."""
    w, gamma, rho, sigma = -0.5, 0.1, 0.8, 0.4
    strength = w * 0.0 + sigma
    law = solve(
        CTRNN.single(w, 0.3, "identity", gamma),
        Noise(**{site: sigma, f"rho_{site}": rho, "outside" if site == "inside" else "inside": 0.2}),
    )
    c, k = 1.0 - w, -np.log(rho) / gamma
    variance = strength**2 / (c * (c + k)) + gamma * 0.2**2 / (2.0 * c)
    assert abs(law.covariance[0, 0] - variance) < law.details["error"][1] + 1e-3 * variance
    assert law.mean[0] == pytest.approx(0.3 / 1.5, abs=1e-3)
    assert law.details["density"].n == 1
    assert law.details["density"].mass == pytest.approx(1.0, abs=1e-9)


def test_coloured_noise_is_the_limit_of_the_map():
    """At a fixed correlation time the map's law goes to that of the equation as γ does to zero, to first order."""
    distance = []
    for gamma in (0.2, 0.05):
        net = CTRNN.single(-0.7, 0.3, "tanh", gamma)
        noise = Noise.from_time_constant(1.0, gamma, inside=0.6)
        law, closure = solve(net, noise), predict(net, noise)
        distance.append(abs(law.std[0] / closure.std[0] - 1.0))
    assert distance[1] < 0.4 * distance[0]


def test_coloured_noise_of_several_neurons_is_refused():
    with pytest.raises(NotApplicable, match="coloured noise of one neuron alone"):
        solve(CTRNN(W, B, "tanh"), Noise(inside=0.3, rho_inside=0.5))
    with pytest.raises(NotApplicable, match="2 coloured sources at most"):
        solve(CTRNN.single(0.5), Noise(inside=[[0.1, 0.2, 0.3]], rho_inside=[0.1, 0.2, 0.3]))


# Where noise vanishes -------------------------------------------------------------------------------------------------


def test_the_law_lives_between_the_zeros_of_the_noise():
    net, noise = CTRNN.single(1.5, 0.2, "tanh", 0.1), Noise(gain_outside=0.5)
    low, high = still_points(net, noise)
    assert (low, high) == (pytest.approx(-0.2 / 1.5), np.inf)
    law = solve(net, noise)
    assert law.details["domain"][0, 0] == pytest.approx(low)
    assert law.details["density"].axes[0].min() >= low
    exact = predict(net, noise, method="gaussian_closure", start=[0.9])
    assert law.mean[0] == pytest.approx(exact.mean[0], abs=1e-3)


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("w", [0.8, -0.8])
def test_zeros_in_both_forms(form, w):
    net = CTRNN([[w]], 0.3, "relu", 0.1, form=form)
    ends = still_points(net, Noise(gain_outside=0.5))
    zero = -0.3 / w if form == "rate" else 0.0
    side = 0 if (w > 0 or form == "voltage") else 1
    assert ends[side] == pytest.approx(zero, abs=1e-12)
    assert np.isinf(ends[1 - side])


def test_a_law_that_is_a_point_is_refused():
    for net, noise in (
        (CTRNN.single(0.8, -0.2, "relu"), Noise(gain_outside=0.5)),
        (CTRNN.single(0.8, 0.0, "tanh"), Noise(gain_outside=0.5)),
        (CTRNN.single(0.8, 0.0, "tanh"), Noise(gain_inside=0.5)),
    ):
        with pytest.raises(NotApplicable, match="the law is a point: all noise is multiplicative"):
            solve(net, noise)


def test_noise_inside_leaves_zero_on_the_side_of_the_drift():
    net = CTRNN.single(0.5, 0.3, "identity", 0.1)
    assert still_points(net, Noise(gain_inside=0.5))[0] == pytest.approx(-0.6)
    assert np.all(np.isinf(still_points(CTRNN.single(0.5, 0.3, "softplus"), Noise(gain_inside=0.5, gain_outside=0.1))))
    assert np.all(np.isinf(still_points(net, Noise(gain_inside=0.5, outside=0.1))))
