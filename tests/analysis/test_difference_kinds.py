"""Differences between noises of other kinds: against two separate simulations, and with variates that are shared."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise, difference, predict

RATE = CTRNN([[0.3, -0.6], [0.5, 0.3]], [0.4, 0.3], "tanh", 0.3)
VOLTAGE = CTRNN(RATE.W, RATE.b, ["softplus", "relu"], [0.3, 0.2], form="voltage")
PAIRS = {
    "a gain more": (Noise(0.5), Noise(0.5, gain_outside=0.3)),
    "another gain": (Noise(outside=0.3, gain_inside=0.5), Noise(outside=0.3, gain_inside=0.4)),
    "gain inside and outside": (Noise(0.3, gain_inside=0.5), Noise(0.3, gain_outside=0.5)),
    "colour": (Noise(0.5, rho_inside=0.5), Noise(0.5, rho_inside=0.6)),
    "white and coloured": (Noise(0.5, 0.2), Noise(0.5, 0.2, rho_inside=0.5)),
    "dropout": (Noise.dropout(0.7, inside=0.4), Noise.dropout(0.8, inside=0.4)),
    "inside and outside": (Noise(0.4, keep=0.9), Noise(outside=0.3, keep=0.9)),
    "factors": (Noise([[0.3], [0.2]], gain_outside=[[0.3], [0.2]]), Noise([[0.3], [0.2]], common_gain_outside=0.3)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("net", [RATE, VOLTAGE], ids=["rate", "voltage"])
def test_differences_are_those_of_separate_laws(net, name):
    noise, other = PAIRS[name]
    found = difference(net, noise, other, steps=2000, rng=1)
    laws = [predict(net, each, method="simulation", steps=2000, rng=i) for i, each in enumerate((noise, other), 5)]
    error = np.sqrt(found.standard_error**2 + sum(law.standard_error**2 for law in laws))
    assert np.all(np.abs(found.mean - laws[0].mean + laws[1].mean) < 5 * error)


@pytest.mark.parametrize("name", [*list(PAIRS)[:2], *list(PAIRS)[3:7]])
def test_variates_are_shared(name):
    """Without a control variate, what both have in common cancels, whatever else one of them has."""
    found = difference(RATE, *PAIRS[name], steps=2000, rng=1, control_variate=False)
    assert np.all(found.standard_error < 0.75 * found.independent_standard_error)


def test_equal_noises_differ_by_nothing():
    noise = Noise(0.3, 0.2, 0.1, 0.2, 0.0, 0.5, 0.3, 0.8)
    assert np.array_equal(difference(VOLTAGE, noise, noise, steps=200).mean, np.zeros(2))
