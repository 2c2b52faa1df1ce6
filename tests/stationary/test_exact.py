"""The exact law of one neuron, against closed forms, a density solver of another kind, symmetries and itself."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.chain import chain_on
from ctrnn_theory.stationary.markov.operator import ChebyshevPanels, Step
from ctrnn_theory.support.errors import Divergence, NotApplicable
from tests.reference_cases import LAST_DIGIT, REFERENCE_CASES

Array = np.ndarray
WITNESS = 2e-12  # error of the witness below: rounding in a dense solve of some hundred nodes, memory below 100 steps


def law_of(f: str, w: float, b: float, gamma: float, **noise: float) -> StationaryLaw:
    return exact.solve(CTRNN.single(w, b, f, gamma), Noise(**noise))


def moments(law: StationaryLaw) -> tuple[float, float]:
    return float(law.mean[0]), float(law.covariance[0, 0])


# --- reference values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
def test_reference_values(case):
    law = law_of(case.activation, case.w, case.b, case.gamma, **{case.site: case.sigma})
    assert law.converged, law.message
    assert np.max(law.details["error"]) < 1e-10
    # One unit of the last digit, and half a unit for its rounding.
    assert law.mean[0] == pytest.approx(case.mean, abs=1.5 * LAST_DIGIT["mean"])
    assert law.std[0] == pytest.approx(case.std, abs=1.5 * LAST_DIGIT["std"])


# --- closed forms ----------------------------------------------------------------------------------------------

rates = st.floats(0.02, 1.0)
levels = st.floats(1e-3, 10.0)
biases = st.floats(-3.0, 3.0)


def close(law: StationaryLaw, mean: float, variance: float) -> bool:
    """Whether a law has these moments within the error that it reports, and 1e-12 of their size."""
    error = law.details["error"] + 1e-12 * (1.0 + np.array([abs(mean), variance]))
    return bool(law.converged and np.all(np.abs(np.array(moments(law)) - (mean, variance)) <= error))


@given(w=st.floats(-0.9, 0.9), b=biases, gamma=rates, inside=st.just(0.0) | levels, outside=st.just(0.0) | levels)
@settings(max_examples=40, deadline=None)
def test_linear_neuron_obeys_the_lyapunov_equation(w, b, gamma, inside, outside):
    assume(inside or outside)
    law = law_of("identity", w, b, gamma, inside=inside, outside=outside)
    variance = gamma**2 * (inside**2 + outside**2) / (1.0 - (1.0 - gamma + gamma * w) ** 2)
    assert close(law, b / (1.0 - w), variance)


def relu_moments(a: float, s: float) -> tuple[float, float]:
    z = a / s
    density = math.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    mean = a * ndtr(z) + s * density
    return mean, (a**2 + s**2) * ndtr(z) + a * s * density - mean**2


def step_moments(a: float, s: float) -> tuple[float, float]:
    return float(ndtr(a / s)), float(ndtr(a / s) * ndtr(-a / s))


def sin_moments(a: float, s: float) -> tuple[float, float]:
    mean = math.exp(-0.5 * s**2) * math.sin(a)
    return mean, 0.5 * (1.0 - math.exp(-2.0 * s**2) * math.cos(2.0 * a)) - mean**2


@given(
    f=st.sampled_from([("relu", relu_moments), ("step", step_moments), ("sin", sin_moments)]),
    b=st.floats(-1.0, 1.0),
    gamma=rates | st.just(1.0),
    inside=st.floats(0.3, 5.0),
    outside=st.just(0.0) | levels,
)
@settings(max_examples=40, deadline=None)
def test_unconnected_neuron_filters_its_input(f, b, gamma, inside, outside):
    """For w = 0 the state is an average of independent terms: E h = F(b; σ), Var h = γ (v + σ_out²) / (2 - γ)."""
    name, formula = f
    mean, variance = formula(b, inside)
    assert close(
        law_of(name, 0.0, b, gamma, inside=inside, outside=outside),
        mean,
        gamma * (variance + outside**2) / (2.0 - gamma),
    )


def test_critical_relu_below_its_kink_is_a_linear_filter():
    # w = 1 and b < 0: the state returns from far out by its drift b alone. The kink is 36 standard deviations away.
    law = law_of("relu", 1.0, -0.5, 0.1, outside=0.06)
    assert close(law, 0.0, 0.1 * 0.06**2 / 1.9)


# --- a witness: the density of a chain with Gaussian steps, by Nyström's method ----------------------------------


def stationary_moments(kernel: Array, x: Array, weights: Array, value: Array) -> tuple[float, float]:
    """Mean and variance of value(x) under the density p(x') = ∫ kernel(x', x) p(x) dx; x and weights a quadrature."""
    move = weights[:, None] * kernel  # of probability from node to node
    move /= np.maximum(move.sum(axis=0), 1e-300)  # a node far out may jump beyond all others
    system = move - np.eye(len(x)) + 1.0 / len(x)  # total probability one, added to every equation
    mass = np.linalg.solve(system, np.full(len(x), 1.0 / len(x)))
    mass = move @ (move @ mass)  # takes rounding out of the far nodes, where value may be large
    mean = float(mass @ value)
    return mean, float(mass @ (value - mean) ** 2)


def gaussian_chain(
    target: Callable[[Array], Array],
    std: float,
    breaks: list[float],
    low: float,
    high: float,
    observe: Callable[[Array], Array],
    panels: int = 40,
) -> tuple[float, float]:
    """Mean and variance of observe(x) under the stationary law of x' = target(x) + std · ξ.

    The density p(x') = ∫ p(x) φ((x' - target(x)) / std) / std dx is smooth; the integral is by Gauss–Legendre panels,
    broken where the target bends.
    """
    edges = np.unique([*np.linspace(low, high, panels + 1), *(k for k in breaks if low < k < high)])
    t, weight = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    x = (edges[:-1, None] + half * (1.0 + t)).ravel()
    weights = (half * weight).ravel()
    kernel = np.exp(-0.5 * ((x[:, None] - target(x)) / std) ** 2) / (std * math.sqrt(2.0 * math.pi))
    return stationary_moments(kernel, x, weights, observe(x))


OUTSIDE = [
    ("relu", 0.5, 0.1, 0.1, 0.5),
    ("relu", 1.0, -0.5, 0.2, 0.5),
    ("relu", -3.0, 1.0, 0.5, 1.0),
    ("relu2", -0.5, 0.5, 0.3, 0.8),
    ("hardtanh", 0.9, 0.2, 0.1, 0.6),
    ("tanh", 1.3, 0.1, 0.3, 0.8),
    ("softplus", -1.0, 0.2, 0.2, 1.0),
    ("step", 0.5, -0.2, 0.2, 0.6),
    ("step", -1.5, 0.8, 0.1, 0.3),
    ("sin", 3.0, 0.1, 0.5, 0.4),
    ("elu", 0.7, -0.3, 1.0, 0.5),
    ("Abs(x) - 1", -0.6, 0.1, 0.2, 0.5),
    ("Heaviside(x - 0.3) + tanh(x)", -0.6, 0.1, 0.3, 0.5),
]


def assert_honest(law: StationaryLaw, witness: tuple[float, float]) -> None:
    """The law reaches its tolerance, and is off by no more than it reports."""
    assert law.converged, law.message
    off = np.abs(np.array(moments(law)) - witness)
    assert np.all(off <= law.details["error"] + WITNESS * (1.0 + np.abs(witness)))


@pytest.mark.parametrize(("f", "w", "b", "gamma", "sigma"), OUTSIDE)
def test_noise_outside_against_the_density(f, w, b, gamma, sigma):
    law = law_of(f, w, b, gamma, outside=sigma)
    act = activation(f)
    low, high = law.details["domain"]
    witness = gaussian_chain(
        lambda h: (1.0 - gamma) * h + gamma * act(w * h + b),
        gamma * sigma,
        [(k - b) / w for k in act.breakpoints],
        low - 1.0,
        high + 1.0,
        lambda h: h,
        panels=int(max(20, (high - low + 2.0) / (gamma * sigma))),
    )
    assert_honest(law, witness)


@pytest.mark.parametrize(("f", "w", "b", "gamma", "sigma"), OUTSIDE)
def test_noise_inside_without_leak_against_the_density(f, w, b, gamma, sigma):
    """At γ = 1, a' = w f(a) + b + σ ξ is a chain with Gaussian steps, and h = f(a)."""
    if f == "relu" and w == 1.0:
        w = 0.8  # a random walk's tail is beyond the witness's range
    law = law_of(f, w, b, 1.0, inside=sigma)
    act = activation(f)
    mean, variance = moments(law)
    reach = 12.0 * math.hypot(w * math.sqrt(variance), sigma)
    low, high = w * mean + b - reach, w * mean + b + reach
    panels = int(2.0 * reach / sigma)
    witness = gaussian_chain(lambda a: w * act(a) + b, sigma, list(act.breakpoints), low, high, act, panels)
    assert_honest(law, witness)


