"""Hypothesis strategies, and checks of a user's own formula for a bias, a stationary law or a smoothing.

A check raises AssertionError with the numbers it compared, or returns what it measured, so that a test can also state
how sharp it was. The references are the exact law of one neuron, identities that every stationary law of the map obeys,
and quadrature of the activation itself.
"""

try:
    import hypothesis  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError("ctrnn_theory.testing needs Hypothesis: pip install 'ctrnn-theory[test]'") from error

from ctrnn_theory.testing.bias_formula import Convergence, assert_bias_formula
from ctrnn_theory.testing.gaussian import assert_smoothing
from ctrnn_theory.testing.run import Identity
from ctrnn_theory.testing.stationarity import assert_stationary
from ctrnn_theory.testing.strategies import activations, networks, noises

__all__ = [
    "Convergence",
    "Identity",
    "activations",
    "assert_bias_formula",
    "assert_smoothing",
    "assert_stationary",
    "networks",
    "noises",
]
