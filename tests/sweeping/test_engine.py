"""Tasks: as long as a sample says, of whole units, each point once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmarks.sweep as benchmark
from ctrnn_theory.sweeping import batch, engine
from ctrnn_theory.sweeping.batch import UNIT, Batch, row_type
from ctrnn_theory.sweeping.spec import Spec


class Clock:
    """A clock that only computing moves on, and the tasks that were computed."""

    def __init__(self, cost):
        self.now, self.cost, self.tasks = 0.0, cost, []

    def __call__(self):
        return self.now

    def evaluate(self, spec, task, own=()):
        self.tasks.append(task)
        self.now += self.cost * task.points.size + (5.0 if len(self.tasks) == 1 else 0.0)  # the first compiles
        rows = np.zeros(task.points.size, row_type(spec))
        rows["method"], rows["point"] = task.method, task.points
        return Batch(rows, ())


def spec(method, count):
    return Spec.of({"methods": [method], "fixed": {"w": 0.5}, "axes": {"sigma": {"linspace": [0.0, 1.0, count]}}})


@settings(max_examples=20)
@given(cost=st.sampled_from([1e-6, 1e-4, 0.013, 0.4, 3.0]), count=st.sampled_from([1, 7, 600, 5000]), left=st.data())
def test_tasks_last_as_long_as_is_measured(cost, count, left):
    clock, grid = Clock(cost), spec("exact", count)
    missing = np.flatnonzero(np.random.default_rng(left.draw(st.integers(0, 3))).random(count) < 0.7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "perf_counter", clock)
        patch.setattr(engine, "evaluate", clock.evaluate)
        batches = list(engine.run(grid, [missing], workers=1))
    points = np.concatenate([np.zeros(0, int), *(batch.rows["point"] for batch in batches)])
    assert np.array_equal(np.sort(points), missing)
    tasks = [task.points.size for task in clock.tasks[engine.SAMPLED + 1 :]]
    for size in tasks[:-1]:
        assert size == engine.MOST or size == max(1, round(engine.LENGTH / cost))
    assert all(np.array_equal(task.points, np.unique(task.points)) for task in clock.tasks)


def test_what_takes_longer_than_was_estimated_is_kept_soon(monkeypatch):
    """A tenth of the points take a thousand times as long, of which the sample has none."""
    axes, fixed, now = {"b": list(range(300))}, {"w": 0.5, "sigma": 0.5, "site": "inside"}, [0.0]
    grid = Spec.of({"methods": ["exact"], "quantities": ["mean"], "fixed": fixed, "axes": axes})
    slow = np.random.default_rng(0).permutation(np.random.default_rng(0).permutation(300)[20:])[:30]

    def one(spec, method, number, i, found):
        now[0] += 10.0 if number in slow else 0.01
        found.mean[i] = number

    monkeypatch.setattr(engine, "perf_counter", lambda: now[0])
    monkeypatch.setattr(batch, "perf_counter", lambda: now[0])
    monkeypatch.setattr(batch, "_one", one)
    begin, points = 0.0, []
    for found in engine.run(grid, [np.arange(300)], workers=1):
        assert now[0] - begin <= engine.LONGEST + 10.0 + 1e-9
        begin = now[0]
        points += found.rows["point"].tolist()
        assert np.array_equal(found.rows["mean"], found.rows["point"])
    assert sorted(points) == list(range(300))


def test_units_are_whole(monkeypatch):
    clock, grid = Clock(1e-6), spec("mean_field", 250 * UNIT + 17)
    monkeypatch.setattr(engine, "perf_counter", clock)
    monkeypatch.setattr(engine, "evaluate", clock.evaluate)
    list(engine.run(grid, [np.arange(grid.size)], workers=1))
    for task in clock.tasks:
        units, sizes = np.unique(task.points // UNIT, return_counts=True)
        assert all(size == UNIT for unit, size in zip(units, sizes, strict=True) if unit != 250)
        assert task.points.size <= engine.MOST
    assert np.concatenate([task.points for task in clock.tasks]).size == grid.size
    assert engine.estimate(grid) == pytest.approx(1e-6 * grid.size, rel=0.05)


@pytest.mark.parametrize("lost", [0, 1])
def test_tables_of_the_benchmark(lost):
    one = {
        "closure": {"points": 1000, "seconds": 0.5, "predict": 0.01},
        "overhead": {"moments": {"points": 100, "seconds": 1.05, "bare": 1.0}},
        "exact": {"points": 200, "seconds": {"cores: 1": 1.0}, "digest": {"cores: 1": "a"}},
        "mean_field": {"points": 1000, "seconds": 0.1, "memory": 2e8, "right": True},
    }
    kills = {"kills": 50, "in the middle": 50, "lost": lost, "repeated": 0, "missing": 0, "right": not lost}
    found = {"cores: 1": one, "identical": {"right": True}, "kills": kills}
    times, ends = benchmark.shown(found)
    beside = list(times.columns[-1].cells)
    assert beside == ["a bare loop ×20", "200 MB", "a bare loop +5.0 %", ""]
    assert [next(iter(column.cells)) for column in ends.columns] == ["50", "50", str(lost), "0", "0", "yes"]
    assert benchmark.wrong(found) is bool(lost)
