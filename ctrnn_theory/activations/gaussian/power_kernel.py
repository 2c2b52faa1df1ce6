"""The compiled loop over values of a function that is tabulated by polynomials on panels of equal width."""

from __future__ import annotations

from ctrnn_theory.support.jit import jit


@jit(cache=True, fastmath={"contract"})
def panel_values(z, first, width, c, out):  # type: ignore[no-untyped-def]
    """Set out (K,) to the polynomials c (P, D) at z (K,), in distances from the centre of each panel in half widths."""
    for i in range(z.size):
        t = (z[i] - first) / width
        k = min(int(t), c.shape[0] - 1)
        u, y = 2.0 * (t - k) - 1.0, 0.0
        for j in range(c.shape[1] - 1, -1, -1):
            y = y * u + c[k, j]
        out[i] = y
