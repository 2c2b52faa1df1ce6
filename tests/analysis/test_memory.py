"""The error of what networks of low rank remember."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from tests.low_rank import bistable, made

NOISE = ct.Noise(inside=1.0)
SIMULATED = 5.0  # standard errors


def linear(n, rank, seed, spectral=0.9):
    """A linear network with inputs and outputs, and factors of its weights."""
    rng = np.random.default_rng(seed)
    E, D = rng.standard_normal((2, n, rank))
    D *= spectral / np.max(np.abs(np.linalg.eigvals(D.T @ E)))
    arrays = {"W_in": rng.standard_normal((n, 2)), "W_out": rng.standard_normal((2, n)), "b_out": rng.normal(size=2)}
    return ct.CTRNN(E @ D.T, rng.standard_normal(n), "identity", 0.2, **arrays), E, D


@pytest.mark.parametrize("rank", [1, 2])
def test_a_linear_integrator_is_that_of_ten_lines(rank):
    net, E, D = linear(12, rank, rank)
    rng, noise = np.random.default_rng(5), ct.Noise(inside=0.5, outside=[[0.3], *[[0.1]] * 11])
    u, target, start = rng.standard_normal((9, 2)), rng.standard_normal((9, 2)), rng.standard_normal((3, 12))
    found = ct.memory(net, noise, u, target, start=start, steps=9, levels=[0.5, 0.0, 1.0], factors=(E, D))
    assert found.method == "closure"  # the input changes
    m, V, A = start, np.zeros((12, 12)), 0.8 * np.eye(12) + 0.2 * net.W
    for t in range(9):
        m = m @ A.T + 0.2 * (net.W_in @ u[t] + net.b)
        V = A @ V @ A.T + 0.04 * (noise.covariance("inside", 12) + noise.covariance("outside", 12))
        z, C = m @ net.W_out.T + net.b_out, net.W_out @ V @ net.W_out.T
        for s, level in enumerate((0.5, 0.0, 1.0, 0.0)):
            assert np.allclose(found.mean[s, t], z, atol=1e-12)
            assert np.allclose(found.covariance[s, t], level**2 * C, atol=1e-12)
            squared = np.mean(np.sum((z - target[t]) ** 2, axis=1)) + level**2 * np.trace(C)
            assert found.squared_error[s, t] == pytest.approx(squared, rel=1e-12)
    assert np.allclose(found.squared_error, found.systematic + found.random)
    assert np.all(found.uncertainty <= 1.01e-4 * found.random + 1e-12)  # a linear map leaves a law normal
    assert found.field is None
    without = ct.memory(net, noise, steps=3)
    assert np.array_equal(without.mean, ct.memory(net, noise, [0.0, 0.0], steps=3).mean)  # no input is one of zero


@settings(max_examples=8, deadline=None)
@given(
    w=st.floats(0.1, 1.0),
    gamma=st.floats(0.05, 1.0),
    sigma=st.floats(0.05, 1.0),
    seed=st.integers(0, 99),
    by=st.booleans(),
)
def test_a_linear_memory_is_an_ornstein_uhlenbeck_chain(w, gamma, sigma, seed, by):
    """κ' = (1-γ+γw) κ + γ σ |D| ξ: mean aᵗ κ₀, variance γ² σ² |D|² (1 - a²ᵗ) / (1 - a²)."""
    rng = np.random.default_rng(seed)
    E, D = rng.standard_normal((2, 20, 1))
    D *= 1.0 / (E[:, 0] @ D[:, 0])
    net = ct.CTRNN(w * E @ D.T, 0.0, "identity", gamma)
    start, method = rng.standard_normal(20), "density" if by else "closure"
    found = ct.memory(
        net, ct.Noise(inside=sigma), start=start, steps=30, record_every=3, factors=(w * E, D), method=method
    )
    t, a = np.arange(3, 31, 3), 1.0 - gamma + gamma * w
    sums = np.array([np.sum(a ** (2.0 * np.arange(k))) for k in t])
    random = gamma**2 * sigma**2 * np.sum(D**2) * sums
    away = ((a**t - 1.0) * (start @ D[:, 0])) ** 2
    size = np.max(random + away)
    stated = found.uncertainty[0] + 1e-6 * size
    assert np.all(np.abs(found.systematic[0] - away) <= stated)
    assert np.all(np.abs(found.random[0] - random) <= stated)
    assert np.all(found.uncertainty[0] <= 1e-3 * size)
    assert np.all(np.abs(found.squared_error[0] - random - away) <= found.uncertainty[0] + 1e-9 * size)
    assert np.allclose(found.systematic[1:], away, rtol=1e-9, atol=1e-12 * size)
    assert np.all(found.random[1:] == 0.0)


