"""Escape from the attractors of the noise-free network: mean times and rates, by one of several methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.dynamics.fixed_points import FixedPoint, fixed_points
from ctrnn_theory.escape.by_simulation import count_passages, find_cores, smoothed_centres
from ctrnn_theory.escape.first_passage import diffusion_of, first_passage, kramers, wells
from ctrnn_theory.escape.result import EscapeTimes
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.spectrum import spectrum
from ctrnn_theory.stationary.metastable import runs_away
from ctrnn_theory.stationary.method import Method, Options, loaded
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.arguments import check_rng, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.registry import Registry
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import threads

ESCAPE_METHODS: Registry[Method] = Registry(
    "method",
    [
        *(one for one in METHODS.values() if one.escape is not None),
        Method(
            "kramers",
            "first-passage times of the diffusion approximation, for weak noise",
            None,
            applies="one neuron",
            label="Kramers",
            escape="ctrnn_theory.escape.escape_times:_kramers",
        ),
    ],
)
"""Methods of :func:`escape_times`; Kramers' method has no stationary law, so that it stands here alone."""
ARGUMENTS = 4  # number of arguments (net, noise, u, basins) that a method takes by position
SEPARATED = 5.0  # ratio of escape to relaxation times above which basins are metastable
NONE_SEEN = 3.0  # -log 0.05: where no event occurs in a time T, the mean time is at least T/3 with 95 % confidence
LARGEST_CONDITION = 1e12  # condition number of the eigenfunctions at the attractors, above which no chain is computed
BELOW = 1e-3  # size of a negative rate, in units of the largest rate, above which no chain describes the motion


@guarded
@limited
def escape_times(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    method: str = "exact",
    rng: Any = 0,
    *,
    relative_error: float = 0.05,
    max_steps: int = 1_000_000,
    trajectories: int = 512,
    workers: int | Callable[..., Any] | None = None,
) -> EscapeTimes:
    """Return the mean time after which noise carries the state out of each basin of the noise-free network, and where.

    Parameters
    ----------
    net, noise, u
        See :func:`ctrnn_theory.predict`.
    method
        "exact" (N at most 3) computes the B leading eigenvalues λ of the Markov operator of a step and their functions
        ψ at the attractors; the rates are those of the chain Ψ Λ Ψ⁻¹ - I. "simulation" counts passages between small
        sets around the attractors. "fokker_planck" (N = 1) computes first-passage times of the diffusion approximation,
        and "kramers" (N = 1) their limit for weak noise. Both replace the law of a step by a Gaussian of its variance.
        Far from equilibrium, where barriers are crossed, that is right only for small steps: the error of log(time)
        falls as γ for noise outside of fixed intensity σ²γ, and grows with the barrier for noise inside.
    rng
        Seed of "simulation": an int, a SeedSequence, a Generator, or None for fresh entropy.
    relative_error
        Largest relative standard error of a time at which "simulation" stops.
    max_steps
        Number of steps of each trajectory after which "simulation" stops in any case.
    trajectories
        Number of independent trajectories of "simulation"; it is rounded up to a multiple of 64.
    workers
        Number of threads of "simulation", None for one on each core; or a function like ``map``.

    Returns
    -------
    EscapeTimes
        Times, rates and occupation of the basins. ``converged`` is False if the state leaves basins about as fast as
        it relaxes within them, if too few escapes were seen, or if noise carries a single neuron to infinity, which no
        method counts.

    Raises
    ------
    ValueError
        If the method is unknown, or an option is out of range.
    NotApplicable
        If the method cannot treat this network or noise.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> net = CTRNN.single(w=1.5, b=0.0, activation="tanh", gamma=0.1)
    >>> escape = escape_times(net, Noise(outside=0.5), method="fokker_planck")
    >>> print(escape.time.round(), escape.occupation.round(6))
    [57635. 57635.] [0.5 0.5]
    """
    leave = loaded(ESCAPE_METHODS.choose(method).escape)
    check_model(net, noise, u)
    check_rng(rng)
    threads(workers)
    goal = positive_number("relative_error", relative_error)
    limit, count = positive_integer("max_steps", max_steps), positive_integer("trajectories", trajectories)
    points = fixed_points(net, u)
    basins = tuple(point for point in points if point.stable)
    quiet = noise.is_zero
    if len(basins) < 2 or quiet:
        found = _no_escape(net, basins, method, quiet)
    else:
        options = {"relative_error": goal, "max_steps": limit, "trajectories": count, "rng": rng, "workers": workers}
        found = leave(net, noise, u, basins, **Options.of(leave, ARGUMENTS).chosen(options))
    if reason := runs_away(net, noise, u):
        found = replace(found, converged=False, message=f"the escape to infinity is not counted: {reason}")
    if points.complete:
        return found
    missing = f"the fixed points may not be all: {points.message}"
    return replace(found, message=f"{found.message}; {missing}" if found.message else missing)


