"""The loss of a network against the noise that it is tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.preference.result import Preference

SITE_COLOURS = {"inside": "#0072B2", "outside": "#D55E00"}
"""Colours of noise at either site, from the palette of Okabe and Ito."""
BOTH = "#009E73"  # colour of noise at both sites


def site_style(noise: Noise) -> tuple[str, str]:
    """Return colour and name of a noise by its site, which are the same in all pictures; that of dropout is outside."""
    inside = np.any(noise.inside) or np.any(noise.gain_inside)
    multiplied = np.any(noise.gain_outside) or np.any(noise.common_gain_outside) or np.any(np.asarray(noise.keep) < 1.0)
    outside = np.any(noise.outside) or multiplied
    if inside and outside:
        return BOTH, "noise at both sites"
    site = "outside" if outside else "inside"
    return SITE_COLOURS[site], f"noise {site}"


@guarded
def preference(result: Preference | Mapping[str, Preference], ax: Axes | None = None, *, parts: bool = True) -> Axes:
    """Draw the loss against test noise: simulated points have two standard errors, the prediction is a line.

    A diamond marks the preferred level with its interval, and a grey line the training noise.

    Parameters
    ----------
    result
        Result of :func:`ctrnn_theory.preference`, or several results by label.
    ax
        Axes to draw on; new ones by default.
    parts
        Whether predicted squared bias and variance of the output are drawn too, for a single result.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.0]], 0.5, "relu", 1.0, W_in=[[1.0]], W_out=[[1.0]], b_out=[-0.5])
    >>> ax = ct.preference(net, "feedforward", [0.0, 0.5, 1.0], repeats=4).plot()
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['noise inside, predicted', 'squared bias', 'variance', 'noise inside, simulated', 'noise inside, preferred']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    ax.axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
    if isinstance(result, Mapping):
        for label, each in result.items():
            _curve(each, label, ax)
    else:
        _curve(result, site_style(result.noise)[1], ax)
        if parts and result.predicted_bias is not None and result.predicted_variance is not None:
            thin: dict[str, Any] = {"color": site_style(result.noise)[0], "linewidth": 1.0, "zorder": 1.5}
            ax.plot(result.levels, result.predicted_bias, "--", label="squared bias", **thin)
            ax.plot(result.levels, result.predicted_variance, ":", label="variance", **thin)
    ax.set_xlim(left=0.0)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("test noise, in units of the training noise")
    ax.set_ylabel("loss")
    ax.legend(frameon=False, fontsize="small")
    return ax


def _curve(result: Preference, label: str, ax: Axes) -> None:
    colour = site_style(result.noise)[0]
    if result.predicted_loss is not None:
        ax.plot(result.levels, result.predicted_loss, color=colour, linewidth=1.5, label=f"{label}, predicted")
    if result.loss is None or result.standard_error is None or result.preferred is None or result.interval is None:
        return
    style: dict[str, Any] = {"color": colour, "markersize": 4, "capsize": 2, "clip_on": False, "zorder": 3}
    line = "none" if result.predicted_loss is not None else "-"
    simulated = f"{label}, simulated"
    ax.errorbar(
        result.levels,
        result.loss,
        2.0 * result.standard_error,
        fmt="o",
        linestyle=line,
        linewidth=1.0,
        label=simulated,
        **style,
    )
    at = float(np.interp(result.preferred, result.levels, result.loss))
    ends = np.abs(np.array(result.interval) - result.preferred)[:, None]
    ax.errorbar(
        [result.preferred],
        [at],
        xerr=ends,
        fmt="D",
        color=colour,
        markersize=8,
        markerfacecolor="white",
        markeredgewidth=1.5,
        capsize=3,
        zorder=4,
        clip_on=False,
        label=f"{label}, preferred",
    )
