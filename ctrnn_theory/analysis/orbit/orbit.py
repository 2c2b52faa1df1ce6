"""The public function: the orbit of a network that noise sustains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.orbit.law import OrbitLaw
from ctrnn_theory.analysis.orbit.predicted import by_gaussian_closure
from ctrnn_theory.analysis.orbit.regional import by_regional_closure
from ctrnn_theory.analysis.orbit.regions import Regions
from ctrnn_theory.analysis.orbit.result import LABELS, Orbit
from ctrnn_theory.analysis.orbit.rotation import rotation_planes, turning
from ctrnn_theory.analysis.orbit.simulated import Plan, simulated
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import check_rng, integer, positive_integer, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.types import FloatArray, IntArray
from ctrnn_theory.support.workers import Workers, threads

FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Factors of the noise of chosen neurons, by default."""
ORTHONORMAL = 1e-8
"""Largest error of the products of the axes of a plane."""


@guarded
@limited
def orbit(
    net: CTRNN,
    noise: Noise,
    readout: ArrayLike | None = None,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    regions: Callable[[FloatArray], FloatArray] | None = None,
    planes: int | ArrayLike = 3,
    neurons: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    predict: bool = True,
    simulate: bool = True,
    steps: int = 4000,
    burn_in: int | None = None,
    trajectories: int = 256,
    rng: Any = 0,
    workers: Workers = None,
    progress: Progress | None = None,
) -> Orbit:
    """Return how a network turns and dwells under its noise: rotation rates, dwell times and emitted symbols.

    With m and C the stationary mean and covariance and K = E[(h' - m)(h - m)ᵀ] of states one step apart, K - Kᵀ is the
    mean angular momentum per step. The planes are those of its real Schur form. With axes p and q, in each of them::

        rate  = (qᵀ K p - pᵀ K q) / (pᵀ C p + qᵀ C q)
        angle = arg(pᵀ K p + qᵀ K q + i (qᵀ K p - pᵀ K q))

    in radians per step. A linear network that turns by θ and shrinks by r has the rate r sin θ and the angle θ, and a
    network with detailed balance has no rate.

    Region i is where output i is the largest, and symbols are drawn from the softmax of the output. Both are those of
    networks that emulate hidden Markov models (Torre et al., arXiv:2510.25674), which dwell in a region until the noise
    kicks them out. There are up to three laws by name:

    * "gaussian_closure", with K = A C and its linear response A, for laws with one peak.
    * "regional_closure", a Gaussian law in each region, among which a step divides what it moves, for networks that
      dwell in regions.
    * "simulation", with standard errors.

    Without bias vector and input, a network of relu is homogeneous: noise that is multiplied by s multiplies all states
    by s, so that rates and dwell times do not change and s is the inverse temperature of the softmax.

    Parameters
    ----------
    net
        The network, N neurons.
    noise
        Its noise; ``Noise(inside=s * W_ih)`` is normal input of standard deviation s through the weights W_ih (N, K).
    readout
        Output weights (P, N), in place of those of the network, W_out and b_out.
    u, start
        Constant input (K,), and start state (N,) from which closures and trajectories begin; zero by default.
    regions
        Function from states (..., N) to scores (..., P), of which the largest decides on the region, in place of the
        outputs. Symbols are still those of the readout.
    planes
        Largest number of planes, or their axes (Q, 2, N), orthonormal in each plane. Planes are those of the
        simulation, found in a quarter of the trajectories and measured in the others, so that the choice does not bias
        the rates. Without a simulation they are those of the last closure that applies.
    neurons, factors
        Neurons (M,) whose noise inside is multiplied, and the factors (F,), 0, 0.5, 1, 1.5 and 2 by default. The orbit
        at each factor is in `scaled`, in the same planes and with the same variates.
    predict, simulate
        Whether to use the closures, and whether to simulate.
    steps, burn_in, trajectories
        Steps that are measured, steps before (a quarter of them by default), and the least number of trajectories,
        which is rounded up to a multiple of 64. Standard errors are over 32 groups of them.
    rng, workers
        Seed, and number of threads, see :func:`ctrnn_theory.simulate`; the numbers do not depend on the latter.
    progress
        Called with (done, total, text) as steps are taken: how many are done, of how many, and no text.

    Raises
    ------
    NotApplicable
        If no closure applies and there is no simulation.
    Divergence
        If a simulated state grows without bound.
    ValueError
        If shapes do not fit, the axes are not orthonormal, or a factor is negative.

    Examples
    --------
    >>> turn = 0.9 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    >>> found = orbit(CTRNN(turn, 0.0, "x", gamma=1.0), Noise(inside=[1.0, 0.5]), simulate=False)
    >>> law = found.laws["gaussian_closure"]
    >>> print(law.rate.round(6), law.angle.round(6), round(0.9 * np.sin(0.3), 6))
    [0.265968] [0.3] 0.265968
    """
    check_model(net, noise, u, start)
    check_rng(rng)
    threads(workers)
    if readout is not None:
        net = replace(net, W_out=real_array("readout", readout, (None, net.n)), b_out=None, origin=None)
    if regions is not None and not callable(regions):
        raise ValueError(f"regions must be a function of states, or None; got {regions!r}")
    where = Regions(net, regions)
    axes = _axes(planes, net.n)
    chosen, levels = _scaling(neurons, factors, net.n)
    steps = positive_integer("steps", steps)
    before = steps // 4 if burn_in is None else integer("burn_in", burn_in)
    plan = Plan(steps, before, positive_integer("trajectories", trajectories), rng, workers)
    if not (predict or simulate):
        raise ValueError("simulate must be True unless predict is; got False for both")
    report, total = reporter(progress), 1 + len(levels)

    def found(scaled: Noise, planes: FloatArray | int, run: int) -> Orbit:
        def done(steps: int) -> object:
            return report(run * plan.steps + steps, total * plan.steps, "")

        closures = _closures(net, scaled, u, start, where) if predict else {}
        return _orbit(net, scaled, u, start, where, closures, plan if simulate else None, planes, done)

    main = found(noise, axes, 0)
    rest = tuple(found(multiplied(noise, chosen, x, net.n), main.planes, k + 1) for k, x in enumerate(levels.tolist()))
    report(total * plan.steps, total * plan.steps, "")
    return replace(main, neurons=chosen, factors=levels, scaled=rest)


