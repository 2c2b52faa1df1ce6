"""The exact method is right for any width of noise, or its error estimate says by how much it is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import BUILTIN, activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.markov.chain import Chain, chain_on, with_missed
from ctrnn_theory.stationary.markov.one_step import moments_after
from ctrnn_theory.stationary.markov.operator import ChebyshevPanels
from ctrnn_theory.stationary.markov.several import chain as several
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.stationary.markov.state_range import MOST_BREAKS, image, resolve
from ctrnn_theory.support.errors import NotApplicable

SMOOTH = ("tanh", "erf", "probit", "sigmoid", "softplus", "silu", "gelu", "elu", "retanh")


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda e: 10.0**e)


def unconnected(f: str, b: np.ndarray, gamma: float, inside: float, outside: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of neurons without recurrent weights, which average independent steps."""
    act = activation(f)
    mean, variance = act.smoothed(b, inside), act.smoothed_variance(b, inside) + outside**2
    return np.asarray(mean), np.asarray(variance * gamma / (2.0 - gamma))


@pytest.mark.parametrize(("f", "sigma"), [("tanh", 1e4), ("erf", 1e3), ("erf", 1e6)])
def test_a_feature_of_width_one_under_noise_of_thousands(f, sigma):
    """The weight w = 1e-6 moves the pre-activation by w m, up to O(w²)."""
    law = exact.solve(CTRNN.single(1e-6, 0.867, f, 0.1), Noise(sigma))
    assert law.converged
    smoothed = activation(f).smoothed
    mean = smoothed(0.867 + 1e-6 * smoothed(0.867, sigma), sigma)
    assert abs(law.mean[0] - mean) < 1e-14
    assert law.details["error"][0] < 1e-12


@given(
    f=st.sampled_from(list(BUILTIN)),
    b=st.floats(-1, 1).map(np.sign) | powers(-3, 6) | powers(-3, 6).map(lambda b: -b),
    gamma=st.just(1.0) | powers(-3, 0),
    inside=powers(-8, 6),
    outside=st.just(0.0) | powers(-8, 6),
)
@example(f="hardtanh", b=1.0, gamma=0.5, inside=1e6, outside=0.0)
@example(f="gelu", b=-1e3, gamma=0.5, inside=1e6, outside=0.0)
@settings(max_examples=40, deadline=None)
def test_stated_error_of_an_unconnected_neuron(f, b, gamma, inside, outside):
    if f == "sin":
        inside = min(inside, 10.0)  # hundreds of waves are refused, as tested below
    law = exact.solve(CTRNN.single(0.0, b, f, gamma), Noise(inside, outside))
    mean, variance = unconnected(f, np.float64(b), gamma, inside, outside)
    size = abs(mean) + np.sqrt(variance)
    off = np.abs([law.mean[0] - mean, law.covariance[0, 0] - variance])
    assert np.all(off <= law.details["error"] + 1e-13 * np.array([size, size**2]))


@pytest.mark.parametrize("f", ["tanh", "hardtanh"])
@pytest.mark.parametrize("sigma", [1e-6, 1e5])
def test_two_unconnected_neurons(f, sigma):
    net = CTRNN(np.zeros((2, 2)), [0.867, -0.3], f, 0.3)
    law = exact.solve(net, Noise(sigma))
    mean, variance = unconnected(f, net.b, 0.3, sigma, 0.0)
    size = np.max(np.abs(mean) + np.sqrt(variance))
    assert law.converged
    assert np.all(np.abs(law.mean - mean) <= law.details["error"][0] + 1e-13 * size)
    assert np.all(np.abs(np.diag(law.covariance) - variance) <= law.details["error"][1] + 1e-13 * size**2)


# A solver that steps over f reports it ------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "sigma"), [("tanh", 1e4), ("erf", 1e3), ("softplus", 1e3), ("step", 30.0)])
def test_what_one_neuron_has_missed_is_in_its_error(f, sigma):
    """Without the places where f varies both quadratures miss the same, and their difference is small."""
    net, noise = CTRNN.single(0.0, 0.867, f, 0.1), Noise(sigma)
    chain = exact.search_one(net, noise, None, np.zeros(1), 1e-10)
    assert isinstance(chain, Chain)
    blind = chain_on(replace(chain.step, breaks=np.empty(0)), ChebyshevPanels(chain.panels.edges), 16)
    seen = with_missed(blind, net.activation)
    mean, variance = unconnected(f, net.b, 0.1, sigma, 0.0)
    off = np.abs([blind.mean - mean[0], blind.variance - variance[0]])
    assert off[0] > 1e-6 * np.sqrt(variance[0])  # otherwise nothing was missed
    assert np.all(off <= seen.error)
    assert np.all(seen.error < 1e3 * off.max() * max(1.0, np.sqrt(variance[0])))


