"""Recorded paths: shapes, times, the noise-free map, the readout, what is refused."""

import numpy as np
import pytest

from ctrnn_theory.integrators import simulate
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

NET = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], "tanh", 0.2, W_in=[[1.0], [0.0]], W_out=[[1.0, 2.0]], b_out=[3.0])


def test_no_noise_is_the_deterministic_iteration():
    path = simulate(NET, Noise(), [0.4], steps=60, trajectories=3, start=[1.0, -1.0])
    h = np.array([1.0, -1.0])
    for row in path.h:
        np.testing.assert_allclose(row, np.tile(h, (3, 1)), rtol=1e-13, atol=1e-14)
        h = 0.8 * h + 0.2 * np.tanh(NET.preactivation(h, [0.4]))


def test_shapes_and_times():
    path = simulate(NET, Noise(inside=0.1), steps=17, trajectories=70, record_every=5)
    assert path.h.shape == (4, 70, 2)
    np.testing.assert_allclose(path.time, [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(path.output, path.h @ [[1.0], [2.0]] + 3.0)
    dense = simulate(NET, Noise(inside=0.1), steps=17, trajectories=2)
    assert np.array_equal(path.h[:, :2], dense.h[::5])


def test_same_seed_same_path():
    paths = [
        simulate(NET, Noise(inside=0.1), steps=9, trajectories=130, rng=rng, workers=workers).h
        for rng, workers in ((3, 1), (3, 2), (np.random.SeedSequence(3), None), (4, 1))
    ]
    assert np.array_equal(paths[0], paths[1])
    assert np.array_equal(paths[0], paths[2])
    assert not np.array_equal(paths[0], paths[3])


def test_input_in_time_acts_from_its_step_on():
    u = np.zeros((10, 1))
    u[4:] = 1.0
    constant, switched = (simulate(NET, Noise(inside=0.1), given, 10).h for given in ([0.0], u))
    assert np.array_equal(constant[:5], switched[:5])
    assert np.all(constant[5:, 0, 0] < switched[5:, 0, 0])


def test_a_state_that_runs_away_is_recorded():
    net = CTRNN.single(w=3.0, b=1.0, activation="relu2", gamma=0.5)
    assert not np.all(np.isfinite(simulate(net, Noise(), steps=100).h))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"steps": 2.0}, "steps must be an integer of at least 1; got 2.0"),
        ({"trajectories": 0}, "trajectories must be an integer of at least 1; got 0"),
        ({"record_every": -1}, "record_every must be an integer of at least 1; got -1"),
        ({"u": np.zeros((5, 1))}, r"u must have shape \(1000, 1\); got \(5, 1\)"),
        ({"u": np.zeros((1000, 2))}, r"u must have shape \(1000, 1\); got \(1000, 2\)"),
        ({"u": np.zeros((2, 1000, 1))}, "u must have shape"),
        ({"start": [1.0]}, "start must have shape"),
        ({"rng": "seed"}, "rng must be"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=r"^" + message):
        simulate(NET, Noise(inside=0.1), **options)


def test_no_readout_no_output():
    path = simulate(CTRNN.single(0.5), Noise(inside=0.1), steps=2)
    with pytest.raises(ValueError, match=r"^net must have W_out"):
        _ = path.output
    with pytest.raises(ValueError, match=r"^u must be None"):
        simulate(CTRNN.single(0.5), Noise(inside=0.1), np.zeros((3, 1)), steps=3)


def test_each_trajectory_may_have_its_own_start():
    starts = np.random.default_rng(0).normal(size=(130, 2))  # more than two blocks of 64
    path = simulate(NET, Noise(), steps=5, trajectories=130, start=starts)
    assert np.array_equal(path.h[0], starts)
    for k in (0, 63, 64, 129):
        alone = simulate(NET, Noise(), steps=5, start=starts[k])
        assert np.array_equal(path.h[:, k], alone.h[:, 0])
    noisy = simulate(NET, Noise(inside=0.1), steps=5, trajectories=130, start=np.tile(starts[0], (130, 1)))
    assert np.array_equal(noisy.h, simulate(NET, Noise(inside=0.1), steps=5, trajectories=130, start=starts[0]).h)
    with pytest.raises(ValueError, match=r"^start must have shape \(3, 2\); got \(2, 2\)"):
        simulate(NET, Noise(), steps=5, trajectories=3, start=np.zeros((2, 2)))
