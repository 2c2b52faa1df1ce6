"""The Fokker–Planck equation in one, two and three dimensions, for any drift and diffusion.

    ∂p/∂t = - Σᵢ ∂ᵢ (Aᵢ p) + ½ Σᵢⱼ ∂ᵢ ∂ⱼ (Bᵢⱼ p),        dX = A dt + √B dW (Itô)

:func:`solve` finds the stationary density, and :func:`evolve` follows a density in time. The equation of a network is
solved by the method "fokker_planck" of :func:`ctrnn_theory.predict` and :func:`ctrnn_theory.evolve`.

equation, of_network
    Drift and diffusion from what a user writes, and those of a network.
density
    A density on a tensor grid, and its moments.
solution, evolution
    The stationary density, and densities in time.
one_dimension, first_panels, panels, exponent
    The stationary density of one dimension, by quadrature.
cell_grid, generator, null_vector
    Finite volumes in two and three dimensions, and in time.
stepping, faber
    Steps in time, and the polynomials by which they are taken.

Public are the names below; all else is private to the package.
"""

from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.evolution import DensityPath, evolve
from ctrnn_theory.fokker_planck.solution import Solution, solve

__all__ = ["Density", "DensityPath", "Solution", "evolve", "solve"]
