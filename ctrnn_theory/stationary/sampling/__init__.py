"""Control variates and checks of the method "simulation"; private to it and to :func:`ctrnn_theory.difference`."""
