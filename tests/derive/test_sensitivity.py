import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.derive.sensitivity import METHODS, PARAMETERS, SMOOTHED, C_a, C_aa, F_a, describe, sensitivity
from ctrnn_theory.derive.sensitivity import C as C_symbol
from ctrnn_theory.derive.sensitivity import sensitivity_value as value
from ctrnn_theory.derive.smoothing import a, expectation, s, x

STEP = 1e-3


def law(name, method, sigma_out, w, b, gamma, sigma):
    net = CTRNN.single(w=w, b=b, activation=name, gamma=gamma)
    options = {"tolerance": 1e-13} if method == "gaussian_closure" else {}
    h = predict(net, Noise(), method="deterministic").mean[0]
    found = predict(net, Noise(inside=sigma, outside=sigma_out), method=method, **options)
    return {"h": h, "m": found.mean[0], "V": found.covariance[0, 0]}


def finite_difference(name, parameter, method, sigma_out, neuron):
    """Return the derivative of the bias by three central differences: the error is of order STEP⁶."""

    def bias(steps):
        found = law(name, method, sigma_out, **(neuron | {parameter: neuron[parameter] + steps * STEP}))
        return found["m"] - found["h"]

    slopes = [(bias(k) - bias(-k)) / (2 * k * STEP) for k in (1, 2, 3)]
    return 1.5 * slopes[0] - 0.6 * slopes[1] + 0.1 * slopes[2]


@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["softplus", "relu", "tanh", "hardtanh"])
def test_it_is_the_slope_of_the_bias(name, method, parameter):
    sigma_out = 0.4 if method == "gaussian_closure" else 0.0
    for w in (-0.8, 0.4):
        neuron = {"w": w, "b": 0.3, "gamma": 0.3, "sigma": 0.6}
        found = law(name, method, sigma_out, **neuron)
        slope = value(name, parameter, method, **neuron, **found, sigma_out=sigma_out)
        assert slope == pytest.approx(finite_difference(name, parameter, method, sigma_out, neuron), abs=1e-9)


def test_a_wrong_formula_is_not():
    neuron = {"w": -0.8, "b": 0.3, "gamma": 0.3, "sigma": 0.6}
    found = law("relu", "gaussian_closure", 0.0, **neuron)
    slope = value("relu", "sigma", "gaussian_closure", **neuron, **(found | {"V": 1.01 * found["V"]}))
    assert abs(slope - finite_difference("relu", "sigma", "gaussian_closure", 0.0, neuron)) > 1e-5


@settings(max_examples=15)
@given(
    w=st.floats(-2, 0.8),
    b=st.floats(-1, 1),
    sigma=st.floats(0.1, 1.5),
    gamma=st.floats(0.1, 1.0),
    parameter=st.sampled_from(["w", "b", "sigma"]),
)
def test_mean_field_anywhere(w, b, sigma, gamma, parameter):
    neuron = {"w": w, "b": b, "gamma": gamma, "sigma": sigma}
    if gamma * (1 - w) > 1.8:  # the noise-free step is not stable
        return
    slope = value("softplus", parameter, **neuron, **law("softplus", "mean_field", 0.0, **neuron))
    expected = finite_difference("softplus", parameter, "mean_field", 0.0, neuron)
    assert slope == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("f", "lower"), [(x, 0), (x**2 + x, -sp.oo), (sp.exp(x / 3), -sp.oo)])
def test_heat_equation_of_the_variance(f, lower):
    F = expectation(f, lower)
    C = expectation(sp.expand(f**2), lower) - F**2
    in_q = sp.diff(C, s) / (2 * s)
    rule = SMOOTHED[C_symbol][1].subs({C_aa: sp.diff(C, a, 2), F_a: sp.diff(F, a)})
    assert sp.simplify(in_q - rule) == 0
    assert SMOOTHED[C_symbol][0] == C_a


def test_special_cases():
    assert sensitivity("gamma") == 0
    assert sensitivity("gamma", "gaussian_closure").subs("w", 0) == 0
    for parameter in ("w", "b", "sigma"):  # without recurrence the mean does not feel the variance
        both = [sensitivity(parameter, method).subs("w", 0) for method in METHODS]
        assert sp.simplify(both[0] - both[1]) == 0
    small = sensitivity("sigma", "gaussian_closure").subs({"V": 0, "gamma": sp.Symbol("gamma", positive=True)})
    assert sp.simplify(sp.limit(small, sp.Symbol("gamma", positive=True), 0) - sensitivity("sigma")) == 0


def test_it_prints_and_refuses():
    assert describe("w", "gaussian_closure").text().startswith("dbias/dw = ")
    assert "F_{aa}" in describe("sigma").latex()
    with pytest.raises(ValueError, match=r"parameter must be one of w, b, sigma, gamma; got 'h'"):
        sensitivity("h")
    with pytest.raises(ValueError, match=r'method must be "mean_field" or "gaussian_closure"; got \'exact\''):
        sensitivity("w", "exact")
    assert np.isfinite(value("relu", "w", w=0.5, b=0.1, gamma=0.1, sigma=0.5, h=0.2, m=0.37))
