"""CMA-ES as a method of ``scipy.optimize.minimize``, around pycma, the reference implementation.

The method is that of N. Hansen, *The CMA evolution strategy: a tutorial*, arXiv:1604.00772. This module adds SciPy's
protocol, its generators (SPEC 7; pycma would seed and use NumPy's global one), common random numbers, and going on from
a log.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, OptimizeResult

from ctrnn_theory.support.arguments import check_rng, float_array, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import one_thread
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training import search_state
from ctrnn_theory.training.evaluation import evaluate, mapped
from ctrnn_theory.training.space import Space

GENERATIONS = "generations"
"""Name of the array in a state that holds the number of generations after which it was taken."""


def cma_es(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    *,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = (),
    bounds: Bounds | Sequence[tuple[float | None, float | None]] | None = None,
    callback: Callable[..., Any] | None = None,
    sigma0: ArrayLike | None = None,
    popsize: int | None = None,
    maxiter: int | None = None,
    maxfev: int | None = None,
    tol: float | None = None,
    tolfun: float | None = None,
    tolx: float | None = None,
    rng: Any = None,
    workers: int | Callable[..., Iterable[Any]] = 1,
    vectorized: bool = False,
    resample: bool = False,
    history: Sequence[ArrayLike] = (),
    state: Mapping[str, NDArray[Any]] | None = None,
) -> OptimizeResult:
    """Minimise a function, noisy or not, without its gradient: a `method` for ``scipy.optimize.minimize``.

    Parameters
    ----------
    fun
        The function, ``fun(x, *args)`` of x (n,). NaN counts as the worst value.
    x0
        Initial mean of the search distribution, (n,).
    args
        Further arguments of `fun`.
    bounds
        Pairs (least, greatest), in which None means no bound, or a ``scipy.optimize.Bounds``; a coordinate whose bounds
        are equal is fixed.
    callback
        Called after each generation, like SciPy's callbacks: with the keyword `intermediate_result` if that is its
        only parameter, else with x. The OptimizeResult has x, fun, nit, nfev, `fitness` (popsize,), `sigma`, the step
        size, `stds` (n,), `history`, and `state`, a function that returns arrays from which the search can go on; with
        `resample`, fun is the median of the generation. It is not called for generations of an earlier search. A
        StopIteration ends the search.
    sigma0
        Initial standard deviation, a number or (n,); 0.3 by default, or a quarter of the distance of the bounds.
    popsize
        Number of candidates in a generation, at least 2; 4 + 3 log n by default.
    maxiter, maxfev
        Largest numbers of generations and of evaluations; the defaults are pycma's, which grow with n².
    tol, tolfun, tolx
        The search ends when fun changes by less than `tolfun` between generations and within one, or all of x by less
        than `tolx`; both are `tol` by default, or pycma's 1e-11 without it. They cannot be combined with `resample`.
    rng
        int, SeedSequence, Generator, or None (SPEC 7). NumPy's global generator is neither used nor seeded.
    workers
        Number of processes that evaluate the candidates of a generation, -1 for one for each core, as in SciPy; or a
        function like ``map``, such as that of a pool of threads for a `fun` that runs without Python's lock.
    vectorized
        Whether `fun` takes a whole generation, x (n, popsize), and returns (popsize,).
    resample
        Whether `fun` samples. It is then called with the keyword `generation`, 0, 1, ..., from which it must derive its
        random numbers, so that the candidates of a generation are compared on the same numbers, and no two generations
        use the same. The result is then the mean of the distribution and not the best sample, which was partly luck;
        `fun` is its value at a generation that is not used otherwise.
    history
        Values (popsize,) of the first generations of an earlier search with the same settings. The search goes on from
        there, bit for bit, and does not evaluate them again.
    state
        What `state()` returned after some of these generations, in a search with the same settings and version of
        pycma. These generations are then not repeated, so that going on takes no time.

    Returns
    -------
    scipy.optimize.OptimizeResult
        The fields are x, fun, nfev, nit, success, status, message; `sigma`, the last step size, `stds` (n,), the last
        standard deviations, and `history`, the values of all generations. The status is 0 if a tolerance was reached,
        1 for a limit, 2 for another reason of pycma, which the message names, and 99 if the callback ended the search.

    Raises
    ------
    ValueError
        If jac, hess, hessp or constraints are given, or an option breaks its rule.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen
    >>> found = minimize(rosen, [0.0, 0.0], method=cma_es, options={"rng": 0})
    >>> found.x.round(6), found.success
    (array([1., 1.]), True)
    """
    for name, value in (("jac", jac), ("hess", hess), ("hessp", hessp)):
        if value is not None:
            raise ValueError(f"{name} must not be given to cma_es, which uses no derivatives; got {value!r}")
    if constraints is not None and np.size(constraints):
        raise ValueError(f"constraints must not be given to cma_es, which supports only bounds; got {constraints!r}")
    check_rng(rng)
    if not callable(workers) and not (type(workers) is int and workers == -1):
        positive_integer("workers", workers)
    if vectorized and workers != 1:
        raise ValueError(f"workers must be 1 for a vectorized function; got {workers!r}")
    space = Space.of(x0, bounds, sigma0)
    options = _options(popsize, maxiter, maxfev, resample)
    options |= _tolerances(resample, tol=tol, tolfun=tolfun, tolx=tolx)
    with mapped(workers) as mapper:
        values_at = partial(evaluate, fun, args, mapper, vectorized, resample)
        if space.free.size == 0:
            return _fixed(values_at, space)
        return _Search(values_at, space, rng, options, resample).run(history, callback, state)


def _options(popsize: int | None, maxiter: int | None, maxfev: int | None, resample: bool) -> dict[str, Any]:
    """Return the limits under pycma's names."""
    options: dict[str, Any] = {}
    for name, option, limit in (
        ("popsize", "popsize", popsize),
        ("maxiter", "maxiter", maxiter),
        ("maxfev", "maxfevals", maxfev),
    ):
        if limit is not None:
            options[option] = positive_integer(name, limit)
    if popsize == 1:
        raise ValueError("popsize must be at least 2; got 1")
    if resample:  # differences that remain are noise of the samples, and no sign of convergence
        options |= {"tolfun": 0, "tolfunhist": 0, "tolx": 0, "tolstagnation": np.inf, "tolflatfitness": np.inf}
    return options


