"""The law of networks of low rank: closed forms, finite chains, the exact method, and simulation."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from scipy.stats import binom

import ctrnn_theory as ct
from ctrnn_theory.stationary.latent import solve
from tests.low_rank import bistable, made, ring


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("outside", [0.3, "correlated"])
def test_linear_networks_are_solved_in_closed_form(rank, outside):
    rng, n, gamma = np.random.default_rng(1), 12, 0.2
    W, b = 0.7 / n * rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n)), rng.standard_normal(n)
    noise = ct.Noise(inside=0.5, outside=0.2 * rng.standard_normal((n, n)) if outside == "correlated" else outside)
    law = solve(ct.CTRNN(W, b, "identity", gamma), noise)
    J, Q = np.eye(n) - gamma * (np.eye(n) - W), gamma**2 * (0.25 * np.eye(n) + noise.covariance("outside", n))
    assert np.allclose(law.mean, np.linalg.solve(np.eye(n) - W, b), atol=1e-9)
    assert np.allclose(law.covariance, solve_discrete_lyapunov(J, Q), atol=1e-9)
    assert law.converged


def binomial(n: int, w: float, b: float) -> tuple[float, float]:
    """Mean and variance of x' = w K/n, K binomial of n and Φ(x + b): n equal neurons of a step function, γ = 1."""
    x = w * np.arange(n + 1) / n
    p = ct.activation("step").smoothed(x + b, 1.0)
    P = binom.pmf(np.arange(n + 1), n, p[:, None])
    law = np.linalg.matrix_power(P, 64)[0]
    mean = law @ x
    return mean, law @ (x - mean) ** 2


def test_errors_fall_with_the_number_of_neurons():
    """Against the finite chain of n equal neurons; with the third cumulant, errors are smaller and fall faster."""
    sizes, w, b = np.array([8, 16, 32, 64]), 1.5, -1.0
    off = {True: [], False: []}
    for n in sizes:
        mean, variance = binomial(n, w, b)
        net, noise = ct.CTRNN(np.full((n, n), w / n), b, "step", 1.0), ct.Noise(inside=1.0)
        for edgeworth, found in off.items():
            law = solve(net, noise, edgeworth=edgeworth)
            assert w**2 * law.covariance.mean() == pytest.approx(variance, rel=0.02)
            found.append(abs(w * law.mean[0] - mean))
            stated = law.details["cumulant_error"][0] * w / np.sqrt(n)  # columns of D are orthonormal
            assert found[-1] < 3.0 * stated + 1e-9
    slopes = {edgeworth: np.polyfit(np.log(sizes), np.log(found), 1)[0] for edgeworth, found in off.items()}
    assert -2.2 < slopes[False] < -1.8  # third cumulants of the mean of n terms
    assert -3.4 < slopes[True] < -2.6
    assert np.all(np.array(off[True]) < 0.2 * np.array(off[False]))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("noise", [ct.Noise(inside=0.7), ct.Noise(inside=0.4, outside=0.3)])
def test_two_neurons_are_those_of_the_exact_method(activation, noise):
    net = ct.CTRNN(np.outer([0.8, -0.5], [0.6, 0.4]), [0.1, -0.2], activation, 0.1)
    true, law, normal = ct.predict(net, noise, method="exact"), solve(net, noise), solve(net, noise, edgeworth=False)
    for found in (law, normal):
        scale = np.linalg.norm([0.8, -0.5])  # from κ, whose decoders have length one, to what neurons read
        assert np.all(np.abs(found.mean - true.mean) < 10.0 * scale * found.details["cumulant_error"] + 1e-7)
    assert np.max(np.abs(law.mean - true.mean)) < 0.3 * np.max(np.abs(normal.mean - true.mean))
    assert np.allclose(law.covariance, true.covariance, atol=2e-6)
    assert not np.allclose(normal.covariance, true.covariance, atol=2e-7)


@pytest.mark.parametrize(("network", "tolerance"), [(bistable, 1e-6), (ring, 1e-2)])
def test_covariances_of_neurons_and_of_latent_variables_agree(network, tolerance):
    net, _, _ = network(24)
    law = solve(net, ct.Noise(inside=1.0, outside=0.1), tolerance=tolerance)
    D, size = ct.latent(net, ct.Noise(inside=1.0)).factors.D, np.max(law.details["latent_covariance"])
    assert np.allclose(D.T @ law.covariance @ D, law.details["latent_covariance"], atol=tolerance * size)
    assert np.allclose(D.T @ law.mean, law.details["latent_mean"], atol=tolerance * np.sqrt(size))


def against_simulation(net, noise, law, seed, steps=None):
    """Largest distance of mean and variance from a simulation's, in standard errors plus what the law states."""
    sim = ct.predict(net, noise, method="simulation", rng=seed, workers=1, steps=steps)
    gain = np.max(np.linalg.norm(net.W, axis=1))
    stated = gain * np.max(law.details["cumulant_error"]) + gain * np.max(law.details["error"])
    return (
        np.max(np.abs(law.mean - sim.mean) / (5.0 * sim.standard_error + stated)),
        np.max(
            np.abs(np.diag(law.covariance) - np.diag(sim.covariance)) / (5.0 * sim.details["variance_standard_error"])
        ),
    )


