"""Functions that are taken from one grid to another on the same box."""

import numpy as np

from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid


def test_resampling_is_interpolation_at_the_nodes_of_the_other_grid():
    rng = np.random.default_rng(0)
    low, high = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 3.0, 2.5])
    grid, other = ChebyshevGrid(low, high, (4, 5, 6)), ChebyshevGrid(low, high, (7, 3, 8))
    g, weights = rng.standard_normal((grid.size, 2)), rng.standard_normal(other.size)
    there, rows = grid.resampling(other), grid.interpolation(other.points)
    np.testing.assert_allclose(there.apply(g), rows.apply(g), atol=1e-13)
    np.testing.assert_allclose(there.adjoint(weights), rows.adjoint(weights), atol=1e-13)
