"""Training runs in folders: cut off, resumed, damaged."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import cma
import numpy as np
import pytest
from scipy.optimize import minimize

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.training import checkpoint, trainer
from ctrnn_theory.training.settings import Settings, find_task
from ctrnn_theory.training.tasks import TASKS, Feedforward, Function, Model
from ctrnn_theory.training.trainer import Objective, Training, train
from tests.run_folders import rewritten

SMALL = {"neurons": 3, "noise": Noise(inside=0.4), "evaluations": 300, "rng": 5}
TASK = Feedforward(repeats=4)


def same(one, other):
    return all(
        np.array_equal(getattr(one.network, name), getattr(other.network, name))
        for name in ("W", "b", "W_in", "W_out", "b_out")
    ) and np.array_equal(one.losses, other.losses)


class Killed(Exception):
    pass


def until(generation):
    def callback(result):
        if result.nit == generation:
            raise Killed

    return callback


@pytest.fixture(scope="module")
def whole():
    return train(TASK, **SMALL)


@pytest.mark.parametrize("generation", [1, 2, 11])
def test_run_cut_off_ends_in_the_same_network(tmp_path, whole, generation):
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(generation))
    found = train(TASK, **SMALL, out=tmp_path / "run", resume=True)
    assert same(found, whole)
    assert found.loss == whole.loss
    again = Training.load(tmp_path / "run")
    assert same(again, whole)
    assert again.loss == whole.loss


def test_other_seed_gives_another_network(whole):
    assert not same(train(TASK, **SMALL | {"rng": 6}), whole)


def test_workers_do_not_matter(whole):
    assert same(train(TASK, **SMALL, workers=3), whole)


def test_line_cut_short_is_dropped(tmp_path, whole):
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(6))
    log = tmp_path / "run" / checkpoint.LOG
    content = log.read_bytes()
    end = content[:-1].rfind(b"\n") + 1
    for cut in (end, end + 1, len(content) - 1):
        log.write_bytes(content[:cut])
        history, length, _ = checkpoint.read_log(
            Folder(tmp_path / "run", checkpoint.KIND),
            Settings.of(TASK, 3, "relu", None, Noise(0.4), None, 300, None, None, 5),
        )
        assert (len(history), length) == (5, end)
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)


def test_finished_run_is_returned_as_it_is(tmp_path, whole):
    train(TASK, **SMALL, out=tmp_path / "run")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.name[0] != "."}
    found = train(TASK, **SMALL, out=tmp_path / "run", resume=True, callback=until(1))
    assert same(found, whole)
    assert before == {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.name[0] != "."
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"neurons": 4}, "neurons (3 there, 4 here)"),
        ({"noise": Noise(inside=0.4, outside=0.1)}, "noise"),
        ({"evaluations": 200}, "evaluations (300 there, 200 here)"),
        ({"rng": 4}, "seed"),
        ({"activation": "tanh"}, "activation (relu there, tanh here)"),
    ],
)
def test_resuming_with_other_settings_is_refused(tmp_path, change, named):
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(1))
    with pytest.raises(ValueError, match="same settings") as caught:
        train(TASK, **SMALL | change, out=tmp_path / "run", resume=True)
    assert named in str(caught.value)


def test_folder_must_be_ours(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out must be empty, or a run that is to be resumed; .* holds notes.txt"):
        train(TASK, **SMALL, out=tmp_path)
    with pytest.raises(ValueError, match=r"out must be empty or hold a run; .* holds notes.txt"):
        train(TASK, **SMALL, out=tmp_path, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]
    with pytest.raises(ValueError, match="resume must come with out"):
        train(TASK, **SMALL, resume=True)
    with pytest.raises(ValueError, match="out must be a folder, in one that exists"):
        train(TASK, **SMALL, out=tmp_path / "no" / "such")


def test_two_writers_at_once_are_refused(tmp_path):
    def second(result):
        with pytest.raises(ValueError, match="another process"):
            train(TASK, **SMALL, out=tmp_path / "run", resume=True)
        raise StopIteration

    train(TASK, **SMALL, out=tmp_path / "run", callback=second)


def damage(name, change):
    def act(run):
        path = run / name
        path.write_bytes(change(path.read_bytes()))

    return act


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (damage("run.json", lambda b: b[: len(b) // 2]), "run.json: "),
        (damage("run.json", lambda b: b.replace(b'"feedforward"', b'"juggling"')), "run.json: it is not what was"),
        (damage("run.json", lambda b: b.replace(b'"format": 2', b'"format": 1')), "run.json: it is not what was"),
        (rewritten(lambda c: c.update(task="juggling")), "run.json: task must be a Task, or one of"),
        (rewritten(lambda c: c.update(format=9)), "run.json: it has format 9, this version reads up to 2"),
        (rewritten(lambda c: c.update(people=c.pop("neurons"))), "run.json: it lacks 'neurons'"),
        (rewritten(lambda c: c.pop("kept")), "run.json: it lacks what is kept"),
        (damage("generations.jsonl", lambda b: b.replace(b"[0.", b"[1.", 1)), "line 1 of generations.jsonl"),
        (damage("generations.jsonl", lambda b: b"\n".join(b.split(b"\n")[1:])), "line 1 of generations.jsonl"),
        (damage("generations.jsonl", lambda b: b"{}\n" + b), "line 1 of generations.jsonl"),
    ],
)
def test_damage_is_named(tmp_path, act, message):
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(3))
    act(tmp_path / "run")
    for read in (
        lambda: Training.load(tmp_path / "run"),
        lambda: train(TASK, **SMALL, out=tmp_path / "run", resume=True),
    ):
        with pytest.raises(ValueError, match="must be the folder of a training run") as caught:
            read()
        assert message in str(caught.value)


def test_log_that_does_not_repeat_is_refused(tmp_path):
    """Losses that another machine or version found: whole lines, of other numbers."""
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(3))
    log = tmp_path / "run" / checkpoint.LOG
    lines = log.read_bytes().splitlines(keepends=True)
    losses = np.array(json.loads(lines[-1])["losses"])
    log.write_bytes(b"".join(lines[:-1]) + checkpoint._line(2, losses * (1 + 1e-15)))
    with pytest.raises(ValueError, match="bit for bit"):
        train(TASK, **SMALL, out=tmp_path / "run", resume=True)


def test_settings_go_to_json_and_back():
    settings = Settings.of(
        "function", 4, "Max(x/2, x)", 0.2, Noise([0.1, 0.2, 0.3, 0.4], 0.5), "closure", 99, 7, 0.4, 3
    )
    again = Settings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert again.to_dict() == settings.to_dict()
    assert again.task == settings.task


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_task("chess"), "task must be a Task, or one of regulator, function"),
        (lambda: find_task("function", colour=1), "setting of function must be one of target, conditions"),
        (lambda: find_task("function", steps=1.5), "steps of function must be of type int; got 1.5"),
        (lambda: find_task("function", steps=0), "steps must be an integer of at least 1; got 0"),
        (lambda: train("function", loss="exact"), "loss must be one of simulation, closure for function; got 'exact'"),
        (lambda: train("feedforward", gamma=0.5), "gamma must be 1 for feedforward; got 0.5"),
        (lambda: train("regulator", neurons=2), "neurons must be 1 for the regulator; got 2"),
        (lambda: train("function", noise=0.5), "noise must be a Noise; got 0.5"),
        (lambda: train("function", noise=Noise([1.0, 2.0])), "inside must have one row for each of the 8 neurons"),
        (lambda: train("function", evaluations=0), "evaluations must be an integer of at least 1; got 0"),
        (lambda: train("function", step=-1.0), "step must be a positive number; got -1.0"),
    ],
)
def test_bad_settings_are_one_sentence(call, message):
    with pytest.raises(ValueError, match="must") as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize("generation", [3, 20])
def test_resuming_repeats_what_came_after_the_state_alone(tmp_path, whole, monkeypatch, generation):
    """However long the run was."""
    monkeypatch.setattr(trainer, "EVERY", -1.0)
    monkeypatch.setattr(trainer, "SHARE", 0)
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(generation))
    tells, tell = [], cma.CMAEvolutionStrategy.tell
    monkeypatch.setattr(
        cma.CMAEvolutionStrategy, "tell", lambda es, *given: (tells.append(es.countiter), tell(es, *given))
    )
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)
    kept = len(whole.losses) - generation
    assert len(tells) <= kept + 1 + 3  # one of a new search that takes on the state, and those since the state


def without_checksums(run):
    """Make the folder one of the first version."""
    settings = json.loads((run / "run.json").read_bytes())
    for name in ("check", "kept", "finished"):
        del settings[name]
    (run / "run.json").write_text(json.dumps(settings | {"format": 1}))
    (run / "search.npz").unlink(missing_ok=True)
    if (run / "result.json").exists():
        result = json.loads((run / "result.json").read_bytes())
        del result["check"]
        (run / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("generation", [1, 20, 1000])
def test_a_folder_of_the_first_version_goes_on(tmp_path, whole, generation):
    with contextlib.suppress(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(generation))
    without_checksums(tmp_path / "run")
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)
    assert Training.load(tmp_path / "run").loss == whole.loss


def test_a_state_of_another_version_of_pycma_is_not_used(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(trainer, "EVERY", -1.0)
    monkeypatch.setattr(trainer, "SHARE", 0)
    monkeypatch.setattr(checkpoint, "version", lambda name: "3")
    with pytest.raises(Killed):
        train(TASK, **SMALL, out=tmp_path / "run", callback=until(8))
    monkeypatch.undo()
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)


SCRIPT = """
    import sys
    from ctrnn_theory.model.noise import Noise
    from ctrnn_theory.training.tasks import Function
    from ctrnn_theory.training.trainer import train
    print("ready", flush=True)
    train(Function(conditions=8, steps=20), neurons=4, noise=Noise(inside=0.7), evaluations=int(sys.argv[2]), rng=1,
          out=sys.argv[1], resume=True)
    """


def kill_test(folder, kills, evaluations, longest):
    """Kill a run again and again at random moments, let it end, and compare it with one that was let alone."""
    script = textwrap.dedent(SCRIPT)
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder / "run"), str(evaluations)], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, longest))
        os.kill(process.pid, signal.SIGKILL)
        count += process.wait() == -signal.SIGKILL
        process.stdout.close()
    options = {"neurons": 4, "noise": Noise(inside=0.7), "evaluations": evaluations, "rng": 1, "resume": True}
    for name in ("run", "alone"):
        train(Function(conditions=8, steps=20), out=folder / name, **options)
    one, other = (Training.load(folder / name) for name in ("run", "alone"))
    assert (folder / "run" / "network.npz").read_bytes() == (folder / "alone" / "network.npz").read_bytes()
    assert same(one, other)
    assert isinstance(one.network, CTRNN)
    return count


def test_killed_runs_end_in_the_same_network(tmp_path):
    assert kill_test(tmp_path, 3, 3000, 0.5) > 0


@pytest.mark.slow
def test_fifty_kills(tmp_path):
    assert kill_test(tmp_path, 50, 40_000, 0.8) >= 45


def test_losses_that_are_no_numbers_are_kept(tmp_path):
    """A NaN keeps its sign and payload, though JSON has only one NaN."""
    settings = Settings.of(TASK, 3, "relu", None, Noise(0.4), None, 300, 3, None, 5)
    fitness = np.array([-np.nan, np.inf, 0.5])
    (tmp_path / checkpoint.LOG).write_bytes(checkpoint._line(0, fitness))
    assert np.array_equal(
        checkpoint.read_log(Folder(tmp_path, checkpoint.KIND), settings)[0][0], fitness, equal_nan=True
    )


def test_run_goes_on_to_more_evaluations(tmp_path, whole):
    train(TASK, **SMALL | {"evaluations": 150}, out=tmp_path / "run")
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)
    with pytest.raises(ValueError, match=r"differs in evaluations \(300 there, 150 here\)"):
        train(TASK, **SMALL | {"evaluations": 150}, out=tmp_path / "run", resume=True)


def test_run_that_the_callback_ended_goes_on(tmp_path, whole):
    def callback(result):
        if result.nit == 4:
            raise StopIteration

    found = train(TASK, **SMALL, out=tmp_path / "run", callback=callback)
    assert len(found.losses) == 4
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)


@pytest.mark.parametrize(
    ("name", "content"), [("network.npz", b"no"), ("result.json", b""), ("result.json", b'{"loss": 1}')]
)
def test_end_that_is_damaged_is_found_again(tmp_path, whole, name, content):
    train(TASK, **SMALL, out=tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(content)
    assert same(train(TASK, **SMALL, out=tmp_path / "run", resume=True), whole)
    assert Training.load(tmp_path / "run").loss == whole.loss


@dataclasses.dataclass(frozen=True)
class Own(Feedforward):
    """A task of one's own."""


