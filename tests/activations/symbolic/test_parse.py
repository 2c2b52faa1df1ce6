"""Text to SymPy: bad text raises a clear error at once, and good text survives a round trip."""

import time

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import BUILTIN, Activation, activation
from ctrnn_theory.activations.symbolic.parse import FUNCTIONS, parse, x
from ctrnn_theory.activations.symbolic.printing import to_text

REFUSED = [
    "__import__('os').system('id')",
    "x.__class__",
    "(lambda: 1)()",
    "().__class__.__bases__[0].__subclasses__()",
    "exec('1')",
    "f'{x}'",
    "x if x > 0 else 0",
    "[x for x in (1, 2)]",
    "(x := 1)",
    "{x}",
    "x[0]",
    "'a'",
    "b'a'",
    "...",
    "None",
    "True",
    "1j*x",
    "x == 1",
    "x < 1",
    "x and 1",
    "not x",
    "~x",
    "x % 2",
    "x // 2",
    "x @ x",
    "x^2",
    "exp(*x)",
    "exp(x=1)",
    "exp(x, x)",
    "exp()",
    "Max()",
    "exp",
    "relu + 1",
    "x.real(1)",
    "",
    "   ",
    "x +",
    "x\nx",
    "x; x",
    "# x",
    "x\x00",
    "\x00",
    "é",
    "y + 1",
    "nan",
    "inf",
    "oo",
    "zoo",
    "I*x",
    "1e999",
    "1e-200*x",
    "10**200*x",
    "9**9**9**9",
    "1.0000001**64**64",
    "((1.1**64)**64)**64",
    "(x**64)**64",
    "x**1000",
    "x**x",
    "(-2)**x",
    "0**x",
    "(-8)**(1/3)*x",
    "log(-1)*x",
    "x/0",
    "x/(1 - 1)",
    "exp(exp(exp(exp(9))))*x",
    "Piecewise()",
    "Piecewise((x, x < 0))",
    "Piecewise((x, x == 0), (1, True))",
    "Piecewise((x,), (1, True))",
    "Piecewise((x, x), (1, True))",
    "Piecewise((x, 'a'), (1, True))",
    "(" * 300 + "x" + ")" * 300,
    "-" * 900 + "x",
    "Abs(" * 60 + "x" + ")" * 60,
    "+".join(["x"] * 300),
    "x" * 10**6,
    "(" * 10**6,
    # real and finite on the whole line, and between its kinks
    "log(x)",
    "sqrt(x)",
    "1/x",
    "x**0.3",
    "exp(exp(x))",
    "sin(x)/x",
    "x/(exp(x) - 1)",
    "1/(x - 0.33371)",
    "1/(sin(x) - 1)",
    "x*log(Abs(x))",
    "Max(x, 1/x)",
    "Piecewise((1, x < log(x)), (0, True))",
    # a slope at a kink
    "sqrt(Abs(x))",
    "Abs(x)**(1/3)",
    # digits
    "sin(1e10*x)",
    "(1 - cos(x*1e-9))*1e18",
    # too many pieces
    "Abs(sin(100*x))",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:40]))
def test_refused_in_one_sentence_and_at_once(text):
    start = time.perf_counter()
    with pytest.raises(
        ValueError, match=r"\Aactivation [^\n]*; got '[^\n]*'\Z|\Aactivation [^\n]*; got \"[^\n]*\"\Z"
    ) as error:
        activation(text)
    assert time.perf_counter() - start < 5.0  # it takes milliseconds on an idle machine
    assert len(str(error.value)) < 260


@pytest.mark.parametrize("text", ["9**9**9**9", "x" * 10**6, "(" * 10**6, "__import__('os').system('id')"])
def test_a_hostile_text_costs_nothing(text):
    activation("relu")  # work that is done once
    start = time.perf_counter()
    with pytest.raises(ValueError, match="activation"):
        activation(text)
    assert time.perf_counter() - start < 0.2


@pytest.mark.parametrize("value", [None, 3, 3.5, b"x", ["x"], object()])
def test_neither_text_nor_expression(value):
    with pytest.raises(ValueError, match="activation must be a name, an expression in x, or a SymPy expression"):
        activation(value)


def test_unknown_name_suggests_the_closest():
    with pytest.raises(ValueError, match=r'did you mean "relu"\? see "ctrnn-theory list activations"'):
        activation("reluu")
    with pytest.raises(ValueError, match=r'did you mean "tanh"'):
        activation("tahn(x)")


def test_power_hint():
    with pytest.raises(ValueError, match=r"a power is written \*\*"):
        activation("x^2")


