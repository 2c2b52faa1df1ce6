"""A smoothed activation as an activation: values, derivatives, compiled form, text."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import derive
from ctrnn_theory.activations import BUILTIN, Activation, activation
from ctrnn_theory.activations.gaussian import covariance
from ctrnn_theory.activations.gaussian.smoothed_activation import Tail
from tests.references import builtin_reference

USERS = ["Abs(Abs(x) - 1)", "x/(1 + Abs(x))", "x**3 - x", "atan(2*x)", "log(1 + x**2)", "tanh(x - 50)", "relu(x - 1)"]
NONLINEAR = [name for name in BUILTIN if name != "identity"]
widths = st.floats(-3, 1).map(lambda e: 10.0**e)


def smoothed(name, s):
    return activation(f"smoothed({name}, {s!r})")


def size(f, x, s):
    """Return the root mean square of f(x + s ξ), or its least value where f bends if that is larger."""
    at = np.array([*np.ravel(x), *([*f.breakpoints, *f.nonlinearities] or [0.0])])
    rms = np.hypot(f.smoothed(at, s), np.sqrt(f.smoothed_variance(at, s)))
    return np.maximum(rms[: np.size(x)], rms[np.size(x) :].min())


@pytest.mark.parametrize("name", NONLINEAR)
@pytest.mark.parametrize(("x", "s"), [(0.3, 0.5), (-2.0, 1.3)])
def test_values_and_derivatives_against_mpmath(name, x, s):
    true = builtin_reference(name, x, s, orders=3).derivatives
    act = smoothed(name, s)
    assert abs(act(x) - true[0]) <= 1e-12 * max(1.0, abs(true[0]))
    for n in (1, 2):
        assert abs(act.derivative(x, n) - true[n]) <= 1e-11 * max(1.0, abs(true[n]))
    assert abs(activation(name)(x) - true[0]) > 1e-6  # it is not f


@given(st.sampled_from([*NONLINEAR, *USERS]), widths, st.lists(st.floats(-4, 4), min_size=1, max_size=20))
def test_value_is_the_smoothing_of_f_near_and_far(name, s, places):
    act, f = smoothed(name, s), activation(name)
    x = np.array(places) * act.pieces[0].tail.start
    assert np.all(np.abs(act(x) - f.smoothed(x, s)) <= 1e-12 * size(f, x, s) + 1e-14)


def test_tail_rule_is_wrong_where_f_bends():
    f = activation("relu")
    tail = smoothed("relu", 1.0).pieces[0].tail
    assert abs(tail.apply(f, np.zeros(1)) - f.smoothed(0.0, 1.0)) > 1e-4
    few = Tail(0.0, tail.shift[::6], tail.weight[::6] / tail.weight[::6].sum())
    assert np.abs(few.apply(np.sin, np.ones(1)) - activation("sin").smoothed(1.0, 1.0)) > 1e-6


XI = np.linspace(-9.0, 9.0, 1201)
GAUSS = np.exp(-0.5 * XI**2) / np.exp(-0.5 * XI**2).sum()  # exact to rounding for what varies over more than 0.05


@given(st.sampled_from([*NONLINEAR, *USERS]), st.floats(0.2, 3), st.floats(0.05, 3), st.floats(-4, 4))
def test_smoothing_twice_is_smoothing_once(name, s, t, a):
    act = smoothed(name, s)
    values = act(a + t * XI)
    once = GAUSS @ values
    scale = np.sqrt(GAUSS @ values**2)
    twice = activation(f"smoothed({act.text}, {t!r})")
    assert twice.inner == activation(name)
    assert twice.width == pytest.approx(np.hypot(s, t), rel=1e-15)
    assert abs(act.smoothed(a, t) - once) <= 2e-12 * (1.0 + scale)
    assert abs(twice(a) - once) <= 2e-12 * (1.0 + scale)
    variance = GAUSS @ (values - once) ** 2
    assert abs(act.smoothed_variance(a, t) - variance) <= 1e-10 * (1.0 + scale**2)  # the accuracy for a user's f


@pytest.mark.parametrize("name", ["relu", "hardtanh", "erf", "tanh", "retanh"])
def test_covariance_is_an_average_over_both_inputs(name):
    act, r = smoothed(name, 0.5), -0.6
    x, y = 0.3 + 0.8 * XI[::4, None], -0.2 + 1.1 * (r * XI[::4, None] + np.sqrt(1 - r * r) * XI[::4])
    weight = GAUSS[::4] / GAUSS[::4].sum()
    f, g = act(x), act(y)
    true = weight @ ((f - weight @ f) * (g - weight @ g @ weight)) @ weight
    assert abs(covariance.covariance(act, 0.3, -0.2, 0.8, 1.1, r) - true) <= 1e-11
    assert abs(covariance.covariance(activation(name), 0.3, -0.2, 0.8, 1.1, r) - true) > 1e-3


@pytest.mark.parametrize("name", ["relu", "tanh", "retanh"])
def test_variance_keeps_its_digits_in_little_noise(name):
    """Var F = s² F₁² + s⁴ (F₂²/2 + F₁ F₃)."""
    act, s = smoothed(name, 0.5), 1e-3
    first, second, third = (act.derivative(0.4, n) for n in (1, 2, 3))
    true = s**2 * first**2 + s**4 * (second**2 / 2 + first * third)
    assert act.smoothed_variance(0.4, s) == pytest.approx(true, rel=1e-9)
    assert act.smoothed_variance(0.4, [0.0, s])[0] == 0.0


@pytest.mark.parametrize(
    ("name", "s"),
    [
        ("relu", 0.5),
        ("elu", 1e-6),
        ("sin", 3.0),
        ("step", 0.1),
        ("gelu", 20.0),
        ("x/(1 + Abs(x))", 2.0),
        ("x**3 - x", 0.3),
        ("tanh(x - 50)", 3.0),
    ],
)
def test_block_is_the_function(name, s):
    act, f = smoothed(name, s), activation(name)
    reach = act.pieces[0].tail.start
    x = np.concatenate([np.linspace(-reach, reach, 4001), np.linspace(-3 * reach, 3 * reach, 500), [-1e6, 1e6]])
    y = x.copy()
    act.block(y)
    assert np.all(np.abs(y - act(x)) <= 1e-12 * size(f, x, s) + 1e-15)
    ends = np.array([np.nan, np.inf, -np.inf])
    at_ends = ends.copy()
    act.block(at_ends)
    for values in (at_ends, act(ends)):
        np.testing.assert_allclose(values, f(ends), rtol=1e-14)  # weights sum to one


def test_is_smooth_and_has_the_ends_of_f():
    act = smoothed("relu(x - 0.503)", 1e-3)
    assert act.kinks == act.breakpoints == ()
    assert not act.piecewise_linear
    np.testing.assert_allclose(act.nonlinearities, [0.503], atol=1e-9)
    assert act.limit_slopes == (0.0, 1.0)
    assert act.derivative(np.full((2, 3), 0.503)).shape == (2, 3)
    np.testing.assert_allclose(act.derivative([-1e3, 0.503, 1e3]), [0.0, 0.5, 1.0], atol=1e-14)
    assert act.derivative(0.503, 2) == pytest.approx(1e3 / np.sqrt(2 * np.pi), rel=1e-12)


@pytest.mark.parametrize("name", [*NONLINEAR, *USERS])
def test_text_gives_it_back(name):
    act = activation(f" smoothed( {name} , 1/3)")
    assert act.text == f"smoothed({activation(name).text}, {1 / 3!r})"
    for again in (activation(act.text), activation(act.expression), pickle.loads(pickle.dumps(act))):
        assert isinstance(again, Activation)
        assert again == act
    assert repr(act) == f"Activation({act.text!r})"
    assert act != activation(name)


def test_texts_of_nothing_to_smooth():
    assert activation("smoothed(tanh, 0)") == activation("tanh")
    assert activation("smoothed(2*x - 1, 3)") == activation("2*x - 1")
    assert activation("smoothed(3, 1)") == activation("3")
    assert activation("smoothed(smoothed(relu(x), 0.3), 0.4)").text == "smoothed(relu, 0.5)"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("smoothed(relu)", "must give smoothed a function and a width"),
        ("smoothed(relu, -1)", "must give smoothed a number of at least 0"),
        ("smoothed(relu, x)", "must give smoothed a number of at least 0"),
        ("2*smoothed(relu, 1)", "must be smoothed as a whole"),
        ("relu(smoothed(tanh, 1))", "must be smoothed as a whole"),
        ("smoothed(Abs(sin(x)), 1)", "must have finitely many kinks"),
        ("smoothed(sin(x**2), 1)", "must be resolved"),
        ("smoothed(exp(x**2/1000), 30)", "must be finite"),
        ("smoothed(nothing, 1)", "must use known names only"),
        (f"smoothed({'+'.join(['tanh(x)**2'] * 80)} + tanh({'1' * 20}*x), 1)", "must be at most|must have at most"),
    ],
)
def test_refused_in_one_sentence(text, rule):
    with pytest.raises(ValueError, match=f"^activation ({rule})") as error:
        activation(text)
    assert "\n" not in str(error.value)


def test_negative_width_is_refused():
    with pytest.raises(ValueError, match=r"^s must be at least 0"):
        smoothed("tanh", 0.5).smoothed(0.0, [1.0, -1.0])


def test_derivations_print_it():
    text = derive.derivation("bias", 2, "inside", "smoothed(tanh, 0.5)").text()
    assert "smoothed(1 - tanh(a)**2, 0.5)" in text
    with pytest.raises(ValueError, match=r"^activation must be made of terms whose Gaussian integral is known"):
        derive.smoothing("smoothed(tanh, 0.5)")
