"""Text to SymPy, through a whitelist: the text is parsed into a syntax tree and never evaluated as Python."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy as sp

from ctrnn_theory.activations.text import MAX_LENGTH, SMOOTHED_AS, refuse

x = sp.Symbol("x", real=True)
"""The argument of every activation."""

MAX_NODES = 400  # largest number of nodes of the syntax tree
MAX_DEPTH = 40  # largest depth of the syntax tree
MAX_FUNCTIONS = 8  # nested in one another
MAX_EXPONENT = 64
MAX_NUMBER = 1e100
MAX_DIGITS = 10**150  # largest numerator and denominator of exact numbers

CONSTANTS = {"pi": sp.pi, "E": sp.E, "e": sp.E}
FUNCTIONS: dict[str, tuple[Callable[..., Any], int | None]] = {  # with the number of arguments, None if it is any
    "exp": (sp.exp, 1),
    "log": (sp.log, 1),
    "sqrt": (sp.sqrt, 1),
    "sin": (sp.sin, 1),
    "cos": (sp.cos, 1),
    "sinh": (sp.sinh, 1),
    "cosh": (sp.cosh, 1),
    "tanh": (sp.tanh, 1),
    "atan": (sp.atan, 1),
    "asinh": (sp.asinh, 1),
    "erf": (sp.erf, 1),
    "erfc": (sp.erfc, 1),
    "sign": (sp.sign, 1),
    "Abs": (sp.Abs, 1),
    "abs": (sp.Abs, 1),
    "Heaviside": (sp.Heaviside, 1),
    "Max": (lambda *arguments: rebuilt(sp.Max, arguments), None),
    "max": (lambda *arguments: rebuilt(sp.Max, arguments), None),
    "Min": (lambda *arguments: rebuilt(sp.Min, arguments), None),
    "min": (lambda *arguments: rebuilt(sp.Min, arguments), None),
}
COMPARISONS: dict[type, Any] = {
    ast.Lt: sp.StrictLessThan,
    ast.LtE: sp.LessThan,
    ast.Gt: sp.StrictGreaterThan,
    ast.GtE: sp.GreaterThan,
}
HINTS = {ast.BitXor: "a power is written **", ast.IfExp: "a choice is written Piecewise((a, x < 0), (b, True))"}


class Smoothing(sp.Function):
    """Gaussian smoothing of an expression in x by a width that is a number; it is not evaluated."""

    nargs = 2
    is_real = True

    def _eval_derivative(self, symbol: Any) -> Any:
        return self.func(sp.diff(self.args[0], symbol), self.args[1])

    def _sympystr(self, printer: Any) -> str:
        return f"smoothed({printer._print(self.args[0])}, {float(self.args[1])!r})"


def parse(text: str, macros: Mapping[str, Any] | None = None, symbols: Mapping[str, Any] | None = None) -> Any:
    """Parse a text to a SymPy expression in :data:`x`, through a whitelist of syntax and of functions.

    Allowed are ``+ - * / **``, numbers, ``x``, ``pi``, ``E``, the functions in :data:`FUNCTIONS`, ``Piecewise``
    with its comparisons, the names in `macros`, called as functions, and of x ``powerlaw(n)``, which is Max(0, x)**n,
    and ``smoothed(f, s)`` of an f.

    Parameters
    ----------
    text
        Text of at most 1000 characters.
    macros
        Expressions in x that the text may call by name, as in ``relu(x - 1)``.
    symbols
        Variables that the text may hold instead of x, by name.

    Raises
    ------
    ValueError
        If the text holds anything else.

    Examples
    --------
    >>> parse("max(0, x) + 0.5*x**2")
    x**2/2 + Max(0, x)
    >>> parse("x.__class__")
    Traceback (most recent call last):
    ValueError: activation may hold only arithmetic, numbers, x and known functions; got 'x.__class__'
    """
    if len(text) > MAX_LENGTH:
        raise refuse(f"must be at most {MAX_LENGTH} characters long, and this has {len(text)}", text)
    if not text.strip():
        raise refuse("must be the name of a built-in or an expression in x, not an empty text", text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tokeniser warns of texts such as "1if"
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refuse("must be an expression in x, such as log(1 + exp(2*x))/2, and this is not one", text) from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise refuse(f"must have at most {MAX_NODES} parts", text)
    try:
        expression = _Walk(text, macros or {}, symbols or {"x": x}).expression(tree, 0)
        if _function_depth(expression) > MAX_FUNCTIONS:
            raise refuse(f"must have functions nested at most {MAX_FUNCTIONS} deep", text)
        return expression
    except (ArithmeticError, TypeError, NotImplementedError, RecursionError, AttributeError) as error:
        # errors of SymPy itself, for input that passes every rule above
        raise refuse("must be an expression that SymPy can build", text) from error


def _function_depth(expression: Any) -> int:
    """Return how many functions are nested in one another, since derivatives grow exponentially with it."""
    inner = max((_function_depth(part) for part in expression.args), default=0)
    return inner + (isinstance(expression, sp.Function) and not isinstance(expression, sp.Max | sp.Min | sp.Piecewise))


class _Walk:
    """A walk over the syntax tree of one text that builds SymPy objects from the bottom up."""

    def __init__(self, text: str, macros: Mapping[str, Any], symbols: Mapping[str, Any]) -> None:
        self.text = text
        self.macros = macros
        self.symbols = symbols

    def expression(self, node: ast.AST, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise refuse(f"must be nested at most {MAX_DEPTH} deep", self.text)
        handler = getattr(self, f"on_{type(node).__name__}", None)
        if handler is None:
            hint = HINTS.get(type(getattr(node, "op", node)))
            rule = "may hold only arithmetic, numbers, x and known functions"
            raise refuse(f"{rule} ({hint})" if hint else rule, self.text)
        return self.checked(handler(node, depth + 1))

    def checked(self, value: Any) -> Any:
        """Return the value, or raise a ValueError if it is not real and finite, or too large to handle exactly."""
        if value.has(sp.zoo, sp.oo, -sp.oo, sp.nan, sp.I):
            raise refuse("must be real and finite", self.text)
        for number in value.atoms(sp.Rational):
            if max(abs(number.p), number.q) > MAX_DIGITS:
                raise refuse(f"must hold numbers of at most {MAX_NUMBER:g} in size and in precision", self.text)
        powers = value.atoms(sp.Pow)
        for constant in (part for part in (value, *powers) if not part.free_symbols):
            number = complex(constant)
            if number.imag or not abs(number) <= MAX_NUMBER:
                raise refuse(f"must hold real numbers of at most {MAX_NUMBER:g} in size", self.text)
        for power in powers:
            if power.exp.is_number and abs(float(power.exp)) > MAX_EXPONENT:
                raise refuse(f"must have exponents of at most {MAX_EXPONENT} in size", self.text)
        return value

    def on_Constant(self, node: ast.Constant, depth: int) -> Any:
        value = node.value
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refuse("may hold no constants but real numbers", self.text)
        if not (value == 0 or 1 / MAX_NUMBER <= abs(value) <= MAX_NUMBER):
            raise refuse(f"must hold numbers between {1 / MAX_NUMBER:g} and {MAX_NUMBER:g}", self.text)
        return sp.Integer(value) if isinstance(value, int) else sp.Rational(repr(value))  # 0.1 is a tenth, exactly

    def on_Name(self, node: ast.Name, depth: int) -> Any:
        if node.id in self.symbols:
            return self.symbols[node.id]
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        if node.id in self.macros or node.id in FUNCTIONS or node.id == "Piecewise":
            raise refuse(f"must give {node.id} its argument, as in {node.id}(x)", self.text)
        raise self.unknown(node.id)

    def on_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Any:
        if isinstance(node.op, ast.USub):
            return -self.expression(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return self.expression(node.operand, depth)
        raise refuse("may hold only arithmetic, numbers, x and known functions", self.text)

    def on_BinOp(self, node: ast.BinOp, depth: int) -> Any:
        operators: dict[type, Callable[..., Any]] = {
            ast.Add: lambda a, b: a + b,
            ast.Sub: lambda a, b: a - b,
            ast.Mult: lambda a, b: a * b,
            ast.Div: lambda a, b: a / b,
            ast.Pow: self.power,
        }
        if type(node.op) not in operators:
            hint = HINTS.get(type(node.op))
            raise refuse("may hold no operators but + - * / **" + (f" ({hint})" if hint else ""), self.text)
        return operators[type(node.op)](self.expression(node.left, depth), self.expression(node.right, depth))

    def power(self, base: Any, exponent: Any) -> Any:
        """Return the power, once the exponent is bounded: SymPy would compute powers of any size exactly."""
        if exponent.free_symbols:
            if base.free_symbols or not base.is_positive:
                raise refuse("must have constant exponents, or a constant positive base", self.text)
            return base**exponent
        if abs(float(exponent)) > MAX_EXPONENT:
            raise refuse(f"must have exponents of at most {MAX_EXPONENT} in size", self.text)
        return base**exponent

    def on_Call(self, node: ast.Call, depth: int) -> Any:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise refuse("may call only known functions, by name and without keywords", self.text)
        name = node.func.id
        if name == "Piecewise":
            return self.piecewise(node, depth)
        if name == "smoothed" and self.symbols == {"x": x}:
            return self.smoothing(node, depth)
        if name == "powerlaw" and self.symbols == {"x": x}:
            return self.powerlaw(node, depth)
        if name not in FUNCTIONS and name not in self.macros:
            raise self.unknown(name)
        arity = FUNCTIONS[name][1] if name in FUNCTIONS else 1
        if len(node.args) != arity and (arity is not None or not node.args):
            count = f"{arity} argument" if arity else "at least one argument"
            raise refuse(f"must give {name} {count}, not {len(node.args)}", self.text)
        arguments = [self.expression(argument, depth) for argument in node.args]
        return FUNCTIONS[name][0](*arguments) if name in FUNCTIONS else substituted(self.macros[name], arguments[0])

    def powerlaw(self, node: ast.Call, depth: int) -> Any:
        n = self.expression(node.args[0], depth) if len(node.args) == 1 else x
        if n.free_symbols or n < 1:
            raise refuse(
                "must give powerlaw one number of at least 1, as in powerlaw(2), which is Max(0, x)**2", self.text
            )
        return self.power(rebuilt(sp.Max, [sp.Integer(0), x]), n)

    def smoothing(self, node: ast.Call, depth: int) -> Any:
        if len(node.args) != 2:
            raise refuse(f"must give smoothed a function and a width, as in {SMOOTHED_AS}", self.text)
        inner, width = node.args
        named = isinstance(inner, ast.Name) and inner.id in self.macros
        f = self.macros[inner.id] if named else self.expression(inner, depth)  # type: ignore[attr-defined]
        s = self.expression(width, depth)
        if s.free_symbols or s.is_negative:
            raise refuse(f"must give smoothed a number of at least 0 as its width, as in {SMOOTHED_AS}", self.text)
        return Smoothing(f, s) if f.free_symbols else f

    def piecewise(self, node: ast.Call, depth: int) -> Any:
        pairs = []
        for pair in node.args:
            if not isinstance(pair, ast.Tuple) or len(pair.elts) != 2:
                raise refuse("must give Piecewise pairs, as in Piecewise((0, x < 0), (x, True))", self.text)
            pairs.append((self.expression(pair.elts[0], depth), self.condition(pair.elts[1], depth)))
        if not pairs or pairs[-1][1] is not sp.true:
            raise refuse("must end Piecewise with a pair (value, True)", self.text)
        return rebuilt(sp.Piecewise, pairs)

    def condition(self, node: ast.AST, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise refuse(f"must be nested at most {MAX_DEPTH} deep", self.text)
        if isinstance(node, ast.Constant) and node.value is True:
            return sp.true
        if isinstance(node, ast.Compare) and all(type(operator) in COMPARISONS for operator in node.ops):
            sides = [self.expression(side, depth) for side in (node.left, *node.comparators)]
            parts = [rebuilt(COMPARISONS[type(kind)], sides[i : i + 2]) for i, kind in enumerate(node.ops)]
            return sp.And(*parts) if len(parts) > 1 else parts[0]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            join = sp.And if isinstance(node.op, ast.BitAnd) else sp.Or
            return join(self.condition(node.left, depth + 1), self.condition(node.right, depth + 1))
        raise refuse("must give Piecewise conditions made of < <= > >= & | or True", self.text)

    def unknown(self, name: str) -> ValueError:
        known = [*self.symbols, *CONSTANTS, *FUNCTIONS, "Piecewise", *self.macros]
        close = difflib.get_close_matches(name[:40], known, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        return refuse(f'must use known names only ({hint}see "ctrnn-theory list activations")', name)


def substituted(expression: Any, argument: Any) -> Any:
    """Return the expression with `argument` for :data:`x`, and the conditions of Piecewise unsolved."""
    if expression == x:
        return argument
    if not expression.args:
        return expression
    arguments = [substituted(part, argument) for part in expression.args]
    return rebuilt(expression.func, arguments)


def rebuilt(kind: Any, arguments: Iterable[Any]) -> Any:
    """Build an expression of a kind, comparing only numbers: SymPy may take minutes to compare more."""
    arguments = list(arguments)
    if issubclass(kind, sp.Max | sp.Min):
        numbers = [a for a in arguments if not a.free_symbols]
        extreme = [(max if issubclass(kind, sp.Max) else min)(numbers, key=float)] if numbers else []
        arguments = list(dict.fromkeys([*extreme, *(a for a in arguments if a.free_symbols)]))
        return kind(*arguments, evaluate=False) if len(arguments) > 1 else arguments[0]
    if issubclass(kind, sp.core.relational.Relational):
        difference = arguments[0] - arguments[1]
        return kind(*arguments, evaluate=False) if difference.free_symbols else kind(float(difference), 0)
    if issubclass(kind, sp.Piecewise):
        pairs = [pair for pair in arguments if pair[1] != sp.false]
        pairs = pairs[: 1 + [pair[1] for pair in pairs].index(sp.true)]
        return kind(*pairs, evaluate=False) if len(pairs) > 1 else pairs[0][0]
    return kind(*arguments)
