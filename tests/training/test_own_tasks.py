"""Tasks of one's own: what does not fit is refused in one sentence, before a network is tried or a folder made."""

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit

import ctrnn_theory as ct
from ctrnn_theory.support.workers import longest
from ctrnn_theory.training import rollout
from ctrnn_theory.training.tasks import TASKS, ClosedLoop, Episode, Function, Maze, Model, OpenLoop

T, C, K, P = 20, 5, 2, 1
SETTINGS = {"neurons": 2, "evaluations": 8, "popsize": 4, "workers": 1}


@dataclass(frozen=True)
class Own(OpenLoop):
    """Whatever episode it is given."""

    name, summary, inputs, outputs = "own", "a task of a test", K, P
    given: object = None
    repeats: int = 1

    def episode(self, rng):
        return self.given(rng) if callable(self.given) else self.given


def good(**changes):
    rng = np.random.default_rng(0)
    parts = {"u": rng.normal(size=(T, C, K)), "y": rng.normal(size=(T, C, P)), "w": np.full(T, 1.0 / T)} | changes
    return Episode(**parts)


def with_nan(array):
    array = np.array(array)
    array.flat[3] = np.nan
    return array


BAD = {
    "a tuple": (tuple(good()), r"^episode must return an Episode\(u, y, w\); got \(array"),
    "none": (None, r"^episode must return an Episode\(u, y, w\); got None$"),
    "batch first": (
        good(u=good().u.swapaxes(0, 1), y=good().y.swapaxes(0, 1)),
        r"^u of the episode must have shape \(T or 1, C, K\), T = 20, the length of w, and K = 2; got \(5, 20, 2\)$",
    ),
    "targets batch first": (good(y=good().y.swapaxes(0, 1)), r"^y of the episode must have .*; got \(5, 20, 1\)$"),
    "two-dimensional inputs": (good(u=np.zeros((T, K))), r"^u of the episode must have shape .*; got \(20, 2\)$"),
    "two-dimensional targets": (good(y=np.zeros((T, C))), r"^y of the episode must have shape .*; got \(20, 5\)$"),
    "more inputs": (good(u=np.zeros((T, C, 3))), r"^u of the episode must have shape .* K = 2; got \(20, 5, 3\)$"),
    "more outputs": (good(y=np.zeros((T, C, 2))), r"^y of the episode must have shape .* P = 1; got \(20, 5, 2\)$"),
    "other steps": (good(u=np.zeros((T + 1, C, K))), r"^u of the episode must have shape .*; got \(21, 5, 2\)$"),
    "no conditions": (good(u=np.zeros((T, 0, K))), r"^u of the episode must have shape .*; got \(20, 0, 2\)$"),
    "other conditions": (good(y=np.zeros((T, 4, P))), "^y of the episode must have the 5 conditions of u; got 4$"),
    "NaN inputs": (good(u=with_nan(good().u)), "^u of the episode must be finite; it holds nan$"),
    "NaN targets": (good(y=with_nan(good().y)), "^y of the episode must be finite; it holds nan$"),
    "NaN weights": (good(w=with_nan(good().w)), "^w of the episode must be finite; it holds nan$"),
    "weights of one": (good(w=np.ones(T)), "^w of the episode must have the sum 1; got 20$"),
    "weights of none": (good(w=np.zeros(T)), "^w of the episode must have the sum 1; got 0$"),
    "no weights": (good(w=[]), "^w of the episode must have the sum 1; got 0$"),
    "negative weights": (good(w=np.r_[-1.0, 2.0, np.zeros(T - 2)]), "^w of the episode must be at least 0; .* -1$"),
    "two-dimensional weights": (good(w=np.full((T, 1), 0.05)), r"^w of the episode must have shape \(any,\); got "),
    "complex inputs": (good(u=good().u + 1j), "^u of the episode must be real; it holds "),
    "masked targets": (good(y=np.ma.masked_less(good().y, 0.0)), r"^y of the episode must .*\(masked entries\)$"),
    "text": (good(y=good().y.astype(str)), r"^y of the episode must be an array of real numbers; .*\(text\)$"),
}  # fmt: skip


