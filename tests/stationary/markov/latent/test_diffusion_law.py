"""The diffusion approximation of latent variables, and the law of all neurons that follows from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_continuous_lyapunov

import ctrnn_theory as ct
from ctrnn_theory.stationary.markov.latent.diffusion_law import solve_diffusion
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from tests.low_rank import bistable, made


@settings(max_examples=6)
@given(st.integers(0, 2**32 - 1), st.integers(4, 20), st.floats(0.05, 0.5))
def test_linear_networks(seed, n, gamma):
    """(1 - W) V + V (1 - W)ᵀ = γ (σ_in² + Σ_out), with noise outside that neurons share."""
    rng = np.random.default_rng(seed)
    E, D = rng.standard_normal((n, 1)), rng.standard_normal((n, 1))
    D *= rng.uniform(-0.9, 0.9) / (D[:, 0] @ E[:, 0])
    L = rng.standard_normal((n, 2))
    net, noise = ct.CTRNN(E @ D.T, rng.standard_normal(n), "identity", gamma), ct.Noise(inside=0.5, outside=0.3 * L)
    law = ct.predict(net, noise, method="fokker_planck")
    V = solve_continuous_lyapunov(np.eye(n) - net.W, gamma * (0.25 * np.eye(n) + 0.09 * L @ L.T))
    assert law.converged, law.message
    np.testing.assert_allclose(law.mean, np.linalg.solve(np.eye(n) - net.W, net.b), atol=1e-9 * np.abs(law.mean).max())
    np.testing.assert_allclose(law.covariance, V, atol=10.0 * law.details["error"][1] + 1e-9 * V.max())


def test_linear_networks_of_rank_two():
    rng, n = np.random.default_rng(1), 12
    E, D = rng.standard_normal((n, 2)), 0.5 / n * rng.standard_normal((n, 2))
    net = ct.CTRNN(E @ D.T, rng.standard_normal(n), "identity", 0.1)
    law = ct.predict(net, ct.Noise(inside=0.5), method="fokker_planck")
    V = solve_continuous_lyapunov(np.eye(n) - net.W, 0.025 * np.eye(n))
    np.testing.assert_allclose(law.covariance, V, atol=1e-4 * V.max())
    assert np.max(np.abs(law.covariance - 1.001 * V)) > 1e-4 * V.max()  # negative control


@pytest.mark.parametrize(("n", "rank"), [(2, 1), (3, 1), (3, 2)])
def test_it_is_the_equation_of_all_neurons(n, rank):
    """That is solved in n dimensions, by other cells; the errors are those which both state."""
    rng = np.random.default_rng(n + rank)
    W = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n))
    net, noise = ct.CTRNN(0.8 * W / np.linalg.norm(W, 2), rng.standard_normal(n), "tanh"), ct.Noise(inside=0.6)
    whole = ct.predict(net, noise, method="fokker_planck", cells=64 if n == 2 else 32)
    law = solve_diffusion(LatentStep.of(net, noise))
    assert law.converged, law.message
    mean_error, error = whole.details["error"] + law.details["error"]
    np.testing.assert_allclose(law.mean, whole.mean, atol=mean_error)
    np.testing.assert_allclose(law.covariance, whole.covariance, atol=error)


def test_what_it_neglects_is_of_the_order_of_the_step():
    """Against the chain, in the variances of the neurons of a network of two attractors."""
    off = []
    for gamma in (0.1, 0.05):
        net = bistable(24)[0]
        net, noise = ct.CTRNN(net.W, net.b, "tanh", gamma), ct.Noise(inside=1.3)
        chain = ct.predict(net, noise, method="latent")
        law = ct.predict(net, noise, method="fokker_planck")
        assert np.max(np.abs(law.mean - chain.mean)) < gamma * np.max(chain.std)
        own = np.diag(chain.covariance)
        off.append(np.median(1.0 - np.diag(law.covariance) / own))
    assert off[0] / off[1] == pytest.approx(2.0, abs=0.3)


def test_a_network_of_many_neurons_is_in_the_table():
    report = ct.bias(
        made(40, 1, lambda x: -0.5 * x + 0.4)[0], ct.Noise(inside=1.0), methods=["latent", "fokker_planck"]
    )
    laws = report.laws
    assert laws["fokker_planck"].details["latent_density"].n == 1
    assert np.max(np.abs(laws["latent"].mean - laws["fokker_planck"].mean)) < 0.1 * np.max(laws["latent"].std)


def test_refusals():
    rng = np.random.default_rng(0)
    full = ct.CTRNN(0.1 * rng.standard_normal((5, 5)), np.zeros(5), "tanh")
    with pytest.raises(ct.NotApplicable, match="Fokker–Planck is for one to three neurons; the network has 5"):
        ct.predict(full, ct.Noise(inside=0.5), method="fokker_planck")
    low = made(12, 1, lambda x: -0.5 * x)[0]
    with pytest.raises(ValueError, match="cells must be None for more than 3 neurons; got 64"):
        ct.predict(low, ct.Noise(inside=1.0), method="fokker_planck", cells=64)
    rough = ct.predict(low, ct.Noise(inside=1.0), method="fokker_planck", tolerance=1e-300)
    assert not rough.converged
    assert "estimated error" in rough.message


def test_what_its_error_cannot_see_is_said():
    E = np.ones((6, 1))
    fast = ct.CTRNN(E @ (-E.T), np.zeros(6), "identity", 0.2)  # a step of 1.4 times the distance
    assert "too long for the diffusion" in ct.predict(fast, ct.Noise(inside=0.5), method="fokker_planck").message
    rare = bistable(400)[0]  # two memories that rounding does not connect
    law = ct.predict(rare, ct.Noise(inside=1.0), method="fokker_planck")
    assert not law.converged
    assert "estimated error" in law.message
    with pytest.raises(ct.NotApplicable, match="to be resolved"):
        ct.latent(ct.CTRNN(E @ E.T / 12.0, 0.1 * np.linspace(-1.0, 1.0, 6), "relu"), ct.Noise(outside=0.1)).density()
