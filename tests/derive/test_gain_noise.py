"""Gains and coloured noise under weak noise: exactly solvable neurons, limits, and a chain solved by quadrature."""

from fractions import Fraction
from functools import lru_cache
from math import factorial

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.derive import derivation
from ctrnn_theory.derive.expansion import terms
from ctrnn_theory.derive.hierarchy import numbers
from ctrnn_theory.derive.small_noise import describe, small_noise_bias, small_noise_third_cumulant, small_noise_variance

w, gamma, sigma, g, rho, a, f0, f1, f2 = sp.symbols("w gamma sigma g rho a f0 f1 f2")
L = 1 - w * f1
A = 1 - gamma * L
WHITE = gamma / (L * (2 - gamma * L))  # variance of h over that of the noise in f
QUANTITIES = ("bias", "variance", "third_cumulant")


def is_zero(expression):
    return sp.cancel(sp.together(expression)) == 0


# Formulas at order two ------------------------------------------------------------------------------------------


def test_a_gain_inside_widens_what_the_activation_sees():
    """S = g² a² + w² V: noise of σ = g a* to order two, in the variance and in the shift."""
    V = WHITE * f1**2 * g**2 * a**2
    assert is_zero(small_noise_variance(2, "inside", kind="multiplicative") - V)
    assert is_zero(small_noise_bias(2, "inside", kind="multiplicative") - f2 * (g**2 * a**2 + w**2 * V) / (2 * L))


def test_a_gain_outside_acts_through_the_variance_alone():
    V = WHITE * g**2 * f0**2
    assert is_zero(small_noise_variance(2, "outside", kind="multiplicative") - V)
    assert is_zero(small_noise_bias(2, "outside", kind="multiplicative") - f2 * w**2 * V / (2 * L))


def test_coloured_noise_inside():
    P = gamma * f1 * sigma**2 / (1 - rho * A)
    V = gamma**2 * f1**2 * sigma**2 * (1 + rho * A) / ((1 - A**2) * (1 - rho * A))
    S = sigma**2 + w**2 * V + 2 * w * rho * P
    assert is_zero(describe("covariance", 2, "inside", kind="coloured").explicit - P)
    assert is_zero(small_noise_variance(2, "inside", kind="coloured") - V)
    assert is_zero(small_noise_bias(2, "inside", kind="coloured") - f2 * S / (2 * L))


def test_coloured_noise_outside():
    V = gamma**2 * sigma**2 * (1 + rho * A) / ((1 - A**2) * (1 - rho * A))
    assert is_zero(describe("covariance", 2, "outside", kind="coloured").explicit - gamma * sigma**2 / (1 - rho * A))
    assert is_zero(small_noise_variance(2, "outside", kind="coloured") - V)
    assert is_zero(small_noise_bias(2, "outside", kind="coloured") - f2 * w**2 * V / (2 * L))


@pytest.mark.parametrize("kind", ["multiplicative", "coloured"])
@pytest.mark.parametrize("quantity", ["bias", "variance"])
def test_two_sites_add_up_at_order_two(quantity, kind):
    both = describe(quantity, 2, "both", kind=kind).explicit
    alone = []
    for site, ending in (("inside", "in"), ("outside", "out")):
        names = {sp.Symbol(name): sp.Symbol(f"{name}_{ending}") for name in ("sigma", "g", "rho")}
        alone.append(describe(quantity, 2, site, kind=kind).explicit.xreplace(names))
    assert is_zero(both - sum(alone))


# Limits of coloured noise ---------------------------------------------------------------------------------------


def test_without_correlation_coloured_noise_is_white():
    slopes = [Fraction(k, 7) for k in range(1, 7)]
    noise = (Fraction(2, 5), Fraction(3, 10), Fraction(1, 2), Fraction(2, 3))
    assert numbers(6, *noise, slopes, rho_in=Fraction(0), rho_out=Fraction(0)) == numbers(6, *noise, slopes)
    for site in ("inside", "outside"):
        for quantity in ("bias", "variance"):
            white = describe(quantity, 2, site).explicit
            assert is_zero(describe(quantity, 2, site, kind="coloured").at(rho=0) - white)


