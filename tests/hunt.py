"""Random networks over all parameters that are accepted, and one method at a time on them, under a time limit.

Run a case again as it is printed: ``python -m tests.hunt "Case(...)" exact``.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from ctrnn_theory import CTRNN, Divergence, Noise, NotApplicable, predict
from ctrnn_theory.activations import BUILTIN
from ctrnn_theory.stationary import METHODS

Array = np.ndarray
LIMIT = 5  # seconds of processor time a method may take
FEW = {2: 10, 3: 180}  # the same for grids, by the number of neurons: three may take minutes
GRIDS = {"exact": FEW, "fokker_planck": FEW, "latent": {1: 10, 2: 30, 3: 180}}  # the last one is for many neurons
SLOWED = 20.0  # times as long by the clock, on a machine that does other things
SIMULATED = 1e-3  # γ from which a network is simulated: it takes some hundred time constants 1/γ at the least
OPTIONS: dict[str, dict[str, Any]] = {"simulation": {"trajectories": 128, "workers": 1}}


class Case(NamedTuple):
    """A network and its noise, as what can be printed."""

    activation: str
    W: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    gamma: float
    inside: float
    outside: float

    def solve(self, method: str) -> Any:
        """Law of this network by a method."""
        net = CTRNN(np.array(self.W), np.array(self.b), self.activation, self.gamma)
        return predict(net, Noise(self.inside, self.outside), method=method, **OPTIONS.get(method, {}))


def limit(case: Case, method: str) -> int:
    """Seconds of processor time that a method may take for a case."""
    return GRIDS.get(method, {}).get(len(case.b), LIMIT)


class Outcome(NamedTuple):
    """What a method made of a case: a law, a documented refusal, or a failure."""

    law: dict[str, Any] | None = None
    refusal: str = ""
    failure: str = ""


def draw(rng: np.random.Generator, n: int, wide: bool) -> Case:
    """One network of n neurons: log-uniform over the range that is accepted, or over everyday values; edge values."""

    def size(low: float, high: float) -> float:
        return float(f"{10.0 ** rng.uniform(low, high):.3g}")

    def signed(low: float, high: float) -> float:
        return size(low, high) * float(rng.choice([-1.0, 1.0]))

    weights = (-6, 6) if wide else (-2, 0.7)
    biases, levels, rates = ((-3, 6), (-8, 6), (-6, 0)) if wide else ((-2, 1), (-3, 1), (-2, 0))
    scale = 0.0 if rng.random() < 0.2 else size(*weights) / np.sqrt(n)
    shape = rng.choice([-1.0, 1.0], (n, n)) * rng.uniform(0.2, 1.0, (n, n))
    W = tuple(tuple(float(f"{scale * x:.3g}") for x in row) for row in shape)
    sites = ((1, 0), (0, 1), (1, 1), (0, 0))[rng.choice(4, p=[0.4, 0.3, 0.25, 0.05])]
    inside, outside = (size(*levels) * site for site in sites)
    gamma = 1.0 if rng.random() < 0.1 else size(*rates)
    return Case(str(rng.choice(list(BUILTIN))), W, tuple(signed(*biases) for _ in range(n)), gamma, inside, outside)


def outcome(case: Case, method: str) -> Outcome:
    """Run one method; a warning counts as a failure."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            law = case.solve(method)
    except (NotApplicable, Divergence) as refusal:
        return Outcome(refusal=f"{type(refusal).__name__}: {refusal}")
    except Exception as error:
        return Outcome(failure=f"{type(error).__name__}: {error}")
    kept = {"mean": law.mean, "covariance": law.covariance, "converged": law.converged, "message": law.message}
    errors = {key: law.details[key] for key in ("error", "covariance_standard_error") if key in law.details}
    return Outcome(law=kept | errors | {"standard_error": law.standard_error})


