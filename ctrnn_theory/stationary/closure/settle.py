"""Where Gaussian closures settle, for a batch of networks: strides along each path, and Newton's method at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.stationary.closure.closure_map import MANY, ClosureMap
from ctrnn_theory.stationary.closure.leap import leap
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales, semidefinite
from ctrnn_theory.stationary.closure.newton import Root, newton
from ctrnn_theory.stationary.closure.strides import MOST_LEVEL, stride
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

MOST_STRIDES = 512  # strides for which a path is followed by default
TOLERANCE = 1e-12  # relative distance to the fixed point, by default
FIRST_TRY = 4  # strides before Newton's method is first tried; each later try comes after half as many more
WINDOW = 8  # strides of the first window; each later window is as long as all before
PATIENCE = 128  # strides after which a window without progress may end the path
SHRUNK = 0.8  # range of a path in a window, relative to that in the window before, up to which it makes progress
FOLDED = 4.0  # length of a mean's path over its range, 1 for one that never turns, from which on it goes to and fro
STILL = 1e-12  # relative change in a time constant of a state that the map does not leave
LARGE = 1e4  # size, relative to what is put in, above which a state that grows and is unstable grows for ever
MARGIN = 1e-9  # rounding error of the spectral radius that tells whether it is unstable
STEADY = 0.75  # part of its speed that a state keeps if it grows in proportion to itself, and not to a limit
PASSED = f"W must keep the state bounded; under noise it passes {BOUND:g} from this start"
GROWS = "W must keep the state bounded; under noise it grows on and on, to {:.3g} so far"


@dataclass(frozen=True, eq=False)
class SettledMoments:
    """The ends of the paths of B closures."""

    state: Moments
    """Fixed points (B, N), (B, N, N), or averages over the last part of the path where there are none."""
    settled: BoolArray
    """Whether they are fixed points, (B,)."""
    stable: BoolArray
    """Whether those are stable, (B,); a path that starts on an unstable one stays there."""
    residual: FloatArray
    """Relative distance to the fixed point by Newton's last step, or relative change in a time constant, (B,)."""
    strides: IntArray
    """Strides taken, (B,)."""
    newton: IntArray
    """Steps of Newton's method, (B,)."""
    growing: dict[int, str]
    """Networks whose mean or variance grows without bound, and what to report of it."""


def settle(
    closures: ClosureMap, start: Moments, tolerance: float = TOLERANCE, most: int = MOST_STRIDES
) -> SettledMoments:
    """Follow closures from states (B, N), (B, N, N) to where they settle, for at most so many strides."""
    with np.errstate(all="ignore"):
        return _Paths(closures, start, tolerance).run(most)


class _Window:
    """Range, length and time averages of each path over a window of strides.

    The averages are by the trapezoidal rule, tapered at the ends of the window, so that parts of a period weigh little.
    """

    def __init__(self, state: Moments) -> None:
        count, n = state.mean.shape
        self.low, self.high, self.length = state.mean.copy(), state.mean.copy(), np.zeros((count, n))
        self.before = np.full(count, np.inf)  # widest range in the window before
        self.time, self.first, self.second = np.zeros(count), np.zeros((count, n)), np.zeros((count, n, n))

    def begin(self, which: IntArray, state: Moments) -> None:
        """Begin a new window at the states of all paths, for some of them."""
        self.before[which] = np.max(self.high[which] - self.low[which], axis=1)
        self.time[which], self.first[which], self.second[which] = 0.0, 0.0, 0.0
        self.low[which], self.high[which], self.length[which] = state.mean[which], state.mean[which], 0.0

    def add(self, which: IntArray, old: Moments, new: Moments, weight: FloatArray) -> None:
        """Add a stride of some paths from old states to new ones, half its length in time times the taper a weight."""
        self.low[which], self.high[which] = (
            np.minimum(self.low[which], new.mean),
            np.maximum(self.high[which], new.mean),
        )
        self.length[which] += np.abs(new.mean - old.mean)
        self.time[which] += 2.0 * weight
        for at in (old, new):
            self.first[which] += weight[:, None] * at.mean
            square = at.covariance + at.mean[:, :, None] * at.mean[:, None, :]
            self.second[which] += weight[:, None, None] * square

    def averages(self, which: IntArray) -> Moments:
        """Return mean and covariance over time and noise of some paths."""
        mean = self.first[which] / self.time[which, None]
        square = self.second[which] / self.time[which, None, None]
        return Moments(mean, semidefinite(square - mean[:, :, None] * mean[:, None, :]))

    def to_and_fro(self, which: IntArray) -> BoolArray:
        """Return whether paths go to and fro over a range that does not shrink; others may be in a bottleneck."""
        span = self.high[which] - self.low[which]
        widest = (np.arange(which.size), np.argmax(span, axis=1))
        folded = self.length[which][widest] >= FOLDED * span[widest]
        stalled: BoolArray = folded & (span[widest] > SHRUNK * self.before[which])
        return stalled