def test_task_of_ones_own_needs_a_name_to_be_kept(tmp_path, monkeypatch):
    assert np.isfinite(train(Own(), **SMALL).loss)
    with pytest.raises(ValueError, match="task must be in TASKS by its name to be kept in a folder"):
        train(Own(), **SMALL, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setitem(TASKS._entries, "own", Own)
    monkeypatch.setattr(Own, "name", "own")
    train(Own(), **SMALL, out=tmp_path / "run")
    assert isinstance(Training.load(tmp_path / "run").task, Own)


@pytest.mark.parametrize("bad", [{"popsize": 1}, {"workers": 0}, {"evaluations": 3}])
def test_what_is_refused_leaves_no_folder(tmp_path, bad):
    with pytest.raises(ValueError, match="must be"):
        train(TASK, **SMALL | bad, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_network_that_runs_away_is_reported():
    task = Function(conditions=2, steps=60, repeats=2)
    with pytest.raises(Divergence, match="W must keep the state bounded; the loss after"):
        train(task, neurons=2, activation="x**2", noise=Noise(inside=9.0), evaluations=40, step=5.0)


def test_loss_by_closure_is_infinite_where_moments_are_out_of_range():
    task = Function(conditions=2, steps=30)
    weights = task.layout(1).weights(np.array([[0.1, 30.0], [0.0, 3.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    losses = task.losses(
        Model(activation("exp(x)"), 0.1, weights, Noise(inside=1.0)), np.array([1, 2], np.uint64), "closure"
    )
    assert np.isfinite(losses[0])
    assert losses[1] == np.inf


def test_objective_may_be_given_to_any_method():
    settings = Settings.of(TASK, 2, "relu", None, Noise(inside=0.3), None, 300, None, None, 0)
    objective = Objective(settings)
    start = settings.task.guess(settings.layout, np.random.default_rng(1))
    found = minimize(objective, start, method="Powell", options={"maxfev": 300})
    assert found.fun < objective(start)
    assert objective(found.x) == found.fun  # on the same noise
    assert objective(found.x, generation=1) != found.fun
    assert np.array_equal(objective(np.array([start, found.x]).T), [objective(start), found.fun])
