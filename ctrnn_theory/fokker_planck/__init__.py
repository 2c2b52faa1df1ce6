"""The Fokker–Planck equation in one, two and three dimensions, for any drift and diffusion.

    ∂p/∂t = - Σᵢ ∂ᵢ (Aᵢ p) + ½ Σᵢⱼ ∂ᵢ ∂ⱼ (Bᵢⱼ p),        dX = A dt + √B dW (Itô)

:func:`solve` finds the stationary density, :func:`evolve` follows one in time. The network's own equation is the
method "fokker_planck" of :func:`ctrnn_theory.predict` and :func:`ctrnn_theory.evolve`.
"""

from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.evolution import DensityPath, evolve
from ctrnn_theory.fokker_planck.solution import Solution, solve

__all__ = ["Density", "DensityPath", "Solution", "evolve", "solve"]
