"""Many single neurons at once, against one network at a time."""

import numpy as np
import pytest

from ctrnn_theory import Divergence
from ctrnn_theory.activations import activation
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons, slopes
from ctrnn_theory.dynamics.settle import follow
from ctrnn_theory.dynamics.step import Step

ACTIVATIONS = ["relu", "tanh", "gelu", "elu", "sin", "erf", "leaky_relu", "hardtanh", "softplus"]


def neurons_of(text, w, b, gamma=0.1, inside=0.1):
    w, b = np.broadcast_arrays(np.asarray(w, dtype=float), b)
    return Neurons(activation(text), w, b, *(np.full(w.shape, x) for x in (gamma, inside, 0.0)))


@pytest.mark.parametrize("text", [*ACTIVATIONS, "sigmoid", "x/(1+x**2)"])
def test_results_do_not_depend_on_the_batch(text):
    """To the last bit, since the methods for one network must find the same noise-free states."""
    w, b = (x.ravel() for x in np.meshgrid(np.linspace(-0.9, 0.9, 61), np.linspace(-1.0, 1.0, 7)))
    neurons = neurons_of(text, w, b)
    whole = settle_neurons(neurons).state
    order = np.random.default_rng(0).permutation(w.size)
    for size in (1, 5, 64):
        for first in range(0, w.size, 7 * size):
            some = order[first : first + size]
            assert np.array_equal(settle_neurons(neurons[some]).state, whole[some])


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("text", ["relu", "tanh", "softplus", "hardtanh"])
def test_each_settles_as_a_network_of_one_does(text, smoothed):
    rng = np.random.default_rng(1)
    neurons = neurons_of(text, rng.uniform(-2.0, 2.0, 40), rng.normal(size=40), 0.2, 0.3)
    ends = settle_neurons(neurons, neurons.inside if smoothed else None)
    assert ends.settled.mean() > 0.5
    for i in range(neurons.size):
        W, b, std = np.array([[neurons.w[i]]]), neurons.b[i : i + 1], 0.3 * smoothed
        if i in ends.growing:
            with pytest.raises(Divergence, match="passes 1e"):
                follow(Step.in_rates(neurons.f, std, W, b, 0.2), np.zeros(1))
        elif ends.settled[i]:
            end = follow(Step.in_rates(neurons.f, std, W, b, 0.2), np.zeros(1))
            assert end.stable
            assert end.state[0] == pytest.approx(ends.state[i], rel=1e-10, abs=1e-12)


def test_slopes_bound_those_of_the_smoothing():
    a = np.linspace(-8.0, 8.0, 301)
    for text in ACTIVATIONS:
        f = activation(text)
        low, high = slopes(f)
        for s in (0.0, 0.3, 2.0):
            slope = f.smoothed(a, s, 1)
            assert low - 1e-12 <= slope.min()
            assert slope.max() <= high + 1e-12
    assert slopes(activation("step")) == (0.0, np.inf)
    assert slopes(activation("x**2")) == (-np.inf, np.inf)
