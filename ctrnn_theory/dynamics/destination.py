"""Where a path surely leads: to a fixed point that Newton's method finds, or beyond all bounds."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations.symbolic.bounds import bounds
from ctrnn_theory.dynamics.linear_response import is_stable
from ctrnn_theory.dynamics.newton import newton
from ctrnn_theory.dynamics.piecewise_linear import solve_in_region
from ctrnn_theory.dynamics.step import BOUND, Step
from ctrnn_theory.support.types import FloatArray

RESIDUAL = 1e-12  # relative, of a fixed point of a smoothed activation, whose accuracy is limited
FLAT = 9.0  # standard deviations from a kink beyond which smoothing leaves a straight line as it is, to rounding
CLOSE = 1e-3  # relative distance to a stable fixed point within which Newton's method may take over
SEGMENT = np.array([0.0, 0.09, 0.23, 0.38, 0.5, 0.66, 0.81, 0.93, 0.999])  # points on the way to a fixed point
CUTS = np.union1d(np.linspace(0.0, 1.0, 33), np.concatenate([0.5 ** np.arange(6, 50), 1.0 - 0.5 ** np.arange(6, 50)]))
"""Ends of the parts of the way to a fixed point on each of which slopes are bounded; they get denser at both ends."""
GROWTH_CUTS = 200  # parts of the way to the bound on each of which slopes are bounded


def destination(step: Step, h: FloatArray) -> tuple[FloatArray, bool] | None:
    """Return the fixed point (N,) that the path from h (N,) surely leads to, and whether it is stable; None if unsure.

    A path that starts on an unstable fixed point stays there; every other path must lead to a stable one.
    """
    found = root_from(step, h)
    return None if found is None else end_at(step, h, *found)


def end_at(step: Step, h: FloatArray, root: FloatArray, stays: bool) -> tuple[FloatArray, bool] | None:
    """Return the root (N,) that Newton's method found from h (N,), and whether it is stable, if the path ends there."""
    A = step.jacobian(root)
    stable = is_stable(A)
    if stays:
        return root, stable
    return (root, True) if stable and _leads_to(step, h, root, A) else None


def root_from(step: Step, h: FloatArray) -> tuple[FloatArray, bool] | None:
    """Return the fixed point (N,) that Newton's method finds from h (N,), and whether it is h itself; or None."""
    try:
        roots, _, _ = newton(step.value, step.slope, step.wiring, h[None])
    except (ValueError, np.linalg.LinAlgError):  # a state is out of range
        return None
    root = _refined(step, roots[0])
    error = np.abs(step.velocity(root))
    if not np.all(error <= np.maximum(step.rounding(root), RESIDUAL * step.noisy * (1.0 + np.abs(root)))):
        return None
    return root, bool(np.all(np.abs(roots[0] - h) == 0.0))


def grows(step: Step, h: FloatArray) -> bool:
    """Return whether the state h (1,) of one neuron surely passes the bound, since the map is monotone from here on.

    The velocity may fall on the way, but not to zero.
    """
    if len(h) > 1 or step.multiplied or not abs(speed := float(step.velocity(h)[0])) > 0.0:
        return False
    h_cuts = np.sort(h + np.sign(speed) * np.concatenate([[0.0], np.geomspace(1e-3, 2.0 * BOUND, GROWTH_CUTS)]))
    least, _ = _responses(step, h_cuts)
    fall = np.minimum(least - 1.0, 0.0) @ np.diff(h_cuts)
    gamma = step.wiring.gamma
    return bool(np.all(1.0 - gamma + gamma * least >= 0.0) and abs(speed) + fall > 0.0)


def _refined(step: Step, root: FloatArray) -> FloatArray:
    """Solve the linear equations around a fixed point (N,) to rounding where F is a straight line there."""
    a = step.preactivation(root)
    found = solve_in_region(step.f, step.wiring, a, FLAT * step.smoothed.width(a))
    return root if found is None else found


