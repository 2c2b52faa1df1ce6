"""Fixed points of the noise-free network, and their stability in discrete time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.activations.group import parts
from ctrnn_theory.dynamics.large_search import RESIDUAL, large_search
from ctrnn_theory.dynamics.linear_response import LARGE, is_stable, largest_gain
from ctrnn_theory.dynamics.newton import newton
from ctrnn_theory.dynamics.piecewise_linear import enumerable, enumerate_states
from ctrnn_theory.dynamics.roots import one_neuron
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.model.network import CTRNN, check_network
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Result, counted, neuron_table, plain, row_of
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

STARTS = 256  # random starts of Newton's method for a network of several neurons, and as many from corners
CORNER = 10.0  # pre-activation of a corner of the states, in units of the drive's size
RELAXATION_STEPS = 20  # half steps from a corner towards the attractor that it leads to
SAME = 1e-6  # relative distance below which two roots are one
ON_KINK = 1e-12  # relative distance of a pre-activation to a kink within which it lies on it
SIDE = 1e-9  # relative distance at which the slopes on both sides of a kink are taken


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class FixedPoint(Result):
    """A state h* = f(W h* + W_in u + b), or v* = W f(v*) + W_in u + b, and its linear stability under the step."""

    state: FloatArray
    """h*, or v* of a network in voltage form, shape (N,)."""
    preactivation: FloatArray
    """a* = W h* + W_in u + b, or v*, shape (N,)."""
    eigenvalues: NDArray[np.complex128]
    """Eigenvalues (N,) of 1 - Γ + Γ D W (Γ W D in voltage form), D = diag f'(a*), complex, largest modulus first."""
    stable: bool
    """Whether all of them lie inside the unit circle, at a kink for the slopes of both sides; never at a jump."""

    def _headline(self) -> str:
        kind = "stable" if self.stable else "unstable"
        return f"{kind}, largest modulus of an eigenvalue {abs(self.eigenvalues[0]):.6g}"

    def _parts(self, few: int) -> Iterator[Table]:
        yield neuron_table({"state": self.state, "pre-activation": self.preactivation}, few)

    def _arrays(self) -> Arrays:
        return Arrays({name: ("neuron", getattr(self, name)) for name in ("state", "preactivation", "eigenvalues")}, {})


class FixedPoints(Result, tuple[FixedPoint, ...]):
    """The fixed points of a network, a tuple that knows whether it is complete.

    Examples
    --------
    >>> found = fixed_points(CTRNN.single(w=0.99, b=10.0))
    >>> [round(float(point.state[0]), 9) for point in found], found.complete
    ([1000.0], True)
    """

    complete: bool
    """Whether these are surely all fixed points of the network."""
    message: str
    """What was searched, and what may be missing; empty if nothing is."""

    def __new__(cls, points: Iterable[FixedPoint] = (), message: str = "") -> FixedPoints:
        """Make a tuple of points, complete if there is no message."""
        made = super().__new__(cls, points)
        made.complete, made.message = not message, message
        return made

    def __getnewargs__(self) -> tuple[tuple[FixedPoint, ...], str]:
        """Return the arguments from which a copy or an unpickled tuple is made."""
        return tuple(self), self.message

    def _headline(self) -> str:
        unstable = f"{sum(not point.stable for point in self)} of them unstable"
        return f"{counted(len(self), 'fixed point')}{', ' + unstable if self else ''}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        if self:
            shown = list(self) if len(self) <= few else sorted(self, key=lambda point: not point.stable)[:few]
            rows = [
                [row_of(point.state, few), "yes" if point.stable else "no", f"{abs(point.eigenvalues[0]):.6g}"]
                for point in shown
            ]
            yield Table(("state", "stable", "largest modulus"), rows, left=2)
            if len(self) > few:
                yield f"and {len(self) - few} more, the stable ones first"
        if self.message:
            yield self.message

    def to_dict(self) -> dict[str, Any]:
        """Return the points, and whether they are all, as plain Python objects that JSON can hold."""
        return {"points": plain(list(self)), "complete": self.complete, "message": self.message}

    def _arrays(self) -> Arrays:
        return Arrays(
            {
                "state": (("point", "neuron"), np.array([point.state for point in self])),
                "preactivation": (("point", "neuron"), np.array([point.preactivation for point in self])),
                "stable": ("point", [point.stable for point in self]),
            },
            {},
        )


