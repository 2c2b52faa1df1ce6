"""Where the Gaussian closure settles from a start: strides along the path, Newton's method at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.settle import BOUND
from ctrnn_theory.stationary.closure.gaussian_step import Closures, Moments, semidefinite
from ctrnn_theory.stationary.closure.newton import newton
from ctrnn_theory.stationary.closure.strides import LONGEST, relative, scales, stride
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

FIRST_TRY = 4  # strides before Newton's method is first tried; then whenever there are half as many more
WINDOW = 8  # strides of the first window; each next window is as long as all before
PATIENCE = 128  # strides, from which on a window without progress may end the path
SHRUNK = 0.8  # range of a path in a window, as a part of that in the window before, that counts as progress
FOLDED = 4.0  # length of a mean's path over its range, which is 1 one way, from which on it goes to and fro
AT_REST = 1e-12  # relative change in a time constant of a state that the map does not leave
LARGE = 1e4  # a state that is so many times what is put in, still grows and is unstable, is taken to grow for ever
PASSED = f"W must keep the state bounded; under noise it passes {BOUND:g} from this start"
GROWS = "W must keep the state bounded; under noise it grows on and on, to {:.3g} so far"


@dataclass(frozen=True, eq=False)
class Settled:
    """Ends of the paths of B closures."""

    state: Moments
    """Fixed points (B, N), (B, N, N), or averages over the path's last part where there are none."""
    settled: BoolArray
    """Whether they are fixed points, (B,)."""
    stable: BoolArray
    """Whether those are stable, (B,); a path that starts on another stays there."""
    residual: FloatArray
    """Relative distance to the fixed point, as Newton's last step estimates it; else relative change in a τ, (B,)."""
    strides: IntArray
    """Strides taken, (B,)."""
    newton: IntArray
    """Steps of Newton's method, (B,)."""
    growing: dict[int, str]
    """Networks whose mean or variance grows without bound, and what there is to say of it."""


def settle(closures: Closures, start: Moments, tolerance: float, most: int) -> Settled:
    """Follow closures from states (B, N), (B, N, N) to where they settle, for at most so many strides."""
    return _Follow(closures, start, tolerance).run(most)