def _fokker_planck(net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...]) -> EscapeTimes:
    return _diffusion(net, noise, u, basins, "fokker_planck")


def _kramers(net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...]) -> EscapeTimes:
    return _diffusion(net, noise, u, basins, "kramers")


def _diffusion(
    net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...], method: str
) -> EscapeTimes:
    """Return the rates of the diffusion approximation of one neuron."""
    process = diffusion_of(net, noise, u)
    bottoms, tops = wells(process, np.array([float(point.state[0]) for point in basins]))
    per_tau = (first_passage if method == "fokker_planck" else kramers)(process, bottoms, tops)
    return _result(net, basins, method, float(net.gammas[0]) * per_tau)


def _no_escape(net: CTRNN, basins: tuple[FixedPoint, ...], method: str, quiet: bool) -> EscapeTimes:
    """Return the result for a network without noise, or with fewer than two basins."""
    count = len(basins)
    share = np.ones(1) if count == 1 else np.full(count, np.nan)
    message = f"{('no', 'one')[count]} stable fixed point: there is nowhere to go" if count < 2 else "there is no noise"
    zero, forever = np.zeros((count, count)), np.full(count, np.inf)
    return EscapeTimes(basins, zero, forever, float(net.gammas.min()), share, method, message=message)


def _result(
    net: CTRNN, basins: tuple[FixedPoint, ...], method: str, off_diagonal: FloatArray, **more: Any
) -> EscapeTimes:
    """Return the result that belongs to rates (B, B), whose diagonal is ignored."""
    rates = np.array(off_diagonal)
    np.fill_diagonal(rates, 0.0)
    share = occupation(rates)
    leaving = rates.sum(axis=1)
    np.fill_diagonal(rates, -leaving)
    time = np.where(np.isnan(leaving), np.nan, np.inf)
    np.divide(1.0, leaving, out=time, where=leaving > 0.0)
    more.setdefault("message", "" if np.all(leaving != 0.0) else "the rates are too small for double precision")
    return EscapeTimes(basins, rates, time, float(net.gammas.min()), share, method, **more)


def coarse_rates(eigenvalues: NDArray[np.complex128], values: NDArray[np.complex128]) -> FloatArray:
    """Return the rates per step (B, B), Ψ (Λ - I) Ψ⁻¹, of the chain with eigenvalues (B,) and eigenfunctions (B, B).

    Row a of `values` holds the eigenfunctions at attractor a.

    Examples
    --------
    >>> coarse_rates(np.array([1.0, 0.97]), np.array([[1.0, 2.0], [1.0, -1.0]])).round(6) + 0.0
    array([[-0.02,  0.02],
           [ 0.01, -0.01]])
    """
    rates: FloatArray = np.real(np.linalg.solve(values.T, ((eigenvalues - 1.0) * values).T).T)
    return rates