class _Paths:
    """The paths under way, and what is known of each."""

    def __init__(self, closures: ClosureMap, start: Moments, tolerance: float) -> None:
        count = len(start.mean)
        self.closures, self.tolerance, self.all = closures, tolerance, np.arange(count)
        self.state = Moments(start.mean.copy(), semidefinite(start.covariance))
        self.rate = closures.rate(self.state)
        self.level = np.zeros(count, dtype=np.intp)  # a stride is of 2^level steps
        self.strides, self.newton = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.intp)
        self.residual = self.changes(self.all)
        self.settled, self.stable = np.zeros(count, bool), np.ones(count, bool)
        self.growing: dict[int, str] = {}
        self.put_in = np.max(np.abs(start.mean), axis=1) + closures.put_in() + 1.0
        self.size = self.sizes(self.all)  # sizes of the states at the beginning of the window
        self.speed = np.full(count, np.inf)  # and their relative speeds, unknown for the first window
        self.window = _Window(self.state)

    def sizes(self, which: IntArray) -> FloatArray:
        """Return the largest mean or standard deviation of each."""
        deviation = np.sqrt(np.max(np.diagonal(self.state.covariance[which], axis1=1, axis2=2), axis=1))
        larger: FloatArray = np.maximum(np.max(np.abs(self.state.mean[which]), axis=1), deviation)
        return larger

    def speeds(self, which: IntArray) -> FloatArray:
        """Return the relative change of E|h|² in a time constant of each."""
        state, rate = self.state[which], self.rate[which]
        square = np.sum(state.mean**2, axis=1) + np.trace(state.covariance, axis1=1, axis2=2)
        change = 2.0 * np.sum(state.mean * rate.mean, axis=1) + np.trace(rate.covariance, axis1=1, axis2=2)
        return np.divide(change, square, out=np.zeros_like(square), where=square > 0.0)

    def changes(self, which: IntArray) -> FloatArray:
        """Return the change in a time constant of each, relative to its state after a step."""
        rate, g = self.rate[which], self.closures.gamma[which, None]
        mean = self.state.mean[which] + g * rate.mean
        after = Moments(mean, self.state.covariance[which] + g[..., None] * rate.covariance)
        return relative(rate.mean, rate.covariance, scales(after))

    def run(self, most: int) -> SettledMoments:
        """Follow all of them."""
        active = self.leap(np.flatnonzero(~self.stuck(self.all)))
        next_try, next_window = FIRST_TRY, WINDOW
        for k in range(1, most + 1):
            if not active.size:
                break
            done = k - next_window // 2 if next_window > WINDOW else k
            active = self.advance(active, np.sin(np.pi * (done - 0.5) / (next_window - (k - done))) ** 2)
            tried = k in (next_try, most)
            if tried:
                next_try = max(k + 2, 3 * k // 2)
            active = self.finish(active if tried else active[self.residual[active] <= self.tolerance], active)
            if k == next_window:
                if k >= PATIENCE:
                    active = active[~self.window.to_and_fro(active)]
                next_window *= 2
                if k < most:
                    self.size[active], self.speed[active] = self.sizes(active), self.speeds(active)
                    self.window.begin(active, self.state)
        averaged = np.flatnonzero(~self.settled & (self.window.time > 0.0))
        self.state.put(averaged, self.window.averages(averaged))
        return SettledMoments(
            self.state, self.settled, self.stable, self.residual, self.strides, self.newton, self.growing
        )

    def leap(self, active: IntArray) -> IntArray:
        """Try chord steps for large networks, after a few steps of the map; return those that are not settled."""
        if self.state.mean.shape[1] < MANY or not active.size:
            return active
        try:
            found = leap(self.closures[active], self.state[active], self.rate[active], self.tolerance)
        except ValueError:  # a trial may lie where f has no moments, and the path may not
            for i in active if active.size > 1 else ():
                self.leap(np.array([i]))
            return active[~self.settled[active]]
        kept = np.flatnonzero(np.max(np.abs(found.state.mean), axis=1) < BOUND)  # not NaN
        kept = kept[np.all(np.isfinite(found.state.covariance[kept]), axis=(1, 2))]
        to = active[kept]
        self.state.put(to, found.state[kept])
        self.rate.put(to, found.rate[kept])
        self.residual[to], self.strides[to] = self.changes(to), found.steps[kept]
        return self.accept(found.root, active, active)

    def advance(self, active: IntArray, taper: float) -> IntArray:
        """Take a stride of each, which weighs `taper` in averages; return those that stay within bounds."""
        before, level = self.state[active], self.level[active]
        taken = stride(self.closures[active], before, self.rate[active], level)
        good, to = taken.good, active[taken.good]
        self.window.add(to, before[good], taken.state[good], 0.5 * np.exp2(level[good]) * taper)
        self.state.put(to, taken.state[good])
        self.rate.put(to, taken.rate[good])
        self.level[active] = np.clip(level + taken.easy - ~good, 0, MOST_LEVEL)
        self.strides[active] += 1
        self.residual[to] = self.changes(to)
        passed = taken.passed | ~(self.sizes(active) < BOUND)  # in one step, or in a stride of many
        for i in active[passed].tolist():
            self.growing[i] = PASSED
        grown = self.grown(active[~passed])
        for i in grown.tolist():
            self.growing[i] = GROWS.format(self.sizes(np.array([i]))[0])
        return active[~passed & ~np.isin(active, grown)]

    def grown(self, active: IntArray) -> IntArray:
        """Return those of the active paths that are taken to grow for ever.

        A state that tends to a limit loses more than half of its relative speed while it doubles. One that
        multiplicative noise lets grow in proportion to itself does not, even if the linear response is stable.
        """
        large = active[self.sizes(active) > self.put_in[active] * LARGE]
        large = large[self.sizes(large) > 2.0 * self.size[large]]
        unstable = self.closures[large].radius(self.rate.slope[large]) >= 1.0 - MARGIN
        if self.closures.multiplied:
            unstable |= self.speeds(large) > STEADY * np.maximum(self.speed[large], 0.0)
        return large[unstable]

    def stuck(self, active: IntArray) -> BoolArray:
        """Return whether states start on a fixed point that is not stable, which the map does not leave."""
        still = self.residual[active] <= STILL
        which = active[still]
        unstable = self.closures[which].radius(self.rate.slope[which]) >= 1.0
        self.settled[which[unstable]], self.stable[which[unstable]] = True, False
        still[still] = unstable
        return still

    def finish(self, tried: IntArray, active: IntArray) -> IntArray:
        """Try Newton's method on some of the active paths; return those that are not settled."""
        if not tried.size:
            return active
        tried = tried[~self.stuck(tried)]
        return self.accept(newton(self.closures[tried], self.state[tried], self.tolerance), tried, active)

    def accept(self, root: Root, tried: IntArray, active: IntArray) -> IntArray:
        """Put good roots of some of the active paths at their ends; return the active paths that are not settled."""
        done = tried[root.good]
        end = root.state[root.good]
        self.state.put(done, Moments(end.mean, semidefinite(end.covariance)))
        self.residual[done], self.newton[done] = root.residual[root.good], root.steps[root.good]
        self.settled[done] = True
        return active[~self.settled[active]]