class _Follow:
    """The paths under way, and what is known of each."""

    def __init__(self, closures: Closures, start: Moments, tolerance: float) -> None:
        count, n = start.mean.shape
        self.closures, self.tolerance = closures, tolerance
        self.state = Moments(start.mean.copy(), semidefinite(start.covariance))
        self.rate = closures.rate(self.state)
        self.level = np.zeros(count, dtype=np.intp)  # a stride is of 2^level steps
        self.strides, self.newton = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.intp)
        self.residual = self.changes(np.arange(count))
        self.settled, self.stable = np.zeros(count, bool), np.ones(count, bool)
        self.growing: dict[int, str] = {}
        noise = np.sqrt(np.max(np.diagonal(closures.inside + closures.outside, axis1=1, axis2=2), axis=1))
        put_in = np.max(np.abs(start.mean), axis=1) + np.max(np.abs(closures.drive), axis=1) + noise
        self.scale = put_in + abs(closures.f(0.0)) + 1.0
        self.size = self.sizes(np.arange(count))  # of the states at the beginning of the window
        self.span = np.full(count, np.inf)  # of the means in the window before
        self.low, self.high, self.path = self.state.mean.copy(), self.state.mean.copy(), np.zeros((count, n))
        self.time, self.first = np.zeros(count), np.zeros((count, n))
        self.second, self.taper = np.zeros((count, n, n)), 1.0

    def sizes(self, which: IntArray) -> FloatArray:
        """Largest mean or standard deviation of each."""
        deviation = np.sqrt(np.max(np.diagonal(self.state.covariance[which], axis1=1, axis2=2), axis=1))
        larger: FloatArray = np.maximum(np.max(np.abs(self.state.mean[which]), axis=1), deviation)
        return larger

    def changes(self, which: IntArray) -> FloatArray:
        """Change in a time constant of each, relative to its state after a step."""
        rate, g = self.rate[which], self.closures.gamma[which, None]
        mean = self.state.mean[which] + g * rate.mean
        after = Moments(mean, self.state.covariance[which] + g[..., None] * rate.covariance)
        return relative(rate.mean, rate.covariance, scales(after))

    def run(self, most: int) -> Settled:
        """Follow all of them."""
        active = np.flatnonzero(~self.at_rest(np.arange(len(self.level))))
        next_try, next_window = FIRST_TRY, WINDOW
        for k in range(1, most + 1):
            if not active.size:
                break
            done = k - next_window // 2 if next_window > WINDOW else k
            self.taper = np.sin(np.pi * (done - 0.5) / (next_window - (k - done))) ** 2
            active = self.advance(active)
            tried = k in (next_try, most)
            if tried:
                next_try = max(k + 2, 3 * k // 2)
            active = self.finish(active if tried else active[self.residual[active] <= self.tolerance], active)
            if k == next_window:
                active = active[~self.unsettled(active, k)]
                next_window *= 2
                if k < most:
                    self.begin(active)
        averaged = np.flatnonzero(~self.settled & (self.time > 0.0))
        mean = self.first[averaged] / self.time[averaged, None]
        square = self.second[averaged] / self.time[averaged, None, None]
        self.state.mean[averaged] = mean
        self.state.covariance[averaged] = semidefinite(square - mean[:, :, None] * mean[:, None, :])
        return Settled(self.state, self.settled, self.stable, self.residual, self.strides, self.newton, self.growing)

    def advance(self, active: IntArray) -> IntArray:
        """Take a stride of each; returns those that are within bounds."""
        before = Moments(self.state.mean[active], self.state.covariance[active])
        level = self.level[active]
        taken = stride(self.closures[active], before, self.rate[active], level)
        for i in active[taken.passed].tolist():
            self.growing[i] = PASSED
        good, to = taken.good, active[taken.good]
        self.add(to, Moments(before.mean[good], before.covariance[good]), taken.state, good, level[good])
        self.state.mean[to], self.state.covariance[to] = taken.state.mean[good], taken.state.covariance[good]
        self.rate.put(to, taken.rate[good])
        self.level[active] = np.clip(level + taken.easy - ~good, 0, LONGEST)
        self.strides[active] += 1
        self.residual[to] = self.changes(to)
        large = active[~taken.passed & (self.sizes(active) > self.scale[active] * LARGE)]
        grown = large[self.sizes(large) > 2.0 * self.size[large]]
        grown = grown[self.closures[grown].radius(self.rate.slope[grown]) >= 1.0 - 1e-9]
        for i in grown.tolist():
            self.growing[i] = GROWS.format(self.sizes(np.array([i]))[0])
        return active[~taken.passed & ~np.isin(active, grown)]

    def add(self, to: IntArray, before: Moments, after: Moments, good: BoolArray, level: IntArray) -> None:
        """Add a stride to the range and length of the path, and to the time averages by the trapezoidal rule.

        The averages are tapered at the ends of the window, so that parts of a period weigh little.
        """
        mean = after.mean[good]
        self.low[to], self.high[to] = np.minimum(self.low[to], mean), np.maximum(self.high[to], mean)
        self.path[to] += np.abs(mean - before.mean)
        length = 0.5 * np.exp2(level) * self.taper
        self.time[to] += 2.0 * length
        for at in (before, Moments(after.mean[good], after.covariance[good])):
            self.first[to] += length[:, None] * at.mean
            square = at.covariance + at.mean[:, :, None] * at.mean[:, None, :]
            self.second[to] += length[:, None, None] * square

    def begin(self, active: IntArray) -> None:
        """Begin a window, whose averages are of no other."""
        self.size[active] = self.sizes(active)
        self.span[active] = np.max(self.high[active] - self.low[active], axis=1)
        self.time[active], self.first[active], self.second[active] = 0.0, 0.0, 0.0
        self.low[active], self.high[active], self.path[active] = self.state.mean[active], self.state.mean[active], 0.0

    def at_rest(self, active: IntArray) -> BoolArray:
        """Whether states start on a fixed point that is not stable, which the map does not leave."""
        rest = self.residual[active] <= AT_REST
        which = active[rest]
        unstable = self.closures[which].radius(self.rate.slope[which]) >= 1.0
        self.settled[which[unstable]], self.stable[which[unstable]] = True, False
        rest[rest] = unstable
        return rest

    def finish(self, tried: IntArray, active: IntArray) -> IntArray:
        """Try Newton's method on some of the active paths; returns those that remain."""
        if not tried.size:
            return active
        rest = self.at_rest(tried)
        tried = tried[~rest]
        root = newton(
            self.closures[tried], Moments(self.state.mean[tried], self.state.covariance[tried]), self.tolerance
        )
        done = tried[root.good]
        self.state.mean[done] = root.state.mean[root.good]
        self.state.covariance[done] = semidefinite(root.state.covariance[root.good])
        self.residual[done], self.newton[done] = root.residual[root.good], root.steps[root.good]
        self.settled[done] = True
        return active[~self.settled[active]]

    def unsettled(self, active: IntArray, strides: int) -> BoolArray:
        """Whether paths go to and fro over a range that does not shrink; one way, they may be in a bottleneck."""
        if strides < PATIENCE:
            return np.zeros(active.size, bool)
        span = self.high[active] - self.low[active]
        widest = (np.arange(active.size), np.argmax(span, axis=1))
        folded = self.path[active][widest] >= FOLDED * span[widest]
        stalled: BoolArray = folded & (span[widest] > SHRUNK * self.span[active])
        return stalled
