"""The work that every peer does, how it is timed, and how its result is checked.

The work is the map with noise inside, or outside for solvers that know no other, with running averages of h and h² of
each trajectory from every `EVERY`-th step. A *peer* is a module of ``benchmarks/peers/`` with

* ``SITE``: where it puts the noise,
* ``PACKAGES``: what it is made of, for their versions,
* ``prepare(work)``: the ways of writing it, by name. Each is a function that takes ``work.steps`` steps from where its
  last call ended, at first from rest, and returns the averages over them.

Each runs in a process of its own, on one core, by ``python -m benchmarks.simulation NAME``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.reference_cases import REFERENCE_CASES, Case

FloatArray = NDArray[np.float64]
ROOT = Path(__file__).resolve().parent.parent
ACTIVATIONS = ("relu", "tanh", "softplus")
SIZES = {1: 10_240, 2: 10_240, 16: 1_024, 128: 128}
"""Trajectories of networks of each size: whole blocks of ours, so that no peer does more than another."""
STEPS, QUICK_STEPS = 1_000, 250
"""Of a call; ten times what the start takes to die away, at the least."""
EVERY = 5
"""Steps between samples, what a simulation takes at γ = 0.1."""
REPEATS, PATIENCE = 5, 2.0
"""Timed calls of each way, and the seconds after which no other one starts; two at least, or one of a slow way."""
BOUND = 5.0
"""Standard errors that a mean may be off."""


class Work(NamedTuple):
    """An ensemble to step."""

    activation: str
    W: FloatArray
    """(N, N)."""
    b: FloatArray
    """(N,)."""
    gamma: float
    sigma: float
    site: str
    """"inside" or "outside"."""
    trajectories: int
    """K."""
    steps: int

    @property
    def n(self) -> int:
        """N."""
        return len(self.b)

    @property
    def neuron_steps(self) -> int:
        """What a time is divided by."""
        return self.n * self.trajectories * self.steps


class Moments(NamedTuple):
    """Averages over time."""

    first: FloatArray
    """Of h, (K, N)."""
    second: FloatArray
    """Of h², (K, N)."""


class Estimate(NamedTuple):
    """E h and E h² of each neuron, one after the other, (2 N,)."""

    value: FloatArray
    error: FloatArray
    """Standard error."""


def reference_case(activation: str, site: str) -> Case:
    """Neuron whose law is known from a solver independent of the package."""
    return next(case for case in REFERENCE_CASES if (case.activation, case.site) == (activation, site[:-4]))


def works(site: str, quick: bool) -> list[Work]:
    """One neuron of the reference cases, and random networks; `quick`: a tenth of the trajectories, fewer steps."""
    found = []
    steps = QUICK_STEPS if quick else STEPS
    for activation, (n, trajectories) in product(ACTIVATIONS, SIZES.items()):
        if quick:
            trajectories = max(128, trajectories // 10 // 64 * 64)  # enough for a standard error
        if n == 1:
            case = reference_case(activation, site)
            W, b, gamma, sigma = np.full((1, 1), case.w, float), np.full(1, case.b, float), case.gamma, case.sigma
        else:
            rng = np.random.default_rng(n)
            W, b, gamma, sigma = 0.5 * rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n) / 2, 0.1, 0.5
        found.append(Work(activation, W, b, gamma, sigma, site, trajectories, steps))
    return found


def estimate(moments: list[Moments]) -> Estimate:
    """Means over independent trajectories, from consecutive parts of a run."""
    values = np.hstack([np.mean(part, axis=0) for part in zip(*moments, strict=True)])  # (K, 2 N)
    return Estimate(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def exact(work: Work) -> Estimate:
    """Law of one neuron from the reference cases."""
    case = reference_case(work.activation, work.site)
    return Estimate(np.array([case.mean, case.mean**2 + case.std**2]), np.zeros(2))


def deviation(found: Estimate, truth: Estimate) -> float:
    """Largest difference in standard errors; infinite where a value is not finite."""
    off = np.abs(found.value - truth.value) / np.hypot(found.error, truth.error)
    return float(np.nan_to_num(off, nan=np.inf).max())


def measure(work: Work, ways: dict[str, Callable[[], Moments]], quick: bool = False) -> dict[str, Any]:
    """Time each way, and keep the best one: ns a neuron-step, seconds of the first call beyond a later one's."""
    found: list[dict[str, Any]] = []
    for way, advance in ways.items():
        begin = perf_counter()
        advance()  # compiles, and lets the start die away
        first = perf_counter() - begin
        seconds: list[float] = []
        moments = []
        least = 2 if first < PATIENCE else 1
        while len(seconds) < least or (not quick and len(seconds) < REPEATS and sum(seconds) < PATIENCE):
            begin = perf_counter()
            part = advance()
            seconds.append(perf_counter() - begin)
            moments.append(part)
        value, error = (part.tolist() for part in estimate(moments))
        best = min(seconds)
        found.append(
            {
                "way": way,
                "ns": 1e9 * best / work.neuron_steps,
                "first_call": max(0.0, first - best),
                "value": value,
                "error": error,
            }
        )
    return min(found, key=lambda result: result["ns"])


def run_here(name: str, quick: bool) -> dict[str, Any]:
    """Run a module of peers/ in this process: a peer on all its works, or another measurement."""
    begin = perf_counter()
    module = import_module(f"benchmarks.peers.{name}")
    seconds = perf_counter() - begin
    if hasattr(module, "report"):
        return {"report": module.report(quick)}
    return {
        "site": module.SITE,
        "versions": {package: version(package) for package in module.PACKAGES},
        "import": seconds,
        "results": [measure(work, module.prepare(work), quick) for work in works(module.SITE, quick)],
    }


def run_apart(name: str, quick: bool, threads: int = 1) -> dict[str, Any]:
    """Run it in a process of its own on `threads` cores; "skipped" or "failed" says why there is no result."""
    counts = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
    environment = os.environ | {f"{count}_NUM_THREADS": str(threads) for count in counts}
    environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    environment["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, "-m", "benchmarks.simulation", name, str(int(quick)), str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"failed": lines[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main(name: str, quick: str, threads: str) -> None:
    """Run a module of peers/ on some cores and print what it found as one line of JSON."""
    if hasattr(os, "sched_setaffinity"):  # for libraries that heed no variable; not on macOS or Windows
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(threads) :])
    try:
        found = run_here(name, quick == "1")
    except ModuleNotFoundError as error:
        found = {"skipped": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
