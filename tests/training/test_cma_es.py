"""CMA-ES as SciPy's method: its protocol, pycma's own search repeated exactly, and going on from a log."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.optimize import Bounds, OptimizeResult, minimize, rosen

from ctrnn_theory.training.cma_es import cma_es

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its optional dependencies
    import cma


def ellipsoid(x):
    """Condition number 1e6; of one point (n,) or of S, (n, S)."""
    return (10.0 ** np.linspace(0.0, 6.0, len(x))) @ np.asarray(x) ** 2


def sphere(x):
    return float(np.sum((np.asarray(x) - 2.0) ** 2))


def noisy(x, generation):
    """A bowl around 1 in noise that all candidates of a generation share in part."""
    rng = np.random.default_rng([5, generation])
    return np.sum((x - 1.0) ** 2, axis=0) + rng.standard_normal() + 0.1 * rng.standard_normal(len(x)) @ x


def search(fun, x0=(0.0, 0.0), bounds=None, callback=None, tol=None, **options):
    return minimize(fun, x0, method=cma_es, bounds=bounds, callback=callback, tol=tol, options={"rng": 1} | options)


def same(a, b):
    assert np.array_equal(a.x, b.x)
    assert (a.fun, a.nfev, a.nit, a.message) == (b.fun, b.nfev, b.nit, b.message)
    assert np.array_equal(a.stds, b.stds)
    assert np.array_equal(a.history, b.history, equal_nan=True)


@pytest.mark.parametrize(("fun", "x0", "best"), [(rosen, np.zeros(10), 1.0), (ellipsoid, np.ones(10), 0.0)])
def test_minimises_in_ten_dimensions(fun, x0, best):
    found = search(fun, x0)
    assert found.success
    assert found.status == 0
    assert found.fun == fun(found.x) < 1e-8
    assert np.allclose(found.x, best, atol=1e-4)
    assert found.nfev == 10 * found.nit == np.size(found.history)  # 4 + 3 log 10 candidates
    assert found.stds.shape == (10,)


@pytest.mark.parametrize("seed", range(3))
def test_is_pycma_on_the_same_normals(seed):
    rng = np.random.default_rng(seed)
    options = {"verbose": -9, "verb_log": 0, "signals_filename": "", "seed": np.nan}
    es = cma.CMAEvolutionStrategy([0.0] * 5, 0.5, options | {"randn": lambda *shape: rng.standard_normal(shape)})
    while not es.stop():
        asked = es.ask()
        es.tell(asked, [rosen(x) for x in asked])
    found = search(rosen, np.zeros(5), sigma0=0.5, rng=seed)
    assert np.array_equal(found.x, es.result.xbest)
    assert (found.fun, found.nfev, found.nit) == (es.result.fbest, es.result.evaluations, es.result.iterations)


def test_neither_uses_nor_seeds_the_global_generator(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()  # noqa: NPY002
        found.append(search(rosen, bounds=[(-2.0, 2.0), (None, 0.8)]))
        after = np.random.get_state()  # noqa: NPY002
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    same(*found)
    assert not os.listdir(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_other_seeds_search_elsewhere():
    assert not np.array_equal(search(rosen, rng=1).x, search(rosen, rng=2).x)
    same(search(rosen, rng=1), search(rosen, rng=np.random.SeedSequence(1)))
    same(search(rosen, rng=1), search(rosen, rng=np.random.default_rng(1)))


def test_importing_does_not_import_pycma():
    code = "import sys, ctrnn_theory.training.cma_es; sys.exit('cma' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("resample", [False, True])
def test_goes_on_from_every_generation_bit_for_bit(resample):
    calls = []

    def fun(x, generation=0):
        calls.append(generation)
        return noisy(x, generation if resample else 0)

    options = {"maxiter": 12, "vectorized": True, "resample": resample, "sigma0": 0.5}
    whole = search(fun, np.zeros(3), **options)
    for cut in range(13):
        calls.clear()
        seen = []
        same(
            search(fun, np.zeros(3), callback=lambda x, s=seen: s.append(x), history=whole.history[:cut], **options),
            whole,
        )
        assert len(calls) == 12 - cut + resample
        assert len(seen) == 12 - cut
    altered = [whole.history[0][::-1], *whole.history[1:]]
    assert not np.array_equal(search(fun, np.zeros(3), history=altered, **options).x, whole.x)


def test_resample_numbers_generations_and_returns_the_mean():
    asked, points = [], []

    def fun(x, generation):
        asked.append(generation)
        points.extend(x.T.tolist())
        return noisy(x, generation)

    found = search(fun, np.zeros(4), resample=True, vectorized=True, maxiter=60, popsize=10)
    assert asked == list(range(61))
    assert (found.nit, found.nfev, found.status) == (60, 601, 1)
    assert found.x.tolist() == points[-1]
    assert points[-1] not in points[:-1]  # the best sample would be among them
    assert found.fun == noisy(found.x[:, None], 60)[0]
    assert np.all(np.abs(found.x - 1.0) < 5.0 * 0.05)  # the tilt moves a generation's minimum by 0.05 at one sd
    assert not found.success


def test_ways_of_evaluating_give_the_same():
    one = search(ellipsoid, np.ones(3), maxiter=10)
    same(search(ellipsoid, np.ones(3), maxiter=10, workers=map), one)
    with ThreadPoolExecutor(3) as pool:
        same(search(ellipsoid, np.ones(3), maxiter=10, workers=pool.map), one)
    shapes = set()

    def sums(x):  # one point at a time, for sums in the same order
        shapes.add(x.shape)
        return np.array([ellipsoid(np.ascontiguousarray(column)) for column in x.T])

    same(search(sums, np.ones(3), maxiter=10, vectorized=True), one)
    assert shapes == {(3, 7)}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_give_the_same():
    same(search(rosen, np.zeros(3), maxiter=5, workers=2), search(rosen, np.zeros(3), maxiter=5))


def test_callback_sees_each_generation_and_can_end_the_search():
    seen = []

    def after(intermediate_result):
        seen.append(intermediate_result)
        if len(seen) == 4:
            raise StopIteration

    found = search(rosen, callback=after)
    assert [state.nit for state in seen] == [1, 2, 3, 4]
    assert [state.nfev for state in seen] == [6, 12, 18, 24]
    assert np.array_equal([state.fitness for state in seen], found.history)
    assert all(state.fun == rosen(state.x) and state.sigma > 0.0 and state.stds.shape == (2,) for state in seen)
    assert (found.nit, found.status, found.success) == (4, 99, False)
    points = []
    search(rosen, callback=points.append, maxiter=3)
    assert np.array_equal(points, [state.x for state in seen[:3]])


def test_bounds_hold_and_equal_ones_fix():
    visited = []

    def fun(x):
        visited.append(x)
        return sphere(x)

    pairs = [(-1.0, 1.0), (0.5, 0.5), (None, None), (None, 3.0)]
    found = search(fun, [0.0, 0.5, 0.0, 0.0], bounds=pairs)
    points = np.array(visited)
    assert np.all((points[:, 0] >= -1.0) & (points[:, 0] <= 1.0) & (points[:, 1] == 0.5) & (points[:, 3] <= 3.0))
    assert np.allclose(found.x, [1.0, 0.5, 2.0, 2.0], atol=1e-4)
    low, high = np.array([-1.0, 0.5, -np.inf, -np.inf]), np.array([1.0, 0.5, np.inf, 3.0])
    same(search(sphere, [0.0, 0.5, 0.0, 0.0], bounds=Bounds(low, high)), found)


@pytest.mark.parametrize("options", [{}, {"resample": True}, {"vectorized": True}])
def test_all_fixed_is_one_evaluation(options):
    found = search(lambda x, generation=0: np.sum(x, axis=0), [1.0, 2.0], bounds=[(1, 1), (2, 2)], **options)
    assert (found.fun, found.nfev, found.nit, found.success) == (3.0, 1, 0, True)


@pytest.mark.parametrize("bounds", [None, [(-5.0, 5.0)]])
def test_one_coordinate(bounds):
    found = search(sphere, [0.0], bounds=bounds)
    assert found.success
    assert found.x.shape == found.stds.shape == (1,)
    assert abs(found.x[0] - 2.0) < 1e-4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_none_are_the_worst(bad):
    found = search(lambda x: bad if x[0] < 0.9 else sphere(x), [1.0, 1.0])
    assert np.any(~np.isfinite(found.history))
    assert found.fun < 1e-8
    nowhere = search(lambda x: bad, [1.0, 1.0], maxiter=20)
    assert not nowhere.success
    assert nowhere.fun == np.inf


def test_tolerances_and_limits():
    fine, coarse = search(rosen), search(rosen, tol=1e-3)
    assert fine.success
    assert coarse.success
    assert coarse.nfev < fine.nfev
    assert search(rosen, tolfun=1e-3).message.startswith("converged: tolfun")
    assert search(rosen, tolx=0.1).message == "converged: tolx"
    assert search(rosen, maxiter=3).nit == 3
    assert search(rosen, maxfev=20).nfev == 18
    assert search(lambda x, generation: rosen(x), maxfev=18, resample=True).nfev == 13
    assert isinstance(search(rosen, maxiter=1), OptimizeResult)


@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell"])
def test_other_methods_fit_in_its_place(method):
    assert minimize(sphere, [0.0, 0.0], method=method, bounds=[(-5, 5)] * 2, tol=1e-9).success


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jac": True}, "jac must not be given"),
        ({"hess": lambda x: x}, "hess must not be given"),
        ({"hessp": lambda x, p: x}, "hessp must not be given"),
        ({"constraints": {"type": "eq", "fun": sphere}}, "constraints must not be given"),
        ({"bounds": [(0, 1)]}, "bounds must be a pair for each of the 2 coordinates; got 1"),
        ({"bounds": [(1, 0), (0, 1)]}, "bounds must have each least"),
        ({"bounds": [(1, 2), (0, 1)]}, "x0 must lie within bounds; got 0 at 0"),
        ({"options": {"sigma0": 0.0}}, "sigma0 must be a positive number; got 0"),
        ({"options": {"sigma0": [1.0, -1.0]}}, "sigma0 must be positive; got -1"),
        ({"options": {"popsize": 1}}, "popsize must be at least 2; got 1"),
        ({"options": {"maxiter": 0}}, "maxiter must be an integer of at least 1; got 0"),
        ({"options": {"maxfev": 5}}, "maxfev must be at least 6, for one generation; got 5"),
        ({"options": {"workers": 0}}, "workers must be an integer of at least 1; got 0"),
        ({"options": {"workers": 2, "vectorized": True}}, "workers must be 1 for a vectorized function; got 2"),
        ({"options": {"resample": True}, "tol": 1e-3}, "tol must not be given with resample"),
        ({"options": {"history": [[1.0]]}}, "history must hold 6 values a generation"),
        ({"options": {"vectorized": True}}, "fun must return 6 numbers"),
    ],
)
def test_what_is_refused(options, message):
    def fun(x):
        return 0.0

    with pytest.raises(ValueError, match=message):
        minimize(fun, [0.0, 0.0], method=cma_es, **options)


BOUNDED = [(-1.0, 2.0)] * 4
STATES = {
    "one coordinate": ((0.5,), None, {}),
    "ten": ((0.0,) * 10, None, {}),
    "bounds": ((0.5,) * 4, BOUNDED, {}),
    "half of them": ((0.5,) * 4, [(0.0, None), (None, None), (0.5, 0.5), (None, 1.0)], {}),
    "many candidates": ((0.5,) * 3, None, {"popsize": 40}),
    "more coordinates": ((0.0,) * 60, None, {"popsize": 6}),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("after", [1, 2, 23])
def test_state_takes_the_place_of_generations(tmp_path, name, after):
    """The search goes on to the last bit from arrays that were in a file, and repeats nothing."""
    x0, bounds, more = STATES[name]
    options = {"maxiter": 40, "resample": True} | more
    states, reported = [], []

    def keep(intermediate_result):
        if intermediate_result.nit == after:
            states.append(intermediate_result.state())

    def fun(x, generation):
        reported.append(generation)
        return np.sum((x - 1.0) ** 2, axis=0) + np.random.default_rng(generation).standard_normal()

    whole = search(fun, x0, bounds, keep, vectorized=True, **options)
    np.savez(tmp_path / "state.npz", **states[0])
    reported.clear()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        again = search(
            fun, x0, bounds, vectorized=True, history=whole.history[: after + 2], state=dict(state), **options
        )
    same(again, whole)
    assert again.sigma == whole.sigma
    assert reported == list(range(after + 2, 41))  # the last one is of the mean


def test_state_of_another_search_is_refused():
    states = []
    search(rosen, np.zeros(3), BOUNDED[:3], lambda intermediate_result: states.append(intermediate_result.state()))
    with pytest.raises(ValueError, match="state must be that of a search of the same settings, by the same version"):
        search(rosen, np.zeros(3), history=[np.zeros(7)], state=states[0])
    with pytest.raises(ValueError, match="history must hold the generations of state, 1; got 0"):
        search(rosen, np.zeros(3), BOUNDED[:3], state=states[0])
