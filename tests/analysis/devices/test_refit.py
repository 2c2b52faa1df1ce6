"""Readout, biases and all parameters fitted anew to sampled devices."""

import numpy as np
import pytest

import ctrnn_theory as ct

U = np.linspace(-1.0, 1.0, 3)[:, None]
NOISE = ct.Noise(inside=0.4)


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(5)
    W, b = rng.normal(size=(6, 6)) * 0.5 / np.sqrt(6), 0.5 * rng.normal(size=6)
    return ct.CTRNN(W, b, "tanh", 0.2, rng.normal(size=(6, 1)), rng.normal(size=(1, 6)), [0.0])


@pytest.fixture(scope="module")
def Y(net):
    """Targets that the nominal network reaches on average."""
    return np.array([net.output(ct.predict(net, NOISE, row).mean) for row in U])


def loss(net, noise, W_out, b_out, u, y):
    total = 0.0
    for row, goal in zip(u, y, strict=True):
        law = ct.predict(net, noise, row)
        z = W_out @ law.mean + b_out - goal
        total += z @ z + np.trace(W_out @ law.covariance @ W_out.T)
    return total / len(u)


def test_the_readout_is_a_regression_under_noise(net, Y):
    found = ct.devices(net, ct.Spread.of(0.1), NOISE, U, Y, devices=2, refit="readout")
    there, felt = found.device(1)
    laws = [ct.predict(there, felt, row) for row in U]
    A = np.array([[*law.mean, 1.0] for law in laws])
    V = np.zeros((7, 7))
    V[:6, :6] = sum(law.covariance for law in laws) / 3.0
    best = np.linalg.solve(A.T @ A / 3.0 + V, A.T @ Y / 3.0)[:, 0]
    wanted = loss(there, felt, best[None, :6], best[6:], U, Y)
    assert found.refits[0].losses[1] == pytest.approx(wanted, rel=1e-6)  # a ridge of 1e-9 of the states
    worse = loss(there, felt, 1.01 * best[None, :6], best[6:], U, Y)
    assert worse > wanted * (1.0 + 1e-6)  # negative control: it is the least


def test_refits_lower_the_loss_and_all_lower_it_most(net, Y):
    found = ct.devices(net, ct.Spread.of(0.1), NOISE, U, Y, devices=8, refit=("readout", "biases", "all"))
    losses = {refit.name: refit.losses for refit in found.refits}
    assert all(np.all(one <= found.losses) for one in losses.values())
    assert np.all(losses["all"] <= losses["readout"])
    assert np.mean(losses["all"]) < np.mean(losses["readout"]) < 0.5 * np.mean(found.losses)
    for refit in found.refits:
        assert refit.mean == pytest.approx(np.mean(refit.losses))
        assert refit.nominal <= found.loss


def test_biases_undo_a_spread_of_thresholds(net, Y):
    """Another bias undoes a threshold exactly, so that the refit does as well as that of the nominal network."""
    found = ct.devices(net, ct.Spread(threshold=0.2), NOISE, U, Y, devices=5, refit="biases")
    (refit,) = found.refits
    assert np.mean(found.losses) > 2.0 * found.loss
    # what is left is variance, which depends a little on where among many solutions the steps end
    assert refit.losses == pytest.approx(np.full(5, refit.nominal), rel=0.1)
    assert np.all(refit.losses < found.losses)
