"""Steps in time: order, conservation, and that the limiter keeps densities positive."""

import numpy as np
import pytest
import scipy.sparse.linalg
from scipy.sparse.linalg import expm_multiply

from ctrnn_theory.fokker_planck import stepping
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.stepping import Stepper

WELL = {
    1: ("x - x**3", "0.3 + x**2/10"),
    2: (["y - x", "x - 2*y - y**3"], ["0.5", "0.3 + x**2/10"]),
    3: (["y - x", "z - 2*y", "-z - x"], ["0.5", "0.3 + x**2/10", "0.4"]),
}
CORRELATED = (["y - x", "x - 2*y"], [[0.5, 0.45], [0.45, 0.5]])


def stepper(drift, diffusion, n, cells):
    return Stepper(generator(equation(drift, diffusion, n), CellGrid(np.full(n, -2.5), np.full(n, 2.5), (cells,) * n)))


def bump(grid, centre=0.6, width=0.5):
    p = np.exp(-0.5 * ((grid.points - centre) ** 2).sum(axis=1) / width**2)
    return p / p.sum()


def one_cell(grid):
    p = np.zeros(grid.size)
    p[np.ravel_multi_index([k // 2 for k in grid.cells], grid.cells)] = 1.0
    return p


@pytest.mark.parametrize("n", [1, 2])
def test_third_order(n):
    """The error of a smooth density after a time of one half falls with the third power of the step."""
    of = stepper(*WELL[n], n, {1: 40, 2: 16}[n])
    start = bump(of.scheme.grid)
    exact = expm_multiply(0.5 * of.matrix, start)
    counts, errors = np.array([32, 64, 128]), []
    for count in counts:
        p = start
        for _ in range(count):
            p, estimate = of.step(p, 0.5 / count)
        errors.append(np.abs(p - exact).sum())
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(3.0, abs=0.4)
    one, estimate = of.step(start, 0.5 / 32)
    assert np.abs(one - expm_multiply(0.5 / 32 * of.matrix, start)).sum() < estimate  # it is of order two, and so above


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("size", [1e-4, 1e-2, 0.1, 1.0, 100.0])
def test_mass_and_sign(n, size):
    """Steps of any length from one cell, where extrapolation overshoots most, keep p positive."""
    of = stepper(*WELL[n], n, {1: 80, 2: 16, 3: 8}[n])
    p = one_cell(of.scheme.grid)
    for _ in range(3):
        p, _ = of.step(p, size)
        assert np.all(p >= 0.0)
        assert p.sum() == pytest.approx(1.0, abs=1e-12)


def test_without_the_limiter_it_would_be_negative(monkeypatch):
    of = stepper(*WELL[1], 1, 80)
    monkeypatch.setattr(of, "_limited", lambda low, through: low + of.scheme.divergence @ through)
    lowest = [of.step(one_cell(of.scheme.grid), size)[0].min() for size in (0.01, 0.03, 0.1, 0.3)]
    assert min(lowest) < -1e-5


def test_the_limiter_leaves_what_is_positive_alone(monkeypatch):
    of = stepper(*WELL[2], 2, 16)
    start = np.full(of.scheme.grid.size, 1.0 / of.scheme.grid.size)
    limited, _ = of.step(start, 0.01)
    monkeypatch.setattr(of, "_limited", lambda low, through: low + of.scheme.divergence @ through)
    np.testing.assert_allclose(limited, of.step(start, 0.01)[0], rtol=0.0, atol=1e-16)


def test_correlated_noise_conserves_mass():
    of = stepper(*CORRELATED, 2, 16)
    assert not of.scheme.monotone
    p = bump(of.scheme.grid)
    for size in (1e-3, 0.1, 10.0):
        assert of.step(p, size)[0].sum() == pytest.approx(1.0, abs=1e-12)


def test_long_steps_end_at_the_stationary_density():
    of = stepper(*WELL[2], 2, 16)
    p = one_cell(of.scheme.grid)
    for _ in range(4):
        p, error = of.step(p, 1e6)
    assert error < 1e-9
    assert np.abs(of.matrix @ p).max() < 1e-7  # rounding of 1 - Δ L, of the size 1e8, times rates of 30


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-7])
def test_a_tolerance_is_met(tolerance):
    """A path from one cell with a first step that is far too long ends closer than the tolerance of a step."""
    of = stepper(*WELL[1], 1, 40)
    start = one_cell(of.scheme.grid)
    p, step = of.advance(start, 0.7, 10.0, tolerance)
    assert np.abs(p - expm_multiply(0.7 * of.matrix, start)).sum() < tolerance
    assert 0.0 < step <= 1.4
    again, _ = of.advance(start, 0.7, 1e-3, tolerance)  # and with one that is too short
    assert np.abs(again - p).sum() < 2.0 * tolerance
    assert len(of.solvers) <= stepping.KEPT


def test_a_tolerance_out_of_reach():
    of = stepper(*WELL[1], 1, 20)
    with pytest.raises(ValueError, match=r"^tolerance must be within reach of a step in time; got 1e-30$"):
        of.advance(one_cell(of.scheme.grid), 1.0, 0.1, 1e-30)


def test_iteration_and_factors_agree(monkeypatch):
    iterated, factored = stepper(*WELL[3], 3, 8), stepper(*WELL[3], 3, 8)
    p = bump(iterated.scheme.grid)
    first = iterated.step(p, 0.3)
    monkeypatch.setattr(stepping, "_iterative", lambda M: stepping.factors(M, True).solve)
    second = factored.step(p, 0.3)
    np.testing.assert_allclose(first[0], second[0], rtol=0.0, atol=1e-10)
    assert first[1] == pytest.approx(second[1], rel=1e-6)


def test_a_solver_that_fails_shortens_the_step(monkeypatch):
    of = stepper(*WELL[3], 3, 8)
    solve, calls = scipy.sparse.linalg.gmres, []

    def failing(*arguments, **options):
        calls.append(1)
        return solve(*arguments, **options) if len(calls) > 1 else (arguments[1], 1)

    monkeypatch.setattr(scipy.sparse.linalg, "gmres", failing)
    p, _ = of.advance(bump(of.scheme.grid), 0.1, 0.1, 1.0)
    assert np.all(p >= 0.0)
    assert len(calls) > 7  # six solves are a step: the first one was thrown away