def test_what_two_neurons_have_missed_is_in_their_error():
    net, noise = CTRNN(np.zeros((2, 2)), [0.867, -0.3], "tanh", 0.1), Noise(1e4)
    chain = several.solve_several(net, noise, net.b, np.zeros(2), 1e-8)
    blind, _ = several.chain_on(replace(chain.step, breaks=(np.empty(0),) * 2), chain.grid, None)
    mean, _ = unconnected("tanh", net.b, 0.1, 1e4, 0.0)
    off = np.max(np.abs(blind.mean - mean))
    assert off > 1e-6
    assert off <= several.with_missed(blind).error[0]


@given(a=st.floats(-3, 3), std=st.floats(0.01, 2.0), gamma=st.floats(0.05, 1.0), level=st.floats(0.01, 2.0))
@settings(max_examples=20, deadline=None)
def test_moments_after_a_step_from_a_distribution_of_states(a, std, gamma, level):
    """The moments agree with a sum over Gauss–Hermite nodes of state and noise."""
    W, drive = np.array([[0.7]]), np.array([a])
    inside, outside = np.array([[level**2]]), np.array([[0.09]])
    x, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()
    h = 0.4 + std * x[:, None]
    after = (1.0 - gamma) * h + gamma * np.sin(0.7 * h + a + level * x)
    both = weight[:, None] * weight
    mean = np.sum(both * after)
    variance = np.sum(both * (after - mean) ** 2) + gamma**2 * 0.09
    found = moments_after(activation("sin"), W, drive, gamma, inside, outside, np.array([[0.4]]), np.array([[std**2]]))
    assert np.allclose(np.ravel(found), [mean, variance], rtol=1e-11, atol=1e-13)


# Where f varies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", SMOOTH)
@pytest.mark.parametrize("ends", [(-1e6, 9e5), (-85000.0, 85002.0), (-3.0, 1e4), (-20.0, 30.0), (0.3, 0.31)])
def test_panels_resolve_f(f, ends):
    """On each panel the polynomial through 16 nodes agrees with f at 9 other points."""
    act = activation(f)
    edges = np.concatenate([ends[:1], resolve(act, *ends), ends[1:]])
    left, half = edges[:-1], 0.5 * np.diff(edges)
    nodes = np.cos(np.pi * (np.arange(16) + 0.5) / 16)
    t = np.linspace(-0.95, 0.95, 9)
    values = act(left[:, None] + half[:, None] * (1.0 + nodes))
    back = np.polynomial.chebyshev.chebvander(t, 15) @ np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, 15))
    error = np.abs(values @ back.T - act(left[:, None] + half[:, None] * (1.0 + t)))
    assert np.max(error) < 1e-11 * np.max(np.abs(values))
    assert len(edges) < 70


def test_waves_without_end_are_resolved_or_refused():
    f = activation("sin")
    assert len(resolve(f, 1e6 - 3.0, 1e6 + 3.0)) < 8  # rounding of x at 1e6 is not taken for a feature of f
    assert 50 < len(resolve(f, -300.0, 300.0)) <= MOST_BREAKS
    with pytest.raises(NotApplicable, match="sin varies too fast over the pre-activations that the noise reaches"):
        resolve(f, -1e5, 1e5)


def test_the_image_holds_a_narrow_dip():
    low, high = image(activation("gelu"), -1e6, 10.0)
    assert low == pytest.approx(-0.17, abs=1e-3)
    assert high == pytest.approx(10.0)


def test_a_grid_of_one_state_has_moments():
    """In the box of a state that hardly moves rounding does not count as missed."""
    net = CTRNN(np.diag([0.3, -0.2]), [0.5, 1.0], "tanh", 0.2)
    chain = several.solve_several(net, Noise(1e-9), net.b, np.zeros(2), 1e-8)
    assert isinstance(chain.grid, ChebyshevGrid)
    assert np.all(chain.missed < 1e-13)


@pytest.mark.parametrize(("b", "sigma"), [(-1e4, 1e3), (-95.0, 10.0)])
def test_a_step_too_rare_for_the_quadrature_is_in_the_error(b, sigma):
    """relu is active at most once in 1e21 steps; the state is taken for a point, with the error of doing so."""
    law = exact.solve(CTRNN.single(0.0, b, "relu", 0.1), Noise(sigma))
    mean, variance = unconnected("relu", np.float64(b), 0.1, sigma, 0.0)
    assert law.converged
    assert 0.0 < mean <= law.details["error"][0] < 1e-15
    assert 0.0 < variance <= law.details["error"][1] < 1e-15
