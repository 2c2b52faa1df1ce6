"""The check of a smoothing passes right formulas and finds wrong ones."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from ctrnn_theory import activation
from ctrnn_theory.activations import BUILTIN
from ctrnn_theory.testing import assert_smoothing


@pytest.mark.parametrize("name", BUILTIN)
def test_smoothing_of_the_built_in_activations(name):
    assert assert_smoothing(name, activation(name).smoothed, tolerance=1e-12) < 1e-14


def density(z):
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


WRONG = {
    "relu without its density": ("relu", lambda a, s: a * ndtr(a / s), "quadrature of relu gives"),
    "relu with the variance": ("relu", lambda a, s: a * ndtr(a / s) + s * s * density(a / s), "quadrature"),
    "tanh by a probit": ("tanh", lambda a, s: math.tanh(a / math.sqrt(1 + math.pi / 2 * s * s)), "quadrature of tanh"),
    "off by 2e-10": ("sin", lambda a, s: math.exp(-s * s / 2) * math.sin(a) + 2e-10, "quadrature of sin gives"),
    "right but for small s": ("sin", lambda a, s: math.exp(-s * s / 2) * math.sin(a) if s > 0.01 else 0.0, "as s → 0"),
    "nan": ("erf", lambda a, s: math.nan, "is nan"),
}


@pytest.mark.parametrize(("name", "F", "message"), WRONG.values(), ids=WRONG)
def test_wrong_smoothing_fails(name, F, message):
    with pytest.raises(AssertionError, match=message):
        assert_smoothing(name, F)


def test_heat_equation_finds_what_the_points_do_not():
    """Right at the only point of the quadrature, by interpolation in a, and nowhere else."""
    wrong = lambda a, s: math.exp(-s * s / 2) * (math.sin(a) + (a - 0.5) * (s > 0.2))  # noqa: E731
    with pytest.raises(AssertionError, match="by the heat equation"):
        assert_smoothing("sin", lambda a, s: wrong(a, s) + 0.1 * (a - 0.5) ** 2 * (s > 0.2), points=[(0.5, 1.0)])


def test_at_a_jump_the_limit_is_the_mean_of_both_sides():
    assert_smoothing("step", lambda a, s: ndtr(a / s))
    with pytest.raises(AssertionError, match=r"as s → 0, where f is 0\.5"):
        assert_smoothing("step", lambda a, s: ndtr(a / s) if s > 0.01 else float(a > 0), points=[(0.0, 1.0)])
