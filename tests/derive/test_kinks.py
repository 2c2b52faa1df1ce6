from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, activation, predict
from ctrnn_theory.derive import kinks, symbols
from ctrnn_theory.derive.kink_values import kink_bias_value
from ctrnn_theory.derive.small_noise import small_noise_bias

DISTANCES = np.linspace(-6.0, 6.0, 13)
INSIDE = {(-1.0, 0.05): 5e-6, (-1.0, 0.3): 2.5e-3, (0.5, 0.05): 3e-6, (0.5, 0.3): 7e-4}
OUTSIDE = {(-1.0, 0.05): 4e-3, (-1.0, 0.3): 0.1, (0.5, 0.05): 1e-3, (0.5, 0.3): 0.03}


def exact_bias(name, a, w, gamma, sigma, site):
    act = activation(name)
    net = CTRNN.single(w=w, b=a - w * act(a), activation=name, gamma=gamma)
    noise = Noise(inside=sigma) if site == "inside" else Noise(outside=sigma)
    return predict(net, noise, method="exact", start=[act(a)], tolerance=1e-12).mean[0] - act(a)


def largest_error(w, gamma, site, distances=DISTANCES):
    """Relative, of relu at σ = 1, where the bias is above 1e-6 of the noise; distances in units of the noise."""
    unit = 1.0 if site == "inside" else abs(w) * np.sqrt(gamma / 2)
    exact = np.array([exact_bias("relu", z * unit, w, gamma, 1.0, site) for z in distances])
    value = np.array([kink_bias_value("relu", z * unit, w, gamma, 1.0, site) for z in distances])
    shown = abs(exact) > 1e-6 * unit
    assert shown.sum() > len(distances) / 2
    return np.max(abs(value / exact - 1)[shown])


def order_in_gamma(error, gammas):
    return np.polyfit(np.log(gammas), np.log([error(gamma) for gamma in gammas]), 1)[0]


@pytest.mark.parametrize(("w", "gamma"), INSIDE)
def test_noise_inside_against_the_exact_law(w, gamma):
    assert largest_error(w, gamma, "inside") < INSIDE[w, gamma]


@pytest.mark.parametrize(("w", "gamma"), OUTSIDE)
def test_noise_outside_against_the_exact_law(w, gamma):
    assert largest_error(w, gamma, "outside") < OUTSIDE[w, gamma]


@pytest.mark.parametrize("w", [-1.0, 0.5])
@pytest.mark.parametrize(
    ("site", "expected", "gammas"), [("inside", 3.0, [0.1, 0.05, 0.025]), ("outside", 2.0, [0.1, 0.05, 0.025])]
)
def test_order_in_gamma(w, site, expected, gammas):
    for z in (0.0, 1.0):
        slope = order_in_gamma(lambda gamma: largest_error(w, gamma, site, np.array([z])), gammas)  # noqa: B023
        assert slope > expected - 0.3, z


@settings(max_examples=60)
@given(z=st.floats(-8, 8), sigma=st.floats(0.01, 3), gamma=st.floats(0.05, 1))
def test_without_recurrence_it_is_the_smoothing_to_rounding(z, sigma, gamma):
    with mp.workdps(40):
        u = -abs(mp.mpf(z * sigma) / mp.mpf(sigma))
        psi = float(sigma * (mp.npdf(u) + u * mp.ncdf(u)))
    assert kink_bias_value("relu", z * sigma, 0.0, gamma, sigma) == pytest.approx(psi, rel=1e-12)
    assert kink_bias_value("relu", z * sigma, 0.0, gamma, sigma, "outside") == 0.0


