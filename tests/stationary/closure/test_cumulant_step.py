"""One step at the third cumulant: exact from a Gaussian state, of first order in the cumulants from a skewed one."""

import mpmath as mp
import numpy as np
import pytest

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import predict
from ctrnn_theory.stationary.closure.cumulant_step import CumulantClosure, Kick
from ctrnn_theory.stationary.closure.cumulants import Cumulants, linear_response, transform_axes
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.own_cumulants import own_cumulants
from ctrnn_theory.support.errors import NotApplicable

W, B = np.array([[0.5, -0.9], [0.7, 0.3]]), np.array([0.3, -0.2])
ROOT = np.array([[0.4, 0.0], [-0.2, 0.3]])
MEAN = np.array([0.3, -0.4])


def cumulants(weight, h):
    """Mean, covariance and third cumulants of states h (Q, N) with weights (Q,)."""
    mean = weight @ h
    d = h - mean
    return Cumulants(mean, np.einsum("q,qi,qj->ij", weight, d, d), np.einsum("q,qi,qj,qk->ijk", weight, d, d, d))


def grid(count, dimensions):
    """Gauss–Hermite nodes (Q, dimensions) and weights (Q,)."""
    x, w = np.polynomial.hermite_e.hermegauss(count)
    nodes = np.stack(np.meshgrid(*[x] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    weights = np.prod(np.stack(np.meshgrid(*[w] * dimensions, indexing="ij")), axis=0).ravel()
    return nodes, weights / (2.0 * np.pi) ** (dimensions / 2)


@pytest.mark.parametrize("gamma", [0.2, 1.0])
def test_one_step_of_a_parabola_from_a_gaussian_state_is_exact(gamma):
    """f = x + x²/4: nothing is beyond second order in the correlations, common noise and all."""
    net = CTRNN(W, B, "x + x**2/4", gamma)
    noise = Noise(inside=[[0.3, 0.1], [0.2, 0.2]], outside=[[0.2], [0.3]])
    z, weight = grid(5, 5)  # exact for polynomials of degree 9; the third power of f has 6
    h = MEAN + z[:, :2] @ ROOT.T
    f = net.activation(h @ W.T + B + z[:, 2:4] @ noise.factor("inside", 2).T)
    expected = cumulants(weight, (1.0 - gamma) * h + gamma * (f + z[:, 4:] @ noise.factor("outside", 2).T))
    found = CumulantClosure.of(net, noise).step(Moments(MEAN, ROOT @ ROOT.T)[None])[0]
    for name in ("mean", "covariance", "third"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["sin", "softplus"])
def test_one_step_from_a_skewed_state_is_of_first_order(name):
    """h = m + R (ζ + c (ζ² - 1)) has third cumulants in c: what is left falls as c²."""
    z, weight = grid(20, 4)
    noise = Noise(inside=[0.3, 0.2])
    net = CTRNN(W, B, name, 1e-4)  # the terms in γ, which κ enters: what it adds to those in γ² is left out
    errors, gaussian = [], []
    for c in (0.04, 0.02):
        h = MEAN + (z[:, :2] + c * (z[:, :2] ** 2 - 1.0)) @ (2.0 * ROOT.T)
        before = cumulants(weight, h)
        x = h @ W.T + B + z[:, 2:] @ noise.factor("inside", 2).T
        after = cumulants(weight, (1.0 - net.gamma) * h + net.gamma * net.activation(x))
        found, plain = (kind.of(net, noise).step(before[None])[0] for kind in (CumulantClosure, GaussianClosure))
        names = ("mean", "covariance", "third")
        errors.append([np.max(np.abs(getattr(found, n) - getattr(after, n))) / net.gamma for n in names])
        gaussian.append([np.max(np.abs(getattr(plain, n) - getattr(after, n))) / net.gamma for n in names[:2]])
    ratio = np.divide(*errors)
    assert np.all(ratio > 3.5)  # 4, less what is of third order
    assert np.all(np.divide(*gaussian) < 2.5)  # negative control: without κ it falls as c


@pytest.mark.parametrize("name", ["sin", "softplus"])
def test_kicks_are_of_second_order_in_the_correlations(name):
    """Three neurons with common noise: what is left falls as the cube of the correlation."""
    net, a = CTRNN(np.zeros((3, 3)), 0.0, name), np.array([0.5, -0.8, 0.2])
    z, weight = grid(20, 3)
    errors = []
    for r in (0.2, 0.1):
        S = np.array([[1.0, r, -r], [r, 1.0, 0.5 * r], [-r, 0.5 * r, 1.0]]) * 0.64
        x = a + z @ np.linalg.cholesky(S).T
        closure = CumulantClosure.of(net, Noise())
        F = [net.activation.smoothed(a, 0.8, n) for n in range(4)]
        own = own_cumulants(net.activation, a, np.full(3, 0.8))
        kick = closure.kick(S[None], [value[None] for value in F], own[:, None])
        Z, slope, found = net.activation(x) - F[0], net.activation.derivative(x), Kick(kick.slope[0], kick.third[0])
        P, T = np.einsum("q,qk,qj->jk", weight, Z, slope), np.einsum("q,qi,qj,qk->ijk", weight, Z, Z, Z)
        off, pairs = ~np.eye(3, dtype=bool), [(0, 0, 1), (0, 1, 0), (2, 1, 1), (2, 2, 0), (0, 1, 2), (2, 0, 1)]
        miss = [abs(found.third[index] - T[index]) for index in pairs]
        errors.append([np.max(np.abs(found.slope - P)[off]), max(miss[:4]), max(miss[4:])])
        np.testing.assert_allclose(np.diag(found.slope), np.diag(P), atol=1e-10)
    assert np.all(np.divide(*errors) > 6.0)  # 8, less what is of fourth order


def test_linear_network_forgets_its_skewness_as_it_should():
    net, third = CTRNN(W, B, "identity", 0.3), np.einsum("ia,ja,ka->ijk", ROOT, ROOT, ROOT)
    found = CumulantClosure.of(net, Noise(inside=0.5)).step(Cumulants(MEAN, ROOT @ ROOT.T, third)[None])[0]
    A = 0.7 * np.eye(2) + 0.3 * W
    np.testing.assert_allclose(found.third, transform_axes(A[None], third[None])[0], rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_linear_response(dimensions):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3, 3))
    A *= 0.95 / np.max(np.abs(np.linalg.eigvals(A)))
    root = rng.normal(size=(2, 3, 3))
    before, after = (np.einsum("ai,bi,ci->abc" if dimensions == 3 else "ai,bi->ab", *[R] * dimensions) for R in root)
    X = linear_response(A[None], after[None], before[None])[0]
    moved, gone = (transform_axes(A[None], state[None])[0] for state in (X, before))
    np.testing.assert_allclose(X - moved, after - gone, atol=1e-12 * np.max(np.abs(X)))
    index = "ai,bj,ck,ijk->abc" if dimensions == 3 else "ai,bj,ij->ab"
    np.testing.assert_allclose(moved, np.einsum(index, *[A] * dimensions, X), atol=1e-13 * np.max(np.abs(X)))
    jordan = np.array([[0.9, 1.0], [0.0, 0.9]])  # it has too few eigenvectors to be diagonalised
    X = linear_response(jordan[None], np.eye(2)[None], np.zeros((1, 2, 2)))[0]
    np.testing.assert_allclose(X, np.eye(2) + jordan @ X @ jordan.T, rtol=1e-12)


FUNCTIONS = {
    "relu": (lambda x: max(x, mp.mpf(0)), [0]),
    "hardtanh": (lambda x: max(min(x, mp.mpf(1)), mp.mpf(-1)), [-1, 1]),
    "tanh": (mp.tanh, []),
    "step": (lambda x: mp.mpf(x > 0), [0]),
    "sin": (mp.sin, []),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_own_cumulants(name):
    """Cov(f, f') = (Var f)'/2, E (Z²)'' and E Z³, by mpmath."""
    f, kinks = FUNCTIONS[name]
    for a, s in ((0.3, 0.5), (-1.2, 2.0), (0.9, 0.05)):

        def expect(g, a=a, s=s):
            ends = sorted({mp.mpf(k - a) / s for k in kinks} | {mp.mpf(k) for k in (-12, -6, -3, 0, 3, 6, 12)})
            return mp.quad(lambda z: g(f(a + s * z), z) * mp.npdf(z), ends)

        F = expect(lambda y, z: y)
        third = expect(lambda y, z, F=F: (y - F) ** 3)
        slope = expect(lambda y, z, F=F, s=s: (y - F) ** 2 * z / (2 * s))
        bend = expect(lambda y, z, F=F, s=s: (y - F) ** 2 * (z * z - 1) / s**2)
        found = own_cumulants(activation(name), np.array([a]), np.array([s]))
        np.testing.assert_allclose(found[:, 0], [float(v) for v in (slope, bend, third)], rtol=1e-9, atol=1e-13)
        h = 1e-4 * s  # the identity that Cov(f, f') rests on, by a difference of the variance
        low, high = activation(name).smoothed_variance([a - h, a + h], s)
        np.testing.assert_allclose(found[0][0], (high - low) / (4.0 * h), rtol=1e-5, atol=1e-12)


def test_own_cumulants_of_a_sine_far_away():
    """Periods do not matter, and no digits are lost for little noise, where E Z³ = -3 s⁴ sin a cos² a."""
    turns, s = 2.0 * np.pi * 1e5, np.array([0.3])
    near, far = (own_cumulants(activation("sin"), np.array([a]), s) for a in (0.7, 0.7 + turns))
    np.testing.assert_allclose(far, near, rtol=1e-9)
    small = own_cumulants(activation("sin"), np.array([0.7]), np.array([1e-5]))[:, 0]
    expected = [-np.sin(1.4) / 2 * 1e-10, 2 * np.cos(0.7) ** 2, -3e-20 * np.sin(0.7) * np.cos(0.7) ** 2]
    np.testing.assert_allclose(small, expected, rtol=1e-9)


def test_what_quadrature_cannot_resolve_is_a_refusal():
    with pytest.raises(NotApplicable, match=r"activation must be resolved by 32768 panels .* got 'sin\(11\*x/10\)'"):
        predict(CTRNN.single(-300.0, 0.0, "sin(1.1*x)", 1.0), Noise(2e5), method="cumulant_closure")


def test_skewness():
    law = Cumulants(np.zeros(2), np.diag([4.0, 0.0]), np.zeros((2, 2, 2)))
    law.third[0, 0, 0] = 2.0
    np.testing.assert_allclose(law.skewness, [0.25, 0.0])


def test_large_networks_are_refused():
    with pytest.raises(NotApplicable, match="the third cumulants are for 64 neurons at most; the network has 65"):
        CumulantClosure.of(CTRNN(np.eye(65), 0.0), Noise())


def test_neighbours_in_a_batch_do_not_matter():
    """Neither in a step nor in a relaxation, where one network of the batch is unstable."""
    rng = np.random.default_rng(7)
    nets = [
        CTRNN(scale * W, rng.normal(size=2), "tanh", gamma) for scale, gamma in ((0.4, 0.1), (0.3, 1.0), (9.0, 0.4))
    ]
    each = [CumulantClosure.of(net, Noise(inside=[0.3, 0.1], outside=0.2)) for net in nets]
    arrays = (np.concatenate([getattr(c, n) for c in each]) for n in ("W", "gamma", "drive", "inside", "outside"))
    third = np.einsum("ia,ja,ka->ijk", ROOT, ROOT, ROOT)
    state = Cumulants(MEAN, ROOT @ ROOT.T, third)[None]
    three = Cumulants(*(np.repeat(getattr(state, name), 3, axis=0) for name in ("mean", "covariance", "third")))
    whole, (relaxed, good) = (lambda c: (c.step(three), c.relax(three)))(CumulantClosure(each[0].f, *arrays))
    assert good.tolist() == [True, True, False]
    for i, closure in enumerate(each):
        alone, (goal, known) = closure.step(state), closure.relax(state)
        assert known[0] == good[i]
        for name in ("mean", "covariance", "third"):
            np.testing.assert_allclose(getattr(whole, name)[i], getattr(alone, name)[0], rtol=1e-13, atol=1e-15)
            if good[i]:
                np.testing.assert_allclose(getattr(relaxed, name)[i], getattr(goal, name)[0], rtol=1e-11, atol=1e-13)