def quenched(slopes, w_, order):
    """Coefficients c_k of h(θ) = Σ c_k θᵏ, the solution of h = f(w h + b + θ) about the fixed point."""
    found = [Fraction(0)] * (order + 1)
    for degree in range(1, order + 1):  # the part in θ^degree of Σ_k f_k (w h + θ)ᵏ/k! with what is known of h
        moved = [w_ * c for c in found]
        moved[1] += 1
        power, total = [Fraction(1)] + [Fraction(0)] * order, Fraction(0)
        for k in range(1, order + 1):
            power = [sum(power[i] * moved[j - i] for i in range(j + 1)) for j in range(order + 1)]
            total += slopes[k - 1] * power[degree] / factorial(k)
        found[degree] = total / (1 - w_ * slopes[0])
    return found


@pytest.mark.parametrize("step", [Fraction(1, 10), Fraction(1)])
@pytest.mark.parametrize("order", [2, 4, 6])
def test_noise_that_never_changes_is_quenched(order, step):
    """ρ = 1: a law of noise-free neurons, each with an input θ ~ N(0, σ²) of its own, to any order, whatever γ."""
    slopes = [Fraction(k + 1, 7 + 3 * k) * (-1) ** (k // 2) for k in range(order)]
    coupling = Fraction(2, 5)
    c = quenched(slopes, coupling, order)
    odd = [Fraction(factorial(k), 2 ** (k // 2) * factorial(k // 2)) if k % 2 == 0 else Fraction(0) for k in range(99)]
    mean = [c[k] * odd[k] for k in range(2, order + 1, 2)]
    square = [sum(c[i] * c[k - i] for i in range(k + 1)) * odd[k] for k in range(2, order + 1, 2)]
    parts = numbers(order, coupling, step, Fraction(1), 0, slopes, rho_in=Fraction(1))
    assert parts["bias"] == mean
    outer = [sum(mean[i] * mean[k - 2 - i] for i in range(k - 1)) for k in range(1, order // 2 + 1)]
    assert parts["variance"] == [x - y for x, y in zip(square, outer, strict=True)]


def test_the_quenched_limit_at_order_two():
    bias = small_noise_bias(2, "inside", kind="coloured").subs(rho, 1)
    assert is_zero(bias - f2 * sigma**2 / (2 * L**3))
    assert is_zero(small_noise_variance(2, "inside", kind="coloured").subs(rho, 1) - (f1 * sigma / L) ** 2)
    assert is_zero(small_noise_variance(2, "outside", kind="coloured").subs(rho, 1) - (sigma / L) ** 2)


def test_continuous_time():
    """ρ = 1 - γ c, γ → 0: an Ornstein–Uhlenbeck process inside f, of correlation time τ/c."""
    c = sp.Symbol("c")
    V = f1**2 * sigma**2 / (L * (L + c))
    S = sigma**2 + w**2 * V + 2 * w * f1 * sigma**2 / (L + c)
    for quantity, expected in (("variance", V), ("bias", f2 * S / (2 * L))):
        found = sp.cancel(
            sp.together(describe(quantity, 2, "inside", kind="coloured").explicit.subs(rho, 1 - gamma * c))
        )
        assert is_zero(found.subs(gamma, 0) - expected)


@settings(max_examples=15, deadline=None)
@given(
    correlation=st.fractions(-1, 1, max_denominator=30),
    step=st.fractions(Fraction(1, 20), 1, max_denominator=20),
)
def test_a_linear_neuron_under_coloured_noise_is_solved_at_order_two(correlation, step):
    """Gaussian: nothing above σ² in the variance, no bias and no third cumulant."""
    slopes = [Fraction(3, 4), *[Fraction(0)] * 3]
    for sites in ({"rho_in": correlation}, {"rho_out": correlation}, {"rho_in": correlation, "rho_out": -correlation}):
        noise = (int("rho_in" in sites), int("rho_out" in sites))
        parts = numbers(4, Fraction(2, 5), step, *map(Fraction, noise), slopes, **sites)
        assert not any(parts["bias"] + parts["variance"][1:] + parts["third_cumulant"])


# Gains on a linear neuron: exact --------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["inside", "outside"])
@given(
    coupling=st.fractions(-1, 1, max_denominator=12),
    step=st.fractions(Fraction(1, 20), 1, max_denominator=20),
    height=st.fractions(-2, 2, max_denominator=9),
)
def test_a_linear_neuron_under_a_gain_is_the_series_of_its_variance(site, coupling, step, height):
    """h' = (1-γ) h + γ (w h + b)(1 + g ξ), d = 1: V (1 - A² - γ² g² w²) = γ² g² a*²."""
    slopes = [Fraction(1), *[Fraction(0)] * 5]
    if coupling == 1:
        return
    gain = {"gain_in": Fraction(1)} if site == "inside" else {"gain_out": Fraction(1)}
    parts = numbers(6, coupling, step, 0, 0, slopes, **gain, a=height, f0=height)
    kept = 1 - (1 - step * (1 - coupling)) ** 2
    expected = [step**2 * height**2 / kept * (step**2 * coupling**2 / kept) ** k for k in range(3)]
    assert parts["variance"] == expected
    assert not any(parts["bias"])


def test_without_recurrence_a_gain_inside_smooths_in_proportion():
    """E f(a (1 + g ξ)): g a in the place of σ, at every order."""
    for order in (2, 4):
        parts = terms("bias", order, "inside", "multiplicative"), terms("bias", order, "inside")
        for found, white in zip(*parts, strict=True):
            assert is_zero(found.subs(w, 0) - white.subs(w, 0).subs(sigma, g * a))


def test_without_recurrence_a_gain_outside_is_gaussian():
    assert small_noise_bias(4, "outside", kind="multiplicative").subs(w, 0) == 0
    assert small_noise_third_cumulant(4, "outside", kind="multiplicative").subs(w, 0) == 0
    found = describe("variance", 4, "outside", kind="multiplicative").at(w=0)
    assert is_zero(found - gamma * g**2 * f0**2 / (2 - gamma))


@pytest.mark.parametrize(("inside", "outside"), [("additive", "multiplicative"), ("coloured", "multiplicative")])
def test_the_printed_formula_is_the_numbers(inside, outside):
    for site, kind in (("inside", inside), ("outside", outside)):
        for place, quantity in enumerate(QUANTITIES):
            formula = describe(quantity, 4, site, kind=kind)
            values = {"w": 0.4, "gamma": 0.3, "a": 0.7, "f0": -0.6, "f1": 0.5, "f2": -0.3, "f3": 0.2, "f4": 0.8}
            values |= {"sigma": 0.3, "g": 0.3, "rho": 0.6}
            found = formula.lambdified(*values)(*values.values())
            names = {"additive": "sigma", "coloured": "sigma", "multiplicative": "gain"}
            noise = {f"{names[kind]}_{'in' if site == 'inside' else 'out'}": 0.3}
            if kind == "coloured":
                noise["rho_in"] = 0.6
            given_ = {"sigma_in": 0, "sigma_out": 0} | noise
            parts = numbers(
                4,
                0.4,
                0.3,
                given_.pop("sigma_in"),
                given_.pop("sigma_out"),
                [0.5, -0.3, 0.2, 0.8],
                **given_,
                a=0.7,
                f0=-0.6,
            )
            assert found == pytest.approx(sum(list(parts.values())[place]), rel=1e-11)


# The chain itself, by quadrature --------------------------------------------------------------------------------

TANH = sp.tanh(sp.Symbol("x"))


@lru_cache
def tanh_at(b, coupling):
    """Fixed point of h = tanh(w h + b), and f0, f1, ..., f6 there."""
    h = 0.0
    for _ in range(500):
        h = np.tanh(coupling * h + b)
    x = sp.Symbol("x")
    return h, [float(sp.diff(TANH, x, k).subs(x, coupling * h + b)) for k in range(7)]


def stationary(step, points, reach, centre):
    """Mean and variance of a chain h' = step(h, ξ...) by collocation at Chebyshev points.

    `step` returns next states (points, Q) and the weights (Q,) of the average over the noise.
    """
    t = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    images, weights = step(centre + reach * t)
    basis = np.polynomial.chebyshev.chebvander
    # rows: E T_k(h') - T_k(h) at the points; the law is the functional that annihilates them and sends 1 to 1
    moved = np.tensordot(basis((images - centre) / reach, points - 1), weights, (1, 0))
    operator = np.linalg.solve(basis(t, points - 1), moved)  # P T_k in the basis, column by column
    system = operator.T - np.eye(points)
    system[0] = np.eye(points)[0]
    law = np.linalg.solve(system, np.eye(points)[0])  # π(T_k)
    mean = reach * law[1]
    return mean, reach**2 * (law[2] + 1) / 2 - mean**2


def normal(count):
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def white_chain(size, gains, additive, coupling=0.6, b=0.4, gamma_=0.3):
    """Bias and variance of a tanh neuron under additive noise and gains at both sites, all of relative size `size`."""
    centre, _ = tanh_at(b, coupling)
    x, y = np.meshgrid(*(normal(16)[0],) * 2)
    weights = np.outer(normal(16)[1], normal(16)[1]).ravel()

    def step(h):
        at = (coupling * h + b)[:, None]
        inside = np.hypot(size * gains[0] * at, size * additive[0])
        f = np.tanh(at + inside * x.ravel())
        return (1 - gamma_) * h[:, None] + gamma_ * (
            f + np.hypot(size * gains[1] * f, size * additive[1]) * y.ravel()
        ), weights

    return stationary(step, 24, 3.0 * size, centre)


def coloured_chain(size, site, correlation, coupling=0.6, b=0.4, gamma_=0.3):
    """Bias and variance under coloured noise: collocation in h, Hermite polynomials in the noise."""
    centre, _ = tanh_at(b, coupling)
    points, modes = 18, 14
    reach = 4.0 * size
    t = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    z, weights = normal(20)
    inside, outside = (size, 0.0) if site == "inside" else (0.0, size)
    h = centre + reach * t
    # E g(h') given h and the fresh noise z'; E[He_j(z') | z] = ρ^j He_j(z), so that the noise needs no quadrature
    images = (1 - gamma_) * h[:, None] + gamma_ * (np.tanh((coupling * h + b)[:, None] + inside * z) + outside * z)
    chebyshev = np.polynomial.chebyshev.chebvander
    hermite = np.polynomial.hermite_e.hermevander(z, modes - 1) / np.sqrt([factorial(k) for k in range(modes)])
    moved = chebyshev((images - centre) / reach, points - 1)  # (h, z', k)
    moved = np.einsum("q,hqk,qm,qj->hjkm", weights, moved, hermite, hermite)  # onto He_j of z'
    moved = moved * (correlation ** np.arange(modes))[None, :, None, None]
    moved = np.linalg.solve(chebyshev(t, points - 1), moved.reshape(points, -1)).reshape(points * modes, -1)
    system = moved.T - np.eye(points * modes)
    system[0] = np.eye(points * modes)[0]
    law = np.linalg.solve(system, np.eye(points * modes)[0]).reshape(points, modes)[:, 0]
    mean = reach * law[1]
    return mean, reach**2 * (law[2] + 1) / 2 - mean**2


def errors(chain, order, **noise):
    """Errors of bias and variance at two sizes of the noise."""
    _, slopes = tanh_at(0.4, 0.6)
    h, _ = tanh_at(0.4, 0.6)
    found = []
    for size in (0.1, 0.05):
        strengths = {k: size * v for k, v in noise.items() if not k.startswith("rho")}
        given_ = {"sigma_in": 0, "sigma_out": 0} | strengths | {k: v for k, v in noise.items() if k.startswith("rho")}
        parts = numbers(
            order,
            0.6,
            0.3,
            given_.pop("sigma_in"),
            given_.pop("sigma_out"),
            slopes[1 : order + 1],
            **given_,
            a=0.6 * h + 0.4,
            f0=slopes[0],
        )
        found.append([abs(sum(parts[q]) - x) for q, x in zip(("bias", "variance"), chain(size), strict=True)])
    return np.array(found)


CHAINS = {
    "a gain inside": (lambda s: white_chain(s, (1, 0), (0, 0)), {"gain_in": 1.0}),
    "a gain outside": (lambda s: white_chain(s, (0, 1), (0, 0)), {"gain_out": 1.0}),
    "gains and additive noise": (
        lambda s: white_chain(s, (1, 0.7), (0.5, 0.8)),
        {"gain_in": 1.0, "gain_out": 0.7, "sigma_in": 0.5, "sigma_out": 0.8},
    ),
    "coloured inside": (lambda s: coloured_chain(s, "inside", 0.7), {"sigma_in": 1.0, "rho_in": 0.7}),
    "alternating inside": (lambda s: coloured_chain(s, "inside", -0.6), {"sigma_in": 1.0, "rho_in": -0.6}),
    "coloured outside": (lambda s: coloured_chain(s, "outside", 0.8), {"sigma_out": 1.0, "rho_out": 0.8}),
}


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("name", CHAINS)
def test_the_error_falls_with_the_next_power(name, order):
    """Halving the noise divides the error by 2^(order + 2) at least, as far as the next order allows."""
    chain, noise = CHAINS[name]
    first, second = errors(chain, order, **noise)
    falls = np.log2(first / second)
    assert np.all(falls > order + 1.6), falls
    assert np.all(second > 1e-13)  # the error, and not rounding


def test_another_correlation_is_seen():
    """The control: with a correlation that is wrong by 0.05 the error falls as σ² alone."""
    chain, _ = CHAINS["coloured inside"]
    first, second = errors(chain, 2, sigma_in=1.0, rho_in=0.75)
    assert np.all(np.log2(first / second) < 2.2)


@pytest.mark.parametrize("keep", [0.9, 0.999])
def test_dropout_is_a_gain_up_to_the_order_of_the_step(keep):
    """Its cumulants of all orders are as large as g² = (1-p)/p, so that the error is of order γ, however small g is."""
    centre, slopes = tanh_at(0.4, 0.6)
    values, weights = np.array([1.0 / keep, 0.0]), np.array([keep, 1.0 - keep])
    middle, ratios = 0.5 / keep, []
    for leak in (0.2, 0.1, 0.05):

        def step(h, leak=leak):
            f = np.tanh(0.6 * h + 0.4)[:, None]
            return (1 - leak) * h[:, None] + leak * f * values, weights

        shift, variance = stationary(step, 60, 0.51 / keep, middle)
        parts = numbers(2, 0.6, leak, 0, 0, slopes[1:3], gain_out=np.sqrt((1 - keep) / keep), f0=slopes[0])
        ratios.append([(shift + middle - centre) / parts["bias"][0] - 1, variance / parts["variance"][0] - 1])
    np.testing.assert_allclose(np.log2(np.divide(ratios[:-1], ratios[1:])), 1.0, atol=0.1)
    assert np.all(np.array(ratios[0]) > 0.01)


# Printing and bad input -----------------------------------------------------------------------------------------


def test_printing():
    text = derivation("gain_bias", 2, "inside").text()
    assert text.startswith("delta = a**2*f2*g**2*(1 + f1**2*gamma*w**2/(L*P2))/(2*L) + O(g⁴)")
    assert "multiplicative noise inside the activation, 1 + g ξ the factor of the pre-activation in a step" in text
    assert "a is a* = w h* + b, and f0, f1, f2" in text
    assert "A = 1 - q" in derivation("coloured_variance", 2, "inside").text()
    assert "tanh" in derivation("gain_bias", 2, "outside", "tanh").text()


@pytest.mark.parametrize("limit", [{"gamma": 0}, {"gamma": 1}, {"w": 0}, {"f1": 0}, {"rho": 0}, {"rho": 1}])
@pytest.mark.parametrize("kind", ["multiplicative", "coloured"])
def test_every_limit_needs_no_cancelling(kind, limit):
    for site in ("inside", "outside"):
        for quantity in ("bias", "variance"):
            if kind == "multiplicative" or limit != {"rho": 1, "gamma": 0}:
                assert not describe(quantity, 2, site, kind=kind).at(**limit).has(sp.nan, sp.zoo, sp.oo)


def test_bad_arguments():
    with pytest.raises(ValueError, match="kind must be one of additive, multiplicative, coloured; got 'pink'"):
        small_noise_bias(2, kind="pink")
    with pytest.raises(ValueError, match="quantity must be one of bias, variance, third_cumulant; got 'covariance'"):
        describe("covariance", 2)
    with pytest.raises(ValueError, match="quantity must be one of"):
        describe("covariance", 2, "both", kind="coloured")
