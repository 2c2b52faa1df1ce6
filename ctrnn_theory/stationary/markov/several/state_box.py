"""The box that holds the stationary law of two or three noisy neurons: a first guess of it, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ctrnn_theory.dynamics.fixed_points import FixedPoint, fixed_points
from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.closure_map import ROUNDING
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.settle import settle
from ctrnn_theory.stationary.markov.operator import Step
from ctrnn_theory.stationary.markov.several.operator import NetworkStep
from ctrnn_theory.stationary.markov.state_range import choose_reach, image, resolve
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST_STRIDES = 256  # strides by which the Gaussian closure is followed to its end
CLEAR = 1e-5  # leak beyond which a slightly wider box is not enough
WIDTHS = 7.0  # standard deviations on each side of the first guess of the box
PATH_WIDTHS = 3.0  # the same, where the standard deviations are those of a whole path
FLAT = 1e-9  # half width, relative to the state, given to a state that does not move


@dataclass(frozen=True, eq=False)
class Landscape:
    """The fixed points of the noise-free network, and the box of the noisy states if they visit all attractors."""

    points: FloatArray
    """All fixed points, (K, N)."""
    low: FloatArray
    """Lower corner (N,) of a box about the stable ones; +inf without any."""
    high: FloatArray
    """Upper corner (N,) of it; -inf without any."""

    def held(self, low: FloatArray, high: FloatArray) -> int:
        """Return the number of fixed points in a box."""
        return int(np.sum(np.all((low <= self.points) & (self.points <= high), axis=1)))


def first_box(
    net: CTRNN, noise: Noise, start: FloatArray, step: NetworkStep
) -> tuple[NetworkStep, Landscape, FloatArray, FloatArray]:
    """Return the step with the reach that f needs, the fixed points, and the corners (N,) of a first box.

    The box is that of the Gaussian closure followed from `start`, or of the average over its path if it does not
    settle. If several fixed points lie in it, it is that of small fluctuations about the stable ones. It need not be
    exact, since the solver widens it until no probability leaves it.
    """
    state, widths = _settled(GaussianClosure.of(net, noise), step.drive, start)
    step = replace(step, reach=_reach(step, state.mean))
    low, high = _box(step, [state], widths)
    fixed = fixed_points(replace(net, b=step.drive))
    small = [Moments(point.state, _linear(step, point)) for point in fixed if point.stable]
    corners = _box(step, small) if small else (np.full(net.n, np.inf), np.full(net.n, -np.inf))
    landscape = Landscape(np.reshape([point.state for point in fixed], (-1, net.n)), *corners)
    if small and landscape.held(low, high) > 1:
        low, high = corners
    return step, landscape, *clip(step, low, high)


def _linear(step: NetworkStep, point: FixedPoint) -> FloatArray:
    """Return the covariance (N, N) of the linear response to the noise about a stable fixed point."""
    slope = step.f.derivative(point.preactivation)
    V = linear_covariance(step.W, slope, step.gamma, slope[:, None] * step.inside * slope + step.outside)
    return np.zeros_like(step.W) if V is None else V


def _reach(step: NetworkStep, m: FloatArray) -> float:
    """Return the largest standard normal variate that matters for any neuron at a state (N,)."""
    return max(choose_reach(neuron, step.f, float(h)).reach for neuron, h in zip(_neurons(step, m), m, strict=True))


def _box(step: NetworkStep, states: list[Moments], widths: float = WIDTHS) -> tuple[FloatArray, FloatArray]:
    """Return the corners (N,) of a box that holds Gaussian states and where the rarest step leads from their means.

    The rarest step matters for a law that is a point but for rare events.
    """
    xi = np.linspace(-step.reach, step.reach, 33)
    corners = []
    for state in states:
        reach = widths * np.sqrt(np.diag(state.covariance))
        kick = step.reach * step.gamma * np.sqrt(np.diag(step.outside))
        inside = np.sqrt(np.diag(step.inside))
        a = step.W @ state.mean + step.drive
        reached = (1.0 - step.gamma) * state.mean + step.gamma * step.f(a + inside * xi[:, None])
        corners += [state.mean - reach, state.mean + reach, reached.min(axis=0) - kick, reached.max(axis=0) + kick]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def widen(
    step: NetworkStep, landscape: Landscape, low: FloatArray, high: FloatArray, leak: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the corners (N,) of a box that is wider where probability leaks, (N, 2), but no wider than needed.

    A box that comes to hold one more fixed point has a way out to other attractors, and is widened to hold them all.
    """
    grow = np.where(leak > 0.0, np.where(leak > CLEAR, 1.0, 0.3), 0.0) * 0.5 * (high - low)[:, None]
    wide = low - grow[:, 0], high + grow[:, 1]
    if landscape.held(*wide) > landscape.held(low, high):
        wide = np.minimum(wide[0], landscape.low), np.maximum(wide[1], landscape.high)
    wide = clip(step, *wide)
    return np.minimum(wide[0], low), np.maximum(wide[1], high)


