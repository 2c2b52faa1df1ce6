"""Second and third moments of values of f that noise multiplies, from those of f, for a batch of networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Moments of what multiplies the values of f outside, n = 1 + m with E m = 0, independent of f.

    With Z = f - F the products are those of Y = n f - F.
    """

    second: FloatArray
    """R = E m_i m_j (B, N, N)."""
    product: FloatArray
    """E n_i n_j n_k (B, N, N, N)."""

    @classmethod
    def of(cls, noise: Noise, n: int) -> Multipliers:
        """Make them for one network: moments of independent factors, normal ones and that of dropout, multiply.

        Examples
        --------
        >>> Multipliers.of(Noise.dropout(0.5), 1).product.ravel()       # a half of 2³
        array([4.])
        """
        G, common, keep = noise.gain_factor("outside", n), noise.common_gain(n), noise.kept(n)
        product, d = np.ones((n, n, n)), np.arange(n)
        for K in (G @ G.T, np.outer(common, common)):
            product = product * (1.0 + K[:, :, None] + K[:, None, :] + K)
        dropped = np.ones((n, n, n))
        dropped[d, d], dropped[d, :, d], dropped[:, d, d] = 1.0 / keep[:, None], 1.0 / keep[:, None], 1.0 / keep
        dropped[d, d, d] = keep**-2.0
        return cls(noise.gain_covariance("outside", n)[None], (product * dropped)[None])

    def __getitem__(self, which: Any) -> Multipliers:
        """Return those of some networks."""
        return Multipliers(self.second[which], self.product[which])

    def covariance(self, C: FloatArray, F: FloatArray) -> FloatArray:
        """Return E Y_i Y_j = C + R ∘ (C + F Fᵀ), (B, N, N)."""
        return C + self.second * (C + F[:, :, None] * F[:, None, :])

    def mixed(self, third: FloatArray, X: FloatArray, F: FloatArray) -> FloatArray:
        """Return E δ_i Y_j Y_k from E δ_i Z_j Z_k (B, N, N, N) and X = E δ Z (B, N, N).

        It is E δ Z Z + R_jk (E δ Z Z + F_j X_ik + F_k X_ij).
        """
        pairs = X[..., None] * F[:, None, None, :]
        return third + self.second[:, None] * (third + pairs + np.swapaxes(pairs, 2, 3))

    def third(self, third: FloatArray, C: FloatArray, F: FloatArray) -> FloatArray:
        """Return E Y_i Y_j Y_k from E Z_i Z_j Z_k (B, N, N, N).

        It is E n n n (E Z Z Z) + Σ F_i C_jk (E n n n - 1 - R_jk) + F F F (E n n n - 1 - Σ R), with sums over the three
        places.
        """
        R, product = self.second, self.product
        FC = F[:, :, None, None] * C[:, None] * (product - 1.0 - R[:, None])
        own = product - 1.0 - R[:, :, :, None] - R[:, :, None, :] - R[:, None]
        total = product * third + FC + FC.transpose(0, 2, 1, 3) + FC.transpose(0, 3, 2, 1)
        return np.asarray(total + own * F[:, :, None, None] * F[:, None, :, None] * F[:, None, None, :])
