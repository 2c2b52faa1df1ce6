"""What is no number where one is meant: refused by every public callable, in one sentence that names the argument."""

import inspect
import re
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ctrnn_theory as ct
from ctrnn_theory.support import arguments
from tests.public_calls import CALLS, NET, NO_ARGUMENTS_OF_NUMBERS, OTHERS, Plain, Tensor, bad_values

SPOKEN = {"w": "[wW]", "f": "activation", "name": "formula", "where": "(where|task)"}
"""Arguments that a message calls otherwise, by what they are."""
CASES = [
    (name, argument) for name, (_, given) in CALLS.items() for argument, (_, kind) in given.items() if kind is not None
]


def refusal(call, given):
    try:
        call(**given)
    except (ValueError, TypeError) as error:
        return str(error)
    return "it was taken"


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_what_is_no_number_is_refused_by_name(name, argument):
    """Before anything is computed: the activation, the fields and the functions that are given must not be called."""
    call, given = CALLS[name]
    good = {key: value for key, (value, _) in given.items() if value is not None}
    if (name, argument) == ("difference", "steps"):
        del good["target_se"]
    value, kind = given[argument]
    for what, bad in bad_values(kind, [[0.5]] if value is None else value).items():
        message = refusal(call, good | {argument: bad})
        assert re.search(rf"\b{SPOKEN.get(argument, argument)}\b", message), (what, message)
        assert "\n" not in message, what
        assert len(message) < 500, what


@pytest.mark.parametrize("name", sorted(set(ct.__all__) | {f"derive.{name}" for name in ct.derive.__all__}))
def test_every_public_argument_is_looked_at(name):
    """A new callable or argument has to be named in the table, or said to be no number."""
    found = ct
    for part in name.split("."):
        found = getattr(found, part)
    if not inspect.isfunction(found) or name in OTHERS:
        return
    asked = {key for key, given in inspect.signature(found).parameters.items() if "VAR" not in given.kind.name}
    assert asked <= set(CALLS[name][1]) | NO_ARGUMENTS_OF_NUMBERS


@pytest.mark.parametrize(
    "given",
    [
        np.array([[0.5, 0.25]], np.float32),
        np.array([[0.5, 0.25]], np.float16),
        np.array([[0.5, 0.25]], np.longdouble),
        np.array([[0.5, 0.25]]) + 0j,
        np.ma.array([[0.5, 0.25]], mask=False),
        [Plain([0.5, 0.25])],
        Plain([[0.5, 0.25]]),
        pd.DataFrame([[0.5, 0.25]]),
        xr.DataArray([[0.5, 0.25]], dims=("a", "b")),
        ((0.5, 0.25),),
        np.array([[0.5], [0.25]]).T,
    ],
    ids=lambda given: f"{type(given).__module__}.{type(given).__name__}",
)
def test_arrays_of_numbers_are_taken_as_they_are(given):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = arguments.real_array("W", given, (1, 2))
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert not found.flags.writeable
    assert found.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize(
    "given", [1, np.int8(1), np.float32(1.0), Fraction(2, 2), np.array(1.0), 1 + 0j, Plain(1.0), xr.DataArray(1)]
)
def test_numbers_are_taken_as_they_are(given):
    assert arguments.real_number("gamma", given) == 1.0
    assert arguments.positive_number("gamma", given) == 1.0
    assert arguments.real_array("sigma", given, ()) == 1.0


def test_the_message_says_what_an_array_holds():
    for value, what in {
        "complex": (np.array([0.5 + 2j]), "W must be real; it holds (0.5+2j)"),
        "masked": (np.ma.masked_equal([0.5, 0.0], 0.0), "(masked entries)"),
        "text": (["0.5"], "W must be an array of real numbers; got ['0.5'] (text)"),
        "dates": (np.array(["2020"], "M8[Y]"), "(dates)"),
        "durations": (np.array([1], "m8[s]"), "(time differences)"),
        "large": ([10**30], "W must hold integers of at most 64 bits; got [1" + 30 * "0" + "]"),
        "tensor": (Tensor(), "requires grad; Use tensor.detach().numpy() instead"),
    }.values():
        with pytest.raises(ValueError, match=f"^W must .*{re.escape(what.removeprefix('W must '))}$"):
            arguments.real_array("W", value)


