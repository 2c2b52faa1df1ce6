"""The result of a derivation: a formula, when it holds, and how to print, evaluate and specialise it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, wraps
from typing import Any

import sympy

from ctrnn_theory.activations.activation import activation as as_activation
from ctrnn_theory.activations.symbolic.parse import x
from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.compiled import compiled
from ctrnn_theory.support.arguments import is_number, shown
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Readable

LATEX = {
    "σ": r"\sigma",
    "γ": r"\gamma",
    "ζ": r"\zeta",
    "ξ": r"\xi",
    "κ": r"\kappa",
    "ρ": r"\rho",
    "λ": r"\lambda",
    "⁻": "-",
    "·": r"\cdot ",
}
LONG = 60  # operations; a longer expression is not factored, which would only make it longer
POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def remembered(function: Callable[..., Any]) -> Any:
    """Cache results as ``lru_cache`` does; unhashable arguments are passed on, so that the function reports them."""
    kept = lru_cache(maxsize=128, typed=True)(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            hash((args, *options.items()))
        except TypeError:
            return function(*args, **options)
        return kept(*args, **options)

    call.cache_clear = kept.cache_clear  # type: ignore[attr-defined]
    return call


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Readable):
    r"""A formula with the assumptions under which it holds, as :func:`derivation` returns it.

    Examples
    --------
    >>> shift = Derivation("example", "delta", sympy.sympify("sigma**2*f2/(2*L)"), ("f is smooth at a*",), "O(σ⁴)",
    ...     {"L": sympy.sympify("1 - f1*w")})
    >>> print(shift.text())
    delta = f2*sigma**2/(2*L) + O(σ⁴)
    where
      L = 1 - f1*w
    if
      f is smooth at a*
    >>> shift.explicit
    f2*sigma**2/(2*(-f1*w + 1))
    >>> print(shift.latex().splitlines()[0])
    \[ \delta = \frac{f_{2} \sigma^{2}}{2 L} + O(\sigma^{4}) \]
    >>> shift.at(w=0, sigma=2)
    2*f2
    >>> shift.lambdified("w", "f1", "f2", "sigma")(0.5, 1.0, 1.0, 0.5)
    0.25
    >>> shift.specialise("sin").expression
    -sigma**2*sin(a)/(2*L)
    """

    name: str
    """Name of the derivation, such as "small_noise_bias"."""
    quantity: str
    """Symbol of the derived quantity, which stands on the left-hand side, such as "delta"."""
    expression: Any
    """The formula: a SymPy expression, matrix expression or equation. It may use the names in `definitions`."""
    assumptions: tuple[str, ...] = ()
    """Conditions under which the formula holds: a sentence each, without a full stop."""
    error: str = ""
    """Order of the error, such as "O(σ⁶)"; empty for an exact formula."""
    definitions: Mapping[str, Any] = field(default_factory=dict)
    """Abbreviations in `expression` by name, each in terms of later ones. An equation, which defines a quantity
    implicitly, is printed with them and not substituted."""

    @cached_property
    def explicit(self) -> Any:
        """Formula with its abbreviations substituted."""
        expression = self.expression
        for name, value in self.definitions.items():
            if not isinstance(value, sympy.Equality):
                expression = expression.xreplace({old: value for old in expression.free_symbols if str(old) == name})
        return expression

    @property
    def symbols(self) -> dict[str, Any]:
        """Symbols on which the formula depends, by name."""
        return {str(symbol): symbol for symbol in sorted(self.explicit.free_symbols, key=str)}

    def at(self, **values: Any) -> Any:
        """Return the formula with values substituted for some of its symbols; a symbol that it lacks is ignored.

        Limits can be taken as values: ``at(gamma=0)``, ``at(w=0)``, ``at(gamma=1)``.
        """
        known = self.symbols
        for name, value in values.items():
            if not is_number(value) and not isinstance(value, sympy.Basic | sympy.MatrixBase):
                raise ValueError(f"{name} must be a number or a SymPy expression; got {shown(value)}")
        return self.explicit.subs({known[name]: value for name, value in values.items() if name in known})

    def lambdified(self, *names: str) -> Callable[..., Any]:
        """Return a NumPy function of the named symbols, in that order; by default of all symbols, sorted by name.

        The function is compiled once for each formula and order of names.
        """
        known = self.symbols
        for name in names:
            if not isinstance(name, str):
                raise ValueError(f"names must be text; got {shown(name)}")
        missing = sorted(set(known) - set(names)) if names else []
        if missing:
            raise ValueError(f"names must hold every symbol of the formula; {', '.join(missing)} is missing")
        return compiled(self.explicit, tuple(known.get(name, sympy.Symbol(name)) for name in names or known))

    def specialise(self, activation: Any) -> Derivation:
        """Return the formula for one activation, as :func:`specialised` does."""
        if len(as_activation(activation).pieces) > 1:
            return replace(self, expression=specialised(self.explicit, activation), definitions={})
        expression = specialised(self.expression, activation)
        used = {name: specialised(value, activation) for name, value in self.definitions.items()}
        return replace(self, expression=expression, definitions=used)

    def _headline(self) -> str:
        return self.name

    def _parts(self, few: int) -> Iterator[str]:
        yield self.text()

    def _repr_latex_(self) -> str:
        return self.latex()

    def to_dict(self) -> dict[str, Any]:
        """Return the formula with its assumptions as plain Python objects; expressions become text."""
        return {
            "name": self.name,
            "quantity": self.quantity,
            "expression": _text(self.expression),
            "assumptions": list(self.assumptions),
            "error": self.error,
            "definitions": {name: _text(value) for name, value in self.definitions.items()},
        }

    def text(self) -> str:
        """Return the formula, its abbreviations and its assumptions as plain text."""
        lines = [_equation(self.quantity, self.expression, _text, self.error)]
        if self.definitions:
            lines += ["where", *("  " + _equation(*item, _text) for item in self.definitions.items())]
        if self.assumptions:
            lines += ["if", *("  " + sentence for sentence in self.assumptions)]
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the same as :meth:`text` in LaTeX, each equation as display mathematics."""
        lines = [r"\[ " + _equation(self.quantity, self.expression, _latex, _latex_order(self.error)) + r" \]"]
        if self.definitions:
            lines += ["where", *(rf"\[ {_equation(*item, _latex)} \]" for item in self.definitions.items())]
        if self.assumptions:
            lines += ["if " + "; ".join(_latex_order(sentence, "$") for sentence in self.assumptions) + "."]
        return "\n".join(lines)


