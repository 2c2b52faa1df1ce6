import numpy as np
import pytest

from ctrnn_theory import CTRNN, METHODS, Noise, predict
from ctrnn_theory.stationary.metastable import metastable, why_no_law
from ctrnn_theory.support.errors import Divergence

METASTABLE = CTRNN.single(w=0.3, b=-0.5, activation="powerlaw(2)", gamma=0.2)


@pytest.mark.parametrize("n", [1.5, 2, 3.2])
@pytest.mark.parametrize(("w", "k"), [(0.3, 1.0), (-0.3, -1.0), (0.3, -1.0), (-0.3, 1.0)])
@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_a_power_law_that_excites_itself_has_no_law(n, w, k, form):
    net = CTRNN([[w]], [-0.5], f"{k}*powerlaw({n})", 0.2, form=form)
    reason = why_no_law(net, -0.5)
    assert ("no stationary law" in reason) == (w * k > 0)
    assert not metastable(net, Noise(), None)  # without noise the state stays where it is


def test_the_slope_far_out_decides_for_other_activations():
    for w, some in ((0.9, False), (1.1, True)):
        net = CTRNN.single(w=w, b=-1.0, activation="relu", gamma=0.2)
        assert bool(metastable(net, Noise(inside=0.1), None)) == some
    # with multiplicative noise a slope above one on average does not decide
    assert not metastable(net, Noise(inside=0.1, gain_outside=2.0), None)
    assert metastable(METASTABLE, Noise(inside=0.1, gain_outside=2.0), None)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("deterministic", "simulation")])
def test_every_method_says_so(method):
    noise = Noise(inside=0.2)
    if method in ("exact", "fokker_planck"):
        with pytest.raises(Divergence, match="no stationary law"):
            predict(METASTABLE, noise, method=method)
        return
    law = predict(METASTABLE, noise, method=method)
    assert "no stationary law" in law.message
    assert "metastable" in law.message
    below = CTRNN.single(w=-0.3, b=-0.5, activation="powerlaw(2)", gamma=0.2)
    assert "no stationary law" not in predict(below, noise, method=method).message


def test_the_state_does_escape():
    """With more noise the escape is seen: averages over the time before it are all that there is."""
    net = CTRNN.single(w=0.8, b=0.1, activation="powerlaw(2)", gamma=0.2)
    rng, h = np.random.default_rng(0), np.zeros(200)
    with np.errstate(over="ignore"):
        for _ in range(2000):
            h = 0.8 * h + 0.2 * net.activation(0.8 * h + 0.1 + 0.4 * rng.normal(size=200))
    assert np.mean(~(h < 1e6)) > 0.05
    assert "no stationary law" in metastable(net, Noise(inside=0.4), None)