def test_numbers_are_exact():
    assert parse("0.1*x + 1e-3") == x / 10 + sp.Rational(1, 1000)
    assert parse("1_000*x/3") == sp.Rational(1000, 3) * x
    assert parse("pi*x + e - E") == sp.pi * x


def test_other_variables():
    """Only the given names are variables; x is one of them only if it is given."""
    a, b = sp.symbols("a b", real=True)
    known = {"a": a, "b": b}
    assert parse("a*b**2 - 0.5 + 2**b", symbols=known) == a * b**2 - sp.Rational(1, 2) + 2**b
    assert parse("Piecewise((a, (a < b) & (b < 1)), (pi, True))", symbols=known).free_symbols == {a, b}
    assert parse("twice(a + 1)", {"twice": 2 * x}, known) == 2 * a + 2  # a macro's own x is its argument
    assert parse("Max(a, b)", symbols=known) == sp.Max(a, b)
    for text, name in (("x + a", "x"), ("a + c", "c")):
        with pytest.raises(ValueError, match=f"must use known names only .*; got '{name}'"):
            parse(text, symbols=known)
    with pytest.raises(ValueError, match='did you mean "first"'):
        parse("firts + 1", symbols={"first": a})
    for text in ("a**b", "(-2)**a", "a.__class__", "a < b", "__import__('os')"):
        with pytest.raises(ValueError, match=r"^activation m"):
            parse(text, symbols=known)
    assert parse("x + 1") == x + 1
    with pytest.raises(ValueError, match="known names"):
        parse("a + 1")


def test_builtins_are_functions():
    assert parse("relu(x - 1)", {"relu": sp.Max(0, x)}) == sp.Max(0, x - 1)
    assert activation("sigmoid(2*x)") == activation("1/(1 + exp(-2*x))")
    assert activation("2*sigmoid(2*x) - 1") == activation("tanh")


def test_sympy_expressions():
    v, w = sp.Symbol("v", real=True), sp.Symbol("w")
    assert activation(sp.Max(0, v)) == activation(sp.Max(0, w)) == activation("relu")
    assert activation(sp.Piecewise((sp.exp(w) - 1, w < 0), (w, True))) == activation("elu")
    assert activation(sp.Heaviside(w, 0)) == activation("step")
    assert activation(0.25 * w).text == "x/4"
    with pytest.raises(ValueError, match="one symbol, and this has v, w"):
        activation(v + w)
    with pytest.raises(ValueError, match="must use known names only"):
        activation(sp.gamma(w))


def test_conditions_between_numbers_are_decided():
    assert parse("Piecewise((1, 2 > 3), (x, pi > 3), (2, True))") == x
    assert parse("Max(1, 2, x, x)") == sp.Max(2, x)


def outcome(text):
    """Return the activation and no message, or none and the message of the ValueError."""
    try:
        return activation(text), ""
    except ValueError as error:
        return None, str(error)


NAMES = [*FUNCTIONS, *BUILTIN, "x", "pi", "E", "Piecewise", "True", "__class__", "lambda", "import"]
TOKENS = [*NAMES, *"0123456789.+-*/()<>,&|=e_ '\"[]{}:@", "**", "1e9", "x", "x", "(", ")"]


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(TOKENS), max_size=30).map("".join)))
def test_any_text_gives_an_activation_or_a_value_error(text):
    act, message = outcome(text)
    assert isinstance(act, Activation) or (message.startswith("activation ") and "\n" not in message)


LEAVES = st.sampled_from(["x", "x", "x", "1", "2", "0.5", "0.1", "pi", "-1", "1e-3", "10", "7/3"])


def grown(parts):
    calls = st.sampled_from([name for name in FUNCTIONS if name not in ("Max", "Min", "max", "min")] + list(BUILTIN))
    return st.one_of(
        st.tuples(parts, st.sampled_from("+-*/"), parts).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(calls, parts).map("{0[0]}({0[1]})".format),
        st.tuples(st.sampled_from(["Max", "Min"]), parts, parts).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(parts, st.sampled_from(["2", "3", "0.5", "-1", "-2"])).map("({0[0]})**{0[1]}".format),
        st.tuples(parts, parts, st.sampled_from(["<", "<=", ">", ">="]), parts, parts).map(
            "Piecewise(({0[0]}, {0[1]} {0[2]} {0[3]}), ({0[4]}, True))".format
        ),
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=6)


@settings(max_examples=150, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS)
def test_text_round_trip(text):
    act, message = outcome(text)
    assert act or message.startswith("activation ")
    if act:
        assert activation(act.text) == act
        assert activation(act.expression) == act
        assert to_text(parse(to_text(act.expression))) == to_text(act.expression)