class Worker:
    """A process that runs methods, and is replaced when one of them takes too long."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def run(self, case: Case, method: str) -> Outcome:
        """Outcome of a method, or a failure if it takes more processor time than `limit`."""
        self.pipe.send((case, method))
        try:
            self.pipe.recv()
            if self.pipe.poll(limit(case, method) * SLOWED):
                answer: Outcome = self.pipe.recv()
                return answer
        except (EOFError, ConnectionError):
            pass
        self.close()
        self._start()
        return Outcome(failure=f"took more than {limit(case, method)} s, or ended the process")

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Any) -> None:
    """Answer until the pipe closes; the system ends the process when a method has used up its time."""
    warm: set[str] = set()
    while True:
        try:
            case, method = pipe.recv()
        except EOFError:
            return
        if case.activation not in warm:  # what is compiled has no part in the time
            for n, inside in ((1, 0.1), (2, 0.1), (2, 0.0)):
                small = Case(case.activation, ((-0.25,) * n,) * n, (0.1,) * n, 0.5, inside, 0.1)
                for first in METHODS:
                    outcome(small, first)
            warm.add(case.activation)
        pipe.send("ready")
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + limit(case, method) + 1, hard))
        pipe.send(outcome(case, method))
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


# What must hold --------------------------------------------------------------------------------------------


def range_of(activation: str) -> tuple[float, float]:
    """Closed range of a built-in."""
    lowest = {"identity": -np.inf, "leaky_relu": -np.inf, "gelu": -0.17, "silu": -0.2785}
    lowest |= dict.fromkeys(("elu", "tanh", "hardtanh", "erf", "sin"), -1.0)
    unbounded = ("identity", "leaky_relu", "relu", "relu2", "elu", "gelu", "silu", "softplus")
    return lowest.get(activation, 0.0), np.inf if activation in unbounded else 1.0


def faults(case: Case, method: str, found: Outcome) -> list[str]:
    """What is wrong with one outcome, seen by itself."""
    if found.law is None:
        return [found.failure] if found.failure else []
    mean, V, converged = found.law["mean"], found.law["covariance"], found.law["converged"]
    wrong = []
    if not converged and not found.law["message"]:
        wrong.append("has not converged and does not say why")
    if not np.all(np.isfinite(mean)):
        wrong.append(f"mean {mean}")
    if not np.all(np.isfinite(V)):
        return wrong + [f"covariance {V.tolist()}"] * converged
    size = np.max(np.abs(V))
    if not np.array_equal(V, V.T) or np.linalg.eigvalsh(V)[0] < -1e-12 * size or np.any(np.diag(V) < 0.0):
        wrong.append(f"covariance {V.tolist()} is not symmetric positive semi-definite")
    low, high = range_of(case.activation)
    slack = 1e-9 * (1.0 + np.abs(mean)) + 5.0 * (found.law["standard_error"] if method == "simulation" else 0.0)
    if (
        converged
        and case.outside == 0.0
        and method != "small_noise"
        and np.any((mean < low - slack) | (mean > high + slack))
    ):
        wrong.append(f"mean {mean} outside the range of f")
    return wrong


def true_moments(case: Case) -> tuple[Array, Array] | None:
    """Mean and variance where they are known: without recurrent weights, and for a linear f."""
    W, b, gamma, n = np.array(case.W), np.array(case.b), case.gamma, len(case.b)
    net = CTRNN(W, b, case.activation, gamma)
    if not W.any():
        variance = net.activation.smoothed_variance(b, case.inside) + case.outside**2
        return net.activation.smoothed(b, np.full(n, case.inside)), variance * gamma / (2.0 - gamma)
    A = (1.0 - gamma) * np.eye(n) + gamma * W
    if case.activation != "identity" or np.max(np.abs(np.linalg.eigvals(A))) > 0.999:
        return None
    added = gamma**2 * (case.inside**2 + case.outside**2) * np.eye(n)
    V = np.linalg.solve(np.eye(n * n) - np.kron(A, A), added.ravel()).reshape(n, n)
    return np.linalg.solve(np.eye(n) - W, b), np.diag(V)


def stated(law: dict[str, Any], index: int) -> Any:
    """Error that a law states of its mean (0) or variance (1)."""
    own = float(law["error"][index]) if "error" in law else 0.0
    if law["standard_error"] is not None:
        own = own + 5.0 * (law["standard_error"] if index == 0 else np.diag(law["covariance_standard_error"]))
    return own


def disagreements(case: Case, one: dict[str, Any], mean: Array, variance: Array, other: Any = (0.0, 0.0)) -> list[str]:
    """Where a law differs from others by more than both state, and rounding."""
    wrong = []
    scale = np.max(np.abs(mean) + np.sqrt(variance)) + np.max(np.abs(case.b)) * 1e-3
    bounds = 1e-9 * scale + stated(one, 0) + other[0], 1e-9 * scale**2 + stated(one, 1) + other[1]
    for name, found, true, bound in zip(
        ("mean", "variance"), (one["mean"], np.diag(one["covariance"])), (mean, variance), bounds, strict=True
    ):
        if np.any(np.abs(found - true) > bound):
            wrong.append(f"{name} {found} beside {true}, and at most {bound} is stated")
    return wrong


if __name__ == "__main__":
    print(outcome(eval(sys.argv[1], {"Case": Case}), sys.argv[2]))
