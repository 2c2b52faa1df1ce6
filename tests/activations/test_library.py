"""The built-in activations against their definitions in NumPy and SciPy, written independently."""

import numpy as np
import pytest
from scipy import special, stats

from ctrnn_theory.activations import BUILTIN, activation

DEFINITIONS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * stats.norm.cdf(x),
    "silu": lambda x: x * special.expit(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "retanh": lambda x: np.tanh(np.maximum(x, 0)),
    "erf": special.erf,
    "probit": special.ndtr,
    "sin": np.sin,
    "step": lambda x: np.heaviside(x, 0.5),
}
KINKS = {
    "relu": [(0, 0, 1)],
    "leaky_relu": [(0, 0, 0.99)],
    "hardtanh": [(-1, 0, 1), (1, 0, -1)],
    "retanh": [(0, 0, 1)],
    "step": [(0, 1, 0)],
}
WRITTEN_OTHERWISE = {
    "identity": ["x", "2*x - x", "Max(x, x)"],
    "relu": ["Max(x, 0)", "max(0, x)", "(x + Abs(x))/2", "x*Heaviside(x)", "Piecewise((x, x > 0), (0, True))"],
    "leaky_relu": ["Piecewise((0.01*x, x < 0), (x, True))", "Max(0.01*x, x)"],
    "relu2": ["relu(x)**2", "x**2*(1 + sign(x))/2"],
    "elu": ["Max(x, 0) + exp(Min(x, 0)) - 1"],
    "gelu": ["x*(1 + erf(x/sqrt(2)))/2", "x*probit(x)"],
    "silu": ["x*sigmoid(x)", "x*exp(x)/(1 + exp(x))"],
    "softplus": ["log(1 + exp(x))", "x + log(1 + exp(-x))"],
    "sigmoid": ["1/(1 + exp(-x))", "exp(x)/(exp(x) + 1)", "(1 + tanh(x/2))/2"],
    "tanh": ["(exp(x) - exp(-x))/(exp(x) + exp(-x))", "sinh(x)/cosh(x)", "1 - 2/(1 + exp(2*x))"],
    "hardtanh": ["Min(1, Max(-1, x))", "(Abs(x + 1) - Abs(x - 1))/2"],
    "retanh": ["tanh(relu(x))"],
    "erf": ["1 - erfc(x)"],
    "probit": ["(1 + erf(x/sqrt(2)))/2"],
    "sin": ["-sin(-x)"],
    "step": ["(1 + sign(x))/2", "Piecewise((0, x < 0), (1, True))"],
}


def test_the_list():
    assert set(DEFINITIONS) == set(BUILTIN) == set(WRITTEN_OTHERWISE)
    assert all(one.text and one.about for one in BUILTIN.values())


@pytest.mark.parametrize("name", BUILTIN)
def test_definition(name):
    at = np.concatenate([np.linspace(-35, 35, 1401), [0.0, -1e-12, 1e-12]])
    # SciPy's ndtr and expit are good to a few units in the last place, its ndtr at -35 to 1e-14
    np.testing.assert_allclose(activation(name)(at), DEFINITIONS[name](at), rtol=2e-14, atol=1e-300)


@pytest.mark.parametrize("name", BUILTIN)
def test_kinks(name):
    np.testing.assert_allclose(
        np.reshape(activation(name).kinks, (-1, 3)), np.reshape(KINKS.get(name, []), (-1, 3)), rtol=1e-15
    )


@pytest.mark.parametrize("name", BUILTIN)
def test_named_by_itself(name):
    act = activation(name)
    assert act.text == act.name == name
    assert activation(f"{name}(x)") is act
    assert activation(act.expression) is act


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in WRITTEN_OTHERWISE.items() for text in texts]
)
def test_recognised(name, text):
    assert activation(text) == activation(name)


@pytest.mark.parametrize("text", ["tanh(1.0000000001*x)", "relu(x) + 1e-12*x", "Max(0, x - 1e-12)", "relu(x - 50)"])
def test_close_is_not_equal(text):
    assert activation(text).text not in BUILTIN
