"""SymPy to text, from which ``parse`` makes the same expression again."""

from __future__ import annotations

from typing import Any

from sympy.printing.str import StrPrinter

from ctrnn_theory.activations.symbolic.parse import refuse


def to_text(expression: Any) -> str:
    """Return the text of a SymPy expression in one symbol, from which :func:`parse` makes it again.

    Examples
    --------
    >>> import sympy as sp
    >>> to_text(sp.Max(0, sp.Symbol("v") - 0.1))
    'Max(0, x - 0.1)'
    """
    names = sorted(str(symbol) for symbol in expression.free_symbols)
    if len(names) > 1:
        raise refuse(f"must be an expression in one symbol, and this has {', '.join(names)}", expression)
    if any(symbol.is_real is False for symbol in expression.free_symbols):
        raise refuse(f"must be an expression in a real symbol, and {names[0]} is not real", expression)
    return str(TextPrinter().doprint(expression))


class TextPrinter(StrPrinter):
    """A printer that is exact: decimals in their shortest form, any symbol as x."""

    def _print_Float(self, expr: Any) -> str:
        return repr(float(expr))

    def _print_Symbol(self, expr: Any) -> str:
        return "x"

    _print_Dummy = _print_Symbol

    def _print_Heaviside(self, expr: Any) -> str:  # the value at the step is always the middle
        return f"Heaviside({self._print(expr.args[0])})"

    def _print_ExprCondPair(self, expr: Any) -> str:
        return f"({self._print(expr.expr)}, {self._print(expr.cond)})"
