"""Densities of one and two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.fixed_points import fixed_points
from ctrnn_theory.fokker_planck import Density
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.plotting.axes import SIZE, axes_or_new
from ctrnn_theory.plotting.style import ABOVE, STYLE, method_label
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

VISIBLE = 1e-4  # density, in units of the largest one, down to which a picture shows it
BINS = 40  # bars of a histogram of simulated states


@guarded
def density(
    density: Density,
    ax: Axes | None = None,
    *,
    net: CTRNN | None = None,
    noise: Noise | None = None,
    u: ArrayLike | None = None,
    states: ArrayLike | None = None,
) -> Axes:
    """Draw a density: a curve in one dimension, a map with contours in two.

    Parameters
    ----------
    density
        Density of one or two dimensions, such as ``law.details["density"]`` of the method "fokker_planck", or a
        marginal of it.
    ax
        Axes to draw on; new ones by default.
    net, noise, u
        Network to which the density belongs, with its noise and input; its fixed points are then marked. Those of the
        noise-free network are filled if they are stable, and open otherwise. With `noise`, the mean-field fixed points
        are marked too to which the mean-field network settles from the stable ones.
    states
        Simulated states (M, N), which are drawn as a histogram in one dimension and as points in two.

    Raises
    ------
    ValueError
        If there are more than two dimensions, or the network has another size.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> net, noise = CTRNN.single(w=1.5, activation="tanh"), Noise(outside=0.6)
    >>> law = predict(net, noise, method="fokker_planck")
    >>> ax = density(law.details["density"], net=net, noise=noise)
    >>> ax.get_xlabel()
    '$h$'
    >>> plt.close(ax.figure)
    """
    if density.n > 2:
        raise ValueError(f"density must have one or two dimensions to be drawn; got {density.n}: take a marginal")
    if net is not None and net.n != density.n:
        raise ValueError(f"net must have the {density.n} dimensions of the density; got {net.n} neurons")
    if net is not None:
        net.drive(u)
    ax = axes_or_new(ax, SIZE if density.n == 1 else (5.2, 4.4))
    simulated = None
    if states is not None:
        simulated = real_array("states", states)
        simulated = real_array("states", simulated[:, None] if simulated.ndim == 1 else simulated, (None, density.n))
    (_curve if density.n == 1 else _map)(density, ax, simulated)
    if net is not None:
        _mark_fixed_points(ax, net, noise, u)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small", **(ABOVE if density.n == 2 else {}))
    return ax


def _curve(density: Density, ax: Axes, states: FloatArray | None) -> None:
    x, p = density.axes[0], density.values
    if states is not None:
        color = STYLE["simulation"]["color"]
        ax.hist(states[:, 0], bins=BINS, density=True, color=color, alpha=0.35, label="simulation")
    ax.plot(x, p, color=STYLE["fokker_planck"]["color"], label=method_label("fokker_planck"))
    shown = x[p > VISIBLE * p.max()]
    ax.set_xlim(shown[0], shown[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("$h$")
    ax.set_ylabel("probability density")


def _map(density: Density, ax: Axes, states: FloatArray | None) -> None:
    x, y = density.axes
    p = np.maximum(density.values, 0.0)
    mesh = ax.pcolormesh(x, y, p.T, cmap="Blues", shading="gouraud", rasterized=True)
    ax.figure.colorbar(mesh, ax=ax, label="probability density")
    levels = p.max() * np.exp(-0.5 * np.array([3.0, 2.0, 1.0]) ** 2)
    ax.contour(x, y, p.T, levels=levels, colors="0.35", linewidths=0.6)
    if states is not None:
        color = STYLE["simulation"]["color"]
        ax.plot(*states.T, ".", markersize=2, color=color, alpha=0.5, label="simulation", zorder=2)
    inside = [axis[q > VISIBLE * q.max()] for axis, q in zip(density.axes, (p.max(axis=1), p.max(axis=0)), strict=True)]
    ax.set_xlim(inside[0][0], inside[0][-1])
    ax.set_ylim(inside[1][0], inside[1][-1])
    ax.set_xlabel("$h_1$")
    ax.set_ylabel("$h_2$")


def _mark_fixed_points(ax: Axes, net: CTRNN, noise: Noise | None, u: ArrayLike | None) -> None:
    """Mark fixed points, on the axis in one dimension and in the plane in two."""
    found = fixed_points(net, u)
    stable, unstable = ([p.state for p in found if p.stable is kind] for kind in (True, False))
    groups: list[tuple[str, list[FloatArray], dict[str, Any]]] = [
        ("stable fixed point", stable, {"marker": "o", "color": "black"}),
        (
            "unstable fixed point",
            unstable,
            {"marker": "o", "color": "black", "markerfacecolor": "white"},
        ),
    ]
    if noise is not None:
        style = {"marker": "D", "color": STYLE["mean_field"]["color"], "markerfacecolor": "none"}
        style |= {"markeredgewidth": 1.8, "markersize": 10}  # around a stable point, which stays visible
        groups.append(("mean-field fixed point", _mean_field_points(net, noise, u, stable), style))
    for label, points, style in groups:
        if points:
            place = np.array(points)
            where = (place[:, 0], np.zeros(len(place))) if net.n == 1 else place.T
            style = {"markersize": 6} | style
            ax.plot(*where, linestyle="none", label=label, clip_on=False, zorder=4, **style)


def _mean_field_points(net: CTRNN, noise: Noise, u: ArrayLike | None, starts: list[FloatArray]) -> list[FloatArray]:
    """Return the different fixed points to which the mean-field network settles from some start states."""
    found: list[FloatArray] = []
    for start in starts:
        try:
            law = predict(net, noise, u, "mean_field", start)
        except Divergence:
            continue
        if law.converged and not any(np.allclose(law.mean, other, rtol=1e-6, atol=1e-9) for other in found):
            found.append(law.mean)
    return found
