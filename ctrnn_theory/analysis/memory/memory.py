"""How well a network of low rank remembers, against time, at several settings of its noise."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.analysis.memory.closure import closure_course
from ctrnn_theory.analysis.memory.course import Course, noiseless_course
from ctrnn_theory.analysis.memory.density import LADDERS, density_course, reads_latent
from ctrnn_theory.analysis.memory.problem import Problem
from ctrnn_theory.analysis.memory.result import Retention
from ctrnn_theory.analysis.memory.trials import run_trials
from ctrnn_theory.analysis.noise_free import noise_free
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.kinds import noise_kinds
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.support.arguments import check_rng, choice, positive_integer, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, threads

SMOOTHED = "smoothed"
"""Setting of the network with a smoothed activation and without noise."""
METHODS = ("closure", "density")


@guarded
@limited
def memory(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    target: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    steps: int = 1000,
    record_every: int = 1,
    levels: ArrayLike = (1.0, 0.0),
    smoothed: bool = True,
    factors: Any = None,
    method: str | None = None,
    simulate: bool = False,
    trajectories: int = 256,
    rng: Any = 0,
    workers: Workers = None,
) -> Retention:
    """Return the error of what a network of low rank remembers against time, with its noise, without it, and repaired.

    What is read is z = W_out h + b_out, or the latent variables κ = Dᵀ h of a network without a readout. The error has
    a systematic and a random part::

        E|z - target|² = |E z - target|² + tr Cov z

    that come from drift and diffusion of the latent variables, see :func:`ctrnn_theory.latent`. The target is what is
    read at the start, which a line attractor, a ring or a decision ought to keep, or what is given, such as the sum of
    inputs so far. The drift that noise makes is missing once it is switched off: fixed points move, or vanish, and what
    was remembered there is lost. A network with a smoothed activation has this drift without the noise.

    Parameters
    ----------
    net
        Network in rate form whose neurons are alike, with weights of low rank.
    noise
        White noise; inside, neurons have their own.
    u
        Input: None, (K,), (steps, K), or (steps or 1, C, K) for C conditions.
    target
        What ought to be read: None for what is read at the start, (P,), (steps, P) with a row for the end of each step,
        or (steps or 1, C, P).
    start
        Start state (N,) or (C, N), which is known; zero for None. ``ct.latent(...).state(κ)`` gives the states of
        latent variables.
    steps, record_every
        Number of steps, each of length γ, and of steps between recorded times.
    levels
        Levels of the noise, as multiples; 0 is the network without noise.
    smoothed
        Whether to follow the network of :func:`ctrnn_theory.noise_free` too.
    factors
        Encoders and decoders (E, D), see :func:`ctrnn_theory.latent`.
    method
        "closure": the latent variables are taken to be normal at each time (any rank up to N/4, and inputs that change
        in time). "density": from the Markov chain of one or two latent variables, whatever their law, for a constant
        input, if what is read is a function of them. By default "density" where it applies, else "closure".
    simulate
        Whether to simulate the network as well.
    trajectories, rng, workers
        Number of simulated trials of each condition, seed, and threads, see :func:`ctrnn_theory.simulate`.

    Raises
    ------
    NotApplicable
        If the network or its noise is of another kind, the rank is not low, or the method does not apply.
    ValueError
        If shapes do not fit, or an argument is out of range.
    Divergence
        If the state grows without bound.

    Examples
    --------
    A line attractor of linear neurons does not drift, and diffuses by γ² σ² |D|² in each step:

    >>> E, D = np.ones((100, 1)), np.full((100, 1), 0.01)
    >>> net = CTRNN(E @ D.T, 0.0, "identity", 0.1)
    >>> found = memory(net, Noise(inside=0.5), start=np.ones(100), steps=400, record_every=200, factors=(E, D))
    >>> found.squared_error[0].round(6)          # 200 steps add 200 · 0.01 · 0.25 / 100
    array([0.005, 0.01 ])
    >>> found.settings
    ('level 1', 'level 0', 'smoothed')
    """
    check_model(net, noise)
    check_rng(rng)
    threads(workers)
    strengths = real_array("levels", levels, (None,))
    if np.any(strengths < 0.0) or not strengths.size + bool(smoothed):
        raise ValueError(f"levels must be at least one number, none below 0; got {strengths.tolist()}")
    count = positive_integer("trajectories", trajectories)
    problem = Problem.of(net, noise, u, target, start, steps, record_every, factors)
    chosen = _method(net, noise, problem, method)
    given, begin = (problem, strengths, bool(smoothed)), perf_counter()
    with growth(net, noise):
        course = _predicted(net, noise, *given, chosen)
    seconds = perf_counter() - begin
    found = _simulated(net, noise, *given, count, seed_words(rng), workers) if simulate else {}
    return Retention(
        network=net,
        noise=noise,
        settings=(*(f"level {level:g}" for level in strengths), *([SMOOTHED] if smoothed else [])),
        levels=np.append(strengths, [1.0] if smoothed else []),
        factors=problem.factors,
        inputs=np.array(problem.inputs),
        method=chosen,
        time=problem.time(float(net.gammas[0])),
        target=np.array(problem.target),
        **course._asdict(),
        seconds=seconds,
        **found,
    )


def _method(net: CTRNN, noise: Noise, problem: Problem, method: str | None) -> str:
    """Return the method that is asked for, or the one that holds for more laws, if it applies."""
    reasons = {
        "takes one or two latent variables": problem.rank not in LADDERS,
        "takes an input that is constant, and the same in all conditions": problem.constant is None,
        "does not take multiplicative noise outside": "gain_outside" in set(noise_kinds(noise)),
        "takes values that are functions of the latent variables": not reads_latent(problem),
    }
    against = next((reason for reason, holds in reasons.items() if holds), "")
    if method is None:
        return "closure" if against else "density"
    if choice("method", method, METHODS) == "density" and against:
        raise NotApplicable(f"memory by the method density {against}")
    return method


def _predicted(net: CTRNN, noise: Noise, problem: Problem, levels: FloatArray, smoothed: bool, method: str) -> Course:
    """Return the moments at all levels, and of the smoothed network last."""
    noisy = (levels > 0.0) & (not noise.is_zero)
    follow = density_course if method == "density" else closure_course
    parts = [follow(net, noise, problem, levels[noisy])] if noisy.any() else []
    if not noisy.all():
        parts += [noiseless_course(net, Noise(), problem)] * int(np.sum(~noisy))
    if smoothed:
        parts.append(noiseless_course(net, noise, problem))
    places = np.concatenate([np.flatnonzero(noisy), np.flatnonzero(~noisy), [len(levels)] if smoothed else []])
    return Course(*(np.concatenate(arrays)[np.argsort(places)] for arrays in zip(*parts, strict=True)))


def _simulated(
    net: CTRNN,
    noise: Noise,
    problem: Problem,
    levels: FloatArray,
    smoothed: bool,
    count: int,
    key: NDArray[np.uint64],
    workers: Workers,
) -> dict[str, Any]:
    """Return what simulations at all levels give, and that of the smoothed network last, by the names of the result."""
    begin = perf_counter()
    runs = [(net, noise.scaled(float(level))) for level in levels]
    runs += [(noise_free(net, noise), Noise())] if smoothed else []
    measured = [run_trials(*run, problem, count, key, workers) for run in runs]
    systematic, random, squared_error, standard_error = (np.array(values) for values in zip(*measured, strict=True))
    return {
        "simulated_systematic": systematic,
        "simulated_random": random,
        "simulated_squared_error": squared_error,
        "standard_error": standard_error,
        "trajectories": count,
        "simulation_seconds": perf_counter() - begin,
    }
