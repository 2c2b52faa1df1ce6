"""Where the noise-free or noise-smoothed map settles.

A path of the map is walked while it is fast. Its end is known before it gets there once the map is shown to contract on
the way to a fixed point. What is slower is followed as a flow, in steps that grow as the path slows down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.symbolic.bounds import bounds
from ctrnn_theory.dynamics.piecewise_linear import solve_in_region
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

Curve = Callable[[FloatArray], FloatArray]
"""A function of the pre-activations (..., N), elementwise, such as f or F(·; σ)."""

BOUND = 1e12  # a state beyond this is taken to grow for ever
WALK = 1000  # steps of the map before it may be followed as a flow
LONGEST = 10_000  # steps of a map that is no flow
SLOW = 0.1  # relative change of the velocity from step to step up to which the map follows a flow
FLOW_STEPS = 1000  # of the integrator
LOOK = 5  # steps of the integrator between looks at the end, to begin with
ACCURACY = 1e-3  # of the integrator in a step, relative to the step
FLAT = 9.0  # standard deviations from a kink beyond which smoothing leaves a straight line as it is, to rounding
CLOSE = 1e-3  # relative distance to a stable fixed point within which Newton's method may take over
ROUNDING = 8.0 * float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)
RESIDUAL = 1e-12  # relative, of a fixed point
SEGMENT = np.array([0.0, 0.09, 0.23, 0.38, 0.5, 0.66, 0.81, 0.93, 0.999])  # points on the way to a fixed point
CUTS = np.union1d(np.linspace(0.0, 1.0, 33), np.concatenate([0.5 ** np.arange(6, 50), 1.0 - 0.5 ** np.arange(6, 50)]))


@dataclass(frozen=True)
class Settled:
    """End of a noise-free path."""

    state: FloatArray
    """Fixed point (N,), or the time average of the last part of the path if it reaches none."""
    converged: bool
    """Whether the path reached a fixed point."""
    stable: bool
    """Whether that is linearly stable; a path that starts on an unstable one stays there."""
    steps: int
    """Steps of the map and of the integrator taken."""

    def remark(self, whose: str) -> str:
        """Say what there is to say of the law at the end of the path of the network named; empty if that is stable."""
        return self.reason(whose) + ("" if self.converged else "; its time average is given")

    def reason(self, whose: str) -> str:
        """Say why the end of the path of the network named is no stable fixed point; empty if it is one."""
        if not self.converged:
            return f"{whose} does not settle to a fixed point from this start, as far as it was followed"
        if self.stable:
            return ""
        if not self.steps:
            return f"the start lies on an unstable fixed point of {whose}, which any noise leaves"
        return f"the path of {whose} ends on a fixed point that is not linearly stable"

    @property
    def fixed_point(self) -> FloatArray:
        """h* (N,), NaN if the path reaches none."""
        return self.state if self.converged else np.full_like(self.state, np.nan)


def jacobian(W: FloatArray, slope: FloatArray, gamma: float) -> FloatArray:
    """A = (1-γ) I + γ D W, D = diag(slope); slope (..., N) gives A (..., N, N)."""
    return (1.0 - gamma) * np.eye(W.shape[0]) + gamma * slope[..., :, None] * W


def spectral_radius(A: FloatArray) -> float:
    """Largest modulus of the eigenvalues of A (N, N)."""
    return float(np.max(np.abs(np.linalg.eigvals(A))))


def newton(
    f: Curve, slope: Curve, W: FloatArray, drive: FloatArray, states: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve h = f(W h + drive) by damped Newton steps from each of many states (M, N).

    Returns the end states (M, N) and their residuals, the largest |f(W h + drive) - h| relative to 1 + |h|, (M,).
    """
    eye = np.eye(W.shape[0])

    def residual(h: FloatArray) -> FloatArray:
        return f(h @ W.T + drive) - h

    def size(h: FloatArray, r: FloatArray) -> FloatArray:
        ratio: FloatArray = np.max(np.abs(r), axis=1) / (1.0 + np.max(np.abs(h), axis=1))
        return np.where(np.isfinite(ratio), ratio, np.inf)

    h = np.array(states, dtype=np.float64)
    r = residual(h)
    best = size(h, r)
    for _ in range(60):
        J = eye - slope(h @ W.T + drive)[:, :, None] * W
        J[~np.all(np.isfinite(J), axis=(1, 2)) | ~np.isfinite(best)] = np.nan_to_num(np.inf) * eye  # out of range: stay
        with np.errstate(over="ignore"):
            flat = np.abs(np.linalg.det(J)) < 1e-14
        J[flat] += 1e-8 * eye
        step = np.linalg.solve(J, np.nan_to_num(r)[:, :, None])[:, :, 0]
        moved = np.zeros(len(h), dtype=bool)
        scale = 1.0
        for _ in range(12):  # halve the step of those that it does not bring closer
            trial = np.where(moved[:, None], h, h + scale * step)
            trial_r = residual(trial)
            trial_size = size(trial, trial_r)
            better = ~moved & (trial_size < best)
            h[better], r[better], best[better] = trial[better], trial_r[better], trial_size[better]
            moved |= better
            scale *= 0.5
            if moved.all():
                break
        if not moved.any():
            break
    return h, best