@pytest.mark.parametrize(
    ("w", "b", "gamma", "sigma"), [(-1.0, 0.2, 0.2, 1.0), (0.5, -0.3, 0.4, 0.8), (-1.5, 1.0, 0.5, 1.5)]
)
def test_noise_inside_with_leak_against_the_density(w, b, gamma, sigma):
    """f(a) = a + tanh(a)/2 can be inverted: given h, the pre-activation a behind h' is Gaussian."""
    law = law_of("x + tanh(x)/2", w, b, gamma, inside=sigma)
    low, high = law.details["domain"]
    edges = np.linspace(low, high, int((high - low) / (gamma * sigma)) + 2)
    t, weight = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    h, weights = (edges[:-1, None] + half * (1.0 + t)).ravel(), (half * weight).ravel()
    y = (h[:, None] - (1.0 - gamma) * h) / gamma
    a = y / 1.25
    for _ in range(60):  # Newton, and then to rounding
        a -= (a + 0.5 * np.tanh(a) - y) / (1.5 - 0.5 * np.tanh(a) ** 2)
    slope = 1.5 - 0.5 * np.tanh(a) ** 2
    kernel = np.exp(-0.5 * ((a - w * h - b) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi) * gamma * slope)
    mean, variance = stationary_moments(kernel, h, weights, h)
    assert_honest(law, (mean, variance))


