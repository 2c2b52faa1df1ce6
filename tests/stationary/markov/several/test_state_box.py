"""The box of the exact law of two and three neurons: its bounds, and the attractors that it holds."""

import numpy as np

from ctrnn_theory.dynamics.fixed_points import fixed_points
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.several.chain import solve_several
from ctrnn_theory.stationary.markov.several.operator import NetworkStep
from ctrnn_theory.stationary.markov.several.state_box import clip, first_box, widen

BISTABLE = CTRNN(1.5 * np.eye(2), 0.0, "tanh", 0.1)


def test_a_box_is_no_larger_than_what_the_law_reaches():
    """The bound is the law itself for an f that is constant where the state is."""
    net = CTRNN(np.zeros((2, 2)), [50.0, -50.0], "tanh", 0.2)
    chain = solve_several(net, Noise(outside=0.5), net.b, np.zeros(2), 1e-8)
    std = 0.5 * np.sqrt(0.2 / 1.8)
    assert np.allclose(np.sqrt(np.diag(chain.covariance)), std, rtol=1e-8)
    low, high = clip(chain.step, np.full(2, -9.0), np.full(2, 9.0))
    assert np.allclose([low, high], np.array([1.0, -1.0]) + 8.5 * std * np.array([[-1.0], [1.0]]), rtol=1e-12)
    assert np.all(chain.grid.low >= low - 1e-12)
    assert np.all(chain.grid.high <= high + 1e-12)


def test_two_attractors_get_a_box_of_their_own():
    """Each inhibits the other, f is unbounded, and one Gaussian about both attractors reaches to 18."""
    net, noise = CTRNN([[0.5, -2.0], [-2.0, 0.5]], 1.0, "softplus", 0.2), Noise(outside=0.8)
    step = NetworkStep(net.activation, net.W, net.b, net.gamma, np.zeros((2, 2)), noise.covariance("outside", 2))
    _, landscape, _, high = first_box(net, noise, np.zeros(2), step)
    stable = [point.state for point in fixed_points(net) if point.stable]
    assert len(stable) == 2
    assert np.all(np.max(stable, axis=0) < high)
    assert np.all(high < 8.0)
    assert np.all(landscape.high < 8.0)


def test_a_box_with_a_way_out_takes_in_all_attractors():
    noise = Noise(outside=0.3)
    chain = solve_several(BISTABLE, Noise(outside=0.15), BISTABLE.b, np.full(2, 0.9), 1e-4)
    step, landscape, low, high = first_box(BISTABLE, noise, np.full(2, 0.9), chain.step)
    assert landscape.held(low, high) == 1
    assert len(landscape.points) == 9
    leak = np.zeros((2, 2))
    assert np.array_equal(widen(step, landscape, low, high, leak), [low, high])
    leak[0, 0] = 1e-9
    wide = widen(step, landscape, low, high, leak)
    assert wide[0][0] < low[0]
    assert wide[0][1] == low[1]
    assert landscape.held(*wide) == 1
    leak[:, 0] = 1e-3
    assert landscape.held(*widen(step, landscape, low, high, leak)) == 9
