"""Activation functions: expression, kinks, compiled form and Gaussian smoothing.

activation
    The class :class:`Activation`, and the function that makes one.
group
    Activations that differ between neurons.
library, builtin
    The built-in activations, and how they are loaded.
piece, shape_features
    One smooth piece, where it bends most, and its slope at infinity.
source
    Functions made of Python source.
symbolic
    What follows from the expression.
gaussian
    Averages over Gaussian pre-activations.

Public are the names below; all else is private to the package.
"""

from ctrnn_theory.activations.activation import Activation, Kink, activation
from ctrnn_theory.activations.group import ActivationGroup
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.piece import Piece

__all__ = ["BUILTIN", "Activation", "ActivationGroup", "Kink", "Piece", "activation"]