def specialised(expression: Any, activation: Any) -> Any:
    """Return an expression in f0, f1, ... with the value and the derivatives of an activation put in, in a short form.

    f0 is replaced by f(a), f1 by f'(a), and so on. For an activation of several pieces the result is a Piecewise in
    a, with one branch for each piece; at a breakpoint itself a derivative does not exist.

    Examples
    --------
    >>> f1, f2 = symbols.f(1), symbols.f(2)
    >>> specialised(f2 / (2 - f1), "exp(x)")
    exp(a)/(2 - exp(a))
    >>> specialised(f1 + f2, "relu2")
    Piecewise((0, a < 0), (2*a + 2, True))
    """
    f = as_activation(activation)
    names = {s for s in expression.free_symbols if str(s)[0] == "f" and str(s)[1:].isdigit()}
    highest = max((int(str(s)[1:]) for s in names), default=0)
    branches = []
    for piece in f.pieces:
        values = derivatives(piece.expression, highest)
        branch = expression.xreplace({s: values[int(str(s)[1:])] for s in names})
        branches.append(_short(branch).xreplace({x: symbols.a}))
    if len(set(branches)) == 1:
        return branches[0]
    ends = [int(piece.upper) if piece.upper.is_integer() else piece.upper for piece in f.pieces[:-1]]
    conditions = [*(symbols.a < end for end in ends), True]
    return sympy.Piecewise(*zip(branches, conditions, strict=True))


def derivatives(expression: Any, highest: int) -> list[Any]:
    """Return an expression in x and its derivatives, factored where that is shorter.

    Factoring treats exp(x), tanh(x), ... as variables.

    Examples
    --------
    >>> derivatives(sympy.tanh(x), 2)
    [tanh(x), 1 - tanh(x)**2, -2*(1 - tanh(x)**2)*tanh(x)]
    """
    values = [expression]
    for _ in range(highest):
        derivative = sympy.factor_terms(sympy.diff(values[-1], x))
        values.append(min(derivative, _in_factors(derivative), key=sympy.count_ops))
    return values


def _in_factors(expression: Any) -> Any:
    """Factor an expression so that the constant terms of the factors are positive."""
    product, sign = sympy.S.One, 1
    for factor in sympy.Mul.make_args(sympy.factor(expression)):
        base, power = factor.as_base_exp()
        if base.is_Add and power.is_Integer and base.as_coeff_Add()[0].is_negative:
            product, sign = product * (-base) ** power, sign * (-1) ** power
        else:
            product *= factor
    return sign * product


def _short(expression: Any) -> Any:
    """Factor each term of a sum, if the result is shorter; long expressions are returned as they are."""
    if sympy.count_ops(expression) > LONG:
        return expression
    factored = sympy.Add(*map(_in_factors, sympy.Add.make_args(expression)))
    return min(expression, factored, key=sympy.count_ops)


def _equation(left: str, right: Any, show: Callable[[Any], str], error: str = "") -> str:
    if isinstance(right, sympy.Equality):
        start, terms = right.lhs, [right.rhs]
    else:
        start, terms = sympy.Symbol(left), [right]
    if isinstance(terms[0], sympy.Add) and len(set(map(_noise_power, terms[0].args))) > 1:
        terms = sorted(terms[0].args, key=_noise_power)  # σ² before σ⁴
    body, *rest = [show(term) for term in terms] + [error] * bool(error)
    for part in rest:
        body += f" - {part[1:].strip()}" if part[0] == "-" else f" + {part}"
    return f"{show(start)} = {body}"


def _noise_power(expression: Any) -> Any:
    """Return the lowest power of σ in an expression."""
    if expression.is_Symbol:
        return int(str(expression).startswith("sigma"))
    if expression.is_Add:
        return min(map(_noise_power, expression.args))
    if expression.is_Mul:
        return sum(map(_noise_power, expression.args))
    return expression.exp * _noise_power(expression.base) if expression.is_Pow and expression.exp.is_Number else 0


def _text(expression: Any) -> str:
    return str(sympy.sstr(expression, order=_order(expression)))


def _latex(expression: Any) -> str:
    return str(sympy.latex(expression, order=_order(expression)))


def _order(expression: Any) -> str | None:
    """Return the order in which sums are printed: 1 - x and not -x + 1; for matrices SymPy's own order."""
    return None if getattr(expression, "is_Matrix", False) else "rev-grlex"


def _latex_order(text: str, math: str = "") -> str:
    """Write the Greek letters and superscript digits of a sentence in LaTeX, between `math` signs."""
    result = ""
    for character in text:
        if character.translate(POWERS) != character:
            result += f"{math}^{{{character.translate(POWERS)}}}{math}"
        elif character in LATEX:
            result += f"{math}{LATEX[character]}{math}"
        else:
            result += character
    return result.replace("$$", "")
