"""Stationary densities of one dimension against known ones, to ten digits and more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfcx, ndtr

from ctrnn_theory.fokker_planck import one_dimension, solve
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.one_dimension import solve_on_interval

TEN = 1e-10


def moments(log_density, low, high, points=()):
    """Return mean and variance by adaptive quadrature."""
    x = np.linspace(low, high, 20001)
    top = max(log_density(at) for at in x)
    inner = [*points, *x[1:-1:1000]]

    def integral(g):
        return quad(
            lambda h: g(h) * np.exp(log_density(h) - top), low, high, points=inner, epsabs=0.0, epsrel=1e-12, limit=400
        )[0]

    mass = integral(lambda h: 1.0)
    mean = integral(lambda h: h - low) / mass + low
    return mean, integral(lambda h: (h - mean) ** 2) / mass


def check(found, mean, variance, tolerance=TEN):
    std = np.sqrt(variance)
    assert found.mean[0] == pytest.approx(mean, rel=0.0, abs=tolerance * std)
    assert found.covariance[0, 0] == pytest.approx(variance, rel=tolerance)
    assert abs(found.mean[0] - mean) <= found.error[0] + 1e-12 * (std + abs(mean))  # the reported error is a bound
    assert found.density.mass == pytest.approx(1.0, abs=1e-14)
    assert np.all(found.density.values >= 0.0)
    assert not found.density.current.any()


@given(rate=st.floats(0.01, 100.0), centre=st.floats(-5.0, 5.0), std=st.floats(1e-6, 1.0), wide=st.floats(8.0, 1e6))
def test_straight_drift_is_a_gaussian(rate, centre, std, wide):
    """The Gaussian may be much narrower than its domain."""
    found = solve(lambda x: rate * (centre - x), 2.0 * rate * std**2, (centre - 1.1 * wide * std, centre + wide * std))
    check(found, centre, std**2, TEN + 1e-15 * (1.0 + abs(centre)) / std)


@given(a=st.floats(-0.5, 0.5), c=st.floats(-2.0, 2.0), B=st.floats(0.1, 2.0))
def test_cubic_drift(a, c, B):
    """The potential has one well or two."""
    found = solve(lambda x: a + c * x - x**3, B, (-6, 6))
    check(found, *moments(lambda h: (2 * a * h + c * h**2 - h**4 / 2) / B, -6.0, 6.0))


@given(power=st.floats(20.0, 200.0))
def test_diffusion_that_depends_on_the_state(power):
    """dX = -X dt + √(s²(1 + X²)) dW has p ∝ (1 + x²)^-m, m = 1 + 1/s², with the variance 1/(2m - 3)."""
    found = solve("-x", lambda x: (1.0 + x**2) / (power - 1.0), (-30, 40))
    check(found, 0.0, 1.0 / (2.0 * power - 3.0))


def test_the_rule_of_ito():
    """With the rule of Stratonovich the density would lack 1/B, and here m = 1/s²."""
    found = solve("-x", lambda x: (1.0 + x**2) / 20.0, (-30, 40))
    assert abs(found.covariance[0, 0] - 1.0 / 37.0) > 1e-3


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("w", [-1.0, 0.5])
def test_kinked_drift(w, known):
    """The kink of w max(x, 0) + 0.1 - x is an edge of the panels, or is found by halving them."""
    problem = equation(lambda x: w * np.maximum(x, 0.0) + 0.1 - x, 0.2, 1)
    density, error = solve_on_interval(problem, -4.0, 5.0, (0.0,) if known else ())
    mean, variance = moments(lambda h: (0.2 * h - h * h + w * max(h, 0.0) ** 2) / 0.2, -4.0, 5.0, (0.0,))
    assert density.mean[0] == pytest.approx(mean, abs=1e-12)
    assert density.covariance[0, 0] == pytest.approx(variance, rel=1e-11)
    assert np.all(error < 1e-11)


def test_a_diffusion_that_jumps():
    """B p is continuous, so that p = exp(-x²) on the left and 2 exp(-2 x²) on the right."""
    found = solve("-x", lambda x: np.where(x < 0.0, 1.0, 0.5), (-6, 6))
    root = np.sqrt(2.0)
    assert found.mean[0] == pytest.approx(0.0, abs=1e-11)
    assert found.covariance[0, 0] == pytest.approx((1.0 + 1.0 / root) / (2.0 + 4.0 / root), rel=1e-10)


@pytest.mark.parametrize("B", [1e-3, 1e-5, 1e-6])
def test_narrow_wells_of_equal_depth(B):
    """A = -U', U = (x² - 1)² (1 + x/2): to order B, wells at ±1 of curvature 12 and 4 hold mass as 12^-½ to 4^-½."""
    found = solve(lambda x: -4 * x * (x * x - 1) * (1 + x / 2) - (x * x - 1) ** 2 / 2, B, (-1.9, 2.2))
    ratio = np.sqrt(4.0 / 12.0)
    assert found.mean[0] == pytest.approx((ratio - 1.0) / (ratio + 1.0), abs=0.1 * B + 1e-8)


