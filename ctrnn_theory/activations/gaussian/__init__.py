"""Averages of an activation function over Gaussian pre-activations.

smoothing
    E f(a + s ξ), its derivatives and Var f(a + s ξ): the choice among the next four.
closed_forms
    Piecewise polynomials, elu, gelu, erf, probit and sin.
logistic_family
    Fixed rules for sigmoid, tanh, softplus and silu.
power_law, rectified_power, power_kernel
    Power laws, by a fixed rule for every exponent and argument.
quadrature
    Any other activation, by Gauss–Legendre panels.
activation_panels
    The panels on which an activation is a polynomial to rounding.
smoothed_activation
    The smoothing as an activation of its own, tabulated and compiled.
covariance
    Cov(f(x), f(y)) of correlated inputs: the choice among those that follow.
group_covariance
    The same for activations that differ between neurons.
multiplied, common_gains
    Arguments that noise multiplies: private noise, and noise that neurons have in common.
steps_and_ramps, steps_and_ramps_kernel
    Piecewise-linear f, by Plackett's identity.
power_pairs
    Power laws whose correlation is near 1.
hermite_series
    Any other f, and any matrix of many inputs, by Mehler's formula; or by quadrature where the correlation is near 1.
hermite_coefficients
    The coefficients in that formula, by closed forms and fixed rules.
mehler
    The sums of the formula, with a bound on what they leave out.
hermite_kernels
    The compiled loops of both.

All of it is private to the package; users call the methods of :class:`ctrnn_theory.Activation`.
"""
