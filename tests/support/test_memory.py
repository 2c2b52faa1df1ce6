"""What needs more memory than there is refuses, and says how much it needs and how much is free."""

from dataclasses import replace

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.support import memory
from tests.large_networks import network

NET, NOISE = ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(0.3)


def read_out(net):
    """The network with an input and an output."""
    return replace(net, W_in=np.ones((net.n, 1)), W_out=np.ones((1, net.n)), b_out=[0.0])


@pytest.fixture
def _little(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1e5)


def test_free_memory():
    assert 1e6 < memory.free_memory() < 1e15


@pytest.mark.usefixtures("_little")
def test_shortage():
    assert memory.shortage(memory.SHARE * 1e5) == ""
    assert memory.shortage(2e9) == "about 2 GB are needed; 0.0001 GB are free"


@pytest.mark.usefixtures("_little")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ct.evolve(NET, NOISE, steps=10_000),
            r"^record_every must leave no more covariances than fit into memory; got 10001 times: about 0.00024 GB are",
        ),
        (
            lambda: ct.simulate(NET, NOISE, steps=10_000, trajectories=10),
            r"^out must name a folder for a record that does not fit into memory; got None: about 0.0008 GB are ",
        ),
        (
            lambda: ct.predict(network("random", 64), NOISE, method="simulation"),
            r"^the simulation of 64 neurons in 512 trajectories must fit into memory; about 0.0105 GB are needed;",
        ),
        (
            lambda: ct.operating_points(read_out(network("random", 40)), NOISE, "function"),
            r"^the covariances of 16 conditions and 40 neurons must fit into memory; about 0.00205 GB are needed;",
        ),
    ],
    ids=["evolve", "simulate", "simulation", "task"],
)
def test_refusals(call, message):
    with pytest.raises((ValueError, ct.NotApplicable), match=message):
        call()


@pytest.mark.usefixtures("_little")
def test_what_fits_is_done(tmp_path):
    assert len(ct.evolve(NET, NOISE, steps=10_000, record_every=100).time) == 101
    assert len(ct.simulate(NET, NOISE, steps=10_000, trajectories=10, out=tmp_path / "run").time) == 10_001
