"""The cognitive tasks: their latent system against a slow one and against the right answers, and solved networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.training.decoders.network import Family
from ctrnn_theory.training.tasks import TASKS, Cognitive
from ctrnn_theory.training.tasks.cognitive import ALL, RULES

KEY = seed_words(7)
EVERY = (ALL, *RULES)


def drawn(task, seed=0):
    return task.episode(np.random.default_rng(seed))


def names_of(task, count):
    return [RULES[k % 6] if task.only == ALL else task.only for k in range(count)]


def slow(only, x, u):
    """Change and output of the latent system at one point, from the table of the class."""
    (m1, m2, d), (cue, s1, s2, e1, e2), rules = x, u[:5], u[5:]
    r = dict(zip(RULES, rules, strict=True)) if only == ALL else {name: float(name == only) for name in RULES}
    load = 0.1 * cue * (s1 * s1 + s2 * s2)
    gained = 0.2 * (r["context_1"] * e1 + r["context_2"] * e2) * (1.0 - d * d)
    first = (r["go"] - r["anti_go"]) * s1 + r["delay_go"] * m1
    first += (r["context_1"] + r["context_2"]) * d + r["match"] * (s1 * m1 + s2 * m2)
    second = (r["go"] - r["anti_go"]) * s2 + r["delay_go"] * m2
    return [load * (s1 - m1), load * (s2 - m2), gained], [(1.0 - cue) * first, (1.0 - cue) * second]


NUMBER = st.floats(-2.0, 2.0)


@given(st.sampled_from(EVERY), st.lists(NUMBER, min_size=3, max_size=3), st.lists(NUMBER, min_size=11, max_size=11))
def test_the_latent_system_is_that_of_the_table(only, x, u):
    task = Cognitive(only=only)
    x, u = np.array(x), np.array(u)[: task.inputs]
    change, answer = slow(only, x, u)
    np.testing.assert_allclose(task.change(x, u), change, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(task.answer(x, u), answer, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("only", EVERY)
def test_targets_follow_the_latent_system_from_zero(only):
    task = Cognitive(only=only, conditions=12)
    u, y, _ = drawn(task)
    for c in range(12):
        x = np.zeros(3)
        for t in range(task.steps):
            change, answer = slow(only, x, u[t, c])
            np.testing.assert_allclose(y[t, c], answer, rtol=1e-12, atol=1e-12)
            x = x + change


def right_answers(task, u):
    """Directions of the right responses, from what is shown in a trial alone."""
    first, last = u[task.fixation], u[-1]
    shown = u[task.fixation : task.fixation + task.stimulus]
    side = np.array([1.0, 0.0])
    found = []
    for c, name in enumerate(names_of(task, u.shape[1])):
        s = first[c, 1:3]
        total = shown[:, c, 3:5].sum(axis=0)
        found.append(
            {
                "go": s,
                "anti_go": -s,
                "delay_go": s,
                "context_1": np.sign(total[0]) * side,
                "context_2": np.sign(total[1]) * side,
                "match": side if np.allclose(last[c, 1:3], s) else -side,
            }[name]
        )
    return np.array(found)


@pytest.mark.parametrize("only", EVERY)
@pytest.mark.parametrize("seed", range(3))
def test_without_a_network_the_latent_system_solves_its_task(only, seed):
    """The targets are silent before the response, and point to the right answer in it; they count as a success."""
    task = Cognitive(only=only, conditions=60)
    u, y, w = drawn(task, seed)
    assert not y[: task.begins].any()
    response = y[task.begins :]
    right = right_answers(task, u)
    length = np.linalg.norm(response, axis=-1)
    np.testing.assert_allclose(response / length[..., None], np.broadcast_to(right, response.shape), atol=1e-12)
    assert length.min() > 0.5
    z = y[w > 0.0].transpose(1, 0, 2)[None]
    assert task.succeeded(z, 0.0 * z).all()
    for wrong in (0.0 * z, -z, z[:, ::-1, :, ::-1]):  # no response, the opposite one, one at a right angle
        assert not task.succeeded(wrong, wrong - z).all()
    assert not task.succeeded(0.49 * z, -0.51 * z).any()
    assert task.succeeded(0.51 * z, -0.49 * z).all()


def test_the_delay_is_without_a_stimulus_and_tasks_that_need_no_memory_show_theirs():
    task = Cognitive()
    u = drawn(task).u
    delay = u[task.fixation + task.stimulus : task.begins, :, 1:5]
    silent = [not delay[:, c].any() for c in range(48)]
    assert silent == [name not in ("go", "anti_go") for name in names_of(task, 48)]
    assert np.all(u[: task.begins, :, 0] == 1.0)
    assert not u[task.begins :, :, 0].any()


def test_evidence_conflicts_and_both_answers_occur():
    task = Cognitive(only="context_1", conditions=200)
    u, y, _ = drawn(task)
    total = u[:, :, 3:5].sum(axis=0)
    assert 0.3 < np.mean(np.sign(total[:, 0]) != np.sign(total[:, 1])) < 0.7
    assert 0.3 < np.mean(y[-1, :, 0] > 0.0) < 0.7
    assert 0.3 < np.mean(drawn(replace(task, only="match")).y[-1, :, 0] > 0.0) < 0.7


def test_one_rule_is_on_and_a_task_alone_is_the_same_without_it():
    whole = drawn(Cognitive())
    rules = whole.u[:, :, 5:]
    np.testing.assert_array_equal(rules.sum(axis=2), 1.0)
    np.testing.assert_array_equal(rules[0].argmax(axis=1), np.arange(48) % 6)
    for k, name in enumerate(RULES):
        task = Cognitive(only=name)
        u = whole.u[:, k::6, :5]
        np.testing.assert_array_equal(task.answer(task.course_of(u), u), whole.y[:, k::6])


def test_weights_are_half_before_and_half_at_the_end_of_the_response():
    task = Cognitive(fixation=5, stimulus=7, delay=3, response=9)
    w = drawn(task).w
    assert w.size == 24
    assert w[:15].sum() == pytest.approx(0.5)
    assert not w[15:19].any()
    assert w[19:].sum() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("only", "width"), [(ALL, 3), ("go", 0), ("anti_go", 0), ("delay_go", 2), ("match", 2), ("context_2", 1)]
)
def test_points_of_the_latent_system(only, width):
    task = Cognitive(only=only)
    latent = task.latent(np.random.default_rng(3), 0.1)
    assert latent.u.shape[1] == task.inputs
    assert latent.x.shape == latent.change.shape == (len(latent.u), width)
    places = {"delay_go": [0, 1], "match": [0, 1], "context_2": [2]}.get(only, [0, 1, 2][:width])
    for i in range(0, len(latent.u), 997):
        x = np.zeros(3)
        x[places] = latent.x[i]
        change, answer = slow(only, x, latent.u[i])
        np.testing.assert_allclose(latent.change[i], np.array(change)[places], atol=1e-12)
        np.testing.assert_allclose(latent.y[i], answer, atol=1e-12)
    assert ("m' =" in latent.equation) == (0 in places)
    assert ("d' =" in latent.equation) == (2 in places)
    again = task.latent(np.random.default_rng(3), 0.1)
    np.testing.assert_array_equal(again.x, latent.x)


def solved(task, neurons, noise, seed=1):
    keys = seed_words(seed), seed_words(seed + 100)
    return Family.of(task, neurons, ct.activation("relu"), 0.1, noise, 1.5, 2.0, *keys).network()


@pytest.mark.parametrize(
    ("only", "most", "ratio"), [("go", 0.02, 0.0), ("delay_go", 0.06, 2.0), ("context_1", 0.06, 5.0)]
)
def test_solved_networks_do_their_task_and_with_memory_best_under_noise(only, most, ratio):
    task, noise = Cognitive(only=only, conditions=16), ct.Noise(inside=1.0)
    net = solved(task, 128, noise)
    found = task.trials(net, noise, 8, KEY)
    assert found.cost.mean() < most
    assert found.success.mean() > 0.8
    silent = task.trials(net, ct.Noise(), 1, KEY)
    assert silent.cost.mean() > ratio * found.cost.mean()
    again = solved(task, 128, noise)
    np.testing.assert_array_equal(again.W_out, net.W_out)


def test_outside_the_noise_only_harms():
    task, noise = Cognitive(only="delay_go", conditions=16), ct.Noise(outside=1.0)
    net = solved(task, 128, noise)
    with_noise, without = task.trials(net, noise, 8, KEY), task.trials(net, ct.Noise(), 1, KEY)
    assert without.cost.mean() < 0.5 * with_noise.cost.mean()
    assert without.success.all()


@pytest.mark.slow
def test_all_six_in_one_network_prefer_noise():
    task, noise = Cognitive(), ct.Noise(inside=1.0)
    net = solved(task, 512, noise)
    silent, low, full = (task.trials(net, noise.scaled(s), 2, KEY) for s in (0.0, 0.85, 1.0))
    assert silent.cost.mean() > 1.4 * low.cost.mean()
    assert silent.success.mean() < 0.75 < 0.8 < full.success.mean()


def test_preference_shows_the_success():
    task = Cognitive(only="go", conditions=4, response=4)
    net = solved(task, 32, ct.Noise(inside=1.0))
    found = ct.preference(net, task, [0.0, 1.0], noise=ct.Noise(inside=1.0), repeats=4, workers=1, predict=False)
    trials = task.trials(net, ct.Noise(), 4, seed_words(0))
    assert found.success[0] == trials.success.mean()
    assert found.success.shape == (2,)
    assert found.bias is not None


def test_settings_are_made_sure_of():
    assert TASKS["cognitive"] is Cognitive
    with pytest.raises(ValueError, match="only must be one of all, go, anti_go, delay_go, context_1, context_2, match"):
        Cognitive(only="stop")
    for name in ("fixation", "stimulus", "delay", "response", "conditions", "repeats"):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1; got 0"):
            Cognitive(**{name: 0})
    with pytest.raises(ValueError, match="response must be at least 2, since its second half is weighted; got 1"):
        Cognitive(response=1)
    with pytest.raises(ValueError, match="fluctuation must be a number of at least 0; got -1"):
        Cognitive(fluctuation=-1)
    assert type(Cognitive(delay=np.int64(3), fluctuation=0).fluctuation) is float
