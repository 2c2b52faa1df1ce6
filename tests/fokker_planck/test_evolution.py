"""Densities in time, against the linear equations for the mean and the covariance, and stationary densities."""

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm, solve_continuous_lyapunov

from ctrnn_theory.fokker_planck import Density, evolution, evolve, solve
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.evolution import Gaussian, start_mass

W = {1: np.array([[-1.0]]), 2: np.array([[-1.0, 0.5], [-0.7, -1.3]]), 3: -np.eye(3) + 0.3 * np.eye(3)[[1, 2, 0]]}
B = {1: np.array([[0.4]]), 2: np.array([[0.4, 0.1], [0.1, 0.3]]), 3: np.diag([0.4, 0.3, 0.3])}
CELLS = {1: 128, 2: 48, 3: 24}
TIMES = [0.0, 0.2, 0.7, 2.0]


def linear(W):
    return lambda *h: tuple(sum(W[i, j] * h[j] for j in range(len(W))) for i in range(len(W)))


def moments(n, mean, V, times):
    """Return the mean e^{Wt} m and the covariance P + e^{Wt} (V - P) e^{Wᵀt} of dX = W X dt + √B dW."""
    P = solve_continuous_lyapunov(W[n], -B[n])
    flows = [expm(W[n] * (t - times[0])) for t in times]
    return np.array([E @ mean for E in flows]), np.array([P + E @ (V - P) @ E.T for E in flows])


def check(path, means, covariances, after=0):
    """The error is below that of the grid plus that of the steps; densities are positive and have mass one."""
    for density in path.densities:
        assert density.mass == pytest.approx(1.0, abs=1e-12)
        assert density.values.min() >= -1e-3 * density.values.max()
    std = np.sqrt(covariances[-1].max())
    assert np.abs(path.mean - means).max() <= path.error[0] + 1e-4 * std
    assert np.abs(path.covariance - covariances)[after:].max() <= path.error[1] + 3e-4 * std**2
    assert path.error[1] < 0.4 * std**2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_from_a_point(n):
    state = np.array([0.8, -0.5, 0.3])[:n] + 0.01
    drift = linear(W[n]) if n > 1 else "-x"
    times = TIMES if n < 3 else [0.0, 0.7]
    path = evolve(drift, B[n].tolist(), [(-3, 3)] * n, state, times, cells=CELLS[n], border=1e-3)
    means, covariances = moments(n, state, np.zeros((n, n)), times)
    np.testing.assert_array_equal(path.time, times)
    np.testing.assert_allclose(path.mean[0], state, atol=1e-12)
    np.testing.assert_allclose(
        path.covariance[0], 0.0, atol=1e-12
    )  # extrapolation removes the variance over three cells
    check(path, means, covariances, after=1)
    if n != 2:
        assert min(density.values.min() for density in path.densities) >= 0.0


STARTS = {
    "function": lambda x, y: np.exp(-((x - 0.5) ** 2) / 0.18 - (y + 0.3) ** 2 / 0.5),
    "text": "exp(-(x - 1/2)**2/0.18 - (y + 3/10)**2/0.5)",
    "symbols": sp.exp(-((sp.Symbol("x") - 0.5) ** 2) / 0.18 - (sp.Symbol("y") + 0.3) ** 2 / 0.5),
    "gaussian": Gaussian(np.array([0.5, -0.3]), np.diag([0.09, 0.25])),
}


@pytest.mark.parametrize("name", STARTS)
def test_from_a_gaussian(name):
    path = evolve(linear(W[2]), B[2].tolist(), [(-3, 3)] * 2, STARTS[name], TIMES, cells=48, border=1e-3)
    check(path, *moments(2, np.array([0.5, -0.3]), np.diag([0.09, 0.25]), TIMES))


def test_a_narrow_gaussian_falls_between_no_cells():
    """The first density is a tenth of a cell wide, or has no variance along one line."""
    narrow = Gaussian(np.array([0.513, -0.291]), 0.01**2 * np.ones((2, 2)))
    path = evolve(linear(W[2]), B[2].tolist(), [(-3, 3)] * 2, narrow, TIMES, cells=48, border=1e-3)
    means, covariances = moments(2, *narrow, TIMES)
    np.testing.assert_allclose(path.mean[0], narrow.mean, atol=1e-7)
    np.testing.assert_allclose(path.covariance[0], narrow.covariance, atol=1e-6)
    check(path, means, covariances, after=1)


