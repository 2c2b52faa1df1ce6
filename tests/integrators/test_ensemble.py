"""Ensembles: independent of threads and of how a run is cut; averages that add up; states that run away."""

import re

import numpy as np
import pytest
from numba.core import event

from ctrnn_theory.integrators.ensemble import BOUND, Ensemble, Unbounded, standard_error
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

NET = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], "tanh", 0.2)
NOISE = Noise(inside=0.4, outside=[[0.1], [0.2]])


def ensemble(workers=1, trajectories=3 * LANES, net=NET):
    made = Ensemble(net, NOISE, net.drive(), None, trajectories, 9, workers)
    made.tabulate(np.full(net.n, -1.0), np.full(net.n, 1.0), variance=True)
    return made


def test_threads_make_no_difference():
    one, two = ensemble(1), ensemble(2)
    for each in (one, two):
        each.advance(7)
    first, second = (each.measure(50, 2, np.zeros(2)) for each in (one, two))
    for name in ("first", "second", "residual", "cross", "ahead", "low", "high"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert np.array_equal(one.states, two.states)


@pytest.mark.parametrize(("form", "slope"), [("rate", 0.617), ("voltage", 0.619)])
def test_nothing_is_compiled_by_several_threads(form, slope):
    """Two threads that compile at once may each wait for what the other holds."""
    net = CTRNN.single(w=0.5, activation=f"tanh({slope}*x)", form=form)  # which no other test has compiled
    with event.install_recorder("numba:compile") as made:
        Ensemble(net, Noise(inside=0.5), net.b, np.zeros(1), 4 * LANES, 0, 2, False)
    with event.install_recorder("numba:compile") as later:
        other = Ensemble(net, Noise(inside=0.5), net.b, np.zeros(1), 4 * LANES, 0, 2, False)
        other.advance(10)
    assert made.buffer
    assert not later.buffer


def test_pieces_make_one_run():
    whole, cut = ensemble(), ensemble()
    whole.advance(30)
    for steps in (1, 11, 18):
        cut.advance(steps)
    assert np.array_equal(whole.states, cut.states)
    together = whole.measure(40, 3, np.zeros(2))
    added = cut.measure(1, 3, np.zeros(2)) + cut.measure(30, 3, np.zeros(2)) + cut.measure(9, 3, np.zeros(2))
    assert np.array_equal(whole.states, cut.states)
    assert whole.steps == cut.steps == 150
    assert added.samples == 40
    for name in ("first", "second", "residual", "cross", "ahead", "low", "high"):
        np.testing.assert_allclose(getattr(added, name), getattr(together, name), rtol=1e-12, atol=1e-14)


def test_trajectories_do_not_depend_on_their_number():
    few, many = ensemble(trajectories=1), ensemble(trajectories=2 * LANES)
    few.advance(20)
    many.advance(20)
    assert few.states.shape == (LANES, 2)
    assert np.array_equal(many.states[:LANES], few.states)


def test_table_is_widened_with_the_same_variates():
    narrow, wide = ensemble(), ensemble()
    narrow.tabulate(np.full(2, 0.0), np.full(2, 1e-3))
    wide.tabulate(np.full(2, -5.0), np.full(2, 5.0))
    first, second = (each.measure(50, 2, np.zeros(2)) for each in (narrow, wide))
    assert narrow.table.covers(first.low, first.high)
    assert np.array_equal(narrow.states, wide.states)
    assert np.array_equal(first.first, second.first)
    np.testing.assert_allclose(first.residual, second.residual, rtol=0, atol=1e-11)


def test_a_restart_forgets_everything():
    used, fresh = ensemble(), Ensemble(NET, NOISE, NET.drive(), None, 3 * LANES, 9, 1)
    used.advance(300)
    used.restart()
    assert used.steps == 0
    assert used.table.covers(np.full(2, -1e9), np.full(2, 1e9))
    first, second = (each.measure(50, 2, np.zeros(2)) for each in (used, fresh))
    assert np.array_equal(first.residual, second.residual)
    assert np.array_equal(used.states, fresh.states)


def test_covariance_is_positive_semi_definite_about_any_mean():
    net = CTRNN(np.full((4, 4), 0.2), 0.1, "relu", 0.5)
    averages = Ensemble(net, Noise(outside=np.ones((4, 1))), net.drive(), rng=1).measure(200, 1, np.zeros(4))
    for mean in (np.zeros(4), np.full(4, 0.5), averages.means().mean(axis=0)):
        covariance = averages.covariance(mean)
        assert np.array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() >= -1e-14


def test_any_step_is_reached_by_seeking():
    whole, late = ensemble(), ensemble()
    whole.advance(300)
    middle = whole.states
    whole.advance(400)
    late.place(middle)
    late.seek(300)
    late.advance(400)
    assert np.array_equal(whole.states, late.states)
    late.place(middle)
    late.seek(301)
    late.advance(400)
    assert not np.array_equal(whole.states, late.states)


def test_antithetic_pairs():
    """Partners see opposite noise: in a linear network their average is the noise-free path."""
    net = CTRNN(NET.W, NET.b, "identity", 0.2)
    plain = Ensemble(net, NOISE, net.drive(), [1.0, 0.0], LANES, 9)
    paired = Ensemble(net, NOISE, net.drive(), [1.0, 0.0], LANES, 9, antithetic=True)
    assert paired.h.shape == (2, 2 * LANES)
    quiet = Ensemble(net, Noise(), net.drive(), [1.0, 0.0])
    for each in (plain, paired, quiet):
        each.advance(300)
    assert np.array_equal(paired.states[:LANES], plain.states)
    average = 0.5 * (paired.states[:LANES] + paired.states[LANES:])
    np.testing.assert_allclose(average, quiet.states, rtol=0, atol=1e-13)
    measured, alone = (each.measure(10, 1, np.zeros(2)) for each in (paired, plain))
    assert measured.first.shape == (LANES, 2)
    assert np.ptp(measured.first, axis=0).max() < 1e-13
    assert np.ptp(alone.first, axis=0).max() > 0.1  # negative control
    assert measured.cross.shape == (1, 2, 2)


def test_pairs_do_not_depend_on_threads_or_on_the_cut():
    one, two = (Ensemble(NET, NOISE, NET.drive(), None, 6 * LANES, 9, w, antithetic=True) for w in (1, 2))
    one.advance(30)
    two.advance(11)
    two.seek(11)
    two.advance(19)
    assert np.array_equal(one.states, two.states)


def test_small_variance_beside_a_large_mean():
    """Moments are about a centre near the mean: nothing cancels."""
    net = CTRNN.single(w=0.0, b=1e6, activation="identity", gamma=1.0)
    made = Ensemble(net, Noise(outside=1e-3), net.drive(), trajectories=16 * LANES, rng=1)
    made.advance(1)
    averages = made.measure(1000, 1, np.array([1e6]))
    variance = averages.squares(np.array([1e6]))
    assert abs(variance.mean() - 1e-6) < 5 * standard_error(variance)[0]


def test_standard_error_is_that_of_independent_values():
    values = np.random.default_rng(0).normal(3.0, 2.0, (400, 2))
    np.testing.assert_allclose(standard_error(values), values.std(axis=0, ddof=1) / 20)


@pytest.mark.parametrize("activation", ["relu", "relu2", "identity"])
def test_unbounded_states_are_reported(activation):
    net = CTRNN.single(w=3.0, b=1.0, activation=activation, gamma=0.5)
    with pytest.raises(Unbounded, match=re.escape(f"passed {BOUND:g} within")):
        Ensemble(net, NOISE_1, net.drive()).advance(500)
    with pytest.raises(Unbounded):
        Ensemble(net, NOISE_1, net.drive()).measure(500, 1, np.zeros(1))


NOISE_1 = Noise(inside=0.1)


@pytest.mark.parametrize(("name", "value"), [("trajectories", 0), ("trajectories", 1.5), ("workers", 0)])
def test_counts_are_checked(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be an integer of at least 1; got {value}"):
        Ensemble(NET, NOISE, NET.drive(), **{name: value})