@pytest.mark.parametrize("loss", ["simulation", "closure"])
@pytest.mark.parametrize("name", BAD)
def test_an_episode_that_does_not_fit_is_refused(name, loss, tmp_path, monkeypatch):
    episode, message = BAD[name]
    monkeypatch.setitem(TASKS._entries, "own", Own)
    with pytest.raises(ValueError, match=message) as error:
        ct.train(Own(episode), loss=loss, out=tmp_path / "run", **SETTINGS)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
    net = ct.CTRNN(np.zeros((2, 2)), 0.0, W_in=np.ones((2, K)), W_out=np.ones((P, 2)), b_out=np.zeros(P))
    for call in (
        lambda: ct.preference(net, Own(episode), repeats=3),
        lambda: ct.operating_points(net, ct.Noise(0.1), Own(episode)),
        lambda: Own(episode).losses(Model.of(net, ct.Noise(0.1)), np.array([0, 0], np.uint64), loss),
        lambda: Own(episode).trials(net, ct.Noise(0.1), 3, np.array([0, 0], np.uint64)),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("loss", ["simulation", "closure"])
def test_an_episode_that_goes_wrong_later_is_refused_then(loss):
    """And not taken for a network whose moments are out of range."""
    drawn = []

    def episode(rng):
        drawn.append(rng)
        return good() if len(drawn) < 6 else good(w=np.ones(T))

    with pytest.raises(ValueError, match="w of the episode must have the sum 1; got 20"):
        ct.train(Own(episode), loss=loss, neurons=2, evaluations=400, popsize=4, workers=1)


@pytest.mark.parametrize("loss", ["simulation", "closure"])
def test_single_precision_and_other_forms_are_taken(loss):
    exact = good()
    other = Episode(exact.u.astype(np.float32), np.asfortranarray(exact.y), exact.w.tolist())
    single = good(u=other.u.astype(np.float64))
    found = [ct.train(Own(episode), loss=loss, **SETTINGS).loss for episode in (other, single)]
    assert found[0] == found[1]
    rounded = ct.train(Own(good(w=exact.w.astype(np.float32))), loss=loss, **SETTINGS).loss
    assert rounded == pytest.approx(ct.train(Own(exact), loss=loss, **SETTINGS).loss, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 1.5}, "inputs of the task must be an integer of at least 0; got 1.5"),
        ({"outputs": 0}, "outputs of the task must be an integer of at least 1; got 0"),
        ({"inputs": None}, "inputs of the task must be an integer of at least 0; got None"),
        ({"name": None}, "name of the task must be text; got None"),
        ({"repeats": 0}, "repeats of the task must be an integer of at least 1; got 0"),
    ],
)
def test_what_a_task_says_of_itself_is_looked_at(changes, message):
    task = type("Other", (Own,), changes)(good())
    for name, value in changes.items():
        object.__setattr__(task, name, value)
    with pytest.raises(ValueError, match=message):
        ct.train(task, **SETTINGS)


class Told(Own):
    def guess(self, layout, rng):
        return np.zeros(layout.size - 1)


class Bounded(Own):
    def bounds(self, layout):
        return np.zeros(layout.size), np.full(layout.size, np.nan)


def test_guess_and_bounds_of_a_task_must_fit():
    with pytest.raises(ValueError, match=r"guess of the task must have shape \(13,\); got \(12,\)"):
        ct.train(Told(good()), **SETTINGS)
    with pytest.raises(ValueError, match="bounds of the task must be finite; it holds nan"):
        ct.train(Bounded(good()), **SETTINGS)


def maze(**changes):
    """A maze with something of it replaced."""
    properties = {name: property(lambda self, value=value: value) for name, value in changes.items()}
    return type("OtherMaze", (Maze,), properties)(steps=5, repeats=2)


WORLD = Maze().world
STARTS = Maze().starts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": with_nan(STARTS)}, "starts of the task must be finite; it holds nan"),
        ({"starts": STARTS[0]}, r"starts of the task must have shape \(any, any\); got \(4,\)"),
        ({"starts": STARTS[:, :0]}, r"starts of the task must hold a state \(D,\) at least; got shape \(2, 0\)"),
        ({"world": WORLD[:2]}, r"world of the task must be \(sense, move, constants\), two compiled functions; got "),
        ({"world": (min, max, WORLD[2])}, r"world of the task must be \(sense, move, constants\), two compiled"),
        ({"world": (*WORLD[:2], 1j * WORLD[2])}, "constants of the task's world must be real"),
        ({"world": (*WORLD[:2], WORLD[2][None])}, r"constants of the task's world must have shape \(any,\); got \(1,"),
    ],
)
def test_a_world_that_does_not_fit_is_refused(changes, message):
    task = maze(**changes)
    with pytest.raises(ValueError, match=message):
        ct.train(task, **SETTINGS)


def test_a_world_in_single_precision_is_taken():
    single, double = STARTS.astype(np.float32), STARTS.astype(np.float32).astype(np.float64)
    found = [ct.train(maze(starts=starts), **SETTINGS).loss for starts in (single, double)]
    assert found[0] == found[1]


def test_a_world_is_compiled_by_one_thread(monkeypatch):
    """Two threads that compile at once may each wait for what the other holds."""
    sense, move = (njit(function.py_func) for function in WORLD[:2])  # for no types yet
    compiled = []

    def first(function, items, workers):
        compiled.append((len(sense.overloads), len(move.overloads)))
        return longest(function, items, workers)

    monkeypatch.setattr(rollout, "longest", first)
    ct.train(maze(world=(sense, move, WORLD[2])), **SETTINGS)
    assert compiled[0] == (1, 1)


def test_success_must_be_a_truth_value_for_each_trial():
    class Odd(Maze):
        def succeeded(self, states):
            return states[:, 0, 0]

    task = Odd(steps=5, repeats=2)
    net = ct.train(task, **SETTINGS).network
    with pytest.raises(ValueError, match="succeeded must return a truth value for each trial; got "):
        task.trials(net, ct.Noise(), 2, np.array([0, 0], np.uint64))


def test_the_abstract_tasks_cannot_be_made():
    for kind in (OpenLoop, ClosedLoop):
        with pytest.raises(TypeError, match="abstract"):
            kind()


def test_settings_are_kept_as_plain_numbers():
    """As they go to JSON."""
    assert type(Maze(gap=np.float32(0.5), baffles=np.int64(3)).gap) is float
    assert type(TASKS["path_integration"](memory=np.float64(5)).memory) is float
    assert type(TASKS["regulator"](set_point=2).set_point) is float
    assert Function(target=ct.activation("tanh")).target == "tanh"
    with pytest.raises(
        ValueError, match=r"^target must be what activation\(\) takes: activation must use known names only"
    ):
        Function(target="cosine(x)")