@pytest.mark.parametrize("B", [1e-2, 1e-5, 1e-8, 1e-11])
def test_a_cliff_beside_the_law_costs_no_digits(B):
    """With hardly any diffusion left of -0.3 and a drift to the right, a Gaussian is cut off there, with a layer.

    The layer is B/(2·0.3) wide, and holds a mass that does not vanish with B, as E A = -E x = 0 demands.
    """
    problem = equation("-x", lambda x: np.where(x < -0.3, B, 0.02), 1)
    density, error = solve_on_interval(problem, -3.0, 2.0, (-0.3,))
    left = 0.5 * np.exp(-4.5) * np.sqrt(np.pi / B) * erfcx(0.3 / np.sqrt(B))
    right = np.sqrt(0.02 * np.pi) / 0.02 * ndtr(3.0)
    assert density.mean[0] == pytest.approx(0.0, abs=1e-12)
    assert density.covariance[0, 0] == pytest.approx(0.5 * (B * left + 0.02 * right) / (left + right), rel=1e-11)
    assert np.all(error < 1e-11)


@pytest.mark.parametrize("B", [1e-300, 0.0])
def test_a_layer_that_is_a_point_is_refused(B):
    with pytest.raises(ValueError, match=r"^diffusion must give the law a width; at -0.3 it is a point to rounding$"):
        solve("-x", lambda x: np.where(x < -0.3, B, 0.02), (-3, 2))


def by_trapezoid(log_density, grid):
    """Return mean and variance of a known density on a grid."""
    height = log_density(grid)
    p = np.exp(height - height.max()) * np.gradient(grid)
    mean = p @ grid / p.sum()
    return mean, p @ (grid - mean) ** 2 / p.sum()


def by_panels(log_density, edges):
    """Return mean and variance of a known density, by 40 Gauss–Legendre nodes between any two edges."""
    half, (nodes, weights) = np.diff(edges)[:, None] / 2, np.polynomial.legendre.leggauss(40)
    x = edges[:-1, None] + half * (1.0 + nodes)
    height = log_density(x)
    p = np.exp(height - height.max()) * half * weights
    mean = (p * x).sum() / p.sum()
    return mean, (p * (x - mean) ** 2).sum() / p.sum()


WELLS = [
    ([(3.0, 1e-3, 5.0)], 0.5),
    ([(3.0, 1e-3, 6.0), (-4.123, 2e-3, 10.0)], 0.5),
    ([(1.0, 1e-2, 1.0)], 0.2),
    ([(5.0, 1e-3, 14.0)], 0.5),  # the edge of these two wells lies between the last node and the end of a wide panel
    ([(2.0, 3e-4, 3.5)], 0.5),
]


@pytest.mark.parametrize(("wells", "B"), WELLS)
def test_narrow_wells_in_a_wide_domain(wells, B):
    """U = x²/2 with Gaussian wells (place, width, depth), whose width is 1e-5 of the domain: p = exp(-2 U/B)."""

    def drift(x):
        return -x - sum(
            depth * (x - at) / width**2 * np.exp(-(((x - at) / width) ** 2) / 2) for at, width, depth in wells
        )

    def log_density(x):
        holes = sum(depth * np.exp(-(((x - at) / width) ** 2) / 2) for at, width, depth in wells)
        return -2.0 / B * (x * x / 2 - holes)

    fine = [at + width * np.linspace(-12.0, 12.0, 241) for at, width, _ in wells]
    mean, variance = by_panels(log_density, np.unique(np.concatenate([np.linspace(-30, 40, 1401), *fine])))
    found = solve(drift, B, (-30, 40))
    assert np.all(found.error < 1e-10)
    assert abs(found.mean[0] - mean) <= found.error[0]
    assert abs(found.covariance[0, 0] - variance) <= found.error[1]


