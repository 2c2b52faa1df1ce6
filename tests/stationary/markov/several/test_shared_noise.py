"""The kernels of the exact law of two and three neurons, against plain sums and without the compiler."""

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.several.chain import SeveralChain, solve_several
from ctrnn_theory.stationary.markov.several.chebyshev_grid import average_chebyshev
from ctrnn_theory.stationary.markov.several.shared_noise import average_pairs, average_row, rules_for

W = np.array([[0.5, -0.8], [0.6, 0.3]])
B = np.array([0.1, 0.2])


def test_a_cloud_of_points_is_averaged_in_its_own_part_of_the_box():
    rng = np.random.default_rng(1)
    cloud, weight = rng.uniform([[0.1], [-0.9]], [[0.4], [-0.6]], (2, 700)), rng.uniform(size=700) / 700
    expected = (chebvander(cloud[0], 39) * weight[:, None]).T @ chebvander(cloud[1], 49)
    assert (
        np.max(np.abs(average_row(cloud, weight, 40, 50) - expected)) < 1e-5
    )  # the error of a polynomial of degree 49
    assert np.max(np.abs(average_row(cloud, weight, 40, 50) - expected)[:20, :20]) < 1e-12
    assert np.max(np.abs(average_row(cloud / 0.9, weight, 40, 50) - expected)) > 1e-3


def test_the_kernels_without_the_compiler():
    rng = np.random.default_rng(0)
    t, weights, rows = rng.uniform(-1.5, 1.5, 60), rng.uniform(size=60), np.sort(rng.integers(0, 4, 60))
    for one, other in zip(
        average_chebyshev(rows, t, weights, 4, 7), average_chebyshev.py_func(rows, t, weights, 4, 7), strict=True
    ):
        assert np.allclose(one, other, rtol=0, atol=1e-13)
    some, L = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([[0.3, 0.0], [0.2, 0.4]])
    origins, box = np.stack([some, some @ W.T], axis=1), np.array([[-1.0, -1.0], [1.0, 1.0]])
    lines = np.array([[[0.2, -0.5]], [[3.0, 0.4]]])
    arguments = (0.3, origins, np.stack([0.2 * W, L]), np.array([[0.5], [-9.0]]), lines, rules_for(8.5, 1.0), 8.5, 1.0)
    f = activation("relu").block
    for one, other in zip(
        average_pairs(f, *arguments, box, 5, 14), average_pairs.py_func(f, *arguments, box, 5, 14), strict=True
    ):
        assert np.allclose(one, other, rtol=0, atol=1e-13)
    assert isinstance(solve_several(CTRNN(W, B, "tanh", 0.5), Noise(0.3), B, np.zeros(2), 1e-3), SeveralChain)