def kept(net, E, D, latent, **options):
    """What a network keeps of values of one latent variable, from states that have them."""
    start = ct.latent(net, NOISE, factors=(E, D)).state(latent)
    return ct.memory(net, NOISE, start=start, factors=(E, D), **options)


def test_a_decision_is_remembered_as_in_a_simulation():
    net, E, D = bistable(24)
    found = kept(net, E, D, [[-1.0], [0.3], [1.0]], steps=300, record_every=100, simulate=True, trajectories=2000)
    assert found.method == "density"
    assert found.systematic[0, -1] > found.random[0, 0] > 0.0
    away = np.abs(found.squared_error - found.simulated_squared_error)
    assert np.all(away <= SIMULATED * found.standard_error + found.uncertainty + 1e-12)
    assert np.all(found.uncertainty <= 0.05 * found.squared_error)
    parts = found.simulated_systematic + found.simulated_random
    assert np.allclose(parts, found.simulated_squared_error, rtol=1e-12)
    # half of the noise does not agree with the simulation, and the closure is off by the error that it states
    others = kept(net, E, D, [[-1.0], [0.3], [1.0]], steps=300, record_every=100, levels=[0.5, 1.0], method="closure")
    away = np.abs(others.squared_error - found.simulated_squared_error[0])
    assert np.all(away[0] > SIMULATED * found.standard_error[0] + others.uncertainty[0])
    away = np.abs(others.squared_error[1] - found.squared_error[0])
    assert np.all(away <= others.uncertainty[1] + found.uncertainty[0])
    assert np.any(away > found.uncertainty[0])


