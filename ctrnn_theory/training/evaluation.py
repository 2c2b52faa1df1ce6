"""Evaluating the function that CMA-ES minimises, for all candidates of a generation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import current_process
from typing import Any

import numpy as np

from ctrnn_theory.support.arguments import function_values
from ctrnn_theory.support.types import FloatArray


@contextmanager
def mapped(workers: int | Callable[..., Iterable[Any]]) -> Iterator[Callable[..., Iterable[Any]]]:
    """Give a function like ``map`` for `workers` to the block."""
    if callable(workers):
        yield workers
    elif workers == 1 or current_process().daemon:  # a daemonic process may have no children
        yield map
    else:
        from joblib import Parallel, delayed

        with Parallel(workers) as pool:
            yield lambda function, items: pool(delayed(function)(item) for item in items)


def evaluate(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    mapper: Callable[..., Iterable[Any]],
    vectorized: bool,
    resample: bool,
    x: FloatArray,
    generation: int,
) -> FloatArray:
    """Return the values (S,) at x (n, S)."""
    one = partial(_value, fun, args, {"generation": generation} if resample else {})
    found = one(x) if vectorized else list(mapper(one, list(np.ascontiguousarray(x.T))))
    if not vectorized and len(found) != x.shape[1]:
        raise ValueError(f"workers must give one result for each of {x.shape[1]} points; got {len(found)}")
    values = np.array(function_values("fun", found))
    if values.shape != (x.shape[1],):
        wanted = f"{x.shape[1]} numbers for x of shape {x.shape}" if vectorized else "a number"
        raise ValueError(f"fun must return {wanted}; got shape {values.shape[0 if vectorized else 1 :]}")
    return values


def _value(fun: Callable[..., Any], args: tuple[Any, ...], more: dict[str, int], x: FloatArray) -> Any:
    return fun(x, *args, **more)
