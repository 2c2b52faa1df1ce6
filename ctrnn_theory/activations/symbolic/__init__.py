"""What follows from the expression of an activation function: its pieces, kinks, stable forms and compiled code."""
