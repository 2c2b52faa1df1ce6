"""Networks of 256 neurons: what is printed and drawn is short, and an interrupt is noticed within a second."""

import signal
import time
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.analysis.attractors import attractor_notes
from ctrnn_theory.dynamics.fixed_points import FixedPoints, fixed_point_at
from ctrnn_theory.support.results import FEW, LINES
from tests.large_networks import network, noise

mpl.use("Agg")
N = 256
NET, NOISE = network("random", N), noise("random", N)
RELU = network("random", N, "relu")
LONGEST = 1.0  # seconds without a look at signals


@pytest.fixture(scope="module")
def law():
    return ct.predict(NET, NOISE, method="mean_field")


def points(count):
    """So many places, half of them stable, as if they were fixed points."""
    states = np.random.default_rng(1).standard_normal((count, N))
    flat = ct.CTRNN(np.zeros((N, N)), 0.0, "tanh", 0.1)
    found = [fixed_point_at(flat, state, flat.b) for state in states]
    for point in found[::2]:
        object.__setattr__(point, "stable", False)
    return FixedPoints(found, "there may be others")


def test_a_summary_names_the_least_and_the_greatest(law):
    rows = [line.split() for line in law.table().splitlines()]
    for name, i in (("least", np.argmin(law.mean)), ("greatest", np.argmax(law.mean))):
        row = next(row for row in rows if row[0] == name)
        assert row[1:3] == [f"{law.mean[i]:.6g}", f"({i})"]


def test_the_picture_of_a_law_is_in_ascending_order(law):
    ax = law.plot()
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), np.sort(law.mean))
    named = {int(word) for text in ax.texts for word in text.get_text().split(",")}
    order = np.argsort(law.mean)
    assert named == {*order[:3], *order[-3:]}
    mpl.pyplot.close("all")


def test_many_fixed_points_are_not_a_row_each():
    found = points(40)
    assert len(repr(found).splitlines()) <= LINES
    table = found.table().splitlines()
    assert len(table) == 1 + 1 + FEW + 2
    assert [line.split()[-2] for line in table[2 : 2 + FEW]] == ["yes"] * FEW
    assert table[-2] == f"and {40 - FEW} more, the stable ones first"
    assert len(found.table(full=True).splitlines()) == 1 + 1 + 40 + 1


def test_notes_on_attractors_are_short(law):
    base = SimpleNamespace(details={"fixed_point": np.zeros(N), "fixed_points": points(40), "why": ""})
    (note,) = attractor_notes(NET, None, base, {})
    assert "20 stable fixed points found" in note
    assert "over 256 neurons" in note
    assert len(note) < 2000


def test_the_table_of_an_evolution_ends_with_the_last_time():
    reports = []
    found = ct.evolve(NET, NOISE, steps=12, record_every=4, progress=lambda *report: reports.append(report))
    assert reports == [(0, 12, ""), (4, 12, ""), (8, 12, ""), (12, 12, ""), (12, 12, "")]
    assert f"{found.time[-1]:.4g}" in [line.split()[0] for line in repr(found).splitlines()]


def test_operating_points_report_each_input():
    reports = []
    net = ct.CTRNN(np.zeros((N, N)), NET.b, "relu", W_in=np.ones((N, 1)))
    found = ct.operating_points(net, NOISE, [[0.0], [1.0]], progress=lambda *report: reports.append(report))
    assert reports == [(0, 2, ""), (1, 2, ""), (2, 2, "")]
    assert len(repr(found).splitlines()) <= LINES


CALLS = {
    **{
        f"{method}, {net.activation.name}": (lambda method=method, net=net: ct.predict(net, NOISE, method=method))
        for method in ("deterministic", "mean_field", "small_noise", "gaussian_closure")
        for net in (NET, RELU)
    },
    "simulation": lambda: ct.predict(NET, NOISE, method="simulation", target_se=1e-3, workers=1),
    "cumulant_closure": lambda: ct.predict(network("random", 64), NOISE, method="cumulant_closure"),
    "evolve": lambda: ct.evolve(NET, NOISE, steps=4),
    "fixed_points": lambda: ct.fixed_points(NET),
    "difference": lambda: ct.difference(NET, NOISE, ct.Noise(0.4), steps=50, trajectories=64, workers=1),
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of the system")
@pytest.mark.parametrize("name", CALLS)
def test_signals_are_heard(name):
    """A timer of processor time sends a signal every 20 ms; Python calls its handler where Ctrl-C would end a call."""
    CALLS[name]()  # compiles
    heard = [time.process_time()]
    before = signal.signal(signal.SIGPROF, lambda *_: heard.append(time.process_time()))
    signal.setitimer(signal.ITIMER_PROF, 0.02, 0.02)
    try:
        CALLS[name]()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
    assert max(np.diff([*heard, time.process_time()])) < LONGEST