@guarded
@limited
def fixed_points(net: CTRNN, u: ArrayLike | None = None) -> FixedPoints:
    """Find the fixed points of the noise-free network, all of them for one neuron and for a piecewise-linear f.

    For one neuron every root of a - w f(a) - drive is isolated by interval arithmetic, see
    :func:`~ctrnn_theory.dynamics.roots.one_neuron`. For several neurons with a piecewise-linear f, up to 14 of relu or
    12 of hardtanh, every point is found by :func:`~ctrnn_theory.dynamics.piecewise_linear.enumerate_states`. A
    continuum of points is given by its ends. Otherwise the search starts from 512 seeded states, of which half are
    corners of the states. It may miss points, unless the network contracts and so has one alone.

    Up to 63 neurons, corners are relaxed for a while, Newton's method begins at every state, and duplicates are
    removed. Of random networks of 8 neurons and weights of standard deviation 3/√8 this misses about one unstable point
    in fifteen. From 64 neurons on, all states are relaxed together until they come to rest or meet. Newton's method
    begins once at each place where they did, and then at states that were not relaxed: at some hundred of them in a
    network of 128 neurons, ten of 256, and one or two of 512, since their cost is bounded. So attractors with a basin
    of some size are found in a network of any size, and few unstable points of a large one. Memory grows as the number
    of states times N, or N².

    Points of a network in voltage form are looked for as those of the network in rate form with the same weights and
    input, h* = f(W h* + W_in u + b): they are v* = W h* + W_in u + b, one for each. Values of γ do not move points, and
    count in their stability.

    Parameters
    ----------
    net
        The network, N neurons.
    u
        Constant input (K,), or None.

    Returns
    -------
    FixedPoints
        Tuple of :class:`FixedPoint`, sorted by their first coordinate, then the next. ``complete`` says whether these
        are surely all, and ``message`` what was searched and what may be missing: points that Newton's method missed,
        points of a continuum, or roots that rounding does not tell apart.

    Examples
    --------
    >>> bistable = CTRNN.single(w=1.5, b=0.0, activation="tanh")
    >>> [(round(float(p.state[0]), 6), p.stable) for p in fixed_points(bistable)]
    [(-0.85856, True), (0.0, False), (0.85856, True)]
    """
    check_network(net)
    drive, f = net.drive(u), net.activation
    remarks: list[str] = []
    if net.n == 1:
        roots = one_neuron(net.activations[0], float(net.W[0, 0]), float(drive[0]))
        states, remarks = [np.array([h]) for _, h in roots.found], roots.remarks
    elif enumerable(f, net.n):
        states, regular = enumerate_states(f, net.W, drive)
        remarks = [] if regular else ["where the equations are singular there may be a continuum of fixed points"]
    else:
        contracts = largest_gain(f, net.W) < 1.0
        if net.n < LARGE:
            states, searched = _multistart(net, drive), f"they were looked for from {2 * STARTS} starts"
        else:
            raw, corners = _starts(net, drive)
            found, searched = large_search(net, drive, *((raw[:1], corners[:0]) if contracts else (raw, corners)))
            states = _distinct(found)
        if not (len(states) == 1 and contracts):
            remarks = [f"{searched}, and there may be others"]
    if net.form == "voltage":
        states = [net.W @ rates + drive for rates in states]
    points = sorted((fixed_point_at(net, state, drive) for state in states), key=lambda point: tuple(point.state))
    return FixedPoints(points, "; ".join(remarks))


def fixed_point_at(net: CTRNN, state: FloatArray, drive: FloatArray) -> FixedPoint:
    """Describe the fixed point at a state (N,) known to be one, with `drive` the input current (N,)."""
    wiring, f = Wiring.driven(net, drive), net.activation
    a = wiring.preactivation(state)
    eigenvalues = np.linalg.eigvals(wiring.jacobian(f.derivative(a))).astype(np.complex128)
    stable = bool(np.all(np.abs(eigenvalues) < 1.0))
    nearby, on_jump = np.zeros(net.n, dtype=bool), False
    for one, neurons in parts(f, net.n):
        near = np.abs(a[neurons, None] - np.array(one.breakpoints)) <= ON_KINK * (1.0 + np.abs(a[neurons, None]))
        nearby[neurons] = near.any(axis=1)
        jumps = [kink.location for kink in one.kinks if kink.value_jump]
        on_jump |= bool(np.any(near & np.isin(one.breakpoints, jumps)))
    if nearby.any():
        shift = SIDE * (1.0 + np.abs(a)) * nearby
        sides = [wiring.jacobian(f.derivative(a + side * shift)) for side in (-1.0, 1.0)]
        stable = stable and not on_jump and all(map(is_stable, sides))
    order = np.argsort(-np.abs(eigenvalues))
    return FixedPoint(state, a, eigenvalues[order], stable)


def _multistart(net: CTRNN, drive: FloatArray) -> list[FloatArray]:
    """Return the different rates (N,) that Newton's method reaches from random states and relaxed corners."""
    f, W = net.activation, net.W
    starts, h = _starts(net, drive)
    for _ in range(RELAXATION_STEPS):
        moved = 0.5 * (h + f(h @ W.T + drive))
        h = np.where(np.max(np.abs(moved), axis=1, keepdims=True) < BOUND, moved, h)
    rates = Wiring.in_rates(W, drive, net.gamma)
    states, residual, _ = newton(f, f.derivative, rates, np.concatenate([starts, h]))
    return _distinct([state for state, error in zip(states, residual, strict=True) if error <= RESIDUAL])


def _starts(net: CTRNN, drive: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return random rates (M, N), the first of which are zero, and corners f(±CORNER), all 2^N of them or 256."""
    rng = np.random.default_rng(0)
    f, scale = net.activation, 1.0 + np.max(np.abs(drive))
    starts = rng.standard_normal((STARTS, net.n)) * scale * rng.choice([0.1, 1.0, 5.0], size=(STARTS, 1))
    starts[0] = 0.0
    starts[1::2] = f(starts[1::2] @ net.W.T + drive)
    if 2**net.n <= STARTS:
        signs = 2.0 * (np.arange(2**net.n)[:, None] >> np.arange(net.n) & 1) - 1.0
    else:
        signs = rng.choice([-1.0, 1.0], size=(STARTS, net.n))
    return starts, f(CORNER * scale * signs)


def _distinct(states: list[FloatArray]) -> list[FloatArray]:
    """Return the states without those that equal an earlier one to `SAME`."""
    kept: list[FloatArray] = []
    for state in states:
        if all(np.max(np.abs(state - other)) > SAME * (1.0 + np.max(np.abs(other))) for other in kept):
            kept.append(state)
    return kept