def test_from_a_density():
    """A path may begin with the last density of another grid and domain; a stationary density does not change."""
    first = evolve(linear(W[2]), B[2].tolist(), [(-3, 3)] * 2, [0.8, -0.5], [0.0, 0.7], cells=64, border=1e-3)
    then = evolve(linear(W[2]), B[2].tolist(), [(-3.2, 3)] * 2, first.densities[-1], [0.7, 2.0], cells=60, border=1e-3)
    means, covariances = moments(2, first.densities[-1].mean, first.densities[-1].covariance, [0.7, 2.0])
    np.testing.assert_allclose(then.mean, means, atol=1e-4)
    np.testing.assert_allclose(then.covariance, covariances, atol=1e-4)
    still = solve("x - x**3", "0.5 + x**2/10", (-4, 4))
    path = evolve("x - x**3", "0.5 + x**2/10", (-4, 4), still.density, [0.0, 1.0, 3.0], cells=256)
    assert np.abs(path.mean).max() < 1e-10
    np.testing.assert_allclose(path.covariance[:, 0, 0], still.covariance[0, 0], rtol=2e-5)
    moved = evolve("x - x**3 + 0.1", "0.5 + x**2/10", (-4, 4), still.density, [0.0, 1.0], cells=256)
    assert moved.mean[1, 0] > 0.05


def test_its_end_is_the_stationary_density():
    """Its moments are those of the stationary solution, from other fluxes; densities differ as the cells' area."""
    drift, diffusion, box = ["x - x**3 + y/2", "0.2 - y - x/2"], ["0.5", "0.4 + x**2/20"], [(-3, 3), (-3, 3)]
    apart = []
    for cells in (32, 64):
        still = solve(drift, diffusion, box, cells=cells)
        path = evolve(drift, diffusion, box, [1.0, -1.0], [0.0, 40.0], cells=cells)
        assert np.abs(path.mean[-1] - still.mean).max() < path.error[0] + still.error[0]
        assert np.abs(path.covariance[-1] - still.covariance).max() < path.error[1] + still.error[1]
        apart.append(np.abs(path.densities[-1].values - still.density.values).max())
    assert apart[0] < 0.05 * still.density.values.max()
    assert apart[1] < 0.35 * apart[0]
    np.testing.assert_allclose(path.mean[-1], still.mean, atol=2e-5)
    np.testing.assert_allclose(path.covariance[-1], still.covariance, atol=2e-5)
    assert np.abs(path.densities[0].values - still.density.values).max() > 1.0


def ornstein_uhlenbeck(noise, cells, pull=1.0):
    """Return the path from a point under `pull` times the drift, and the largest errors of means and covariances."""
    V = noise * B[2]
    path = evolve(linear(pull * W[2]), V.tolist(), [(-3, 3)] * 2, [0.81, -0.49], TIMES, cells=cells, border=1.0)
    flows, P = [expm(W[2] * t) for t in TIMES], solve_continuous_lyapunov(W[2], -V)
    means, covariances = [E @ [0.81, -0.49] for E in flows], [P - E @ P @ E.T for E in flows]
    return path, np.array([np.abs(path.mean - means).max(), np.abs(path.covariance - covariances).max()])


@pytest.mark.parametrize(("noise", "cells"), [(1.0, 64), (0.1, 128), (0.03, 256)])
def test_moments_of_a_linear_drift_are_exact(noise, cells):
    """On any grid whose coarser half has some cells for the density, from a point that has one."""
    _, off = ornstein_uhlenbeck(noise, cells)
    assert np.all(off < 1e-5 * noise)
    _, wrong = ornstein_uhlenbeck(noise, cells, pull=1.001)
    assert np.all(wrong > 1e-4 * noise)


@pytest.mark.parametrize("noise", [1.0, 0.1, 1e-2, 1e-4])
@pytest.mark.parametrize("cells", [32, 64])
def test_cells_too_wide_for_the_density(noise, cells):
    """The stated error exceeds the true one even where the law is narrower than a twentieth of a cell."""
    path, off = ornstein_uhlenbeck(noise, cells)
    assert np.all(off < path.error + 1e-8)
    assert path.error[0] < 0.15
    assert off[1] < 0.015  # solutions, whose waves reach the walls, have up to 0.2
    for density in path.densities:
        assert density.mass == pytest.approx(1.0, abs=1e-12)
        assert density.values.min() >= 0.0


MEETING = {  # drifts that meet at a wall, or on a line, with as good as no diffusion
    "wall": ("1", 1e-6, (-1, 1), [0.0], [0.0, 0.5, 3.0], [0.0, 0.5, 1.0]),
    "jump": (lambda x: -np.sign(x - 0.1), 1e-5, (-1, 1), [0.5], [0.0, 0.2, 2.0, 200.0], [0.5, 0.3, 0.1, 0.1]),
}


