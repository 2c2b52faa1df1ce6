"""Steps in time: the exponential, conservation, and that limited fluxes keep densities positive."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import expm_multiply

from ctrnn_theory.fokker_planck import faber, stepping
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.null_vector import null_vector
from ctrnn_theory.fokker_planck.stepping import Stepper

WELL = {
    1: ("x - x**3", "0.3 + x**2/10"),
    2: (["y - x", "x - 2*y - y**3"], ["0.5", "0.3 + x**2/10"]),
    3: (["y - x", "z - 2*y", "-z - x"], ["0.5", "0.3 + x**2/10", "0.4"]),
}
CORRELATED = (["y - x", "x - 2*y"], [[0.5, 0.45], [0.45, 0.5]])
SHARP = (lambda x: np.clip(-25.0 * x, -1.0, 1.0), lambda x: np.where(np.abs(x) < 0.1, 1e-3, 0.0))
"""Drift with kinks; diffusion that vanishes over most of the domain."""


def stepper(drift, diffusion, n, cells, tolerance=1e-6, fitted=False):
    grid = CellGrid(np.full(n, -2.5), np.full(n, 2.5), (cells,) * n)
    return Stepper(generator(equation(drift, diffusion, n), grid, fitted=fitted), tolerance)


def bump(grid, centre=0.6, width=0.5):
    p = np.exp(-0.5 * ((grid.points - centre) ** 2).sum(axis=1) / width**2)
    return p / p.sum()


def one_cell(grid):
    p = np.zeros(grid.size)
    p[np.ravel_multi_index([k // 2 for k in grid.cells], grid.cells)] = 1.0
    return p


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-8])
def test_a_step_is_the_exponential(n, tolerance):
    """Within the tolerance, from a smooth density and from one cell, over short times and long ones."""
    of = stepper(*WELL[n], n, {1: 40, 2: 16, 3: 8}[n], tolerance)
    for start in (bump(of.scheme.grid), one_cell(of.scheme.grid)):
        for duration in (1e-3, 0.1, 3.0):
            exact = expm_multiply(duration * of.matrix, start)
            assert np.abs(of.advance(start, duration) - exact).sum() < tolerance
    assert len(of.series) <= stepping.KEPT


def test_a_third_of_the_series_is_not_enough(monkeypatch):
    whole = stepping.integral_series

    def third(*arguments):
        of = whole(*arguments)
        return faber.Series(of.centre, of.scale, of.ratio, of.coefficients[: len(of.coefficients) // 3])

    monkeypatch.setattr(stepping, "integral_series", third)
    of = stepper(*WELL[1], 1, 40)
    start = one_cell(of.scheme.grid)
    assert np.abs(of.advance(start, 0.1) - expm_multiply(0.1 * of.matrix, start)).sum() > 10.0 * of.tolerance


@pytest.mark.parametrize("duration", [0.01, 0.3, 4.0])
def test_drift_without_diffusion(duration):
    """The numerical range has corners there, which all directions must find."""
    of = stepper(*SHARP, 1, 256)
    start = bump(of.scheme.grid, 1.0, 0.03)
    exact = scipy.linalg.expm(duration * of.matrix.toarray()) @ start
    assert np.abs(of.advance(start, duration) - exact).sum() < 1e-5 * np.abs(exact).sum()


def test_bounds_in_few_directions_would_not_do(monkeypatch):
    monkeypatch.setattr(stepping, "bounds", lambda scheme: 0.3 * faber.bounds(scheme))
    of = stepper(*SHARP, 1, 256)
    with np.errstate(all="ignore"):
        far = of.advance(bump(of.scheme.grid, 1.0, 0.03), 4.0)
    assert not np.abs(far).sum() < 100.0


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("size", [1e-4, 1e-2, 0.1, 1.0, 100.0])
def test_mass_and_sign(n, size):
    """Steps of any length from one cell conserve mass, and keep p positive where that is asked for."""
    of = stepper(*WELL[n], n, {1: 80, 2: 16, 3: 8}[n])
    p = q = one_cell(of.scheme.grid)
    for _ in range(3):
        p = of.advance(p, size)
        q = of.positive(p, q, size)
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        assert q.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.all(q >= 0.0)


@given(
    seed=st.integers(0, 10**6),
    noise=st.sampled_from([0.0, 1e-6, 1e-3, 0.1, 10.0]),
    size=st.sampled_from([1e-3, 0.1, 1.0]),
    correlation=st.sampled_from([0.0, 0.5, 0.95]),
)
def test_mass_and_sign_for_any_equation(seed, noise, size, correlation):
    rng = np.random.default_rng(seed)
    W, phase = rng.normal(size=(2, 2)), rng.uniform(0.0, 6.0, size=2)
    B = noise * np.array([[1.0, correlation], [correlation, 1.0]])
    of = stepper(lambda x, y: tuple(np.sin(phase[i] + W[i, 0] * x + W[i, 1] * y) for i in (0, 1)), B.tolist(), 2, 12)
    q = rng.random(of.scheme.grid.size) * (rng.random(of.scheme.grid.size) < 0.1)
    q = p = (q + 1e-9) / (q + 1e-9).sum()
    for _ in range(2):
        p = of.advance(p, size)
        q = of.positive(p, q, size)
        assert p.sum() == pytest.approx(1.0, abs=1e-11 * max(1.0, np.abs(p).sum()))
        assert q.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.all(q >= 0.0)


def test_without_the_limiter_it_would_be_negative():
    """Drift carries a density that is narrower than a cell; limited fluxes also widen it less than fitted ones."""
    drift, diffusion = "1", "0.002"
    of, fitted = stepper(drift, diffusion, 1, 100), stepper(drift, diffusion, 1, 100, fitted=True)
    grid = of.scheme.grid
    start = bump(grid, -0.5, 0.05)
    p, mean = of.advance(start, 1.0), grid.axes[0]
    q = of.positive(p, start, 1.0)
    assert p.min() < -1e-2 * p.max()
    exact = bump(grid, 0.5, np.sqrt(0.05**2 + 0.002))
    off = [np.abs(each - exact).sum() for each in (q, fitted.advance(start, 1.0))]
    assert off[0] < 0.7 * off[1]
    assert mean @ p == pytest.approx(0.5, abs=1e-9)
    assert (mean - 0.5) ** 2 @ p == pytest.approx(0.05**2 + 0.002, abs=1e-9)  # the solution itself has exact moments


def test_the_limiter_leaves_what_is_positive_alone(monkeypatch):
    of = stepper(*WELL[2], 2, 16)
    start = np.full(of.scheme.grid.size, 1.0 / of.scheme.grid.size)
    p = of.advance(start, 0.01)
    np.testing.assert_allclose(of.positive(p, start, 0.01), p, rtol=1e-14)
    monkeypatch.setattr(of, "tolerance", -1.0)  # limited although nothing is negative
    np.testing.assert_allclose(of.positive(p, start, 0.01), p, rtol=0.0, atol=1e-12)


def test_correlated_noise_conserves_mass():
    of = stepper(*CORRELATED, 2, 16)
    assert not of.scheme.monotone
    p = bump(of.scheme.grid)
    for size in (1e-3, 0.1, 10.0):
        assert of.advance(p, size).sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("fitted", [True, False])
def test_long_steps_end_at_the_stationary_density(fitted):
    of = stepper(*WELL[2], 2, 16, fitted=fitted)
    p = of.advance(one_cell(of.scheme.grid), 1e6)
    still, _ = null_vector(of.scheme)
    np.testing.assert_allclose(p, still, rtol=0.0, atol=1e-8)
    np.testing.assert_array_equal(of.advance(p, 1e-3), p)  # and then stay there, at no cost


def test_full_matrices_and_polynomials_agree(monkeypatch):
    of = stepper(*WELL[1], 1, 40)
    start = one_cell(of.scheme.grid)
    monkeypatch.setattr(stepping, "STILL", 0.0)
    monkeypatch.setattr(stepping, "FAR", 10**9)
    by_polynomials = of.advance(start, 30.0)
    assert of.full is None
    monkeypatch.setattr(stepping, "FAR", 2)
    np.testing.assert_allclose(of.advance(start, 30.0), by_polynomials, rtol=0.0, atol=1e-7)
    assert of.full is not None
