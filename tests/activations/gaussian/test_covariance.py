"""Covariances of f at correlated Gaussian inputs, against quadrature, known kernels and identities."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.covariance import covariance, covariance_matrix
from ctrnn_theory.activations.gaussian.hermite_series import conditioned, hermite_covariance, resolved_edges
from ctrnn_theory.activations.gaussian.steps_and_ramps import ramp_ramp, ramp_step, step_step

STAIRS = "Piecewise((-x/2, x < 1/3), (1 + 2*x, True)) + Max(x + 1, 0)"  # linear pieces, a jump and two kinks
BENT_JUMP = "Piecewise((0, x < 1/5), (1, True)) + tanh(x)"
LINEAR = ["relu", "leaky_relu", "hardtanh", "step", STAIRS]
CURVED = ["tanh", "softplus", "gelu", "sin", "erf", "probit", "elu", "retanh", "relu2", BENT_JUMP]
CORRELATIONS = [0.1, -0.3, 0.6, -0.9, 0.99, -0.9999, 1.0 - 1e-8, 1.0, -1.0]

means = st.floats(-3.0, 3.0)
stds = st.floats(0.05, 3.0)
correlations = st.floats(-1.0, 1.0) | st.sampled_from([-1.0, 0.0, 1.0, 1.0 - 1e-10])

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


def normal_grid(breaks):
    """Return nodes and weights for E g(ξ) on [-10, 10], in panels of width 1/2 that are cut at the breaks."""
    edges = np.unique(np.clip(np.append(np.linspace(-10, 10, 41), breaks), -10, 10))
    half = 0.5 * np.diff(edges)[:, None]
    xi = (edges[:-1, None] + half * (1.0 + NODES)).ravel()
    return xi, (half * WEIGHTS).ravel() * np.exp(-0.5 * xi**2) / np.sqrt(2.0 * np.pi)


def brute(f, m1, m2, s1, s2, r):
    """Return Cov(f(x), f(y)) by two nested quadratures of f itself, broken at its breakpoints."""
    breaks, q = np.array(f.breakpoints), np.sqrt((1.0 - r) * (1.0 + r))
    image = ((breaks - m2) / (s2 * r))[:, None]
    graded = 2.0 ** np.arange(-27.0, 3.0)
    near = [image.ravel(), (image + graded).ravel(), (image - graded).ravel()]
    xi, w = normal_grid(np.concatenate([(breaks - m1) / s1, *near]))
    first = f(m1 + s1 * xi)
    first = first - w @ first
    total = 0.0
    for k in range(xi.size):
        centre = m2 + s2 * r * xi[k]
        if q == 0.0:
            total += w[k] * first[k] * f(centre)
        else:
            eta, v = normal_grid((breaks - centre) / (s2 * q))
            total += w[k] * first[k] * (v @ f(centre + s2 * q * eta))
    return total


def given_normals(a, b, r, first, second, lower):
    """Return E first(ξ₁) E[second | ξ₁] to 30 digits, where first is zero below `lower`."""
    with mp.workdps(30):
        q = mp.sqrt((1 - mp.mpf(r)) * (1 + mp.mpf(r)))
        near = [-mp.mpf(b) / r + sign * q * mp.mpf(2) ** k for k in range(-1, 4) for sign in (-1, 0, 1)]
        points = sorted({mp.mpf(lower), mp.mpf(12)} | {p for p in [*near, *range(-12, 12, 2)] if lower < p < 12})
        return mp.quad(lambda u: mp.npdf(u) * first(u + a) * second(b + r * u, q), points)


def mp_ramp(m, q):
    return m * mp.ncdf(m / q) + q * mp.npdf(m / q) if q > 0 else max(m, mp.mpf(0))


def mp_step(m, q):
    return mp.ncdf(m / q) if q > 0 else mp.mpf(m > 0)


@pytest.mark.parametrize("r", [0.3, -0.8, 0.999, -0.9999999, 1.0])
@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (1.2, 1.2001), (-1.2, 1.3), (-3.0, 0.5), (4.0, -2.0)])
def test_bricks_against_mpmath(a, b, r):
    with mp.workdps(30):
        mass_a, mass_b = mp.ncdf(a), mp.ncdf(b)
        steps = given_normals(a, b, r, lambda x: mp.mpf(1), mp_step, -a) - mass_a * mass_b
        ramps = given_normals(a, b, r, lambda x: x, mp_ramp, -a) - mp_ramp(mp.mpf(a), 1) * mp_ramp(mp.mpf(b), 1)
        mixed = given_normals(a, b, r, lambda x: x, mp_step, -a) - mp_ramp(mp.mpf(a), 1) * mass_b
        expected = [float(steps), float(ramps - mp.mpf(r) * mass_a * mass_b), float(mixed)]
    # rounding of some hundred terms of one sign, and of the thresholds: an ulp of b moves exp(-b²/2) by b² ulps
    np.testing.assert_allclose([step_step(a, b, r), ramp_ramp(a, b, r), ramp_step(a, b, r)], expected, 2e-14, 1e-18)


def test_brick_keeps_its_relative_accuracy_in_the_tail_and_for_tiny_correlations():
    density = np.exp(-0.5 * (8.0**2 + 7.0**2)) / (2.0 * np.pi)
    np.testing.assert_allclose(step_step(8.0, 7.0, 1e-12), 1e-12 * density, rtol=1e-10)  # next term: 1e-12 · 56 / 2
    np.testing.assert_allclose(ramp_ramp(8.0, 7.0, 1e-12), 5e-25 * density, rtol=1e-10)


@pytest.mark.parametrize("r", [0.4, -0.7, 0.95])
def test_relu_against_the_published_formula(r):
    """The formula of Wright et al., arXiv:2403.16163, with the bivariate normal distribution integrated by mpmath."""
    m1, m2, s1, s2 = 0.3, -0.4, 0.8, 1.5
    with mp.workdps(25):
        a, b, q = mp.mpf(m1) / s1, mp.mpf(m2) / s2, mp.sqrt(1 - mp.mpf(r) ** 2)
        both = mp.quad(lambda u: mp.npdf(u) * mp.ncdf((b + r * u) / q), [-a, 0, 2, 5, 12])
        joint = mp.npdf(a) * mp.npdf((b - r * a) / q) / q
        product = (m1 * m2 + r * s1 * s2) * both + m1 * s2 * mp.npdf(b) * mp.ncdf((a - r * b) / q)
        product += m2 * s1 * mp.npdf(a) * mp.ncdf((b - r * a) / q) + s1 * s2 * q**2 * joint
        expected = product - s1 * mp_ramp(a, 1) * s2 * mp_ramp(b, 1)
    assert covariance(activation("relu"), m1, m2, s1, s2, r) == pytest.approx(float(expected), rel=1e-13)


@given(stds, stds, correlations)
def test_relu_of_zero_mean_is_the_arc_cosine_kernel(s1, s2, r):
    """The arc-cosine kernel of Y. Cho and L. K. Saul, NIPS 22, 2009."""
    angle = np.arccos(r)
    expected = s1 * s2 * (np.sqrt(1.0 - r * r) + (np.pi - angle) * r - 1.0) / (2.0 * np.pi)
    assert covariance(activation("relu"), 0.0, 0.0, s1, s2, r) == pytest.approx(expected, abs=1e-15 * s1 * s2 * 10)


@given(stds, stds, correlations)
def test_erf_of_zero_mean_is_the_arc_sine_kernel(s1, s2, r):
    """The kernel of C. K. I. Williams, NIPS 9, 1997."""
    argument = 2.0 * r * s1 * s2 / np.sqrt((1.0 + 2.0 * s1**2) * (1.0 + 2.0 * s2**2))
    expected = 2.0 / np.pi * np.arcsin(argument)
    assert covariance(activation("erf"), 0.0, 0.0, s1, s2, r) == pytest.approx(expected, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("name", LINEAR + CURVED)
def test_against_nested_quadrature(name):
    f, rng = activation(name), np.random.default_rng(1)
    for r in CORRELATIONS[:: 2 if name in CURVED[:6] else 1] if name != STAIRS else CORRELATIONS[1:8:3]:
        m1, m2, s1, s2 = *rng.normal(size=2), *np.exp(0.5 * rng.normal(size=2))
        found, expected = covariance(f, m1, m2, s1, s2, r), brute(f, m1, m2, s1, s2, r)
        assert found == pytest.approx(expected, abs=1e-12 * (1.0 + s1 * s2 * (1.0 + s1 * s2))), (m1, m2, s1, s2, r)


@given(means, means, stds, stds, st.floats(-0.9, 0.9))
def test_series_and_conditioning_agree(m1, m2, s1, s2, r):
    f, m, s = activation("retanh"), np.array([m1, m2]), np.array([s1, s2])
    pair = np.array([0]), np.array([1]), np.array([r])
    series, direct = hermite_covariance(f, m, s, *pair), conditioned(f, m, s, *pair, resolved_edges(f, m, s))
    np.testing.assert_allclose(series, direct, rtol=0.0, atol=1e-13 * (1.0 + s1 * s2))


@pytest.mark.parametrize(("name", "slope"), [("softplus", "sigmoid"), ("relu", "step")])
@given(means, means, stds, stds, st.floats(-0.95, 0.95))
def test_price_theorem(name, slope, m1, m2, s1, s2, r):
    """∂ Cov(f, f)/∂r = s₁s₂ E f' f', integrated over the correlation up to r."""
    f, g = activation(name), activation(slope)
    t = 0.5 * r * (1.0 + NODES)
    slopes = covariance(g, m1, m2, s1, s2, t) + g.smoothed(m1, s1) * g.smoothed(m2, s2)
    expected = s1 * s2 * 0.5 * r * (WEIGHTS @ slopes)  # 24 nodes: the singularity at t = ±1 allows about 1e-9
    assert covariance(f, m1, m2, s1, s2, r) == pytest.approx(expected, abs=1e-9 * s1 * s2)


@pytest.mark.parametrize("name", LINEAR + CURVED)
@given(means, means, stds, stds, correlations)
def test_symmetries(name, m1, m2, s1, s2, r):
    f = activation(name)
    cov = float(covariance(f, m1, m2, s1, s2, r))
    v1, v2 = float(f.smoothed_variance(m1, s1)), float(f.smoothed_variance(m2, s2))
    scale = np.sqrt(v1 * v2)
    assert covariance(f, m2, m1, s2, s1, r) == pytest.approx(cov, abs=1e-12 * (1.0 + s1 * s2))
    assert abs(cov) <= scale * (1.0 + 1e-10) + 1e-13 * (1.0 + s1 * s2)  # Cauchy–Schwarz
    assert covariance(f, m1, m2, s1, s2, 0.0) == 0.0
    assert covariance(f, m1, m1, s1, s1, 1.0) == pytest.approx(v1, abs=1e-12 * (1.0 + s1 * s1))


@given(means, means, stds, stds, correlations, st.floats(0.01, 100.0))
def test_relu_scales(m1, m2, s1, s2, r, c):
    f = activation("relu")
    scaled = covariance(f, c * m1, c * m2, c * s1, c * s2, r)
    assert scaled == pytest.approx(c * c * float(covariance(f, m1, m2, s1, s2, r)), abs=1e-13 * c * c * s1 * s2)


@given(means, means, stds, stds, correlations)
def test_odd_function_reflects(m1, m2, s1, s2, r):
    f = activation("tanh")
    here = float(covariance(f, m1, m2, s1, s2, r))
    assert covariance(f, m1, -m2, s1, s2, -r) == pytest.approx(-here, abs=1e-12)


@given(means, means, stds, stds, correlations)
def test_linear_function_is_exact(m1, m2, s1, s2, r):
    found = covariance(activation("3*x + 2"), m1, m2, s1, s2, r)
    assert found == pytest.approx(9.0 * r * s1 * s2, rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("name", ["tanh", "softplus", "gelu", "elu", "relu", "erf"])
def test_small_noise_keeps_its_relative_accuracy(name):
    """Cov -> r s₁s₂ f'f' (1 + O(s)); with s of 1e-8 the product of means would leave no digit."""
    f, s = activation(name), 1e-8
    expected = 0.5 * s * s * f.derivative(0.7) * f.derivative(1.1)
    assert covariance(f, 0.7, 1.1, s, s, 0.5) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("name", ["softplus", "elu", "relu", "retanh", "tanh", "hardtanh"])
def test_wide_noise(name):
    """At s = 100 and 1e6 the function is its asymptote: a ramp, or a step of height 1 or 2."""
    f = activation(name)
    limit, height = (activation("relu"), 1.0) if name in ("softplus", "elu", "relu") else (activation("step"), 1.0)
    height = 2.0 if name in ("tanh", "hardtanh") else height
    for s in (1e2, 1e6):
        expected = height**2 * float(covariance(limit, 0.0, 0.0, s, s, 0.6))
        assert covariance(f, 0.0, 0.0, s, s, 0.6) == pytest.approx(expected, rel=4.0 / s)


@pytest.mark.parametrize("r", [0.3, -0.7, 0.9999])
def test_kinks_close_together_under_wide_noise(r):
    """hardtanh is a step of height 2 with an edge over [-1, 1], which at s = 1e6 changes the covariance below 1e-11."""
    found = covariance(activation("hardtanh"), 0.0, 0.0, 1e6, 1e6, r)
    assert found == pytest.approx(4.0 * covariance(activation("step"), 0.0, 0.0, 1e6, 1e6, r), rel=1e-9)


def test_sine_of_any_width():
    f = activation("sin")
    assert covariance(f, 0.3, 0.3, 1e6, 1e6, 1.0) == pytest.approx(f.smoothed_variance(0.3, 1e6), rel=1e-14)
    assert covariance(f, 0.3, 1.1, 1e-7, 1e-7, -0.4) == pytest.approx(-4e-15 * np.cos(0.3) * np.cos(1.1), rel=1e-12)
    assert covariance(f, 1e6, 1.1, 1e4, 3e4, 0.5) == 0.0


def random_covariance(rng, n, rank):
    factor = rng.normal(size=(n, rank)) * np.exp(rng.normal(size=(n, 1)))
    return factor @ factor.T


@pytest.mark.parametrize("name", ["relu", "hardtanh", "step", "tanh", "erf", "elu", STAIRS])
@pytest.mark.parametrize("rank", [1, 2, 6])
def test_matrix_is_symmetric_and_semidefinite(name, rank):
    f, rng = activation(name), np.random.default_rng(rank)
    mean, S = rng.normal(size=6), random_covariance(rng, 6, rank)
    C = covariance_matrix(f, mean, S)
    np.testing.assert_array_equal(C, C.T)
    np.testing.assert_array_equal(np.diag(C), f.smoothed_variance(mean, np.sqrt(np.diag(S))))
    # a rounded correlation of 1 is off by an ulp; a jump's covariance feels its square root
    jumps = any(k.value_jump for k in f.kinks)
    assert np.linalg.eigvalsh(C)[0] >= -(1e-7 if jumps else 1e-12) * np.trace(C)
    np.testing.assert_allclose(C[0, 1], covariance(f, *mean[:2], *np.sqrt(np.diag(S)[:2]), corr(S, 0, 1)), rtol=1e-12)


def corr(S, i, j):
    return np.clip(S[i, j] / np.sqrt(S[i, i]) / np.sqrt(S[j, j]), -1.0, 1.0)


@pytest.mark.parametrize("name", ["relu", "tanh", "erf", "step", STAIRS])
def test_no_noise_no_covariance(name):
    f = activation(name)
    np.testing.assert_array_equal(covariance(f, [0.0, 1.0], 0.5, [0.0, 1.0], [1.0, 0.0], 0.5), 0.0)
    C = covariance_matrix(f, [0.1, 0.2], [[0.0, 0.0], [0.0, 1.0]])
    assert C[0, 0] == C[0, 1] == C[1, 0] == 0.0
    assert C[1, 1] > 0.0


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_arguments_broadcast(name):
    f = activation(name)
    m, r = np.linspace(-1, 1, 3)[:, None], np.linspace(-0.9, 0.9, 4)
    table = covariance(f, m, 0.2, 1.0, 0.5, r)
    assert table.shape == (3, 4)
    assert table[2, 1] == pytest.approx(float(covariance(f, 1.0, 0.2, 1.0, 0.5, r[1])), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0, 1.0, 1.0, 1.5), r"correlation must be in \[-1, 1\]; got 1.5"),
        ((0.0, 0.0, -1.0, 1.0, 0.5), "std_x must be at least 0; got -1.0"),
        ((0.0, np.nan, 1.0, 1.0, 0.5), "mean_y must be finite; got nan"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        covariance(activation("relu"), *arguments)


def test_matrix_refusals():
    with pytest.raises(ValueError, match="S must have shape"):
        covariance_matrix(activation("relu"), [0.0, 1.0], np.eye(3))
    with pytest.raises(ValueError, match="variances of at least 0"):
        covariance_matrix(activation("relu"), [0.0, 1.0], [[1.0, 0.0], [0.0, -1.0]])


def test_steep_function_is_resolved():
    """tanh(k(x - 1/3)) differs from its limit, a jump, by the O(1/k²) of a smooth density's average over its width."""
    found = covariance(activation("tanh(2000*(x - 1/3))"), 0.1, 0.2, 1.0, 1.0, [0.5, 0.99])
    limit = covariance(activation("2*Heaviside(x - 1/3) - 1"), 0.1, 0.2, 1.0, 1.0, [0.5, 0.99])
    np.testing.assert_allclose(found, limit, atol=1e-5)


def test_function_too_fine_to_resolve_is_refused():
    with pytest.raises(ValueError, match="activation must vary on scales that quadrature resolves"):
        covariance(activation("tanh(10000000*(x - 1/3))"), 0.1, 0.2, 1.0, 1.0, 0.5)
