"""CMA-ES to 1e-8 in ten dimensions, through SciPy and with bare pycma: ``python -m benchmarks.cma_es``.

The table shows the median and the quartiles of the evaluations over seeds; this package and pycma draw different random
numbers, so that their evaluations agree within the quartiles only. Overhead is the processor time of an evaluation
without that of the function. With `same`, pycma uses the random numbers of this package: the evaluations are then
equal, and the times differ by the cost of SciPy's protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import NamedTuple

import cma
import numpy as np
from scipy.optimize import OptimizeResult, minimize, rosen

from benchmarks.ratios import line, titles
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.cma_es import cma_es

N, SEEDS, SIGMA, TARGET, MOST = 10, 20, 0.5, 1e-8, 100_000
Function = Callable[[FloatArray], float]


class Run(NamedTuple):
    """Result of one search: the lowest value, the evaluations and the seconds."""

    fun: float
    nfev: int
    seconds: float


def ellipsoid(x: FloatArray) -> float:
    """Return a quadratic function with the condition number 1e6."""
    return float(10.0 ** np.linspace(0.0, 6.0, N) @ x**2)


PROBLEMS: dict[str, tuple[Function, FloatArray]] = {
    "Rosenbrock": (rosen, np.zeros(N)),
    "ellipsoid": (ellipsoid, np.ones(N)),
}


def ours(fun: Function, x0: FloatArray, seed: int) -> Run:
    """Search with this package, through SciPy."""

    def after(intermediate_result: OptimizeResult) -> None:
        if intermediate_result.fun < TARGET:
            raise StopIteration

    begin = process_time()
    options = {"sigma0": SIGMA, "rng": seed, "maxfev": MOST}
    found = minimize(fun, x0, method=cma_es, callback=after, options=options)
    return Run(found.fun, found.nfev, process_time() - begin)


def bare(fun: Function, x0: FloatArray, options: dict[str, object]) -> Run:
    """Search with pycma's own loop."""
    begin, best = process_time(), np.inf
    quiet = {"verbose": -9, "verb_log": 0, "signals_filename": "", "maxfevals": MOST}
    es = cma.CMAEvolutionStrategy(x0, SIGMA, quiet | options)
    while not es.stop() and best >= TARGET:
        asked = es.ask()
        fitness = [fun(x) for x in asked]
        es.tell(asked, fitness)
        best = min(best, *fitness)
    return Run(best, es.countevals, process_time() - begin)


def own(fun: Function, x0: FloatArray, seed: int) -> Run:
    """Search with pycma on random numbers of its own seed, which must not be 0."""
    return bare(fun, x0, {"seed": 1 + seed})


def same(fun: Function, x0: FloatArray, seed: int) -> Run:
    """Search with pycma on the random numbers of this package."""
    rng = np.random.default_rng(seed)
    return bare(fun, x0, {"seed": np.nan, "randn": lambda *shape: rng.standard_normal(shape)})


def cost(fun: Function, x0: FloatArray, calls: int = 20_000) -> float:
    """Return the seconds of one call of the function."""
    begin = process_time()
    for _ in range(calls):
        fun(x0)
    return (process_time() - begin) / calls


def main() -> None:
    """Print the table."""
    ways = {"ours": ours, "pycma": own, "pycma, our normals": same}
    print(*titles("problem", "search", "reached", "evaluations", "quartiles", "overhead, µs an evaluation"), sep="\n")
    for problem, (fun, x0) in PROBLEMS.items():
        function = cost(fun, x0)
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for seed in range(SEEDS):  # in turn, so that a slow moment of the machine affects all
            for name, way in ways.items():
                runs[name].append(way(fun, x0, seed))
        for name, done in runs.items():
            reached = [run for run in done if run.fun < TARGET]
            low, middle, high = np.quantile([run.nfev for run in reached], [0.25, 0.5, 0.75])
            over = np.median([run.seconds / run.nfev - function for run in done]) * 1e6
            share = f"{len(reached)} of {SEEDS}"
            print(line(problem, name, share, f"{middle:.0f}", f"{low:.0f} to {high:.0f}", f"{over:.0f}"))


if __name__ == "__main__":
    main()
