"""Tasks: their losses against plain NumPy on the same variates, against the closure, and against closed forms."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from ctrnn_theory.activations import activation
from ctrnn_theory.analysis.evolution.evolve import evolve
from ctrnn_theory.integrators.normals import LANES, seed_words, standard_normals
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import predict
from ctrnn_theory.training.layout import Layout, weights_of
from ctrnn_theory.training.rollout import INITIAL, whole_blocks
from ctrnn_theory.training.tasks import Feedforward, Function, Model, PathIntegration, Regulator

KEY = np.array([3, 4], np.uint64)
NOISES = {
    "none": Noise(),
    "inside": Noise(inside=0.8),
    "outside": Noise(outside=[0.3, 0.2, 0.0]),
    "both": Noise(inside=0.5, outside=0.3),
    "common": Noise(inside=[[0.4, 0.1], [0.4, 0.0], [0.2, 0.3]]),
    "gains": Noise(
        inside=0.3, gain_inside=[0.2, 0.0, 0.4], gain_outside=[[0.3], [0.1], [0.5]], common_gain_outside=0.2
    ),
    "dropout": Noise.dropout([0.5, 0.9, 1.0]),
    "colour": Noise(inside=0.5, outside=[[0.3], [0.1], [0.2]], rho_inside=[0.9, 0.0, 0.4], rho_outside=0.7),
    "all": Noise.dropout(0.8, inside=0.3, outside=0.2, rho_outside=0.6, gain_outside=0.3, gain_inside=0.1),
}


def networks(task, neurons, count, seed=0):
    rng = np.random.default_rng(seed)
    layout = task.layout(neurons)
    return layout, np.array([task.guess(layout, rng) + 0.1 * rng.standard_normal(layout.size) for _ in range(count)]).T


def loss_by_hand(net, noise, episode, repeats):
    """The loss of one network as a loop over steps, on the variates that the kernel draws."""
    n, conditions = net.n, episode.u.shape[1]
    trials = repeats * conditions
    inside, outside, gain_in, gain_out = (
        factor if factor.any() else factor[:, :0]
        for factor in (
            *(noise.factor(site, n) for site in ("inside", "outside")),
            *(noise.gain_factor(site, n) for site in ("inside", "outside")),
        )
    )
    common, keep = noise.common_gain(n)[:, None], noise.kept(n)[:, None]
    kinds = (inside.shape[1], outside.shape[1], gain_in.shape[1], gain_out.shape[1])
    ends = np.cumsum([*kinds, int(common.any()), n if keep.min() < 1.0 else 0])
    blocks = range(whole_blocks(trials) // LANES)
    z = np.concatenate([standard_normals(KEY, block, len(episode.w), max(ends[-1], 1)) for block in blocks], axis=2)
    white = ends[1]
    rho = np.concatenate([noise.rho(site, n)[: f.shape[1]] for site, f in (("inside", inside), ("outside", outside))])
    key = seed_words(np.random.SeedSequence([int(word) for word in KEY], spawn_key=(INITIAL,)))
    x = np.concatenate([standard_normals(key, block, 1, max(white, 1))[0] for block in blocks], axis=1)[:white, :trials]
    at, h, loss = np.arange(trials) % conditions, np.zeros((n, trials)), np.zeros(trials)
    for t, w in enumerate(episode.w):
        u = episode.u[min(t, len(episode.u) - 1), at].T
        parts = np.split(z[t, :, :trials], ends)
        fresh = np.concatenate(parts[:2])
        x = rho[:, None] * x + np.sqrt(1.0 - rho[:, None] ** 2) * fresh
        e_in, e_out = inside @ x[: kinds[0]], outside @ x[kinds[0] :]
        m_out = 1.0 + gain_out @ parts[3]
        if common.any():
            m_out = m_out * (1.0 + common * parts[4])
        if keep.min() < 1.0:
            m_out = m_out * (ndtr(parts[5]) < keep) / keep
        drive, g = net.W_in @ u + net.b[:, None], net.gammas[:, None]
        a = net.W @ h + drive if net.form == "rate" else h
        y = net.activation(a * (1.0 + gain_in @ parts[2]) + e_in) * m_out
        h = (1 - g) * h + g * ((y if net.form == "rate" else net.W @ y + drive) + e_out)
        rate = h if net.form == "rate" else net.activation(h)
        out = net.W_out @ rate + net.b_out[:, None]
        loss += w * np.sum((out - episode.y[min(t, len(episode.y) - 1), at].T) ** 2, axis=0)
    return loss


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize(
    "task",
    [Function(conditions=5, steps=9, repeats=17), PathIntegration(conditions=6, steps=270, repeats=11)],
    ids=["constant input", "varying input"],
)
def test_loss_is_that_of_a_plain_loop(task, name, form):
    layout, x = networks(task, 3, 2)
    model = Model(activation("tanh"), 0.3, layout.weights(x), NOISES[name], form)
    found = task.simulated(model, KEY)
    episode = task.episode(np.random.default_rng(KEY))
    for s in range(2):
        by_hand = loss_by_hand(layout.network(x[:, s], "tanh", 0.3, form), NOISES[name], episode, task.repeats)
        assert found[s] == pytest.approx(by_hand.mean(), rel=1e-11)


@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 5, 8, 13])
def test_any_number_of_neurons(neurons):
    task = Function(conditions=4, steps=7, repeats=3)
    layout, x = networks(task, neurons, 1)
    noise = Noise(inside=0.5, outside=0.5)
    found = task.simulated(Model(activation("relu"), 0.4, layout.weights(x), noise), KEY)
    net = layout.network(x[:, 0], "relu", 0.4)
    assert found[0] == pytest.approx(loss_by_hand(net, noise, task.episode(None), 3).mean(), rel=1e-11)


def test_network_has_the_same_noise_whatever_its_company():
    task = Function(conditions=7, repeats=30)
    layout, x = networks(task, 4, 9)
    noise = Noise(inside=1.0)
    together = task.simulated(Model(activation("relu"), 0.1, layout.weights(x), noise), KEY, workers=3)
    for s in (0, 5, 8):
        model = Model(activation("relu"), 0.1, layout.weights(x[:, [s]]), noise)
        assert task.simulated(model, KEY, workers=1)[0] == together[s]
        assert task.simulated(model, np.array([3, 5], np.uint64))[0] != together[s]


def test_trials_are_those_of_the_loss():
    task = Function(conditions=6, repeats=20, steps=30)
    layout, x = networks(task, 4, 1)
    net, noise = layout.network(x[:, 0], "softplus", 0.2), Noise(inside=0.7)
    trials = task.trials(net, noise, 20, KEY)
    assert trials.cost.shape == (20, 6)
    assert trials.outputs.shape == (20, 6, 15, 1)
    assert trials.cost.mean() == task.simulated(Model.of(net, noise), KEY)[0]
    assert trials.error == pytest.approx(trials.outputs - np.sin(np.pi * np.linspace(-1, 1, 6))[:, None, None])
    assert np.sum(trials.error**2, axis=3) @ trials.w == pytest.approx(trials.cost)


@pytest.mark.parametrize("name", [name for name in NOISES if name != "none"])
@pytest.mark.parametrize(("f", "form"), [("relu", "rate"), ("softplus", "rate"), ("relu", "voltage")])
def test_loss_by_closure_is_that_of_the_law_in_time(name, f, form):
    """Squared bias and variance against `evolve`, one condition at a time."""
    task = Function(conditions=3, steps=12)
    layout, x = networks(task, 3, 2)
    model = Model(activation(f), 0.3, layout.weights(x), NOISES[name], form)
    episode = task.episode(None)
    expected = task.expected(model, episode)
    assert np.sum(expected, axis=0) == pytest.approx(task.predicted(model, KEY), rel=1e-14)
    for s in range(2):
        net = layout.network(x[:, s], f, 0.3, form)
        bias = variance = 0.0
        for c in range(3):
            law = evolve(net, NOISES[name], u=episode.u[0, c], steps=12)
            gap = law.output_mean[1:, 0] - episode.y[0, c, 0]
            bias += episode.w @ gap**2 / 3
            variance += episode.w @ law.output_covariance[1:, 0, 0] / 3
        assert expected[:, s] == pytest.approx([bias, variance], rel=1e-11)


def test_closure_is_exact_for_a_linear_network():
    task = PathIntegration(conditions=16, repeats=1000, steps=20)
    layout, x = networks(task, 3, 3)
    model = Model(activation("identity"), 0.2, layout.weights(0.5 * x), Noise(inside=0.5, outside=0.2))
    parts = []
    for seed in range(16):  # other noise, and other paths: the difference to their prediction has mean zero
        key = np.array([seed, 1], np.uint64)
        parts.append(task.simulated(model, key) - task.predicted(model, key))
    gap, error = np.mean(parts, axis=0), np.std(parts, axis=0, ddof=1) / 4
    assert np.all(np.abs(gap) < 5 * error)
    wrong = model._replace(noise=Noise(inside=0.53, outside=0.2))
    off = np.mean(parts, axis=0) + np.mean(
        [
            task.predicted(model, np.array([seed, 1], np.uint64))
            - task.predicted(wrong, np.array([seed, 1], np.uint64))
            for seed in range(16)
        ],
        axis=0,
    )
    assert np.any(np.abs(off) > 5 * error)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(0, 3), st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_layout_goes_both_ways(neurons, inputs, outputs, recurrent, seed):
    layout = Layout(neurons, inputs, outputs, recurrent)
    x = np.random.default_rng(seed).standard_normal((layout.size, 3))
    weights = layout.weights(x)
    for s in range(3):
        net = layout.network(x[:, s], "tanh", 0.5)
        assert np.array_equal(layout.vector(net), x[:, s])
        for name, array in weights_of(net)._asdict().items():
            assert np.array_equal(array[0], getattr(weights, name)[s])
    assert recurrent or not weights.W.any()
    with pytest.raises(ValueError, match="must have shape"):
        Layout(neurons + 1, inputs, outputs, recurrent).vector(net)


def test_feedforward_is_one_hidden_layer():
    """E loss in closed form: one neuron, W = 0, γ = 1."""
    task = Feedforward(conditions=9, repeats=20_000)
    net = CTRNN([[0.0]], [0.2], activation="relu", gamma=1.0, W_in=[[0.7]], W_out=[[1.3]], b_out=[-0.4])
    noise = Noise(inside=0.6, outside=0.3)
    u = np.linspace(-1, 1, 9)
    f = net.activation
    a = 0.7 * u + 0.2
    bias = np.mean((1.3 * f.smoothed(a, 0.6) - 0.4 - np.sin(np.pi * u)) ** 2)
    variance = np.mean(1.3**2 * (f.smoothed_variance(a, 0.6) + 0.3**2))
    model = Model.of(net, noise)
    assert task.expected(model, task.episode(None))[:, 0] == pytest.approx([bias, variance], rel=1e-12)
    trials = task.trials(net, noise, task.repeats, KEY)
    error = np.sqrt(np.sum(trials.cost.var(axis=0, ddof=1))) / 9 / np.sqrt(task.repeats)
    assert abs(trials.cost.mean() - bias - variance) < 5 * error
    assert abs(trials.cost.mean() - bias) > 5 * error


def test_velocities_are_stationary_and_positions_reach_one():
    task = PathIntegration(conditions=20_000)
    episode = task.episode(np.random.default_rng(1))
    error = np.sqrt(2.0 / 40_000)  # of the variance of a normal variable
    assert abs(episode.y[-1].var() - 1.0) < 5 * error
    for t in (0, 7, 59):
        assert abs(episode.u[t].var() - 1.0) < 5 * error
    assert abs(np.mean(episode.u[20] * episode.u[30]) - np.exp(-1.0)) < 5 * np.sqrt(1 + np.exp(-2)) / 200
    other = task.episode(np.random.default_rng(2))
    assert not np.array_equal(episode.u, other.u)


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("f", ["relu", "tanh"])
def test_regulator_by_every_way(f, site):
    task = Regulator(repeats=20_000)
    net = CTRNN([[-0.5]], [0.9], activation=f, gamma=0.1, W_out=[[1.2]], b_out=[0.3])
    noise = Noise(**{site: 0.6})
    model = Model.of(net, noise)
    law = predict(net, noise, method="exact")
    value = (1.2 * law.mean[0] + 0.3 - 1.0) ** 2 + 1.2**2 * law.covariance[0, 0]
    assert task.losses(model, KEY, "exact")[0] == pytest.approx(value, rel=1e-12)
    assert task.losses(model, KEY, "closure")[0] == pytest.approx(value, rel=0.05)
    trials = task.trials(net, noise, task.repeats, KEY)
    assert abs(trials.cost.mean() - value) < 5 * trials.cost.std(ddof=1) / np.sqrt(task.repeats)


def test_regulator_that_runs_away_is_the_worst():
    task = Regulator(weight=2.0)
    weights = task.layout(1).weights(np.array([[0.5, 2.0], [0.1, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    losses = task.exact(Model(activation("relu"), 0.1, weights, Noise(inside=0.1)))
    assert np.isfinite(losses[0])
    assert losses[1] == np.inf


def test_guesses_lie_within_bounds_and_differ():
    for task, neurons in ((Regulator(), 1), (Function(), 8), (Feedforward(), 5)):
        layout = task.layout(neurons)
        rng = np.random.default_rng(0)
        one, other = task.guess(layout, rng), task.guess(layout, rng)
        assert one.shape == (layout.size,)
        assert not np.array_equal(one, other)
        bounds = task.bounds(layout)
        assert bounds is None or np.all((bounds[0] <= one) & (one <= bounds[1]))


def test_target_is_the_users():
    task = Function(target="Abs(x)", conditions=5)
    assert np.array_equal(task.episode(None).y.ravel(), [1.0, 0.5, 0.0, 0.5, 1.0])
    assert dataclasses.asdict(task)["target"] == "Abs(x)"
    with pytest.raises(ValueError, match="activation must"):
        Function(target="__import__('os')")
