"""All ways of writing a drift and a diffusion give the same functions; anything else raises a clear error."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.special import erf

from ctrnn_theory.fokker_planck.equation import equation

POINTS = np.random.default_rng(0).normal(size=(7, 3))
X, Y, Z = POINTS.T
TIME = 0.7
x, y, t = sp.symbols("x y t")

DRIFTS = [  # ways to write A = (y - x, 2)
    ["y - x", 2],
    ["y - x", "2"],
    (y - x, sp.Integer(2)),
    np.array(["y - x", "2"]),
    [lambda x, y: y - x, lambda *h: 2.0],
    lambda x, y: (y - x, 2),
    lambda x, y: [y - x, np.full_like(x, 2.0)],
    lambda x, y: np.stack([y - x, 2.0 + 0.0 * x]),
    lambda *h: (h[1] - h[0], 2.0),
    lambda x, y, k=2: (y - x, k),
]


@pytest.mark.parametrize("drift", DRIFTS)
def test_spellings_of_a_drift(drift):
    found = equation(drift, 1, 2)
    assert found.steady
    np.testing.assert_allclose(found.drift(POINTS[:, :2], TIME), np.stack([Y - X, np.full(7, 2.0)], axis=1), rtol=1e-15)


DIFFUSIONS = [  # shape of B, and B; all but the last are 1 + x² for both coordinates
    (2, "1 + x**2"),
    (2, 1 + x**2),
    (2, lambda x, y: 1 + x**2),
    (2, ["1 + x**2", 1 + x**2]),
    (2, lambda x, y: (1 + x**2, 1 + x**2)),
    (3, [["1 + x**2", 0], [0, lambda x, y: 1 + x**2]]),
    (3, lambda x, y: ((1 + x**2, 0), (0, 1 + x**2))),
    (3, lambda x, y: (1 + x**2) * np.eye(2)[:, :, None]),
    (3, lambda x, y: [np.stack([1 + x**2, 0 * x]), np.stack([0 * x, 1 + x**2])]),
]


@pytest.mark.parametrize(("ndim", "diffusion"), DIFFUSIONS)
def test_spellings_of_a_diffusion(ndim, diffusion):
    B = equation([0, 0], diffusion, 2).diffusion(POINTS[:, :2], TIME)
    assert B.ndim == ndim
    np.testing.assert_allclose(B, (1 + X**2)[:, None, None] * np.eye(2) if ndim == 3 else np.tile(1 + X**2, (2, 1)).T)


@pytest.mark.parametrize("matrix", [[[2.0, 0.5], [0.5, 1.0]], np.array([[2.0, 0.5], [0.5, 1.0]])])
def test_a_constant_matrix(matrix):
    for diffusion in (matrix, lambda x, y: matrix):
        B = equation([0, 0], diffusion, 2).diffusion(POINTS[:, :2], TIME)
        np.testing.assert_array_equal(B, np.tile(matrix, (7, 1, 1)))


def test_rows_and_columns_are_told_apart():
    found = equation(lambda x, y, z: (y, z, x), lambda x, y, z: (1, 1 + x**2, 1 + z**2), 3)
    np.testing.assert_array_equal(found.drift(POINTS, 0.0), np.stack([Y, Z, X], axis=1))
    np.testing.assert_array_equal(found.diffusion(POINTS, 0.0), np.stack([np.ones(7), 1 + X**2, 1 + Z**2], axis=1))


@pytest.mark.parametrize("drift", ["-x", -x, lambda x: -x, ["-x"], lambda x: [-x], [lambda x: -x], np.negative])
@pytest.mark.parametrize(
    "diffusion", [0.5, np.array(0.5), [0.5], [[0.5]], lambda x: 0.5, lambda x: np.full((1, 7), 0.5)]
)
def test_one_dimension(drift, diffusion):
    found = equation(drift, diffusion, 1)
    np.testing.assert_array_equal(found.drift(POINTS[:, :1], 0.0), -POINTS[:, :1])
    np.testing.assert_array_equal(found.diffusion(POINTS[:, :1], 0.0).ravel(), np.full(7, 0.5))


def test_functions_of_text():
    found = equation("erf(x) + Max(x, 0) + Piecewise((1, x < 0), (exp(-x), True)) + tanh(x)", 1, 1)
    exact = erf(X) + np.maximum(X, 0.0) + np.where(X < 0.0, 1.0, np.exp(-X)) + np.tanh(X)
    np.testing.assert_allclose(found.drift(POINTS[:, :1], 0.0)[:, 0], exact, rtol=1e-14)


@pytest.mark.parametrize("drift", ["x*sin(t)", x * sp.sin(t), lambda x, t: x * np.sin(t), [lambda x, t: x * np.sin(t)]])
def test_time(drift):
    found = equation(drift, 1, 1)
    assert not found.steady
    np.testing.assert_allclose(found.drift(POINTS[:, :1], TIME), np.sin(TIME) * POINTS[:, :1], rtol=1e-15)
    assert not equation(["-x", "-y"], [1, "1 + t**2"], 2).steady
    assert not equation(lambda x, y: (x, y), lambda x, y, t: 1 + t**2, 2).steady


@pytest.mark.parametrize(
    ("drift", "diffusion", "message"),
    [
        ("-x", 1, r"drift must have entries of shape \(2,\) for 2 coordinates; got \(\)"),
        (["-x"], 1, r"drift must have entries of shape \(2,\) for 2 coordinates; got \(1,\)"),
        ([1, 2, 3], 1, r"drift must have entries of shape \(2,\) for 2 coordinates; got \(3,\)"),
        (None, 1, r"drift must have entries of shape \(2,\)"),
        ([1, [2]], 1, r"drift must have rows of equal length; got \[1, \[2\]\]"),
        ([1, None], 1, "drift must be made of numbers, expressions or functions of the coordinates; got None"),
        ([1, 1], True, "diffusion must be made of numbers, expressions or functions of the coordinates; got True"),
        (
            [1, 1],
            [[1, 0]],
            r"diffusion must have entries of shape \(\) or \(2,\) or \(2, 2\) for 2 coordinates; got \(1, 2\)",
        ),
        ([1, "z"], 1, "drift must be an expression in x, y, t: it must use known names only"),
        ([1, "y +"], 1, "drift must be an expression in x, y, t: it "),
        ([1, sp.Symbol("q") * x], 1, "drift must be an expression in x, y, t; got q"),
        ([1, lambda x: x], 1, "drift must be a function of 2 coordinates, or of them and the time; got "),
    ],
)
def test_refused(drift, diffusion, message):
    with pytest.raises(ValueError, match="^" + message):
        equation(drift, diffusion, 2)


@pytest.mark.parametrize(
    ("drift", "diffusion", "message"),
    [
        (lambda x, y: x, 1, r"drift must return 2 values for 2 coordinates, each real and a number or of shape \(M,\)"),
        (lambda x, y: (x, y, x), 1, "drift must return 2 values"),
        (lambda x, y: ((x, y), (y, x)), 1, "drift must return 2 values"),
        (lambda x, y: (x, y[:3]), 1, "drift must return 2 values"),
        ([lambda x, y: y[:3], 1], 1, "drift must return 2 values"),
        (lambda x, y: None, 1, "drift must return 2 values"),
        ([1, np.nan], 1, r"drift must be finite in the domain; at \(1.5, 2\) it is not"),
        (["log(-x)", 1], 1, r"drift must be finite in the domain; at \(1.5, 2\) it is not"),
        ([0, 0], ["y", -1], r"diffusion must be positive semi-definite; at \(1.5, 2\) an eigenvalue is -1"),
        ([0, 0], [[1, 2], [2, 1]], r"diffusion must be positive semi-definite; at \(1.5, 2\) an eigenvalue is -1"),
        ([0, 0], [[1, 0.1], [0, 1]], r"diffusion must be symmetric; at \(1.5, 2\) it is not"),
    ],
)
def test_refused_when_evaluated(drift, diffusion, message):
    found = equation(drift, diffusion, 2)
    at = np.tile([1.5, 2.0], (7, 1))
    with pytest.raises(ValueError, match="^" + message):
        (found.drift(at, 0.0), found.diffusion(at, 0.0))


def test_a_matrix_singular_to_rounding_is_taken():
    root = np.array([[0.1], [0.7]])
    equation([0, 0], (root @ root.T).tolist(), 2).diffusion(POINTS[:, :2], 0.0)


def test_sympy_matrices_complex_values_and_scalar_functions():
    x, y = sp.symbols("x y")
    field = equation(sp.Matrix([-x, x - y]), sp.Matrix([[1, 0], [0, 2]]), 2)
    at = np.array([[1.0, 3.0]])
    np.testing.assert_array_equal(field.drift(at, 0.0), [[-1.0, -2.0]])
    np.testing.assert_array_equal(field.diffusion(at, 0.0), [[[1.0, 0.0], [0.0, 2.0]]])
    with pytest.raises(ValueError, match="each real and a number"):
        equation(lambda x: -x + 1j, 1.0, 1).drift(np.ones((3, 1)), 0.0)
    with pytest.raises(ValueError, match="drift must be a function of arrays"):
        equation(math.sin, 1.0, 1).drift(np.ones((3, 1)), 0.0)
    with pytest.raises(ValueError, match=r"unknown|known names only") as refused:
        equation("foo(x)", 1.0, 1)
    assert "activations" not in str(refused.value)
