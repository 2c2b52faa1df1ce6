"""Gauss–Legendre rules: exact for polynomials, shared and read-only, and mapped to panels."""

import numpy as np
import pytest

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between


@pytest.mark.parametrize("count", [1, 2, 8, 16, 20, 72])
def test_exact_up_to_degree_2n_minus_1(count):
    nodes, weights = gauss_legendre(count)
    for degree in range(2 * count):
        assert weights @ nodes**degree == pytest.approx(0.0 if degree % 2 else 2.0 / (degree + 1), abs=1e-13)
    assert weights @ nodes ** (2 * count) != pytest.approx(2.0 / (2 * count + 1), abs=1e-13) or count > 20


def test_a_rule_is_shared_and_cannot_be_written():
    nodes, _ = gauss_legendre(16)
    assert gauss_legendre(16)[0] is nodes
    with pytest.raises(ValueError, match="read-only"):
        nodes[0] = 0.0


def test_nodes_in_panels():
    left, right = np.array([[0.0, 1.0], [2.0, -3.0]]), np.array([[1.0, 4.0], [2.5, -1.0]])
    nodes, weights = gauss_legendre(5)
    x, half = nodes_between(left, right, nodes)
    assert x.shape == (2, 2, 5)
    assert half.shape == (2, 2, 1)
    np.testing.assert_allclose((half * weights * x**3).sum(axis=-1), (right**4 - left**4) / 4, rtol=1e-14)
