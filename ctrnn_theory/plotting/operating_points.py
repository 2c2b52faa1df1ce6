"""Distances of neurons to the nonlinearity of their activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.preference import site_style
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.operating_points import OperatingPoints

REACH = 6.0  # largest distance that is drawn, in standard deviations; larger ones are counted in the outermost bars
BINS = 24  # bars of the histogram


@guarded
def operating_points(points: OperatingPoints | Mapping[str, OperatingPoints], ax: Axes | None = None) -> Axes:
    """Draw histograms of the distances of neurons to the nonlinearity, in standard deviations of the pre-activation.

    Several results share each bar side by side.

    Parameters
    ----------
    points
        Result of :func:`ctrnn_theory.operating_points`, or several results by label.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.0]], 0.2, "relu")
    >>> ax = operating_points({"one condition": ct.operating_points(net, ct.Noise(inside=0.5))})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['one condition: 100% within one']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    named = points if isinstance(points, Mapping) else {site_style(points.noise)[1]: points}
    known = [each.distance[~np.isnan(each.distance)] for each in named.values()]
    distances = [np.clip(distance, -REACH, REACH) for distance in known]
    ax.axvspan(-1.0, 1.0, color="0.93", linewidth=0.0, zorder=0)
    ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=0.5)
    ax.hist(
        distances,
        bins=np.linspace(-REACH, REACH, BINS + 1).tolist(),
        weights=[np.full(x.size, 1.0 / max(x.size, 1)) for x in distances],
        color=[site_style(each.noise)[0] for each in named.values()],
        label=[_label(label, each) for label, each in named.items()],
    )
    ax.set_xlim(-REACH - 0.2, REACH + 0.2)
    ax.set_xlabel("distance to the nonlinearity, in standard deviations")
    ax.set_ylabel("share of neurons and conditions")
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def _label(name: str, points: OperatingPoints) -> str:
    if np.isnan(points.fraction):
        return f"{name}: no law was found"
    return f"{name}: {points.fraction:.0%} within one" + ("" if points.converged else ", some left out")
