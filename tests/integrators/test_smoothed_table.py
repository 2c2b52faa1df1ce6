"""The tabulated smoothed activation against the one that it is made from, at places between its nodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.integrators import sums
from ctrnn_theory.integrators.smoothed_table import (
    MOST_PANELS,
    MOST_SLOW,
    NODES,
    TOLERANCE,
    VARIANCE_TOLERANCE,
    TooFine,
    fit,
    tabulate,
)

MARGIN = 10 * TOLERANCE  # the table's tolerance holds where it was checked; tenfold anywhere


def evaluate(table, neuron, places, variance=False):
    """Values from the compiled search."""
    x, panel, out = np.array(places), np.empty(len(places), np.int64), np.empty(len(places))
    sums.find(table.panels, table.panels.which[neuron], x, panel)
    coefficients, begin = (table.panels.variance, 0) if variance else (table.panels.pieces, 2)
    sums.evaluate(coefficients, begin, x, panel, out)
    return out


def places_on(low, high, near=(), width=0.0):
    """Random places on the whole range, its ends, and the neighbourhood of what is not smooth."""
    rng = np.random.default_rng(0)
    close = [k + width * np.linspace(-12, 12, 500) for k in near]
    places = np.concatenate([rng.uniform(low, high, 2000), [low, high], *close])
    return np.clip(places, low, high)


@pytest.mark.parametrize(
    ("name", "s", "low", "high"),
    [
        ("relu", 0.5, -3.0, 4.0),
        ("relu", 1e-6, -3.0, 4.0),
        ("relu", 1e-6, 0.0, 4.0),
        ("tanh", 0.7, -8.0, 9.0),
        ("tanh", 1e-3, -8.0, 9.0),
        ("tanh", 50.0, -8.0, 9.0),
        ("softplus", 1.0, -20.0, 30.0),
        ("hardtanh", 1e-3, -5.0, 5.0),
        ("step", 0.3, -2.0, 2.0),
        ("gelu", 0.7, -6.0, 6.0),
        ("sin", 0.2, -10.0, 10.0),
        ("relu2", 0.4, -6.0, 6.0),
        ("elu", 0.1, -6.0, 2.0),
        ("identity", 0.5, -1.0, 1.0),
        ("x/(1 + Abs(x))", 0.3, -2.0, 2.0),
    ],
)
def test_table_is_the_smoothed_activation(name, s, low, high):
    act = activation(name)
    table = tabulate(act, np.array([s]), np.array([low]), np.array([high]))
    places = places_on(low, high, act.breakpoints, s)
    exact = act.smoothed(places, s)
    assert np.max(np.abs(evaluate(table, 0, places) - exact)) <= MARGIN * np.max(np.abs(exact))
    assert table.error <= MARGIN


def test_neurons_share_tables_and_have_their_own():
    act = activation("relu")
    std, low, high = np.array([0.5, 0.0, 0.2, 0.5]), np.array([-1.0, 0, -2, -3]), np.array([1.0, 0, 5, 0.5])
    table = tabulate(act, std, low, high)
    assert list(table.panels.which) == [1, -1, 0, 1]
    for i in (0, 2, 3):
        places = places_on(low[i], high[i])
        error = np.abs(evaluate(table, i, places) - act.smoothed(places, std[i]))
        assert np.max(error) <= MARGIN * 5.0
    assert np.array_equal(table.low, [-3.0, -np.inf, -2.0, -3.0])
    assert table.covers(low, high)
    assert table.covers(low, np.array([1.0, 1e9, 5.0, 1.0]))
    assert not table.covers(low, high + 1.0)
    assert not table.covers(low - 3.0, high)
    assert not table.covers(low, np.full(4, np.nan))


@given(
    st.sampled_from(["relu", "hardtanh", "erf", "gelu"]),
    st.floats(-5, 2),
    st.floats(-20, 20),
    st.floats(-2, 2),
)
def test_any_range(name, log_s, low, log_width):
    act, s, high = activation(name), 10.0**log_s, low + 10.0**log_width
    table = tabulate(act, np.array([s]), np.array([low]), np.array([high]))
    places = places_on(low, high, act.breakpoints, s)
    exact = act.smoothed(places, s)
    assert np.max(np.abs(evaluate(table, 0, places) - exact)) <= MARGIN * np.max(np.abs(exact)) + 1e-300


def test_outside_the_table_is_no_crash():
    table = tabulate(activation("tanh"), np.array([0.5]), np.array([-1.0]), np.array([1.0]))
    values = evaluate(table, 0, np.array([-1e300, -np.inf, np.nan, np.inf, 1e300, 0.0]))
    assert values[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "s", "low", "high"),
    [("relu", 0.5, -3.0, 4.0), ("relu", 1e-4, -3.0, 4.0), ("tanh", 0.7, -8.0, 9.0), ("gelu", 0.7, -6.0, 6.0)],
)
def test_variance_is_tabulated_besides(name, s, low, high):
    """On equal panels, and for the second case on panels that are found by comparisons."""
    act = activation(name)
    table = tabulate(act, np.array([s]), np.array([low]), np.array([high]), variance=True)
    assert (table.panels.hops[0] < 0) == (s > 0.1)
    places = places_on(low, high, act.breakpoints, s)
    exact = act.smoothed_variance(places, s)
    assert np.max(np.abs(evaluate(table, 0, places, variance=True) - exact)) <= 10 * VARIANCE_TOLERANCE * np.max(exact)
    value = act.smoothed(places, s)
    assert np.max(np.abs(evaluate(table, 0, places) - value)) <= MARGIN * np.max(np.abs(value))
    assert tabulate(act, np.array([s]), np.array([low]), np.array([high])).panels.variance.size == 0


@pytest.mark.parametrize(("name", "most"), [("sin", MOST_PANELS), ("sin(3*x) + cos(x)", MOST_SLOW)])
def test_a_table_over_many_waves_is_given_up(name, most, monkeypatch):
    """It is given up as soon as there are too many panels; few waves do no harm."""
    act, points = activation(name), []
    right = type(act).smoothed

    def counted(self, a, s):
        points.append(np.size(a))
        return right(self, a, s)

    assert 50 < len(fit(act, 1e-7, -5.0, 5.0, False).edges) < MOST_SLOW
    monkeypatch.setattr(type(act), "smoothed", counted)
    with pytest.raises(TooFine, match=f"^the smoothed activation would take more than {most} panels on "):
        fit(act, 1e-7, -5e3, 5e3, False)
    assert 0 < sum(points) < 5 * NODES.size * most  # halves of halves, at nodes and at checks
