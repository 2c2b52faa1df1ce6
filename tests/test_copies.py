"""Every public result goes through pickle, copies and other processes with all that it holds."""

import copy
import dataclasses
import inspect
import math
import pickle
import tempfile
import typing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import cloudpickle
import numpy as np
import pytest
import xarray

import ctrnn_theory as ct
from ctrnn_theory.training import tasks

NET, NOISE = ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(inside=0.5)
PAIR = ct.CTRNN([[0.0, -0.8], [0.8, 0.0]], [0.3, 0.1], "tanh", 0.5, [[1.0], [0.0]], [[1.0, 0.0]], [0.1])
BISTABLE, JUMPY = ct.CTRNN.single(1.5, 0.0, "tanh", 0.2), ct.Noise(outside=1.0)
CORRELATED = ct.Noise(outside=[[0.3, 0.0], [0.2, 0.2]])
WELL = ("x - x**3", 0.2, (-3, 3))
SPEC = {"fixed": {"w": 0.5, "b": 0.1}, "axes": {"sigma": [0.2, 0.5]}, "quantities": ["mean", "seconds"]}
STEERED = ct.CTRNN(np.zeros((2, 2)), 0.1, "tanh", 0.2, W_in=np.ones((2, 10)), W_out=np.eye(2), b_out=[0.0, 0.0])
STEPS = {"steps": 20, "trajectories": 64}


@cache
def trained():
    return ct.train("function", 2, noise=NOISE, evaluations=40, rng=1)


def mapped():
    with tempfile.TemporaryDirectory() as folder:
        ct.simulate(NET, NOISE, steps=4, trajectories=2, out=f"{folder}/run")
        return ct.Path.load(f"{folder}/run")