def _orbit(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    start: ArrayLike | None,
    regions: Regions,
    closures: Mapping[str, Callable[[], OrbitLaw]],
    plan: Plan | None,
    planes: FloatArray | int,
    report: Callable[[int], object],
) -> Orbit:
    laws, notes, path = dict[str, OrbitLaw](), list[str](), np.zeros((0, net.n))
    for name, solve in closures.items():
        try:
            laws[name] = solve()
        except (NotApplicable, Divergence) as error:
            notes.append(f"{LABELS[name]}: {error}")
    if plan is not None:
        laws["simulation"], planes, path = simulated(net, noise, u, start, regions, plan, planes, report)
    elif not laws:
        raise NotApplicable("; ".join(notes))
    elif isinstance(planes, int):
        best = list(laws.values())[-1]
        planes = rotation_planes(best.covariance, best.lagged, planes)
    assert not isinstance(planes, int)
    for name, law in laws.items():
        if name != "simulation":
            laws[name] = replace(law, **turning(planes, law.covariance, law.lagged)._asdict())
        if law.message:
            notes.append(f"{LABELS[name]}: {law.message}")
    return Orbit(net, noise, planes, laws, path, "; ".join(notes))


def _closures(
    net: CTRNN, noise: Noise, u: ArrayLike | None, start: ArrayLike | None, regions: Regions
) -> dict[str, Callable[[], OrbitLaw]]:
    """Return the closures that are asked, by name."""
    found: dict[str, Callable[[], OrbitLaw]] = {
        "gaussian_closure": lambda: by_gaussian_closure(net, noise, u, start, regions)
    }
    if regions.linear and regions.count > 1:
        found["regional_closure"] = lambda: by_regional_closure(net, noise, u, start)
    return found


def multiplied(noise: Noise, neurons: IntArray, factor: float, n: int) -> Noise:
    """Return the noise with the additive noise inside of some of n neurons multiplied by a factor.

    Examples
    --------
    >>> multiplied(Noise(inside=0.5), np.array([1]), 2.0, 3)
    Noise: inside [0.5, 1.0, 0.5]
    """
    inside = np.array(noise.inside, dtype=np.float64)
    rows = np.array(np.broadcast_to(inside, (n,))) if inside.ndim == 0 else inside
    rows[neurons] *= factor
    return replace(noise, inside=rows)


def _axes(planes: int | ArrayLike, n: int) -> FloatArray | int:
    """Return the number of planes, or their axes (Q, 2, N)."""
    if isinstance(planes, int | np.integer):
        return positive_integer("planes", planes)
    axes = real_array("planes", planes, (None, 2, n))
    if np.any(np.abs(axes @ np.swapaxes(axes, 1, 2) - np.eye(2)) > ORTHONORMAL):
        raise ValueError("planes must have orthonormal axes (2, N) each; those given are not")
    return axes


def _scaling(neurons: ArrayLike | None, factors: ArrayLike | None, n: int) -> tuple[IntArray, FloatArray]:
    """Return the neurons (M,) and factors (F,), of which there are none without neurons."""
    if neurons is None:
        if factors is not None:
            raise ValueError("factors must come with neurons; got factors alone")
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    given = real_array("neurons", neurons, (None,))
    chosen = given.astype(np.int64)
    if np.any(chosen != given) or np.any((chosen < 0) | (chosen >= n)) or len(set(chosen.tolist())) < len(chosen):
        raise ValueError(f"neurons must be different integers from 0 to {n - 1}; got {given.tolist()}")
    levels = real_array("factors", FACTORS if factors is None else factors, (None,))
    if np.any(levels < 0.0):
        raise ValueError(f"factors must be at least 0; got {levels.min():g}")
    return chosen, levels
