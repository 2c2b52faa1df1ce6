"""Forms of an expression that neither overflow nor cancel, and their derivatives.

``log(1 + exp(u))`` overflows where it should be u, and its derivatives as SymPy writes them are quotients of
infinities. Functions that are computed as a whole (``logistic``, ``softplus``, ...) and whose derivatives are products
of each other avoid both at any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp

from ctrnn_theory.activations.symbolic.parse import rebuilt, x


def _function(name: str, about: str, slope: Callable[[Any], Any]) -> Any:
    def fdiff(self: Any, argindex: int = 1) -> Any:
        return slope(self.args[0])

    return type(name, (sp.Function,), {"__doc__": about, "fdiff": fdiff})


logistic: Any = _function("logistic", "1/(1 + exp(-u)).", lambda u: logistic(u) * logistic(-u))
softplus: Any = _function("softplus", "log(1 + exp(u)).", lambda u: logistic(u))
# as a derivative of tanh, 1 - tanh(u)² would cancel
tangent = _function("tangent", "tanh(u).", lambda u: 4 * logistic(2 * u) * logistic(-2 * u))
# SymPy would write its erfc of some u as the cancelling 2 - erfc(-u)
complement = _function("complement", "erfc(u).", lambda u: -2 * sp.exp(-(u**2)) / sp.sqrt(sp.pi))
expm1 = _function("expm1", "exp(u) - 1.", sp.exp)
log1p = _function("log1p", "log(1 + u).", lambda u: 1 / (1 + u))

EXPONENTIALS = (sp.exp, sp.sinh, sp.cosh, expm1)
MOST_TERMS = 64  # largest number of terms of a numerator that is multiplied out
ELEMENTARY = {
    logistic: lambda u: 1 / (1 + sp.exp(-u)),
    softplus: lambda u: sp.log(1 + sp.exp(u)),
    tangent: sp.tanh,
    complement: sp.erfc,
    expm1: lambda u: sp.exp(u) - 1,
    log1p: lambda u: sp.log(1 + u),
}


def elementary(expression: Any) -> Any:
    """Return a stable expression written in SymPy's own functions again.

    Examples
    --------
    >>> elementary(stable(sp.log(1 + sp.exp(2 * x))))
    log(exp(2*x) + 1)
    """
    if not expression.args or not expression.free_symbols:
        return expression
    arguments = [elementary(part) for part in expression.args]
    write = ELEMENTARY.get(expression.func)
    return write(*arguments) if write else rebuilt(expression.func, arguments)


@lru_cache(maxsize=4096)
def stable(expression: Any) -> Any:
    """Return an expression written in the functions of this module wherever they apply.

    Examples
    --------
    >>> stable(sp.log(1 + sp.exp(x)) + 1 / (1 + sp.exp(2 * x)))
    logistic(-2*x) + softplus(x)
    """
    if not expression.args or not expression.free_symbols:
        return expression
    arguments = [stable(part) for part in expression.args]
    if expression.func in RENAMED:
        return RENAMED[expression.func](*arguments)
    result = rebuilt(expression.func, arguments)
    rule = RULES.get(result.func)
    return rule(result) if rule else result


@lru_cache(maxsize=4096)
def derivative(expression: Any, order: int) -> Any:
    """Return the derivative of any order of a stable expression in x, as a stable expression.

    Jumps contribute nothing: it is the derivative between them.

    Examples
    --------
    >>> derivative(stable(sp.tanh(x)), 1)
    4*logistic(-2*x)*logistic(2*x)
    """
    if order == 0:
        return stable(expression)
    return stable(slope_of(derivative(expression, order - 1)))


def slope_of(expression: Any) -> Any:
    """Return the derivative of an expression in x between its jumps, written so that its value is found at every x.

    SymPy writes the slope of (1 - x)**p as p*(1 - x)**p/(x - 1), which has none at x = 1.
    """
    parted = [term.as_independent(x, as_Add=False) for term in sp.Add.make_args(expression)]
    if any(_is_root(rest) for _, rest in parted):
        slopes = (p.exp * p.base ** (p.exp - 1) * slope_of(p.base) if _is_root(p) else slope_of(p) for _, p in parted)
        return sp.Add(*[number * slope for (number, _), slope in zip(parted, slopes, strict=True)])
    if not expression.has(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise, *EXPONENTIALS):
        return sp.diff(expression, x)
    if (quotient := _quotient_slope(expression)) is not None:
        return quotient
    if isinstance(expression, sp.sign | sp.Heaviside):
        return sp.Integer(0)
    if isinstance(expression, sp.Piecewise):
        return rebuilt(sp.Piecewise, [(slope_of(e), c) for e, c in expression.args])
    if isinstance(expression, sp.Abs):
        return sp.sign(expression.args[0]) * slope_of(expression.args[0])
    if isinstance(expression, sp.Max | sp.Min):
        first, rest = expression.args[0], rebuilt(expression.func, expression.args[1:])
        larger, smaller = (first, rest) if isinstance(expression, sp.Max) else (rest, first)
        chosen = sp.StrictGreaterThan(larger, smaller, evaluate=False)
        return rebuilt(sp.Piecewise, [(slope_of(first), chosen), (slope_of(rest), True)])
    # the chain rule, argument by argument
    slots = [sp.Dummy(real=True) for _ in expression.args]
    outer = expression.func(*slots)
    inner = dict(zip(slots, expression.args, strict=True))
    return sp.Add(*[sp.diff(outer, s).xreplace(inner) * slope_of(a) for s, a in inner.items() if a.has(x)])


def _is_root(expression: Any) -> bool:
    return bool(expression.is_Pow and expression.exp.is_number and not expression.exp.is_Integer)


def _quotient_slope(expression: Any) -> Any:
    """Return the slope (N' D - k N D')/D**(k + 1) of N/D**k for a sum D of exponentials, or None for anything else.

    Terms of the numerator cancel exactly once it is multiplied out; in N'/D**k - k N D'/D**(k + 1) they would not.
    """
    if not (expression.is_Mul or expression.is_Pow):
        return None
    powers = expression.as_powers_dict()
    bottoms = [d for d, k in powers.items() if d.is_Add and k.is_Integer and k < 0 and d.has(*EXPONENTIALS)]
    if len(bottoms) != 1:
        return None
    D, k = bottoms[0], -powers[bottoms[0]]
    N = expression * D**k
    top = slope_of(N) * D - k * N * slope_of(D)
    if _terms(top) > MOST_TERMS:
        return None
    top = top.replace(lambda part: isinstance(part, sp.sinh | sp.cosh), lambda part: part.rewrite(sp.exp))
    return sp.expand(top) / D ** (k + 1)


def _terms(expression: Any) -> int:
    """Return the largest number of terms that an expression can have once it is multiplied out."""
    if expression.is_Add:
        return sum(_terms(part) for part in expression.args)
    if expression.is_Mul:
        return math.prod(_terms(part) for part in expression.args)
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return int(_terms(expression.base) ** min(int(expression.exp), 10))
    return 2 if isinstance(expression, sp.sinh | sp.cosh) else 1


def _exponentials(expression: Any) -> list[tuple[Any, Any]] | None:
    """Return [(c, u), (d, v)] of c exp(u) + d exp(v) with c, d > 0, a constant one last; None for anything else."""
    if not expression.is_Add or len(expression.args) != 2:
        return None
    terms = []
    for term in expression.args:
        number, rest = term.as_independent(x, as_Add=False)
        if not number.is_positive or not (rest == 1 or isinstance(rest, sp.exp)):
            return None
        terms.append((number, rest.args[0] if rest.args else sp.Integer(0)))
    return sorted(terms, key=lambda term: term[1] == 0)


def _on_log(expression: Any) -> Any:
    argument = expression.args[0]
    terms = _exponentials(argument)
    if terms:
        (c, u), (d, v) = terms
        return v + sp.log(d) + softplus(u - v + sp.log(c / d))
    if argument.is_Add and argument.args[0] == 1:
        return log1p(argument - 1)
    return expression


def _on_power(expression: Any) -> Any:
    base, exponent = expression.args
    terms = _exponentials(base) if exponent.is_negative else None
    if terms:
        (c, u), (d, v) = terms
        return (sp.exp(-v) * logistic(v - u + sp.log(d / c)) / d) ** (-exponent)
    return expression


def _on_product(expression: Any) -> Any:
    """Avoid infinity times zero by exp(u) logistic(-u) = logistic(u) and sinh(u)/cosh(u) = tanh(u)."""
    factors = expression.as_powers_dict()
    if any(isinstance(f, logistic) for f in factors):
        for f in list(factors):
            if f.is_Add and f.has(sp.exp, expm1) and factors[f].is_Integer and 0 < factors[f] <= 4:
                return stable(sp.expand(elementary_sum(expression), deep=False))
    hyperbolic = [f for f in factors if isinstance(f, sp.sinh | sp.cosh) and factors[f] in (1, 2, 3, 4)]
    if hyperbolic and _exp_factors(factors):  # exp(-u) cosh(u) and the like
        return stable(sp.expand(expression.xreplace({f: f.rewrite(sp.exp) for f in hyperbolic})))
    for f, power in list(factors.items()):
        if isinstance(f, logistic) and power.is_positive:
            for g, h in _exp_factors(factors):
                for n in range(1, int(power) + 1) if h.has(x) else ():
                    c = sp.expand(h + n * f.args[0])
                    if not c.has(x):  # exp(h) logistic(u)**n = exp(c) logistic(-u)**n
                        others = sp.Mul(*[b**p for b, p in factors.items() if b not in (f, g)])
                        return stable(others * f ** (power - n) * sp.exp(c) * logistic(-f.args[0]) ** n)
        if isinstance(f, sp.cosh) and power.is_negative and factors.get(sp.sinh(f.args[0]), 0) != 0:
            n = min(-power, factors[sp.sinh(f.args[0])])
            if n.is_positive and n.is_Integer:
                return stable(expression * (f / sp.sinh(f.args[0])) ** n * tangent(f.args[0]) ** n)
    return expression


def elementary_sum(expression: Any) -> Any:
    """Replace expm1 inside a product by exp, so that its terms can be multiplied out."""
    return expression.replace(expm1, ELEMENTARY[expm1])


def _exp_factors(factors: Any) -> list[tuple[Any, Any]]:
    """Return the bases of the factors that are exponentials, and the exponent of each."""
    return [(f, f.args[0] * p) for f, p in factors.items() if isinstance(f, sp.exp)] + [
        (f, p) for f, p in factors.items() if f == sp.E
    ]


def _on_sum(expression: Any) -> Any:
    """Use expm1 for c exp(u) - c, and erfc for three sums of a number and erf or erfc."""
    number, rest = expression.as_coeff_Add()
    if not number:
        return expression
    for term in sp.Add.make_args(rest):
        c, f = term.as_coeff_Mul()
        u: Any = f.args[0] if f.args else None
        replacement = None
        if isinstance(f, sp.exp) and c == -number:
            replacement = c * expm1(u)
        elif isinstance(f, sp.erf) and c == number:
            replacement = c * complement(-u)
        elif isinstance(f, sp.erf) and c == -number:
            replacement = number * complement(u)
        elif isinstance(f, complement) and number == -2 * c:
            replacement = -c * complement(-u)
        if replacement is not None:
            return rest - term + replacement
    return expression


RULES = {
    sp.log: _on_log,
    sp.Pow: _on_power,
    sp.Mul: _on_product,
    sp.Add: _on_sum,
}
RENAMED = {sp.tanh: tangent, sp.erfc: complement}