@pytest.mark.parametrize(
    ("f", "w", "b", "gamma", "inside", "outside"),
    [
        ("tanh", 0.8, 0.3, 0.3, 0.5, 0.4),
        ("relu", 0.5, 0.1, 0.3, 0.5, 0.4),
        ("relu", -1.0, 0.5, 0.5, 0.1, 0.6),
        ("step", 0.8, -0.3, 0.3, 0.2, 0.5),
    ],
)
def test_noise_at_both_sites_against_the_density(f, w, b, gamma, inside, outside):
    """The kernel is a mixture of Gaussians over ξ, at Gauss–Legendre nodes broken at the kink, 0, for each state."""
    law = law_of(f, w, b, gamma, inside=inside, outside=outside)
    act, std = activation(f), gamma * outside
    low, high = law.details["domain"]
    t, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, int((high - low) / min(std, 2.0 * inside / abs(w))) + 2)
    half = 0.5 * np.diff(edges)[:, None]
    h, weights = (edges[:-1, None] + half * (1.0 + t)).ravel(), (half * weight).ravel()
    kernel = np.empty((len(h), len(h)))
    for j, state in enumerate(h):
        a = w * state + b
        cuts = np.unique([*np.linspace(-8.5, 8.5, 9), np.clip(-a / inside, -8.5, 8.5)])
        part = 0.5 * np.diff(cuts)[:, None]
        xi, p = (cuts[:-1, None] + part * (1.0 + t)).ravel(), (part * weight).ravel()
        p = p * np.exp(-0.5 * xi**2)
        target = (1.0 - gamma) * state + gamma * act(a + inside * xi)
        kernel[:, j] = (
            np.exp(-0.5 * ((h[:, None] - target) / std) ** 2) @ (p / p.sum()) / (std * math.sqrt(2.0 * math.pi))
        )
    assert_honest(law, stationary_moments(kernel, h, weights, h))