def test_wells_that_rounding_cannot_tell_apart():
    """Rounding of barriers of 2e15 and more e-folds makes the error as large as the distance of the wells."""
    found = solve(lambda x: -4 * x * (x * x - 1) * (1 + x / 2) - (x * x - 1) ** 2 / 2, 1e-15, (-1.9, 2.2))
    assert found.error[0] > 0.4


@pytest.mark.parametrize("a", [0.4, 1.0, 3.0])
def test_a_diffusion_that_vanishes_at_the_end(a):
    """A = a - x and B = x give the gamma law of shape 2a and rate 2, which is singular at zero for a < 1/2."""
    check(solve(lambda x: a - x, "x", (0, 60), border=1), a, a / 2.0)


@pytest.mark.parametrize("steepness", [60.0, 600.0, 3e4])
def test_a_diffusion_that_underflows_beside_the_law(steepness):
    """A = -x and B = exp(-c x²) give Φ = (1 - exp(c x²))/c; at the ends B underflows to zero."""
    found = solve("-x", lambda x: np.exp(-steepness * x * x), (-2, 1.5))
    reach = np.sqrt(np.log(200.0 * steepness + 2.0) / steepness)
    grid = np.linspace(-reach, reach, 200001)
    mean, variance = by_trapezoid(lambda x: -np.expm1(steepness * x * x) / steepness + steepness * x * x, grid)
    assert abs(found.mean[0] - mean) < 1e-9
    assert found.covariance[0, 0] == pytest.approx(variance, rel=1e-8)
    assert np.all(found.error < 1e-9)


def test_the_error_sees_a_density_that_is_wrong():
    """A density with wrong weights violates the identities, though all panels resolve it."""
    problem = equation("-x", 1.0, 1)
    part = one_dimension._resolved(problem, one_dimension.first_panels(problem, -6.0, 6.0, (), 32))
    assert np.all(part.error() < 1e-13)
    part.share = part.share * np.where(part.panels.x > 1.0, 1.01, 1.0)
    assert np.all(part.error() > 1e-4)


def test_walls():
    box = solve(0, 1, (0, 2), border=1)
    check(box, 1.0, 1.0 / 3.0)
    assert box.border[0] == pytest.approx([1 / 128, 1 / 128], rel=0.3)  # to the distance of the nodes near the ends
    ramp = solve(0.5, 1, (0, 1), border=1)  # p ∝ e^x
    mean = 1.0 / (np.e - 1.0)
    check(ramp, mean, (np.e - 2.0) / (np.e - 1.0) - mean**2)


def test_what_it_says_of_itself():
    found = solve("-x", 1, (-6, 6))
    assert np.isnan(found.order)
    assert (found.negative, found.cells) == (0.0, (len(found.density.axes[0]),))


@pytest.mark.parametrize(
    ("drift", "diffusion", "domain", "message"),
    [
        ("-x", 0, (-1, 1), r"diffusion must be positive in one dimension; at 0 it is 0"),
        ("-x", "x**2", (-1, 1), r"diffusion must give the law a width; at 0 it is a point to rounding"),
        ("-x", -1, (-1, 1), r"diffusion must be positive semi-definite; at \(-1\) an eigenvalue is -1"),
        ("-x", "1 - x", (-1, 2), r"diffusion must be positive semi-definite; at \(1\) an eigenvalue is -1.65e-05"),
        ("0.3 - x", 1e-40, (-1, 2), r"diffusion must give the law a width; at 0.3 it is a point to rounding"),
        ("1000000*sin(1000000*x)", 1, (-1, 1), r"drift and diffusion must be resolved by 4096 panels; not so near "),
        ("-x", 1, (-6, 1), r"domain must hold the law; 0.0\d* of the probability lies at the upper end of axis 0, 1$"),
        ("-x", 1, (-1, 6), r"domain must hold the law; 0.0\d* of the probability lies at the lower end of axis 0, -1$"),
        ("log(x)", 1, (-1, 6), r"drift must be finite in the domain; at \(-1\) it is not"),
    ],
)
def test_refused(drift, diffusion, domain, message):
    with pytest.raises(ValueError, match="^" + message):
        solve(drift, diffusion, domain)
