"""Sums over simulated trajectories, in groups, from which means and their standard errors follow."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.analysis.orbit.regions import Regions, softmax
from ctrnn_theory.support.types import FloatArray, IntArray

GROUPS = 32
"""Groups of trajectories, which are independent: enough for a standard error that is good to 13 %."""


class Tally:
    """Sums of d = h - c, d', d dᵀ and d' dᵀ, of pairs of symbols and of regions, for each of G groups."""

    def __init__(self, regions: Regions, centre: FloatArray) -> None:
        n, symbols = len(centre), regions.symbols
        self.regions, self.centre = regions, centre
        self.samples = 0
        """Number of pairs of states in each group."""
        self.first, self.later = np.zeros((GROUPS, n)), np.zeros((GROUPS, n))
        self.square, self.cross = np.zeros((GROUPS, n, n)), np.zeros((GROUPS, n, n))
        self.emitted = np.zeros((GROUPS, symbols, symbols))
        self.halves = np.zeros((2, GROUPS, n))
        """Means of d in the two halves of the run."""
        self._labels: list[IntArray] = []

    def add(self, rows: FloatArray, half: int, share: float) -> None:
        """Add states (T + 1, M, N), the first of which are those before; their share of a half of the run is given."""
        steps, lanes, n = rows.shape
        grouped = rows.reshape(steps, GROUPS, lanes // GROUPS, n)
        d = np.ascontiguousarray((grouped - self.centre).transpose(1, 0, 2, 3))
        now, later = (part.reshape(GROUPS, -1, n) for part in (d[:, :-1], d[:, 1:]))
        self.samples += now.shape[1]
        self.first += now.sum(axis=1)
        self.later += later.sum(axis=1)
        self.halves[half] += share * now.mean(axis=1)
        turned = np.swapaxes(now, 1, 2)
        self.square += turned @ now
        self.cross += np.swapaxes(later, 1, 2) @ now
        if self.regions.symbols:
            p = softmax(self.regions.net.output(grouped))
            self.emitted += np.einsum("tgmi,tgmj->gij", p[:-1], p[1:], optimize=True)
        if self.regions.count:
            self._labels.append(self.regions.labels(rows[1:] if self._labels else rows))

    @property
    def labels(self) -> IntArray:
        """Regions (T + 1, M) of all trajectories."""
        return np.concatenate(self._labels)

    def moved(self) -> FloatArray:
        """Return how often each region was followed by each, in each group, (G, P, P)."""
        count, labels = self.regions.count, self.labels
        pairs = (labels[:-1] * count + labels[1:]).reshape(len(labels) - 1, GROUPS, -1)
        found = [np.bincount(pairs[:, g].ravel(), minlength=count**2) for g in range(GROUPS)]
        return np.array(found, dtype=np.float64).reshape(GROUPS, count, count)

    def sojourns(self) -> IntArray:
        """Return the number (P, L) of completed stays of each length, those that begin and end within the run."""
        labels = self.labels
        columns, times = np.nonzero((labels[1:] != labels[:-1]).T)
        same = columns[1:] == columns[:-1]  # both ends are of one trajectory
        lengths, regions = np.diff(times)[same], labels[times[1:], columns[1:]][same]
        found = np.zeros((self.regions.count, int(lengths.max(initial=0))), dtype=np.int64)
        np.add.at(found, (regions, lengths - 1), 1)
        return found
