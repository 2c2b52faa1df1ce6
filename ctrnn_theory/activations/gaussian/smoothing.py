"""Gaussian smoothing of an activation, F(a; s) = E f(a + s ξ) with ξ standard normal, and Var f(a + s ξ)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.gaussian import closed_forms, logistic_family, quadrature
from ctrnn_theory.activations.gaussian.closed_forms import PROBIT, PiecewisePolynomial, probit_terms
from ctrnn_theory.activations.gaussian.hermite_coefficients import has_variance_rule, rule_variance
from ctrnn_theory.activations.gaussian.power_law import power_law
from ctrnn_theory.activations.gaussian.steps_and_ramps import step_step
from ctrnn_theory.support.arguments import float_array, integer
from ctrnn_theory.support.types import BoolArray, FloatArray

WIDE = 100.0  # times the span of the breaks: for larger s, powers of s that cancel cost more than two digits
MOST_PROBIT = 20.0  # s above which a correlation of steps is so near 1 that its rounding costs two digits

_polynomials = lru_cache(maxsize=256)(PiecewisePolynomial.of)


def smoothed(act: Any, a: ArrayLike, s: ArrayLike, derivative: int = 0) -> Any:
    """Compute d^n/da^n E f(a + s ξ), ξ standard normal.

    Piecewise linear functions, polynomials with one break at most, erf, probit, gelu, elu and sin have closed forms.
    Sigmoid, tanh, softplus and silu are integrated by fixed rules that are good to rounding (see ``logistic_family``),
    and so are power laws (see ``rectified_power``); everything else by Gauss–Legendre panels (see ``quadrature``).

    Parameters
    ----------
    act
        The activation f.
    a, s
        Mean and standard deviation (at least 0) of the argument, broadcast against each other.
    derivative
        Order n of the derivative in a.

    Returns
    -------
    numpy.ndarray or numpy.float64
        The value, of the shape that a and s broadcast to. At s = 0 it is the n-th derivative of f itself, which at a
        kink is the mean of its one-sided limits.

    Raises
    ------
    ValueError
        If a or s is not finite, s is negative, the derivative is not an integer of at least 0, or f is not finite
        in the range that matters.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> smoothed(activation("relu"), 0.0, [0.0, 1.0])
    array([0.        , 0.39894228])
    >>> smoothed(activation("sin"), 0.0, 1.0, derivative=1)      # exp(-1/2)
    np.float64(0.6065306597126334)
    """
    a, s, shape = checked(a, s)
    order = integer("derivative", derivative)
    value = np.empty_like(a)
    noisy = s > 0.0
    with np.errstate(all="ignore"):
        if noisy.all():
            value = _smoothed(act, a, s, order)
        else:
            value[noisy] = _smoothed(act, a[noisy], s[noisy], order)
            value[~noisy] = act.derivative(a[~noisy], order) if order else act(a[~noisy])
    return value.reshape(shape)[()]


def smoothed_variance(act: Any, a: ArrayLike, s: ArrayLike) -> Any:
    """Compute Var f(a + s ξ), ξ standard normal, accurate relative to its own size however small s is.

    It takes the arguments of :func:`smoothed`, returns an array of the same shape, and raises the same errors.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> smoothed_variance(activation("step"), 0.0, [0.0, 1.0])
    array([0.  , 0.25])
    """
    a, s, shape = checked(a, s)
    value = np.zeros_like(a)
    noisy = s > 0.0
    with np.errstate(all="ignore"):
        if noisy.all():
            value = _variance(act, a, s)
        elif noisy.any():
            value[noisy] = _variance(act, a[noisy], s[noisy])
    return value.reshape(shape)[()]


def quick(act: Any) -> bool:
    """Return whether the smoothing of f has a closed form or a fixed rule."""
    if act.text in logistic_family.FAMILIES or act.text in closed_forms.SMOOTHED:
        return True
    return _polynomials(act) is not None or power_law(act) is not None


def cancels(act: Any, s: FloatArray) -> BoolArray:
    """Return where truncated powers at several breaks cancel, because s is large compared with the breaks' distance."""
    breaks = act.breakpoints
    return np.asarray(s > WIDE * (breaks[-1] - breaks[0]) if len(breaks) > 1 else np.zeros(s.shape, dtype=bool))


