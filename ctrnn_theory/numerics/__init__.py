"""Numerical methods that know nothing of networks.

gauss_legendre
    Gauss–Legendre nodes and weights, on [-1, 1] and in panels.
half_moments
    Moments of normal variables over one sign, of any order.
kesten
    Existence and tail exponent of the law of a process with random multipliers.
neuron_tail
    The same for a neuron whose activation is straight far out.
panels
    Panels that are halved until each is resolved.
vector_math
    Elementary functions compiled for Numba.

All of it is private to the package.
"""
