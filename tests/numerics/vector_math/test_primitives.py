"""Elementary functions agree with mpmath over the whole range of doubles, and loops of them vectorise.

The bounds are those that the functions state: a few roundings of 1.1e-16 each. Below FLOOR, where exp goes to zero
before the normal numbers end, a value may be anything up to FLOOR.
"""

import importlib.util
import math
import os
import pathlib
import re
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.source.compiled import block_function
from ctrnn_theory.activations.source.lane_functions import NAMES
from ctrnn_theory.numerics.vector_math import error_function, logarithms, primitives
from ctrnn_theory.support.jit import jit

LARGEST, FLOOR = np.finfo(float).max, math.exp(-708.0)
EXACT = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tangent": mpmath.tanh,
    "logistic": lambda u: 1 / (1 + mpmath.exp(-u)),
    "softplus": lambda u: mpmath.log1p(mpmath.exp(u)),
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "erf": mpmath.erf,
    "complement": lambda u: mpmath.erfc(min(u, 30)),  # where it is far below FLOOR, and mpmath overflows soon
}
LEAST = {"log": 0.0, "log1p": -1.0}  # where the domain begins, and the value is -inf
BOUND = dict.fromkeys(EXACT, 1e-15) | {"complement": 2e-15}
POWERS = np.concatenate([np.geomspace(5e-324, 1e308, 300), [np.finfo(float).tiny, LARGEST]])
GRID = np.concatenate(
    [
        *(POWERS, -POWERS),
        *(np.linspace(-750.0, 750.0, 301), np.linspace(-30.0, 30.0, 401), np.linspace(-3.0, 3.0, 601)),
        *(np.linspace(0.45, 0.55, 101), np.linspace(24.0, 27.3, 301)),  # where erf changes; the end of erfc
        *(1 + np.geomspace(1e-16, 0.5, 100), 1 - np.geomspace(1e-16, 0.5, 100), np.geomspace(1e-16, 0.5, 100) - 1),
        [math.nextafter(u, u + d) for u in (0.5, 1.0, math.sqrt(0.5), math.sqrt(2), 1 / math.e) for d in (-1, 0, 1)],
        [math.nextafter(u, u + d) for u in (-708.0, 709.782712893384, 710.4758600739439) for d in (-1, 0, 1)],
    ]
)


def error(name, u, value):
    """Return the relative error of the value at u: 0 where any value is right, inf where none of this kind is."""
    if u <= LEAST.get(name, -math.inf):
        return 0.0 if (value == -math.inf if u == LEAST[name] else math.isnan(value)) else math.inf
    with mpmath.workdps(50):
        exact = EXACT[name](mpmath.mpf(u))
        if abs(exact) < FLOOR:
            return 0.0 if abs(value) <= FLOOR else math.inf
        if math.isinf(value):
            return 0.0 if abs(exact) * (1 + BOUND[name]) > LARGEST and value * exact > 0 else math.inf
        return float(abs(mpmath.mpf(value) / exact - 1)) if value == value else math.inf


def looped(function):
    @jit("void(float64[::1])")
    def loop(lanes):
        for i in range(lanes.size):
            lanes[i] = function(lanes[i])

    return loop


def worst(name, function):
    lanes = GRID.copy()
    looped(function)(lanes)
    return max(error(name, u, value) for u, value in zip(GRID.tolist(), lanes.tolist(), strict=True))


@pytest.mark.parametrize("name", EXACT)
def test_on_a_grid(name):
    assert worst(name, NAMES[name]) <= BOUND[name]


@pytest.mark.parametrize("name", EXACT)
@given(u=st.floats(allow_nan=False, allow_infinity=False) | st.floats(-40, 40) | st.floats(-1e-3, 1e-3))
def test_anywhere(name, u):
    assert error(name, u, float(NAMES[name](u))) <= BOUND[name]


