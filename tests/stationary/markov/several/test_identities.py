"""The exact law of any two neurons when they are renamed, reflected or uncoupled."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.law import StationaryLaw

weights_and_noise = {
    "weights": st.lists(st.floats(-1.2, 0.8), min_size=4, max_size=4),
    "b": st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=2),
    "inside": st.lists(st.floats(0.2, 0.8), min_size=2, max_size=2),
    "outside": st.lists(st.floats(0.0, 0.6), min_size=2, max_size=2),
}


def near(law: StationaryLaw, mean: np.ndarray, covariance: np.ndarray, error: np.ndarray) -> bool:
    """Return whether the law has given moments, up to the error estimates of both."""
    error = law.details["error"] + error + 1e-12
    off = np.max(np.abs(law.mean - mean)), np.max(np.abs(law.covariance - covariance))
    return bool(np.all(off <= error))


@settings(max_examples=15)  # of two exact laws of a pair each
@given(**weights_and_noise)
def test_any_pair_may_be_renamed(weights, b, inside, outside):
    weights = np.reshape(weights, (2, 2))
    law = exact.solve(CTRNN(weights, b, "tanh", 0.5), Noise(inside, outside), tolerance=1e-3)
    other = exact.solve(
        CTRNN(weights[::-1, ::-1], b[::-1], "tanh", 0.5), Noise(inside[::-1], outside[::-1]), tolerance=1e-3
    )
    assert near(law, other.mean[::-1], other.covariance[::-1, ::-1], other.details["error"])


@settings(max_examples=15)  # of two exact laws of a pair each
@given(**weights_and_noise)
def test_any_pair_with_an_odd_activation_may_be_reflected(weights, b, inside, outside):
    net = CTRNN(np.reshape(weights, (2, 2)), b, "hardtanh", 0.5)
    law = exact.solve(net, Noise(inside, outside), tolerance=1e-3)
    other = exact.solve(replace(net, b=-net.b), Noise(inside, outside), tolerance=1e-3)
    assert near(law, -other.mean, other.covariance, other.details["error"])


@settings(max_examples=15)  # of two exact laws of a pair each
@given(**weights_and_noise)
def test_any_uncoupled_pair_is_two_neurons(weights, b, inside, outside):
    law = exact.solve(CTRNN(np.diag(weights[:2]), b, "relu", 0.5), Noise(inside, outside), tolerance=1e-3)
    single = [
        exact.solve(CTRNN.single(w, c, "relu", 0.5), Noise(s, r))
        for w, c, s, r in zip(weights[:2], b, inside, outside, strict=True)
    ]
    mean, variance = [one.mean[0] for one in single], [one.covariance[0, 0] for one in single]
    assert near(law, np.array(mean), np.diag(variance), np.zeros(2))