def test_a_ring_diffuses():
    """E κ_t = κ_0 exp(-D t/2r²) and the angle has the variance D t/r², up to the radial spread."""
    angle = 2.0 * np.pi * np.arange(64) / 64
    E = 2.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    f = ct.activation("tanh")
    D = E / (E[:, 0] @ f.smoothed(E[:, 0], 1.0))  # which makes |κ| = 1 a ring of fixed points
    net, turned = ct.CTRNN(E @ D.T, 0.0, "tanh", 0.1), np.array([[1.0, 0.0], [np.cos(0.3), np.sin(0.3)]])
    found = kept(net, E, D, turned, steps=200, record_every=20)
    field = ct.latent(net, NOISE, factors=(E, D))
    assert np.max(np.abs(field.drift(turned))) < 1e-6
    B = field.diffusion(turned[:1])[0]
    slope = (field.drift([[1.001, 0.0]]) - field.drift([[0.999, 0.0]]))[0, 0] / 0.002
    radial = B[0, 0] / (-2.0 * slope)  # variance along the radius
    along = found.covariance[0, :, 0, 1, 1]
    expected = 0.5 * (1.0 - np.exp(-2.0 * B[1, 1] * found.time))
    assert np.allclose(along, expected, rtol=5.0 * radial + 0.02)
    across = radial * (1.0 - np.exp(2.0 * slope * found.time))
    assert np.allclose(found.squared_error[0], B[1, 1] * found.time + across, rtol=5.0 * radial + 0.02)
    means = found.mean[0] @ np.array([[1.0, -1j], [1j, 1.0]])[0]
    assert np.allclose(means[:, 1] / means[:, 0], np.exp(-0.3j), atol=1e-3 * np.max(found.squared_error))
    assert np.all(found.uncertainty[0] < 5e-3 * found.squared_error[0])
    assert np.all(found.squared_error[2] < 1e-12)  # the smoothed activation stays where it is, on the ring


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), sigma=st.floats(0.1, 1.5), level=st.floats(0.1, 0.9), rank=st.integers(1, 2))
def test_identities(seed, sigma, level, rank):
    rng = np.random.default_rng(seed)
    E, D = rng.standard_normal((2, 20, rank))
    net = ct.CTRNN(E @ D.T / 20, rng.standard_normal(20), "softplus", 0.2)
    options = {"start": rng.standard_normal((2, 20)), "steps": 6, "factors": (E, D / 20), "method": "closure"}
    found = ct.memory(net, ct.Noise(inside=sigma), levels=[level, 1.0, 0.0], **options)
    off, smoothed = 2, 3
    assert np.all(found.random[[off, smoothed]] == 0.0)  # no noise, no diffusion
    assert np.all(found.uncertainty[[off, smoothed]] == 0.0)
    # a level is a noise, and each does not depend on others
    alone = ct.memory(net, ct.Noise(inside=level * sigma), levels=[1.0], smoothed=False, **options)
    assert np.allclose(alone.mean[0], found.mean[0], rtol=1e-12)
    assert np.allclose(alone.covariance[0], found.covariance[0], rtol=1e-9, atol=1e-15)
    # the drift of the smoothed activation without noise is that of level 1
    field = ct.latent(net, ct.Noise(inside=sigma), factors=(E, D / 20))
    for s, of_field in ((off, 0.0), (smoothed, 1.0)):
        latent = options["start"] @ D / 20
        for t in range(6):
            latent = latent + 0.2 * field.drift(latent, of_field)
            assert np.allclose(found.mean[s, t], latent, atol=1e-10)
    assert np.allclose(found.levels, [level, 1.0, 0.0, 1.0])
    # from a known state the first step is exact: it has the drift and the diffusion of the field
    assert np.allclose(found.covariance[1, 0], 0.2 * field.diffusion(options["start"] @ D / 20), rtol=1e-6)
    assert np.allclose(found.mean[1, 0], found.mean[smoothed, 0], atol=1e-9)


def test_path_integration_is_predicted_without_a_simulation():
    noise, levels = ct.Noise(inside=0.7), [0.0, 0.5, 1.0]
    trained = ct.train("path_integration", 64, "tanh", method="decoders", noise=noise, rng=1)
    whole = ct.preference(trained.network, trained.task, levels, noise=noise, simulate=False)
    episode = trained.task.drawn(np.random.SeedSequence(0).generate_state(2, np.uint64))
    u, y = episode.u[:, :4], episode.y[:, :4]
    few = ct.training.tasks.Given.of(u, y)
    some = ct.preference(trained.network, few, levels, noise=noise, simulate=False)
    run = {"steps": 60, "record_every": 1, "levels": levels}
    found = ct.memory(trained.network, noise, u, y, simulate=True, trajectories=64, **run)
    assert found.method == "closure"
    assert np.allclose(found.loss[:3], some.predicted_loss, rtol=1e-9)
    assert whole.predicted_loss[0] > 2.0 * whole.predicted_loss[2]
    assert found.loss[3] < found.loss[2] < 0.5 * found.loss[0]  # it is repaired, and cannot do without noise as it is
    away = np.abs(found.squared_error - found.simulated_squared_error)
    assert np.all(away <= SIMULATED * found.standard_error + found.uncertainty + 1e-9)
    assert np.all(found.uncertainty[2] < 0.15 * found.squared_error[2])
    shifted = np.abs(found.squared_error[1] - found.simulated_squared_error[2])
    assert np.any(shifted > SIMULATED * found.standard_error[2] + found.uncertainty[2])  # another level is not this one


