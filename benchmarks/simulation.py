"""The simulation that all peers do, its timing, and the check of its result.

The work is the network's map with noise inside, or outside for solvers that know no other, with running averages of h
and h² of each trajectory from every `EVERY`-th step. A *peer* is a module of ``benchmarks/peers/`` with

* ``SITE``, the site of its noise,
* ``PACKAGES``, the packages whose versions are shown,
* ``prepare(work)``, which returns the ways of doing the work by name. Each is a function that takes ``work.steps``
  steps from the end of its last call, at first from zero, and returns the averages over them.

Compiling and the decay of the start state are not timed. Each peer runs in a process of its own, on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import product
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.processes import Found, run_apart, tell, versions
from ctrnn_theory.support.types import FloatArray
from tests.reference_cases import REFERENCE_CASES, Case

PEERS = ("numpy", "mkl_random", "numba", "torch", "jax", "diffrax", "torchsde")
OURS = {"inside": "ours", "outside": "ours_outside"}
ACTIVATIONS = ("relu", "tanh", "softplus")
SIZES = {1: 10_240, 2: 10_240, 16: 1_024, 128: 128}
"""Trajectories of networks of each size: multiples of this package's block, so that all peers do the same work."""
STEPS, QUICK_STEPS = 1_000, 250
"""Steps of a call, at least ten times the decay time of the start state."""
EVERY = 5
"""Steps between samples, as in the method `simulation` at γ = 0.1."""
REPEATS, PATIENCE = 5, 2.0
"""Most timed calls of each way, and the seconds after which no further one starts; there are two, or one if slow."""
BOUND = 5.0
"""Largest allowed deviation of a mean, in standard errors."""


class Work(NamedTuple):
    """An ensemble of trajectories to step."""

    activation: str
    W: FloatArray
    """Weights, (N, N)."""
    b: FloatArray
    """Bias vector, (N,)."""
    gamma: float
    sigma: float
    site: str
    """Site of the noise, "inside" or "outside"."""
    trajectories: int
    """Number K of trajectories."""
    steps: int

    @property
    def n(self) -> int:
        """Number N of neurons."""
        return len(self.b)

    @property
    def neuron_steps(self) -> int:
        """Number of neuron-steps, by which a time is divided."""
        return self.n * self.trajectories * self.steps


class Moments(NamedTuple):
    """Averages over time of each trajectory."""

    first: FloatArray
    """Averages of h, (K, N)."""
    second: FloatArray
    """Averages of h², (K, N)."""


class Estimate(NamedTuple):
    """Estimates of E h and E h² of each neuron, one after the other, (2 N,)."""

    value: FloatArray
    error: FloatArray
    """Standard errors."""


def reference_case(activation: str, site: str) -> Case:
    """Return the neuron whose law is known from a solver that is independent of the package."""
    return next(case for case in REFERENCE_CASES if (case.activation, case.site) == (activation, site))


def network(activation: str, site: str, n: int, trajectories: int, steps: int) -> Work:
    """Return one neuron of the reference cases, or a random network."""
    if n == 1:
        case = reference_case(activation, site)
        W, b, gamma, sigma = np.full((1, 1), case.w, float), np.full(1, case.b, float), case.gamma, case.sigma
    else:
        rng = np.random.default_rng(n)
        W, b, gamma, sigma = 0.5 * rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n) / 2, 0.1, 0.5
    return Work(activation, W, b, gamma, sigma, site, trajectories, steps)


def works(site: str, quick: bool) -> list[Work]:
    """Return networks of all sizes and activations; `quick` has a tenth of the trajectories and fewer steps."""
    found = []
    for activation, (n, trajectories) in product(ACTIVATIONS, SIZES.items()):
        if quick:
            trajectories = max(128, trajectories // 10 // 64 * 64)  # enough for a standard error
        found.append(network(activation, site, n, trajectories, QUICK_STEPS if quick else STEPS))
    return found


def estimate(moments: list[Moments]) -> Estimate:
    """Return means over independent trajectories and consecutive parts of a run."""
    values = np.hstack([np.mean(part, axis=0) for part in zip(*moments, strict=True)])  # (K, 2 N)
    return Estimate(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def exact(work: Work) -> Estimate:
    """Return the law of one neuron from the reference cases."""
    case = reference_case(work.activation, work.site)
    return Estimate(np.array([case.mean, case.mean**2 + case.std**2]), np.zeros(2))


def deviation(found: Estimate, truth: Estimate) -> float:
    """Return the largest difference in standard errors; infinite if a value is not finite."""
    off = np.abs(found.value - truth.value) / np.hypot(found.error, truth.error)
    return float(np.nan_to_num(off, nan=np.inf).max())


def measure(work: Work, ways: dict[str, Callable[[], Moments]], quick: bool = False) -> dict[str, Any]:
    """Time each way, and return the fastest: ns a neuron-step, and the extra seconds of its first call."""
    found: list[dict[str, Any]] = []
    for way, advance in ways.items():
        begin = perf_counter()
        advance()  # compiles, and lets the start state decay
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


def judged(work: Work, result: Found, ours: Found) -> Found:
    """Return a result with its ratio to ours, and its deviation from the exact law or from ours in standard errors."""
    found = Estimate(np.array(result["value"]), np.array(result["error"]))
    truth = exact(work) if work.n == 1 else Estimate(np.array(ours["value"]), np.array(ours["error"]))
    off = deviation(found, truth)
    kept = {key: result[key] for key in ("way", "ns", "first_call")}
    return kept | {"ratio": result["ns"] / ours["ns"], "deviation": off, "right": off < BOUND}


def compared(answers: dict[str, Found], quick: bool) -> list[Found]:
    """Return all works with the checked results of all peers."""
    found = []
    for site in sorted({answer["site"] for answer in answers.values()}):
        ours = answers[OURS[site]]["results"]
        for i, work in enumerate(works(site, quick)):
            results = {
                name: judged(work, answer["results"][i], ours[i])
                for name, answer in answers.items()
                if answer["site"] == site
            }
            numbers = {"n": work.n, "trajectories": work.trajectories, "steps": work.steps}
            found.append({"activation": work.activation, "site": site, **numbers, "results": results})
    return found


def one(name: str, quick: bool) -> Found:
    """Run a module of peers/ in this process on all its works."""
    module = import_module(f"benchmarks.peers.{name}")
    results = []
    for i, work in enumerate(works(module.SITE, quick), 1):
        tell(f"{name}, {i} of {len(ACTIVATIONS) * len(SIZES)}")
        results.append(measure(work, module.prepare(work), quick))
    return {"site": module.SITE, "versions": versions(module.PACKAGES), "results": results}


def report(quick: bool, peers: list[str]) -> Found:
    """Measure all installed peers beside this package, in ns a neuron-step."""
    answers: dict[str, Found] = {}
    missing: Found = {}

    def ask(label: str, module: str) -> None:
        tell(label)
        answer = run_apart(f"peers.{module}", quick)
        if "report" in answer:
            answers[label] = answer["report"]
        else:
            missing[label] = answer

    ask("ours_plain", "ours_plain")
    for peer in peers:
        ask(peer, f"with_{peer}")
    for site in sorted({"inside", *(answer["site"] for answer in answers.values())}):
        ask(OURS[site], OURS[site])
        if OURS[site] not in answers:
            raise RuntimeError(f"ours could not be measured: {missing[OURS[site]]}")
    return {
        "peers": {name: {key: answer[key] for key in ("site", "versions")} for name, answer in answers.items()},
        "missing": missing,
        "works": compared(answers, quick),
    }
