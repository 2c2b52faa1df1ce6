"""Escape by the chain of latent variables: against the exact method, plain loops, products of chains, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

import ctrnn_theory as ct

GAMMA = 0.1


def memory(n: int, w: float = 2.0, b: float = 0.0) -> tuple[ct.CTRNN, np.ndarray, np.ndarray]:
    """A memory of n tanh neurons that read one latent variable with normal weights, and its factors (n,)."""
    E = ndtri((np.arange(n) + 0.5) / n)
    return ct.CTRNN(np.outer(E, w * E / n), b * E, "tanh", GAMMA), E, w * E / n


def counted(E, D, c, sigma, place, steps, count=400, seed=0):
    """Mean number of steps between switches from -place to place and back, and its standard error, by a plain loop."""
    rng = np.random.default_rng(seed)
    side = np.where(np.arange(count) % 2, 1.0, -1.0)
    x, switches, time = side * place, np.zeros(2), np.zeros(2)
    for _ in range(steps):
        y = np.tanh(np.outer(x, E) + c + sigma * rng.standard_normal((count, len(E))))
        x = (1.0 - GAMMA) * x + GAMMA * y @ D
        time += [np.sum(side < 0.0), np.sum(side > 0.0)]
        crossed = side * x < -0.8 * place
        switches += [np.sum(crossed & (side < 0.0)), np.sum(crossed & (side > 0.0))]
        side = np.where(crossed, -side, side)
    return time / switches, time / switches**1.5


@settings(deadline=None, max_examples=12)
@given(w=st.floats(1.3, 1.6), b=st.floats(-0.03, 0.03), sigma=st.floats(0.55, 0.8), f=st.sampled_from(["tanh", "erf"]))
def test_one_neuron_under_noise_outside_is_exact(w, b, sigma, f):
    """A step is normal given the latent variable, which is the state in other units."""
    net, noise = ct.CTRNN.single(w, b, f, GAMMA), ct.Noise(outside=sigma)
    exact = ct.escape_times(net, noise)
    if len(exact.basins) < 2 or not exact.converged:
        return
    found = ct.escape_times(net, noise, method="latent")
    # the other method has panels of its own, whose law is good to 1e-8
    np.testing.assert_allclose(found.rates, exact.rates, atol=1e-5 * np.max(exact.rates))
    np.testing.assert_allclose(found.occupation, exact.occupation, atol=1e-5)
    assert found.separation == pytest.approx(exact.separation, rel=1e-4)
    assert np.all(found.error < 1e-3 * found.time)


ONE, TWO = ct.CTRNN.single(1.5, 0.0, "tanh", GAMMA), np.outer([0.8, 0.7], [1.0, 0.8])


@pytest.mark.parametrize(("net", "sigma"), [(ONE, 0.6), (ct.CTRNN(TWO, [0.02, -0.02], "tanh", GAMMA), 0.5)])
def test_stated_errors_are_those_against_the_exact_method(net, sigma):
    noise = ct.Noise(inside=sigma)
    exact, found = ct.escape_times(net, noise), ct.escape_times(net, noise, method="latent")
    off = np.abs(found.time - exact.time)
    assert np.all(off < 2.0 * found.error)  # Edgeworth's expansion ends with the next term, but for a small remainder
    assert np.all(off > 0.5 * found.error)
    assert np.all(found.error < 0.02 * found.time)


def test_a_memory_of_24_neurons_against_a_plain_loop():
    net, E, D = memory(24)
    found = ct.escape_times(net, ct.Noise(inside=1.08))
    assert found.converged, found.message
    assert found.method == "latent"
    place = float(np.max(np.abs([D @ point.state for point in found.basins])))
    order = np.argsort([D @ point.state for point in found.basins])
    times, error = counted(E, D, 0.0, 1.08, place, 8000)
    defined = 3.0 / found.separation * found.time[order]  # a rate has this much of an uncertainty
    assert np.all(np.abs(found.time[order] - times) < 5.0 * error + found.error[order] + defined)
    other = ct.escape_times(net, ct.Noise(inside=1.05)).time[order]
    assert np.all(np.abs(other - times) > 5.0 * error + found.error[order] + defined)


@pytest.mark.slow
def test_two_memories_without_connections_leave_one_at_a_time():
    one, _, _ = memory(12)
    zero, noise = np.zeros((12, 12)), ct.Noise(inside=1.0)
    both = ct.CTRNN(np.block([[one.W, zero], [zero, one.W]]), 0.0, "tanh", GAMMA)
    single, found = ct.escape_times(one, noise), ct.escape_times(both, noise)
    assert len(found.basins) == 4
    p = np.eye(2) + single.rates
    np.testing.assert_allclose(found.rates, np.kron(p, p) - np.eye(4), atol=0.01 / single.time[0])


def test_basins_are_those_under_noise():
    """Without its noise the network remembers other values."""
    net, E, D = memory(64)
    noise = ct.Noise(inside=1.1)
    found, field = ct.escape_times(net, noise), ct.latent(net, noise, factors=(E[:, None], D[:, None]))
    states = sorted(D @ point.state for point in found.basins)
    np.testing.assert_allclose(states, [point.latent[0] for point in field.fixed_points() if point.stable], atol=1e-8)
    without = [point.latent[0] for point in field.fixed_points(0.0) if point.stable]
    assert np.min(np.abs(np.subtract.outer(states, without))) > 0.1
    np.testing.assert_allclose(found.time[0], found.time[1], rtol=1e-6)  # by symmetry
    np.testing.assert_allclose(found.occupation, 0.5, rtol=1e-6)
    assert all(point.eigenvalues.shape == (64,) for point in found.basins)


def test_refusals():
    net, _, _ = memory(64)
    with pytest.raises(ct.NotApplicable, match="times the noise: it is passed too rarely for double precision"):
        ct.escape_times(net, ct.Noise(inside=0.5))
    rng = np.random.default_rng(0)
    full = ct.CTRNN(rng.standard_normal((8, 8)), 0.0, "tanh", GAMMA)
    with pytest.raises(ct.NotApplicable, match="rank of at most 3; singular values are"):
        ct.escape_times(full, ct.Noise(inside=1.0))
    with pytest.raises(ct.NotApplicable, match="no latent variables"):
        ct.escape_times(ct.CTRNN(np.zeros((8, 8)), 0.0, "tanh", GAMMA), ct.Noise(inside=1.0), method="latent")


def test_without_a_second_basin_or_without_noise_nothing_is_left():
    net, _, _ = memory(24)
    assert "there is nowhere to go" in ct.escape_times(net, ct.Noise(inside=1.5)).message
    quiet = ct.escape_times(net, ct.Noise(), method="latent")
    assert len(quiet.basins) == 2
    assert np.all(np.isinf(quiet.time))
