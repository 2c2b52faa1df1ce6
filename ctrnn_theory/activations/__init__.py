"""Activation functions: expression, kinks, compiled form and Gaussian smoothing.

activation
    The class :class:`Activation`, and the function that makes one.
library
    The built-in activations.
symbolic
    What follows from the expression.
gaussian
    Averages over Gaussian pre-activations.

Public are the names below; all else is private to the package.
"""

from ctrnn_theory.activations.activation import Activation, Kink, activation
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.piece import Piece

__all__ = ["BUILTIN", "Activation", "Kink", "Piece", "activation"]