@settings(max_examples=40)
@given(
    y=st.floats(-2, 2),
    s=st.floats(0.3, 2),
    d=st.floats(-1, 1),
    jump=st.floats(0.2, 2),
)
def test_moments_of_two_lines(y, s, d, jump):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    panels = list(pairwise(sorted({0.0, *(y + s * np.linspace(-9, 9, 10))})))
    at = np.concatenate([(low + high) / 2 + (high - low) / 2 * nodes for low, high in panels])
    w = np.concatenate([(high - low) / 2 * weights for low, high in panels])

    def mean(g, shift=0.0):
        return np.sum(w * g(at) * np.exp(-(((at - y - shift) / s) ** 2) / 2)) / (s * np.sqrt(2 * np.pi))

    def lines(x):
        return d * x + jump * np.maximum(x, 0)

    def variance(shift=0.0):
        return mean(lambda x: (lines(x) - mean(lines, shift)) ** 2, shift)

    def slope(order):  # by Hermite polynomials: E g He_n(ξ)/sⁿ
        xi = (at - y) / s
        hermite = {1: xi, 2: xi**2 - 1, 3: xi**3 - 3 * xi}[order]
        return mean(lambda x: lines(x) * hermite) / s**order

    found = moments(y, s, d, jump)
    step = 1e-3
    expected = {
        "F1": slope(1),
        "F2": slope(2),
        "F3": slope(3),
        "C": variance(),
        "C1": (8 * (variance(step) - variance(-step)) - (variance(2 * step) - variance(-2 * step))) / (12 * step),
        "C3": mean(lambda x: (lines(x) - mean(lines)) ** 3),
        "excess": mean(lambda x: np.maximum(x, 0)) - max(y, 0),
        "excess_2": (mean(lambda x: np.maximum(x, 0) ** 2) - max(y, 0) ** 2 - s**2 * np.heaviside(y, 0.5)) / 2,
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-8, abs=1e-9), name


def moments(y, s, d, jump):
    symbols = (kinks.y, kinks.s, kinks.d, kinks.Delta)
    values = {}
    for name, value in kinks.line_moments().items():
        for short in ("P", "Q", "p", "z"):
            value = value.subs(sp.Symbol(short), kinks.NORMAL[short])
        values[name] = float(sp.lambdify(symbols, value)(y, s, d, jump))
    return values


@pytest.mark.parametrize("w", [-1.5, -0.5, 0.3, 0.7])
def test_noise_outside_is_the_mean_of_two_gaussian_halves(w):
    # the density itself, integrated; it jumps at the kink as 2 - γ λ does
    d, jump, gamma, sigma = 0.2, 0.7, 0.3, 0.8
    formula = sp.lambdify(
        (kinks.A, kinks.w, kinks.gamma, kinks.sigma, kinks.d, kinks.Delta), kinks.kink_bias("inner", "outside")
    )
    rate = {side: 1 - w * (d + jump * (side > 0)) for side in (-1, 1)}
    unit = abs(w) * sigma * np.sqrt(gamma)
    nodes, weights = np.polynomial.legendre.leggauss(300)
    for A in np.array([-1.5, -0.2, 0.0, 0.4, 1.3]) * unit:
        pull = rate[1 if A >= 0 else -1] * A
        mass = first = 0.0
        for side in (-1, 1):
            variance = unit**2 / (rate[side] * (2 - gamma * rate[side]))
            reach = 14 * np.sqrt(variance) + abs(A)
            y = side * reach * (1 + nodes) / 2
            centre = pull / rate[side]
            density = (2 - gamma * rate[side]) * np.exp((centre**2 - (y - centre) ** 2) / (2 * variance))
            mass += np.sum(weights * density) * reach
            first += np.sum(weights * density * y) * reach
        assert formula(A, w, gamma, sigma, d, jump) == pytest.approx((first / mass - A) / w, rel=1e-10)


