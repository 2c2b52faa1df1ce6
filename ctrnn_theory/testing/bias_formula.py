"""A check of a formula for the noise-induced bias of one neuron, by the order of its error against the exact law."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.arguments import float_array, integer, nonnegative
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

EPS = float(np.finfo(float).eps)
HALVINGS = 24  # largest number of times that the noise is halved; the error has reached rounding by then
CLEAR = 30.0  # accuracies of the comparison; an error above this is known to 3 %
WINDOW = 2.0 ** (np.arange(5) / 3.0)  # levels of noise in the regression, relative to the lowest


@dataclass(frozen=True, eq=False)
class Convergence:
    """Measured order at which the error of a formula for the noise-induced bias falls with the noise."""

    scale: FloatArray
    """Levels of noise as factors of the given noise, ascending."""
    formula: FloatArray
    """Value of the formula at each level."""
    exact: FloatArray
    """Exact noise-induced bias at each level."""
    accuracy: FloatArray
    """Accuracy of the comparison at each level: smaller differences are rounding, or the error of the exact law."""
    order: float
    """Exponent p of error ∝ σᵖ, by regression; infinite for an exact formula."""

    @property
    def error(self) -> FloatArray:
        """Value of the formula minus the exact bias, at each level."""
        return self.formula - self.exact

    @property
    def is_exact(self) -> bool:
        """Whether no error could be seen at any level."""
        return math.isinf(self.order)

    def __str__(self) -> str:
        rows = zip(self.scale, self.formula, self.exact, self.error, self.accuracy, strict=True)
        head = f"{'noise ×':>12} {'formula':>22} {'exact':>22} {'difference':>12} {'accuracy':>9}"
        return "\n".join([head, *(f"{a:12.5g} {b:22.14e} {c:22.14e} {d:12.3e} {e:9.1e}" for a, b, c, d, e in rows)])


@guarded
@limited
def assert_bias_formula(
    formula: Callable[[CTRNN, Noise], ArrayLike],
    net: CTRNN,
    noise: Noise,
    order: int = 2,
    *,
    tolerance: float = 0.3,
    precision: float = 0.0,
) -> Convergence:
    """Assert that a formula for the noise-induced bias E h - h* of one neuron is correct to a given order in the noise.

    The formula is compared with the exact law while the given noise is scaled down, as long as the difference exceeds
    the accuracy of the comparison clearly. There the order of the difference is measured by regression over a factor
    2.5 of noise. A formula with all terms to σ^order has an error ∝ σ^(order+2), since odd powers vanish for smooth f.
    On a kink they do not, and an error ∝ σ^(order+1) is required. No value passes merely because it looks close.

    A wrong coefficient is found if it changes the formula by more than about a part in 10⁵. An error that is smaller
    than rounding at every level of noise is not found.

    Parameters
    ----------
    formula
        Function that is called as formula(net, noise) with scaled noise. It returns the bias, a number or an array of
        one number, about the fixed point to which the network settles from zero.
    net, noise
        A network of one neuron and its noise, at a level where the formula need not be accurate yet.
    order
        Highest power of σ that the formula claims to contain; 0 for a formula that predicts no bias.
    tolerance
        Amount by which the measured order may fall short.
    precision
        Absolute accuracy of the formula's own arithmetic beyond rounding, such as the tolerance of an iteration.

    Returns
    -------
    Convergence
        The measurement. ``is_exact`` is True if no error was seen at any level.

    Raises
    ------
    AssertionError
        If the error falls more slowly; the message holds a table of the values that were compared.
    ValueError
        If the network has more than one neuron, or there is no noise.
    NotApplicable
        If the exact method does not apply to the network.

    Examples
    --------
    >>> net = CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2)
    >>> def without_recurrence(net, noise):
    ...     a = net.preactivation(predict(net, noise, method="deterministic").mean)
    ...     return 0.5 * noise.inside**2 * net.activation.derivative(a, 2)
    >>> found = assert_bias_formula(without_recurrence, CTRNN.single(0.0, 0.2, "softplus"), Noise(inside=0.5))
    >>> round(found.order, 1)
    4.0
    >>> assert_bias_formula(without_recurrence, net, Noise(inside=0.5))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: the error falls as σ^2.00, and that of a formula of order 2 must fall at least as σ^4
    ...
    """
    check_model(net, noise)
    order, tolerance = integer("order", order), nonnegative("tolerance", tolerance)
    precision = nonnegative("precision", precision)
    if net.n != 1:
        raise ValueError(f"net must have one neuron, whose exact law is known; got {net.n}")
    if noise.is_zero:
        raise ValueError("noise must be above 0 inside or outside the activation; got none")
    compare = _Comparison(formula, net, noise, precision)
    lowest = compare.lowest()
    if lowest is None:
        return compare.convergence([2.0, 1.0, 0.5], fit=False)
    found = compare.convergence(list(lowest * WINDOW), fit=True)
    asked = order + (1 if compare.on_a_kink else 2)
    if not found.order >= asked - tolerance:
        raise AssertionError(
            f"the error falls as σ^{found.order:.2f}, and that of a formula of order {order} must fall at least as "
            f"σ^{asked}\n{found}"
        )
    return found


class _Comparison:
    """The formula and the exact law at any level of the noise; values are kept."""

    def __init__(self, formula: Callable[[CTRNN, Noise], ArrayLike], net: CTRNN, noise: Noise, precision: float):
        self.formula, self.net, self.noise, self.precision = formula, net, noise, precision
        base = predict(net, noise, method="deterministic")
        if not base.converged:
            raise ValueError("net must settle to a fixed point from zero, about which the bias is taken; it does not")
        f, self.h = net.activations[0], base.mean
        a = net.preactivation(self.h)
        self.on_a_kink = bool(np.any(np.abs(a - np.array(f.breakpoints)) <= 1e-10 * (1.0 + np.abs(a))))
        stiffness = abs(1.0 - float(net.W[0, 0] * f.derivative(a)[0]))
        self.rounding = 8.0 * EPS * float(np.max(np.abs([self.h[0], a[0]]))) / max(min(stiffness, 1.0), EPS)
        self.known: dict[float, tuple[float, float, float]] = {}

    def at(self, scale: float) -> tuple[float, float, float]:
        """Return the formula, the exact bias and the accuracy of their difference at a multiple of the noise."""
        if scale not in self.known:
            scaled = self.noise.scaled(scale)
            law = predict(self.net, scaled, method="exact", tolerance=1e-12)
            value = float_array("value of formula", self.formula(self.net, scaled)).ravel()
            if value.size != 1 or not np.isfinite(value[0]):
                raise AssertionError(f"the formula must return one finite number; got {value} for {scaled}")
            accuracy = float(law.details["error"][0]) + self.rounding + self.precision
            self.known[scale] = float(value[0]), float(law.rate[0] - self.net.rate(self.h)[0]), accuracy
        return self.known[scale]

    def clear(self, scale: float) -> bool:
        """Return whether the difference clearly exceeds the accuracy."""
        formula, exact, accuracy = self.at(scale)
        return abs(formula - exact) > CLEAR * accuracy

    def lowest(self) -> float | None:
        """Return the lowest of the halved levels at which the difference is clear; None if there is none.

        The difference may change its sign at a single level that is not clear; two of them in a row end the search.
        """
        levels, missed = [scale for scale in (1.0, 2.0) if self.clear(scale)][:1], 0
        for k in range(1, HALVINGS if levels else 2):
            missed = 0 if self.clear(0.5**k) else missed + 1
            if not missed:
                levels.append(0.5**k)
            if missed == 2:
                break
        return min(levels, default=None)

    def convergence(self, scales: list[float], fit: bool) -> Convergence:
        """Return the values at these levels, and the order by regression if `fit`."""
        scale = np.array(sorted(scales))
        formula, exact, accuracy = np.array([self.at(x) for x in scale]).T
        error = np.maximum(np.abs(formula - exact), accuracy)
        order = float(np.polyfit(np.log(scale), np.log(error), 1)[0]) if fit else math.inf
        return Convergence(scale, formula, exact, accuracy, order)
