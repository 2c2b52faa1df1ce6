"""Densities in time under multiplicative noise, in both forms, and of neurons that differ."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise, NotApplicable, evolve, predict

W, B = np.array([[0.3, -0.6], [0.5, 0.3]]), np.array([0.4, 0.3])
CASES = {
    "outside": (CTRNN.single(0.6, 0.2, "relu", 0.1), Noise(outside=0.1, gain_outside=0.5)),
    "inside": (CTRNN.single(-0.8, 0.2, "tanh", 0.1), Noise(inside=0.2, gain_inside=0.5)),
    "dropout": (CTRNN.single(0.6, 0.2, "tanh", 0.1), Noise.dropout(0.7, inside=0.2)),
    "voltage": (CTRNN(W, B, "tanh", 0.2, form="voltage"), Noise(inside=0.4, outside=0.1, gain_outside=0.3)),
    "unlike": (CTRNN(W, B, ["tanh", "relu"], [0.3, 0.15]), Noise(inside=0.4, gain_outside=0.3)),
}


@pytest.mark.parametrize("case", CASES)
def test_in_the_end_the_density_is_the_stationary_one(case):
    net, noise = CASES[case]
    law = predict(net, noise, method="fokker_planck")
    steps = round(24.0 / float(net.gammas.min()))
    path = evolve(net, noise, None, steps, "fokker_planck", steps // 2)
    width = law.std.max()
    assert path.time[-1] == pytest.approx(24.0, rel=0.1)
    np.testing.assert_allclose(path.mean[-1], law.mean, atol=2e-3 * width)
    np.testing.assert_allclose(path.covariance[-1], law.covariance, atol=1e-2 * width**2)
    for density in path.details["densities"]:
        assert density.mass == pytest.approx(1.0, abs=1e-9)


def test_a_linear_neuron_on_its_way():
    """E α and E α² of dα = (b - c α) dt + √D α dB, α = w h + b, follow linear equations."""
    w, b, gamma, gain = 0.5, 0.2, 0.05, 0.8
    net, noise = CTRNN.single(w, b, "identity", gamma), Noise(gain_outside=gain, outside=1e-3)
    path = evolve(net, noise, None, 60, "fokker_planck", 60, start=[0.1])
    c, D, t = 1.0 - w, gamma * (w * gain) ** 2, 3.0
    J = np.array([[0.0, 0.0, 0.0], [b, -c, 0.0], [0.0, 2.0 * b, -2.0 * c + D]])
    start = np.array([1.0, w * 0.1 + b, (w * 0.1 + b) ** 2])
    values, vectors = np.linalg.eig(J)
    _, first, second = (vectors * np.exp(values * t)) @ np.linalg.solve(vectors, start)
    assert path.mean[-1, 0] == pytest.approx((first - b) / w, abs=1e-4)
    assert path.covariance[-1, 0, 0] == pytest.approx((second - first**2) / w**2, rel=5e-3)


def test_coloured_noise_is_refused():
    with pytest.raises(NotApplicable, match="the density in time is for white noise"):
        evolve(CTRNN.single(0.5), Noise(inside=0.3, rho_inside=0.5), None, 10, "fokker_planck")
