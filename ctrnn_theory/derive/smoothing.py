"""The Gaussian integral F(a; s) = E f(a + s ξ), ξ standard normal, derived from the expression of f.

Three steps are enough. On an interval, E exp(q x² + r x) follows by completing the square. The derivative of
E erf(c x + d) in a is of that kind and is integrated. Stein's lemma, E x g(x) = (a + s² ∂/∂a) E g(x), adds powers of x
to either.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.symbols import plain

x, a = sp.symbols("x a", real=True)
s = sp.Symbol("s", positive=True)
t = sp.Symbol("t", real=True)

SWITCHING = (sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside, sp.Piecewise)  # left with infinitely many kinks
Term = tuple[Any, int, Any, Any]
"""Coefficient, power of x, exponent (a polynomial in x), and the erf or erfc of a linear function, or 1."""


def smoothing(f: Activation | str | Any) -> Any:
    """Return the Gaussian smoothing of an activation as an expression in a and s.

    Each piece of f may be a sum of powers of x times exponentials of polynomials of degree two at most. If f is one
    expression on the whole line, each term may also contain one erf, erfc, sin or cos of a linear function.

    Parameters
    ----------
    f
        An activation as :func:`~ctrnn_theory.activation` takes it.

    Raises
    ------
    ValueError
        If f contains a term that is not of this kind; the message names it. Among others, tanh and the logistic
        function have no integral in elementary functions and erf.

    Examples
    --------
    >>> smoothing("probit")
    1 - erfc(sqrt(2)*a/(2*sqrt(s**2 + 1)))/2
    >>> smoothing("relu")
    -a*erfc(sqrt(2)*a/(2*s))/2 + a + sqrt(2)*s*exp(-a**2/(2*s**2))/(2*sqrt(pi))
    >>> smoothing("sin")
    exp(-s**2/2)*sin(a)
    """
    return describe(f).expression


@remembered
def describe(f: Activation | str | Any) -> Derivation:
    """Return the derivation of :func:`smoothing` with its assumptions."""
    act = activation(f)
    ends = [-sp.oo, *(_exact(end) for end in act.breakpoints), sp.oo]
    total = sp.Add(
        *(
            _integral(piece.expression, lower, upper, act)
            for piece, lower, upper in zip(act.pieces, ends[:-1], ends[1:], strict=True)
        )
    )
    return Derivation("smoothing", "F", plain(_tidy(total)), (f"f(x) = {act.text}", "x ~ N(a, s²), s > 0"))


def expectation(expression: Any, lower: Any = -sp.oo, upper: Any = sp.oo) -> Any:
    """Return E g(x) 1{lower < x < upper}, x ~ N(a, s²), for a SymPy expression g in the real symbol x of this module.

    The result is an expression in the symbols a (real) and s (positive) of this module.

    Examples
    --------
    >>> expectation(x**2)
    a**2 + s**2
    >>> expectation(sp.Integer(1), upper=0)
    erfc(sqrt(2)*a/(2*s))/2
    """
    return _tidy(_integral(expression, lower, upper, expression))


def _integral(expression: Any, lower: Any, upper: Any, whole: Any) -> Any:
    """Integrate g(x) 1{lower < x < upper} term by term."""
    rewritten = expression.xreplace(dict.fromkeys(expression.free_symbols, x))
    rewritten = rewritten.rewrite([sp.sinh, sp.cosh], sp.exp)
    if rewritten.has(*SWITCHING):
        raise _refuse(rewritten, whole, "")
    if rewritten.has(sp.sin, sp.cos):
        rewritten = rewritten.rewrite([sp.sin, sp.cos], sp.exp)
    total = sp.S.Zero
    for part in sp.Add.make_args(_expanded(rewritten)):
        coefficient, power, exponent, error = _term(part, whole)
        cut = (lower, upper) != (-sp.oo, sp.oo)
        if cut and (error != 1 or exponent.has(sp.I)):
            raise _refuse(part, whole, "on part of the line")
        base = _exponential(exponent, lower, upper, whole) if error == 1 else _error_function(exponent, error, whole)
        for _ in range(power):
            base = a * base + s**2 * sp.diff(base, a)  # Stein's lemma
        total += coefficient * base
    return total


def _term(part: Any, whole: Any) -> Term:
    """Split a product into constants, a power of x, one exponential and at most one error function."""
    coefficient, power, exponent, error = sp.S.One, 0, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(sp.powsimp(part)):
        base, degree = factor.as_base_exp()
        if not factor.has(x):
            coefficient *= factor
        elif base == x and degree.is_Integer and degree > 0:
            power += int(degree)
        elif not base.has(x) and degree.is_polynomial(x) and sp.degree(degree, x) <= 2:
            exponent += degree * sp.log(base)
        elif isinstance(factor, sp.erf | sp.erfc) and _linear(factor.args[0]) and error == 1:
            error = factor
        else:
            raise _refuse(factor, whole, "")
    exponent = sp.expand(exponent)
    constant = exponent.subs(x, 0)
    return coefficient * sp.exp(constant), power, exponent - constant, error


def _exponential(exponent: Any, lower: Any, upper: Any, whole: Any) -> Any:
    """Return E exp(q x² + r x) 1{lower < x < upper}, by completing the square.

    The exponent q x² + r x - (x - a)²/(2 s²) is that of a Gaussian with standard deviation s/√T around (a + r s²)/T,
    where T = 1 - 2 q s².
    """
    q, r = exponent.coeff(x, 2), exponent.coeff(x, 1)
    if sp.re(q).is_positive:
        raise _refuse(sp.exp(exponent), whole, "for wide noise, where its integral is infinite")
    T = 1 - 2 * q * s**2
    centre, width = (a + r * s**2) / T, s / sp.sqrt(T)
    top = (r * a + q * a**2 + r**2 * s**2 / 2) / T
    if lower == -sp.oo:
        mass = 1 if upper == sp.oo else _above((centre - upper) / width)  # 1 - P would lose digits
    else:
        mass = _above((lower - centre) / width) - (0 if upper == sp.oo else _above((upper - centre) / width))
    return sp.exp(sp.expand(top) if T == 1 else sp.factor(top)) / sp.sqrt(T) * mass


def _above(z: Any) -> Any:
    """Return P(ξ > z)."""
    return sp.erfc(sp.expand(z / sp.sqrt(2))) / 2


def _error_function(exponent: Any, error: Any, whole: Any) -> Any:
    """Return E exp(r x) erf(c x + d), or the same with erfc: exp(r x) moves the mean by r s².

    ∂/∂a E erf(c x + d) = E (2c/√π) exp(-(c x + d)²) is a Gaussian in a, which is integrated from a = -d/c, where
    E erf(c x + d) = 0 by symmetry.
    """
    if sp.degree(exponent, x) > 1:
        raise _refuse(sp.exp(exponent) * error, whole, "")
    c, d = error.args[0].coeff(x, 1), error.args[0].subs(x, 0)
    slope = (
        2 * c / sp.sqrt(sp.pi) * sp.exp(-(d**2)) * _exponential(-(c**2) * x**2 - 2 * c * d * x, -sp.oo, sp.oo, whole)
    )
    bell = sp.powsimp(slope.subs(a, t - d / c))  # height * exp(-rate t²)
    height = sp.simplify(bell.subs(t, 0))
    rate = sp.simplify(-sp.diff(bell, t, 2).subs(t, 0) / (2 * height))
    argument = sp.sqrt(rate) * (a + d / c)
    sign = sp.simplify(height * sp.sqrt(sp.pi / rate) / 2)  # half the area under the bell, which is 1 or -1
    value = sp.erf(sign * argument) if isinstance(error, sp.erf) else sp.erfc(sign * argument)
    r = exponent.coeff(x, 1)
    return sp.exp(r * a + r**2 * s**2 / 2) * value.subs(a, a + r * s**2)


def _linear(expression: Any) -> bool:
    return bool(expression.is_polynomial(x) and sp.degree(expression, x) == 1)


def _tidy(expression: Any) -> Any:
    """Collect the factors of each exponential and error function, and write e^{iα} as sin and cos again."""
    expression = _real(_expanded(expression))
    functions = sorted(expression.atoms(sp.exp, sp.erf, sp.erfc, sp.sin, sp.cos), key=sp.default_sort_key)
    return sp.collect(expression, functions, sp.factor_terms) if functions else expression


def _real(expression: Any) -> Any:
    """Write e^{u + iv} as e^u (cos v + i sin v), so that imaginary parts cancel."""
    waves = {}
    for wave in expression.atoms(sp.exp):
        v = wave.args[0].coeff(sp.I)
        if v != 0:
            waves[wave] = sp.exp(sp.expand(wave.args[0] - sp.I * v)) * (sp.cos(v) + sp.I * sp.sin(v))
    return _expanded(expression.xreplace(waves)) if waves else expression


def _expanded(expression: Any) -> Any:
    return sp.expand(expression, power_exp=False)


def _exact(end: float) -> Any:
    """Return the rational number with small terms that rounds to a breakpoint, or else the breakpoint itself."""
    near = sp.nsimplify(end, rational=True, tolerance=1e-15)
    return near if float(near) == end else sp.Float(end, 17)


def _refuse(term: Any, whole: Any, where: str) -> ValueError:
    name = whole.text if isinstance(whole, Activation) else str(whole)
    rule = f"activation must be made of terms whose Gaussian integral is known, and {plain(term)} is not"
    return ValueError(f"{rule}{' ' + where if where else ''}; got {name!r}")
