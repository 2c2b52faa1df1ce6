"""The discretised equation: rates, conservation of mass, and its action on smooth densities."""

import itertools

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import bernoulli, generator

SYMBOLS = sp.symbols("x y z", real=True)
number = st.floats(-3.0, 3.0)


def grid_of(n, cells, low=-2.0, high=2.5):
    return CellGrid(np.full(n, low), np.full(n, high), (cells,) * n)


def smooth(n, seed, scale):
    """Return a drift of random waves of the coordinates, and a positive diffusion for each coordinate."""
    rng = np.random.default_rng(seed)
    K, phase, size = rng.normal(size=(2, n, n)), rng.uniform(0, 6, size=(2, n)), scale * rng.uniform(0.1, 3.0, size=n)

    def drift(*h):
        return tuple(size[i] * np.sin(phase[0, i] + sum(K[0, i, j] * h[j] for j in range(n))) for i in range(n))

    def diffusion(*h):
        return tuple(1.0 + 0.99 * np.cos(phase[1, i] + sum(K[1, i, j] * h[j] for j in range(n))) for i in range(n))

    return equation(drift if n > 1 else lambda x: drift(x)[0], diffusion if n > 1 else lambda x: diffusion(x)[0], n)


def test_bernoulli():
    z = np.concatenate([10.0 ** np.arange(-12.0, 2.8), [0.0]])
    exact = [float(mp.mpf(v) / mp.expm1(mp.mpf(v))) if v else 1.0 for v in z]
    np.testing.assert_allclose(bernoulli(z), exact, rtol=1e-12)
    np.testing.assert_allclose(bernoulli(-z) - bernoulli(z), z, rtol=1e-12, atol=1e-16)
    np.testing.assert_array_equal(bernoulli(np.array([1e5, 1e300, -1e5, -1e300])), [0.0, 0.0, 1e5, 1e300])


@given(n=st.sampled_from([1, 2, 3]), seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 1.0, 100.0, 1e6]))
def test_a_markov_chain(n, seed, scale):
    """For diagonal diffusion no rate is negative on any grid, and what leaves a cell enters another."""
    scheme = generator(smooth(n, seed, scale), grid_of(n, {1: 20, 2: 8, 3: 5}[n]))
    L = scheme.matrix.toarray()
    largest = np.abs(L).max()
    assert scheme.monotone
    assert np.all(L - np.diag(np.diag(L)) >= 0.0)
    assert np.all(np.abs(L.sum(axis=0)) <= 1e-15 * (1.0 + largest) * 6)
    np.testing.assert_array_equal(np.asarray(scheme.divergence.sum(axis=0)).ravel(), 0.0)
    np.testing.assert_array_equal(scheme.divergence[scheme.target, np.arange(len(scheme.target))], 1.0)


@given(r=st.floats(-1.0, 1.0), p=st.floats(-1.0, 1.0), q=st.floats(-1.0, 1.0), drift=number)
def test_correlations_conserve_mass(r, p, q, drift):
    """Mass is conserved for any correlations; rates may be negative, and `monotone` says when."""
    F = np.array([[1.0, 0.0, 0.0], [r, 0.8, 0.0], [p, q, 0.5]])
    scheme = generator(equation(lambda x, y, z: (drift, -drift, y), (F @ F.T).tolist(), 3), grid_of(3, 5))
    L = scheme.matrix.toarray()
    assert np.all(np.abs(L.sum(axis=0)) <= 1e-13 * np.abs(L).max())
    if scheme.monotone:
        assert np.all(L - np.diag(np.diag(L)) >= 0.0)


def test_the_flag_is_the_stated_condition():
    """The scheme is monotone if S_ii β(|z|) ≥ Σ |S_ij| at every face."""
    grid = grid_of(2, 10)
    for r, drift in itertools.product((0.2, 0.5, 0.9), (0.0, 1.0, 3.0, 5.0)):
        scheme = generator(equation([drift, 0], [[1, r], [r, 1]], 2), grid)
        z = drift / grid.spacing[0] / (0.5 / grid.spacing[0] ** 2)
        assert scheme.monotone == (bernoulli(np.array([abs(z)]))[0] >= r)


