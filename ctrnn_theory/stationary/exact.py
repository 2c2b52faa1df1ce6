"""The exact law of up to three neurons: the Poisson equation of the map, solved by collocation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.model.kinds import kinds
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise, Site
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.acceptance import check_accuracy
from ctrnn_theory.stationary.markov.chain import Chain, after_step, chain_on, with_missed
from ctrnn_theory.stationary.markov.operator import POINTS, ChebyshevPanels, Step, gaussian_nodes
from ctrnn_theory.stationary.markov.state_range import (
    END_PANEL,
    choose_reach,
    clip_to_image,
    first_edges,
    guess_range,
    merge,
    require_bounded,
    resolve,
)
from ctrnn_theory.support.arguments import positive_number
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.stationary.markov.joint.chain import JointChain

MOST_NEURONS = 3
TOLERANCES = {1: 1e-10, 2: 1e-8, 3: 1e-6}  # default tolerance, by the number of neurons
ROUGH = 1e-6  # the same for two neurons if f has kinks and one lacks noise inside: less would take minutes
ROUNDS = 30  # largest number of times that the domain is widened or the panels are halved
WIDENINGS = 10  # largest number of times that it is widened: the leak that remains then is rounding
LEAK = 2e-12  # error of the mean by the probability that leaves the domain, in units of its half width
MAX_PANELS = 128
FIRST_DEGREE, LAST_DEGREE = 16, 32  # nodes of a panel in the first round and the most; two are added in each round
STALLED = 3  # rounds in which the error does not fall, after which the search ends
POINT = 1e-12  # relative width of the range of the state, below which the law is a point


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float | None = None,
) -> StationaryLaw:
    """Return stationary mean and covariance of the map of one to three neurons.

    The map is a Markov chain with the operator (P g)(h) = E g(h'). For φ = h and φ = (h - E h)² the Poisson equation
    g - P g = φ - π(φ) is solved for g and the number π(φ) = E φ, by collocation: for one neuron on Chebyshev panels,
    for two and three on a tensor grid, with one polynomial for each axis. No density is needed, so that atoms of the
    law, as relu makes them, do no harm. Between the nodes the equation holds up to a residual r, and the error is
    exactly E r; it is estimated from r with the weights of the law, and panels are halved where it is large. The
    domain is widened until the probability that leaves it is negligible.

    A residual r at the nodes does not show what lies between all of them, such as the bend of f under very strong
    noise. The mean and the variance after one step are therefore compared with the Gaussian smoothing of f, which has
    no part in the solution, and the difference is added to the error.

    Other kinds of noise and of networks of one neuron change the step and nothing else. Coloured sources are further
    components of the state, and two or three neurons under multiplicative noise, in voltage form or of different kinds
    are treated as they are, on one grid of neurons and sources, see :mod:`ctrnn_theory.stationary.markov.joint`. The
    error is then the change from the grid before, and what leaves the box.

    If two neurons have noise outside alone and f has kinks, the chain is taken from before the noise to before the
    next noise, where all functions are smooth. In other cases, a neuron without noise inside is not resolved well if
    f has a kink, and ``converged`` is False.

    Parameters
    ----------
    net
        The network, of one to three neurons.
    noise
        Its noise, standard deviations per step; white additive noise of three neurons that do not differ must be
        independent from neuron to neuron.
    u
        Constant input (K,), or None.
    start
        State from which the network starts, zero by default. It matters if there is no noise, and if noise carries
        the state out of the basin of an attractor less than once in about 1e12 steps (for several neurons, more
        rarely than a tolerance of 1e-8 shows): the law is then that of this basin, and ``details["domain"]`` ends
        within it.
    tolerance
        Largest estimated error of the mean and of the covariance; relative to the state and to its square where
        these are above 1. By default 1e-10 for one neuron, 1e-8 for two (1e-6 if f has kinks and a neuron has no
        noise inside), and 1e-6 for three.

    Returns
    -------
    StationaryLaw
        ``details``: "error", the estimated largest absolute error of mean and covariance (2,); "domain", the interval
        that holds the law, or the box (N, 2); "nodes", the number of nodes; "memory", the number of steps after which
        the state has forgotten where it was; "points" and "weights", a quadrature rule for the expectation of
        functions of the state as smooth as h and h², which :meth:`StationaryLaw.expectation` uses.

    Raises
    ------
    NotApplicable
        For more than three neurons and coloured sources in all, for more than two variates that are coloured or that
        neurons share, for three neurons with correlated white noise alone, without noise if the network settles to no
        fixed point, for an f that grows too fast for a variance or has hundreds of waves within reach of the noise,
        and if the equations do not fit into memory.
    Divergence
        If noise carries the state away for ever, however rarely it does so; for several neurons, if the Gaussian
        closure shows it.

    Examples
    --------
    >>> law = solve(CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1), Noise(inside=0.5))
    >>> print(f"{law.mean[0]:.10f} {law.std[0]:.9f}")
    0.3770394962 0.108885239
    """
    if net.n > MOST_NEURONS:
        raise NotApplicable(f"the exact method is for up to three neurons; the network has {net.n}")
    tolerance = positive_number("tolerance", _tolerance(net, noise) if tolerance is None else tolerance)
    origin = net.start_state(start)
    if noise.is_zero:
        return _point(net, u, origin, 0.0)
    if joint(net, noise):
        from ctrnn_theory.stationary.markov.joint.chain import law_of as law_of_joint  # which imports Numba

        return law_of_joint(*search_joint(net, noise, u, origin, tolerance), tolerance)
    if net.n > 1:
        from ctrnn_theory.stationary.markov.several.chain import law_of_several  # which imports Numba

        return law_of_several(net, noise, u, origin, tolerance)
    found = search_one(net, noise, u, origin, tolerance)
    return found if isinstance(found, StationaryLaw) else law_of(found, tolerance)


def joint(net: CTRNN, noise: Noise) -> bool:
    """Return whether the operator is that of neurons together with their sources."""
    return not noise.is_white or (net.n > 1 and any(kinds(net, noise)))


def search_joint(
    net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, tolerance: float
) -> tuple[JointChain, FloatArray]:
    """Return the chain of neurons together with their sources, and its error (2,).

    Raises
    ------
    NotApplicable
        If neurons and sources are more than three in all, or neurons share more than two variates.
    """
    from ctrnn_theory.stationary.markov.joint.chain import MOST_COMPONENTS, MOST_SHARED, solve_joint
    from ctrnn_theory.stationary.markov.joint.step import JointStep

    step = JointStep.of(net, noise, u)
    if step.size > MOST_COMPONENTS:
        raise NotApplicable(
            "the exact method is for up to three neurons and coloured sources in all; there are"
            f" {step.n} neurons and {step.size - step.n} sources"
        )
    if step.shared > MOST_SHARED:
        raise NotApplicable(
            f"the exact method averages over up to {MOST_SHARED} variates that are coloured or that neurons share;"
            f" there are {step.shared}"
        )
    if net.n == 1:
        require_bounded(net, float(net.drive(u)[0]))
    return solve_joint(step, origin, tolerance)


def one_neuron(net: CTRNN, noise: Noise, u: ArrayLike | None) -> Step:
    """Return the step of a network of one neuron, whose products of random gains are averaged over one of the two.

    Raises
    ------
    NotApplicable
        For a product of two normal gains outside beside noise inside, three nested averages.
    """
    wiring = Wiring.of(net, u)
    own, common, keep = _gain(noise, "outside"), float(noise.common_gain(1)[0]), float(noise.kept(1)[0])
    step = Step(
        net.activations[0],
        float(wiring.read[0, 0]),
        float(wiring.c[0]),
        float(wiring.gamma[0]),
        float(noise.std("inside", 1)[0]),
        float(noise.std("outside", 1)[0]),
        write=float(wiring.write[0, 0]),
        offset=float(wiring.d[0]),
        gain_inside=_gain(noise, "inside"),
        gain_outside=own or common,
        rated=net.form == "voltage",
    )
    factors = [(1.0, 1.0)]
    if own and common:
        if step.noisy_inside:
            raise NotApplicable(
                "the exact method does not take the product of gain_outside and common_gain_outside together with"
                " noise inside, which is an integral over three variates"
            )
        _, zeta, weights = gaussian_nodes(np.empty((1, 0)), step.reach, POINTS)
        factors = [(float(p), 1.0 + common * float(z)) for p, z in zip(weights, zeta, strict=True)]
    if keep < 1.0:
        factors = [*((keep * p, M / keep) for p, M in factors), (1.0 - keep, 0.0)]
    return replace(step, factors=tuple(factors))


def _gain(noise: Noise, site: Site) -> float:
    """Return the standard deviation of the multiplicative noise of one neuron at a site."""
    return float(np.linalg.norm(noise.gain_factor(site, 1)))


def search_one(
    net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, tolerance: float
) -> Chain | StationaryLaw:
    """Return the Markov chain of one neuron, or its law if the state does not move."""
    step = one_neuron(net, noise, u)
    require_bounded(net, float(net.drive(u)[0]))
    f = net.activations[0]
    step = choose_reach(step, f, float(origin[0]))
    low, high = guess_range(step, f, float(origin[0]))
    if high - low <= POINT * max(abs(low), abs(high)):  # f is flat wherever the noise reaches
        return _still(_point(net, u, origin, high - low), step, f)
    return _search(step, f, low, high, tolerance)


def _tolerance(net: CTRNN, noise: Noise) -> float:
    """Return the default tolerance."""
    if not noise.is_white:
        return TOLERANCES[min(net.n + 1, 3)]
    kinked = any(f.breakpoints for f in net.activations)
    bare = net.n == 2 and kinked and not np.all(noise.std("inside", 2))
    return ROUGH if bare else TOLERANCES[net.n]


def _point(net: CTRNN, u: ArrayLike | None, origin: FloatArray, width: float) -> StationaryLaw:
    """Return the law of a state that moves by no more than `width`: the fixed point to which `origin` settles."""
    end = settle(net, u, origin)
    if not end.converged:
        raise NotApplicable("without noise the state settles to no fixed point from this start")
    domain: Any = np.stack([end.state, end.state], axis=1)
    points = end.state[None]
    if net.n == 1:
        domain, points = (float(end.state[0]), float(end.state[0])), end.state
    details = {"error": np.array([width, width**2]), "domain": domain, "nodes": 1, "memory": 0.0}
    details |= {"points": points, "weights": np.ones(1)}
    return StationaryLaw(end.state, np.zeros((net.n, net.n)), "exact", details=details)


def _still(law: StationaryLaw, step: Step, f: Activation) -> StationaryLaw:
    """Return a law that is a point, with the error of leaving out the rare step that moves it and its after-effect."""
    mean, variance = after_step(step, f, law.mean[:, None])
    slope = step.write * float(f.derivative(step.w * law.mean[0] + step.drive))
    felt = 1.0 / max(1.0 - abs(1.0 - step.gamma + step.gamma * step.w * slope), np.finfo(float).eps)
    moved = felt * np.array([abs(float(mean[0, 0] - law.mean[0])), float(variance[0, 0])])
    return replace(law, details={**law.details, "error": law.details["error"] + moved})


def _search(step: Step, f: Activation, low: float, high: float, tolerance: float) -> Chain:
    """Widen the domain and halve panels until the error is below the tolerance, or no longer falls."""
    step, edges = _prepare(step, f, *clip_to_image(step, f, low, high))
    # Without noise inside, g jumps where f does.
    sharp = [k.location for k in f.kinks if k.value_jump and (step.rated or not step.width(np.array(k.location)))]
    discontinuous = sharp if step.w else []
    jumps = (np.array(discontinuous) - step.drive) / step.w if discontinuous else np.empty(0)
    best: Chain | None = None
    stalled = widenings = 0
    for round_ in range(ROUNDS):
        half = 0.5 * (edges[-1] - edges[0])
        chain = chain_on(step, ChebyshevPanels(edges, jumps), min(FIRST_DEGREE + 2 * round_, LAST_DEGREE))
        width = max(np.sqrt(max(chain.variance, 0.0)), 0.03 * half)
        rounding = 20.0 * np.finfo(float).eps * chain.memory  # an error that no number of panels reduces
        goal = np.maximum(tolerance * np.array([width, width**2]), rounding * np.array([half, half**2]))
        tolerable = min(LEAK * half, 0.1 * goal[0], 0.1 * goal[1] / (4.0 * half))
        widened = _widen(step, f, chain, tolerable) if widenings < WIDENINGS else None
        if widened is not None:
            step, edges = widened
            best, widenings = None, widenings + 1
            continue
        excess = np.max(chain.error / goal)
        stalled = stalled + 1 if best is not None and 0.3 * np.max(best.error / goal) < excess < 1e6 else 0
        if best is None or excess < np.max(best.error / goal):
            best = chain
        panels = len(edges) - 1
        coarse = np.max(chain.shares / goal, axis=1) > 0.3 / panels
        coarse[[0, -1]] |= chain.leak > tolerable
        if excess <= 1.0 or stalled == STALLED or panels + np.sum(coarse) > MAX_PANELS:
            break
        edges = merge(np.concatenate([edges, 0.5 * (edges[:-1] + edges[1:])[coarse]]), edges[0], edges[-1])
    return with_missed(chain if best is None else best, f)


def _widen(step: Step, f: Activation, chain: Chain, tolerable: float) -> tuple[Step, FloatArray] | None:
    """Return step and edges for a wider domain, or None if no probability leaves this one.

    A leak that is small compared with the probability in a wide outermost panel may be due to its coarseness.
    """
    edges = chain.panels.edges
    mass = chain.panels.mass(chain.weights)[[0, -1]]
    narrow = np.diff(edges)[[0, -1]] < 0.3 * END_PANEL * (edges[-1] - edges[0])
    clear = narrow | (mass > 1e-3) | (chain.leak > 1e-3 * mass * chain.memory * chain.kick)
    leaking = clear & (chain.leak > tolerable)
    if not leaking.any():
        return None
    half = 0.5 * (edges[-1] - edges[0])
    grow = np.where(leaking, np.where(chain.leak > 1e-5 * half, 1.5, 0.5), 0.0) * half
    low, high = clip_to_image(step, f, edges[0] - grow[0], edges[-1] + grow[1])
    low, high = min(low, edges[0]), max(high, edges[-1])
    if high - low <= 2.001 * half:
        return None
    step, fresh = _prepare(step, f, low, high)
    fresh = fresh[(fresh < edges[0]) | (fresh > edges[-1])]
    return step, merge(np.concatenate([edges, fresh]), low, high)


def _prepare(step: Step, f: Activation, low: float, high: float) -> tuple[Step, FloatArray]:
    """Return the step with the breaks of f over the pre-activations that occur, and the edges of the first panels."""
    ends = sorted((step.w * low + step.drive, step.w * high + step.drive))
    margin = step.reach * float(np.max(step.width(np.array(ends))))
    breaks = resolve(f, ends[0] - margin, ends[1] + margin)
    kinks = np.array([k for k in f.breakpoints if ends[0] - margin < k < ends[1] + margin])
    return replace(step, breaks=breaks), first_edges(step, low, high, breaks, kinks)


def law_of(chain: Chain, tolerance: float) -> StationaryLaw:
    """Put the chain into the form that all methods share."""
    mean, variance = np.array([chain.mean]), max(chain.variance, 0.0)
    converged, message = check_accuracy(
        chain.error, tolerance, mean, np.sqrt([variance]), chain.memory, chain.step.gamma
    )
    details: dict[str, Any] = {
        "error": chain.error,
        "domain": (float(chain.panels.edges[0]), float(chain.panels.edges[-1])),
        "nodes": len(chain.weights),
        "memory": chain.memory,
        "points": chain.panels.nodes,
        "weights": chain.weights,
    }
    rates = np.array([chain.weights @ chain.step.f(chain.panels.nodes)]) if chain.step.rated else None
    return StationaryLaw(mean, np.array([[variance]]), "exact", converged, message, details=details, rates=rates)
