"""Training a network: the loss of a task is minimised over the weights by CMA-ES."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import float_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, threads
from ctrnn_theory.training import checkpoint
from ctrnn_theory.training.checkpoint import Writer
from ctrnn_theory.training.cma_es import cma_es
from ctrnn_theory.training.kernels import Weights
from ctrnn_theory.training.layout import weights_of
from ctrnn_theory.training.result import Training as Training
from ctrnn_theory.training.result import read, training_of
from ctrnn_theory.training.search import Search, search_of
from ctrnn_theory.training.settings import Settings
from ctrnn_theory.training.tasks import TASKS, Model, Task
from ctrnn_theory.training.tradeoff import predicted_tradeoff

SEARCH, TRIALS = 0, 2
"""Numbers of the random streams of a run: that of the search, and of the noise of generations."""
STOPPED = 99
"""Status of a search that the callback has ended."""
EVERY, SHARE = 2.0, 20
"""The latest network and the state of the search are kept after so many seconds, or so many times what keeping takes,
whichever is longer."""


class Objective:
    """The function that is minimised: the loss of parameters x, (n,) or (n, S), at the noise of a generation.

    It can be given to any method of ``scipy.optimize.minimize``, which then uses the noise of generation 0 throughout.
    """

    def __init__(self, settings: Settings, workers: Workers = None, search: Search | None = None) -> None:
        self.settings, self.workers = settings, workers
        self.search = search_of(settings) if search is None else search

    @limited
    def __call__(self, x: FloatArray, generation: int = 0) -> Any:
        """Return the loss, a number or (S,)."""
        columns = float_array("x", x)
        losses = self.losses(self.search.weights(columns[:, None] if columns.ndim == 1 else columns), generation)
        return float(losses[0]) if columns.ndim == 1 else losses

    def losses(self, weights: Weights, generation: int = 0) -> FloatArray:
        """Return the losses (S,) of networks with given arrays; those of low rank are taken one at a time."""
        s, key = self.settings, self.settings.stream(TRIALS, generation)
        alone = [Weights(*(array[[one]] for array in weights)) for one in range(len(weights.W))]
        models = [
            Model(s.activation, s.gamma, part, s.noise, s.form) for part in ([weights] if s.method == "cma" else alone)
        ]
        return np.concatenate([s.task.losses(model, key, s.loss, self.workers) for model in models])


@guarded
@limited
def train(
    task: Task | str,
    neurons: int | None = None,
    activation: Any = "relu",
    gamma: float | None = None,
    noise: Noise | None = None,
    *,
    method: str = "cma",
    alpha: float | None = None,
    beta: float | None = None,
    loss: str | None = None,
    evaluations: int | None = None,
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
    """Train a network without gradients.

    With the method "cma", CMA-ES searches all weights (see :class:`~ctrnn_theory.training.layout.Layout`), which suits
    small networks. In a loss by simulation, the networks of a generation have the same noise, and each generation has
    fresh noise.

    With the method "decoders", which takes networks of any size, hidden weights are drawn and decoders are solved by
    least squares under the noise; no trial is simulated for it. The task is to have a latent system, see
    :meth:`ctrnn_theory.training.tasks.Task.latent`: variables x = Dᵀ h that change by g(x, u) in a step. The neurons
    get W_in u + E x + b, which makes the weights W = E Dᵀ, and the decoders minimise::

        ⟨E|Dᵀ h - r|²⟩ + λ |D|²,    r = x + g(x, u)/γ,    λ = 1e-6 tr G/N,    G = ⟨E h hᵀ⟩

    over points (x, u) at which h is stationary. So do those of outputs that are no latent variables, for r = y. (Such
    networks are known from the neural engineering framework; C. Eliasmith and C. H. Anderson, Neural Engineering, MIT
    Press, 2003.)

    With the method "decoders+cma", CMA-ES searches the shape of the drawn weights, at a fixed scale α: the shares of
    the channels, and scale, offset and form of the distributions (see
    :class:`~ctrnn_theory.training.decoders.encoders.Draw`).

    Parameters
    ----------
    task
        A task, or the name of one with its default settings.
    neurons, activation, gamma
        The network: its number N of neurons, 8 by default (1 for the regulator; 256 with solved decoders), its
        activation f, and its γ = Δt/τ, 0.1 by default, or what the task requires.
    noise
        Noise during training; by default it is inside the activation, at 1. Dropout and multiplicative noise regularise
        as they do elsewhere.
    method
        "cma", "decoders" or "decoders+cma".
    alpha, beta
        Scales of drawn weights, where decoders are solved: the root mean square α of the drive W_in u + E x, and the
        largest bias β. They are 1.5 and 2 by default, and 1 and 1 for a bounded activation; α is 0.8 of that in the
        maze. Larger weights make the noise smaller in comparison.
    loss
        How the loss is computed: "simulation"; "closure", which is the expected loss that the Gaussian closure in time
        predicts, for tasks whose inputs are given; "exact" for the regulator. The default is the task's first.
    evaluations
        Largest number of networks to try, in whole generations; 20 000 by default, and 200 with solved decoders.
    popsize
        Number of networks in a generation; 4 + 3 log n for n parameters by default, and 8 with solved decoders.
    step
        Initial standard deviation of the parameters. The method "decoders" has none of these three.
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
        training; a run in a folder can be resumed. The method "decoders" does not call it.
    progress
        Called with (done, total, text) after each generation: how many generations are done, of how many, and the loss.
    form
        Form of the network, "rate" or "voltage".

    Raises
    ------
    ValueError
        If settings do not fit the task or the method, or if `out` holds something else or a damaged run.
    NotApplicable
        If decoders cannot be solved under noise of this kind.
    Divergence
        If the state of the trained network grows without bound.

    Examples
    --------
    >>> found = train("feedforward", neurons=6, noise=Noise(inside=0.3), evaluations=3000)
    >>> found.loss < 0.2                                    # the target has the mean square 1/2
    True
    >>> found = train("function", neurons=64, noise=Noise(inside=0.5), method="decoders")
    >>> found.loss < 0.02
    True
    """
    noise = Noise(inside=1.0) if noise is None else noise
    settings = Settings.of(
        task, neurons, activation, gamma, noise, loss, evaluations, popsize, step, rng, form, method, alpha, beta
    )
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
    search = search_of(settings)  # raises before there is a folder
    with nullcontext() if out is None else checkpoint.opened(out, settings, resume) as writer:
        if writer is not None and writer.finished():
            return read(writer.folder)
        begin, objective = perf_counter(), Objective(settings, workers, search)
        if settings.method == "decoders":
            network, found = _solve(objective, writer, report)
        else:
            found = _search(objective, writer, callback, report)
            network = search.network(found.x)
        result = {"loss": found.fun, "seconds": perf_counter() - begin, "message": found.message}
        if settings.method != "cma":
            model = Model.of(network, settings.noise)
            result |= predicted_tradeoff(settings.task, model, settings.stream(TRIALS, 0))
        if writer is not None and found.status == STOPPED:
            writer.keep(network)
        elif writer is not None:
            writer.finish(network, result)
    if not math.isfinite(found.fun):
        raise Divergence(f"W must keep the state bounded; the loss after {found.nit} generations is {found.fun}")
    return training_of(settings, network, found.history, result)


def _solve(objective: Objective, writer: Writer | None, report: Progress) -> tuple[CTRNN, OptimizeResult]:
    """Solve the decoders, and return the network and its loss, as the only one of the only generation."""
    report(0, 1, "solving decoders")
    network = objective.search.network(objective.search.start()[0])
    losses = objective.losses(weights_of(network))
    if writer is not None and not writer.history:
        writer.add(losses)
    report(1, 1, f"loss {losses[0]:.4g}")
    return network, OptimizeResult(fun=float(losses[0]), nit=1, status=0, history=[losses], message="decoders solved")


def _search(
    objective: Objective,
    writer: Writer | None,
    callback: Callable[[OptimizeResult], object] | None,
    report: Progress,
) -> OptimizeResult:
    """Minimise the loss, starting from where the log of the folder ends."""
    settings, kept = objective.settings, [] if writer is None else writer.history
    again, keeper = kept[-1] if kept else None, None if writer is None else _Keeper(objective.search, writer)

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
    guess, bounds, step = objective.search.start()
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


class _Keeper:
    """Keeps each generation in a folder, and every two seconds a state from which the run can go on.

    That is the state before the last generation, which is evaluated again when the run goes on.
    """

    def __init__(self, search: Search, writer: Writer) -> None:
        self.search, self.writer = search, writer
        self.state: checkpoint.State | None = None
        self.last, self.cost = monotonic(), 0.0

    def keep(self, found: OptimizeResult) -> None:
        if found.nit > len(self.writer.history):
            self.writer.add(found.fitness)
            if self.state is not None or found.nit == 1:
                begin = monotonic()
                network = self.search.network(found.x)
                self.writer.keep(network, self.state)
                self.state, self.last, self.cost = None, monotonic(), monotonic() - begin
        if monotonic() - self.last > max(EVERY, SHARE * self.cost):
            self.state = self.writer.mark(found.state())