def test_drift_and_jump_of_the_halves_are_those_of_the_modified_diffusion():
    # zero flux, g̃ p = (D̃ p)'/2, to first order in γ on a side, where g = -λ y
    lam, gamma, D, y = sp.symbols("lambda gamma D y", positive=True)
    drift = -lam * y - gamma * lam**2 * y / 2
    diffusion = D * (1 + gamma * lam)
    density = sp.exp(-(y**2) * lam * (2 - gamma * lam) / (2 * D))
    flux = sp.simplify((drift * density - sp.diff(diffusion * density, y) / 2) / density)
    assert sp.series(flux, gamma, 0, 2).removeO().simplify() == 0
    # at the kink D̃ p jumps by the delta function in g̃, -γ D g''/4: p by the factor 1 + γ (g'₊ - g'₋)/2
    left, right = sp.symbols("lambda_L lambda_R", positive=True)
    of_flux = sp.exp(-gamma * (left - right) / 2) * (1 + gamma * left) / (1 + gamma * right)
    of_weights = (2 - gamma * right) / (2 - gamma * left)
    assert sp.simplify(sp.series(of_flux - of_weights, gamma, 0, 2).removeO()) == 0


@pytest.mark.parametrize("w", [-2.0, 0.6])
@pytest.mark.parametrize(("site", "expected"), [("inside", 2.0), ("outside", 2.5)])
def test_scaling_of_relu_at_zero(w, site, expected):
    beta = float(sp.nsolve(kinks.describe("scaling", "inside").definitions["beta"].subs(chain()).subs("w", w), 0.5))
    formula = kinks.kink_bias("scaling", site)

    def error(gamma):
        value = float(formula.subs({"w": w, "gamma": gamma, "sigma": 0.7, "beta": beta}))
        return abs(value - exact_bias("relu", 0.0, w, gamma, 0.7, site))

    assert order_in_gamma(error, [0.08, 0.04, 0.02]) == pytest.approx(expected, abs=0.3)
    if site == "inside":
        assert formula.subs({"gamma": 0, "sigma": 1}) == kinks.beta
        formula = kinks.sigma * kinks.beta + 1.1 * (formula - kinks.sigma * kinks.beta)  # wrong by a tenth of γ
        assert order_in_gamma(error, [0.08, 0.04, 0.02]) < 1.5


def chain():
    return {name: kinks.NORMAL[name].subs(kinks.z, kinks.w * kinks.beta) for name in ("P", "p")} | {
        "z": kinks.w * kinks.beta
    }


@settings(max_examples=30)
@given(
    a=st.floats(-2, 2),
    w=st.floats(-1.5, 0.7),
    gamma=st.floats(0.05, 0.8),
    scale=st.floats(0.1, 10),
    site=st.sampled_from(["inside", "outside"]),
)
def test_bias_scales_with_the_noise_and_reflects(a, w, gamma, scale, site):
    one = kink_bias_value("relu", a, w, gamma, 1.0, site)
    assert kink_bias_value("relu", scale * a, w, gamma, scale, site) == pytest.approx(scale * one, rel=1e-9, abs=1e-13)
    assert kink_bias_value("Min(0, x)", -a, w, gamma, 1.0, site) == pytest.approx(-one, rel=1e-9, abs=1e-13)
    if w < 0:
        assert one > 0


@settings(max_examples=30)
@given(
    a=st.floats(-1, 1),
    w=st.floats(-1.5, 0.4),
    gamma=st.floats(0.05, 0.4),
    k=st.sampled_from([-2.0, 0.5, 3.0]),
    site=st.sampled_from(["inside", "outside"]),
)
def test_the_kink_may_be_anywhere_and_the_slopes_any(a, w, gamma, k, site):
    # a slope common to both sides is that of another neuron: w d h moves to the left-hand side
    def value(f, at):
        return kink_bias_value(f, at, w, gamma, 0.5, site)

    here = value("Max(x/2, 3*x/2)", a)
    assert value(f"Max((x - ({k}))/2, 3*(x - ({k}))/2)", k + a) == pytest.approx(here, rel=1e-7, abs=1e-12)
    assert value(f"Max((x - ({k}))/2, 3*(x - ({k}))/2) + 7", k + a) == pytest.approx(here, rel=1e-7, abs=1e-12)
    assert value("Min(x/2, 3*x/2)", -a) == pytest.approx(-here, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("site", "bound"), [("inside", 1e-3), ("outside", 1e-2)])
