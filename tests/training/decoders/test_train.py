"""Training by decoders: networks, their folders, and the preference for noise that they show."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.analysis.preference.curve import least
from ctrnn_theory.training import trainer
from ctrnn_theory.training.checkpoint import RESULT, RUN
from ctrnn_theory.training.tasks import TASKS, Episode, Feedforward, Function, Latent, OpenLoop, PathIntegration
from ctrnn_theory.training.tasks.latent import checked

INSIDE = ct.Noise(inside=0.5)
TASK = Function(conditions=8, steps=60)
SMALL = {"neurons": 32, "noise": INSIDE, "method": "decoders", "rng": 3}
SEARCHED = SMALL | {"method": "decoders+cma", "loss": "closure", "evaluations": 40}


@dataclass(frozen=True)
class Memory(OpenLoop):
    """A task of one's own, with memory and with an output that is no latent variable."""

    name, summary, inputs, outputs = "memory", "the square of a pulse that has passed", 1, 1
    repeats: int = 4

    def episode(self, rng):
        u = np.zeros((60, 16, 1))
        u[:10] = np.linspace(-1, 1, 16)[:, None]
        return Episode(u, np.cumsum(0.1 * u, axis=0) ** 2, np.repeat([0.0, 1 / 20], [40, 20]))

    def latent(self, rng, gamma):
        u, x = rng.uniform(-1, 1, (1000, 1)), rng.uniform(-1.2, 1.2, (1000, 1))
        return Latent("x' = x + u/10, y = x²", u, x, 0.1 * u, x**2)


def same(a, b):
    """Whether two trainings are the same to the last bit, but for the time they took."""
    arrays = ("W", "b", "W_in", "W_out", "b_out")
    return (a.loss, a.K, a.nu) == (b.loss, b.K, b.nu) and all(
        np.array_equal(getattr(a.network, name), getattr(b.network, name)) for name in arrays
    )


@pytest.fixture(scope="module")
def solved():
    return ct.train(TASK, **SMALL)


@pytest.mark.parametrize("noise", [INSIDE, ct.Noise(outside=0.5), ct.Noise(inside=0.3, gain_outside=0.3)])
def test_output_of_a_function_has_the_moments_of_its_formula(noise):
    """W = 0: once the start is forgotten, mean W_out F + b_out and variance γ/(2-γ) |W_out|² (v + g² (v + F²) + σ²)."""
    task = Function(conditions=5, steps=120)  # (1-γ)^120 is 3e-6
    net = ct.train(task, **SMALL | {"noise": noise}).network
    assert not net.W.any()
    a = np.linspace(-1, 1, 5)[:, None] @ net.W_in.T + net.b
    s, gain = noise.std("inside", net.n), np.diag(noise.gain_covariance("outside", net.n))
    F, v = net.activation.smoothed(a, s), net.activation.smoothed_variance(a, s)
    mean = F @ net.W_out.T + net.b_out
    variance = 0.1 / 1.9 * (v + gain * (v + F**2) + noise.std("outside", net.n) ** 2) @ net.W_out[0] ** 2
    z = task.trials(net, noise, 2000, np.array([1, 2], dtype=np.uint64)).outputs[:, :, -1, 0]
    error = z.std(axis=0) / np.sqrt(len(z))
    assert np.all(abs(z.mean(axis=0) - mean[:, 0]) < 5 * error)
    squares = (z - mean[:, 0]) ** 2
    assert np.all(abs(squares.mean(axis=0) - variance) < 5 * squares.std(axis=0) / np.sqrt(len(z)) + 1e-4 * variance)
    assert np.any(abs(z.mean(axis=0) - (net.activation(a) @ net.W_out.T + net.b_out)[:, 0]) > 5 * error) or (
        noise.std("inside", 32)[0] == 0
    )


def test_K_and_nu_are_those_that_preference_predicts(solved):
    tested = ct.preference(solved.network, TASK, [0.0, 1.0], noise=INSIDE, repeats=3)
    assert (solved.K, solved.nu, solved.sigma_c) == pytest.approx((tested.K, tested.nu, tested.sigma_c), rel=1e-9)


def test_same_seed_gives_the_same_network(solved):
    assert same(ct.train(TASK, **SMALL, workers=3), solved)
    assert not same(ct.train(TASK, **SMALL | {"rng": 4}), solved)


def test_rank_of_the_weights_is_that_of_the_latent_system():
    found = ct.train(PathIntegration(conditions=2), activation="tanh", **SMALL)
    assert np.linalg.matrix_rank(found.network.W) == 2
    np.testing.assert_array_equal(found.network.b_out, 0.0)
    assert not ct.train("feedforward", **SMALL).network.W.any()