# --- symmetries and identities ---------------------------------------------------------------------------------

sites = st.sampled_from([("inside",), ("outside",), ("inside", "outside")])
networks = {
    "w": st.floats(-2.0, 0.9),
    "b": st.floats(-1.0, 1.0),
    "gamma": st.floats(0.05, 1.0),
    "sigma": st.floats(0.1, 2.0),
}


@given(f=st.sampled_from(["tanh", "erf", "sin", "hardtanh"]), site=sites, **networks)
@settings(max_examples=25, deadline=None)
def test_reflection_of_an_odd_activation(f, site, w, b, gamma, sigma):
    noise = dict.fromkeys(site, sigma)
    law, mirrored = law_of(f, w, b, gamma, **noise), law_of(f, w, -b, gamma, **noise)
    bound = law.details["error"] + mirrored.details["error"]
    assert abs(law.mean[0] + mirrored.mean[0]) <= bound[0]
    assert abs(law.covariance[0, 0] - mirrored.covariance[0, 0]) <= bound[1]


@given(f=st.sampled_from(["relu", "leaky_relu"]), site=sites, scale=st.floats(1e-3, 1e3), **networks)
@settings(max_examples=25, deadline=None)
def test_scaling_of_a_homogeneous_activation(f, site, scale, w, b, gamma, sigma):
    law = law_of(f, w, b, gamma, **dict.fromkeys(site, sigma))
    scaled = law_of(f, w, scale * b, gamma, **dict.fromkeys(site, scale * sigma))
    bound = law.details["error"] + scaled.details["error"] / np.array([scale, scale**2])
    assert abs(law.mean[0] - scaled.mean[0] / scale) <= bound[0]
    assert abs(law.covariance[0, 0] - scaled.covariance[0, 0] / scale**2) <= bound[1]


@given(f=st.sampled_from(["relu", "step", "hardtanh", "tanh"]), site=sites, **networks)
@settings(max_examples=25, deadline=None)
def test_stationary_means_agree(f, site, w, b, gamma, sigma):
    """E h = E F(w h + b; σ_in), and E h² in one step: another φ than the ones that were solved for."""
    noise = dict.fromkeys(site, sigma)
    law = law_of(f, w, b, gamma, **noise)
    h, weights = law.details["points"], law.details["weights"]
    act, inside, outside = activation(f), noise.get("inside", 0.0), noise.get("outside", 0.0)
    assert weights.sum() == pytest.approx(1.0, abs=1e-11)
    smoothed = act.smoothed(w * h + b, inside)
    assert weights @ smoothed == pytest.approx(law.mean[0], abs=1e-8)
    after = (1.0 - gamma) * h + gamma * smoothed
    spread = gamma**2 * (act.smoothed_variance(w * h + b, inside) + outside**2)
    assert weights @ ((after - law.mean[0]) ** 2 + spread) == pytest.approx(law.covariance[0, 0], abs=1e-7)


# --- the error estimate ----------------------------------------------------------------------------------------


@given(f=st.sampled_from(["relu", "tanh", "softplus", "hardtanh", "step", "gelu"]), site=sites, **networks)
@settings(max_examples=40, deadline=None)
def test_a_coarse_law_is_off_by_no_more_than_it_says(f, site, w, b, gamma, sigma):
    net, noise = CTRNN.single(w, b, f, gamma), Noise(**dict.fromkeys(site, sigma))
    coarse, fine = exact.solve(net, noise, tolerance=1e-3), exact.solve(net, noise, tolerance=1e-11)
    bound = coarse.details["error"] + fine.details["error"] + 1e-13
    assert np.all(np.abs(np.array(moments(coarse)) - moments(fine)) <= bound)
    assert np.all(fine.details["error"] < 1e-8)