def test_constant_coefficients_are_exact():
    """p ∝ exp(2 A x / B) is the stationary density between walls, on any grid."""
    grid = grid_of(1, 12)
    L = generator(equation(1.7, 0.9, 1), grid).matrix
    p = np.exp(2.0 * 1.7 / 0.9 * grid.axes[0])
    assert np.all(np.abs(L @ p) <= 1e-14 * abs(L) @ p)


def test_without_diffusion_all_goes_with_the_drift():
    """Without diffusion of a coordinate the rate of leaving a cell is |A| / Δ."""
    grid = grid_of(2, 8)
    for diffusion in ([0, 0], [0.5, 0]):
        L = generator(equation([1.3, -0.7], diffusion, 2), grid).matrix.toarray()
        here, below = np.ravel_multi_index((4, 4), grid.cells), np.ravel_multi_index((4, 3), grid.cells)
        assert L[below, here] == pytest.approx(0.7 / grid.spacing[1], rel=1e-9)
        assert L[here, below] == pytest.approx(0.0, abs=1e-9)


def test_a_jump_of_the_diffusion_at_most_doubles_a_drift():
    grid = grid_of(1, 8, -2.0, 2.0)
    L = generator(equation(1.0, lambda x: np.where(x < 0.0, 1e-3, 1e-12), 1), grid).matrix.toarray()
    assert np.abs(L).max() <= 2.0 / grid.spacing[0] + 1e-3 / grid.spacing[0] ** 2


CASES = {  # dimensions, drift, B: diagonal, correlated, and too correlated for the compact stencil in three dimensions
    "one": (1, ["x - x**3"], ["1 + x**2/4"]),
    "diagonal": (2, ["y - x", "-2*y + sin(x)"], ["1 + x**2/9", "1 + cos(x + y)/2"]),
    "correlated": (2, ["y - x", "x"], [["1 + y**2/9", "sin(x)/2"], ["sin(x)/2", "1"]]),
    "three": (3, ["y - x", "-y*z", "x"], [["1", "x/8", 0], ["x/8", "1", "-y/9"], [0, "-y/9", "1 + z**2/9"]]),
    "central": (
        3,
        ["y - x", "-y", "x"],
        [["1", "(7 + 2*cos(x))/10", ".8"], ["(7 + 2*cos(x))/10", "1", ".7"], [".8", ".7", "1"]],
    ),
}


def symbolic(drift, diffusion, p):
    """Return - Σ ∂ᵢ(Aᵢ p) + ½ Σ ∂ᵢ∂ⱼ(Bᵢⱼ p) and the current as functions of the coordinates."""
    n, h = len(drift), SYMBOLS[: len(drift)]
    A = [sp.sympify(a, locals={s.name: s for s in h}) for a in drift]
    B = [[sp.sympify(b, locals={s.name: s for s in h}) for b in row] for row in diffusion]
    J = [A[i] * p - sum(sp.diff(B[i][j] * p, h[j]) for j in range(n)) / 2 for i in range(n)]
    change = -sum(sp.diff(J[i], h[i]) for i in range(n))
    return [sp.lambdify(h, e, "numpy") for e in (change, *J)]


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_second_order_on_a_smooth_density(name, fitted):
    """Away from the walls the error of L p and of the current falls as Δ²."""
    n, drift, B = CASES[name]
    h = SYMBOLS[:n]
    p = sp.exp(-sum(s**2 for s in h) / 3 + sum(h) / 5) * (2 + sp.sin(h[0] + 2 * h[-1]))
    full = B if isinstance(B[0], list) else [[B[i] if i == j else "0" for j in range(n)] for i in range(n)]
    change, *currents = symbolic(drift, full, p)
    density, problem = sp.lambdify(h, p, "numpy"), equation(drift, B, n)
    widths, errors = [], []
    for cells in {1: (64, 96, 128), 2: (32, 48, 64), 3: (24, 34, 48)}[n]:
        grid = grid_of(n, cells)
        scheme = generator(problem, grid, fitted=fitted)
        x, inner = grid.points.T, (slice(2, -2),) * n
        volume = np.prod(grid.spacing)
        mass = density(*x) * volume
        left = [(scheme.matrix @ mass / volume - change(*x)).reshape(grid.cells)[inner]]
        left += [
            (J - exact(*x).reshape(grid.cells))[inner] for J, exact in zip(scheme.current(mass), currents, strict=True)
        ]
        widths.append(grid.spacing[0])
        errors.append([np.sqrt(np.mean(e**2)) for e in left])
    orders = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert np.all(np.abs(orders - 2.0) < 0.2), orders
    if name == "central":
        assert not generator(problem, grid_of(n, 8)).monotone


