"""What needs more memory than there is refuses, and says how much it needs and how much is free."""

import pytest

import ctrnn_theory as ct
from ctrnn_theory.support import memory

NET, NOISE = ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(0.3)


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
    ],
    ids=["evolve", "simulate"],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.usefixtures("_little")
def test_what_fits_is_done(tmp_path):
    assert len(ct.evolve(NET, NOISE, steps=10_000, record_every=100).time) == 101
    assert len(ct.simulate(NET, NOISE, steps=10_000, trajectories=10, out=tmp_path / "run").time) == 10_001