@pytest.mark.parametrize(("f", "w"), [("Max(x/2, 3*x/2)", 0.4), ("Max(-x/2, x)", -0.6), ("Min(x/4, x)", 0.7)])
def test_other_slopes_against_the_exact_law(f, w, site, bound):
    for a in (-0.1, 0.0, 0.07):
        assert kink_bias_value(f, a, w, 0.1, 0.2, site) == pytest.approx(exact_bias(f, a, w, 0.1, 0.2, site), rel=bound)


@pytest.mark.parametrize("a", [-1e3, -40.0, 40.0, 1e3])
def test_nothing_overflows_far_away(a):
    for w in (-9.0, -1.0, 0.9):
        assert kink_bias_value("relu", a, w, 0.1, 1.0, "outside") == pytest.approx(0.0, abs=1e-12)
    for w in (2e-156, -1e-200, 5e-324):
        assert kink_bias_value("Max(x/2, 3*x/2)", a, w, 0.25, 0.5, "outside") == 0.0
    # the far side is pulled back weakly, the near one strongly: 25 and 4 standard deviations
    assert 0.0 < kink_bias_value("Max(0, x)", 9.0, -15.0, 0.1, 1.0, "outside") < 1.0


@pytest.mark.parametrize("f", ["elu", "retanh", "Max(0, x) + log(1 + exp(x))/2", "Max(x + x**2/4, exp(x) - 1)"])
def test_uniform_in_the_distance_to_third_order_in_sigma(f):
    # w = 0, where only the smooth part and the blocks are left
    act, sigmas = activation(f), np.array([0.08, 0.04, 0.02])
    worst = []
    for sigma in sigmas:
        a = sigma * np.linspace(-5, 5, 21)
        value = [kink_bias_value(f, x, 0.0, 0.1, sigma) for x in a]
        worst.append(np.max(abs(value - (act.smoothed(a, sigma) - act(a)))))
    assert np.polyfit(np.log(sigmas), np.log(worst), 1)[0] > 2.8


@pytest.mark.parametrize("w", [-1.0, 0.4])
def test_curvature_with_recurrence(w):
    # elu: a jump of f'' alone; γ ~ σ², so that σ³ is all that is left
    sigmas, worst = np.array([0.2, 0.1, 0.05]), []
    for sigma in sigmas:
        pairs = [
            (kink_bias_value("elu", x, w, sigma**2, sigma), exact_bias("elu", x, w, sigma**2, sigma, "inside"))
            for x in sigma * np.array([-2.0, -0.5, 0.0, 1.0])
        ]
        worst.append(max(abs(value - exact) for value, exact in pairs))
    assert np.polyfit(np.log(sigmas), np.log(worst), 1)[0] > 2.7


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_far_from_the_kink_it_is_the_outer_solution(site):
    f, sigma, w, gamma, a = "Max(0, x) + log(1 + exp(x))/2", 0.01, -0.8, 0.3, 0.7
    act = activation(f)
    values = {"w": w, "gamma": gamma, "sigma": sigma, "f1": act.derivative(a), "f2": act.derivative(a, 2)}
    outer = float(kinks.kink_bias("outer", site).subs(values))
    assert kink_bias_value(f, a, w, gamma, sigma, site) == pytest.approx(outer, rel=100 * sigma**2)
    assert kinks.kink_bias("outer", site) == small_noise_bias(2, site)


