"""The audit of a network against the functions that it stands on, loops in NumPy, and simulation."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.interpolate import CubicSpline

from ctrnn_theory import CTRNN, Noise, audit, evolve, load_network, predict, preference
from ctrnn_theory.training.tasks import Function

LEVELS = [0.0, 0.5, 1.0, 1.5]
RNG = np.random.default_rng(5)
U, Y = RNG.normal(size=(2, 2)), RNG.normal(size=(2, 2))
SERIES, WANTED, WEIGHTS = RNG.normal(size=(7, 3, 2)), RNG.normal(size=(7, 3, 2)), np.arange(7.0)
GRID = 1.5 / 3000  # distance of the levels between which a preferred one is looked for
CASES = [(f, site) for f in ("relu", "tanh") for site in ("inside", "outside")]
NETWORKS = Path(__file__).parents[2] / "paper_figs/torch_networks"


def network(f, gamma=0.2, n=3):
    rng = np.random.default_rng(1)
    W, W_in, W_out = 0.6 * rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=(n, 2)), rng.normal(size=(2, n))
    return CTRNN(W, 0.3 * rng.normal(size=n), f, gamma, W_in, W_out, [0.1, -0.2])


def outputs(net, law):
    return law.mean @ net.W_out.T + net.b_out


def path(net, series):
    """States of a network without noise, from zero, (T, C, N)."""
    h, states = np.zeros((series.shape[1], net.n)), []
    for u in series:
        h = (1.0 - net.gamma) * h + net.gamma * net.activation(h @ net.W.T + u @ net.W_in.T + net.b)
        states.append(h)
    return np.array(states)


def squares(z, y, w=None):
    return np.average(np.sum((z - y) ** 2, axis=-1).mean(axis=-1), weights=w)


def spline_minimum(levels, loss):
    at = np.linspace(levels[0], levels[-1], 30001)
    curve = CubicSpline(levels, loss)(at)
    return at[np.argmin(curve)], curve.min()


def test_one_relu_has_its_closed_form():
    """With y = 0 and b_out = -E f at the noise given, bias² is (s-1)²/2π and the variance s²(1/2 - 1/2π)."""
    net = CTRNN([[0.0]], 0.0, "relu", 1.0, W_in=[[1.0]], W_out=[[1.0]], b_out=[-1 / np.sqrt(2 * np.pi)])
    report = audit(net, Noise(inside=1.0), [[0.0]], [[0.0]], checks=0)
    s = report.levels
    np.testing.assert_allclose(report.predicted_bias, (s - 1.0) ** 2 / (2.0 * np.pi), atol=1e-12)
    np.testing.assert_allclose(report.predicted_variance, s**2 * (np.pi - 1.0) / (2.0 * np.pi), atol=1e-12)
    assert report.preferred == pytest.approx(1.0 / np.pi, abs=0.5 * GRID)
    assert report.loss_without == pytest.approx(0.5 / np.pi, abs=1e-12)
    assert report.output_bias[0, 0] == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), abs=1e-12)


def test_simulation_beside_the_law_agrees_with_it():
    net = CTRNN([[0.5]], 0.1, "relu", 0.5, W_in=[[1.0]], W_out=[[2.0]])
    report = audit(net, Noise(inside=0.5), [[-0.2]], method="exact", checks=1)
    moved, error = report.simulated_bias()[0, 0], report.check.standard_error[0, 0]
    assert 0.0 < error < 0.01 * report.output_bias[0, 0]
    assert abs(moved - report.output_bias[0, 0]) < 5.0 * error


@pytest.mark.parametrize(("f", "site"), CASES)
def test_constant_inputs_have_the_stationary_law(f, site):
    net, noise = network(f), Noise(**{site: 0.6})
    report = audit(net, noise, U, Y, levels=LEVELS, checks=0)
    quiet = np.array([predict(net, Noise(), u, method="deterministic").mean for u in U])
    for i, level in enumerate(LEVELS[1:], 1):
        laws = [predict(net, noise.scaled(level), u, method="gaussian_closure") for u in U]
        z = np.array([outputs(net, law) for law in laws])
        variance = np.mean([np.trace(net.W_out @ law.covariance @ net.W_out.T) for law in laws])
        assert report.predicted_bias[i] == pytest.approx(squares(z[None], Y), rel=1e-9)
        assert report.predicted_variance[i] == pytest.approx(variance, rel=1e-9)
        if level == 1.0:
            np.testing.assert_allclose(report.output, z, atol=1e-9)
            np.testing.assert_allclose(report.output_bias, z - quiet @ net.W_out.T - net.b_out, atol=1e-9)
            np.testing.assert_allclose(report.bias, [law.mean for law in laws] - quiet, atol=1e-9)
            std = [np.trace(net.W_out @ law.covariance @ net.W_out.T) ** 0.5 for law in laws]
            np.testing.assert_allclose(report.output_std, std, rtol=1e-9)
    np.testing.assert_allclose(report.fixed_point, quiet, atol=1e-9)
    assert report.loss_without == pytest.approx(squares(quiet[None] @ net.W_out.T + net.b_out, Y), rel=1e-9)
    level, loss = spline_minimum(report.levels, report.predicted_loss)
    assert report.preferred == pytest.approx(level, abs=0.55 * GRID)  # the grid here is ten times as fine
    assert report.preferred_loss == pytest.approx(loss, rel=1e-6)
    assert np.max(np.abs(report.output_bias)) > 1e-3


@pytest.mark.parametrize(("f", "site"), CASES)
def test_series_begin_at_zero(f, site):
    net, noise = network(f), Noise(**{site: 0.6})
    report = audit(net, noise, SERIES, WANTED, weights=WEIGHTS, levels=LEVELS, checks=0)
    taken = preference(net, (SERIES, WANTED, WEIGHTS), LEVELS, noise=noise, simulate=False)
    np.testing.assert_allclose(report.predicted_bias, taken.predicted_bias, rtol=1e-9)
    np.testing.assert_allclose(report.predicted_variance, taken.predicted_variance, rtol=1e-9, atol=1e-15)
    assert report.preferred == pytest.approx(taken.predicted_preferred, abs=1e-9)
    quiet = path(net, SERIES)
    np.testing.assert_allclose(report.fixed_point, quiet, atol=1e-12)
    for c in range(3):
        mean = evolve(net, noise, SERIES[:, c], steps=7).mean[1:]
        np.testing.assert_allclose(report.bias[:, c], mean - quiet[:, c], atol=1e-10)
        np.testing.assert_allclose(report.output_bias[:, c], (mean - quiet[:, c]) @ net.W_out.T, atol=1e-10)
    other = audit(net, noise, SERIES, WANTED, levels=LEVELS, checks=0)
    assert np.all(np.abs(other.predicted_bias / report.predicted_bias - 1.0) > 1e-3)  # weights matter


@pytest.mark.parametrize(("method", "form"), [("cumulant_closure", "rate"), ("gaussian_closure", "voltage")])
def test_series_by_other_methods_and_in_voltage_form(method, form):
    net, noise = replace(network("relu"), form=form), Noise(inside=0.4 * (form == "rate"), outside=0.4)
    report = audit(net, noise, SERIES, method=method, levels=[0, 1], checks=0)
    for c in range(3):
        law = evolve(net, noise, SERIES[:, c], steps=7, method=method)
        np.testing.assert_allclose(report.output[:, c], law.rate[1:] @ net.W_out.T + net.b_out, atol=1e-10)
        np.testing.assert_allclose(report.fixed_point[:, c] + report.bias[:, c], law.mean[1:], atol=1e-10)


@pytest.mark.parametrize(("u", "y"), [(U, Y), (SERIES, WANTED)])
def test_without_noise_nothing_changes(u, y):
    report = audit(network("relu"), Noise(), u, y, levels=LEVELS)
    assert report.table().startswith("switching the noise off will not change the loss")
    assert np.ptp(report.predicted_loss) == 0.0
    assert np.all(report.output_bias == 0.0)
    assert np.all(report.output_std == 0.0)
    assert np.all(report.within(2.0) == 0.0)
    assert (report.step_halved.size, report.step_halved.before) == (0.0, 0.0)


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_a_linear_network_has_no_bias_and_prefers_no_noise(site):
    for u, y in ((U, Y), (SERIES, WANTED)):
        report = audit(network("identity"), Noise(**{site: 0.6}), u, y, levels=LEVELS, checks=0)
        np.testing.assert_allclose(report.bias, 0.0, atol=1e-9)
        np.testing.assert_allclose(report.predicted_bias, report.predicted_bias[0], rtol=1e-7)
        variance = report.predicted_variance
        np.testing.assert_allclose(variance, variance[2] * report.levels**2, rtol=1e-7)
        assert variance[2] > 1e-3
        assert report.preferred == 0.0
        assert "will lower the loss" in report.table().splitlines()[0]


@pytest.mark.parametrize("f", ["relu", "tanh"])
@pytest.mark.parametrize("constant", [True, False])
def test_repaired_networks_do_without_noise_what_the_network_does_under_it(f, constant):
    net, noise = network(f, n=8), Noise(inside=0.8)
    u, y, w = (U, Y, None) if constant else (SERIES, WANTED, WEIGHTS)
    report = audit(net, noise, u, y, weights=w, levels=[0, 1], checks=0)
    moved = np.sqrt(np.mean(report.sizes(report.output_bias) ** 2))
    assert [one.name for one in report.repairs] == ["smoothed activation", "refitted biases and readout"]
    for one in report.repairs:
        states = path(one.network, np.tile(U, (300, 1, 1)))[-1:] if constant else path(one.network, SERIES)
        z = states @ one.network.W_out.T + one.network.b_out
        assert one.loss == pytest.approx(squares(z, y, w), rel=1e-8)
        away = np.sqrt(np.average(np.mean((z - report.output) ** 2, axis=(1, 2)), weights=w))
        assert one.deviation == pytest.approx(away, abs=1e-8)
        assert one.deviation < 0.3 * moved
    assert report.repaired is min(report.repairs, key=lambda one: one.loss).network
    np.testing.assert_array_equal(report.repairs[0].network.W, net.W)
    assert report.repairs[1].network.activation == net.activation


def test_without_a_readout_biases_alone_are_refitted():
    net, noise = replace(network("relu", n=8), W_out=None, b_out=None), Noise(inside=0.8)
    report = audit(net, noise, SERIES, weights=WEIGHTS, checks=0)
    before = np.sqrt(np.mean(report.sizes(report.rate_bias) ** 2))
    smoothed, refitted = report.repairs
    away = path(refitted.network, SERIES) - report.fixed_point - report.bias
    assert refitted.deviation == pytest.approx(np.sqrt(np.average(np.mean(away**2, axis=(1, 2)), weights=WEIGHTS)))
    assert smoothed.deviation < refitted.deviation < 0.7 * before
    assert np.all(refitted.network.b >= net.b)  # noise raises the mean of a relu
    assert report.repaired is smoothed.network
    assert report.table().startswith("switching the noise off will move the rates by ")


@pytest.mark.parametrize("site", ["inside", "outside"])
def test_margin_counts_standard_deviations_to_the_kink(site):
    net, noise = network("relu", n=12), Noise(**{site: 0.4})
    report = audit(net, noise, U, checks=0)
    laws = [predict(net, noise, u) for u in U]
    a = np.array([net.W @ law.mean + net.W_in @ u + net.b for law, u in zip(laws, U, strict=True)])
    own = noise.std("inside", net.n) ** 2
    std = np.sqrt([own + np.diag(net.W @ law.covariance @ net.W.T) for law in laws])
    np.testing.assert_allclose(report.margin, a / std, rtol=1e-7)
    for k in (1.0, 2.0):
        np.testing.assert_array_equal(report.within(k), np.mean(np.abs(a / std) <= k, axis=1))
    assert 0.0 < report.within(2.0).mean() < 1.0


@pytest.mark.parametrize(("convention", "grown"), [(None, 1.0), ("paper", 1.0), ("multitask", np.sqrt(2.0))])
def test_half_the_step_is_the_network_of_half_gamma(convention, grown):
    net, noise = network("relu"), Noise(inside=0.6)
    half, more = replace(net, gamma=0.1), Noise(inside=0.6 * grown)
    found = audit(net, noise, U, Y, levels=[0, 1], checks=0, convention=convention).step_halved
    laws = [predict(half, more, u) for u in U]
    z = np.array([outputs(half, law) for law in laws])
    quiet = np.array([outputs(half, predict(half, Noise(), u, method="deterministic")) for u in U])
    np.testing.assert_allclose(found.output_bias, z - quiet, atol=1e-9)
    assert found.size == pytest.approx(np.sqrt(np.mean((z - quiet) ** 2)), rel=1e-8)
    variance = np.mean([np.trace(net.W_out @ law.covariance @ net.W_out.T) for law in laws])
    assert found.loss == pytest.approx(squares(z[None], Y) + variance, rel=1e-8)
    in_time = audit(net, noise, SERIES, WANTED, levels=[0, 1], checks=0, convention=convention).step_halved
    means = [evolve(half, more, np.repeat(SERIES[:, c], 2, axis=0), steps=14).mean[1:] for c in range(3)]
    moved = (np.stack(means, axis=1) - path(half, np.repeat(SERIES, 2, axis=0))) @ net.W_out.T
    np.testing.assert_allclose(in_time.output_bias, moved[1::2], atol=1e-10)
    assert in_time.size == pytest.approx(np.sqrt(np.mean(moved**2)), rel=1e-8)


WRONG = {
    "inputs must have shape": {"inputs": [[0.0]]},
    "targets must have shape": {"targets": [[1.0, 2.0, 3.0]]},
    "weights must be None for constant inputs": {"weights": [1.0]},
    "inputs must have one step, or as many as weights, which is 1; got 7": {
        "inputs": SERIES,
        "targets": WANTED,
        "weights": [1.0],
    },
    "targets must have one step, or as many as inputs, which is 7; got 5": {"inputs": SERIES, "targets": WANTED[:5]},
    "weights must be at least 0": {"inputs": SERIES, "targets": WANTED, "weights": np.zeros(7)},
    "method must be one of": {"method": "nothing"},
    "convention must be one of": {"convention": "nothing"},
    "levels must be at least 0 and ascending": {"levels": [1.0, 0.5]},
    "checks must be": {"checks": -1},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments_are_named_in_one_sentence(message):
    with pytest.raises(ValueError, match=message) as caught:
        audit(network("relu"), Noise(inside=0.5), **{"inputs": U, "targets": Y} | WRONG[message])
    assert "\n" not in str(caught.value)


def test_series_of_one_step_hold_for_all_steps():
    net, noise, options = network("relu"), Noise(inside=1.2), {"levels": [0, 1], "checks": 0}
    one, every = audit(net, noise, SERIES[:1], WANTED[:1], weights=WEIGHTS, **options), np.repeat(SERIES[:1], 7, axis=0)
    same = audit(net, noise, every, np.repeat(WANTED[:1], 7, axis=0), weights=WEIGHTS, **options)
    assert one.output.shape == (7, *WANTED.shape[1:])
    np.testing.assert_array_equal(one.output, same.output)
    np.testing.assert_array_equal(one.predicted_loss, same.predicted_loss)
    longer = audit(net, noise, SERIES[:1], WANTED, **options)  # as many steps as the longer one has
    assert longer.targets.shape == WANTED.shape
    assert one.loss_with != longer.loss_with


@pytest.mark.parametrize(("u", "y"), [(U, Y), (SERIES, WANTED), (U, None)])
def test_report_is_printed_drawn_and_written(u, y):
    report = audit(network("relu"), Noise(inside=1.2), u, y, levels=LEVELS, checks=int(u.ndim == 3))
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert {"output_bias", "margin", "predicted_loss", "preferred", "step_halved", "repaired"} <= set(found)
    assert found["answer"] == report.table().splitlines()[0]
    assert found["answer"].startswith("switching the noise off will ")
    np.testing.assert_array_equal(found["repaired"]["W_out"], report.repaired.W_out)
    if y is not None:
        ratio = report.loss_without / report.loss_with
        assert found["answer"].endswith(f"to {report.loss_without:.3g} (×{ratio:.3g})")
    ax = report.plot()
    axes = ax.figure.axes
    assert len(axes) == 4
    assert all(one.get_xlabel() and one.get_ylabel() for one in axes)
    labels = {text.get_text() for text in axes[0].get_legend().get_texts()}
    assert labels >= ({"loss", "squared bias", "variance", "preferred level"} if y is not None else set())
    ax.figure.canvas.draw()
    plt.close(ax.figure)
    assert not plt.get_fignums()


def of_paper(name, every=1):
    """A network of PyTorch, its noise, and the inputs, targets and weights of its task."""
    net, noise = load_network(NETWORKS / f"{name}.npz", convention="paper", alpha=0.1, sigma=1.0, activation=name)
    episode = Function().episode(np.random.default_rng(0))
    u, y = (np.repeat(x, len(episode.w), axis=0)[:, ::every] for x in (episode.u, episode.y))
    return net, noise, u, y, episode.w


def check_simulation(report, episode, repeats):
    """The loss is that of simulated trials, and so is the square of the bias that noise induces."""
    levels = [0.0, 1.0]
    at = [np.flatnonzero(report.levels == level)[0] for level in levels]
    seen = preference(report.network, episode, levels, noise=report.noise, repeats=repeats, predict=False, rng=1)
    predicted = report.predicted_loss[at]
    assert np.all(np.abs(seen.loss - predicted) < 0.05 * seen.loss + 5.0 * seen.standard_error)
    moved, error = report.simulated_bias(), report.check.standard_error
    mine = report.output_bias[:, report.check.conditions]
    square = [np.average(np.mean(x, axis=(1, 2)), weights=report.weights) for x in (moved**2 - error**2, mine**2)]
    assert square[1] == pytest.approx(square[0], rel=0.03)


def test_network_of_pytorch_against_simulation():
    net, noise, u, y, w = of_paper("relu", every=4)
    report = audit(net, noise, u, y, weights=w, levels=[0, 1], checks=4)
    check_simulation(report, (u, y, w), repeats=200)
    assert report.loss_without > 50.0 * report.loss_with
    assert min(one.loss for one in report.repairs) < report.loss_with


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ratio"), [("relu", 50.0), ("tanh", 25.0), ("softplus", 5.0)])
def test_networks_of_pytorch_prefer_the_noise_of_their_training(name, ratio):
    net, noise, u, y, w = of_paper(name)
    report = audit(net, noise, u, y, weights=w, checks=4)
    check_simulation(report, (u, y, w), repeats=256)
    assert report.preferred == pytest.approx(1.0, abs=0.05)
    assert report.loss_without > ratio * report.preferred_loss
    assert min(one.loss for one in report.repairs) < report.preferred_loss


def test_a_network_without_inputs_has_one_condition():
    net = CTRNN([[0.5]], 0.1, W_out=[[1.0]])
    report = audit(net, Noise(inside=0.5), targets=[0.3], levels=[0.0, 1.0], checks=0)
    law = predict(net, Noise(inside=0.5))
    assert report.output[0, 0] == pytest.approx(law.mean[0], rel=1e-12)
    assert report.loss_with == pytest.approx((law.mean[0] - 0.3) ** 2 + law.covariance[0, 0], rel=1e-12)