def test_the_error_falls_spectrally_with_the_mesh():
    """Halving panels of degree 15 divides the error of a smooth problem by up to 2^16; 2^8 is asked for."""
    f = activation("tanh")
    step = Step(f, 1.2, 0.1, 0.5, 0.3, 0.0, breaks=np.linspace(-5.0, 5.0, 21))
    chains = [chain_on(step, ChebyshevPanels(np.linspace(-1.1, 1.1, panels + 1)), 24) for panels in (1, 2, 4, 16)]
    off = [abs(chain.mean - chains[-1].mean) for chain in chains[:-1]]
    reported = [chain.error[0] for chain in chains]
    assert reported[1] < reported[0] / 2**8
    assert all(true <= said + 1e-14 for true, said in zip(off, reported, strict=False))
    assert reported[-1] < 1e-12


def test_a_tolerance_out_of_reach_is_said_to_be():
    law = exact.solve(CTRNN.single(1.5, 0.02, "tanh", 0.1), Noise(outside=0.3), start=[1.0])
    other = exact.solve(CTRNN.single(1.5, 0.02, "tanh", 0.1), Noise(outside=0.3), start=[-1.0])
    assert not law.converged
    assert "between two attractors" in law.message
    assert law.details["memory"] > 1e7
    assert abs(law.mean[0] - other.mean[0]) <= law.details["error"][0] + other.details["error"][0]


# --- special laws ----------------------------------------------------------------------------------------------


def test_faint_noise_gives_the_law_of_the_basin_that_the_start_is_in():
    net = CTRNN.single(1.5, 0.02, "tanh", 0.1)
    for start, fixed in ((1.0, 0.8667), (-1.0, -0.8493)):
        law = exact.solve(net, Noise(inside=0.02), start=[start])
        assert law.converged
        assert law.mean[0] == pytest.approx(fixed, abs=2e-4)


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("sigma", [1e-6, 10.0])
@pytest.mark.parametrize("gamma", [0.005, 1.0])
def test_extremes_of_noise_and_step(site, sigma, gamma):
    """Against the linear law for faint noise; for any noise it converges, and its mean obeys E h = E F."""
    law = law_of("tanh", 0.7, 0.1, gamma, **{site: sigma})
    assert law.converged
    if sigma < 1.0:
        h = 0.301202981259776
        slope = 1.0 - h**2
        variance = (
            gamma**2
            * sigma**2
            * (slope**2 if site == "inside" else 1.0)
            / (1.0 - (1.0 - gamma + gamma * 0.7 * slope) ** 2)
        )
        assert law.mean[0] == pytest.approx(h, abs=1e-11)
        assert law.covariance[0, 0] == pytest.approx(variance, rel=1e-5)


def test_no_noise_gives_the_fixed_point():
    law = exact.solve(CTRNN.single(1.5, -1.0, "relu", 0.1), Noise())
    assert moments(law) == (0.0, 0.0)
    net = CTRNN.single(1.5, 0.0, "tanh", 0.1)
    assert exact.solve(net, Noise(), start=[-0.1]).mean[0] == pytest.approx(-0.8585596366, abs=1e-9)
    with pytest.raises(NotApplicable, match="no fixed point"):
        exact.solve(CTRNN.single(-1.0, 0.3, "step", 0.1), Noise())


def test_noise_that_never_reaches_the_kink_moves_nothing():
    law = law_of("relu", 0.5, -5.0, 0.1, inside=0.2)
    assert moments(law) == (0.0, 0.0)