def _smoothed(act: Any, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    if a.size == 0:
        return np.empty_like(a)
    if act.text in logistic_family.FAMILIES:
        return logistic_family.smoothed(act.text, a, s, order)
    if act.text in closed_forms.SMOOTHED:
        return closed_forms.SMOOTHED[act.text](a, s, order)
    polynomials, law = _polynomials(act), power_law(act)
    if polynomials is None:
        return quadrature.smoothed(act, a, s, order) if law is None else law.smoothed(a, s, order)
    if law is not None:  # truncated powers cancel where f is flat
        return _either(law.on_flat_side(a), law.smoothed, polynomials.smoothed, a, s, order)
    far = polynomials.smoothed_far if act.piecewise_linear else partial(quadrature.smoothed, act)
    return _either(cancels(act, s), far, polynomials.smoothed, a, s, order)


def _variance(act: Any, a: FloatArray, s: FloatArray) -> FloatArray:
    if act.text == "sin":
        return closed_forms.sin_variance(a, s)
    if act.text in logistic_family.SIGMOIDS:
        value = logistic_family.identity_variance(act.text, a, s)
        left = np.isnan(value)
        value[left] = _general_variance(act, a[left], s[left])
        return value
    return _general_variance(act, a, s)


def _general_variance(act: Any, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return the variance by a rule, a closed form, or quadrature."""
    if a.size == 0:
        return np.empty_like(a)
    rule, quick = _variance_rule(act, s)
    if rule is not None and quick.any():
        value = np.empty_like(a)
        value[quick], value[~quick] = rule(act.text, a[quick], s[quick]), quadrature.variance(act, a[~quick], s[~quick])
        return value
    polynomials, law = _polynomials(act), power_law(act)
    if polynomials and len(polynomials.breaks) <= 1:
        if law is not None:
            return _either(law.on_flat_side(a), law.variance, polynomials.variance, a, s)
        return polynomials.variance(a, s)
    return quadrature.variance(act, a, s) if law is None else law.variance(a, s)


def _either(
    which: BoolArray,
    one: Callable[..., FloatArray],
    other: Callable[..., FloatArray],
    a: FloatArray,
    s: FloatArray,
    *order: int,
) -> FloatArray:
    """Return one(a, s, ...) where `which` holds, and else other(a, s, ...)."""
    if not which.any():
        return other(a, s, *order)
    value = np.empty_like(a)
    value[which], value[~which] = one(a[which], s[which], *order), other(a[~which], s[~which], *order)
    return value


def _variance_rule(act: Any, s: FloatArray) -> tuple[Callable[[str, FloatArray, FloatArray], FloatArray] | None, Any]:
    """Return the rule for variances of an activation, or None, and where it holds."""
    if act.text in PROBIT:
        return _probit_variance, s <= MOST_PROBIT
    if act.text in logistic_family.FAMILIES:
        return rule_variance, has_variance_rule(act.text, s)
    return None, False


def _probit_variance(name: str, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return the covariance of steps of two inputs that are equal but for noise of their own."""
    amplitude, z, scale = probit_terms(name, a, s)
    return amplitude**2 * step_step(z, z, (scale * s) ** 2)


def checked(a: ArrayLike, s: ArrayLike) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
    """Return a and s as flat float64 arrays and the shape of the result, or raise a ValueError."""
    a, s = float_array("a", a), float_array("s", s)
    for name, array in (("a", a), ("s", s)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite; got {array[~np.isfinite(array)].flat[0]}")
    if (s < 0.0).any():
        raise ValueError(f"s must be at least 0, a standard deviation; got {s.min()}")
    if a.shape != s.shape:
        try:
            a, s = np.broadcast_arrays(a, s)
        except ValueError:
            raise ValueError(f"s must have a shape that broadcasts with that of a, {a.shape}; got {s.shape}") from None
    return a.ravel(), s.ravel(), a.shape
