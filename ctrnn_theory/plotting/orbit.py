"""An orbit that noise sustains, in the plane in which it turns most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import NEURONS
from ctrnn_theory.support.arguments import integer
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.orbit.result import Orbit

CIRCLE = np.stack([np.cos(t := np.linspace(0.0, 2.0 * np.pi, 101)), np.sin(t)])
PATH = "0.8"
NAMES = {"gaussian_closure": "closure", "regional_closure": "closure by region", "simulation": "simulation"}
STYLES: dict[str, dict[str, Any]] = {
    "gaussian_closure": {"color": "#009E73", "linestyle": ":"},
    "regional_closure": {"color": "#009E73", "linestyle": "--"},
    "simulation": {"color": "black", "linestyle": "-"},
}


@guarded
def orbit(found: Orbit, ax: Axes | None = None, plane: int = 0) -> Axes:
    """Draw a trajectory in a plane, in a colour for each region, with ellipses of two standard deviations by each law.

    Parameters
    ----------
    found
        Result of :func:`ctrnn_theory.orbit`.
    ax
        Axes to draw on; new ones by default.
    plane
        Number of the plane; that of the largest angular momentum by default.

    Raises
    ------
    NotApplicable
        If the network turns in no plane.
    ValueError
        If there is no such plane.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.5, -0.7], [0.7, 0.5]], 0.0, "x", gamma=1.0)
    >>> ax = ct.orbit(net, ct.Noise(inside=1.0), steps=100).plot()
    >>> ax.get_xlabel()
    'first axis of plane 0'
    >>> plt.close(ax.figure)
    """
    if not len(found.planes):
        raise NotApplicable("there is no plane to draw: the network turns in none")
    if integer("plane", plane) >= len(found.planes):
        raise ValueError(f"plane must be below {len(found.planes)}; got {plane}")
    ax, axes = axes_or_new(ax, (4.6, 4.2)), found.planes[plane]
    if len(found.path):
        at = found.path @ axes.T
        ax.plot(*at.T, color=PATH, linewidth=0.6, zorder=1)
        labels = np.zeros(len(at), int) if found.network.W_out is None else found.network.output(found.path).argmax(-1)
        for label in np.unique(labels):
            colour = NEURONS[label % len(NEURONS)]
            name = "a trajectory" if found.network.W_out is None else f"region {label}"
            ax.plot(*at[labels == label].T, ".", color=colour, markersize=3.0, label=name, zorder=2)
    for method, law in found.laws.items():
        values, vectors = np.linalg.eigh(axes @ law.covariance @ axes.T)
        ring = 2.0 * (vectors * np.sqrt(np.maximum(values, 0.0))) @ CIRCLE + (axes @ law.mean)[:, None]
        text = f"{NAMES[method]}: {law.rate[plane]:.3g} rad per step"
        ax.plot(*ring, linewidth=1.2, label=text, **STYLES[method])
    ax.set(xlabel=f"first axis of plane {plane}", ylabel="second axis", aspect="equal")
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