def settle(f: Activation, std: ArrayLike, W: FloatArray, drive: FloatArray, gamma: float, start: FloatArray) -> Settled:
    """Follow h' = (1-γ) h + γ F(W h + drive; std) from `start` to its end.

    The cost does not grow with the time constant of the approach. Newton's method names the end once it is shown that
    the path leads there: the map contracts on a ball around the fixed point that holds the state; or, for one neuron,
    it is monotone and contracts all the way; or the state is within a relative 1e-3 of it, and no other fixed point
    lies between. A path whose velocity changes little from step to step is followed as the flow of which the map is a
    step, to the second order in γ, with an implicit integrator; so is one that alternates, every other step of it.
    A path that leads to no fixed point, or whose end is not sure after 1000 steps of the integrator or 10000 of
    the map, is said not to settle.

    Parameters
    ----------
    f
        Activation.
    std
        Standard deviation, () or (N,), of the noise that smooths it: F(a; s) = E f(a + s ξ).
    W, drive
        Weights (N, N) and input current W_in u + b, (N,).
    gamma
        Δt/τ.
    start
        State (N,).

    Raises
    ------
    Divergence
        If the state grows beyond 1e12.
    """
    step = Step(f, np.broadcast_to(np.asarray(std, dtype=np.float64), drive.shape), W, drive, gamma)
    h = np.array(start, dtype=np.float64)
    mean, chunk, steps, trail = h, 0, 0, deque([h], maxlen=5)
    while True:
        total = np.zeros_like(h)
        for _ in range(chunk):
            h = step(h)
            total += h
            trail.append(h)
        mean, steps = total / max(chunk, 1), steps + chunk
        if (end := step.end(h)) is not None:
            return Settled(*end, steps)
        if step.grows(h):
            raise passed()
        if steps >= WALK and (period := _period(trail)):
            return _follow(step, h, period, steps)
        if steps >= LONGEST:
            return Settled(mean, False, False, steps)
        chunk = max(16, 2 * chunk) if chunk < 4096 else 4096


def _period(trail: deque[FloatArray]) -> int:
    """1 if five states follow a flow, 2 if every other of them does, else 0."""
    states = np.array(trail)
    for period in (1, 2):
        moves = np.diff(states[::-period][:3], axis=0)
        if np.max(np.abs(moves[1] - moves[0])) <= SLOW * np.max(np.abs(moves[1])):
            return period
    return 0


