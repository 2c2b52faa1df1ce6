"""Escape from the attractors of the noise-free network: mean times and rates, by one of several methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.fixed_points import FixedPoint, fixed_points
from ctrnn_theory.escape.by_simulation import count_passages, find_cores
from ctrnn_theory.escape.by_spectrum import attractors
from ctrnn_theory.escape.first_passage import diffusion_of, first_passage, kramers, wells
from ctrnn_theory.escape.result import EscapeTimes, of_rates
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.exact import MOST_NEURONS
from ctrnn_theory.stationary.metastable import runs_away
from ctrnn_theory.stationary.method import Method, Options, loaded
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.arguments import check_rng, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.registry import Registry
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
NONE_SEEN = 3.0  # -log 0.05: where no event occurs in a time T, the mean time is at least T/3 with 95 % confidence


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
        ψ at the attractors; the rates are those of the chain Ψ Λ Ψ⁻¹ - I. "latent" does so for the latent variables of
        a network of low rank, see :mod:`ctrnn_theory.stationary.latent`, and stands for "exact" if there are more than
        three neurons. "simulation" counts passages between small sets around the attractors. "fokker_planck" (N = 1)
        computes first-passage times of the diffusion approximation, and "kramers" (N = 1) their limit for weak noise.
        Both replace the law of a step by a Gaussian of its variance. Far from equilibrium, where barriers are crossed,
        that is right only for small steps: the error of log(time) falls as γ for noise outside of fixed intensity σ²γ,
        and grows with the barrier for noise inside.
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
        Times, rates and occupation of the basins, which for "latent" are those of the mean step under noise: a network
        that was made under noise may have others without it. ``error`` of "latent" is the estimated error of the times,
        by the grid and by what Edgeworth's correction leaves out. ``converged`` is False if the state leaves basins
        about as fast as it relaxes within them, if too few escapes were seen, if times are uncertain by more than 5 %,
        or if noise carries a single neuron to infinity, which no method counts.

    Raises
    ------
    ValueError
        If the method is unknown, or an option is out of range.
    NotApplicable
        If the method cannot treat this network or noise, or attractors are connected too rarely for double precision,
        which is so beyond some 1e12 steps.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> net = CTRNN.single(w=1.5, b=0.0, activation="tanh", gamma=0.1)
    >>> escape = escape_times(net, Noise(outside=0.5), method="fokker_planck")
    >>> print(escape.time.round(), escape.occupation.round(6))
    [57635. 57635.] [0.5 0.5]
    """
    ESCAPE_METHODS.choose(method)
    check_model(net, noise, u)
    if method == "exact" and net.n > MOST_NEURONS:
        method = "latent"
    leave = loaded(ESCAPE_METHODS[method].escape)
    check_rng(rng)
    threads(workers)
    goal = positive_number("relative_error", relative_error)
    limit, count = positive_integer("max_steps", max_steps), positive_integer("trajectories", trajectories)
    points = attractors(net, noise, u) if method == "latent" else fixed_points(net, u)
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
    return of_rates(net, basins, method, float(net.gammas[0]) * per_tau)


def _no_escape(net: CTRNN, basins: tuple[FixedPoint, ...], method: str, quiet: bool) -> EscapeTimes:
    """Return the result for a network without noise, or with fewer than two basins."""
    count = len(basins)
    share = np.ones(1) if count == 1 else np.full(count, np.nan)
    message = f"{('no', 'one')[count]} stable fixed point: there is nowhere to go" if count < 2 else "there is no noise"
    zero, forever = np.zeros((count, count)), np.full(count, np.inf)
    return EscapeTimes(basins, zero, forever, float(net.gammas.min()), share, method, message=message)


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
    result = of_rates(
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
