"""Latent variables of a network of low rank: drift with and without noise, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.analysis.latent import LatentField

WITH, WITHOUT = "#D55E00", "0.45"
TRAJECTORIES, STEPS, BURN_IN = 64, 600, 300
GRID = 41


@guarded
def latent(field: LatentField, ax: Axes | None = None) -> Axes:
    """Draw one latent variable's drift with noise and without, or the vector field of two with its nullclines.

    Shaded is where simulated latent variables are, from the origin on. Stable fixed points are filled, others open.

    Parameters
    ----------
    field
        Result of :func:`ctrnn_theory.latent`.
    ax
        Axes to draw on; new ones by default.

    Raises
    ------
    NotApplicable
        For three latent variables.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.0, 1.5], [0.0, 1.5]], 0.1, "tanh")
    >>> ax = ct.latent(net, ct.Noise(inside=0.5)).plot()
    >>> ax.get_xlabel()
    'latent variable κ'
    >>> plt.close(ax.figure)
    """
    if field.rank > 2:
        raise NotApplicable(f"the picture is for one or two latent variables; the network has {field.rank}")
    return _line(field, axes_or_new(ax, (5.2, 3.6))) if field.rank == 1 else _plane(field, axes_or_new(ax, (5.0, 4.4)))


def _seen(field: LatentField) -> FloatArray:
    """Return simulated latent variables (M, R)."""
    step, rng = field._step(), np.random.default_rng(0)
    states, seen = np.zeros((TRAJECTORIES, field.rank)), []
    for k in range(STEPS):
        states = step.sample(states, rng)
        if k >= BURN_IN:
            seen.append(states)
    return np.concatenate(seen)


def _line(field: LatentField, ax: Axes) -> Axes:
    x = np.linspace(field.domain[0, 0], field.domain[0, 1], 400)
    for level, color, style, label in ((1.0, WITH, "-", "with noise"), (0.0, WITHOUT, "--", "without noise")):
        ax.plot(x, field.drift(x[:, None], level)[:, 0], color=color, linestyle=style, label=label)
    for (_, points), color in zip(field.points, (WITH, WITHOUT), strict=True):
        for point in points:
            ax.plot(
                point.latent[0], 0.0, "o", color=color, markerfacecolor=color if point.stable else "white", zorder=3
            )
    ax.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    behind = ax.twinx()
    behind.hist(_seen(field)[:, 0], bins=80, range=tuple(field.domain[0]), density=True, color="#56B4E9", alpha=0.35)
    behind.set(yticks=[], ylabel="density under noise")
    ax.set(zorder=behind.get_zorder() + 1, xlim=tuple(field.domain[0]), xlabel="latent variable κ", ylabel="drift A(κ)")
    ax.patch.set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return ax


def _plane(field: LatentField, ax: Axes) -> Axes:
    seen = _seen(field)
    ax.hist2d(seen[:, 0], seen[:, 1], bins=60, range=field.domain.tolist(), cmap="Blues", cmin=1, alpha=0.7, zorder=0)
    axes = [np.linspace(low, high, GRID) for low, high in field.domain]
    x, y = np.meshgrid(*axes)
    points = np.stack([x, y], axis=-1)
    with_noise, without = field.drift(points), field.drift(points, 0.0)
    ax.streamplot(x, y, with_noise[..., 0], with_noise[..., 1], color="0.6", density=0.9, linewidth=0.6, arrowsize=0.7)
    for drift, color, style, label in (
        (with_noise, WITH, "-", "with noise"),
        (without, WITHOUT, "--", "without noise"),
    ):
        for axis in (0, 1):
            ax.contour(x, y, drift[..., axis], levels=[0.0], colors=[color], linestyles=[style], linewidths=1.2)
        ax.plot([], [], color=color, linestyle=style, label=f"nullclines {label}")
    for (_, found), color in zip(field.points, (WITH, WITHOUT), strict=True):
        for point in found:
            ax.plot(*point.latent, "o", color=color, markerfacecolor=color if point.stable else "white", zorder=3)
    ax.set(xlim=tuple(field.domain[0]), ylim=tuple(field.domain[1]), xlabel="latent variable κ₁", ylabel="κ₂")
    ax.legend(frameon=False, fontsize="small", loc="upper right")
    return ax
