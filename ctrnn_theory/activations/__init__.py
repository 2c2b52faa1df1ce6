"""What an activation function is: its expression, its kinks, its compiled form, its Gaussian smoothing."""

from ctrnn_theory.activations.activation import Activation, Kink, activation
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.symbolic.pieces import Piece

__all__ = ["BUILTIN", "Activation", "Kink", "Piece", "activation"]
