"""Averages of an activation function over Gaussian preactivations."""
