"""The leap of large networks to their fixed points."""

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure import leap as room
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments

N = 40


def counted(monkeypatch, name):
    """Count the calls of a function of the module."""
    calls, function = [], getattr(room, name)

    def call(*arguments):
        calls.append(name)
        return function(*arguments)

    monkeypatch.setattr(room, name, call)
    return calls


def test_nothing_is_asked_again_once_it_is_settled(monkeypatch):
    """The shift by the covariance, which takes a solution for each network, once more than there are further steps."""
    rng = np.random.default_rng(0)
    net = CTRNN(0.8 * rng.normal(size=(N, N)) / np.sqrt(N), 0.5 * rng.normal(size=N), "relu", 0.1)
    closure, start = GaussianClosure.of(net, Noise(inside=0.5)), Moments.point(np.zeros((1, N)))
    calls = counted(monkeypatch, "shift")
    found = room.leap(closure, start, closure.rate(start), 1e-12)
    assert found.root.good[0]
    assert len(calls) == 1 + found.steps[0] - room.LEAST