@pytest.mark.parametrize(
    ("module", "name", "coefficient"),
    [
        (primitives, "exp", "0.1666666666666667"),
        (primitives, "sinh", "0.1666666666666667"),
        (primitives, "softplus", "0.666666666666667"),
        (logarithms, "log", "0.666666666666667"),
        (logarithms, "log1p", "0.666666666666667"),
        (error_function, "erf", "1.1283791670955126"),
        (error_function, "complement", "0.9587415766529115"),
    ],
)
def test_a_coefficient_wrong_in_its_twelfth_digit_is_caught(tmp_path, module, name, coefficient):
    text = pathlib.Path(module.__file__).read_text(encoding="utf-8")
    wrong = repr(float(coefficient) * (1 + 5e-12))
    assert text.count(coefficient) >= 1
    file = tmp_path / f"wrong_{name}.py"
    file.write_text(text.replace(coefficient, wrong), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    changed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(changed)
    assert worst(name, getattr(changed, name)) > 2 * BOUND[name]


NAN, INF = math.nan, math.inf
SPECIAL = {  # at nan, inf, -inf, 0, -0
    "exp": (NAN, INF, 0.0, 1.0, 1.0),
    "expm1": (NAN, INF, -1.0, 0.0, 0.0),
    "sinh": (NAN, INF, -INF, 0.0, -0.0),
    "cosh": (NAN, INF, INF, 1.0, 1.0),
    "tangent": (NAN, 1.0, -1.0, 0.0, -0.0),
    "logistic": (NAN, 1.0, 0.0, 0.5, 0.5),
    "softplus": (NAN, INF, 0.0, math.log(2), math.log(2)),
    "log": (NAN, INF, NAN, -INF, -INF),
    "log1p": (NAN, INF, NAN, 0.0, -0.0),
    "erf": (NAN, 1.0, -1.0, 0.0, -0.0),
    "complement": (NAN, 0.0, 2.0, 1.0, 1.0),
}


@pytest.mark.parametrize("name", EXACT)
def test_not_numbers_infinities_and_zeros(name):
    lanes = np.array([NAN, INF, -INF, 0.0, -0.0])
    looped(NAMES[name])(lanes)
    np.testing.assert_allclose(lanes, SPECIAL[name], rtol=BOUND[name], atol=0)
    if name != "expm1":  # whose zero is positive
        zeros = np.copysign(1, lanes[lanes == 0]), np.copysign(1, [v for v in SPECIAL[name] if v == 0])
        np.testing.assert_array_equal(*zeros)


VECTOR = re.compile(r"= f(mul|add|sub|div) (contract )?<\d+ x double>")


def vectorised(compiled):
    (text,) = compiled.inspect_llvm().values()
    return bool(VECTOR.search(text))


@pytest.mark.parametrize("name", EXACT)
def test_loops_vectorise(name):
    assert vectorised(looped(NAMES[name]))


@pytest.mark.parametrize("spec", ["gelu", "erf", "probit", "softplus", "tanh", "elu", "log(x**2 + 1)", "sinh(x)"])
def test_blocks_vectorise(spec):
    act = activation(spec)  # whose block may come from the disk, where there is no code to look at
    assert vectorised(block_function(act.source, act.steps, len(act.pieces) > 1))


def test_a_call_to_the_c_library_does_not_vectorise():
    assert not vectorised(looped(jit(lambda u: math.erf(u))))


WITHOUT_JIT = """
import sys, warnings
import numpy as np
warnings.simplefilter("error")
from ctrnn_theory.activations.source.lane_functions import NAMES
grid, names = np.load(sys.argv[1]), sys.argv[3:]
np.save(sys.argv[2], [[NAMES[name](u) for u in grid] for name in names])
"""


def test_without_jit(tmp_path):
    """With the compiler off the numbers agree to two bounds, and NumPy warns of no invalid value."""
    grid = np.concatenate([GRID[abs(GRID) < 700.0][::5], [NAN, INF, -INF, 0.0, -0.0, -1.0, 1e307, 5e-324]])
    files = tmp_path / "grid.npy", tmp_path / "values.npy"
    np.save(files[0], grid)
    names = [name for name in EXACT if name not in {"logistic", "exp", "expm1", "softplus"}]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", WITHOUT_JIT, *files, *names], check=True, env=environment)
    for name, values in zip(names, np.load(files[1]), strict=True):
        lanes = grid.copy()
        looped(NAMES[name])(lanes)
        np.testing.assert_allclose(values, lanes, rtol=2 * BOUND[name], atol=FLOOR, err_msg=name)