@pytest.mark.parametrize("name", MEETING)
def test_where_drifts_meet(name):
    """Solutions grow there without bound, and the limited densities take their place."""
    *problem, mean = MEETING[name]
    path = evolve(*problem, border=1.0, cells=256)
    assert np.all(np.abs(path.mean[:, 0] - mean) < path.error[0] + 1.0 / 256)  # and half a cell
    assert path.error[0] < 0.03
    for density in path.densities:
        assert density.mass == pytest.approx(1.0, abs=1e-12)
        assert density.values.min() >= 0.0


def tanh_law(cells, noise, times=(0.0, 0.5, 1.5)):
    drift = lambda x, y: (np.tanh(1.4 * x - 0.8 * y + 0.2) - x, np.tanh(0.8 * x + 0.2) - y)  # noqa: E731
    start = Gaussian(np.array([0.4, -0.5]), 0.03 * np.eye(2))
    return evolve(drift, noise, [(-2, 2)] * 2, start, times, cells=cells, border=1e-3)


def test_fourth_order_after_extrapolation():
    """Mean and covariance converge with the fourth power of a cell's width, and the stated error with the second."""
    exact, counts = tanh_law(256, 0.06), np.array([48, 64, 96, 128])
    paths = [tanh_law(cells, 0.06) for cells in counts]
    errors = [[np.abs(p.mean - exact.mean).max(), np.abs(p.covariance - exact.covariance).max()] for p in paths]
    orders = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert np.all(np.abs(orders - 4.0) < 0.5), orders
    stated = -np.polyfit(np.log(counts), np.log([p.error for p in paths]), 1)[0]
    assert np.all(np.abs(stated - 2.0) < 0.3), stated
    assert np.max(errors[-1]) < 1e-5


@pytest.mark.parametrize("noise", [0.2, 0.02, 0.002])
@pytest.mark.parametrize("cells", [16, 24, 40])
def test_stated_errors_exceed_true_ones(noise, cells):
    """Also where cells are wider than the density; and they are not far above."""
    exact, path = tanh_law({0.2: 128, 0.02: 192, 0.002: 256}[noise], noise), tanh_law(cells, noise)
    true = [np.abs(path.mean - exact.mean).max(), np.abs(path.covariance - exact.covariance).max()]
    assert np.all(true < path.error)
    assert path.error[0] < 0.2


def test_second_order_in_time_if_coefficients_vary(monkeypatch):
    def law(steps):
        monkeypatch.setattr(evolution, "VARYING_STEPS", steps)
        path = evolve("sin(5*t) - x - x**3", "0.2 + 0.1*sin(3*t)", (-3, 3), [0.2], [0.0, 1.0], cells=64)
        return np.array([path.mean[1, 0], path.covariance[1, 0, 0]])

    exact, counts = law(400), np.array([8, 16, 32])
    orders = -np.polyfit(np.log(counts), np.log([np.abs(law(k) - exact) for k in counts]), 1)[0]
    assert np.all(np.abs(orders - 2.0) < 0.3), orders


def test_positive_at_any_tolerance():
    """With coarse steps from a point no density is negative, and no mass is lost."""
    for tolerance in (1e-2, 0.3, 1.0):
        path = evolve("x - x**3", "0.1 + x**2", (-4, 4), [0.3], [0.0, 0.01, 0.1, 1.0], cells=128, tolerance=tolerance)
        for density in path.densities:
            assert density.values.min() >= 0.0
            assert density.mass == pytest.approx(1.0, abs=1e-12)


def test_a_drift_that_depends_on_the_time():
    """dX = (sin t - X) dt + √B(t) dW has a mean and a variance in closed form."""
    times = np.array([0.3, 1.0, 2.5, 4.0])
    path = evolve("sin(t) - x", "0.3 + 0.2*cos(2*t)", (-3, 3), [0.2], times, cells=128, border=1e-4)
    s = times - 0.3

    def settled(t):
        return 0.5 * (np.sin(t) - np.cos(t))

    def particular(t):  # a solution of V' = -2 V + 0.3 + 0.2 cos 2t
        return 0.15 + 0.05 * (np.cos(2 * t) + np.sin(2 * t))

    mean = settled(times) + np.exp(-s) * (0.2 - settled(0.3))
    variance = particular(times) - np.exp(-2 * s) * particular(0.3)
    np.testing.assert_allclose(path.mean[:, 0], mean, atol=1e-4)
    np.testing.assert_allclose(path.covariance[:, 0, 0], variance, atol=3e-4)