def test_states_of_any_size():
    small, large = law_of("relu", 0.99, 1.0, 0.2, inside=0.5), law_of("relu", 0.99, 1e9, 0.2, inside=0.5e9)
    assert large.mean[0] == pytest.approx(1e9 * small.mean[0], rel=1e-10)
    assert large.std[0] == pytest.approx(1e9 * small.std[0], rel=1e-10)


def test_a_deep_kink_and_a_rare_event():
    """b = -3, σ = 0.5: one step in 1e9 leaves rest. E h = F(b; σ) to first order in so small a state."""
    law = law_of("relu", 0.5, -3.0, 0.1, inside=0.5)
    mean, variance = relu_moments(-3.0, 0.5)
    assert law.mean[0] == pytest.approx(mean, abs=1e-13)
    assert law.covariance[0, 0] == pytest.approx(0.1 * variance / 1.9, abs=1e-13)


def test_input_and_noise_of_any_form():
    plain = law_of("relu", 0.5, 0.1, 0.1, inside=0.5)
    net = CTRNN([[0.5]], [0.3], "relu", 0.1, W_in=[[-0.1]])
    for noise in (Noise(inside=[0.5]), Noise(inside=[[0.3, 0.4]])):
        law = exact.solve(net, noise, u=[2.0])
        assert law.mean == pytest.approx(plain.mean, abs=1e-12)
        assert law.mean.shape == (1,)
        assert law.covariance.shape == (1, 1)


# --- refusals --------------------------------------------------------------------------------------------------


def test_only_for_few_neurons():
    with pytest.raises(NotApplicable, match="up to three neurons"):
        exact.solve(CTRNN(np.zeros((4, 4)), np.zeros(4)), Noise(inside=1.0))


def test_the_tolerance_must_be_positive():
    with pytest.raises(ValueError, match="tolerance must be a positive number"):
        exact.solve(CTRNN.single(0.5), Noise(inside=1.0), tolerance=0.0)


@pytest.mark.parametrize(
    ("f", "w", "b", "gamma"),
    [
        ("relu", 1.5, -1.0, 0.1),  # a stable fixed point, from which noise escapes in the end
        ("relu", 1.0, 0.0, 0.1),
        ("relu", 1.0, 0.5, 0.1),
        ("relu2", 0.1, -1.0, 0.1),
        ("identity", 1.0, 0.0, 0.5),
        ("identity", -3.0, 0.0, 0.5),  # each step overshoots by as much
        ("leaky_relu", 101.0, 0.0, 0.1),
        ("x**3", -0.5, 0.0, 0.5),
        ("exp(-x)", -1.0, 0.0, 0.5),
    ],
)
def test_a_state_that_runs_away_has_no_law(f, w, b, gamma):
    for noise in (Noise(inside=0.1), Noise(outside=0.1)):
        with pytest.raises(Divergence, match="no stationary law"):
            exact.solve(CTRNN.single(w, b, f, gamma), noise)


@pytest.mark.parametrize(
    ("f", "w", "b", "gamma"),
    [
        ("relu", 1.0, -0.5, 0.1),
        ("relu", -10.0, 0.5, 0.5),  # overshoots downwards, but relu does not answer there
        ("relu2", -0.3, 0.0, 0.1),
        ("identity", -2.9, 0.5, 0.5),
        ("leaky_relu", -5.0, 0.5, 0.5),
        ("exp(x)", -1.0, 0.5, 0.5),
        ("softplus", 1.0, -1.0, 0.1),
    ],
)
def test_a_state_that_returns_has_one(f, w, b, gamma):
    assert law_of(f, w, b, gamma, inside=0.3).converged


@pytest.mark.parametrize("start", [-1.0, 0.0, 1.0])
def test_attractors_that_rounding_cannot_weigh_are_refused(start):
    net = CTRNN.single(2.0, 0.0, "tanh", 0.1)
    with pytest.raises(NotApplicable, match="too rarely for double precision"):
        exact.solve(net, Noise(0.5), start=[start])
    up = exact.solve(net, Noise(0.2), start=[1.0])  # rarer still: the law of one basin
    assert up.mean[0] > 0.9
