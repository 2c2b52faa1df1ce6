"""The linear response of the closure against central differences of its fixed points."""

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.analysis.devices.chips import Chips
from ctrnn_theory.analysis.devices.derivatives import Derivatives
from ctrnn_theory.analysis.devices.response import Along, ClosureResponse, RestResponse, directions
from ctrnn_theory.analysis.devices.spread import NOMINAL, Shapes

N, U = 4, np.array([[0.3, -0.4]])
STEP = 2e-3
"""Step of the differences, whose error is of its fourth power, and that of rounding over its second."""


def network(f, seed=0):
    rng = np.random.default_rng(seed)
    return ct.CTRNN(0.4 * rng.normal(size=(N, N)), 0.5 * rng.normal(size=N), f, 0.3, rng.normal(size=(N, 2)))


def shifted(theta):
    return Shapes(*np.moveaxis(np.array(NOMINAL)[:, None] + theta, 1, 0))


def differences(at, theta, middle):
    """First and second derivatives at 0 of a function of directions, by five points."""
    low, left, right, high = (at(k * STEP * theta) for k in (-2.0, -1.0, 1.0, 2.0))
    first = (low - 8.0 * left + 8.0 * right - high) / (12.0 * STEP)
    return first, (-low + 16.0 * left - 30.0 * middle + 16.0 * right - high) / (12.0 * STEP**2)


NOISES = {
    "inside": ct.Noise(inside=0.6),
    "both": ct.Noise(inside=[0.4, 0.5, 0.6, 0.7], outside=0.2),
    "correlated": ct.Noise(inside=0.5 * np.eye(N) + 0.1, outside=0.1),
}


@pytest.mark.parametrize("f", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("kind", NOISES)
def test_closure_response_is_that_of_its_fixed_points(f, kind):
    net, noise = network(f), NOISES[kind]
    nominal = Chips.of(net, noise)
    laws = nominal.laws(U)
    m, V = laws.mean[0, 0], laws.covariance[0, 0]
    S = noise.covariance("inside", N) + net.W @ V @ net.W.T
    response = ClosureResponse.of(net.activation, net.W, net.gamma, net.preactivation(m, U[0]), S, V)
    rng = np.random.default_rng(1)
    theta = np.concatenate([np.eye(4 * N).reshape(-1, 4, N)[:: N - 1], rng.normal(size=(3, 4, N)) / 4.0])
    x = response.along(theta)
    second = response.solve(*response.second(x))

    def at(moved):
        found = Chips.of(net, noise, shifted(moved)).laws(U, laws)
        assert found.good.all()
        return np.concatenate([found.mean[:, 0], found.covariance[:, 0].reshape(len(moved), -1)], axis=1)

    wanted = differences(at, theta, np.concatenate([m, V.ravel()]))
    found = [np.concatenate([mean, X.reshape(len(X), -1)], axis=1) for mean, X in ((x.mean, x.covariance), second)]
    size = [np.abs(one).max() for one in wanted]
    # fifth and sixth derivatives are up to a thousand times as large as the first two; fixed points are good to 1e-11
    assert np.abs(found[0] - wanted[0]).max() < 1e3 * STEP**4 * size[0] + 1e-11 / STEP
    assert np.abs(found[1] - wanted[1]).max() < 1e3 * STEP**4 * size[1] + 1e-10 / STEP**2
    assert np.abs(found[1] - 0.9 * wanted[1]).max() > 1e3 * STEP**4 * size[1] + 1e-10 / STEP**2  # negative control


def test_rest_response_is_that_of_the_fixed_point():
    net = network("tanh")
    nominal = Chips.of(net, ct.Noise()).quiet()
    laws = nominal.laws(U)
    h, f = laws.mean[0, 0], net.activation
    a = net.preactivation(h, U[0])
    response = RestResponse(net.W, a, np.array([f(a), f.derivative(a), f.derivative(a, 2)]))
    theta = np.random.default_rng(2).normal(size=(5, 4, N)) / 4.0
    first = response.along(theta)
    second = response.solve(response.second(theta, first))

    def at(moved):
        return Chips.of(net, ct.Noise(), shifted(moved)).laws(U, laws).mean[:, 0]

    wanted = differences(at, theta, h)
    assert np.abs(first - wanted[0]).max() < 1e3 * STEP**4 * np.abs(first).max() + 1e-11 / STEP
    assert np.abs(second - wanted[1]).max() < 1e3 * STEP**4 * np.abs(second).max() + 1e-10 / STEP**2


@pytest.mark.parametrize("f", ["tanh", "relu", "gelu"])
def test_derivatives_of_covariances(f):
    rng = np.random.default_rng(3)
    a, L = rng.normal(size=N), 0.5 * np.eye(N) + 0.15 * rng.normal(size=(N, N))
    S = L @ L.T
    at = Derivatives.of(ct.activation(f), a, S)
    a1, X = rng.normal(size=N), rng.normal(size=(N, N)) / 4.0
    S1 = X + X.T

    def path(t, a=a, S=S):
        return covariance_matrix(ct.activation(f), a + t[0, 0] * a1, S + t[0, 0] * S1)[None]

    first, second = differences(path, np.ones((1, 1)), path(np.zeros((1, 1))))
    a, S = (a1[None], np.zeros((1, N))), (S1[None], np.zeros((1, N, N)))
    np.testing.assert_allclose(at.covariance_first(a[0], S[0]), first, atol=1e-8)
    np.testing.assert_allclose(at.covariance_second(a, S), second, atol=1e-6)  # covariances are good to 1e-12


def test_arguments_that_are_all_but_equal_are_refused():
    S = np.array([[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ct.NotApplicable, match="a correlation of 1 between neurons"):
        Derivatives.of(ct.activation("relu"), np.zeros(2), S)


def test_a_source_of_nothing_gives_nothing():
    response = ClosureResponse.of(ct.activation("tanh"), np.eye(2) * 0.5, 0.1, np.zeros(2), np.eye(2), np.zeros((2, 2)))
    mean, V = response.solve(np.zeros((1, 2)), np.zeros((1, 2, 2)))
    assert not mean.any()
    assert not V.any()
    still = response.first(Along(np.zeros((1, 4, 2)), mean, V))
    assert not still[0].any()
    assert not still[1].any()


def test_directions_are_those_that_are_spread():
    std = ct.Spread(gain=[0.1, 0.0], offset=0.2).std(2)
    parts = list(directions(std, 1 << 19))  # two at once
    assert [len(part) for part in parts] == [2, 1]
    np.testing.assert_array_equal(np.sum(np.concatenate(parts), axis=0), std)
