"""Numerical methods that know nothing of networks.

gauss_legendre
    Gauss–Legendre nodes and weights, on [-1, 1] and in panels.
panels
    Panels that are halved until each is resolved.
vector_math
    Elementary functions compiled for Numba.

All of it is private to the package.
"""
