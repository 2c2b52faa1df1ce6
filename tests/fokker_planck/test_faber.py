"""Faber series on ellipses, against the function itself, and bounds of numerical ranges, against eigenvalues."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.fokker_planck import faber
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import generator


def scheme(n, drift, diffusion, cells, fitted=False):
    grid = CellGrid(np.full(n, -2.0), np.full(n, 2.5), (cells,) * n)
    return generator(equation(drift, diffusion, n), grid, fitted=fitted)


def support_of(L):
    """Return the exact bounds in all directions."""
    turned = [np.exp(-1j * angle) * L for angle in faber.ANGLES]
    return np.array([np.linalg.eigvalsh(0.5 * (M + M.conj().T))[-1] for M in turned])


@given(seed=st.integers(0, 10**6), size=st.sampled_from([0.0, 0.1, 10.0, 1e3]), fitted=st.booleans())
def test_bounds_hold(seed, size, fitted):
    """They hold for any drift, and diffusions that vanish here and there and are correlated."""
    rng = np.random.default_rng(seed)
    values, F = size * rng.standard_normal((2, 400)), rng.standard_normal((400, 2, 2)) * (rng.random((400, 1, 1)) < 0.7)

    def of(table):
        return lambda x, y: tuple(row[(37 * np.abs(x) + 11 * np.abs(y)).astype(int) % 400] for row in table)

    B = np.einsum("mij,mkj->ikm", F, F)
    diffusion = [[of([B[i, j]]) for j in range(2)] for i in range(2)]
    entries = [[lambda x, y, f=f: f(x, y)[0] for f in row] for row in diffusion]
    of_it = scheme(2, of(values), entries, 7, fitted)
    exact, found = support_of(of_it.matrix.toarray()), faber.bounds(of_it)
    assert np.all(found >= exact - 1e-9 * np.abs(exact).max())


def test_bounds_are_tight():
    """For constant coefficients the numerical range is nearly the ellipse from -4 S to 0 of half height |a|."""
    of_it, width = scheme(1, 3.0, 0.8, 200), 4.5 / 200
    exact, found = support_of(of_it.matrix.toarray()), faber.bounds(of_it)
    upward, left = len(faber.SIDE), -1
    for direction, size in ((upward, 3.0 / width), (left, 4.0 * 0.4 / width**2)):
        assert found[direction] == pytest.approx(size, rel=0.01)
        assert exact[direction] == pytest.approx(size, rel=0.01)


def evaluated(series, z):
    """Return Σ c_k F_k(z) from F_k = wᵏ + (ratio/w)ᵏ, with z = centre + scale (w + ratio/w)."""
    s = (z - series.centre) / series.scale
    w = 0.5 * (s + np.sqrt(s * s - 4.0 * series.ratio + 0j))
    w = np.where(np.abs(w) < np.sqrt(abs(series.ratio)), series.ratio / w, w)
    k = np.arange(1, len(series.coefficients))[:, None]
    return series.coefficients[0] + series.coefficients[1:] @ (w**k + (series.ratio / w) ** k)


SHAPES = {  # semi-axes of numerical ranges
    "thin": (400.0, 3.0),
    "round": (50.0, 50.0),
    "tall": (2.0, 80.0),
    "slow": (1e-3, 1e-3),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-7])
def test_a_series_is_the_integral(shape, step, tolerance):
    a, b = SHAPES[shape]
    support = -a * np.cos(faber.ANGLES) + np.hypot(a * np.cos(faber.ANGLES), b * np.sin(faber.ANGLES))
    series = faber.integral_series(support, step, tolerance)
    inside = np.sqrt(np.linspace(0.0, 1.0, 8))[:, None] * np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 40))
    z = -a + a * inside.real.ravel() + 1j * b * inside.imag.ravel()
    z = z[np.abs(z) > 1e-9]

    def error(of):
        return np.abs(z * evaluated(of, z) - np.expm1(step * z)).max()

    assert error(series) < tolerance
    fewer = series.coefficients[: len(series.coefficients) // 3]
    if len(fewer) > 2:
        assert error(faber.Series(series.centre, series.scale, series.ratio, fewer)) > tolerance


def test_a_corner_lies_within_the_ellipse():
    """Where drift lacks diffusion the numerical range reaches far up the imaginary axis, beside a long real part."""
    box = np.maximum(0.0, -600.0 * np.cos(faber.ANGLES)) + 200.0 * np.sin(faber.ANGLES)
    for step in (0.01, 0.1, 1.0):
        series = faber.integral_series(box, step, 1e-6)
        x, y = series.scale * (1.0 + series.ratio), series.scale * (1.0 - series.ratio)
        assert ((0.0 - series.centre) / x) ** 2 + (200.0 / y) ** 2 <= 1.0 + 1e-9
        assert ((-600.0 - series.centre) / x) ** 2 + (200.0 / y) ** 2 <= 1.0 + 1e-9
        assert x + series.centre <= 1.01 * faber.MARGIN / step  # and the exponential grows little


def test_the_longest_step():
    support = np.linspace(2.0, 500.0, len(faber.ANGLES))
    assert faber.longest(support) == pytest.approx(faber.GROWTH / 2.0)
    assert faber.longest(1e6 * support) == pytest.approx(min(faber.GROWTH / 2e6, faber.STIFFEST / 5e8))
