"""Stationary densities in two and three dimensions: invariants, order, and known laws."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_continuous_lyapunov

from ctrnn_theory.fokker_planck import cell_grid as grid_module
from ctrnn_theory.fokker_planck import null_vector, solution, solve
from ctrnn_theory.fokker_planck.solution import extrapolate

BOX = [(-4, 4), (-4, 4)]
W2 = np.array([[-1.0, 0.5], [-0.7, -1.3]])
W3 = -np.eye(3) + 0.4 * np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])


def linear(W, m=0.0):
    return lambda *h: tuple(sum(W[i, j] * (h[j] - m) for j in range(len(W))) for i in range(len(W)))


def correlated(r, n=2, size=0.5):
    return size * ((1.0 - abs(r)) * np.eye(n) + r * np.ones((n, n)) if r > 0 else np.array([[1.0, r], [r, 1.0]]))


@given(seed=st.integers(0, 10**6), size=st.sampled_from([0.1, 1.0, 30.0]), n=st.sampled_from([2, 3]))
@settings(max_examples=20)
@example(seed=65, size=30.0, n=2)  # rounding makes some of the smallest probabilities negative
@example(seed=65, size=30.0, n=3)  # the sum over a wall is one, and more by rounding
def test_a_density_is_one(seed, size, n):
    """On coarse grids with smooth drifts, diagonal diffusions and walls a density is not negative and has mass one."""
    rng = np.random.default_rng(seed)
    K, phase = rng.normal(size=(2, n, n)), rng.uniform(0, 6, size=(2, n))

    def wave(a, i, h):
        return np.sin(phase[a, i] + sum(K[a, i, j] * h[j] for j in range(n)))

    found = solve(
        lambda *h: tuple(size * wave(0, i, h) for i in range(n)),
        lambda *h: tuple(0.51 + 0.5 * wave(1, i, h) for i in range(n)),
        [(-2, 2)] * n,
        cells=16,
        border=1,
    )
    assert np.all(found.density.values >= 0.0)
    assert found.density.mass == pytest.approx(1.0, abs=1e-13)
    assert str(found.negative) == "0.0"
    assert np.all(np.isfinite(found.density.current))


CASES = [
    (W2, np.diag([0.5, 0.3])),
    (W2, correlated(0.3)),
    (W2, correlated(0.9)),
    (W2, correlated(-0.9)),
    (W2, correlated(1.0)),
    (np.array([[-1.0, -3.0], [3.0, -1.0]]), np.diag([0.5, 0.5])),
]


@pytest.mark.parametrize(("W", "B"), CASES)
def test_order_on_a_gaussian(W, B):
    """The covariance is of order two on the finest grid and of order four extrapolated, with the error as estimated."""
    exact = solve_continuous_lyapunov(W, -B)
    cells = np.array([48, 64, 96])
    found = [solve(linear(W, 0.1), B.tolist(), BOX, cells=int(k), border=1e-5) for k in cells]
    plain = [np.abs(s.density.covariance - exact).max() for s in found]
    best = [np.abs(s.covariance - exact).max() for s in found]
    assert -np.polyfit(np.log(cells), np.log(plain), 1)[0] == pytest.approx(2.0, abs=0.25)
    assert -np.polyfit(np.log(cells), np.log(best), 1)[0] > 3.3
    assert found[-1].order == pytest.approx(2.0, abs=0.3)
    for s, error in zip(found, best, strict=True):
        assert error <= s.error[1]
        assert np.abs(s.mean - 0.1).max() <= s.error[0] + 1e-12
        assert s.density.mass == pytest.approx(1.0, abs=1e-13)
        if np.array_equal(B, np.diag(np.diag(B))):
            assert (s.negative, s.density.values.min() >= 0.0) == (0.0, True)
    assert found[2].negative <= found[0].negative < 0.01


@pytest.mark.parametrize("r", [0.3, 0.9, 1.0])
def test_three_dimensions(r):
    """The moments are good for the compact and for the central stencil, even where p is negative."""
    B = correlated(r, 3)
    exact = solve_continuous_lyapunov(W3, -B)
    found = solve(linear(W3), B.tolist(), [(-3, 3)] * 3, cells=28, border=1e-4)
    error = np.abs(found.covariance - exact).max()
    assert error <= found.error[1] < 0.1
    assert error < 0.02 * np.max(exact)
    assert found.density.mass == pytest.approx(1.0, abs=1e-12)
    assert (found.negative > 1e-3) == (r > 0.5)
    swapped = solve(linear(W3), np.diag(np.diag(B)).tolist(), [(-3, 3)] * 3, cells=28, border=1e-4)
    assert np.abs(swapped.covariance - exact).max() > found.error[1]  # the law of other correlations differs


def test_not_negative_where_the_flag_says_so():
    """No density is negative for weak correlations and small cells."""
    equation = linear(0.2 * W2), correlated(0.3, size=1.0).tolist()
    found = solve(*equation, [(-7, 7)] * 2, cells=64, border=1e-2)
    grid = solution.CellGrid(np.full(2, -7.0), np.full(2, 7.0), (64, 64))
    assert solution.generator(solution.equation(*equation, 2), grid).monotone
    assert found.density.values.min() >= 0.0


x, y = sp.symbols("x y", real=True)
LOG_P = -(x**2) - x * y / 2 - y**2 - x**4 / 4 + sp.Rational(3, 10) * x
SPREAD = [sp.Rational(3, 5) + sp.Rational(3, 10) * sp.tanh(x + y), sp.Rational(1, 2) + x**2 / (1 + x**2) / 5]
BALANCED = [(B * sp.diff(LOG_P, h) + sp.diff(B, h)) / 2 for B, h in zip(SPREAD, (x, y), strict=True)]


def test_order_with_detailed_balance():
    """A = ½ (B ∂ log p + ∂B) makes p stationary without a current, for any B."""
    nodes = np.linspace(-6.0, 6.0, 601)
    X, Y = np.meshgrid(nodes, nodes, indexing="ij")
    p = np.exp(sp.lambdify((x, y), LOG_P)(X, Y))
    p /= p.sum()
    mean = np.array([(p * X).sum(), (p * Y).sum()])
    moment = np.array([[(p * a * b).sum() for a in (X, Y)] for b in (X, Y)]) - np.outer(mean, mean)
    cells, plain, best, currents = np.array([32, 48, 64]), [], [], []
    for k in cells:
        found = solve(BALANCED, SPREAD, [(-3.5, 3.5), (-4, 4)], cells=int(k))
        errors = [np.abs(found.mean - mean).max(), np.abs(found.covariance - moment).max()]
        assert np.all(errors <= found.error)
        plain.append(np.abs(found.density.covariance - moment).max())
        best.append(max(errors))
        currents.append(np.abs(found.density.current).max())
    orders = [-np.polyfit(np.log(cells), np.log(e), 1)[0] for e in (plain, best, currents)]
    assert orders[0] == pytest.approx(2.0, abs=0.2)
    assert orders[1] > 3.3
    assert orders[2] > 1.7


@pytest.mark.parametrize("n", [2, 3])
def test_independent_coordinates(n):
    """The density is the product of the densities in one dimension."""
    parts = [("x - x**3 + 0.1", "0.5 + x**2/10"), ("sin(x) - 2*x", "0.4"), ("0.2 - x", "0.3 + cos(x)/10")][:n]
    lines = [solve(A, B, (-4, 4)) for A, B in parts]
    names = "xyz"[:n]
    drift, diffusion = ([part[k].replace("x", v) for part, v in zip(parts, names, strict=True)] for k in (0, 1))
    found = solve(drift, diffusion, [(-4, 4)] * n, cells={2: 64, 3: 32}[n])
    mean, variance = np.array([s.mean[0] for s in lines]), np.array([s.covariance[0, 0] for s in lines])
    assert np.abs(found.mean - mean).max() <= found.error[0]
    assert np.abs(found.covariance - np.diag(variance)).max() <= found.error[1] < 0.05
    assert np.abs(found.covariance - np.diag(np.diag(found.covariance))).max() < 1e-9
    product = found.density.marginal(0).values
    for i in range(1, n):
        product = np.multiply.outer(product, found.density.marginal(i).values)
    np.testing.assert_allclose(found.density.values, product, rtol=0.0, atol=1e-9)


def test_axes_may_change_places():
    drift, box = ["y - x - x**3", "0.3 - x - y"], [(-4, 3), (-3, 4)]
    B = [["0.5 + x**2/8", 0.1], [0.1, 0.4]]
    swap = str.maketrans("xy", "yx")
    there = solve(drift, B, box, cells=(32, 40))
    turned = [[str(B[i][j]).translate(swap) for j in (1, 0)] for i in (1, 0)]
    back = solve([text.translate(swap) for text in drift[::-1]], turned, box[::-1], cells=(40, 32))
    np.testing.assert_allclose(back.density.values.T, there.density.values, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(
        back.density.current.transpose(0, 2, 1)[::-1], there.density.current, rtol=0.0, atol=1e-12
    )
    np.testing.assert_allclose(back.mean[::-1], there.mean, atol=1e-12)
    np.testing.assert_allclose(back.covariance[::-1, ::-1], there.covariance, atol=1e-12)
    np.testing.assert_allclose(back.border[::-1], there.border, atol=1e-12)


def test_current_of_a_rotation():
    """For A = -x + Ω x and B = b 1 the law does not depend on Ω, and J = p Ω x has no divergence."""
    omega, cells, errors, sources = np.array([[0.0, -2.0], [2.0, 0.0]]), np.array([48, 64, 96]), [], []
    for k in cells:
        density = solve(linear(-np.eye(2) + omega), 0.5, [(-3.5, 3.5)] * 2, cells=int(k)).density
        points = density.points.T.reshape(2, k, k)
        exact = np.exp(-2.0 * (points**2).sum(axis=0)) * 2.0 / np.pi * np.einsum("ij,jkl->ikl", omega, points)
        errors.append(np.abs(density.current - exact).max())
        spacing = density.widths[0][0]
        sources.append(np.abs(sum(np.gradient(J, spacing, axis=i) for i, J in enumerate(density.current))).max())
    assert -np.polyfit(np.log(cells), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.2)
    assert -np.polyfit(np.log(cells), np.log(sources), 1)[0] > 1.8
    assert errors[-1] < 0.02 * np.abs(exact).max()


def test_a_coordinate_without_noise():
    """Without noise of its own, dY = (X - Y) dt, the order is one, and the error estimate includes this."""
    exact = solve_continuous_lyapunov(np.array([[-1.0, 0.0], [1.0, -1.0]]), -np.diag([0.5, 0.0]))
    for cells in (32, 64):
        found = solve(["-x", "x - y"], [0.5, 0], [(-3.5, 3.5)] * 2, cells=cells, border=1e-2)
        assert np.abs(found.covariance - exact).max() <= found.error[1] < 0.05
        assert found.order < 1.7


@pytest.mark.parametrize(("B", "known"), [(0.05, True), (0.01, False), (0.004, False)])
def test_wells_that_rounding_cannot_tell_apart(B, known):
    """A well is left once in e^(1/2B): at B = 0.01 rounding decides, and the error is as large as the domain."""
    found = solve(["x - x**3 + 0.01", "-y"], B, [(-1.8, 1.8), (-1.2, 1.2)], cells=64, border=1)
    exact = solve("x - x**3 + 0.01", B, (-1.8, 1.8), border=1)
    assert abs(found.mean[0] - exact.mean[0]) <= found.error[0]
    assert (found.error[0] < 0.01) == known


def test_iteration_and_factors_agree(monkeypatch):
    arguments = (["y - x", "z - y - x", "-z"], [0.5, 0.4, "0.3 + x**2/20"], [(-4, 4), (-3, 3), (-3, 3)])
    iterated = solve(*arguments, cells=20)
    calls = []
    monkeypatch.setattr(null_vector, "_iterated", lambda M, right: calls.append(M.shape))
    factored = solve(*arguments, cells=20)
    assert calls == [(20**3 - 1,) * 2]
    np.testing.assert_allclose(iterated.density.values, factored.density.values, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(iterated.mean, factored.mean, atol=1e-10)


def test_extrapolation():
    """Extrapolation removes Δ² and three quarters of Δ⁴; the estimated error is fifteen times the remainder."""

    def grids(f):
        return [np.array([f(width), 2.0]) for width in (4.0, 2.0, 1.0)]

    best, error, order = extrapolate(grids(lambda d: 3.0 + 0.1 * d**2))
    np.testing.assert_allclose(best, [3.0, 2.0], rtol=1e-14)
    assert (error, order) == (pytest.approx(0.0, abs=1e-14), pytest.approx(2.0))
    best, error, order = extrapolate(grids(lambda d: 3.0 + 0.1 * d**2 - 0.001 * d**4))
    assert error == pytest.approx(15.0 * abs(best[0] - 3.0))
    best, error, order = extrapolate(grids(lambda d: 3.0 + 0.1 * d))  # first order
    assert order == pytest.approx(1.0)
    assert abs(best[0] - 3.0) <= error * (1.0 + 1e-12)
    assert np.isnan(extrapolate(grids(lambda d: 3.0))[2])


def test_memory(monkeypatch):
    monkeypatch.setattr(grid_module, "free_memory", lambda: 1e7)
    message = r"^cells must fit into memory; 128 x 128 need about 0.03\d* GB, 0.01 are free$"
    with pytest.raises(ValueError, match=message):
        solve(["-x", "-y"], 1, BOX)
    solve(["-x", "-y"], 0.5, BOX, cells=16, border=1)
    solve("-x", 1, (-6, 6))  # nothing to store


def test_memory_of_the_machine():
    assert 1e6 < grid_module.free_memory() < 1e15


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            (["-x", "-y"], 1, [(-6, 6), (-1, 6)]),
            {},
            "domain must hold the law; 0.0\\d* of the probability lies at the lower end",
        ),
        (("-x", 1, (1, -1)), {}, r"domain must have low < high, both finite; got \(1, -1\)"),
        (("-x", 1, (0, np.inf)), {}, "domain must have low < high, both finite"),
        (("-x", 1, [(0, 1)] * 4), {}, r"domain must be \(low, high\) for each of one to three coordinates; got "),
        (("-x", 1, "ab"), {}, "domain must be a pair of numbers for each coordinate; got 'ab'"),
        (("-x", 1, (0, 1, 2)), {}, r"domain must be \(low, high\) for each"),
        (("-x*t", 1, (-1, 1)), {}, r"drift and diffusion must not depend on t; evolve\(\) takes those that do"),
        (("-x", "1 + t**2", (-1, 1)), {}, "drift and diffusion must not depend on t"),
        (("-x", 1, (-6, 6)), {"border": 0}, r"border must be a number in \(0, 1\]; got 0"),
        (("-x", 1, (-6, 6)), {"border": 1.1}, r"border must be a number in \(0, 1\]; got 1.1"),
        (("-x", 1, (-6, 6)), {"border": None}, r"border must be a number in \(0, 1\]; got None"),
        (
            (["-x", "-y"], 1, BOX),
            {"cells": 15},
            "cells must be one integer of at least 16, or one for each of 2 axes; got 15",
        ),
        ((["-x", "-y"], 1, BOX), {"cells": (32, 32, 32)}, "cells must be one integer of at least 16"),
        ((["-x", "-y"], 1, BOX), {"cells": 32.0}, "cells must be one integer of at least 16"),
    ],
)
def test_refused(arguments, options, message):
    with pytest.raises(ValueError, match="^" + message):
        solve(*arguments, **options)


def test_cells_are_rounded_up():
    found = solve(["-x", "-y"], 0.5, BOX, cells=(17, 20), border=1)
    assert (found.cells, found.density.values.shape) == ((20, 20), (20, 20))


def test_without_diffusion_the_mass_lies_where_the_drift_leads():
    law = solve(["-x", "-y"], 0, [(-3, 3)] * 2, cells=32)
    x = law.density.axes[0]
    np.testing.assert_allclose(law.density.marginal(0).weights[np.abs(x) < 6.0 / 32].sum(), 1.0, atol=1e-12)
