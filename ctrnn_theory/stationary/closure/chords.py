"""The fixed point of one large Gaussian closure, by chord steps of mean and covariance with Anderson mixing.

Newton's method in the mean alone, at fixed s, comes first. Then each step is that of the linear response there,

    X = A X Aᵀ + γ R_V,   (I - D W) x = R_m + ½ F'' ∘ diag(W X Wᵀ),

for the rates R of mean and covariance of a rate network with white noise, and likewise for other maps. It leaves out
what the covariance does to itself through D and C, for which Anderson mixing makes up (D. G. Anderson, J. ACM 12,
1965). No step needs eigenvalues.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.stationary.closure.closure_map import ROUNDING, ClosureMap, Rate
from ctrnn_theory.stationary.closure.lyapunov import Shifted
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales
from ctrnn_theory.support.types import FloatArray

MOST_MEANS = 4  # Newton steps in the mean at fixed s
MOST_CHORDS = 24  # chord steps; seven are typical
DEPTH = 4  # differences of steps that Anderson mixing combines
GROWN = 10.0  # length of a step relative to the first one, from which on the iteration is given up
STALLED = 0.7  # part of the shortest step, as long as which a step may be limited by rounding
PATIENCE = 3  # such steps in a row, after which it is
CLOSE = 1e-3  # relative length of a Newton step in the mean after which the covariance matters more
SEEN = 1e-6  # part of a move that has not been seen before, and eigenvalue, below which rounding may decide


@dataclass(frozen=True, eq=False)
class Chords:
    """Where the chord steps of one network end."""

    state: Moments
    """State, with a leading axis of one."""
    rate: Rate
    """Rate of change before the last step."""
    converged: bool
    """Whether it is a fixed point."""
    positive: bool
    """Whether the derivatives seen on the way agree with the linear response that it is stable."""
    residual: float
    """Relative length of the last step."""
    steps: int
    """Steps, of both kinds."""


def chords(closure: ClosureMap, start: Moments, spread: FloatArray, tolerance: float) -> Chords:
    """Solve for the fixed point near a state of one network and its spread, which have a leading axis of one.

    It is given up where the linear response is not stable, or hardly so, and where steps grow or do not get short.
    """
    state, taken = _settled_mean(closure, start, spread)
    rate = closure.rate(state)
    failed = Chords(state, rate, False, False, np.inf, taken)
    if not np.all(np.isfinite(rate.slope)):
        return failed
    shifted = Shifted.of(closure.loop(rate.slope)[0], float(closure.gamma[0]))
    if shifted is None:
        return failed
    step, mixing, n = _chord(closure, rate, shifted), Anderson(DEPTH), state.mean.shape[1]
    unit, units, first, best, residual, stalled = 1.0, 1.0, np.inf, np.inf, np.inf, 0
    for k in range(MOST_CHORDS):
        move, Move = step(rate)
        after = Moments(state.mean + move, state.covariance + Move)
        best, residual = min(best, residual), float(relative(move, Move, scales(after))[0])
        stalled = stalled + 1 if residual > STALLED * best else 0
        if k == 0:
            unit, units = (float(scale[0]) if np.isfinite(scale[0]) else 1.0 for scale in scales(after))
            first = residual
        if not residual < GROWN * first + tolerance:
            return failed
        if residual <= tolerance or (residual <= ROUNDING and stalled >= PATIENCE):
            return Chords(after, rate, True, mixing.positive(), residual, taken + k + 1)
        x = mixing.next(
            np.append(state.mean[0] / unit, state.covariance[0] / units),
            np.append(move[0] / unit, Move[0] / units),
        )
        state = Moments(x[None, :n] * unit, x[None, n:].reshape(1, n, n) * units)
        rate = closure.rate(state)
    return failed


def _settled_mean(closure: ClosureMap, start: Moments, spread: FloatArray) -> tuple[Moments, int]:
    """Return the state with the mean where a few Newton steps at its spread lead, and their number."""
    mean = start.mean
    for k in range(1, MOST_MEANS + 1):
        J = closure.jacobian(closure.drift_slope(mean, spread))
        move = np.linalg.solve(J, closure.drift(mean, spread)[..., None])[..., 0]
        mean = mean + move
        if not np.max(np.abs(move)) > CLOSE * np.max(np.abs(mean)):
            break
        if not np.all(np.isfinite(mean)):
            return start, k
    return Moments(mean, start.covariance), k


def _chord(closure: ClosureMap, rate: Rate, shifted: Shifted) -> Callable[[Rate], tuple[FloatArray, FloatArray]]:
    """Return the function from a rate to the step of mean (1, M) and covariance (1, M, M) by this linear response."""
    gamma, bend = float(closure.gamma[0]), closure.bend(rate)
    factors = lu_factor(closure.jacobian(rate.slope)[0], check_finite=False)
    single = closure.read[0].astype(np.float32)

    def step(rate: Rate) -> tuple[FloatArray, FloatArray]:
        X = shifted.solve(gamma * rate.covariance[0])
        widening = np.sum((single @ X) * single, axis=1).astype(np.float64)
        move = lu_solve(factors, rate.mean[0] + closure.written(bend * widening)[0], check_finite=False)
        return move[None], X.astype(np.float64)[None]

    return step


class Anderson:
    """Anderson mixing of the steps g(x) of an iteration x ← x + share g(x)."""

    def __init__(self, depth: int, share: float = 1.0) -> None:
        self.depth, self.share = depth, share
        self.moves: list[FloatArray] = []  # differences of x, and those of g, over the norms of the latter
        self.turns: list[FloatArray] = []
        self.last: tuple[FloatArray, FloatArray] | None = None

    def next(self, x: FloatArray, g: FloatArray) -> FloatArray:
        """Return the next point, from the present one and the step there."""
        if self.last is not None and self.depth:
            turn = g - self.last[1]
            size = np.linalg.norm(turn)
            if size > 0.0:
                self.moves = [*self.moves, (x - self.last[0]) / size][-self.depth :]
                self.turns = [*self.turns, turn / size][-self.depth :]
        self.last = x, g
        after = x + self.share * g
        if self.moves:
            gram = _products(self.turns, self.turns)
            weights = np.linalg.lstsq(gram, np.array([u @ g for u in self.turns]), rcond=1e-12)[0]
            for w, move, turn in zip(weights.tolist(), self.moves, self.turns, strict=True):
                after = after - w * (move + self.share * turn)
        return after

    def positive(self) -> bool:
        """Return whether -dg/dx, the exact derivative relative to that of the step, has a positive spectrum."""
        return bool(np.all(self.eigenvalues().real > -SEEN))

    def attracting(self) -> bool:
        """Return whether the iteration without mixing would come to the same end."""
        return bool(np.all(np.abs(1.0 - self.share * self.eigenvalues()) < 1.0))

    def eigenvalues(self) -> NDArray[np.complex128]:
        """Return eigenvalues of -dg/dx in the space of the latest moves, where one that matters would show."""
        if not self.moves:
            return np.zeros(0, dtype=np.complex128)
        gram = _products(self.moves, self.moves)
        norms = np.sqrt(np.diagonal(gram))
        gram, image = gram / norms, -_products(self.moves, self.turns) / norms
        seen = np.linalg.lstsq(gram / norms[:, None], image / norms[:, None], rcond=SEEN)[0]
        return np.linalg.eigvals(seen).astype(np.complex128)


def _products(first: list[FloatArray], second: list[FloatArray]) -> FloatArray:
    """Return the inner products of vectors, without a copy of them."""
    return np.array([[u @ v for v in second] for u in first])