def _follow(step: Step, h: FloatArray, period: int, steps: int) -> Settled:
    """Follow the flow of which `period` steps of the map are one step, from h to its end."""
    times, path, k = [0.0], [h], 0
    with np.errstate(all="ignore"):
        for span, y in _flow(lambda y: step.flow(y, period), h):
            h, k = y, k + 1
            if not np.max(np.abs(h)) < BOUND:
                raise passed()
            times.append(times[-1] + span)
            path.append(h)
            ended = step.at_rest(h, period)
            if ended or k % max(LOOK, k // 10) == 0:
                if (end := step.end(h)) is not None:
                    return Settled(*end, steps + k)
                if step.grows(h):
                    raise passed()
            if ended or k == FLOW_STEPS:
                break
    if step.at_rest(h, 1):  # approached ever more slowly
        return Settled(h, True, False, steps + k)
    mean = _average(np.array(times), np.array(path))
    return Settled(mean if period == 1 else 0.5 * (mean + step(mean)), False, False, steps + k)


def _flow(
    field: Callable[[FloatArray], tuple[FloatArray, FloatArray]], y: FloatArray
) -> Iterator[tuple[float, FloatArray]]:
    """Integrate y' = v(y) for ever: yields times that pass and states (N,). The field gives v (N,) and its Jacobian.

    A linearly implicit method of order 2, stable for any step on what decays, with an error estimate of order 3
    (L. F. Shampine and M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18, 1997). The error is held below a
    part of the move itself, so that a path that has only begun to leave an unstable point is not lost.
    """
    eye, d, e = np.eye(len(y)), 1.0 / (2.0 + math.sqrt(2.0)), 6.0 + math.sqrt(2.0)
    v, J = field(y)
    span = 0.1 / (1.0 + float(np.abs(J).sum(axis=1).max()))
    for _ in range(4 * FLOW_STEPS):
        inverse = np.linalg.inv(eye - span * d * J)
        k1 = inverse @ v
        middle, _ = field(y + 0.5 * span * k1)
        k2 = inverse @ (middle - k1) + k1
        new = y + span * k2
        after, J_after = field(new)
        k3 = inverse @ (after - e * (k2 - middle) - 2.0 * (k1 - v))
        allowed = ACCURACY * np.abs(new - y).max() + ROUNDING * np.abs(new).max() + TINY
        error = float(np.abs(span / 6.0 * (k1 - 2.0 * k2 + k3)).max() / allowed)
        if error <= 1.0:
            y, v, J = new, after, J_after
            yield span, y
        span *= min(5.0, max(0.1, 0.8 * (error + 1e-30) ** -0.5)) if math.isfinite(error) else 0.1


def _average(times: FloatArray, path: FloatArray) -> FloatArray:
    """Mean of a path (T, N) over the last half of its times (T,)."""
    late = times >= 0.5 * times[-1]
    if np.sum(late) < 2:
        return np.asarray(path[-1])
    mean: FloatArray = np.trapezoid(path[late], times[late], axis=0) / np.ptp(times[late])
    return mean


def passed() -> Divergence:
    """Make the error of a state that grows."""
    return Divergence(f"W must keep the state bounded; the noise-free state passes {BOUND:g} from this start")


@dataclass(frozen=True)
class Step:
    """The map h' = (1-γ) h + γ F(W h + drive; std)."""

    f: Activation
    std: FloatArray
    W: FloatArray
    drive: FloatArray
    gamma: float

    @cached_property
    def noisy(self) -> bool:
        """Whether there is noise that smooths f."""
        return bool(np.any(self.std))

    def value(self, a: FloatArray) -> FloatArray:
        """F at pre-activations (..., N)."""
        result: FloatArray = self.f.smoothed(a, self.std) if self.noisy else self.f(a)
        return result

    def slope(self, a: FloatArray) -> FloatArray:
        """F' at pre-activations (..., N)."""
        result: FloatArray = self.f.smoothed(a, self.std, 1) if self.noisy else self.f.derivative(a)
        return result

    def __call__(self, h: FloatArray) -> FloatArray:
        """One step, from h (N,); raises Divergence if it passes the bound."""
        a = self.W @ h + self.drive
        try:
            new: FloatArray = (1.0 - self.gamma) * h + self.gamma * self.value(a)
        except ValueError:  # a or F(a) is out of range
            if np.all(np.abs(self.f(a)) < BOUND):
                raise
            raise passed() from None
        if not (new.max() < BOUND and new.min() > -BOUND):  # no NaN either
            raise passed()
        return new

    def velocity(self, h: FloatArray) -> FloatArray:
        """F(W h + drive) - h, (N,); NaN where it is out of range."""
        try:
            return self.value(self.W @ h + self.drive) - h
        except ValueError:
            return np.full_like(h, np.nan)

    def flow(self, h: FloatArray, period: int) -> tuple[FloatArray, FloatArray]:
        """Velocity (N,) of the flow of which `period` steps are one step, and about its Jacobian (N, N), per τ.

        With 1 + M the Jacobian of the steps, log(1 + M)/M = 1 - M/2 + M²/3 to the second order, which is never 0.
        """
        move, M, span = np.zeros(len(h)), np.zeros_like(self.W), period * self.gamma
        for _ in range(period):
            a = self.W @ (h + move) + self.drive
            try:
                velocity, slope = self.value(a) - (h + move), self.slope(a)
            except ValueError:  # a is out of range
                return np.full(len(h), np.nan), M
            change = self.gamma * (slope[:, None] * self.W - np.eye(len(h)))
            move, M = move + self.gamma * velocity, M + change + change @ M
        turned = M @ move
        return (move - turned / 2.0 + M @ turned / 3.0) / span, (M - 0.5 * M @ M) / span

    def at_rest(self, h: FloatArray, period: int) -> bool:
        """Whether `period` steps leave h where it is, to rounding."""
        move = np.zeros_like(h)
        for _ in range(period):
            move = move + self.velocity(h + self.gamma * move)
        return bool(np.all(np.abs(move) <= self.rounding(h)))

    def rounding(self, h: FloatArray) -> FloatArray:
        """Rounding errors of the velocity at h (N,), about."""
        a = self.W @ h + self.drive
        inner = np.abs(self.W) @ np.abs(h) + np.abs(self.drive)
        noise: FloatArray = ROUNDING * (np.abs(h) + np.abs(self.value(a)) + np.abs(self.slope(a)) * inner)
        return noise

    def end(self, h: FloatArray) -> tuple[FloatArray, bool, bool] | None:
        """Fixed point (N,) that the path from h surely leads to, that it is one, and whether it is stable."""
        try:
            roots, _ = newton(self.value, self.slope, self.W, self.drive, h[None])
        except (ValueError, np.linalg.LinAlgError):  # out of range
            return None
        root = self.refined(roots[0])
        error = np.abs(self.velocity(roots[0]))
        if not np.all(error <= np.maximum(self.rounding(roots[0]), RESIDUAL * self.noisy * (1.0 + np.abs(roots[0])))):
            return None
        A = jacobian(self.W, self.slope(self.W @ root + self.drive), self.gamma)
        stable = spectral_radius(A) < 1.0
        if np.all(np.abs(roots[0] - h) == 0.0):
            return root, True, stable
        return (root, True, True) if stable and self.leads_to(h, root, A) else None

    def refined(self, root: FloatArray) -> FloatArray:
        """Solve the linear equations around a fixed point (N,) where F is a straight line there, to rounding."""
        found = solve_in_region(self.f, self.W, self.drive, self.W @ root + self.drive, FLAT * self.std)
        return root if found is None else found

    def grows(self, h: FloatArray) -> bool:
        """Whether the state h (1,) of one neuron surely goes on beyond the bound, as the map is monotone from here on.

        The velocity may fall on the way, but not to zero.
        """
        speed = self.velocity(h)
        if len(h) > 1 or not abs(speed[0]) > 0.0:
            return False
        h_cuts = h + np.sign(speed) * np.concatenate([[0.0], np.geomspace(1e-3, 2.0 * BOUND, 200)])
        cuts = np.sort(h_cuts * self.W[0, 0] + self.drive)
        with np.errstate(over="ignore"):  # a slope beyond all numbers is infinite
            rise = self.W[0, 0] * np.array(bounds(self.f, cuts[:-1], cuts[1:], 1, self.std))
        fall = np.minimum(rise.min(axis=0) - 1.0, 0.0) @ np.diff(cuts) / np.abs(self.W[0, 0])
        return bool(np.all(1.0 - self.gamma + self.gamma * rise >= 0.0) and abs(speed[0]) + fall > 0.0)

    def leads_to(self, h: FloatArray, root: FloatArray, A: FloatArray) -> bool:
        """Whether the path from h (N,) surely leads to a stable fixed point (N,), at which the Jacobian is A (N, N)."""
        if len(h) == 1 and self._contracts_between(h, root):
            return True
        return self._contracts_around(h, root, A) or self._nothing_between(h, root)

    def _contracts_between(self, h: FloatArray, root: FloatArray) -> bool:
        """Whether the map of one neuron is monotone and contracts everywhere between h and a fixed point."""
        a, b = self.W @ h + self.drive, self.W @ root + self.drive
        cuts = np.sort(a + (b - a) * CUTS)
        slopes = np.array(bounds(self.f, cuts[:-1], cuts[1:], 1, self.std))
        response = 1.0 - self.gamma + self.gamma * self.W[0, 0] * slopes
        return bool(np.all(response >= 0.0) and np.all(response < 1.0))

    def _contracts_around(self, h: FloatArray, root: FloatArray, A: FloatArray) -> bool:
        """Whether the map contracts, in the norm of the eigenvectors of A, on the ball around the root that holds h."""
        values, V = np.linalg.eig(A)
        try:
            back = np.linalg.inv(V)
        except np.linalg.LinAlgError:
            return False
        a, reach = self.W @ root + self.drive, self.W @ V
        radius = np.linalg.norm(back @ (h - root))
        away = np.linalg.norm(reach, axis=1) * radius
        low, high = bounds(self.f, a - away, a + away, 1, self.std)
        slope = self.slope(a)
        spread = np.maximum(high - slope, slope - low)
        if not np.all(np.isfinite(spread)):
            return False
        change = np.linalg.norm(np.abs(back) @ (spread[:, None] * np.abs(reach)), 2)
        return bool(np.max(np.abs(values)) + self.gamma * change < 1.0)

    def _nothing_between(self, h: FloatArray, root: FloatArray) -> bool:
        """Whether the root is near, and the map is stable on the segment to it, and its equation regular."""
        if np.max(np.abs(root - h)) > CLOSE * (1.0 + np.max(np.abs(h))):
            return False
        slopes = self.slope((h + SEGMENT[:, None] * (root - h)) @ self.W.T + self.drive)
        sign, size = np.linalg.slogdet(np.eye(len(h)) - slopes[:, :, None] * self.W)
        turns = np.diff(size) * np.sign(size[-1] - size[0])
        if np.any(sign != sign[0]) or not (np.ptp(size) < np.log(2.0) or np.all(turns >= 0.0)):
            return False
        return all(spectral_radius(jacobian(self.W, slope, self.gamma)) < 1.0 for slope in slopes[[0, 4, 8]])
