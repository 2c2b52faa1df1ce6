"""Cumulants of one step of latent variables."""

import mpmath as mp
import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.model.low_rank import Factors
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from tests.low_rank import ring

FUNCTIONS = {"tanh": mp.tanh, "relu": lambda x: max(x, mp.mpf(0))}


def step(activation, n=3, rank=2, noise=None):
    rng = np.random.default_rng(4)
    E, D = rng.standard_normal((n, rank)), rng.standard_normal((n, rank))
    net = ct.CTRNN(E @ D.T, rng.standard_normal(n), activation, 0.3)
    return LatentStep.of(net, noise or ct.Noise(inside=0.8), None, Factors(E, D))


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_cumulants_are_those_of_quadrature(activation, order):
    """A step is γ Σ_i D_i f(a_i + σ ξ_i) plus what is given, whose cumulants add up."""
    made, latent = step(activation), np.array([[0.4, -0.7]])
    total = np.zeros((2,) * order)
    for a, D in zip(made.preactivation(latent)[0], made.D, strict=True):
        edges = [mp.mpf(-12), *([-mp.mpf(a) / mp.mpf("0.8")] if activation == "relu" else []), mp.mpf(0), mp.mpf(12)]
        edges = sorted(edges)

        def average(g, a=a, edges=edges):
            return mp.quad(lambda t: g(FUNCTIONS[activation](mp.mpf(a) + mp.mpf("0.8") * t)) * mp.npdf(t), edges)

        mean = average(lambda y: y)
        second = average(lambda y, mean=mean: (y - mean) ** 2)
        moment = average(lambda y, mean=mean: (y - mean) ** order)
        cumulant = float(moment - (3 * second**2 if order == 4 else 0))
        total += cumulant * np.prod(np.stack(np.meshgrid(*[D] * order, indexing="ij")), axis=0)
    assert np.allclose(made.cumulant(latent, order)[0], 0.3**order * total, rtol=1e-9, atol=1e-14)


def test_moments_are_those_of_samples():
    noise = ct.Noise(inside=0.8, outside=0.2 * np.random.default_rng(0).standard_normal((3, 3)))
    made, latent = step("tanh", noise=noise), np.array([[0.4, -0.7]])
    rates = made.rates(latent)
    mean, covariance = made.mean(latent, rates.mean)[0], made.covariance(rates.variance)[0]
    samples = made.sample(np.repeat(latent, 200_000, axis=0), np.random.default_rng(1))
    errors = np.sqrt(np.diag(covariance) / len(samples))
    assert np.all(np.abs(samples.mean(axis=0) - mean) < 5.0 * errors)
    away = (samples - mean)[:, :, None] * (samples - mean)[:, None, :]
    errors = away.std(axis=0) / np.sqrt(len(samples))
    assert np.all(np.abs(away.mean(axis=0) - covariance) < 5.0 * errors)
    assert not np.all(np.abs(away.mean(axis=0) - made.covariance(rates.variance - np.diag(made.outside))[0]) < errors)


def test_factors_are_found():
    net, E, D = ring(48)
    found = LatentStep.of(net, ct.Noise(inside=1.0))
    assert found.rank == 2
    assert np.allclose(found.E @ found.D.T, E @ D.T, atol=1e-12)
    given = LatentStep.of(net, ct.Noise(inside=1.0), None, Factors(E, D))
    h = np.random.default_rng(0).standard_normal(48)
    same = [each.mean((h @ each.D)[None], each.mean_rate((h @ each.D)[None])) for each in (found, given)]
    assert np.allclose(same[0] @ found.E.T, same[1] @ E.T)