@pytest.mark.parametrize(
    ("task", "bound"), [(Function(feedback=True), 0.02), (PathIntegration(), 0.05), (Memory(), 0.01)]
)
def test_network_follows_the_latent_system(task, bound):
    """Little noise leaves an error far below the mean square of the targets, which is 0.2 and more."""
    found = ct.train(task, activation="tanh", neurons=200, noise=ct.Noise(inside=0.05), method="decoders")
    assert found.loss < bound


def test_folder_keeps_the_run(tmp_path, solved):
    found = ct.train(TASK, **SMALL, out=tmp_path / "run")
    assert same(found, solved)
    loaded = ct.Training.load(tmp_path / "run")
    assert same(loaded, solved)
    assert loaded.losses.tolist() == [[solved.loss]]
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.name[0] != "."}
    assert same(ct.train(TASK, **SMALL, out=tmp_path / "run", resume=True), solved)
    assert before == {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.name[0] != "."
    }
    with pytest.raises(ValueError, match=r"alpha \(1.5 there, 1.2 here\)"):
        ct.train(TASK, **SMALL, alpha=1.2, out=tmp_path / "run", resume=True)


@pytest.mark.parametrize("cut", ["add", "finish"])
def test_run_that_was_cut_off_is_solved_again(tmp_path, solved, monkeypatch, cut):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Writer, cut, killed)
        with pytest.raises(KeyboardInterrupt):
            ct.train(TASK, **SMALL, out=tmp_path / "run")
    assert same(ct.train(TASK, **SMALL, out=tmp_path / "run", resume=True), solved)
    assert same(ct.Training.load(tmp_path / "run"), solved)


def test_damaged_result_is_refused(tmp_path):
    ct.train(TASK, **SMALL, out=tmp_path / "run")
    result = tmp_path / "run" / RESULT
    kept = json.loads(result.read_text())
    for change in ({"K": "much"}, {"K": None}, {"nu": 1}):
        result.write_text(json.dumps(kept | change))
        with pytest.raises(ValueError, match=RESULT):
            ct.Training.load(tmp_path / "run")


def test_folders_of_the_method_cma_are_as_before(tmp_path):
    """Neither the record nor the result of such a run names what it does not have, so that old folders go on."""
    found = ct.train("feedforward", neurons=2, evaluations=24, out=tmp_path / "run")
    record, result = (json.loads((tmp_path / "run" / name).read_text()) for name in (RUN, RESULT))
    assert not {"method", "alpha", "beta"} & set(record)
    assert not {"K", "nu"} & set(result)
    assert found.sigma_c is None
    assert ct.Training.load(tmp_path / "run").K is None


def test_search_for_the_shape_lowers_the_loss(solved):
    found = ct.train(TASK, **SEARCHED)
    model = trainer.Model.of(solved.network, INSIDE)
    before = float(TASK.predicted(model, np.array([0, 0], dtype=np.uint64))[0])
    assert found.losses.shape == (5, 8)
    assert found.loss < before / 1.3
    scale = np.sqrt(np.mean(found.network.W_in**2) / np.mean(solved.network.W_in**2))
    assert 0.5 < scale < 2.0  # α is fixed but for what 32 numbers scatter


def test_search_goes_on_to_the_same_bits(tmp_path):
    whole = ct.train(TASK, **SEARCHED)

    def until(intermediate_result):
        if intermediate_result.nit == 3:
            raise StopIteration

    ct.train(TASK, **SEARCHED, out=tmp_path / "run", callback=until)
    assert np.isnan(ct.Training.load(tmp_path / "run").loss)
    assert same(ct.train(TASK, **SEARCHED, out=tmp_path / "run", resume=True), whole)


def curve(found, levels, repeats=8):
    """Loss at each level of the noise, by simulation."""
    return ct.preference(found.network, found.task, levels, noise=found.noise, repeats=repeats, predict=False)


@pytest.mark.parametrize(
    ("task", "activation", "level", "ratio"),
    [
        (Function(), "relu", 0.85, 3.0),
        (Function(feedback=True), "relu", 0.7, 2.0),
        (PathIntegration(), "tanh", 0.8, 4.0),
    ],
)
def test_networks_trained_with_noise_inside_prefer_it(task, activation, level, ratio):
    found = ct.train(task, 96, activation, method="decoders", rng=1)
    tested = curve(found, [0.0, 0.5, 0.75, 1.0, 1.25])
    assert level < tested.preferred < 1.2
    assert tested.ratio > ratio
    outside = ct.train(task, 96, activation, noise=ct.Noise(outside=1.0), method="decoders", rng=1)
    control = curve(outside, [0.0, 0.5, 1.0])
    assert control.preferred < 0.15
    assert control.ratio < 1.02