def _settled(closure: GaussianClosure, drive: FloatArray, start: FloatArray) -> tuple[Moments, float]:
    """Return the state that the closure settles to, or the average over the end of its path, and the box's widths."""
    end = settle(closure.driven_by(drive[None]), Moments.point(start[None]), ROUNDING, MOST_STRIDES)
    if end.growing:
        raise Divergence(end.growing[0])
    state = end.state[0]
    if not np.all(np.isfinite(state.mean)):
        raise NotApplicable(f"{closure.f.name} grows too fast: no range of the state is found from this start")
    return state, WIDTHS if end.settled[0] else PATH_WIDTHS


def _neurons(step: NetworkStep, m: FloatArray) -> list[Step]:
    """Return each neuron by itself, with its pre-activation fixed at that of the state m (N,)."""
    a = step.W @ m + step.drive
    inside, outside = np.sqrt(np.diag(step.inside)), np.sqrt(np.diag(step.outside))
    return [Step(step.f, 0.0, float(a[i]), step.gamma, float(inside[i]), float(outside[i])) for i in range(len(m))]


def clip(step: NetworkStep, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Intersect a box with what a law on it can reach, given the least and the largest value of f there.

    If f is at most c, a state lies below that of x' = (1-γ) x + γ (c + σ_out η) with the same noise, whose law is
    Gaussian of mean c and variance γ σ_out² / (2-γ). A side without width is made a little wider.
    """
    bottom, top = preactivations(step, low, high)
    least, most = np.transpose([image(step.f, a, b) for a, b in zip(bottom, top, strict=True)])
    std = np.sqrt(step.gamma / (2.0 - step.gamma) * np.diag(step.outside))
    slack = np.maximum(step.reach * std, 0.05 * (most - least))
    clipped = np.maximum(low, least - slack), np.minimum(high, most + slack)
    apart = clipped[0] <= clipped[1]
    low = np.where(apart, clipped[0], np.minimum(low, least - slack))
    high = np.where(apart, clipped[1], np.maximum(high, most + slack))
    width = FLAT * (1.0 + np.maximum(np.abs(low), np.abs(high)))
    thin = high - low < 2.0 * width
    return np.where(thin, low - width, low), np.where(thin, high + width, high)


def preactivations(step: NetworkStep, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least and the largest pre-activations that occur for states of a box, (N,) and (N,)."""
    center = step.W @ (0.5 * (low + high)) + step.drive
    half = np.abs(step.W) @ (0.5 * (high - low)) + step.reach * np.sqrt(np.diag(step.inside))
    return center - half, center + half


def with_breaks(step: NetworkStep, low: FloatArray, high: FloatArray) -> NetworkStep:
    """Return the step with the breaks of f over the pre-activations that occur for states of a box."""
    bottom, top = preactivations(step, low, high)
    ranges = zip(bottom, top, strict=True)
    return replace(step, breaks=tuple(resolve(step.f, a, b) if a < b else np.empty(0) for a, b in ranges))