def test_values_that_are_read():
    """A readout is a function of latent variables or not; both methods give the same where both apply."""
    net, E, D = made(40, 1, lambda x: -0.3 * (x - 0.4))
    start, options = ct.latent(net, NOISE, factors=(E, D)).state([0.2]), {"steps": 40, "record_every": 10}
    read = ct.CTRNN(net.W, net.b, "tanh", 0.1, W_out=np.concatenate([2.0 * D.T, -D.T]), b_out=[1.0, 0.0])
    kappa = ct.memory(net, NOISE, start=start, factors=(E, D), **options)
    twice = ct.memory(read, NOISE, start=start, **options)
    assert kappa.method == twice.method == "density"
    assert np.allclose(twice.mean[..., 0], 2.0 * kappa.mean[..., 0] + 1.0, atol=1e-6)
    assert np.allclose(twice.random, 5.0 * kappa.random, rtol=1e-4)
    assert np.allclose(twice.target[..., 0], 1.4)
    other = ct.CTRNN(net.W, net.b, "tanh", 0.1, W_out=np.ones((1, 40)))
    assert ct.memory(other, NOISE, start=start, **options).method == "closure"
    closure = ct.memory(read, NOISE, start=start, method="closure", **options)
    away = np.abs(closure.squared_error - twice.squared_error)
    assert np.all(away <= closure.uncertainty + twice.uncertainty + 1e-9)


def test_refusals():
    net = bistable(32)[0]
    for options, message in (
        ({"start": [0.0]}, r"start must have shape \(32,\) or \(C, 32\); got \(1, 1\)"),
        ({"target": np.zeros((3, 1)), "steps": 5}, r"target must have shape \(1,\), \(5, 1\) or \(1 or 5, C, 1\)"),
        ({"target": np.zeros((1, 3, 1)), "start": np.zeros((2, 32))}, "start must have 3 conditions, as others have"),
        ({"record_every": 9, "steps": 5}, "record_every must be at most steps = 5; got 9"),
        ({"levels": [-1.0]}, r"levels must be at least one number, none below 0; got \[-1.0\]"),
        ({"method": "none"}, "method must be one of closure, density; got 'none'"),
    ):
        with pytest.raises(ValueError, match=message):
            ct.memory(net, NOISE, **options)
    full = ct.CTRNN(np.random.default_rng(0).standard_normal((40, 40)), 0.0, "tanh")
    with pytest.raises(ct.NotApplicable, match="memory takes weights of low rank"):
        ct.memory(full, NOISE)
    with pytest.raises(ct.NotApplicable, match="memory does not take coloured noise inside"):
        ct.memory(net, ct.Noise(inside=1.0, rho_inside=0.5))
    with pytest.raises(ct.NotApplicable, match="memory takes noise inside and gains only if neurons have their own"):
        ct.memory(net, ct.Noise(inside=np.ones((32, 1))))
    other = ct.CTRNN(net.W, net.b, "tanh", 0.1, W_out=np.ones((1, 32)))
    with pytest.raises(ct.NotApplicable, match="memory by the method density takes values that are functions"):
        ct.memory(other, NOISE, method="density")


def test_text_numbers_and_picture():
    net, E, D = bistable(32)
    found = kept(net, E, D, [0.9], steps=20, record_every=5, levels=[1.0, 0.0, 0.5], simulate=True, trajectories=20)
    assert "level 0: 2 stable fixed points, κ = -1." in found.table()
    assert "prediction by density in" in found.table()
    assert found.to_xarray()["squared_error"].dims == ("setting", "time")
    known = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert known["settings"] == ["level 1", "level 0", "level 0.5", "smoothed"]
    assert np.allclose(known["loss"], found.loss)
    ax = found.plot(parts=True)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["noise as it is", "noise off", "noise, level 0.5", "smoothed activation"]
    plt.close(ax.figure)