def test_large_weights_end_the_preference():
    """Noise is small against weights of ten times the size, and the output has hardly a bias to compensate."""
    found = ct.train(Feedforward(), 256, noise=INSIDE, method="decoders", alpha=15.0, beta=20.0)
    levels = np.linspace(0, 1.5, 7)
    mean, variance = Feedforward().output_moments(
        trainer.Model.of(found.network, INSIDE), Feedforward().drawn(0), levels
    )
    error = np.mean((mean[0, :, :, 0] - Feedforward().drawn(0).y[0, :, 0]) ** 2, axis=1) + variance[0].mean(axis=1)
    assert least(levels, error)[0] < 0.2
    assert found.sigma_c > 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "adam"}, "method must be one of cma, decoders, decoders\\+cma; got 'adam'"),
        ({"evaluations": 100}, "evaluations must not be given with the method decoders, which has none; got 100"),
        ({"step": 0.1}, "step must not be given with the method decoders"),
        ({"method": "cma", "alpha": 1.0}, "alpha must not be given with the method cma, which has none; got 1.0"),
        ({"alpha": 0.0}, "alpha must be a positive number; got 0.0"),
        ({"alpha": "wide"}, "alpha must be a"),
        ({"beta": -1.0}, "beta must be a number of at least 0; got -1.0"),
        ({"form": "voltage"}, "form must be rate for the method decoders; got voltage"),
        (
            {"task": "regulator", "neurons": 1},
            "task must have a latent system to be learned by decoders; regulator has",
        ),
        ({"noise": ct.Noise(inside=np.ones((32, 1)), rho_inside=0.5)}, "decoders are not solved under coloured noise"),
    ],
)
def test_what_does_not_fit_is_refused_before_there_is_a_folder(tmp_path, settings, message):
    with pytest.raises((ValueError, ct.NotApplicable), match=message):
        ct.train(**{"task": TASK, **SMALL, "out": tmp_path / "run"} | settings)
    assert "noise" in settings or not (tmp_path / "run").exists()


def with_latent(**changes):
    """A task whose latent system is another than that of the integrator."""

    class Changed(Memory):
        def latent(self, rng, gamma):
            return changes["whole"] if "whole" in changes else super().latent(rng, gamma)._replace(**changes)

    return Changed()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"whole": None}, r"latent must return a Latent\(equation, u, x, change, y\); got None"),
        ({"u": np.zeros((1000, 2))}, r"u of the latent system must have shape \(any, 1\); got \(1000, 2\)"),
        ({"u": np.zeros((0, 1))}, "u of the latent system must hold one point at least; got 0"),
        ({"x": np.zeros((9, 1))}, r"x of the latent system must have shape \(1000, any\); got \(9, 1\)"),
        ({"change": np.zeros((1000, 2))}, r"change of the latent system must have shape \(1000, 1\); got \(1000, 2\)"),
        ({"y": np.zeros((1000, 3))}, r"y of the latent system must have shape \(1000, 1\); got \(1000, 3\)"),
        ({"x": np.full((1000, 1), np.nan)}, "x of the latent system must be finite"),
        ({"y": None, "x": np.zeros((1000, 0)), "change": np.zeros((1000, 0))}, "y of the latent system must be given"),
    ],
)
def test_latent_systems_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ct.train(with_latent(**changes), **SMALL)


def test_memory_without_recurrence_is_refused():
    class Still(Memory):
        recurrent = False

    with pytest.raises(ValueError, match="x of the latent system must have R = 0 without recurrence; got 1"):
        ct.train(Still(), **SMALL)
    with pytest.raises(ValueError, match="feedback must be False for feedforward"):
        Feedforward(feedback=True)
    with pytest.raises(ValueError, match="feedback must be True or False; got 1"):
        Function(feedback=1)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "regulator"])
def test_tasks_have_a_latent_system_that_fits(name):
    task = TASKS[name]()
    latent = task.latent(np.random.default_rng(0), 0.1)
    assert latent.equation
    found = checked(latent, task.inputs, task.outputs)
    assert all(np.array_equal(a, b) for a, b in zip(found[1:], latent[1:], strict=True) if b is not None)
