"""Elementary functions of one number for Numba, without branches, so that loops over lanes vectorise.

primitives
    exp, expm1, tanh, sinh, cosh, logistic, softplus, and choices.
logarithms
    log and log1p.
error_function
    erf and erfc.
"""