def _leads_to(step: Step, h: FloatArray, root: FloatArray, A: FloatArray) -> bool:
    """Return whether the path from h (N,) surely leads to a stable fixed point (N,), where the Jacobian is A (N, N)."""
    if not step.multiplied:  # bounds are for additive noise
        if len(h) == 1 and _contracts_between(step, h, root):
            return True
        if _contracts_around(step, h, root, A):
            return True
    return nothing_between(step, h, root)


def _contracts_between(step: Step, h: FloatArray, root: FloatArray) -> bool:
    """Return whether the map of one neuron is monotone and contracts everywhere between h and a fixed point."""
    response = 1.0 - step.wiring.gamma + step.wiring.gamma * _responses(step, np.sort(h + (root - h) * CUTS))
    return bool(np.all(response >= 0.0) and np.all(response < 1.0))


def _responses(step: Step, cuts: FloatArray) -> FloatArray:
    """Return the least and the largest B F' U (2, K) of one neuron between states (K + 1,)."""
    a = np.sort(step.preactivation(cuts[:, None])[:, 0])
    with np.errstate(over="ignore"):  # a slope that overflows is infinite
        slopes = np.array(bounds(step.f, a[:-1], a[1:], 1, step.std))
    loop = float(step.wiring.loop(np.ones(1))[0, 0])
    if float(step.wiring.read[0, 0]) < 0.0:  # pre-activations run against the states
        slopes = slopes[:, ::-1]
    with np.errstate(over="ignore", invalid="ignore"):  # a weight of zero times a slope without bound
        response: FloatArray = np.sort(np.nan_to_num(loop * slopes, nan=0.0, posinf=np.inf, neginf=-np.inf), axis=0)
    return response


def _contracts_around(step: Step, h: FloatArray, root: FloatArray, A: FloatArray) -> bool:
    """Return whether the map contracts on the ball around the root that holds h, in the norm of the eigenvectors of A.

    The norm is that of the coefficients of a state in the eigenvectors.
    """
    values, V = np.linalg.eig(A)
    try:
        back = np.linalg.inv(V)
    except np.linalg.LinAlgError:
        return False
    wiring, a = step.wiring, step.preactivation(root)
    reach, onto = (V if wiring.U is None else wiring.U @ V), back * wiring.gamma
    onto = onto if wiring.B is None else onto @ wiring.B
    with np.errstate(over="ignore", invalid="ignore"):  # the eigenvectors of a long chain are all but parallel
        radius = np.linalg.norm(back @ (h - root))
        away = np.linalg.norm(reach, axis=1) * radius
    if not np.all(np.isfinite(away)):
        return False
    low, high = bounds(step.f, a - away, a + away, 1, step.std)
    slope = step.slope(a)
    variation = np.maximum(high - slope, slope - low)
    if not np.all(np.isfinite(variation)):
        return False
    change = np.linalg.norm(np.abs(onto) @ (variation[:, None] * np.abs(reach)), 2)
    return bool(np.max(np.abs(values)) + change < 1.0)


def nothing_between(step: Step, h: FloatArray, root: FloatArray) -> bool:
    """Return whether the root is near, the map is stable on the segment to it, and its equation regular there."""
    if np.max(np.abs(root - h)) > CLOSE * (1.0 + np.max(np.abs(h))):
        return False
    slopes = step.slope(step.preactivation(h + SEGMENT[:, None] * (root - h)))
    sign, size = np.transpose([np.linalg.slogdet(np.eye(len(h)) - step.wiring.loop(slope)) for slope in slopes])
    turns = np.diff(size) * np.sign(size[-1] - size[0])
    if np.any(sign != sign[0]) or not (np.ptp(size) < np.log(2.0) or np.all(turns >= 0.0)):
        return False
    return all(is_stable(step.wiring.jacobian(slope)) for slope in slopes[[0, 4, 8]])