SITES = [ct.Noise(inside=1.0), ct.Noise(inside=0.5, outside=0.3)]


@pytest.mark.parametrize(("n", "rank"), [(64, 1), (24, 2)])
@pytest.mark.parametrize("noise", SITES)
def test_simulation(n, rank, noise):
    net, _, _ = made(n, rank, lambda x: -0.5 * x + 0.4)
    law = solve(net, noise, tolerance=1e-2 if rank == 2 else 1e-6)
    assert max(against_simulation(net, noise, law, 3)) < 1.0
    assert max(against_simulation(net, ct.Noise(inside=1.3 * noise.inside, outside=noise.outside), law, 3)) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rank"), [(256, 1), (1024, 1), (256, 2)])
@pytest.mark.parametrize("noise", SITES)
def test_simulation_of_many_neurons(n, rank, noise):
    net, _, _ = made(n, rank, lambda x: -0.5 * x + 0.4)
    assert max(against_simulation(net, noise, solve(net, noise), 3)) < 1.0


def test_the_start_decides_where_noise_hardly_ever_switches():
    net, _, D = bistable(200, rate=1.0)
    there = D[:, 0] / np.sum(D**2)
    high, low = (solve(net, ct.Noise(inside=0.4), start=sign * there) for sign in (1.0, -1.0))
    assert D[:, 0] @ high.mean > 0.8 > -0.8 > D[:, 0] @ low.mean
    assert max(high.details["memory"], low.details["memory"]) < 1e3


def test_refusals():
    rng, noise = np.random.default_rng(0), ct.Noise(inside=1.0)
    net = ct.CTRNN(rng.standard_normal((8, 4)) @ rng.standard_normal((4, 8)) / 8, 0.0, "tanh")
    values = ", ".join(f"{value:.3g}" for value in np.linalg.svd(net.W, compute_uv=False)[:4])
    with pytest.raises(ct.NotApplicable, match=f"rank of at most 3; singular values are {values}"):
        solve(net, noise)
    net, _, _ = bistable(24)
    with pytest.raises(ct.NotApplicable, match="neurons have their own; theirs are correlated"):
        solve(net, ct.Noise(inside=np.ones((24, 1))))
    with pytest.raises(ct.NotApplicable, match="latent does not take coloured noise inside"):
        solve(net, ct.Noise(inside=1.0, rho_inside=0.5))
    with pytest.raises(ValueError, match=r"tolerance must be a positive number; got 0"):
        solve(net, noise, tolerance=0.0)


def test_without_noise_it_is_the_fixed_point():
    net, _, _ = bistable(24)
    law = solve(net, ct.Noise(), start=np.ones(24))
    assert np.allclose(law.mean, ct.predict(net, ct.Noise(), method="deterministic", start=np.ones(24)).mean)
    assert not law.covariance.any()


def test_gains_inside_against_simulation():
    net, _, _ = made(48, 1, lambda x: -0.5 * x + 0.4)
    noise = ct.Noise(inside=0.5, gain_inside=0.5)
    assert max(against_simulation(net, noise, solve(net, noise), 5)) < 1.0


def test_a_report_of_many_neurons_has_it_and_one_of_few_has_not():
    many, few = bistable(24)[0], bistable(2)[0]
    names = [name for name in ct.METHODS if name in ("latent", "deterministic")]
    assert list(ct.bias(many, ct.Noise(inside=1.0), methods=names, start=np.ones(24)).laws) == names
    assert "latent" not in ct.bias(few, ct.Noise(inside=1.0)).laws


def test_a_law_that_is_nearly_a_point():
    """Its standardised third cumulant would divide by the cube of 1e-120."""
    law = solve(ct.CTRNN.single(6.91e-6, 18.6, "erf", 0.0531), ct.Noise(inside=3.83e-8))
    assert law.mean == pytest.approx([1.0], abs=1e-12)
    assert law.std < 1e-12


def test_kinks_without_noise_inside_are_not_taken_for_resolved():
    """The law's own grid interpolates a table, so that refining it cannot show what the table leaves out."""
    net = ct.CTRNN(np.outer([0.8, -0.5], [0.6, 0.4]), [0.1, -0.2], "relu", 0.1)
    law = solve(net, ct.Noise(outside=0.3))
    assert not law.converged
    assert "bends too sharply to be resolved" in law.message
    assert "bends" not in solve(net, ct.Noise(inside=0.3)).message


def test_rare_switches_are_refused_everywhere():
    net, noise = bistable(64)[0], ct.Noise(inside=1.0)
    for method in (lambda: solve(net, noise), lambda: ct.spectrum(net, noise)):
        with pytest.raises(ct.NotApplicable, match="too rarely for double precision"):
            method()