def test_precision_beyond_double_is_rounded_and_out_of_range_is_refused():
    third = np.longdouble(1) / 3
    assert arguments.real_array("W", [third])[0] == 1.0 / 3.0
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with pytest.raises(ValueError, match="W must be finite; it holds inf"):
            arguments.real_array("W", [np.longdouble("1e4000")])
        with pytest.raises(ValueError, match="tolerance must be a positive number"):
            arguments.positive_number("tolerance", np.longdouble("1e-4000"))
    with pytest.raises(ValueError, match="steps must be at most 9223372036854775807"):
        arguments.positive_integer("steps", 2**63)


def test_a_long_value_is_cut_to_one_line():
    with pytest.raises(ValueError, match="W must be an array of real numbers") as error:
        arguments.real_array("W", np.full((50, 50), "text"))
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)


def test_memory_that_runs_out_is_no_matter_of_the_argument():
    class Huge:
        def __array__(self):
            raise MemoryError

    with pytest.raises(MemoryError):
        arguments.real_array("W", Huge())


@pytest.mark.parametrize("u", [[[0.3]], np.zeros((3, 2)), [0.3, 0.1]])
def test_an_input_of_another_shape_is_refused(u):
    with pytest.raises(ValueError, match=r"u must have shape \(1,\)"):
        ct.predict(NET, ct.Noise(0.1), u)


@pytest.mark.parametrize("spec", [{"axes": {"w": axis}} for axis in (
    np.array([1, 2], "m8[ns]"), np.ma.array([0.1, 0.2], mask=[0, 1]), np.array([0.1 + 1j]), np.array(["0.1"]), ["0.1"],
    [True], [np.timedelta64(1)], np.array([True]), np.array([[0.1]]), [None], [0.1, np.nan], Tensor(),
)])  # fmt: skip
def test_a_sweep_refuses_values_that_are_no_numbers(spec):
    with pytest.raises(ValueError, match=r"\bw\b") as error:
        ct.sweep({"fixed": {"sigma": 0.1}, **spec}, workers=1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [np.timedelta64(5, "s"), True, "0", -1, 1.5, None, np.array(1)])
def test_a_sweep_refuses_a_seed_that_is_none(value):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
        ct.sweep({"fixed": {"w": 0.5, "sigma": 0.1}, "seed": value}, workers=1)


def test_a_sweep_refuses_an_option_that_is_none():
    for value in (np.timedelta64(5, "ns"), np.ma.masked, object(), 1j):
        with pytest.raises(ValueError, match="tolerance of exact"):
            ct.sweep(
                {"fixed": {"w": 0.5, "sigma": 0.1}, "methods": ["exact"], "options": {"exact": {"tolerance": value}}},
                workers=1,
            )


def test_a_sweep_takes_the_arrays_of_other_libraries():
    spec = {"fixed": {"w": 0.5}, "axes": {"sigma": xr.DataArray([0.1, 0.2]), "site": np.array(["inside", "outside"])}}
    assert ct.sweep(spec, workers=1)["sigma"].values.tolist() == [0.1, 0.2]


def test_functions_that_are_given_must_return_real_numbers():
    density = ct.fokker_planck.solve("-x", 0.5, (-4, 4)).density
    assert density.expectation(lambda h: h[:, 0] < 0.0) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="values of function must be real"):
        density.expectation(lambda h: np.exp(1j * h[:, 0]))
    law = ct.predict(ct.CTRNN.single(0.5), ct.Noise(0.5), method="exact")
    with pytest.raises(ValueError, match="values of function must be real"):
        law.expectation(lambda h: np.exp(1j * h[:, 0]))
    with pytest.raises(ValueError, match=r"function must return a value for each of \d+ states"):
        law.expectation(lambda h: h[:2, 0])
    with pytest.raises(ValueError, match="values of fun must be real"):
        ct.training.cma_es(lambda x: x @ x + 1j, [0.0, 1.0], rng=0)
    with pytest.raises(ValueError, match="value of formula must be real"):
        ct.testing.assert_bias_formula(lambda net, noise: 1j, ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(0.5))


def test_a_message_gives_a_few_of_many_names():
    names = [f"n{k}" for k in range(90)]  # 2 * 10 + 3 * 80 characters, and 2 between two of them
    with pytest.raises(ValueError, match=r"^letter must be one of n0, n1, .*, n61, or of 28 others; got 'x'$"):
        arguments.choice("letter", "x", names)
    assert arguments.choice("letter", "n29", names) == "n29"