def occupation(rates: FloatArray) -> FloatArray:
    """Return the stationary shares (B,) of a chain with rates (B, B); NaN if the state never leaves some basin.

    The elimination contains no subtraction (W. K. Grassmann, M. I. Taksar and D. P. Heyman, Operations Research 33,
    1985).

    Examples
    --------
    >>> occupation(np.array([[0.0, 2e-9], [1e-9, 0.0]])).round(6)
    array([0.333333, 0.666667])
    """
    Q = np.array(rates)
    count = len(Q)
    for k in range(count - 1, 0, -1):
        out = Q[k, :k].sum()
        if not out > 0.0:
            return np.full(count, np.nan)
        Q[:k, k] /= out
        Q[:k, :k] += np.outer(Q[:k, k], Q[k, :k])
    share = np.ones(count)
    for k in range(1, count):
        share[k] = share[:k] @ Q[:k, k]
    normalised: FloatArray = share / share.sum()
    return normalised


def _exact(net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...]) -> EscapeTimes:
    """Return the rates that the leading eigenvalues of the Markov operator give."""
    count = len(basins)
    found = spectrum(net, noise, u, count=count + 1)
    points = np.array([point.state for point in basins])
    centres, merged = smoothed_centres(net, noise, net.drive(u), points)
    values = found.functions(centres)[:, :count]
    size = np.abs(found.eigenvalues)
    with np.errstate(divide="ignore"):
        separation = float(np.log(size[count]) / np.log(size[count - 1])) if len(size) > count else math.inf
    rates = np.zeros((count, count))
    message = ""
    if np.linalg.cond(values) < LARGEST_CONDITION:
        rates = coarse_rates(found.eigenvalues[:count], values)
        np.fill_diagonal(rates, 0.0)
    if np.min(rates) < -BELOW * np.max(rates) or not np.any(rates):
        rates = np.full((count, count), np.nan)
        message = "the slowest motion of the state is not between the basins: no chain describes it"
    elif merged:
        message = "noise inside smooths the activation so much that basins merge: the rates are rough"
    elif separation < SEPARATED:
        message = (
            f"noise leaves the basins only {separation:.2g} times more slowly than the state relaxes within them:"
            " the rates are rough"
        )
    return _result(
        net,
        basins,
        "exact",
        np.maximum(rates, 0.0),
        separation=separation,
        converged=not message,
        message=message,
    )


def _simulation(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    basins: tuple[FixedPoint, ...],
    *,
    relative_error: float,
    max_steps: int,
    trajectories: int,
    rng: Any,
    workers: int | Callable[..., Any] | None,
) -> EscapeTimes:
    """Return the rates that simulated passages give, and times with standard errors."""
    cores = find_cores(net, noise, net.drive(u), np.array([point.state for point in basins]))
    enough = 1.0 / relative_error**2
    seen = count_passages(
        net,
        noise,
        net.drive(u),
        cores,
        enough=enough,
        max_steps=max_steps,
        trajectories=trajectories,
        rng=rng,
        workers=workers,
    )
    left = seen.counts.sum(axis=1)
    messages = []
    if np.any(left == 0.0):
        messages.append(
            f"no escape was seen from {np.sum(left == 0.0)} of the basins within {seen.steps} steps of each"
            " trajectory: their time is a lower bound, with 95 % confidence"
        )
    if np.any(left < enough):
        messages.append(f"as few as {left.min():.0f} escapes were seen from a basin: raise max_steps")
    if not cores.clear:
        messages.append("a barrier lies within the usual fluctuations of a basin: its escape is not a rare passage")
    result = _result(
        net,
        basins,
        "simulation",
        seen.counts / np.maximum(seen.time, 1.0)[:, None],
        converged=not messages,
        message="; ".join(messages),
    )
    time = np.where(left > 0.0, result.time, seen.time / NONE_SEEN)
    error = np.full(len(left), np.inf)
    np.divide(time, np.sqrt(left), out=error, where=left > 0.0)
    return replace(result, time=time, standard_error=error)
