"""The engines of a sweep: tasks of a measured length on the cores of this machine, a Dask cluster, or a ``map``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory import __version__
from ctrnn_theory.stationary.registry import own_methods
from ctrnn_theory.support.types import IntArray
from ctrnn_theory.support.workers import Workers, threads
from ctrnn_theory.sweeping import processes
from ctrnn_theory.sweeping.batch import Batch, Task, evaluate, unit
from ctrnn_theory.sweeping.spec import Spec

LENGTH, LONGEST = 1.0, 2.0
"""Seconds that a task should last, and seconds after which it ends with the units that it has finished."""
MOST = 100_000
"""Largest number of points of a task, which bounds its memory."""
SAMPLED, ENOUGH = 8, 0.5
"""Largest number of units that are timed, and seconds of timing that are enough."""
WINDOW = 1000
"""Tasks that a cluster is given at a time."""
ANSWER = 60.0
"""Seconds in which a worker of a cluster must answer."""
RETRIES = 3
"""How often a cluster repeats a task whose worker died."""


def sample(spec: Spec, method: int, units: Iterable[IntArray]) -> Iterator[tuple[Batch, float]]:
    """Compute a few units of points, and yield each with the seconds a unit takes, as estimated from those so far.

    The first unit compiles, and is timed only if it is the only one. The estimate holds for the units that are not
    sampled if these are in a random order.
    """
    timed = 0.0
    for count, points in enumerate(islice(units, SAMPLED + 1)):
        begin = perf_counter()
        batch = evaluate(spec, Task(method, points))
        last = perf_counter() - begin
        timed += last if count else 0.0
        yield batch, timed / count if count else last
        if count and timed > ENOUGH:
            break


def estimate(spec: Spec) -> float:
    """Estimate the seconds that the whole sweep takes on one core from a sample of its points."""
    total, rng = 0.0, np.random.default_rng(0)
    for number, method in enumerate(spec.methods):
        size = unit(spec, method)
        count = -(-spec.size // size)
        chosen = rng.choice(count, min(count, SAMPLED + 1), replace=False)
        units = (np.arange(i * size, min((i + 1) * size, spec.size)) for i in chosen)
        *_, (_, seconds) = sample(spec, number, units)
        total += count * seconds
    return total


def run(spec: Spec, missing: list[IntArray], workers: Workers = None, client: Any = None) -> Iterator[Batch]:
    """Compute points, given by method, and yield batches as they finish, in any order.

    Points that tasks leave undone, since they take longer than was estimated, are put into new tasks.
    """
    while any(points.size for points in missing):
        undone: list[list[IntArray]] = [[] for _ in missing]
        sent: dict[tuple[int, int], IntArray] = {}
        for batch in _round(spec, missing, sent, workers, client):
            yield batch
            method = int(batch.rows["method"][0])
            points = sent.pop((method, int(batch.rows["point"][0])), batch.rows["point"])
            undone[method].append(points[batch.rows.size :])
        missing = [np.sort(np.concatenate([np.zeros(0, np.int64), *some])) for some in undone]


def _round(
    spec: Spec, missing: list[IntArray], sent: dict[tuple[int, int], IntArray], workers: Workers, client: Any
) -> Iterator[Batch]:
    """Compute points once, as far as the time of their tasks allows; enter each task's points in `sent`.

    The keys of `sent` are the method and the first point of a task. The first batches are samples, computed in this
    process, from which the number of points of a task follows. Points are put into tasks at random, so that tasks last
    about the same where costs vary over the grid.
    """
    rng, tasks, count = np.random.default_rng(0), [], 0
    for number, points in enumerate(missing):
        size = unit(spec, spec.methods[number])
        units = np.split(points, 1 + np.flatnonzero(np.diff(points // size))) if points.size else []
        order = rng.permutation(len(units))
        sampled, seconds = 0, LENGTH
        for batch, lasts in sample(spec, number, (units[i] for i in order)):
            sent[number, int(units[order[sampled]][0])] = units[order[sampled]]
            sampled, seconds = sampled + 1, lasts
            yield batch
        length = max(1, min(round(LENGTH / seconds), MOST // size))
        remaining = order[sampled:]
        tasks.append(_tasks(number, units, remaining, length))
        count += -(-remaining.size // length)

    def dealt() -> Iterator[Task]:
        for task in (task for some in tasks for task in some):
            sent[task.method, int(task.points[0])] = task.points
            yield task

    if count:
        yield from _distribute(partial(evaluate, spec, own=own_methods()), dealt(), count, workers, client)


def _tasks(method: int, units: list[IntArray], order: NDArray[np.int64], length: int) -> Iterator[Task]:
    """Yield tasks of so many units each, in the order given."""
    for first in range(0, order.size, length):
        yield Task(method, np.concatenate([units[i] for i in np.sort(order[first : first + length])]), LONGEST)


def _distribute(
    function: Callable[[Task], Batch], tasks: Iterator[Task], count: int, workers: Workers, client: Any
) -> Iterator[Batch]:
    """Apply a function to tasks on the cluster, by the function like map, or in at most `count` processes."""
    if client is not None:
        yield from _on_cluster(function, tasks, client)
    elif callable(workers):
        yield from _by(workers, function, tasks)
    elif (count := min(threads(workers), count)) == 1:
        yield from map(function, tasks)
    else:
        yield from processes.distribute(function, tasks, count)


def _by(map_like: Callable[..., Any], function: Callable[[Task], Batch], tasks: Iterator[Task]) -> Iterator[Batch]:
    """Apply a function to tasks by a function like map, and check that it returns the result of each task once."""
    sent: set[tuple[int, int]] = set()

    def sending() -> Iterator[Task]:
        for task in tasks:
            sent.add((task.method, int(task.points[0])))
            yield task

    returned = map_like(function, sending())
    for batch in returned if isinstance(returned, Iterable) else (returned,):
        key = (int(batch.rows["method"][0]), int(batch.rows["point"][0])) if isinstance(batch, Batch) else None
        if key not in sent:
            wrong = "a result twice" if key else type(batch).__name__
            raise ValueError(f"workers must be a function like map, which gives one result for each task; got {wrong}")
        sent.remove(key)
        yield batch


def _on_cluster(function: Callable[[Task], Batch], tasks: Iterator[Task], client: Any) -> Iterator[Batch]:
    """Apply a function to tasks on a cluster, so many at a time; another worker repeats the tasks of one that dies."""
    from distributed import as_completed

    def submit(task: Task) -> Any:
        return client.submit(function, task, pure=False, retries=RETRIES)

    pending = as_completed(map(submit, islice(tasks, WINDOW)))
    for future in pending:
        yield future.result()
        pending.update(map(submit, islice(tasks, 1)))


@contextmanager
def connected(dask: Any) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, and close it in the end; yield None or a client as it is.

    Raises
    ------
    ValueError
        If Dask is not installed, or there is no scheduler at the address.
    """
    if dask is None:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ValueError("dask must be installed for a cluster: pip install 'ctrnn-theory[cluster]'") from error
    if isinstance(dask, Client):
        yield dask
        return
    try:
        client = Client(dask)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"dask must be the address of a scheduler; got {dask!r}: {error}") from error
    with client:
        _check_workers(client)
        yield client


def _check_workers(client: Any) -> None:
    """Raise a ValueError if no worker has this package, for which tasks would wait for ever."""
    try:
        version = client.submit(_version, pure=False).result(timeout=ANSWER)
    except Exception as error:  # a TimeoutError, or an error of the import
        raise ValueError(
            f"dask must have workers with ctrnn_theory {__version__}; none answered: {type(error).__name__} {error}"
        ) from error
    if version != __version__:
        raise ValueError(f"dask must have workers with ctrnn_theory {__version__}; one has {version}")


def _version() -> str:
    """Return the version of this package, where it runs."""
    return __version__