@pytest.mark.parametrize("name", CASES)
def test_central_fluxes_have_exact_moments(name):
    """Summation by parts: Lᵀ h = A and Lᵀ (h hᵀ) = A hᵀ + h Aᵀ + B in all cells but those at walls; not if fitted."""
    n, drift, B = CASES[name]
    problem, grid = equation(drift, B, n), grid_of(n, {1: 40, 2: 12, 3: 8}[n])
    x, A, V = grid.points, problem.drift(grid.points, 0.0), problem.diffusion(grid.points, 0.0)
    V = V if V.ndim == 3 else np.einsum("mi,ij->mij", V, np.eye(n))
    second = np.einsum("mi,mj->mij", x, x)
    change = np.einsum("mi,mj->mij", A, x) + np.einsum("mi,mj->mij", x, A) + V
    inner = np.ravel(np.pad(np.ones([k - 2 for k in grid.cells], dtype=bool), 1))
    off = []
    for fitted in (False, True):
        adjoint = generator(problem, grid, fitted=fitted).matrix.T
        off.append(
            [
                np.abs(adjoint @ x - A)[inner].max(),
                np.abs(adjoint @ second.reshape(-1, n * n) - change.reshape(-1, n * n))[inner].max(),
            ]
        )
    assert np.max(off[0]) < 1e-11
    assert off[1][1] > 1e-3


def test_fitted_fluxes_diffuse_more():
    """The variance grows at the rate B (z/2) coth(z/2), about B + Δ² A²/(3 B)."""
    grid, (A, B) = grid_of(1, 200), (1.5, 0.7)
    width, x = grid.spacing[0], grid.axes[0]
    here = 100
    rate = (generator(equation(A, B, 1), grid).matrix.T @ (x - x[here]) ** 2)[here]
    z = A * width / (0.5 * B)
    assert rate == pytest.approx(B * 0.5 * z / np.tanh(0.5 * z), rel=1e-9)
    assert rate - B == pytest.approx(width**2 * A**2 / (3.0 * B), rel=1e-3)
    assert generator(equation(A, B, 1), grid, fitted=False).matrix.T[here] @ (x - x[here]) ** 2 == pytest.approx(B)


@pytest.mark.parametrize("noise", [20.0, 1e-3])
def test_a_generator_made_monotone(noise):
    """Upwind where a drift carries more than a cell's diffusion, unchanged elsewhere, and with the same mean drift."""
    problem, grid = equation(["y - x", "-2*y + sin(x)"], [noise, 0.5 * noise], 2), grid_of(2, 16)
    scheme = generator(problem, grid, fitted=False)
    made = scheme.made_monotone()
    assert made.monotone
    assert scheme.monotone == (noise == 20.0)
    same = (scheme.out >= 0.0) & (scheme.back >= 0.0)
    np.testing.assert_array_equal(made.out[same], scheme.out[same])
    assert np.all(np.minimum(made.out, made.back)[~same] == 0.0)
    np.testing.assert_allclose(made.out - made.back, scheme.out - scheme.back, atol=1e-12)


def test_axes_may_change_places():
    _, drift, B = CASES["three"]
    swap = str.maketrans("xz", "zx")
    turned = (
        [drift[i].translate(swap) for i in (2, 1, 0)],
        [[str(B[i][j]).translate(swap) for j in (2, 1, 0)] for i in (2, 1, 0)],
    )
    low, high, cells = np.array([-2.0, -1.0, -3.0]), np.array([2.0, 3.0, 2.0]), (6, 5, 7)
    first = generator(equation(drift, B, 3), CellGrid(low, high, cells)).matrix.toarray().reshape(*cells, *cells)
    second = generator(equation(*turned, 3), CellGrid(low[::-1], high[::-1], cells[::-1])).matrix.toarray()
    second = second.reshape(*cells[::-1], *cells[::-1]).transpose(2, 1, 0, 5, 4, 3)
    np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-12)
