"""Steps of any network under any noise, by the general kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.integrators import general_kernel, normals
from ctrnn_theory.integrators.averages import Averages, both_triangles
from ctrnn_theory.integrators.first_class import MOST, first_class, length
from ctrnn_theory.integrators.general_kernel import Dynamics, Gain
from ctrnn_theory.integrators.general_sums import Sums
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.sites import Site
from ctrnn_theory.integrators.smoothed_table import SmoothedTable
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray, IntArray

STATIONARY = normals.EPOCH * (normals.EPOCHS - 1)
"""Step whose variates give the first states of coloured sources: the last epoch, which no run reaches."""


class GeneralSteps:
    """The kernel for these steps with what it is given, see :class:`~ctrnn_theory.integrators.ensemble.Ensemble`."""

    def __init__(
        self, net: CTRNN, noise: Noise, drive: FloatArray, key: normals.Words, partner: Noise | None = None
    ) -> None:
        n = net.n
        self.whole = Augmented.of(net, noise)
        self.size, self.voltage = self.whole.size, net.form == "voltage"
        functions, runs, which = _runs(net.activation, n)
        # compiled here, in one thread: two that compile the same kernel at once may wait for each other for ever
        self.kernel = general_kernel.kernel(length(len(functions)))
        self.functions = first_class([f.block for f in functions])
        rows = np.atleast_2d(drive)
        nothing, none = np.zeros((1, n)), np.zeros((0, 0))
        gains, self.rows = _gains(noise, partner or noise, n)
        source, rho = _sources(noise, n, gains)
        coloured = [noise.coloured(site, n)[0] * noise.coloured(site, n)[1] for site in SITES]
        inside, outside = (part.shape[1] for part in coloured)
        reads = np.hstack([coloured[0], np.zeros((n, outside))]) if inside else np.zeros((n, 0))
        feeds = np.hstack([np.zeros((n, inside)), coloured[1]]) if outside else np.zeros((n, 0))
        self.dynamics = Dynamics(
            none if self.voltage else np.array(net.W, order="C"),
            nothing if self.voltage else np.array(rows),
            np.array(net.W, order="C") if self.voltage else none,
            np.array(rows) if self.voltage else nothing,
            net.gammas,
            runs,
            which,
            gains[0],
            gains[1],
            gains[2],
            gains[3],
            gains[4],
            gains[5],
            gains[6],
            source,
            rho,
            np.sqrt(1.0 - rho**2),
            np.ascontiguousarray(reads),
            np.ascontiguousarray(feeds),
            self.rows,
            1.0,
            key,
            normals.CONSTANTS,
            normals.BITS,
        )
        self.R = noise.gain_covariance("outside", n)
        inner, multiplied = self.whole.inner, noise.gain_covariance("inside", n)
        if self.dynamics.probe.sigma.size or self.dynamics.probe.factor.size:
            multiplied = np.zeros((n, n))  # what is expected is expected given the gain
        self.std, self.gain = np.sqrt(np.diag(inner)), np.sqrt(np.diag(multiplied))
        self.separate = not any(np.any(part - np.diag(np.diag(part))) for part in (inner, multiplied))

    def sources(self, blocks: int) -> FloatArray:
        """Return the first states of the coloured sources (S, lanes), from their stationary law."""
        count = len(self.dynamics.source)
        if count == 0:
            return np.zeros((0, blocks * LANES))
        key = self.dynamics.key
        found = [normals.standard_normals(key, block, 1, count, STATIONARY)[0] for block in range(blocks)]
        return np.hstack(found)

    def sums(self, centre: FloatArray, residual: bool, table: SmoothedTable, blocks: int) -> Sums:
        """Return sums that are zero; for a measurement if there is a centre (M,), and for control variates too."""
        n, m, trajectories = len(self.dynamics.gamma), self.size, blocks * LANES
        measured = trajectories if centre.size else 0
        controlled, ahead = (trajectories, blocks * table.has_variance) if residual else (0, 0)
        return Sums(
            centre,
            np.zeros((m, measured)),
            np.zeros((m, measured)),
            np.zeros((blocks if centre.size else 0, m, m)),
            np.zeros((n, controlled)),
            np.full((blocks, n), np.inf),
            np.full((blocks, n), -np.inf),
            np.zeros((ahead, m, m)),
            np.zeros((ahead, n)),
            np.zeros((ahead if self.dynamics.reads.size else 0, n)),
            np.zeros((ahead if self.R.any() else 0, n, n)),
            np.zeros((n, measured if self.voltage else 0)),
        )

    def run(self, mirrored: bool, table: SmoothedTable, *arguments: Any) -> None:
        """Call the kernel."""
        dynamics = self.dynamics._replace(sign=-1.0) if mirrored else self.dynamics
        self.kernel(self.functions, dynamics, table.panels, *arguments)

    def averages(self, sums: Any, samples: int, copies: int) -> Averages:
        """Return the averages that sums stand for, over the copies of each trajectory."""

        def each(values: FloatArray, count: int = samples) -> FloatArray:
            average: FloatArray = values.reshape(copies, -1, *values.shape[1:]).mean(axis=0) / count
            return average

        n, count = len(self.dynamics.gamma), samples * LANES
        first, residual, ahead = each(sums.first.T), each(sums.residual.T), np.zeros((0, self.size, self.size))
        if residual.size:
            x = first[:, n:] + sums.centre[n:]
            residual = np.hstack([residual, (self.dynamics.rho - 1.0) * x])
        if sums.ahead.size:
            ahead = each(both_triangles(sums.ahead), count) + self._innovation(each, sums, count)
        return Averages(
            samples=samples,
            centre=sums.centre,
            first=first,
            second=each(sums.second.T),
            cross=each(both_triangles(sums.cross), count),
            residual=residual,
            ahead=ahead,
            low=sums.low.min(axis=0),
            high=sums.high.max(axis=0),
            rate=each(sums.rate.T),
        )

    def _innovation(self, each: Any, sums: Any, count: int) -> FloatArray:
        """Return the mean covariance of a step given where it begins, (blocks, M, M)."""
        whole, variance = self.whole, each(sums.variance, count)
        noise = np.zeros((len(variance), len(self.R), len(self.R)))
        diagonal = np.arange(len(self.R))
        noise[:, diagonal, diagonal] = (1.0 + np.diag(self.R)) * variance
        if sums.products.size:
            noise += self.R * each(both_triangles(sums.products), count)
        covariance: FloatArray = whole.write @ noise @ whole.write.T + whole.outer
        if sums.slope.size:
            mixed = whole.write @ (each(sums.slope, count)[:, :, None] * whole.shared)
            covariance += mixed + mixed.transpose(0, 2, 1)
        return covariance


def _runs(f: Activation | ActivationGroup, n: int) -> tuple[tuple[Activation, ...], IntArray, IntArray]:
    """Return the activations without repetition, and the runs of neurons that have the same one."""
    if isinstance(f, Activation):
        return (f,), np.array([0, n]), np.array([0])
    distinct, which = f.distinct, f.which
    if len(distinct) > MOST:
        rule = "gains, thresholds, scales and offsets of one activation can be weights and biases instead"
        raise NotApplicable(f"simulations take at most {MOST} activations, not {len(distinct)}; {rule}")
    begins = np.flatnonzero(np.diff(which, prepend=-1))
    return distinct, np.append(begins, n), which[begins]


def _sites(noise: Noise, n: int) -> list[Site]:
    """Return the noise that has rows of variates of its own, in the order of :class:`Dynamics`."""
    nothing, common, keep = np.zeros((n, 0)), noise.common_gain(n), noise.kept(n)
    sites = [Site.of(getattr(noise, site), noise.factor(site, n)) for site in SITES]
    sites += [Site.of(getattr(noise, f"gain_{site}"), noise.gain_factor(site, n)) for site in SITES]
    sites.append(Site(common if common.any() else np.zeros(0), nothing))
    sites.append(Site(ndtri(keep), 1.0 / keep[None]) if np.any(keep < 1.0) else Site(np.zeros(0), nothing))
    return sites


def _gains(noise: Noise, partner: Noise, n: int) -> tuple[list[Gain], int]:
    """Return what makes noise of variates, in the order of :class:`Dynamics`, and the number of rows of variates.

    A partner has its noise of each kind in the same rows. Noise inside and its partner's noise outside have the same
    rows if they are alone.
    """
    sites, others = _sites(noise, n), _sites(partner, n)
    counts = [
        [*(site.rows for site in each[:4]), min(each[4].sigma.size, 1), each[5].sigma.size] for each in (sites, others)
    ]
    found, row = [], 0
    for first in (0, 2):
        inside, outside = (max(rows[first + i] for rows in counts) for i in range(2))
        apart = all(rows[first] * rows[first + 1] == 0 for rows in counts)  # nobody has both
        found += [Gain(*sites[first], row), Gain(*sites[first + 1], row if apart else row + inside)]
        row += max(inside, outside) if apart else inside + outside
    for last in (4, 5):
        found.append(Gain(*sites[last], row))
        row += max(rows[last] for rows in counts)
    probes = [_needs_probe(each, n) for each in (noise, partner)]
    found.append(Gain(*sites[2], row) if probes[0] else Gain(np.zeros(0), np.zeros((n, 0)), row))
    return found, row + max(rows[2] * probe for rows, probe in zip(counts, probes, strict=True))


def _needs_probe(noise: Noise, n: int) -> bool:
    """Return whether a neuron has multiplicative and coloured noise inside, which no table averages over."""
    multiplied = noise.gain_factor("inside", n).any(axis=1)
    return bool(np.any(multiplied & noise.coloured("inside", n)[0].any(axis=1)))


def _sources(noise: Noise, n: int, gains: list[Gain]) -> tuple[IntArray, FloatArray]:
    """Return the row of variates and the correlation of each coloured source."""
    rows, rhos = [], []
    for site, gain in zip(SITES, gains, strict=False):
        rho, factor = noise.rho(site, n), noise.factor(site, n)
        chosen = np.flatnonzero((rho > 0.0) & factor.any(axis=0))
        rows.append(gain.row + chosen)
        rhos.append(rho[chosen])
    return np.concatenate(rows), np.concatenate(rhos)