def _tolerances(resample: bool, **given: float | None) -> dict[str, float]:
    """Return the tolerances that are given under pycma's names."""
    size = {name: positive_number(name, value) for name, value in given.items() if value is not None}
    if resample and size:
        name, value = next(iter(size.items()))
        raise ValueError(
            f"{name} must not be given with resample, where maxiter or maxfev ends the search; got {value}"
        )
    both = {"tolfun": size["tol"], "tolx": size["tol"]} if "tol" in size else {}
    options = both | {name: value for name, value in size.items() if name != "tol"}
    return options | ({"tolfunhist": options["tolfun"]} if "tolfun" in options else {})


def _fixed(evaluate: Callable[[FloatArray, int], FloatArray], space: Space) -> OptimizeResult:
    """Return the result if the bounds fix all coordinates."""
    value, none = float(evaluate(space.base[:, None], 0)[0]), np.zeros(space.base.size)
    ended = {"success": True, "status": 0, "message": "all coordinates are fixed by their bounds"}
    return OptimizeResult(x=space.base.copy(), fun=value, nfev=1, nit=0, sigma=0.0, stds=none, history=[], **ended)


class _Search:
    """One search: pycma's strategy, and the values of the generations that it has seen."""

    def __init__(
        self,
        evaluate: Callable[[FloatArray, int], FloatArray],
        space: Space,
        rng: Any,
        options: dict[str, Any],
        resample: bool,
    ) -> None:
        self.evaluate, self.space, self.resample = evaluate, space, resample
        self.history: list[FloatArray] = []
        self.best, self.nfev = np.inf, 0
        self.rng = np.random.default_rng(rng)
        self.es = space.strategy(self.rng, options)
        self.most = options.get("maxfevals", np.inf) - resample  # the value of the mean takes one evaluation
        if self.most < self.es.popsize:
            least = self.es.popsize + resample
            raise ValueError(f"maxfev must be at least {least}, for one generation; got {options['maxfevals']}")

    def run(
        self,
        history: Sequence[ArrayLike],
        callback: Callable[..., Any] | None,
        state: Mapping[str, NDArray[Any]] | None,
    ) -> OptimizeResult:
        known, status, message = [float_array("history", values) for values in history], -1, ""
        if state is not None:
            self._restore(state, known)
        while not self.es.stop() and self.nfev + self.es.popsize <= self.most:
            with one_thread(self.space.base.size):
                asked = self.es.ask()
            if len(self.history) < len(known):
                fitness, replayed = known[len(self.history)], True
                if fitness.shape != (len(asked),):
                    raise ValueError(f"history must hold {len(asked)} values a generation; got shape {fitness.shape}")
            else:
                fitness, replayed = self.evaluate(self.space.points(asked), len(self.history)), False
            values = np.where(np.isnan(fitness), np.inf, fitness)
            with one_thread(self.space.base.size):
                self.es.tell(asked, values.tolist())
            self.history.append(fitness)
            self.best, self.nfev = min(self.best, float(values.min())), self.nfev + values.size
            if callback is not None and not replayed:
                try:
                    self._call(callback, fitness)
                except StopIteration:
                    status, message = 99, "the callback ended the search"
                    break
        if status < 0:
            status, message = self._end()
        result = self._state()
        if self.resample:
            result["fun"] = float(self.evaluate(result["x"][:, None], len(self.history))[0])
            result["nfev"] += 1
        return OptimizeResult(**result, success=status == 0, status=status, message=message)

    def _state(self) -> dict[str, Any]:
        es = self.es.result
        x = es.xfavorite if self.resample or es.xbest is None else es.xbest
        return {
            "x": self.space.points([x])[:, 0],
            "fun": self.best,
            "nit": len(self.history),
            "nfev": self.nfev,
            "sigma": float(self.es.sigma),
            "stds": self.space.deviations(es.stds),
            "history": list(self.history),
        }

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return arrays from which the search can go on."""
        counts = {GENERATIONS: np.array(len(self.history)), "nfev": np.array(self.nfev), "best": np.array(self.best)}
        return counts | search_state.snapshot(self.es, self.rng)

    def _restore(self, state: Mapping[str, NDArray[Any]], known: list[FloatArray]) -> None:
        count = int(state[GENERATIONS])
        if count > len(known):
            raise ValueError(f"history must hold the generations of state, {count}; got {len(known)}")
        with one_thread(self.space.base.size):
            search_state.restore(self.es, self.rng, state)
        self.history, self.nfev, self.best = known[:count], int(state["nfev"]), float(state["best"])

    def _call(self, callback: Callable[..., Any], fitness: FloatArray) -> None:
        state = self._state() | {"state": self.snapshot}
        if self.resample:
            state["fun"] = float(np.median(fitness))
        if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
            callback(intermediate_result=OptimizeResult(**state, fitness=fitness))
        else:
            callback(state["x"])

    def _end(self) -> tuple[int, str]:
        reasons = dict(self.es.stop())
        if not reasons or {"maxiter", "maxfevals"} & set(reasons):
            return 1, "the largest number of generations or evaluations is reached"
        if {"tolfun", "tolfunhist", "tolx"} & set(reasons):
            return 0, "converged: " + ", ".join(sorted(reasons))
        return 2, "pycma stopped: " + ", ".join(sorted(reasons))
