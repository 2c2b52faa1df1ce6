"""Where a path of a large network surely leads, by a ball in which the step contracts.

The stable Jacobian A at a fixed point contracts in the norm |x|² = xᵀ P x with P = Aᵀ P A + I. If the Jacobian is A + E
at a state, |(A + E) x|² - |x|² = -xᵀx + 2 xᵀAᵀP E x + xᵀEᵀP E x, which is negative if

    2 √(λ (λ - 1)) e + λ e² < 1,    λ = ‖P‖ ≥ 1,  e = ‖E‖,

since Aᵀ P A = P - I. The step contracts on a ball of this norm on which that holds: its paths lead to the fixed point.
P is found once for a fixed point, by matrix products, and each test of a state is then as cheap as a few steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctrnn_theory.activations.symbolic.bounds import bounds
from ctrnn_theory.dynamics.destination import destination, end_at, nothing_between, root_from
from ctrnn_theory.dynamics.doubling import discrete_lyapunov
from ctrnn_theory.dynamics.linear_response import LARGE
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.support.types import FloatArray

NEARER = 0.9  # ratio of distances between two looks below which a path still seems to go to the same fixed point
SAME = 1e-9  # relative distance below which two roots are one


@dataclass(frozen=True, eq=False)
class Ball:
    """Balls around a stable fixed point, in a norm in which the step contracts there."""

    step: Step
    """The step."""
    root: FloatArray
    """Fixed point (N,)."""
    P: FloatArray
    """Matrix (N, N) of the norm."""

    @classmethod
    def around(cls, step: Step, root: FloatArray) -> Ball | None:
        """Return the balls around a fixed point (N,), or None if it is not surely stable."""
        A = step.jacobian(root)
        P = discrete_lyapunov(A.T, np.eye(len(A)))
        return None if P is None else cls(step, root, P)

    @cached_property
    def top(self) -> float:
        """A bound of the norm λ of P, from the Frobenius norm of P⁴."""
        square = self.P @ self.P
        return float(np.linalg.norm(square @ square)) ** 0.25

    def distance(self, h: FloatArray) -> float:
        """Return |h - root| in the norm of P, for a state (N,)."""
        x = h - self.root
        return math.sqrt(max(float(x @ self.P @ x), 0.0))

    def holds(self, h: FloatArray) -> bool:
        """Return whether the step contracts on the ball that has h (N,) on its border; since P ≥ I, |x| ≥ ‖x‖."""
        if self.step.multiplied:  # bounds are for additive noise
            return False
        wiring = self.step.wiring
        read = np.ones(wiring.n) if wiring.U is None else np.linalg.norm(wiring.U, axis=1)
        write = wiring.gamma if wiring.B is None else np.linalg.norm(wiring.gamma[:, None] * wiring.B, axis=0)
        variation = self._variation(self.distance(h) * read)
        if not np.all(np.isfinite(variation)):
            return False
        # E = Γ B δD U, and the rows of δD U or the columns of Γ B δD are orthogonal, since U or B is the identity
        e = float(np.linalg.norm(write * variation * read))
        return bool(2.0 * np.sqrt(self.top * (self.top - 1.0)) * e + self.top * e**2 < 1.0)

    def _variation(self, away: FloatArray) -> FloatArray:
        """Bound how far the slopes are from those at the root, for pre-activations as far from it as `away`, (N,)."""
        f, std, a = self.step.f, self.step.std, self.step.preactivation(self.root)
        low, high = bounds(f, a - away, a + away, 1, std)
        slope = self.step.slope(a)
        variation = np.maximum(high - slope, slope - low)
        if self.step.noisy:  # bounds of smoothed slopes do not grow tight, and those of their slopes help
            bend = np.max(np.abs(bounds(f, a - away, a + away, 2, std)), axis=0)
            variation = np.where((std > 0.0) & np.isfinite(bend), np.minimum(variation, bend * away), variation)
        return variation


class Destination:
    """The function :func:`~ctrnn_theory.dynamics.destination.destination` of one path, at one state after the other.

    For a large network it remembers the fixed point that Newton's method found, and only looks for another one if the
    path does not come nearer to it.
    """

    def __init__(self, step: Step) -> None:
        """Follow a path of the step."""
        self.step = step
        self.ball: Ball | None = None
        self.distance = np.inf

    def __call__(self, h: FloatArray) -> tuple[FloatArray, bool] | None:
        """Return the fixed point (N,) that the path surely leads to from h (N,), and whether it is stable, or None."""
        if len(h) < LARGE:
            return destination(self.step, h)
        if self.ball is None or not self._nearer(h):
            if (found := root_from(self.step, h)) is None:
                self.ball = None
                return None
            root, stays = found
            if self.ball is None or np.max(np.abs(root - self.ball.root)) > SAME * (1.0 + np.max(np.abs(root))):
                self.ball = Ball.around(self.step, root)
            if self.ball is None:  # it is unstable, or nearly so
                return end_at(self.step, h, root, stays)
            self.distance = self.ball.distance(h)
            if stays:
                return root, True
        if self.ball.holds(h) or nothing_between(self.step, h, self.ball.root):
            return self.ball.root, True
        return None

    def _nearer(self, h: FloatArray) -> bool:
        """Return whether the path has come nearer to the fixed point of the ball, and remember how near."""
        assert self.ball is not None
        before, self.distance = self.distance, self.ball.distance(h)
        return self.distance <= NEARER * before