RESULTS = {
    "activation": lambda: ct.activation("relu"),
    "activation, expression": lambda: ct.activation("Max(0, x) + log(1 + exp(2*x))/2"),
    "activation, smoothed": lambda: ct.activation("smoothed(relu, 0.5)"),
    "kink": lambda: ct.activation("relu").kinks[0],
    "piece": lambda: ct.activation("log(1 + x**2)").pieces[0],
    "piece, smoothed": lambda: ct.activation("smoothed(relu, 0.5)").pieces[0],
    "activation, power law": lambda: ct.activation("0.3*Max(0, x)**2.5"),
    "network": lambda: PAIR,
    "network, neurons that differ": lambda: ct.CTRNN(PAIR.W, PAIR.b, ["relu", "tanh"], [0.1, 0.2], form="voltage"),
    "network, of another code": lambda: ct.from_torch({"weight_hh_l0": np.eye(2, dtype=np.float32)})[0],
    "convention": lambda: ct.CONVENTIONS["nn4n"],
    "noise": lambda: CORRELATED,
    "noise, every kind": lambda: ct.Noise.dropout(0.8, inside=0.1, rho_inside=0.5, gain_outside=[[0.2], [0.1]]),
    **{f"law, {method}": lambda method=method: ct.predict(NET, NOISE, method=method) for method in ct.METHODS},
    "law, exact, two": lambda: ct.predict(PAIR, ct.Noise(0.3), method="exact", tolerance=1e-5),
    "law, exact, correlated": lambda: ct.predict(PAIR, CORRELATED, method="exact", tolerance=1e-5),
    "law, fokker_planck, two": lambda: ct.predict(PAIR, ct.Noise(outside=0.3), method="fokker_planck"),
    "latent system of a task": lambda: tasks.Function(feedback=True).latent(np.random.default_rng(0), 0.1),
    "mean path": lambda: tasks.velocity_error(tasks.Maze(steps=3, cost="velocity"), STEERED, NOISE),
    "latent field": lambda: ct.latent(NET, NOISE),
    "latent point": lambda: ct.latent(NET, NOISE).fixed_points()[0],
    "latent curve": lambda: ct.latent(BISTABLE, ct.Noise(inside=0.1)).slow_manifold()[0],
    "factors": lambda: ct.latent(NET, NOISE).factors,
    "orbit": lambda: ct.orbit(PAIR, ct.Noise(0.3), np.eye(2), neurons=[0], factors=[2.0], steps=20, trajectories=64),
    "orbit, law": lambda: ct.orbit(PAIR, ct.Noise(0.3), np.eye(2), steps=20, trajectories=64).laws["simulation"],
    "retention": lambda: ct.memory(NET, NOISE, steps=4, start=[0.2], simulate=True, trajectories=4),
    "report": lambda: ct.bias(NET, NOISE, methods=["mean_field", "exact"]),
    "curve": lambda: ct.bias_curve(NET, NOISE, methods=["mean_field"]),
    "spectrum": lambda: ct.spectrum(NET, NOISE, count=2),
    "spectrum, two": lambda: ct.spectrum(PAIR, ct.Noise(0.3), count=2, tolerance=1e-4),
    "spectrum, early": lambda: ct.spectrum(PAIR, CORRELATED, count=2, tolerance=1e-4),
    "escape": lambda: ct.escape_times(BISTABLE, JUMPY),
    "escape, simulation": lambda: ct.escape_times(BISTABLE, JUMPY, method="simulation", relative_error=0.3, rng=1),
    **{
        f"evolution, {method}": lambda method=method: ct.evolve(NET, ct.Noise(outside=0.5), steps=4, method=method)
        for method in ("gaussian_closure", "fokker_planck", "simulation")
    },
    "path": lambda: ct.simulate(NET, NOISE, **STEPS),
    "path, from a folder": mapped,
    "difference": lambda: ct.difference(NET, NOISE, ct.Noise(0.4), **STEPS),
    "batch means": lambda: ct.batch_means(np.random.default_rng(0).normal(size=(400, 2, 1))),
    "training": trained,
    "preference": lambda: ct.preference(trained().network, trained().task, [0, 1], noise=NOISE, repeats=8),
    "audit": lambda: ct.audit(trained().network, NOISE, [[0.0], [0.5]], [[0.1], [0.2]], levels=[0, 1], checks=1),
    "hidden moments": lambda: ct.hidden_moments(PAIR, [[0.1], [0.2]]),
    "readout": lambda: ct.readout_theory(
        [[0.1], [0.2]], [1.0, 2.0], ct.Noise(), {0.0: ct.Noise(), 0.1: ct.Noise(0, 0.1)}
    ),
    "spread": lambda: ct.Spread(threshold=0.1),
    "memory": lambda: ct.PhaseChangeMemory(),
    "devices": lambda: ct.devices(NET, ct.Spread(threshold=0.1), NOISE, devices=3),
    "devices, refitted": lambda: ct.devices(
        trained().network, ct.Spread(0.1), NOISE, [[0.0], [0.5]], [[0.1], [0.2]], devices=3, refit="readout"
    ),
    "aging": lambda: ct.aging(trained().network, NOISE, [[0.0], [0.5]], [[0.1], [0.2]], devices=3),
    "operating points": lambda: ct.operating_points(trained().network, NOISE, trained().task),
    "fixed points": lambda: ct.fixed_points(BISTABLE),
    "fixed points, message": lambda: ct.fixed_points(BISTABLE).message,
    "noise-free network": lambda: ct.noise_free(NET, NOISE),
    "density": lambda: ct.fokker_planck.solve(*WELL).density,
    "solution": lambda: ct.fokker_planck.solve(*WELL),
    "density path": lambda: ct.fokker_planck.evolve("-x", 0.5, (-3, 4), [1.0], [0.0, 1.0], cells=64, tolerance=1e-2),
    "derivation": lambda: ct.derive.derivation("bias"),
    "convergence": lambda: ct.testing.Convergence(*np.arange(12.0).reshape(4, 3), 4.0),
    "identity": lambda: ct.testing.assert_stationary(ct.predict(NET, NOISE, method="exact"), NET, NOISE),
    "sweep": lambda: ct.sweep(SPEC, workers=1),
    "tasks": lambda: [kind() for kind in tasks.TASKS.values()],
    "task, of arrays": lambda: tasks.Given.of(np.zeros((4, 2, 1)), np.ones((4, 2, 1))),
    "episode": lambda: trained().task.episode(np.random.default_rng(0)),
    "model": lambda: tasks.Model.of(PAIR, NOISE),
    "dynamics": lambda: tasks.Model.of(PAIR, NOISE).dynamics,
    "layout": lambda: trained().task.layout(2),
    "trials": lambda: trained().task.trials(trained().network, NOISE, 2, np.array([1, 2], np.uint64), 1),
}


@cache
def made(name):
    return RESULTS[name]()


def leaves(found, path="", seen=None):
    """Pairs (path, value) of all that an object holds, however deep."""
    seen = set() if seen is None else seen
    if found is None or isinstance(found, np.ndarray | np.generic | str | int | float):
        yield path, found
    elif id(found) not in seen:
        seen.add(id(found))
        yield path, type(found)
        if dataclasses.is_dataclass(found):
            parts = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        elif isinstance(found, Mapping) and not isinstance(found, xarray.Dataset):
            parts = found
        elif isinstance(found, list | tuple):
            parts = dict(enumerate(found))
        else:
            parts = {}
            yield path, found
        for name, part in parts.items():
            yield from leaves(part, f"{path}.{name}", seen)


