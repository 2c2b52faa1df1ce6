"""Escape by simulation under every kind of noise, against networks whose escape is the same."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.escape.escape_times import escape_times
from tests.escape.test_escape_times import within

GAMMA = 0.1
TANH = CTRNN.single(1.5, 0.0, "tanh", GAMMA)
OPTIONS = {"method": "simulation", "relative_error": 0.03, "rng": 1, "workers": 1}
ROOT = np.sqrt(GAMMA / (2.0 - GAMMA))
VOLTAGE = CTRNN([[1.5]], 0.0, "tanh", GAMMA, form="voltage")
SAME = {
    # v = w h + b for noise outside w σ, and v = w h + b + x with x coloured by the leak
    "voltage": (VOLTAGE, Noise(outside=0.9)),
    "coloured inside": (TANH, Noise(0.9 * ROOT, rho_inside=1.0 - GAMMA)),
    "coloured outside": (TANH, Noise(outside=0.6, rho_outside=1e-9)),
    "gain outside": (TANH, Noise(outside=0.6, gain_outside=1e-9)),
    "alike neurons of a group": (CTRNN([[1.5]], 0.0, ["tanh"], [GAMMA]), Noise(outside=0.6)),
}


@pytest.fixture(scope="module")
def exact():
    return [escape_times(TANH, Noise(outside=sigma)) for sigma in (0.6, 0.54)]


@pytest.mark.parametrize("name", SAME)
def test_the_same_escape(name, exact):
    found = escape_times(*SAME[name], **OPTIONS)
    assert found.converged, found.message
    assert within(found, exact[0])
    assert not within(found, exact[1])  # negative control: less noise by a tenth


def test_gains_and_unlike_neurons_are_as_a_plain_loop_has_them():
    """Times of the first passage into the other core, of trajectories that begin in the middle of their own."""
    net = CTRNN([[1.5, 0.3], [0.0, 0.4]], 0.0, ["tanh", "relu"], [0.2, 0.4])
    noise = Noise(outside=[0.5, 0.0], gain_outside=[0.5, 0.0])
    found = escape_times(net, noise, **OPTIONS)
    assert found.converged, found.message
    rng, lanes = np.random.default_rng(0), 4000
    states = np.array([point.state for point in found.basins])
    h, left, side = np.tile(states[0], (lanes, 1)), np.full(lanes, np.nan), np.sign(states[0, 0])
    for step in range(20_000):
        y = np.tanh(h @ net.W[0]) * (1.0 + 0.5 * rng.standard_normal(lanes)) + 0.5 * rng.standard_normal(lanes)
        h = h + net.gammas * (np.column_stack([y, np.maximum(h @ net.W[1], 0.0)]) - h)
        new = np.isnan(left) & (side * h[:, 0] < -abs(states[1, 0]))
        left[new] = step
        if not np.isnan(left).any():
            break
    assert not np.isnan(left).any()
    error = np.hypot(left.std() / np.sqrt(lanes), found.standard_error[0])
    passage = 5.0 / GAMMA  # steps that the way to the other core takes at most
    assert abs(left.mean() - found.time[0]) < 5 * error + passage
    assert found.time[0] > 10 * passage
