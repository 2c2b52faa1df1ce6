"""Mean and covariance of the state in time, by one of several methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.evolution.course import Course, start_moments
from ctrnn_theory.analysis.evolution.result import Evolution
from ctrnn_theory.integrators.ensemble import BOUND, Ensemble
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.integrators.trajectory import drive_rows
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw, symmetric
from ctrnn_theory.stationary.method import Method, Options, loaded
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.arguments import positive_integer
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.memory import shortage
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.registry import Registry
from ctrnn_theory.support.types import FloatArray

COARSE = 0.2
"""Difference between the means on two grids, in standard deviations, above which a density is reported as not
converged. The extrapolation from both leaves a smaller error than this difference."""
ARGUMENTS = 7
"""Number of arguments (net, noise, u, steps, every, start, progress) that a method takes by position."""
COPIES = 3
"""Number of times that the covariances are held in memory at once, as they are collected and made symmetric."""
CHUNK = 2**22
"""Numbers of a simulation that are held in memory at a time, 32 MB; at least one recorded time is held."""


@guarded
@limited
def evolve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    steps: int = 1000,
    method: str = "gaussian_closure",
    record_every: int = 1,
    start: ArrayLike | StationaryLaw | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Evolution:
    """Return mean and covariance of the state in time, along an input.

    "gaussian_closure" iterates :func:`ctrnn_theory.stationary.gaussian_closure.step`, the exact moments of one step
    from a Gaussian state; it has the error of the closure, and no sampling error. "cumulant_closure" follows the third
    cumulants too, see :mod:`ctrnn_theory.stationary.closure.cumulant_step`. "simulation" averages over trajectories of
    the map itself. "fokker_planck" follows the density of up to three neurons in the diffusion approximation. "latent"
    follows that of the latent variables of a network of low rank, of any size, by its Markov chain.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise, whose σ is per step.
    u
        Input: None, constant (K,), or (steps, K) with a row for each step, as for :func:`ctrnn_theory.simulate`.
    steps
        Number of steps of the map, each of length γ = Δt/τ; the smallest γ counts where neurons differ.
    method
        "gaussian_closure", "cumulant_closure", "simulation", "fokker_planck" or "latent".
    record_every
        Number of steps between recorded times.
    start
        Start state (N,), known exactly; zero for None. A stationary law stands for a Gaussian state of its mean and
        covariance; "cumulant_closure" uses the third cumulants of its own law as well, "fokker_planck" the density of
        its own. Sources of coloured noise begin in their stationary law, and independent of the state.
    progress
        Called with (done, total, text) as the law is recorded: how many steps are done, of how many, and no text.
    **options
        Options of the method: ``trajectories`` (4096), ``rng`` (0) and ``workers`` for "simulation", as in
        :func:`ctrnn_theory.simulate`; ``cells`` and ``tolerance`` for "fokker_planck", as in
        :func:`ctrnn_theory.fokker_planck.evolve`; ``tolerance`` for "latent", the largest change of mean and standard
        deviation of the latent variables as the grid is refined, in standard deviations.

    Returns
    -------
    Evolution
        Mean and covariance at T = steps // record_every + 1 times, of which the first is 0. Of a network in voltage
        form, whose state is v, also the mean rates E f(v), for which the closures take v as normal. ``details`` holds,
        for "simulation", "variance_standard_error" (T, N), the standard error of the diagonal of the covariance, and
        "trajectories"; for "fokker_planck", "densities" (T), "error" and "border", see
        :class:`ctrnn_theory.fokker_planck.evolution.DensityPath`; for "latent", "latent_mean" (T, R) and
        "latent_covariance" (T, R, R) of κ = Dᵀ h, with the "decoders" D (N, R), whose columns are orthonormal; the
        "densities" (T) of κ, which are computed when they are read; and the largest errors (R,) of the mean of κ by the
        grid, "error", and by fourth cumulants, "cumulant_error".

    Raises
    ------
    ValueError
        If the method or an option is unknown, a count is not a positive integer, or shapes do not fit. If the
        covariances at the recorded times do not fit into memory.
    NotApplicable
        If the method cannot treat this network; the message gives the reason.
    Divergence
        If the state passes 1e12.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> law = evolve(net, Noise(inside=0.5), steps=100, record_every=50)
    >>> print(law.time, law.mean[:, 0].round(4))       # from zero to the biased state; the fixed point is 0.2
    [ 0.  5. 10.] [0.     0.3639 0.3766]
    """
    follow = loaded(_evolving().choose(method).evolution)
    check_model(net, noise)
    steps, every = positive_integer("steps", steps), positive_integer("record_every", record_every)
    report = reporter(progress)
    Options.of(follow, ARGUMENTS).check(method, options)
    begin, state, times = perf_counter(), start_moments(net, start), steps // every + 1
    if short := shortage(COPIES * 8.0 * times * net.n**2):
        raise ValueError(
            f"record_every must leave no more covariances than fit into memory; got {times} times: {short}"
        )
    report(0, steps, "")
    with growth(net, noise, None, state.mean):
        course = follow(net, noise, u, steps, every, start, report, **options)
    report(steps, steps, "")
    course = course._replace(covariance=symmetric(course.covariance))  # products of matrices are so only up to rounding
    return Evolution(
        time=np.arange(len(course.mean), dtype=np.float64) * every * float(np.min(net.gamma)),
        network=net,
        noise=noise,
        method=method,
        seconds=perf_counter() - begin,
        **course._asdict(),
    )


def _evolving() -> Registry[Method]:
    """Return the methods that follow the law in time."""
    return Registry("method", [one for one in METHODS.values() if one.evolution is not None])


def _simulation(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    steps: int,
    every: int,
    start: ArrayLike | StationaryLaw | None,
    progress: Progress,
    *,
    trajectories: int = 4096,
    rng: Any = 0,
    workers: int | Callable[..., Any] | None = None,
) -> Course:
    count, times = positive_integer("trajectories", trajectories), steps // every
    if count == 1:
        raise ValueError("trajectories must be at least 2 for a covariance; got 1")
    law, starts = start_moments(net, start), None
    if isinstance(start, StationaryLaw):
        rng = np.random.default_rng(seed_words(rng))  # it draws the start states, and then the noise
        values, vectors = np.linalg.eigh(law.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        starts = law.mean + rng.standard_normal((count, net.n)) @ root.T
    ensemble = Ensemble(net, noise, drive_rows(net, u, steps), law.mean, count, rng, workers)
    if starts is not None:
        ensemble.place(starts)
    chunk = max(1, CHUNK // (count * net.n))
    parts = [_sample_moments(ensemble.states[None, :count])]
    rates = [_sample_rates(net, ensemble.states[None, :count])]
    for first in range(0, times, chunk):
        h = ensemble.record(min(chunk, times - first), every, count)
        if not np.all(np.abs(h) < BOUND):  # also for NaN
            raise Divergence(f"W must keep the state bounded; a state passes {BOUND:g} within {ensemble.steps} steps")
        parts.append(_sample_moments(h))
        rates.append(_sample_rates(net, h))
        progress(ensemble.steps, steps, "")
    mean, covariance, error, variance_error = (np.concatenate(each) for each in zip(*parts, strict=True))
    details = {"variance_standard_error": variance_error, "trajectories": count}
    return Course(mean, covariance, error, details=details, rates=None if net.form == "rate" else np.concatenate(rates))


def _sample_moments(h: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return mean, covariance, and standard errors of the mean and of the variance, of states (T, M, N)."""
    M = h.shape[1]
    d = h - h[:, :1]  # exact where all are equal, and without cancellation where the mean is large
    shift = d.mean(axis=1)
    d -= shift[:, None]
    covariance = d.transpose(0, 2, 1) @ d / (M - 1)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    fourth = np.maximum(np.mean(d**4, axis=1) - variance**2, 0.0)
    return h[:, 0] + shift, covariance, np.sqrt(variance / M), np.sqrt(fourth / M)


def _sample_rates(net: CTRNN, h: FloatArray) -> FloatArray:
    """Return the mean rates (T, N) of states (T, M, N)."""
    rates: FloatArray = net.rate(h).mean(axis=1)
    return rates


def _fokker_planck(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    steps: int,
    every: int,
    start: ArrayLike | StationaryLaw | None,
    progress: Progress,
    *,
    cells: int | Sequence[int] | None = None,
    tolerance: float = 1e-4,
) -> Course:
    from ctrnn_theory.analysis.evolution import density

    path = density.evolve(net, noise, u, steps, every, start, cells=cells, tolerance=tolerance)
    details = {"densities": path.densities, "error": path.error, "border": path.border}
    width = float(np.sqrt(np.max(path.covariance)))
    message = ""
    if path.border.max() > density.BORDER:
        message = f"the domain cuts the density off: {path.border.max():.1e} of the probability came to lie at an end"
    elif path.error[0] > COARSE * width:
        message = f"estimated error of the mean by the grid {path.error[0]:.1e}: raise cells"
    rates = None if net.form == "rate" else np.array([one.expectation(net.rate) for one in path.densities])
    return Course(path.mean, path.covariance, None, not message, message, details, rates)
