"""Fixed points of the noise-free network, and their stability in discrete time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.blas import limited
from ctrnn_theory.network import CTRNN, check_network
from ctrnn_theory.stationary.flow import BOUND, jacobian, newton, spectral_radius
from ctrnn_theory.stationary.law import FloatArray
from ctrnn_theory.stationary.regions import enumerable, enumerate_states

STARTS = 256  # Newton starts for a network of several neurons: as many random ones, and as many corners
FAR = 10.0  # pre-activation, times the drive's size, of a corner of the states
RELAXED = 20  # half steps towards the attractors that a corner leads to
BISECTIONS = 80  # of an interval of the grid: down to neighbouring numbers
RESIDUAL = 1e-9  # relative; a root of a jump (step) leaves more
SAME = 1e-6  # relative distance below which two roots are one


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A state h* = f(W h* + W_in u + b) and its linear stability under the step."""

    state: FloatArray
    """h*, shape (N,)."""
    preactivation: FloatArray
    """a* = W h* + W_in u + b, shape (N,)."""
    eigenvalues: NDArray[np.complex128]
    """Eigenvalues (N,) of (1-γ) I + γ D W, D = diag f'(a*), complex, largest modulus first."""
    stable: bool
    """Whether all of them lie inside the unit circle: at a kink for the slopes of both sides, at a jump never."""


@limited
def fixed_points(net: CTRNN, u: ArrayLike | None = None) -> tuple[FixedPoint, ...]:
    """Fixed points of the noise-free network: every one for one neuron, and for a piecewise-linear activation.

    One neuron: all sign changes of a - w f(a) - drive over a wide range of pre-activations, cut at the breakpoints
    of f. Several neurons with a piecewise-linear f, up to 14 of relu or 12 of hardtanh: every one, by
    :func:`~ctrnn_theory.stationary.regions.enumerate_states`; of a continuum its ends. Otherwise Newton's method from
    512 seeded starts, half of them relaxed from corners of the states, duplicates removed. Some may then be missed:
    of random networks of 8 neurons and weights of standard deviation 3/√8 about one unstable point in fifteen.

    Parameters
    ----------
    net
        The network, N neurons.
    u
        Constant input (K,), or None.

    Returns
    -------
    tuple of FixedPoint
        Sorted by their first coordinate, then the next.

    Examples
    --------
    >>> bistable = CTRNN.single(w=1.5, b=0.0, activation="tanh")
    >>> [(round(float(p.state[0]), 6), p.stable) for p in fixed_points(bistable)]
    [(-0.85856, True), (0.0, False), (0.85856, True)]
    """
    check_network(net)
    drive = net.drive(u)
    if net.n == 1:
        states = _scan(net, float(drive[0]))
    elif enumerable(net.activation, net.n):
        states = enumerate_states(net.activation, net.W, drive)
    else:
        states = _multistart(net, drive)
    points = [fixed_point_at(net, state, drive) for state in states]
    return tuple(sorted(points, key=lambda point: tuple(point.state)))


def fixed_point_at(net: CTRNN, state: FloatArray, drive: FloatArray) -> FixedPoint:
    """Describe the fixed point at a state (N,) known to be one, with `drive` the input current (N,)."""
    a = net.W @ state + drive
    A = jacobian(net.W, net.activation.derivative(a), net.gamma)
    eigenvalues = np.linalg.eigvals(A).astype(np.complex128)
    stable = bool(np.all(np.abs(eigenvalues) < 1.0))
    kinks = np.array(net.activation.breakpoints)
    nearby = np.abs(a[:, None] - kinks) <= 1e-12 * (1.0 + np.abs(a[:, None]))
    if nearby.any():
        shift = 1e-9 * (1.0 + np.abs(a)) * nearby.any(axis=1)
        jumps = [kink.location for kink in net.activation.kinks if kink.value_jump]
        stable = (
            stable
            and not np.any(np.isin(kinks[nearby.any(axis=0)], jumps))
            and all(
                spectral_radius(jacobian(net.W, net.activation.derivative(a + side * shift), net.gamma)) < 1.0
                for side in (-1.0, 1.0)
            )
        )
    order = np.argsort(-np.abs(eigenvalues))
    return FixedPoint(state, a, eigenvalues[order], stable)


def _scan(net: CTRNN, drive: float) -> list[FloatArray]:
    """Roots of r(a) = a - w f(a) - drive for one neuron, as states (1,)."""
    f, w = net.activation, float(net.W[0, 0])

    def r(a: FloatArray) -> FloatArray:
        return a - w * f(a) - drive

    reach = 10.0 * (1.0 + abs(drive) + abs(w) * float(np.max(np.abs(f(np.linspace(-10.0, 10.0, 201))))))
    grid = np.sinh(np.linspace(-np.arcsinh(100.0 * reach), np.arcsinh(100.0 * reach), 4001)) / 100.0
    step = 1e-12 * (1.0 + np.abs(f.breakpoints))
    breaks = np.array(f.breakpoints)
    grid = np.union1d(grid, np.concatenate([breaks - step, breaks, breaks + step]))
    sign = np.sign(r(grid))
    zero = sign == 0.0
    crossing = np.flatnonzero(sign[:-1] * sign[1:] < 0.0)
    low, high = grid[crossing], grid[crossing + 1]
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        left = np.sign(r(middle)) == sign[crossing]
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    ends = grid[zero & ~(np.roll(zero, 1) & np.roll(zero, -1))]  # of a continuum of roots, its ends
    roots = np.concatenate([ends, low, high])
    good = np.abs(r(roots)) <= RESIDUAL * (1.0 + np.abs(roots))
    return _distinct([np.atleast_1d(state) for state in f(roots[good])])


def _multistart(net: CTRNN, drive: FloatArray) -> list[FloatArray]:
    rng = np.random.default_rng(0)
    f, df = net.activation, net.activation.derivative
    scale = 1.0 + np.max(np.abs(drive))
    starts = rng.standard_normal((STARTS, net.n)) * scale * rng.choice([0.1, 1.0, 5.0], size=(STARTS, 1))
    starts[0] = 0.0
    starts[1::2] = f(starts[1::2] @ net.W.T + drive)
    states, residual = newton(f, df, net.W, drive, np.concatenate([starts, _relaxed_corners(net, drive, scale, rng)]))
    return _distinct([state for state, error in zip(states, residual, strict=True) if error <= RESIDUAL])


def _relaxed_corners(net: CTRNN, drive: FloatArray, scale: float, rng: np.random.Generator) -> FloatArray:
    """States (M, N) near attractors: where corners f(±far) lead, all 2^N of them or 256 drawn."""
    if 2**net.n <= STARTS:
        signs = 2.0 * (np.arange(2**net.n)[:, None] >> np.arange(net.n) & 1) - 1.0
    else:
        signs = rng.choice([-1.0, 1.0], size=(STARTS, net.n))
    h: FloatArray = net.activation(FAR * scale * signs)
    for _ in range(RELAXED):
        moved = 0.5 * (h + net.activation(h @ net.W.T + drive))
        h = np.where(np.max(np.abs(moved), axis=1, keepdims=True) < BOUND, moved, h)
    return h


def _distinct(states: list[FloatArray]) -> list[FloatArray]:
    kept: list[FloatArray] = []
    for state in states:
        if all(np.max(np.abs(state - other)) > SAME * (1.0 + np.max(np.abs(other))) for other in kept):
            kept.append(state)
    return kept
