"""The branches of an expression, and the intervals on which each of them is active.

Every place where a function built with Abs, sign, Heaviside, Max, Min or Piecewise can fail to be smooth is a root
of a *switching function*: the argument of Abs, the difference of two arguments of Max, of two sides of a condition.
The line is cut at those roots until no switching function has one inside an interval; on each interval the branches
are then fixed, and the expression is one smooth function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import sympy as sp

from ctrnn_theory.activations.symbolic.evaluate import precise
from ctrnn_theory.activations.symbolic.parse import rebuilt, refuse, x
from ctrnn_theory.activations.symbolic.printing import to_text
from ctrnn_theory.activations.symbolic.roots import real_roots

MAX_PIECES = 500
TINY = mpmath.mpf(10) ** (-30)  # a smaller difference is zero, at 50 digits
SWITCHING = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)


def split(expression: Any) -> list[tuple[Any, Any]]:
    """Return the lower end and the smooth expression of every interval on which no branch changes."""
    waiting, done = [(-mpmath.inf, mpmath.inf)], []
    while waiting:
        lower, upper = waiting.pop()
        switches: list[Any] = []
        branch = resolve(expression, _inside(lower, upper), switches)
        roots = [real_roots(switch) for switch in dict.fromkeys(switches)]
        cuts = sorted({r for found in roots for r in found.points if lower + TINY < r < upper - TINY})
        if cuts:
            ends = [lower, *cuts, upper]
            waiting += [(a, b) for a, b in itertools.pairwise(ends) if not b - a < TINY]
        else:
            outermost = lower == -mpmath.inf or upper == mpmath.inf
            endless = outermost and any(found.endless for found in roots)
            done.append((lower, expression if endless else branch))
        if len(waiting) + len(done) > MAX_PIECES:
            raise refuse(f"must have at most {MAX_PIECES} smooth pieces", to_text(expression))
    return done


def _inside(lower: Any, upper: Any) -> Any:
    if lower == -mpmath.inf:
        return mpmath.mpf(0.4472) if upper == mpmath.inf else upper - mpmath.mpf(0.8163)
    return lower + mpmath.mpf(0.8163) if upper == mpmath.inf else lower + (upper - lower) * mpmath.mpf(0.5137)


def resolve(expression: Any, t: Any, switches: list[Any]) -> Any:
    """Return the smooth branch of the expression that is active at t, and add its switching functions to `switches`."""
    if not expression.has(*SWITCHING):
        return expression

    def positive(switch: Any) -> bool:
        if switch.has(x):
            switches.extend([switch, *guards(switch)])
        value = precise(switch, t)
        if mpmath.isnan(value) or mpmath.im(value):
            rule = "must switch its branches by real numbers, and does not"
            raise refuse(f"{rule} at x = {float(t):.6g}", to_text(switch))
        return bool(value > 0)

    def holds(condition: Any) -> bool:
        if condition in (sp.true, sp.false):
            return bool(condition)
        if isinstance(condition, sp.And | sp.Or):
            parts = [holds(part) for part in condition.args]  # a list, so that every switch is visited
            return all(parts) if isinstance(condition, sp.And) else any(parts)
        difference = resolve(condition.gts, t, switches) - resolve(condition.lts, t, switches)
        if difference == 0:
            return isinstance(condition, sp.LessThan | sp.GreaterThan)
        return positive(difference)

    if isinstance(expression, sp.Piecewise):
        return next(resolve(value, t, switches) for value, condition in expression.args if holds(condition))
    arguments = [resolve(part, t, switches) for part in expression.args]
    if isinstance(expression, sp.Abs):
        return arguments[0] if positive(arguments[0]) else -arguments[0]
    if isinstance(expression, sp.sign | sp.Heaviside):
        sign = 0 if arguments[0] == 0 else 1 if positive(arguments[0]) else -1
        return sp.Integer(sign) if isinstance(expression, sp.sign) else sp.Rational(1 + sign, 2)
    if isinstance(expression, sp.Max | sp.Min):
        return _extreme(max if isinstance(expression, sp.Max) else min, arguments, t, switches)
    branch = rebuilt(expression.func, arguments)
    if branch.has(sp.zoo, sp.nan):
        raise refuse(f"must be finite, and is not at x = {float(t):.6g}", to_text(expression))
    return branch


def _extreme(choose: Callable[..., Any], arguments: list[Any], t: Any, switches: list[Any]) -> Any:
    """Return the largest or the smallest of smooth arguments at t, and add its differences to the others."""
    best = choose(arguments, key=lambda argument: mpmath.re(precise(argument, t)))
    for difference in (best - other for other in arguments):
        if difference.has(x):
            switches.extend([difference, *guards(difference)])
    return best


def guards(expression: Any) -> list[Any]:
    """Return the functions of x at whose roots an expression may be singular."""
    found = [power.base for power in expression.atoms(sp.Pow) if not (power.exp.is_Integer and power.exp > 0)]
    found += [function.args[0] for function in expression.atoms(sp.log)]
    return [guard for guard in found if guard.has(x)]
