"""Differences under common random numbers: right, with honest errors, and smaller ones."""

import numpy as np
import pytest

from ctrnn_theory.analysis.difference import difference
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import predict
from ctrnn_theory.support.errors import Divergence

NET = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
PAIRS = {
    "levels inside": (Noise(inside=0.5), Noise(inside=0.48)),
    "levels outside": (Noise(outside=0.5), Noise(outside=0.48)),
    "inside and outside": (Noise(inside=0.5), Noise(outside=0.5)),
    "with and without": (Noise(inside=0.5), Noise()),
}


def exact(noise, other):
    return np.subtract(*(predict(NET, each, method="exact").mean[0] for each in (noise, other)))


@pytest.mark.parametrize("control_variate", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_differences_are_exact(name, control_variate):
    found = difference(NET, *PAIRS[name], steps=4000, control_variate=control_variate)
    truth = exact(*PAIRS[name])
    assert abs(found.mean[0] - truth) < 5 * found.standard_error[0]
    assert abs(found.mean[0] - 1.1 * truth) > 5 * found.standard_error[0] or name == "levels outside"
    assert found.mean[0] == found.means[0, 0] - found.means[1, 0]
    assert found.converged


@pytest.mark.parametrize("control_variate", [True, False])
def test_what_is_common_cancels(control_variate):
    found = difference(NET, *PAIRS["levels inside"], steps=4000, control_variate=control_variate)
    assert found.standard_error[0] < 0.2 * found.independent_standard_error[0]
    same = difference(NET, Noise(inside=0.5), Noise(inside=0.5), steps=100, control_variate=control_variate)
    assert same.mean[0] == same.standard_error[0] == 0.0
    assert same.independent_standard_error[0] > 0.0


def test_errors_are_honest():
    """Over 60 seeds the deviations from the exact difference are standard normal: χ² within 1e-6 tails."""
    truth = exact(*PAIRS["levels inside"])
    laws = [difference(NET, *PAIRS["levels inside"], steps=200, rng=seed) for seed in range(60)]
    z = np.array([(law.mean[0] - truth) / law.standard_error[0] for law in laws])
    assert 20 < np.sum(z**2) < 128
    assert np.sum((z * np.array([law.standard_error[0] / law.independent_standard_error[0] for law in laws])) ** 2) < 20


def test_networks_and_targets():
    net = CTRNN([[0.3, -0.5], [0.4, 0.1]], [0.1, 0.2], "tanh", 0.2)
    options = {"target_se": 1e-5, "trajectories": 128}
    found = difference(net, Noise(inside=[[0.3], [0.3]]), Noise(inside=[[0.3], [0.29]]), **options)
    assert found.converged
    assert np.max(found.standard_error) <= 1e-5
    assert found.trajectories == 128
    again = difference(net, Noise(inside=[[0.3], [0.3]]), Noise(inside=[[0.3], [0.29]]), workers=1, **options)
    assert np.array_equal(found.mean, again.mean)
    short = difference(net, Noise(inside=0.3), Noise(outside=0.3), target_se=1e-9, max_steps=100)
    assert not short.converged
    assert "after 100 steps" in short.message


def test_generators_move_on():
    rng = np.random.default_rng(1)
    first, second = (difference(NET, *PAIRS["inside and outside"], steps=50, rng=rng).mean[0] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_se": 0.0}, "target_se must be a positive number; got 0.0"),
        ({"target_se": 1e-3, "steps": 100}, "steps must be None when target_se is given; got 100"),
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"trajectories": 0}, "trajectories must be an integer of at least 1; got 0"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=r"^" + message):
        difference(NET, Noise(inside=0.1), Noise(), **options)
    with pytest.raises(Divergence, match=r"^W must keep the state bounded; "):
        difference(CTRNN.single(1.5, 0.3, "relu"), Noise(inside=0.1), Noise(inside=0.2), steps=20_000)


def test_without_a_table_there_are_no_control_variates():
    """The pre-activations run over 1e5 waves: a table of the smoothed activation would have a million panels."""
    net = CTRNN([[-612000.0, 243000.0], [-564000.0, -493000.0]], [-589000.0, 1870.0], "sin", 1.0)
    options = {"trajectories": 128, "steps": 500}
    found, plain = (difference(net, Noise(0.1), Noise(0.2), control_variate=c, **options) for c in (True, False))
    assert found.message.startswith("without control variates: the smoothed activation would take more than")
    assert plain.message == ""
    np.testing.assert_array_equal(found.mean, plain.mean)
