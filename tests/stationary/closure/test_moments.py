"""Products of large matrices of which half is computed."""

import numpy as np
import pytest

from ctrnn_theory.stationary.closure.moments import BLOCK, symmetric_product


@pytest.mark.parametrize("n", [3, BLOCK, BLOCK + 1, 3 * BLOCK - 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_symmetric_product(n, dtype):
    """One W for several X, of more rows than columns and of fewer."""
    rng = np.random.default_rng(0)
    for columns in (2, n + 3):
        W, X = rng.normal(size=(n, columns)).astype(dtype), rng.normal(size=(2, columns, columns)).astype(dtype)
        A = W @ (X + np.swapaxes(X, 1, 2))
        expected, found = A @ W.T, symmetric_product(A, W)
        assert found.dtype == dtype
        tolerance = 100.0 * np.finfo(dtype).eps * np.max(np.abs(expected))
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=tolerance)
