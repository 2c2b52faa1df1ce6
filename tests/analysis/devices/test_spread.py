"""Shapes of activations, and the network of the nominal activation that does what a device does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.analysis.devices.spread import PARAMETERS, Shapes


def drawn(seed, n=4):
    rng = np.random.default_rng(seed)
    W, b = 0.4 * rng.normal(size=(n, n)), rng.normal(size=n)
    net = ct.CTRNN(W, b, "tanh", 0.3, rng.normal(size=(n, 2)), rng.normal(size=(1, n)), [0.2])
    spread = ct.Spread(scale=0.2, gain=0.3, threshold=0.5, offset=[0.1, 0.2, 0.3, 0.0])
    return net, spread.draw(n, 3, rng), rng


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_absorbed_network_takes_the_steps_of_the_device(seed):
    """A loop over the definition, on the same variates."""
    net, shapes, rng = drawn(seed)
    s, g, c, o = (getattr(shapes[0], name) for name in PARAMETERS)
    noise = ct.Noise(inside=rng.normal(size=(4, 3)), outside=0.3)
    there, felt = shapes[0].absorbed(net, noise)
    u, h = rng.normal(size=2), rng.normal(size=4)
    y = (h - o) / s
    for _ in range(5):
        xi, eta = rng.normal(size=3), rng.normal(size=4)
        a = net.W @ h + net.W_in @ u + net.b + noise.inside @ xi
        h = 0.7 * h + 0.3 * (s * np.tanh(g * (a - c)) + o + 0.3 * eta)
        y = 0.7 * y + 0.3 * (np.tanh(there.preactivation(y, u) + felt.inside @ xi) + felt.outside @ eta)
    np.testing.assert_allclose(shapes[0].state(y), h, atol=1e-12 * (1.0 + np.abs(h).max() + np.abs(1.0 / s).max()))
    np.testing.assert_allclose(there.output(y), net.output(h), rtol=1e-10, atol=1e-10)


def test_absorbed_network_has_the_law_of_neurons_that_differ():
    """The package takes an activation for each neuron too, by another map of the closure."""
    net, shapes, _ = drawn(3)
    one, noise, u = shapes[1], ct.Noise(inside=0.4, outside=0.1), [0.3, -0.2]
    rows = np.array([getattr(one, name) for name in PARAMETERS]).T.tolist()
    texts = [f"{s!r}*tanh({g!r}*(x - ({c!r}))) + ({o!r})" for s, g, c, o in rows]
    other = ct.CTRNN(net.W, net.b, texts, net.gamma, net.W_in, net.W_out, net.b_out)
    wanted, found = ct.predict(other, noise, u), ct.predict(*one.absorbed(net, noise), u)
    np.testing.assert_allclose(one.state(found.mean), wanted.mean, atol=1e-9)
    np.testing.assert_allclose(np.outer(one.scale, one.scale) * found.covariance, wanted.covariance, atol=1e-9)


def test_more_devices_begin_with_those_of_fewer():
    few, many = (ct.Spread.of(0.1).draw(3, count, np.random.default_rng(1)) for count in (2, 5))
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:2])


def test_draws_have_the_standard_deviations():
    spread, count = ct.Spread(scale=0.1, gain=[0.2, 0.3], threshold=0.4), 4000
    shapes = spread.draw(2, count, np.random.default_rng(0))
    for name, wanted, centre in zip(PARAMETERS, spread.std(2), (1.0, 1.0, 0.0, 0.0), strict=True):
        values = getattr(shapes, name)
        assert np.all(np.abs(values.mean(axis=0) - centre) <= 5.0 * wanted / np.sqrt(count))
        assert np.all(np.abs(values.std(axis=0) - wanted) <= 5.0 * wanted / np.sqrt(2.0 * count))


def test_scaled():
    assert ct.Spread(gain=[0.1, 0.2], offset=0.3).scaled(2.0).to_dict() == {
        "scale": 0.0, "gain": [0.2, 0.4], "threshold": 0.0, "offset": 0.6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": -0.1}, "scale must be at least 0, a standard deviation; got -0.1"),
        ({"gain": [[0.1]]}, r"gain must be a scalar or an array \(N,\); got shape \(1, 1\)"),
        ({"threshold": np.nan}, "threshold must be finite"),
    ],
)
def test_bad_spreads(arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.Spread(**arguments)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="gain must be one number, or one for each of the 2 neurons; got 3"):
        ct.Spread(gain=[0.1, 0.1, 0.1]).std(2)
    one = Shapes(*np.array([[0.0], [1.0], [0.0], [0.0]]))
    with pytest.raises(ValueError, match="scale must not be zero"):
        one.absorbed(ct.CTRNN.single(w=0.5), ct.Noise(inside=0.5))
    for noise in (ct.Noise(gain_inside=0.1), ct.Noise.dropout(0.5)):
        with pytest.raises(ct.NotApplicable, match="devices does not take multiplicative noise"):
            one.absorbed(ct.CTRNN.single(w=0.5), noise)
