from functools import cache

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Chebyshev, Polynomial

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.derive.preference import describe, preferred_noise
from ctrnn_theory.derive.small_noise import small_noise_bias, small_noise_variance

SIGMA, SIGMA_T, R = sp.symbols("sigma sigma_t r")


def neuron(name, w, b, gamma):
    """Network, and what its formulas depend on."""
    net = CTRNN.single(w=w, b=b, activation=name, gamma=gamma)
    h = predict(net, Noise(), method="deterministic").mean[0]
    values = {f"f{k}": net.activation.derivative(w * h + b, k) for k in range(1, 5)}
    return net, {"w": w, "gamma": gamma, **values}


def number(expression, values):
    names, function = compiled(expression)
    return float(function(*(values[name] for name in names)))


@cache
def compiled(expression):
    names = sorted(str(symbol) for symbol in expression.free_symbols)
    return names, sp.lambdify(names, expression, cse=True)


def coefficients(site, values):
    """κ, κ_4, v, v_4."""
    found = describe("loss", site, 4).definitions
    return [number(found[name], values) for name in ("kappa", "kappa_4", "v", "v_4")]


@cache
def best_by_the_exact_law(name, gamma):
    """σ_t² = 2.5 σ_c² of a neuron, and σ_pref² from its exact bias and variance, interpolated between 0 and σ_t²."""
    net, values = neuron(name, -1.0, 0.4, gamma)
    trained = 2.5 * number(preferred_noise("critical"), values) ** 2
    nodes = trained * (1.05 + np.cos(np.pi * (np.arange(6) + 0.5) / 6)) / 2
    laws = [predict(net, Noise(inside=np.sqrt(x)), method="exact", tolerance=1e-12) for x in nodes]
    domain = [0.02 * trained, 1.03 * trained]
    mean = Chebyshev.fit(nodes, [law.mean[0] for law in laws], 5, domain=domain)
    variance = Chebyshev.fit(nodes, [law.covariance[0, 0] for law in laws], 5, domain=domain)
    slope = 2 * (mean - mean(trained)) * mean.deriv() + variance.deriv()
    roots = slope.roots()
    real = roots.real[(abs(roots.imag) < 1e-9) & (roots.real > domain[0]) & (roots.real < trained)]
    assert len(real) == 1
    return trained, real[0], values


@pytest.mark.parametrize(("order", "expected"), [(2, 2.0), (4, 3.0)])
@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_level_against_the_exact_law(name, order, expected):
    # σ_t² in proportion to γ: then σ_pref² is of order γ, and the error is of order γ² and γ³
    level, errors = preferred_noise("level", "inside", order), []
    gammas = np.array([0.008, 0.004, 0.002])
    for gamma in gammas:
        trained, best, values = best_by_the_exact_law(name, gamma)
        predicted = number(level, values | {"sigma_t": np.sqrt(trained)}) ** 2
        errors.append(abs(predicted - best))
    assert np.polyfit(np.log(gammas), np.log(errors), 1)[0] == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("order", [2, 4])
def test_loss_is_that_of_the_expansions(site, order):
    _, values = neuron("softplus", -0.7, 0.2, 0.2)
    point = values | {"sigma": 0.31, "sigma_t": 0.77, "r": 1.7}
    bias, trained = (number(small_noise_bias(order, site), point | {"sigma": x}) for x in (0.31, 0.77))
    expected = 1.7**2 * ((bias - trained) ** 2 + number(small_noise_variance(order, site), point))
    assert number(preferred_noise("loss", site, order), point) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_level_is_where_the_loss_is_least(site):
    loss, level = (describe(quantity, site).expression for quantity in ("loss", "level"))
    slope = sp.diff(loss, SIGMA) / SIGMA
    inside = level.args[0].args[1] if level.args[0].args[0] == 0 else level.args[0].args[0]
    assert sp.simplify(slope.subs(SIGMA, sp.sqrt(inside))) == 0
    critical = describe("critical", site).expression
    assert sp.simplify(inside.subs(SIGMA_T, critical)) == 0
    assert level.subs({SIGMA_T: 0, "K": 1, "nu": 1}) == 0  # never below zero


@settings(max_examples=20)
@given(w=st.floats(-1, 0.5), b=st.floats(0.2, 1), gamma=st.floats(0.001, 0.02), factor=st.floats(1.5, 4))
def test_fourth_order_level_is_nearer_the_minimum_of_the_fourth_order_loss(w, b, gamma, factor):
    _, values = neuron("softplus", w, b, gamma)
    trained = factor * number(preferred_noise("critical"), values) ** 2
    values |= {"sigma_t": np.sqrt(trained)}
    kappa, kappa_4, v, v_4 = coefficients("inside", values)
    moved = Polynomial([-kappa * trained - kappa_4 * trained**2, kappa, kappa_4])
    roots = (2 * moved * moved.deriv() + Polynomial([v, 2 * v_4])).roots()
    real = roots.real[abs(roots.imag) < 1e-12]
    levels = [number(preferred_noise("level", "inside", order), values) ** 2 for order in (2, 4)]
    least = real[np.argmin(abs(real - levels[0]))]
    assert abs(levels[1] - least) < abs(levels[0] - least)


def test_critical_level_of_fourth_order_is_where_the_level_starts():
    _, values = neuron("tanh", -0.6, 0.6, 0.01)
    start = number(preferred_noise("critical", "inside", 4), values)
    second = number(preferred_noise("critical", "inside", 2), values)
    kappa, kappa_4, v, _ = coefficients("inside", values)
    roots = np.roots([2 * kappa * kappa_4, 2 * kappa**2, -v])  # L'(0) = -2 κ (κ T + κ_4 T²) + v = 0
    exact = np.sqrt(min(roots.real[roots.real > 0]))
    assert abs(start - exact) < 0.1 * abs(second - exact)


def test_only_noise_inside_has_a_critical_level_within_reach():
    gamma = sp.Symbol("gamma")
    inside, outside = (preferred_noise("critical", site) ** 2 for site in ("inside", "outside"))
    values = {"w": -1, "f1": sp.Rational(1, 2), "f2": sp.Rational(1, 4)}
    assert sp.limit((inside / gamma).subs(values), gamma, 0, "+") == 6  # (f1² (1 - w f1)/f2²)
    assert sp.limit((outside * gamma).subs(values), gamma, 0, "+") == 216  # 4 (1 - w f1)³/f2²
    assert "no preference" in describe("critical", "outside").text()


def test_readout_weight_cancels():
    _, values = neuron("softplus", -0.7, 0.2, 0.01)
    for quantity in ("level", "critical"):
        for order in (2, 4):
            one, other = (
                number(describe(quantity, "inside", order).explicit, values | {"sigma_t": 0.7, "r": x})
                for x in (1.0, 3.0)
            )
            assert one == pytest.approx(other, rel=1e-12)
            assert one > 0


def test_it_refuses():
    with pytest.raises(ValueError, match=r"quantity must be one of level, critical, loss, K, nu; got 'kappa'"):
        preferred_noise("kappa")
    with pytest.raises(ValueError, match=r"order must be 2 or 4; got 6"):
        preferred_noise(order=6)
