"""The tools for users' tests: what they pass, and what they must not."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from ctrnn_theory import CTRNN, Noise, activation, predict
from ctrnn_theory.activations import BUILTIN
from ctrnn_theory.testing import activations, assert_bias_formula, assert_smoothing, assert_stationary, networks, noises
from ctrnn_theory.testing.strategies import largest_slope
from tests.reference_cases import REFERENCE_CASES

# Strategies ------------------------------------------------------------------------------------------------

RESTRICTIONS = [
    {},
    {"smooth": True, "bounded": True},
    {"kinks": 2},
    {"kinks": 1, "bounded": True, "lipschitz": True},
    {"kinks": 0, "smooth": False},
    {"smooth": False, "bounded": False, "lipschitz": False},
]


@pytest.mark.parametrize("wanted", RESTRICTIONS, ids=str)
def test_activations_are_as_asked(wanted):
    seen = set()

    @settings(max_examples=25)
    @given(activations(**wanted))
    def check(f):
        seen.add(f.text)
        x = np.array([-1e4, -2e3, -3.0, 0.3, 5.0, 2e3, 1e4])
        assert np.all(np.isfinite(f(x)))
        assert activation(f.text) == f
        if "smooth" in wanted:
            assert (not f.breakpoints) == wanted["smooth"]
        if "bounded" in wanted:
            assert (np.max(np.abs(f(x))) < 100.0) == wanted["bounded"]
        if "kinks" in wanted:
            assert len(f.kinks) == wanted["kinks"]
        if "lipschitz" in wanted:
            grid = np.linspace(-20.003, 19.997, 4001)  # no jump on it
            steep = np.max(np.abs(np.diff(f(grid)))) / 0.01 > 15.0 or abs(f(1e4)) + abs(f(-1e4)) > 1e6
            assert steep != wanted["lipschitz"]

    check()
    assert len(seen) > 3
    assert len(seen) > len(seen & set(BUILTIN)) > 0  # both kinds are drawn


def test_activations_refuse_a_contradiction():
    with pytest.raises(ValueError, match="kinks must be 0 or None where smooth is True; got 2"):
        find(activations(smooth=True, kinks=2), lambda f: True)


@pytest.mark.parametrize(("text", "slope"), [("relu", 1.0), ("tanh(3*x)", 3.0), ("step", math.inf), ("x**2", math.inf)])
def test_largest_slope(text, slope):
    assert largest_slope(activation(text)) == pytest.approx(slope, rel=1e-4)


@settings(max_examples=25)
@given(networks(), st.data())
def test_paths_of_a_stable_network_approach_each_other(net, data):
    noise = data.draw(noises(net.n))
    rng, size = np.random.default_rng(0), []
    one, two = np.full(net.n, -3.0), np.full(net.n, 5.0)
    for _ in range(50):
        xi, eta = (noise.factor(s, net.n) @ rng.standard_normal(noise.factor(s, net.n).shape[1]) for s in SITES)
        one, two = (
            (1 - net.gamma) * h + net.gamma * (net.activation(net.preactivation(h) + xi) + eta) for h in (one, two)
        )
        size.append(np.linalg.norm(one - two))
    bound = math.sqrt(net.n) * 8.0 * (1.0 - 0.0999 * net.gamma) ** np.arange(1, 51)  # slope is known to 1e-4
    assert np.all(np.array(size) <= bound + 1e-12)


SITES = ("inside", "outside")


@given(networks(3, stable=False, activations=["relu", "x**2"]))
def test_networks_are_as_asked(net):
    assert net.n == 3
    assert net.activation.text in ("relu", "x**2")
    assert np.max(np.abs(net.W)) <= 2.0


def test_unstable_networks_are_drawn_when_wanted():
    net = find(networks(1, stable=False, activations=["relu"]), lambda net: net.W[0, 0] > 1.0)
    assert net.W[0, 0] > 1.0


@given(st.integers(1, 4), st.sampled_from([None, True, False]), st.data())
def test_noises_fit_the_network(n, correlated, data):
    noise = data.draw(noises(n, correlated=correlated, most=0.7))
    sizes = np.array([noise.std(site, n) for site in SITES])
    assert 0.0 < np.max(sizes) <= 0.7 + 1e-12
    factors = sum(np.ndim(getattr(noise, site)) == 2 for site in SITES)
    assert factors > 0 if correlated else correlated is None or factors == 0


@given(noises(sites=["outside"]))
def test_noises_keep_to_their_site(noise):
    assert noise.inside == 0.0 < np.max(noise.std("outside", 1))


def test_noises_refuse_an_unknown_site():
    with pytest.raises(ValueError, match="sites must hold"):
        find(noises(sites=["within"]), lambda noise: True)


def test_without_hypothesis_it_says_what_to_install():
    code = "import sys; sys.modules['hypothesis'] = None; import ctrnn_theory.testing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "ImportError: ctrnn_theory.testing needs Hypothesis: pip install 'ctrnn-theory[test]'" in run.stderr


# Bias ------------------------------------------------------------------------------------------------------


def order_two(net, noise, factor=1.0):
    """The textbook formula, typed here once more: k (σ_in² + w² V) / (2 (1 - w d)), times a factor."""
    f, w, g = net.activation, float(net.W[0, 0]), net.gamma
    a = net.preactivation(predict(net, noise, method="deterministic").mean)[0]
    d, k = f.derivative(a), f.derivative(a, 2)
    V = g * (d**2 * noise.inside**2 + noise.outside**2) / ((1 - w * d) * (2 - g * (1 - w * d)))
    return factor * k * (noise.inside**2 + w**2 * V) / (2 * (1 - w * d))


CASES = [
    (CTRNN.single(-1.0, 0.2, "softplus", 0.2), Noise(inside=0.5)),
    (CTRNN.single(0.8, 0.5, "tanh", 0.1), Noise(outside=0.5)),
    (CTRNN.single(1.5, -0.3, "sigmoid", 0.5), Noise(inside=0.3, outside=0.4)),
]
case = pytest.mark.parametrize(("net", "noise"), CASES, ids=["softplus", "tanh", "sigmoid"])


@case
def test_right_formula_passes(net, noise):
    found = assert_bias_formula(order_two, net, noise)
    assert found.order == pytest.approx(4.0, abs=0.1)
    assert not found.is_exact
    assert np.all(np.abs(found.error) > 25 * found.accuracy)


@case
@pytest.mark.parametrize("factor", [-1.0, 0.5, 1.0001, 1.00001])
def test_formula_with_a_wrong_factor_fails(net, noise, factor):
    with pytest.raises(AssertionError, match=r"the error falls as σ\^[12]\.\d\d, and that of a formula of order 2"):
        assert_bias_formula(lambda net, noise: order_two(net, noise, factor), net, noise)


@case
def test_formula_that_lacks_a_term_fails(net, noise):
    def without_recurrent_noise(net, noise):
        f, a = net.activation, net.preactivation(predict(net, noise, method="deterministic").mean)
        return f.derivative(a, 2) * (noise.inside**2 + 0.01 * noise.outside**2) / 2

    with pytest.raises(AssertionError, match="must fall at least as σ\\^4"):
        assert_bias_formula(without_recurrent_noise, net, noise)


def test_order_claimed_is_order_asked():
    net, noise = CASES[0]
    assert assert_bias_formula(lambda net, noise: 0.0, net, noise, order=0).order == pytest.approx(2.0, abs=0.1)
    with pytest.raises(AssertionError, match="order 4 must fall at least as σ\\^6"):
        assert_bias_formula(order_two, net, noise, order=4)


@given(networks(1, activations=["softplus", "tanh", "sigmoid", "gelu"]), noises(least=0.2))
@settings(max_examples=5)
def test_right_formula_passes_for_any_network(net, noise):
    scalar = Noise(inside=noise.std("inside", 1)[0], outside=noise.std("outside", 1)[0])
    assert_bias_formula(order_two, net, scalar)


def test_exact_formula_is_said_to_be_exact():
    net, noise = CTRNN.single(0.0, 0.3, "relu", 0.2), Noise(inside=0.8)
    smoothing = assert_bias_formula(lambda net, z: net.activation.smoothed(0.3, z.inside) - 0.3, net, noise, order=8)
    assert smoothing.is_exact
    linear = assert_bias_formula(lambda net, z: 0.0, CTRNN.single(0.5, 0.3, "identity"), Noise(inside=1.0), order=8)
    assert linear.is_exact
    assert "difference" in str(linear)


def test_on_a_kink_one_power_more_is_asked():
    """elu at 0, w = 0: F(0; σ) = σ/√(2π) + e^(σ²/2) Φ(-σ) - 1/2 = σ²/4 - ..., and odd powers follow."""
    net, noise = CTRNN.single(0.0, 0.0, "elu"), Noise(inside=0.5)
    assert assert_bias_formula(lambda net, z: z.inside**2 / 4, net, noise).order == pytest.approx(3.0, abs=0.1)
    with pytest.raises(AssertionError, match=r"σ\^2\.0"):
        assert_bias_formula(lambda net, z: z.inside**2 / 3.999, net, noise)


def test_iterated_formula_states_its_precision():
    def closure(net, noise):
        return [predict(net, noise, method=m).mean[0] for m in ("gaussian_closure", "deterministic")] @ np.array(
            [1, -1]
        )

    assert assert_bias_formula(closure, *CASES[0], precision=1e-11).order > 3.7


def test_what_a_formula_may_return():
    for value in (np.nan, [1.0, 2.0]):
        with pytest.raises(AssertionError, match="the formula must return one finite number"):
            assert_bias_formula(lambda net, noise, value=value: value, *CASES[0])


@pytest.mark.parametrize(
    ("net", "noise", "message"),
    [
        (CTRNN(np.eye(2) / 2, 0.0), Noise(inside=0.1), "net must have one neuron"),
        (CTRNN.single(0.5), Noise(), "noise must be above 0 inside or outside the activation; got none"),
        (CTRNN.single(-30.0, 1.0, "tanh", 0.5), Noise(inside=0.1), "net must settle to a fixed point from zero"),
    ],
)
def test_bias_formula_refuses(net, noise, message):
    with pytest.raises(ValueError, match=message):
        assert_bias_formula(lambda net, noise: 0.0, net, noise)


# Stationary law --------------------------------------------------------------------------------------------


def of(case):
    return CTRNN.single(case.w, case.b, case.activation, case.gamma), Noise(**{case.site: case.sigma})


@pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
def test_exact_law_by_quadrature(case):
    net, noise = of(case)
    law = predict(net, noise, method="exact")
    assert max(abs(identity.deviation) for identity in assert_stationary(law, net, noise)) < 1e-10
    with pytest.raises(AssertionError, match=r"the law \(exact\) is not stationary: \d of 11"):
        assert_stationary(law, net, Noise(**{case.site: case.sigma * (1 + 1e-6)}))
    for wrong in (replace(law, mean=law.mean + 1e-7), replace(law, covariance=law.covariance + 1e-7)):
        with pytest.raises(AssertionError, match="1 of 11"):
            assert_stationary(wrong, net, noise)


@pytest.mark.parametrize("case", [REFERENCE_CASES[k] for k in (0, 3, 4, 9)], ids=lambda case: case.name)
def test_mean_and_covariance_alone(case):
    net, noise = of(case)
    law = replace(predict(net, noise, method="exact"), details={})
    mean, _ = assert_stationary(law, net, noise)
    assert mean.allowed < 0.02
    for wrong in (
        replace(law, mean=law.mean + 2 * mean.allowed * law.std),
        replace(law, covariance=1.15 * law.covariance),
        replace(law, covariance=0.85 * law.covariance),
    ):
        with pytest.raises(AssertionError, match="not stationary"):
            assert_stationary(wrong, net, noise)
    assert_stationary(wrong, net, noise, tolerance=0.2)


def test_states_of_a_simulation():
    net = CTRNN([[0.2, -0.8], [0.8, 0.1]], [0.3, 0.1], "tanh", 0.3)
    noise = Noise(inside=[[0.4], [0.4]], outside=0.1)
    law = predict(net, noise, method="simulation", trajectories=4096, steps=200, rng=3)
    assert len(assert_stationary(law, net, noise)) == 9 + 5
    states, std = law.details["final_states"], law.std
    assert len(assert_stationary(states, net, noise)) == 9
    z = (states - law.mean) / std
    for wrong in (  # mean, spread, correlation, shape
        states + 0.2 * std,
        law.mean + 1.2 * z * std,
        np.stack([states[:, 0], states[::-1, 1]], axis=1),
        law.mean + np.sign(z) * std,
    ):
        with pytest.raises(AssertionError, match="the states are not stationary"):
            assert_stationary(wrong, net, noise)
    for other in (Noise(inside=[[0.48], [0.48]], outside=0.1), Noise(inside=0.4, outside=0.1)):
        with pytest.raises(AssertionError, match="not stationary"):
            assert_stationary(states, net, other)


def test_states_of_another_convention_of_noise():
    """A simulation that scales its noise with √Δt, as for an Itô equation, taken for noise per step."""
    net, rng, h = CTRNN.single(-0.5, 0.2, "tanh", 0.1), np.random.default_rng(2), np.zeros((1000, 1))
    for _ in range(300):
        h = h + 0.1 * (np.tanh(net.preactivation(h)) - h) + math.sqrt(0.1) * 0.3 * rng.standard_normal(h.shape)
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(h, net, Noise(outside=0.3))
    assert_stationary(h, net, Noise.from_white(0.3, 0.1, "outside"))


@settings(max_examples=20)
@given(networks(activations=["identity", "x/2 + 1"]), st.data())
def test_affine_networks_to_rounding(net, data):
    noise = data.draw(noises(net.n))
    law = predict(net, noise, method="gaussian_closure")
    assert max(identity.allowed for identity in assert_stationary(law, net, noise)) < 2e-8
    shift = 1e-6 * np.max(law.std)
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(replace(law, mean=law.mean + shift), net, noise)


@settings(max_examples=15)
@given(networks(1, activations=activations(lipschitz=True)), noises())
def test_exact_law_of_any_neuron_is_stationary(net, noise):
    """Two parts of the package that know nothing of each other: collocation, and quadrature of the step."""
    law = predict(net, noise, method="exact")
    if law.std[0] > 1e-6:
        assert_stationary(law, net, noise)


def test_input_is_passed_on():
    net = CTRNN([[0.5]], [0.1], "relu", W_in=[[1.0]])
    law = predict(net, Noise(inside=0.5), [0.7], method="exact")
    assert_stationary(law, net, Noise(inside=0.5), [0.7])
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(law, net, Noise(inside=0.5), [0.6])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.array([np.nan, 0.0])}, "mean and covariance must be finite"),
        ({"covariance": np.diag([1.0, -1.0])}, "without negative eigenvalues"),
        ({"covariance": np.array([[1.0, 0.5], [0.1, 1.0]])}, "must be symmetric"),
    ],
)
def test_what_is_no_law(change, message):
    net, noise = CTRNN(np.eye(2) / 2, 0.1, "tanh"), Noise(inside=0.3)
    with pytest.raises(AssertionError, match=message):
        assert_stationary(replace(predict(net, noise), **change), net, noise)


@pytest.mark.parametrize(
    ("law", "net", "noise", "message"),
    [
        (np.zeros((100, 2)), CTRNN.single(0.5), Noise(inside=1.0), r"states of shape \(M, 1\)"),
        (np.zeros((9, 1)), CTRNN.single(0.5), Noise(inside=1.0), "M at least 64"),
        (np.ones((99, 1)), CTRNN.single(0.5), Noise(), "noise must make the state fluctuate"),
        (np.ones((99, 1)), CTRNN.single(0.9999, 1.0, "identity"), Noise(inside=1.0), "net must relax within"),
    ],
)
def test_stationarity_refuses(law, net, noise, message):
    with pytest.raises(ValueError, match=message):
        assert_stationary(law, net, noise)


# Smoothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILTIN)
def test_smoothing_of_the_built_in_activations(name):
    assert assert_smoothing(name, activation(name).smoothed, tolerance=1e-12) < 1e-14


def density(z):
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


WRONG = {
    "relu without its density": ("relu", lambda a, s: a * ndtr(a / s), "quadrature of relu gives"),
    "relu with the variance": ("relu", lambda a, s: a * ndtr(a / s) + s * s * density(a / s), "quadrature"),
    "tanh by a probit": ("tanh", lambda a, s: math.tanh(a / math.sqrt(1 + math.pi / 2 * s * s)), "quadrature of tanh"),
    "off by 2e-10": ("sin", lambda a, s: math.exp(-s * s / 2) * math.sin(a) + 2e-10, "quadrature of sin gives"),
    "right but for small s": ("sin", lambda a, s: math.exp(-s * s / 2) * math.sin(a) if s > 0.01 else 0.0, "as s → 0"),
    "nan": ("erf", lambda a, s: math.nan, "is nan"),
}


@pytest.mark.parametrize(("name", "F", "message"), WRONG.values(), ids=WRONG)
def test_wrong_smoothing_fails(name, F, message):
    with pytest.raises(AssertionError, match=message):
        assert_smoothing(name, F)


def test_heat_equation_finds_what_the_points_do_not():
    """Right at the only point of the quadrature, by interpolation in a, and nowhere else."""
    wrong = lambda a, s: math.exp(-s * s / 2) * (math.sin(a) + (a - 0.5) * (s > 0.2))  # noqa: E731
    with pytest.raises(AssertionError, match="by the heat equation"):
        assert_smoothing("sin", lambda a, s: wrong(a, s) + 0.1 * (a - 0.5) ** 2 * (s > 0.2), points=[(0.5, 1.0)])


def test_at_a_jump_the_limit_is_the_mean_of_both_sides():
    assert_smoothing("step", lambda a, s: ndtr(a / s))
    with pytest.raises(AssertionError, match=r"as s → 0, where f is 0\.5"):
        assert_smoothing("step", lambda a, s: ndtr(a / s) if s > 0.01 else float(a > 0), points=[(0.0, 1.0)])
