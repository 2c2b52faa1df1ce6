"""The average of an activation over noise of which a part is multiplied by the pre-activation, as an activation."""

from __future__ import annotations

import math

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed
from ctrnn_theory.support.errors import NotApplicable

FORMS = {
    "erf": "erf(x/sqrt(1 + 2*{v}))",
    "probit": "erfc(-x/sqrt(2 + 2*{v}))/2",
    "gelu": "x*erfc(-x/sqrt(2 + 2*{v}))/2 + {v}*exp(-x**2/(2 + 2*{v}))/sqrt(2*pi*(1 + {v}))",
    "sin": "exp(-{v}/2)*sin(x)",
}
"""E f(x + s ξ) of smooth built-in activations as a function of v = s²."""
RAMP = "({y}*erfc(-{y}/sqrt(2*{v}))/2 + sqrt({v})*exp(-{y}**2/(2*{v}))/sqrt(2*pi))"
STEP = "erfc(-{y}/sqrt(2*{v}))/2"


def multiplied(f: Activation, std: float, gain: float) -> Activation:
    """Return the activation F(x) = E f(x (1 + g ξ) + σ ξ'), which is E f(x + s ξ) with s² = σ² + g² x².

    Raises
    ------
    NotApplicable
        If F has no closed expression, or is not smooth where s vanishes.

    Examples
    --------
    >>> multiplied(activation("relu"), 0.0, 0.5)([-1.0, 1.0])
    array([0.00424535, 1.00424535])
    """
    if isinstance(f, Smoothed):
        return multiplied(f.inner, math.hypot(f.width, std), gain)
    if f.piecewise_linear and not f.breakpoints:
        return f
    v = f"({std**2!r} + {gain**2!r}*x**2)"
    if f.text in FORMS:
        return activation(FORMS[f.text].format(v=v))
    if not f.piecewise_linear:
        raise NotApplicable(f"{f.name} averaged over multiplicative noise inside has no closed expression")
    return activation(_ramps_and_steps(f, v)) if std > 0.0 else _on_rays(f, gain)


def _ramps_and_steps(f: Activation, v: str) -> str:
    """Return E f(x + s ξ) of a piecewise-linear f, a straight line and what each kink adds."""
    value, slope = _line(f, 0)
    terms = [f"({value!r}) + ({slope!r})*x"]
    for kink in f.kinks:
        y = f"(x - ({kink.location!r}))"
        for jump, block in ((kink.slope_jump, RAMP), (kink.value_jump, STEP)):
            if jump:
                terms.append(f"({jump!r})*{block.format(y=y, v=v)}")
    return " + ".join(terms)


def _on_rays(f: Activation, gain: float) -> Activation:
    """Return E f(x (1 + g ξ)) where it is straight on either side of zero, as f is.

    x (1 + g ξ) keeps the sign of x with the probability Φ(1/g), and E (1 + g ξ)₊ = Φ(1/g) + g φ(1/g).
    """
    if f.breakpoints != (0.0,):
        raise NotApplicable(f"{f.name} averaged over multiplicative noise alone is not smooth at zero")
    kept = 0.5 * math.erfc(-1.0 / (gain * math.sqrt(2.0)))
    sized = kept + gain * math.exp(-0.5 / gain**2) / math.sqrt(2.0 * math.pi)
    below, above = _line(f, 0), _line(f, 1)
    rays = []
    for own, other in ((below, above), (above, below)):
        value, slope = kept * own[0] + (1.0 - kept) * other[0], sized * own[1] + (1.0 - sized) * other[1]
        rays.append(f"({value!r}) + ({slope!r})*x")
    return activation(f"Piecewise(({rays[0]}, x < 0), ({rays[1]}, True))")


def _line(f: Activation, piece: int) -> tuple[float, float]:
    """Return value at zero and slope of a straight piece of f."""
    value, slope = (*(f.pieces[piece].polynomial or ()), 0.0, 0.0)[:2]
    return value, slope
