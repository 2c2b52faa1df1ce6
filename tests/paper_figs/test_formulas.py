"""Formulas that the figures compute by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import ctrnn_theory as ct
from paper_figs import laws, regulator, resonance, threshold

WHOLE = st.floats(0.02, 3.0)


@given(WHOLE, WHOLE, st.sampled_from([1, 2]))
def test_the_preferred_level_is_where_the_loss_is_least(K, nu, power):
    def loss(s):
        return K * (s**power - 1.0) ** 2 + nu * s**2

    law = {1: threshold.kinked, 2: threshold.smooth}[power]
    least = minimize_scalar(loss, bounds=(0.0, 1.5), method="bounded", options={"xatol": 1e-10})
    assert loss(float(law(np.sqrt(nu / (2.0 * K))))) <= least.fun * (1.0 + 1e-9)


@settings(max_examples=8)
@given(
    st.sampled_from(["relu", "tanh"]), st.sampled_from(["inside", "outside"]), st.floats(-0.9, 0.7), st.floats(0.3, 2.0)
)
def test_the_landscape_is_the_loss_of_a_neuron_at_its_operating_point(name, site, w, sigma):
    net = ct.CTRNN.single(w=w, b=0.6, activation=name, gamma=regulator.GAMMA)
    law = ct.predict(net, ct.Noise(**{site: sigma}))
    a, m, V = net.preactivation(law.mean), law.mean[0], law.covariance[0, 0]
    found = regulator.landscape(net.activation, site, np.array([sigma]), np.array([w]), a)
    r = regulator.READOUTS
    c = np.clip(1.0 - r * m, -0.5, 0.5)
    # the iteration for the variance ends at a relative 1e-5, of which it leaves some 1/(1 - contraction)
    assert found[0, 0] == pytest.approx(np.min((r * m + c - 1.0) ** 2 + r**2 * V), rel=1e-3)


@pytest.mark.parametrize("name", laws.LINE)
def test_the_invariant_density_has_the_moments_of_the_exact_law(name):
    net, noise = laws.LINE[name]
    exact = ct.predict(net, noise, method="exact")
    reach = 9.0 * exact.std[0] if name == "softplus" else 2.5
    x = np.linspace(exact.mean[0] - reach if name == "tanh" else 1e-3, exact.mean[0] + reach, 1501)
    p = laws.invariant_density(net, noise, x)
    assert np.all(p > -1e-9)
    mean = np.trapezoid(x * p, x)
    assert mean == pytest.approx(exact.mean[0], abs=1e-5)
    assert np.trapezoid((x - mean) ** 2 * p, x) == pytest.approx(exact.covariance[0, 0], rel=1e-4)


@given(st.floats(0.1, 2.0), st.floats(0.0, 3.0))
def test_the_signal_to_noise_ratio_of_a_sine(amplitude, offset):
    # a wave A sin ωt has a coefficient of modulus A/2, and so a power of A²/2
    wave = offset + amplitude * np.sin(2.0 * np.pi * np.arange(resonance.PERIOD) / resonance.PERIOD)
    variance = np.full(resonance.PERIOD, 0.3)
    assert resonance.signal_to_noise(wave, variance) == pytest.approx(amplitude**2 / 2.0 / 0.3)
    assert resonance.signal_to_noise(wave, 0.0 * variance) == 0.0