def same(one, other):
    if isinstance(one, np.ndarray):
        flags = (one.dtype, one.shape, one.flags.writeable) == (other.dtype, other.shape, other.flags.writeable)
        return flags and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if isinstance(one, xarray.Dataset):
        return one.identical(other)
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def assert_same(one, other):
    before, after = list(leaves(one)), list(leaves(other))
    assert [path for path, _ in before] == [path for path, _ in after]
    assert [path for (path, a), (_, b) in zip(before, after, strict=True) if not same(a, b)] == []


WAYS = {
    "pickle": lambda found: pickle.loads(pickle.dumps(found)),
    "cloudpickle": lambda found: pickle.loads(cloudpickle.dumps(found)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_comes_back_is_the_same(name):
    found = made(name)
    for way in WAYS.values():
        assert_same(found, way(found))


@pytest.fixture(scope="module")
def other_process():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("name", RESULTS)
def test_another_process_gives_back_the_same(name, other_process):
    found = made(name)
    assert_same(found, pickle.loads(other_process.submit(pickle.dumps, found).result()))
    sent = other_process.submit(pickle.loads, cloudpickle.dumps(found))  # as joblib does it
    assert_same(found, sent.result())


@pytest.mark.parametrize(("name", "neurons"), [("spectrum", 1), ("spectrum, two", 2), ("spectrum, early", 2)])
def test_functions_of_a_copy_are_the_same(name, neurons):
    states = np.random.default_rng(0).uniform(-0.3, 0.3, (5, neurons))
    found = made(name)
    for way in WAYS.values():
        assert np.array_equal(way(found).functions(states), found.functions(states))


def test_a_law_of_a_copy_gives_the_same_expectation():
    for name in ("law, exact", "law, exact, two", "law, fokker_planck, two"):
        found, copied = made(name), pickle.loads(pickle.dumps(made(name)))
        assert found.expectation(lambda h: np.cos(h[:, 0])) == copied.expectation(lambda h: np.cos(h[:, 0]))


@pytest.mark.parametrize("text", ["log(1 + x**2)", "Max(0, x)**3", "smoothed(relu, 0.5)"])
def test_a_used_activation_is_the_same_function_elsewhere(text, other_process):
    f, at = ct.activation(text), np.linspace(-3.0, 3.0, 7)
    value, slope = f(at), f.derivative(at)
    piece = pickle.loads(pickle.dumps(f.pieces[-1]))
    assert np.array_equal(piece.value(at, 1), f.pieces[-1].value(at, 1))
    assert np.array_equal(other_process.submit(f, at).result(), value)
    assert np.array_equal(other_process.submit(f.derivative, at).result(), slope)


def held(found):
    return {value for _, value in leaves(found) if isinstance(value, type)}


def classes_in(hint):
    """Classes of this package in an annotation."""
    inner = [part for argument in typing.get_args(hint) for part in classes_in(argument)]
    ours = isinstance(hint, type) and hint.__module__.startswith("ctrnn_theory")
    return [*inner, hint] if ours else inner


def hints(thing):
    try:
        return typing.get_type_hints(thing)
    except (NameError, TypeError):  # of what is imported for type checking alone, or of no annotations
        return {}


def results():
    """Public classes, what public functions and methods return, and what is in their fields."""
    modules = (ct, ct.fokker_planck, ct.training, ct.training.tasks, ct.testing, ct.derive)
    waiting = [getattr(module, name) for module in modules for name in module.__all__]
    found = set()
    while waiting:
        thing = waiting.pop()
        if not isinstance(thing, type):
            waiting += classes_in(hints(thing).get("return"))
        elif thing not in found and not issubclass(thing, BaseException):
            found.add(thing)
            waiting += [part for hint in hints(thing).values() for part in classes_in(hint)]
            for name, member in inspect.getmembers(thing):
                if not name.startswith("_"):
                    waiting += classes_in(hints(getattr(member, "fget", member)).get("return"))
    return {kind for kind in found if not inspect.isabstract(kind)}


def test_every_result_is_here():
    there = set().union(*(held(made(name)) for name in RESULTS))
    missing = {kind.__name__ for kind in results() if not any(issubclass(given, kind) for given in there)}
    assert missing == set()