@pytest.mark.parametrize(("left", "jump"), [(sp.Integer(0), sp.Integer(1)), (-sp.Rational(1, 5), sp.Rational(17, 10))])
def test_inner_equations_hold_at_the_composite_of_two_lines(left, jump):
    inner, composite = (kinks.describe(part, "inside") for part in ("inner", "composite"))
    slopes = {kinks.d: left, kinks.Delta: jump}
    lines = {kinks.slope(kinks.x): left + jump * sp.Heaviside(kinks.y), kinks.bend(kinks.x): 0, kinks.J: 0, **slopes}
    lines |= {  # x = a + w δ, y = A + w δ
        kinks.f(kinks.x): left * (kinks.A + symbols.w * kinks.delta) + jump * sp.Max(kinks.y, 0),
        kinks.f(kinks.a): left * kinks.A + jump * sp.Max(kinks.A, 0),
    }
    assert sp.expand(composite.expression.rhs.subs(lines) - inner.expression.rhs.subs(slopes)) == 0
    for name in ("V", "kappa_3", "R"):
        difference = composite.definitions[name].subs(lines), inner.definitions[name].subs(slopes)
        sides = [side.rhs if isinstance(side, sp.Equality) else side for side in difference]
        assert sp.simplify(sides[0] - sides[1]) == 0


def test_it_prints():
    for part in ("inner", "outer", "composite", "scaling"):
        for site in ("inside", "outside"):
            derivation = kinks.describe(part, site)
            assert derivation.text().startswith("delta = ")
            assert r"\delta" in derivation.latex()
            assert derivation.assumptions
    assert "kappa_3 = " in kinks.describe("inner").text()


def test_it_refuses():
    with pytest.raises(ValueError, match=r"part must be one of inner, outer, composite, scaling; got 'both'"):
        kinks.kink_bias("both")
    with pytest.raises(ValueError, match=r'site must be "inside" or "outside"; got \'left\''):
        kinks.kink_bias("inner", "left")
    with pytest.raises(ValueError, match=r'site must be "inside" or "outside"; got \'left\''):
        kink_bias_value("relu", 0.0, 0.5, 0.1, 1.0, "left")
    with pytest.raises(ValueError, match=r"sigma must be positive; got 0"):
        kink_bias_value("relu", 0.0, 0.5, 0.1, 0.0)
    with pytest.raises(ValueError, match="f must be continuous at the kink nearest to a; got 'step', which jumps at 0"):
        kink_bias_value("step", 0.1, 0.5, 0.1, 1.0)
    with pytest.raises(ValueError, match="w must leave the fixed point stable"):
        kink_bias_value("relu", 3.0, 1.5, 0.1, 1.0)
    assert kink_bias_value("Max(-x, x)", -1.0, 0.9, 0.1, 1.0, "outside") > 0.0
    with pytest.raises(ValueError, match="w must pull the state back on either side of the kink"):
        kink_bias_value("Max(3*x, x)", -1.0, -7.0, 0.1, 1.0, "outside")
    with pytest.raises(ValueError, match="w must pull the state back on either side of the kink"):
        kink_bias_value("relu", -1.0, 1.5, 0.1, 1.0, "outside")


def test_the_composite_outside_is_the_layer_plus_the_smooth_part():
    at = {"w": 0.4, "gamma": 0.1, "sigma": 0.3, "A": 0.05, "d": 0.2, "Delta": 0.7, "f1": 0.9, "f2": 0.5}
    composite, inner = (float(kinks.describe(part, "outside").at(**at)) for part in ("composite", "inner"))
    smooth = float(small_noise_bias(2, "outside").subs(at))
    assert min(abs(inner), abs(smooth)) > 1e-5
    assert composite == pytest.approx(inner + smooth, rel=1e-12)


@pytest.mark.parametrize("a", [-1.02, -0.97, 0.97, 1.02])
@pytest.mark.parametrize(("site", "bound"), [("inside", 1e-4), ("outside", 1e-2)])
def test_of_two_kinks_the_nearer_one_counts(a, site, bound):
    value, exact = kink_bias_value("hardtanh", a, 0.4, 0.1, 0.05, site), exact_bias("hardtanh", a, 0.4, 0.1, 0.05, site)
    assert value == pytest.approx(exact, rel=bound, abs=1e-6 * 0.05)
