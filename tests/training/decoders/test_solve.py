"""Decoders: least squares under noise, what follows from the symmetries of relu, and how errors fall with N."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.testing import noises
from ctrnn_theory.training.decoders.encoders import Encoders, draw_encoders
from ctrnn_theory.training.decoders.moments import moments
from ctrnn_theory.training.decoders.solve import RIDGE, decoders
from ctrnn_theory.training.tasks import Latent

RELU, TANH = ct.activation("relu"), ct.activation("tanh")
U = np.linspace(-1.0, 1.0, 60)[:, None]
NONE = np.zeros((60, 0))
SINE = Latent("y = sin(πu)", U, NONE, NONE, np.sin(np.pi * U))
LINE = Latent("y = u", U, NONE, NONE, U)
GAMMA = 0.2


def loss_of(f, encoders, noise, points, target, weights, constant):
    """Mean squared error of an output over points and noise, plus the ridge, from plain averages at each point."""
    F, C = moments(f, encoders.preactivation(points), noise, GAMMA)
    ridge = RIDGE * (np.mean(np.sum(F**2, axis=1)) + np.trace(C)) / F.shape[1]
    error = F @ weights + constant - target
    noisy = np.einsum("ip,ij,jp->", weights, C, weights)
    return np.mean(np.sum(error**2, axis=1)) + noisy + ridge * np.sum(weights**2)


def system(rng):
    """A latent system of two variables with two inputs, and an output that is no variable of it."""
    u, x = rng.normal(size=(60, 2)), rng.uniform(-1, 1, (60, 2))
    return Latent("x' = x + (u - x)/10", u, x, (u - x) / 10, np.sin(x[:, :1] * u[:, 1:]))


@pytest.mark.parametrize("name", ["relu", "tanh"])
@settings(max_examples=8)
@given(noise=noises(30), seed=st.integers(0, 99))
def test_nothing_near_decoders_has_a_lower_expected_error(name, noise, seed):
    rng = np.random.default_rng(seed)
    f, latent = ct.activation(name), system(rng)
    still = Latent("y = u²", U, NONE, NONE, U**2)
    encoders, quiet = (draw_encoders(each, 30, 1.0, 1.0, rng) for each in (latent, still))
    found, without = decoders(f, encoders, latent, noise, GAMMA), decoders(f, quiet, still, noise, GAMMA)
    for points, target in ((latent, latent.x + latent.change / GAMMA), (latent, latent.y), (still, still.y)):
        memory, state = points is latent, target.shape[1] == 2
        fit = found if memory else without
        weights, constant = (fit.D if state else fit.W_out.T), (np.zeros(2) if state else fit.b_out)
        arguments = (f, encoders if memory else quiet, noise, points, target)
        lowest = loss_of(*arguments, weights, constant)
        step = 1e-3 * rng.normal(size=weights.shape)
        up, down = (loss_of(*arguments, weights + s * step, constant) for s in (1, -1))
        assert up > lowest
        assert down > lowest
        assert abs(up - down) < 1e-3 * (up + down - 2 * lowest) + 1e-13 * lowest  # the gradient is zero
        moved = [loss_of(*arguments, weights, constant + s * 0.01) - lowest for s in (1, -1)]
        assert memory or moved == pytest.approx([1e-4, 1e-4], rel=1e-6)  # an error of 0.01 at every point
    assert not found.b_out.any()
    assert without.b_out.any()


def test_decoders_for_other_noise_have_a_greater_error():
    noise, other = ct.Noise(inside=0.8), ct.Noise(inside=0.4)
    encoders = draw_encoders(SINE, 100, 1.5, 2.0, np.random.default_rng(0))
    right, wrong = (decoders(RELU, encoders, SINE, each, GAMMA) for each in (noise, other))
    errors = [loss_of(RELU, encoders, noise, SINE, SINE.y, found.W_out.T, found.b_out) for found in (right, wrong)]
    assert errors[1] > 1.5 * errors[0]


def test_a_step_of_the_network_is_a_step_of_the_latent_system():
    rng = np.random.default_rng(0)
    latent, noise = system(rng), ct.Noise(inside=0.3)
    encoders = draw_encoders(latent, 400, 1.0, 1.0, rng)
    D = decoders(TANH, encoders, latent, noise, GAMMA).D
    rates = TANH.smoothed(encoders.preactivation(latent), 0.3)
    after = (1 - GAMMA) * latent.x + GAMMA * rates @ D
    assert np.sqrt(np.mean((after - latent.x - latent.change) ** 2)) < 0.05 * np.sqrt(np.mean(latent.change**2))


def test_outputs_are_the_first_latent_variables():
    rng = np.random.default_rng(0)
    latent = system(rng)._replace(y=None)
    encoders = draw_encoders(latent, 20, 1.0, 1.0, rng)
    found = decoders(TANH, encoders, latent, ct.Noise(inside=0.3), GAMMA, outputs=1)
    assert np.array_equal(found.W_out, found.D[:, :1].T)
    assert not found.b_out.any()


@given(st.integers(-3, 3), st.floats(0.2, 1.0))
def test_relu_scales(power, sigma):
    """If α, β and σ are doubled, rates are, and decoders are halved; powers of two make no rounding."""
    scale, noise = 2.0**power, ct.Noise(inside=sigma)
    first = draw_encoders(SINE, 40, 1.5, 2.0, np.random.default_rng(0))
    second = draw_encoders(SINE, 40, 1.5 * scale, 2.0 * scale, np.random.default_rng(0))
    one, two = decoders(RELU, first, SINE, noise, GAMMA), decoders(RELU, second, SINE, noise.scaled(scale), GAMMA)
    np.testing.assert_allclose(two.W_out * scale, one.W_out, rtol=1e-6)  # the table of variances scales to its error
    np.testing.assert_allclose(two.b_out, one.b_out, rtol=1e-6, atol=1e-9)


def test_tanh_does_not_scale():
    first, second = (draw_encoders(SINE, 40, s, s, np.random.default_rng(0)) for s in (1.0, 2.0))
    one = decoders(TANH, first, SINE, ct.Noise(inside=0.5), GAMMA)
    two = decoders(TANH, second, SINE, ct.Noise(inside=1.0), GAMMA)
    assert abs(2 * two.W_out - one.W_out).max() > 0.1 * abs(one.W_out).max()


@pytest.mark.parametrize(("latent", "shifts"), [(LINE, False), (SINE, True)])
def test_antisymmetric_relu_has_no_bias_for_a_line(latent, shifts):
    """Neurons in pairs of opposite weights get opposite decoders; F(a) - F(-a) = a whatever the noise is."""
    w = np.random.default_rng(0).normal(size=(30, 1))
    pairs = Encoders(np.concatenate([w, -w]), np.zeros((60, 0)), np.repeat([0.0, 0.4], 30) if shifts else np.zeros(60))
    found = decoders(RELU, pairs, latent, ct.Noise(inside=1.0), GAMMA)
    a = pairs.preactivation(latent)
    quiet, trained = (RELU.smoothed(a, s) @ found.W_out.T for s in (0.0, 1.0))
    assert (abs(trained - quiet).max() > 0.05) == shifts
    assert shifts or abs(trained - quiet).max() < 1e-9


def test_variance_of_the_output_falls_as_one_over_n_and_bias_does_not():
    sizes, noise, nu, K = np.array([128, 256, 512]), ct.Noise(inside=0.5), [], []
    for n in sizes:
        parts = []
        for seed in range(3):
            encoders = draw_encoders(SINE, int(n), 1.5, 2.0, np.random.default_rng(seed))
            found, a = decoders(RELU, encoders, SINE, noise, 0.1), encoders.preactivation(SINE)
            C = moments(RELU, a, noise, 0.1).covariance
            shift = (RELU.smoothed(a, 0.5) - RELU(a)) @ found.W_out.T
            parts.append((np.sum((found.W_out @ C) * found.W_out), np.mean(shift**2)))
        one, two = np.mean(parts, axis=0)
        nu.append(one)
        K.append(two)
    slope, flat = (np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (nu, K))
    assert -1.15 < slope < -0.85
    assert abs(flat) < 0.15


def test_a_silent_network_has_no_decoders():
    encoders = Encoders(np.zeros((5, 1)), np.zeros((5, 0)), np.full(5, -1.0))
    found = decoders(RELU, encoders, SINE._replace(y=SINE.y + 2.0), ct.Noise(), GAMMA)
    assert not found.W_out.any()
    assert found.b_out == pytest.approx(2.0)


def test_moments_that_are_not_finite_are_refused():
    encoders = Encoders(np.full((2, 1), 400.0), np.zeros((2, 0)), np.zeros(2))
    with pytest.raises(ValueError, match=r"activation must have finite moments at the sampled points; got exp\(x\)"):
        decoders(ct.activation("exp(x)"), encoders, SINE, ct.Noise(outside=5.0), GAMMA)


@pytest.mark.parametrize(
    "noise",
    [
        ct.Noise(inside=0.4),
        ct.Noise(outside=0.3),
        pytest.param(ct.Noise(inside=[[0.3]] * 150), marks=pytest.mark.slow),  # all pairs of neurons
    ],
)
@pytest.mark.parametrize("memory", [False, True])
def test_fewer_points_than_neurons_give_the_solution_of_the_normal_equations(noise, memory):
    rng = np.random.default_rng(5)
    latent = system(rng) if memory else SINE
    encoders = draw_encoders(latent, 150, 1.5, 2.0, rng)
    found = decoders(RELU, encoders, latent, noise, GAMMA, 1)
    F, C = moments(RELU, encoders.preactivation(latent), noise, GAMMA)
    ridge = RIDGE * (np.mean(np.sum(F**2, axis=1)) + np.trace(C)) / 150
    mean, y = (0.0, 0.0) if memory else (F.mean(axis=0), latent.y.mean(axis=0))
    A = (F - mean).T @ (F - mean) / 60 + C + ridge * np.eye(150)
    # both leave rounding times the condition of A, which is below 1e9
    for weights, r in ((found.W_out.T, latent.y - y), (found.D, latent.x + latent.change / GAMMA)):
        np.testing.assert_allclose(A @ weights, (F - mean).T @ r / 60, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.b_out, y - found.W_out @ (mean + np.zeros(150)), rtol=0, atol=1e-12)
