"""The compiled sums of the operator of one neuron."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.support.jit import jit

POINTS = 16  # as in `operator`, which imports this file when a kernel pays off
SCATTER = "Tuple((float64[:,:,::1], float64[:,::1]))(float64[::1], int64[::1], float64[::1], float64[::1], int64)"


@jit(SCATTER, cache=True)
def scatter(edges, rows, points, weights, count):  # type: ignore[no-untyped-def]
    """Sum weight · T_k(t) over the points of each row and panel, (count, panels, 16); also the overstep, (count, 2)."""
    panels = len(edges) - 1
    moments = np.zeros((count, panels, POINTS))
    over = np.zeros((count, 2))
    panel = 0
    for i in range(len(points)):
        x, weight, row = points[i], weights[i], rows[i]
        if x < edges[0]:
            over[row, 0] += weight * (edges[0] - x)
            x = edges[0]
        elif x > edges[-1]:
            over[row, 1] += weight * (x - edges[-1])
            x = edges[-1]
        while panel > 0 and x < edges[panel]:  # the points of a row are near each other
            panel -= 1
        while panel < panels - 1 and x >= edges[panel + 1]:
            panel += 1
        t = ((x - edges[panel]) - (edges[panel + 1] - x)) / (edges[panel + 1] - edges[panel])
        before, now = weight, weight * t
        for k in range(POINTS):
            moments[row, panel, k] += before
            before, now = now, 2.0 * t * now - before
    return moments, over
