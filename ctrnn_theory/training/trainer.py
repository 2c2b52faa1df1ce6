"""Training a network: the loss of a task is minimised over the weights by CMA-ES."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import float_array, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, threads
from ctrnn_theory.training import checkpoint
from ctrnn_theory.training.checkpoint import Writer
from ctrnn_theory.training.cma_es import cma_es
from ctrnn_theory.training.settings import Settings
from ctrnn_theory.training.tasks import TASKS, Model, Task

SEARCH, GUESS, TRIALS = 0, 1, 2
"""Numbers of the random streams of a run: that of the search, of its start, and of the noise of generations."""
STOPPED = 99
"""Status of a search that the callback has ended."""
EVERY, SHARE = 2.0, 20
"""The latest network and the state of the search are kept after so many seconds, or so many times what keeping takes,
whichever is longer."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Training(Drawn, picture="training"):
    """A trained network, and how it was trained."""

    network: CTRNN
    """The mean of the search distribution at the end."""
    task: Task
    """Task that it was trained for."""
    noise: Noise
    """Noise during training."""
    loss: float
    """Loss of the network, on noise that the search has not seen."""
    losses: FloatArray
    """Loss of each network of each generation, (generations, popsize)."""
    evaluations: int
    """Number of networks that were tried."""
    seconds: float
    """Duration of training, since it was last resumed."""
    message: str
    """Why training ended."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Training:
        """Read a run that :func:`train` kept; one that was cut off has its latest network, and a loss of NaN.

        Raises
        ------
        ValueError
            If the folder holds no run, or a damaged one.
        """
        return _read(Folder(folder, checkpoint.KIND))

    def _headline(self) -> str:
        return f"{self.task.name}: {self.network.title}; noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield f"loss {self.loss:.4g} after {self.evaluations} evaluations in {self.seconds:.1f} s ({self.message})"
        count = len(self.losses)
        if count:
            shown = sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})
            rows = [[str(k), f"{self.losses[k].min():.5g}", f"{np.median(self.losses[k]):.5g}"] for k in shown]
            yield Table(("generation", "least loss", "median loss"), rows)

    def _arrays(self) -> Arrays:
        return Arrays({"loss": (("generation", "candidate"), self.losses)}, {})


class Objective:
    """The function that is minimised: the loss of parameters x, (n,) or (n, S), at the noise of a generation.

    It can be given to any method of ``scipy.optimize.minimize``, which then uses the noise of generation 0 throughout.
    """

    def __init__(self, settings: Settings, workers: Workers = None) -> None:
        self.settings, self.layout, self.workers = settings, settings.layout, workers

    @limited
    def __call__(self, x: FloatArray, generation: int = 0) -> Any:
        """Return the loss, a number or (S,)."""
        s, columns = self.settings, float_array("x", x)
        weights = self.layout.weights(columns[:, None] if columns.ndim == 1 else columns)
        model = Model(s.activation, s.gamma, weights, s.noise, s.form)
        losses = s.task.losses(model, s.stream(TRIALS, generation), s.loss, self.workers)
        return float(losses[0]) if columns.ndim == 1 else losses


@guarded
@limited
def train(
    task: Task | str,
    neurons: int | None = None,
    activation: Any = "relu",
    gamma: float | None = None,
    noise: Noise | None = None,
    *,
    loss: str | None = None,
    evaluations: int = 20_000,
    popsize: int | None = None,
    step: float | None = None,
    rng: Any = 0,
    workers: Workers = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Callable[[OptimizeResult], object] | None = None,
    progress: Progress | None = None,
    form: str = "rate",
) -> Training:
    """Train a network by CMA-ES, without gradients.

    All weights are parameters (see :class:`~ctrnn_theory.training.layout.Layout`). In a loss by simulation, the
    networks of a generation have the same noise, and each generation has fresh noise.

    Parameters
    ----------
    task
        A task, or the name of one with its default settings.
    neurons, activation, gamma
        The network: its number N of neurons, 8 by default (1 for the regulator), its activation f, and its γ = Δt/τ,
        0.1 by default, or what the task requires.
    noise
        Noise during training; by default it is inside the activation, at 1. Dropout and multiplicative noise regularise
        as they do elsewhere.
    loss
        How the loss is computed: "simulation"; "closure", which is the expected loss that the Gaussian closure in time
        predicts, for tasks whose inputs are given; "exact" for the regulator. The default is the task's first.
    evaluations
        Largest number of networks to try, in whole generations.
    popsize
        Number of networks in a generation; 4 + 3 log n for n parameters by default.
    step
        Initial standard deviation of the parameters.
    rng
        int, SeedSequence, Generator, or None for fresh entropy.
    workers
        Number of threads, None for one for each core; or a function like ``map`` that makes its calls in this process.
        The result does not depend on it.
    out
        Folder to keep the run in: its settings, its generations, and the latest network.
    resume
        Whether to go on with the run in `out` from where it was cut off. The network is the same, to the last bit, as
        that of a run without a cut. A finished run is returned as it is, or goes on to more `evaluations`; a run begins
        if there is none.
    callback
        Called with SciPy's `intermediate_result` after each generation: x, nit, nfev, fitness. A StopIteration ends
        training; a run in a folder can be resumed.
    progress
        Called with (done, total, text) after each generation: how many generations are done, of how many, and the loss.
    form
        Form of the network, "rate" or "voltage".

    Raises
    ------
    ValueError
        If settings do not fit the task, or if `out` holds something else or a damaged run.
    Divergence
        If the state of the trained network grows without bound.

    Examples
    --------
    >>> found = train("feedforward", neurons=6, noise=Noise(inside=0.3), evaluations=3000)
    >>> found.loss < 0.2                                    # the target has the mean square 1/2
    True
    """
    noise = Noise(inside=1.0) if noise is None else noise
    settings = Settings.of(task, neurons, activation, gamma, noise, loss, evaluations, popsize, step, rng, form)
    if resume and out is None:
        raise ValueError("resume must come with out; got resume alone")
    if resume and rng is None and out is not None:
        kept = Folder(out, checkpoint.KIND)
        settings = settings if kept.record is None else replace(settings, seed=checkpoint.read_settings(kept).seed)
    return run(settings, workers, out, resume, callback, progress)


def run(
    settings: Settings,
    workers: Workers = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Callable[[OptimizeResult], object] | None = None,
    progress: Progress | None = None,
) -> Training:
    """Run a training of these settings, see :func:`train`."""
    threads(workers)  # raises before there is a folder
    report = reporter(progress)
    if out is not None and TASKS.get(settings.task.name) is not type(settings.task):
        raise ValueError(f"task must be in TASKS by its name to be kept in a folder; got {settings.task!r}")
    with nullcontext() if out is None else checkpoint.opened(out, settings, resume) as writer:
        if writer is not None and writer.finished():
            return _read(writer.folder)
        begin = perf_counter()
        found = _search(settings, workers, writer, callback, report)
        network = settings.network(found.x)
        result = {"loss": found.fun, "seconds": perf_counter() - begin, "message": found.message}
        if writer is not None and found.status == STOPPED:
            writer.keep(network)
        elif writer is not None:
            writer.finish(network, result)
    if not math.isfinite(found.fun):
        raise Divergence(f"W must keep the state bounded; the loss after {found.nit} generations is {found.fun}")
    return _training(settings, network, found.history, result)


def _search(
    settings: Settings,
    workers: Workers,
    writer: Writer | None,
    callback: Callable[[OptimizeResult], object] | None,
    report: Progress,
) -> OptimizeResult:
    """Minimise the loss, starting from where the log of the folder ends."""
    objective, kept = Objective(settings, workers), [] if writer is None else writer.history
    again, keeper = kept[-1] if kept else None, None if writer is None else _Keeper(settings, writer)

    def fun(x: FloatArray, generation: int) -> FloatArray:
        losses: FloatArray = objective(x, generation)
        if again is not None and generation == len(history) and not np.array_equal(losses, again, equal_nan=True):
            raise ValueError(
                "out must hold a run that this machine and version repeat bit for bit; its last line differs"
            )
        return losses

    def after(intermediate_result: OptimizeResult) -> None:
        if keeper is not None:
            keeper.keep(intermediate_result)
        report(intermediate_result.nit, settings.generations, f"loss {intermediate_result.fun:.4g}")
        if callback is not None:
            callback(intermediate_result)

    report(max(len(kept) - 1, 0), settings.generations, "")
    history = kept[:-1]  # the last generation is evaluated again, to check that it is reproduced
    guess, bounds, step = _start(settings)
    options = {
        "sigma0": step,
        "popsize": settings.popsize,
        "maxiter": settings.generations,
        "rng": np.random.default_rng(settings.stream(SEARCH)),
        "vectorized": True,
        "resample": True,
        "history": history,
        "state": writer.state() if writer is not None and history else None,
    }
    return minimize(fun, guess, method=cma_es, bounds=bounds, callback=after, options=options)


def _start(settings: Settings) -> tuple[FloatArray, Bounds | None, float | FloatArray]:
    """Return the first mean of the search, its bounds, and its first standard deviation."""
    task, layout = settings.task, settings.layout
    limits = task.bounds(layout)
    if limits is not None:
        low, high = (real_array("bounds of the task", side, (layout.size,)) for side in limits)
    guess = task.guess(layout, np.random.default_rng(settings.stream(GUESS)))
    guess = real_array("guess of the task", guess, (layout.size,))
    return (guess, None, settings.step) if limits is None else (guess, Bounds(low, high), settings.step * (high - low))


class _Keeper:
    """Keeps each generation in a folder, and every two seconds a state from which the run can go on.

    That is the state before the last generation, which is evaluated again when the run goes on.
    """

    def __init__(self, settings: Settings, writer: Writer) -> None:
        self.settings, self.writer = settings, writer
        self.state: checkpoint.State | None = None
        self.last, self.cost = monotonic(), 0.0

    def keep(self, found: OptimizeResult) -> None:
        if found.nit > len(self.writer.history):
            self.writer.add(found.fitness)
            if self.state is not None or found.nit == 1:
                begin = monotonic()
                network = self.settings.network(found.x)
                self.writer.keep(network, self.state)
                self.state, self.last, self.cost = None, monotonic(), monotonic() - begin
        if monotonic() - self.last > max(EVERY, SHARE * self.cost):
            self.state = self.writer.mark(found.state())


def _training(settings: Settings, net: CTRNN, history: list[FloatArray], result: dict[str, Any]) -> Training:
    losses = np.array(history).reshape(len(history), settings.popsize)
    return Training(net, settings.task, settings.noise, evaluations=losses.size, losses=losses, **result)


def _read(folder: Folder) -> Training:
    settings = checkpoint.read_settings(folder)
    history, _, _ = checkpoint.read_log(folder, settings)
    network, found = checkpoint.read_network(folder, settings), checkpoint.read_result(folder)
    cut_off = f"cut off after {len(history)} of {settings.generations} generations"
    result = found or {"loss": math.nan, "seconds": 0.0, "message": cut_off}
    return _training(settings, network, history, result)
