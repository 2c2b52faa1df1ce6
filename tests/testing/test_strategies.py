"""Hypothesis strategies draw what they are asked for."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from ctrnn_theory import activation
from ctrnn_theory.activations import BUILTIN
from ctrnn_theory.model.kinds import kinds
from ctrnn_theory.testing import activations, networks, noises
from ctrnn_theory.testing.strategies import largest_slope

RESTRICTIONS = [
    {},
    {"smooth": True, "bounded": True},
    {"kinks": 2},
    {"kinks": 1, "bounded": True, "lipschitz": True},
    {"kinks": 0, "smooth": False},
    {"smooth": False, "bounded": False, "lipschitz": False},
]


@pytest.mark.parametrize("wanted", RESTRICTIONS, ids=str)
def test_activations_are_as_asked(wanted):
    seen = set()

    @settings(max_examples=25)
    @given(activations(**wanted))
    def check(f):
        seen.add(f.text)
        x = np.array([-1e4, -2e3, -3.0, 0.3, 5.0, 2e3, 1e4])
        assert np.all(np.isfinite(f(x)))
        assert activation(f.text) == f
        if "smooth" in wanted:
            assert (not f.breakpoints) == wanted["smooth"]
        if "bounded" in wanted:
            assert (np.max(np.abs(f(x))) < 100.0) == wanted["bounded"]
        if "kinks" in wanted:
            assert len(f.kinks) == wanted["kinks"]
        if "lipschitz" in wanted:
            grid = np.linspace(-20.003, 19.997, 4001)  # no jump on it
            steep = np.max(np.abs(np.diff(f(grid)))) / 0.01 > 15.0 or abs(f(1e4)) + abs(f(-1e4)) > 1e6
            assert steep != wanted["lipschitz"]

    check()
    assert len(seen) > 3
    assert len(seen) > len(seen & set(BUILTIN)) > 0  # both kinds are drawn


def test_activations_refuse_a_contradiction():
    with pytest.raises(ValueError, match="kinks must be 0 or None where smooth is True; got 2"):
        find(activations(smooth=True, kinks=2), lambda f: True)


@pytest.mark.parametrize(("text", "slope"), [("relu", 1.0), ("tanh(3*x)", 3.0), ("step", math.inf), ("x**2", math.inf)])
def test_largest_slope(text, slope):
    assert largest_slope(activation(text)) == pytest.approx(slope, rel=1e-4)


@settings(max_examples=25)
@given(networks(), st.data())
def test_paths_of_a_stable_network_approach_each_other(net, data):
    noise = data.draw(noises(net.n))
    rng, size = np.random.default_rng(0), []
    one, two = np.full(net.n, -3.0), np.full(net.n, 5.0)
    for _ in range(50):
        xi, eta = (noise.factor(s, net.n) @ rng.standard_normal(noise.factor(s, net.n).shape[1]) for s in SITES)
        one, two = (
            (1 - net.gamma) * h + net.gamma * (net.activation(net.preactivation(h) + xi) + eta) for h in (one, two)
        )
        size.append(np.linalg.norm(one - two))
    bound = math.sqrt(net.n) * 8.0 * (1.0 - 0.0999 * net.gamma) ** np.arange(1, 51)  # slope is known to 1e-4
    assert np.all(np.array(size) <= bound + 1e-12)


SITES = ("inside", "outside")


@given(networks(3, stable=False, activations=["relu", "x**2"]))
def test_networks_are_as_asked(net):
    assert net.n == 3
    assert net.activation.text in ("relu", "x**2")
    assert np.max(np.abs(net.W)) <= 2.0


def test_unstable_networks_are_drawn_when_wanted():
    net = find(networks(1, stable=False, activations=["relu"]), lambda net: net.W[0, 0] > 1.0)
    assert net.W[0, 0] > 1.0


@given(st.integers(1, 4), st.sampled_from([None, True, False]), st.data())
def test_noises_fit_the_network(n, correlated, data):
    noise = data.draw(noises(n, correlated=correlated, most=0.7))
    sizes = np.array([noise.std(site, n) for site in SITES])
    assert 0.0 < np.max(sizes) <= 0.7 + 1e-12
    factors = sum(np.ndim(getattr(noise, site)) == 2 for site in SITES)
    assert factors > 0 if correlated else correlated is None or factors == 0


@given(noises(sites=["outside"]))
def test_noises_keep_to_their_site(noise):
    assert noise.inside == 0.0 < np.max(noise.std("outside", 1))


EVERY_NETWORK = ("voltage", "gammas", "activations")
EVERY_NOISE = ("gain_inside", "gain_outside", "coloured_inside", "coloured_outside")


@pytest.mark.parametrize("kind", [*EVERY_NETWORK, *EVERY_NOISE])
def test_every_kind_is_drawn(kind):
    both = st.tuples(networks(2, kinds=EVERY_NETWORK), noises(2, kinds=EVERY_NOISE))
    net, noise = find(both, lambda pair: kind in list(kinds(*pair)))
    noise.check(net.n)


@given(networks(), noises())
def test_no_kind_is_drawn_unless_it_is_asked_for(net, noise):
    assert not list(kinds(net, noise))


@pytest.mark.parametrize("strategy", [networks, noises])
def test_an_unknown_kind_is_refused(strategy):
    with pytest.raises(ValueError, match="kinds must be among"):
        find(strategy(kinds=["quantum"]), lambda found: True)


def test_noises_refuse_an_unknown_site():
    with pytest.raises(ValueError, match="sites must hold"):
        find(noises(sites=["within"]), lambda noise: True)


def test_without_hypothesis_it_says_what_to_install():
    code = "import sys; sys.modules['hypothesis'] = None; import ctrnn_theory.testing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "ImportError: ctrnn_theory.testing needs Hypothesis: pip install 'ctrnn-theory[test]'" in run.stderr
