"""Every method on every kind of network and noise, against the simulation; and which kinds a method refuses.

As in little white noise, all methods agree to leading order. What a method does not take it refuses with a reason.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.model.kinds import kinds
from ctrnn_theory.testing import networks, noises

GAMMA, SIGMA = 0.1, 0.05
BOTH = {"inside": 0.6 * SIGMA, "outside": 0.8 * SIGMA}
NETWORKS = {
    "rate": {},
    "voltage": {"form": "voltage"},
    "gammas": {"gamma": [0.1, 0.06]},
    "activations": {"activation": ["tanh", "softplus"]},
    "voltage, neurons that differ": {"form": "voltage", "gamma": [0.1, 0.06], "activation": ["gelu", "softplus"]},
}
NOISES = {
    "white": ct.Noise(**BOTH),
    "gain inside": ct.Noise(**BOTH, gain_inside=SIGMA),
    "gain outside": ct.Noise(**BOTH, gain_outside=SIGMA),
    "gains in common": ct.Noise(**BOTH, gain_outside=[[SIGMA], [SIGMA]], common_gain_outside=SIGMA),
    "dropout": ct.Noise.dropout(1.0 / (1.0 + SIGMA**2), **BOTH),
    "coloured inside": ct.Noise(**BOTH, rho_inside=0.7),
    "coloured outside": ct.Noise(**BOTH, rho_outside=0.7),
    "all": ct.Noise.dropout(
        0.999, **BOTH, gain_inside=SIGMA, gain_outside=SIGMA, rho_inside=0.5, rho_outside=[0.7, 0.0]
    ),
}
QUICK = {"simulation": {"steps": 2000, "rng": 1}, "exact": {"tolerance": 1e-5}, "latent": {"tolerance": 1e-3}}
LONG = [
    pytest.param(network_kind, noise_kind, method, marks=pytest.mark.slow)
    if network_kind not in ("rate", "voltage") or (method == "exact" and noise_kind in ("gains in common", "all"))
    else (network_kind, noise_kind, method)
    for network_kind in NETWORKS
    for noise_kind in NOISES
    for method in ct.METHODS
]


def refused(method, net, noise):
    """Whether a method is known not to take the kinds of this network and noise."""
    found = set(kinds(net, noise))
    coloured = {"coloured_inside", "coloured_outside"} & found
    return {
        "cumulant_closure": bool(coloured) or "voltage" in found,
        "fokker_planck": bool(coloured),
        "exact": bool(coloured),
        "latent": bool(found - {"gain_inside"}),
    }.get(method, False)


@cache
def network(kind):
    W = np.random.default_rng(2).normal(size=(2, 2)) * 0.4
    return ct.CTRNN(W, [0.8, -0.5], **({"activation": "softplus", "gamma": GAMMA} | NETWORKS[kind]))


@cache
def simulated(network_kind, noise_kind):
    return ct.predict(network(network_kind), NOISES[noise_kind], method="simulation", target_se=1e-4, rng=2)


@pytest.mark.parametrize(("network_kind", "noise_kind", "method"), LONG)
def test_every_method_agrees_with_the_simulation_or_says_why_not(network_kind, noise_kind, method):
    net, noise = network(network_kind), NOISES[noise_kind]
    if refused(method, net, noise):
        with pytest.raises(
            ct.NotApplicable, match=r"third cumulants|cumulant_closure|Fokker–Planck|the exact method|latent"
        ):
            ct.predict(net, noise, method=method)
        return
    law, wanted = ct.predict(net, noise, method=method, **QUICK.get(method, {})), simulated(network_kind, noise_kind)
    error = 0.0 if law.standard_error is None else law.standard_error
    assert law.converged, law.message
    within = 0.5 * SIGMA**2 + 5.0 * (error + wanted.standard_error)
    assert np.all(np.abs(law.mean - wanted.mean) <= 2.0 * within)
    assert np.all(np.abs(law.rate - wanted.rate) <= 2.0 * within)
    if np.any(law.covariance):
        size = np.max(np.abs(wanted.covariance))
        assert np.max(np.abs(law.covariance - wanted.covariance)) <= (GAMMA + 2.0 * SIGMA) * size


NETWORK_KINDS = ("voltage", "gammas", "activations")
NOISE_KINDS = ("gain_inside", "gain_outside", "coloured_inside", "coloured_outside")


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_closure_is_near_the_simulation_for_random_kinds(data):
    net = data.draw(networks(kinds=NETWORK_KINDS, activations=["tanh", "softplus", "relu", "erf"]))
    noise = data.draw(noises(net.n, kinds=NOISE_KINDS, most=0.5))
    law = ct.predict(net, noise)
    found = ct.predict(net, noise, method="simulation", steps=2000, rng=3)
    assert law.converged
    scale = np.sqrt(np.max(np.diag(law.covariance))) + 1e-12
    # the closure is off by a share of the bias, and that is at most of the order of the fluctuations of what f is given
    assert np.all(np.abs(law.mean - found.mean) <= 5.0 * found.standard_error + 0.1 * scale)
