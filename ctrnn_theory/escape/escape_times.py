"""Which basin noise leaves, where to, and when: escape from the attractors of the noise-free network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.dynamics.fixed_points import FixedPoint, fixed_points
from ctrnn_theory.escape.by_simulation import count_passages, find_cores, smoothed_centres
from ctrnn_theory.escape.first_passage import diffusion_of, first_passage, kramers, wells
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.spectrum import spectrum
from ctrnn_theory.support.arguments import check_rng, choice, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import threads

ESCAPE_METHODS = ("exact", "simulation", "fokker_planck", "kramers")
SEPARATED = 5.0  # escape over relaxation times from which basins are metastable
NONE_SEEN = 3.0  # -log 0.05: with 95 % confidence no event in a time T means a mean time of T/3 at least
LARGEST_CONDITION = 1e12  # of the functions at the attractors
BELOW = 1e-3  # of the largest rate: a coarse rate that is more negative than this shows that there is no coarse chain


@guarded
@dataclass(frozen=True, eq=False)
class EscapeTimes:
    """Passages between the B basins of a network under noise, as a Markov chain."""

    basins: tuple[FixedPoint, ...]
    """Stable fixed points of the noise-free network, B of them, sorted by their coordinates."""
    rates: FloatArray
    """Rates per step (B, B) from the basin of the row to that of the column; the diagonal is minus the sum of them."""
    time: FloatArray
    """Mean escape time of each basin in steps, (B,); infinite where noise never leaves it."""
    gamma: float
    """Δt/τ, the length of a step."""
    occupation: FloatArray
    """Share of time that the state spends in each basin in the long run, (B,); NaN where the rates do not tell."""
    method: str
    """One of "exact", "simulation", "fokker_planck", "kramers"."""
    standard_error: FloatArray | None = None
    """Standard error of ``time``, (B,), for "simulation"; otherwise None."""
    separation: float | None = None
    """For "exact": how many times more slowly the basins are left than the state relaxes within them; else None.

    What a rate is, and so the methods among each other, is defined up to a few times one over this.
    """
    converged: bool = True
    """Whether the method reached its tolerance, and basins are left slowly enough to speak of rates."""
    message: str = ""
    """What limits the result; empty when there is nothing to say."""

    @property
    def time_tau(self) -> FloatArray:
        """Mean escape time of each basin in units of τ, (B,)."""
        return self.time * self.gamma


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
    """Mean time that noise takes to leave each basin of the noise-free network, and where it leads.

    Parameters
    ----------
    net
        The network, N neurons.
    noise
        Its noise, standard deviations per step.
    u
        Constant input (K,), or None.
    method
        "exact" (N at most 3): the B leading eigenvalues λ of the step's Markov operator and their functions ψ at the
        attractors give the coarse chain Ψ Λ Ψ⁻¹ - I. "simulation": passages between small sets around the attractors,
        counted. "fokker_planck" (N = 1): first-passage times of the diffusion approximation. "kramers" (N = 1): the
        same for weak noise. The last two replace the law of a step by a Gaussian of its variance; far from
        equilibrium, which is where barriers are crossed, that is right only for small steps: the error of log(time)
        falls as γ for noise outside of fixed intensity σ²γ, and grows with the barrier for noise inside.
    rng
        For "simulation": int, SeedSequence, Generator, or None for fresh entropy.
    relative_error
        For "simulation": run until the standard error of every time is this part of it,
    max_steps
        or each trajectory has taken this many steps.
    trajectories
        For "simulation": independent ones, rounded up to a multiple of 64.
    workers
        For "simulation": threads, None for one a core; or a function like ``map``.

    Returns
    -------
    EscapeTimes
        With ``converged`` False if basins are left about as fast as the state relaxes within them, or too few
        escapes were seen.

    Raises
    ------
    ValueError
        For an unknown method, or an option out of range.
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
    choice("method", method, ESCAPE_METHODS)
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
    elif method == "exact":
        found = _exact(net, noise, u, basins)
    elif method == "simulation":
        found = _simulation(net, noise, u, basins, goal, limit, count, rng, workers)
    else:
        found = _diffusion(net, noise, u, basins, method)
    if points.complete:
        return found
    missing = f"the fixed points may not be all: {points.message}"
    return replace(found, message=f"{found.message}; {missing}" if found.message else missing)


def _diffusion(
    net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...], method: str
) -> EscapeTimes:
    process = diffusion_of(net, noise, u)
    bottoms, tops = wells(process, np.array([float(point.state[0]) for point in basins]))
    per_tau = (first_passage if method == "fokker_planck" else kramers)(process, bottoms, tops)
    return _result(net, basins, method, net.gamma * per_tau)


def _no_escape(net: CTRNN, basins: tuple[FixedPoint, ...], method: str, quiet: bool) -> EscapeTimes:
    count = len(basins)
    share = np.ones(1) if count == 1 else np.full(count, np.nan)
    message = f"{('no', 'one')[count]} stable fixed point: there is nowhere to go" if count < 2 else "there is no noise"
    zero, forever = np.zeros((count, count)), np.full(count, np.inf)
    return EscapeTimes(basins, zero, forever, net.gamma, share, method, message=message)


def _result(
    net: CTRNN, basins: tuple[FixedPoint, ...], method: str, off_diagonal: FloatArray, **more: Any
) -> EscapeTimes:
    """Put rates (B, B), whose diagonal does not count, into the form that all methods share."""
    rates = np.array(off_diagonal)
    np.fill_diagonal(rates, 0.0)
    share = occupation(rates)
    leaving = rates.sum(axis=1)
    np.fill_diagonal(rates, -leaving)
    time = np.where(np.isnan(leaving), np.nan, np.inf)
    np.divide(1.0, leaving, out=time, where=leaving > 0.0)
    more.setdefault("message", "" if np.all(leaving != 0.0) else "the rates are too small for double precision")
    return EscapeTimes(basins, rates, time, net.gamma, share, method, **more)


def coarse_rates(eigenvalues: NDArray[np.complex128], values: NDArray[np.complex128]) -> FloatArray:
    """Rates per step (B, B) of the chain on B basins with eigenvalues (B,), and functions (B, B) there.

    Row a of `values` holds the functions at attractor a. Returned is Ψ (Λ - I) Ψ⁻¹.

    Examples
    --------
    >>> coarse_rates(np.array([1.0, 0.97]), np.array([[1.0, 2.0], [1.0, -1.0]])).round(6) + 0.0
    array([[-0.02,  0.02],
           [ 0.01, -0.01]])
    """
    rates: FloatArray = np.real(np.linalg.solve(values.T, ((eigenvalues - 1.0) * values).T).T)
    return rates


def occupation(rates: FloatArray) -> FloatArray:
    """Stationary shares (B,) of a chain, from its rates (B, B) by elimination without a subtraction.

    W. K. Grassmann, M. I. Taksar and D. P. Heyman, Operations Research 33 (1985). NaN if some basin is never left.

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
    relative_error: float,
    max_steps: int,
    trajectories: int,
    rng: Any,
    workers: int | Callable[..., Any] | None,
) -> EscapeTimes:
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
