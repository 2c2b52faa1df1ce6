"""The noise-induced bias of one neuron against the distance of its fixed point to the nonlinearity."""

from __future__ import annotations

from matplotlib.axes import Axes

from ctrnn_theory.analysis.bias_curve import BiasCurve
from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import STYLE, line_style, method_label
from ctrnn_theory.support.floating import guarded


@guarded
def bias_curve(curve: BiasCurve, ax: Axes | None = None) -> Axes:
    """Draw a curve for each method, and simulated points with two standard errors.

    Parameters
    ----------
    curve
        Result of :func:`ctrnn_theory.bias_curve`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.bias_curve(ct.CTRNN.single(0.5), ct.Noise(inside=0.5), methods=["mean_field"]).plot()
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['mean field', 'kink block']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    ax.axhline(0.0, **line_style("deterministic"))
    for name, delta in curve.bias.items():
        if name == "deterministic":  # its bias is zero, and that line is there
            continue
        zeta = curve.distance[name]
        if name == "simulation":
            style = {"color": STYLE[name]["color"], "markersize": 4, "capsize": 2}
            ax.errorbar(zeta, delta, 2.0 * curve.standard_error, fmt="o", label=method_label(name), **style)
        else:
            ax.plot(zeta, delta, label=method_label(name), **line_style(name))
    ax.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    ax.set_xlabel(r"distance of the fixed point to the nonlinearity  $(a^* - k)/\sigma$")
    h = "h" if curve.form == "rate" else "v"
    ax.set_ylabel(rf"noise-induced bias  $E[{h}] - {h}^*$")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")
    return ax
