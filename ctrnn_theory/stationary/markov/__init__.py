"""The Markov operator of networks of one to three neurons: its stationary law and its spectrum.

operator, operator_kernel
    The operator of one neuron, as a matrix on Chebyshev panels, and its compiled sums.
state_range
    Where the state of one neuron lives, and the first panels.
chain
    The stationary law of one neuron, from the Poisson equation.
several
    The same for two and three neurons, on a Chebyshev grid.
one_step
    What an operator has missed, by the moments after one step.
acceptance
    Whether a law meets its tolerance.
spectrum
    The leading eigenvalues and eigenfunctions; public as :func:`ctrnn_theory.spectrum`.

All else is private to the method "exact" and to the escape times.
"""
