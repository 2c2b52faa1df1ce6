"""The Gaussian closure of many single neurons at once: :mod:`ctrnn_theory.stationary.gaussian_closure`, on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.stationary.closure import NEAR, NEWTON_STEPS, ROUNDING
from ctrnn_theory.stationary.flow import BOUND
from ctrnn_theory.stationary.gaussian_closure import FIRST_TRY, LARGE, PATIENCE
from ctrnn_theory.sweeping.neurons import BoolArray, FloatArray, Neurons

TOLERANCE = 1e-12
LONGEST = 1 << 14  # steps of the map; what has not settled by then is left alone
MOST = 1e150  # beyond, squares are out of range
PASSED = f"W must keep the state bounded; under noise it passes {BOUND:g} from this start"
GROWS = "W must keep the state bounded; under noise it grows on and on, to {:.3g} so far"


@dataclass(frozen=True, eq=False)
class Settled:
    """Means and variances that the closure goes to from rest."""

    mean: FloatArray
    """(P,)."""
    variance: FloatArray
    """(P,)."""
    settled: BoolArray
    """Whether they are surely that, (P,)."""
    runaway: dict[int, str]
    """Neurons whose mean or variance grows without bound, and what there is to say of it."""


@dataclass(frozen=True, eq=False)
class _Response:
    """Moments of f at Gaussian states, (Q,) each."""

    a: FloatArray
    s: FloatArray
    value: FloatArray
    slope: FloatArray
    variance: FloatArray


def _response(n: Neurons, m: FloatArray, V: FloatArray) -> _Response:
    a, s = n.w * m + n.b, np.sqrt(np.maximum(n.inside**2 + n.w**2 * V, 0.0))
    return _Response(a, s, n.f.smoothed(a, s), n.f.smoothed(a, s, 1), n.f.smoothed_variance(a, s))


def _distance(m: FloatArray, V: FloatArray, new_m: FloatArray, new_V: FloatArray) -> FloatArray:
    """Relative distance of two states, (Q,)."""
    scale = np.abs(new_m) + np.sqrt(new_V)
    mean = np.abs(new_m - m) / np.where(scale > 0.0, scale, 1.0)
    total: FloatArray = mean + np.where(new_V > 0.0, np.abs(new_V - V), 0.0) / np.where(new_V > 0.0, new_V, 1.0)
    return total


def settle(neurons: Neurons) -> Settled:
    """Follow the closure from rest, with the jumps of the method for one network, and its signs of growth."""
    m, V = np.zeros(neurons.size), np.zeros(neurons.size)
    residual, settled = np.full(neurons.size, np.inf), np.zeros(neurons.size, bool)
    runaway: dict[int, str] = {}
    scale = np.abs(neurons.b) + np.sqrt(neurons.inside**2 + neurons.outside**2) + abs(neurons.f(0.0)) + 1.0
    sizes: list[FloatArray] = []  # of the state, after each stretch
    least: list[FloatArray] = []  # of the residual, during it
    active, k, steps = np.arange(neurons.size), 0, FIRST_TRY
    while active.size and k < LONGEST:
        if len(sizes) >= 4:
            grows, wanders = _unsettled(neurons[active], m[active], V[active], sizes, least, steps // 2, scale, active)
            runaway |= {int(i): GROWS.format(sizes[-1][i]) for i in active[grows]}
            active = active[~grows & ~wanders]
        least.append(np.full(neurons.size, np.inf))
        passed = _stretch(neurons, active, m, V, residual, least[-1], steps)
        runaway |= dict.fromkeys(passed.tolist(), PASSED)
        active = np.setdiff1d(active, passed)
        sizes.append(np.maximum(np.abs(m), np.sqrt(V)))
        k, steps = k + steps, k + steps
        mean, variance, good = _jump(neurons[active], m[active], V[active])
        done = active[good]
        m[done], V[done], settled[done] = mean[good], variance[good], True
        rest = active[~good & (residual[active] <= TOLERANCE)]  # which is an end as well, unless it is unstable
        n = neurons[rest]
        settled[rest] = np.abs(n.response(_response(n, m[rest], V[rest]).slope)) < 1.0
        active = active[~good & (residual[active] > TOLERANCE)]
    return Settled(m, V, settled, runaway)


def _stretch(
    neurons: Neurons,
    active: NDArray[np.intp],
    m: FloatArray,
    V: FloatArray,
    residual: FloatArray,
    least: FloatArray,
    steps: int,
) -> NDArray[np.intp]:
    """Take steps of the map, in place; those that come to rest stay there. Returns those that pass all bounds."""
    going, passed = active, [active[:0]]
    for _ in range(steps):
        if not going.size:
            break
        n, gamma = neurons[going], neurons.gamma[going]
        at = _response(n, m[going], V[going])
        new_m = (1.0 - gamma) * m[going] + gamma * at.value
        kept = (1.0 - gamma) ** 2 + 2.0 * gamma * (1.0 - gamma) * n.w * at.slope
        new_V = np.maximum(kept * V[going] + gamma**2 * (at.variance + n.outside**2), 0.0)
        within = (np.abs(new_m) < BOUND) & (np.sqrt(new_V) < BOUND)
        passed.append(going[~within])
        going, new_m, new_V, gamma = going[within], new_m[within], new_V[within], gamma[within]
        residual[going] = _distance(m[going], V[going], new_m, new_V) / gamma
        least[going] = np.minimum(least[going], residual[going])
        m[going], V[going] = new_m, new_V
        going = going[residual[going] > TOLERANCE]
    return np.concatenate(passed)


def _unsettled(
    n: Neurons,
    m: FloatArray,
    V: FloatArray,
    sizes: list[FloatArray],
    least: list[FloatArray],
    steps: int,
    scale: FloatArray,
    active: NDArray[np.intp],
) -> tuple[BoolArray, BoolArray]:
    """Whether the state grows, far beyond anything put in or for long; and whether its residual falls no more."""
    last = [size[active] for size in sizes[-4:]]
    ratios = [np.where(a > 0.0, b / np.where(a > 0.0, a, 1.0), 1.0) for a, b in pairwise(last)]
    waited = steps * n.gamma >= PATIENCE
    late = waited | (last[-1] > LARGE * scale[active])
    unstable = np.abs(n.response(_response(n, m, V).slope)) >= 1.0 - 1e-9
    stalled = waited & (ratios[-1] < 1.5) & (least[-1][active] > 0.9 * least[-2][active])
    return unstable & (np.min(ratios, axis=0) > 1.5) & late, stalled


def _settled_variance(n: Neurons, V: FloatArray, at: _Response) -> FloatArray:
    """V = A² V + γ² Q with Q = C - (D w)² V₀ + σ_out² at the present V₀; NaN if A is not stable."""
    A, Q = n.response(at.slope), at.variance - (at.slope * n.w) ** 2 * V + n.outside**2
    stable = np.abs(A) < 1.0
    solved = np.maximum(n.gamma**2 * Q / np.where(stable, 1.0 - A**2, 1.0), 0.0)
    return np.where(stable, solved, np.nan)


def _jump(n: Neurons, start_m: FloatArray, start_V: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Jump to the fixed point by Newton's method where that is surely where the map goes."""
    m, V, good = np.array(start_m), np.array(start_V), np.zeros(n.size, bool)
    if not n.size:
        return m, V, good
    V = _settled_variance(n, V, _response(n, m, V))
    first, last = np.full(n.size, np.inf), np.full(n.size, np.inf)
    going = np.flatnonzero(V < MOST)  # no NaN
    for i in range(1, NEWTON_STEPS + 1):
        if not going.size:
            break
        some, old = n[going], V[going]
        at = _response(some, m[going], old)
        new_V = _settled_variance(some, old, at)
        bend = np.where(at.s > 0.0, some.f.smoothed(at.a, at.s, 2), 0.0)  # ∂F/∂(s²) = F''/2
        move = (at.value - m[going] + 0.5 * bend * some.w**2 * (new_V - old)) / (1.0 - at.slope * some.w)
        new_m, length = m[going] + move, np.abs(move)
        usable = (new_V < MOST) & (np.abs(new_m) < MOST)
        residual = _distance(m[going], old, np.where(usable, new_m, 0.0), np.where(usable, new_V, 0.0))
        if i == 1:
            first[going] = length
        usable &= ~((i == 2) & (length > NEAR * first[going]) & (residual > TOLERANCE))
        ended = usable & ((residual <= TOLERANCE) | ((residual <= ROUNDING) & (residual >= last[going])))
        at_end = going[ended]
        m[at_end], V[at_end] = new_m[ended], new_V[ended]
        good[at_end] = _leads_to(n[at_end], start_m[at_end], start_V[at_end], m[at_end], V[at_end])
        usable &= ~ended
        last[going] = residual
        going = going[usable]
        m[going], V[going] = new_m[usable], new_V[usable]
    return m, V, good


