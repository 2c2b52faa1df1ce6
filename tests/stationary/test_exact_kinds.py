"""The exact law of one neuron under other kinds of noise, in either form, and reference values of all kinds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import ctrnn_theory as ct
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.support.errors import NotApplicable
from tests.linear_noise import linear_moments
from tests.stationary.test_exact import stationary_moments

single = CTRNN.single

# --- values of solvers of another kind: Nyström's method for the density, and collocation in (h, x) ----------------

REFERENCES = [
    (single(-0.8, 0.1, "relu", 0.3), Noise(outside=0.3, keep=0.6), 0.06434825887550442, 0.10975681947427146),
    (single(0.4, 0.03, "relu", 0.2), Noise(outside=0.3, gain_outside=0.6), 0.05555187463895002, 0.1229337020819237),
    (single(-0.8, 0.5, "tanh", 0.25), Noise(inside=0.4, gain_inside=0.6), 0.24980903245561942, 0.1118585510585439),
    (single(-0.7, 0.3, "0.8*relu(x)**2", 0.2), Noise(inside=0.4), 0.1363914779336349, 0.06697322616593265),
    (
        CTRNN([[-0.7]], 0.5, "softplus", 0.2, form="voltage"),
        Noise(inside=0.6, outside=0.5),
        -0.012951419601589506,
        0.1591804230456405,
    ),
    (single(-0.7, 0.3, "tanh", 0.3), Noise(inside=0.6, rho_inside=0.7), 0.1557672273909285, 0.2534204949052375),
]


@pytest.mark.parametrize(("net", "noise", "mean", "std"), REFERENCES, ids=repr)
def test_reference_values(net, noise, mean, std):
    law = exact.solve(net, noise)
    assert law.converged, law.message
    assert law.mean[0] == pytest.approx(mean, abs=1e-9)
    assert law.std[0] == pytest.approx(std, abs=1e-9)


def test_average_over_devices_whose_thresholds_differ():
    """Thresholds have the standard deviation 0.2; 25 Gauss–Hermite points average over devices."""
    theta, weights = np.polynomial.hermite_e.hermegauss(25)
    weights = weights / weights.sum()
    laws = [exact.solve(single(-0.6, 0.5 - 0.2 * t, "softplus", 0.3), Noise(0.6)) for t in theta]
    mean, variance = np.array([[law.mean[0], law.covariance[0, 0]] for law in laws]).T
    assert weights @ mean == pytest.approx(0.7613983937086676, abs=2e-9)
    assert np.sqrt(weights @ (mean - weights @ mean) ** 2) == pytest.approx(0.0781304758079211, abs=2e-9)
    assert weights @ variance == pytest.approx(0.013932147561549302, abs=2e-9)


# --- values of long simulations with control variates, to five standard errors --------------------------------------

W = [[0.3, -0.6], [0.5, 0.3]]


def within(law, mean, se_mean, covariance, se_covariance):
    """Whether mean and covariance are within five standard errors of a simulation, and the error reported."""
    error = law.details["error"] if law.converged else np.zeros(2)
    assert np.all(np.abs(law.mean - mean) <= 5.0 * np.array(se_mean) + error[0])
    assert np.all(np.abs(law.covariance - np.array(covariance)) <= 5.0 * np.array(se_covariance) + error[1])


def test_neurons_that_differ():
    net = CTRNN(W, [0.4, 0.3], ["tanh", "relu(1.5*(x - 0.1)) + 0.05"], [0.5, 0.2])
    law = exact.solve(net, Noise(inside=[0.4, 0.3]))
    assert law.converged
    within(
        law,
        [-0.005771779350129321, 0.6750103842054819],
        [1.46e-5, 2.05e-5],
        [[0.055970103609044565, -0.004355502128564525], [-0.004355502128564525, 0.02981987451169544]],
        [[2.53e-5, 1.31e-5], [1.31e-5, 1.99e-5]],
    )


def test_common_gains_of_two_relu_neurons_without_noise_inside():
    law = exact.solve(CTRNN(W, [0.2, 0.3], "relu", 0.25), Noise(outside=0.2, gain_outside=0.4, common_gain_outside=0.5))
    assert not law.converged  # nothing smooths the kink
    assert law.details["error"][0] < 1e-4
    within(
        law,
        [0.015261605250216054, 0.4394722746726008],
        [9.65e-6, 6.88e-6],
        [[0.006567463840456142, 8.361717056354114e-5], [8.361717056354114e-5, 0.025542025082092624]],
        [[4.22e-6, 5.43e-6], [5.43e-6, 1.67e-5]],
    )


# --- closed forms -----------------------------------------------------------------------------------------------


@given(
    w=st.floats(-0.8, 0.6),
    b=st.floats(-1.0, 1.0),
    gamma=st.floats(0.1, 1.0),
    form=st.sampled_from(["rate", "voltage"]),
    inside=st.sampled_from([{}, {"inside": 0.3}, {"gain_inside": 0.3}, {"inside": 0.2, "gain_inside": 0.2}]),
    outside=st.sampled_from([{}, {"outside": 0.3}, {"keep": 0.7}, {"keep": 0.8, "outside": 0.2}]),
)
@settings(max_examples=20, deadline=None)
def test_linear_neuron(w, b, gamma, form, inside, outside):
    net, noise = CTRNN([[w]], b, "identity", gamma, form=form), Noise(**inside, **outside)
    mean, covariance = linear_moments(net, noise)
    law = exact.solve(net, noise)
    assert law.converged, law.message
    assert np.abs(law.mean - mean) <= law.details["error"][0] + 1e-12
    assert np.abs(law.covariance - covariance) <= law.details["error"][1] + 1e-12
    assert law.rate == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    "noise",
    [
        Noise(gain_outside=0.5),
        Noise(inside=0.3, gain_outside=0.4, outside=0.1),
        Noise(gain_outside=0.3, common_gain_outside=0.2),
        Noise(inside=0.3, common_gain_outside=0.4, keep=0.7),
    ],
    ids=repr,
)
def test_linear_neuron_with_gains_outside(noise):
    net = single(-0.5, 0.4, "identity", 0.3)
    mean, covariance = linear_moments(net, noise)
    law = exact.solve(net, noise)
    assert law.converged, law.message
    assert law.mean == pytest.approx(mean, abs=1e-11)
    assert law.covariance == pytest.approx(covariance, abs=1e-11)


@pytest.mark.parametrize(
    ("f", "w", "b", "gamma", "outside", "gain"), [("tanh", 1.2, 0.3, 0.3, 0.3, 0.8), ("relu", -1.0, 0.5, 0.5, 0.4, 0.5)]
)
def test_gain_outside_against_the_density(f, w, b, gamma, outside, gain):
    """Nyström's method for p(h') = ∫ p(h) φ((h' - T(h)) / s(h)) / s(h) dh, with the width s² = γ² (σ² + g² f²)."""
    act = ct.activation(f)
    law = exact.solve(single(w, b, f, gamma), Noise(outside=outside, gain_outside=gain))
    low, high = law.details["domain"]
    edges = np.unique(
        [*np.linspace(low, high, int((high - low) / (gamma * outside)) + 20), *((k - b) / w for k in act.breakpoints)]
    )
    t, weight = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(edges)[:, None]
    x, weights = (edges[:-1, None] + half * (1.0 + t)).ravel(), (half * weight).ravel()
    y = act(w * x + b)
    s = gamma * np.hypot(outside, gain * y)
    kernel = np.exp(-0.5 * ((x[:, None] - (1.0 - gamma) * x - gamma * y) / s) ** 2) / (s * np.sqrt(2.0 * np.pi))
    mean, variance = stationary_moments(kernel, x, weights, x)
    assert law.converged
    assert law.mean[0] == pytest.approx(mean, abs=1e-9)
    assert law.covariance[0, 0] == pytest.approx(variance, abs=1e-9)


def test_rates_of_a_voltage_neuron_with_a_kink():
    """With γ = 1 and w = 0 the potential is b + σ η, so that E relu(v) is known."""
    b, sigma = 0.2, 0.7
    law = exact.solve(CTRNN([[0.0]], b, "relu", 1.0, form="voltage"), Noise(inside=0.3, outside=sigma))
    z = b / sigma
    assert law.rate[0] == pytest.approx(b * ndtr(z) + sigma * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi), abs=1e-12)


# --- identities -----------------------------------------------------------------------------------------------------


@given(
    w=st.floats(-1.5, 0.8),
    b=st.floats(-0.5, 1.0),
    gamma=st.floats(0.1, 1.0),
    f=st.sampled_from(["relu", "tanh", "softplus"]),
)
@settings(max_examples=15, deadline=None)
def test_voltage_under_noise_inside_is_the_rate_neuron(w, b, gamma, f):
    noise = Noise(inside=0.5, gain_inside=0.0)
    rate, voltage = (exact.solve(CTRNN([[w]], b, f, gamma, form=form), noise) for form in ("rate", "voltage"))
    assert voltage.mean == pytest.approx(w * rate.mean + b, abs=1e-9)
    assert voltage.covariance == pytest.approx(w**2 * rate.covariance, abs=1e-9)


def test_dropout_and_gaussian_gain_differ_in_the_third_cumulant():
    """It is of the order γ³ in a step, so that means differ by γ²; at keep = 1/2 it is zero, and they differ by γ³."""

    def difference(keep, gamma):
        net, gain = single(-0.9, 0.6, "tanh", gamma), np.sqrt((1.0 - keep) / keep)
        laws = [exact.solve(net, Noise(outside=0.3, **kind)) for kind in ({"keep": keep}, {"gain_outside": gain})]
        return abs(laws[0].mean - laws[1].mean)[0]

    for keep, order in ((0.5, 3.0), (0.7, 2.0)):
        found = np.log2([difference(keep, gamma) / difference(keep, gamma / 2.0) for gamma in (0.1, 0.05)])
        assert 2.0 * found[1] - found[0] == pytest.approx(order, abs=0.1)  # extrapolated to γ → 0


@pytest.mark.parametrize("name", ["gain_inside", "gain_outside", "common_gain_outside"])
def test_gains_vanish_with_the_square_of_their_size(name):
    net = single(-0.8, 0.5, "tanh", 0.3)
    none = exact.solve(net, Noise(inside=0.3)).mean[0]
    large, small = (exact.solve(net, Noise(inside=0.3, **{name: g})).mean[0] - none for g in (2e-2, 1e-2))
    assert large / small == pytest.approx(4.0, abs=1e-2)


def test_which_of_two_gains_is_private_does_not_matter_for_one_neuron():
    net = single(-0.8, 0.5, "tanh", 0.3)
    one = exact.solve(net, Noise(outside=0.2, gain_outside=0.5, common_gain_outside=0.3))
    other = exact.solve(net, Noise(outside=0.2, gain_outside=0.3, common_gain_outside=0.5))
    assert one.converged
    assert one.mean == pytest.approx(other.mean, abs=1e-10)
    assert one.covariance == pytest.approx(other.covariance, abs=1e-10)


def test_products_of_gains_beside_noise_inside_are_refused():
    with pytest.raises(NotApplicable, match="three variates"):
        exact.solve(single(0.5), Noise(inside=0.1, gain_outside=0.1, common_gain_outside=0.1))


def test_a_law_without_variance_has_no_number():
    net, noise = single(0.9, 0.1, "identity", 0.5), Noise(outside=0.1, gain_outside=1.0)
    with pytest.raises(NotApplicable, match="no variance"):
        ct.predict(net, noise, method="exact")
    with pytest.raises(NotApplicable, match="no variance"):
        ct.spectrum(net, noise)


# --- the spectrum ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [Noise(outside=0.3, gain_outside=0.2), Noise(inside=0.2, keep=0.8)], ids=repr)
@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_spectrum_of_a_linear_neuron(form, noise):
    """P maps polynomials to those of the same degree: λ_k = E Aᵏ, here λ_1 = 1 - γ + γ w and λ_2 with the gain."""
    w, gamma = 0.5, 0.2
    found = ct.spectrum(CTRNN([[w]], 0.1, "identity", gamma, form=form), noise, count=3)
    A, R = 1.0 - gamma + gamma * w, noise.gain_covariance("outside", 1)[0, 0]
    assert found.eigenvalues.real == pytest.approx([1.0, A, A**2 + gamma**2 * w**2 * R], abs=1e-8)


def test_spectrum_of_two_linear_neurons_that_differ():
    net = CTRNN(W, [0.1, 0.2], "identity", [0.2, 0.5], form="voltage")
    found = ct.spectrum(net, Noise(inside=0.2, outside=0.2), count=3)
    gamma = np.array([0.2, 0.5])
    wanted = np.linalg.eigvals(np.diag(1.0 - gamma) + gamma[:, None] * np.array(W))
    assert np.sort(np.abs(found.eigenvalues[1:3])) == pytest.approx(np.sort(np.abs(wanted)), abs=1e-7)


def test_spectrum_under_coloured_noise_is_refused():
    with pytest.raises(NotApplicable, match="coloured"):
        ct.spectrum(single(0.5), Noise(inside=0.3, rho_inside=0.5))
