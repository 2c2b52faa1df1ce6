"""Steps of a network in rate form, all of whose neurons are alike, under white additive noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.integrators import kernels, normals
from ctrnn_theory.integrators.averages import Averages, both_triangles
from ctrnn_theory.integrators.first_class import known
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.sites import Site
from ctrnn_theory.integrators.smoothed_table import SmoothedTable
from ctrnn_theory.integrators.sums import Sums
from ctrnn_theory.model.low_rank import Factors, low_rank
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray


class WhiteSteps:
    """The kernel for these steps with what it is given, see :class:`~ctrnn_theory.integrators.ensemble.Ensemble`."""

    def __init__(self, net: CTRNN, noise: Noise, drive: FloatArray, key: normals.Words) -> None:
        assert isinstance(net.activation, Activation)
        assert isinstance(net.gamma, float)
        self.block, n = known(net.activation.block), net.n  # in one thread, not by those that call the kernel
        self.outer = net.gamma**2 * noise.covariance("outside", n)
        sites = [Site.of(getattr(noise, site), noise.factor(site, n)) for site in ("inside", "outside")]
        self.noise = sites
        self.rows = sum(site.rows for site in sites)
        """Rows of variates that a step takes."""
        self.size = n
        """Number M of components of the state."""
        E, D = low_rank(net.W) or Factors(np.zeros((n, 0)), np.zeros((n, 0)))
        self.dynamics = kernels.Dynamics(
            np.array(net.W if D.size == 0 and net.W.any() else net.W[:, :0], order="C"),
            np.ascontiguousarray(E),
            np.ascontiguousarray(D.T),
            np.array(np.atleast_2d(drive)),
            net.gamma,
            *sites[0],
            *sites[1],
            key,
            normals.CONSTANTS,
            normals.BITS,
        )
        self.std, self.gain = noise.std("inside", n), np.zeros(n)
        self.separate = np.ndim(noise.inside) < 2

    def sources(self, blocks: int) -> FloatArray:
        """Return the first states of the coloured sources (0, lanes) of which there are none."""
        return np.zeros((0, blocks * LANES))

    def sums(self, centre: FloatArray, residual: bool, table: SmoothedTable, blocks: int) -> Sums:
        """Return sums that are zero; for a measurement if there is a centre (N,), and for control variates too."""
        n, trajectories = self.size, blocks * LANES
        measured = trajectories if centre.size else 0
        controlled, ahead = (trajectories, blocks * table.has_variance) if residual else (0, 0)
        return Sums(
            centre,
            np.zeros((n, measured)),
            np.zeros((n, measured)),
            np.zeros((blocks if centre.size else 0, n, n)),
            np.zeros((n, controlled)),
            np.full((blocks, n), np.inf),
            np.full((blocks, n), -np.inf),
            np.zeros((ahead, n, n)),
        )

    def run(self, mirrored: bool, table: SmoothedTable, *arguments: Any) -> None:
        """Call the kernel."""
        dynamics = self.dynamics
        if mirrored:
            names = ("sigma_in", "factor_in", "sigma_out", "factor_out")
            dynamics = dynamics._replace(**{name: -getattr(dynamics, name) for name in names})
        kernels.run(self.block, dynamics, table.panels, *arguments)

    def averages(self, sums: Any, samples: int, copies: int) -> Averages:
        """Return the averages that sums stand for, over the copies of each trajectory."""

        def each(values: FloatArray) -> FloatArray:
            average: FloatArray = values.reshape(copies, -1, *values.shape[1:]).mean(axis=0)
            return average

        cross, ahead = each(both_triangles(sums.cross)), each(both_triangles(sums.ahead))
        if ahead.size:
            ahead = ahead / (samples * LANES) + self.outer
        return Averages(
            samples=samples,
            centre=sums.centre,
            first=each(sums.first.T / samples),
            second=each(sums.second.T / samples),
            cross=cross / (samples * LANES),
            residual=each(sums.residual.T / samples),
            ahead=ahead,
            low=sums.low.min(axis=0),
            high=sums.high.max(axis=0),
        )