def _leads_to(n: Neurons, start_m: FloatArray, start_V: FloatArray, m: FloatArray, V: FloatArray) -> BoolArray:
    """Whether the map goes from the start to the end along a path on which it is nearly linear."""
    if not n.size:
        return np.zeros(0, bool)
    at = _response(n, m, V)
    A, rate = n.response(at.slope), at.slope * n.w - 1.0
    now = np.sqrt(np.maximum(n.inside**2 + n.w**2 * start_V, 0.0))
    shift = (n.f.smoothed(at.a, now) - at.value) / rate
    good: BoolArray = (np.abs(A) < 1.0) & (np.abs(n.w * shift) <= NEAR * at.s + ROUNDING * np.abs(at.a))
    gap, power, floor = start_m - m, A, ROUNDING * (np.abs(m) + at.s)
    doublings = np.ceil(np.log2(8.0 / n.gamma))
    points = [gap, A * gap]
    for i in range(int(doublings.max())):
        double = power * power
        points += [np.where(i < doublings, gap * factor, 0.0) for factor in (double, double * power)]
        power = double
    largest, error = np.zeros(n.size), np.zeros(n.size)
    for point in points:
        linear = point * rate
        speed = n.f.smoothed((m + point) * n.w + n.b, at.s) - (m + point)
        largest, error = np.maximum(largest, np.abs(linear)), np.maximum(error, np.abs(speed - linear))
    return good & (error <= NEAR * largest + floor)