@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-4, 1e-8])
def test_a_tolerance_is_kept(tolerance):
    path = evolve("-x", 0.4, (-3, 3), [0.81], [0.0, 1.0], cells=256, tolerance=tolerance, border=1e-4)
    assert path.mean[1, 0] == pytest.approx(np.exp(-1.0) * 0.81, abs=1e-3 * tolerance + 1e-9)
    assert path.covariance[1, 0, 0] == pytest.approx(0.2 * -np.expm1(-2.0), abs=1e-3 * tolerance + 1e-8)


def test_the_starts_on_a_grid():
    """Wherever in a cell a state lies, its mean is exact and its variance Δ²/4; a density keeps its moments."""
    grid = CellGrid(np.array([-1.0, 0.0]), np.array([1.0, 3.0]), (20, 16))
    for state in ([0.0, 1.5], [0.123, 1.4], [-0.84, 0.3]):
        p = start_mass(state, grid)
        mean = grid.points.T @ p
        assert np.all(p >= 0.0)
        np.testing.assert_allclose(mean, state, atol=1e-14)
        np.testing.assert_allclose(
            (grid.points - mean).T * p @ (grid.points - mean), np.diag(grid.spacing**2) / 4, atol=1e-14
        )
    for n in (1, 2, 3):
        old = CellGrid(np.full(n, -1.0), np.full(n, 1.2), (24,) * n)
        p = np.exp(-((old.points - 0.1) ** 2).sum(axis=1) / 0.06 - 5.0 * old.points[:, 0] * old.points[:, -1])
        widths = tuple(np.full(24, d) for d in old.spacing)
        density = Density(old.axes, widths, (p / p.sum() / np.prod(old.spacing)).reshape(old.cells))
        new = CellGrid(np.full(n, -1.3), np.full(n, 1.3), (27,) * n)
        q = start_mass(density, new)
        np.testing.assert_allclose(new.points.T @ q, density.mean, atol=2e-5)
        second = (new.points - density.mean).T * q @ (new.points - density.mean)
        np.testing.assert_allclose(second, density.covariance, atol=2e-5)


SMALL = Density((np.array([-3.0, 0.5]),), (np.array([1.0, 1.0]),), np.array([0.25, 0.75]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": [3.0]}, r"start must be a state of 1 numbers, inside the domain by 1.5 cells or more; got \[3.0\]"),
        ({"start": [0.0, 0.0]}, "start must be a state of 1 numbers"),
        ({"start": None}, "start must be finite numbers in one row; got "),
        ({"start": [np.nan]}, "start must be finite numbers in one row; got "),
        ({"start": {}}, "start must be numbers; got "),
        ({"start": "x"}, "start must be a density, not negative, finite, and with mass in the domain"),
        ({"start": "0*x"}, "start must be a density"),
        ({"start": lambda x: np.full_like(x, np.nan)}, "start must be a density"),
        ({"start": SMALL}, "start must lie in the domain; 0.25 of its probability does not"),
        (
            {"start": solve(["-x", "-y"], 1, [(-6, 6)] * 2, cells=16, border=1).density},
            "start must be a density in 1 dim",
        ),
        ({"times": [0.0]}, r"times must be at least two ascending numbers; got \[0.0\]"),
        ({"times": [0.0, 1.0, 1.0]}, "times must be at least two ascending numbers"),
        ({"times": [0.0, np.inf]}, "times must be finite numbers in one row"),
        ({"times": "now"}, "times must be numbers; got 'now'"),
        ({"tolerance": 0.0}, r"tolerance must be a number in \(0, 1\]; got 0.0"),
        ({"border": 2}, r"border must be a number in \(0, 1\]; got 2"),
        ({"cells": 3}, "cells must be one integer of at least 16"),
        ({"start": [1.8]}, "domain must hold the law; .* of the probability lies at the upper end of axis 0, 2"),
    ],
)
def test_refused(options, message):
    arguments = {"start": [0.5], "times": [0.0, 1.0], "cells": 64, **options}
    with pytest.raises(ValueError, match="^" + message):
        evolve("-x", 0.2, (-2, 2), arguments.pop("start"), arguments.pop("times"), **arguments)


def test_a_tolerance_out_of_reach_is_refused():
    with pytest.raises(ValueError, match=r"^tolerance must be at least 1e-08, far below the grid's error; got 1e-10$"):
        evolve("-x", 0.5, (-4, 4), [1.0], [0.0, 1.0], tolerance=1e-10)
