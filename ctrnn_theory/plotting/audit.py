"""The audit of a network: a page of four pictures, or its first one on axes that are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ctrnn_theory.plotting.axes import draw_by_neuron
from ctrnn_theory.plotting.operating_points import BINS, REACH
from ctrnn_theory.plotting.preference import site_style
from ctrnn_theory.plotting.style import ABOVE, NEURONS
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.analysis.audit.result import Audit

PAGE = (9.0, 7.0)  # width and height of the page, in inches
OFF, REPAIRED = "0.45", ("#CC79A7", "#E69F00")  # colours of the network without noise, and of the repaired ones


@guarded
def audit(report: Audit, ax: Axes | None = None) -> Axes:
    """Draw an audit as a page of four pictures, and return the axes of the first one.

    They are the loss against the test noise, with the loss of the repaired networks; the outputs with noise, without it
    and repaired; the distances of the neurons to the nonlinearity; and the bias of each neuron.

    Parameters
    ----------
    report
        Result of :func:`ctrnn_theory.audit`.
    ax
        Axes to draw the first picture alone on; by default a new page with all of them.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.5]], 0.1, "relu", W_in=[[1.0]], W_out=[[1.0]])
    >>> ax = audit(ct.audit(net, ct.Noise(inside=0.5), [[0.0], [0.5]], [[0.3], [1.2]], checks=0))
    >>> [one.get_xlabel() for one in ax.figure.axes][0]
    'test noise, in units of the noise given'
    >>> plt.close(ax.figure)
    """
    if ax is None:
        from matplotlib import pyplot as plt

        return audit_page(report, plt.figure(figsize=PAGE, layout="constrained"))
    _first(report, ax)
    return ax


def audit_page(report: Audit, figure: Figure) -> Axes:
    """Draw the page on an empty figure, which takes the size of the page."""
    figure.set_size_inches(*PAGE)
    axes = figure.subplots(2, 2)
    answer = report._headline()
    figure.suptitle(f"{answer[0].upper()}{answer[1:]}\n{report.network.title}; noise {report.noise.title}", fontsize=10)
    _first(report, axes[0, 0])
    _outputs(report, axes[0, 1])
    _margins(report, axes[1, 0])
    _neurons(report, axes[1, 1])
    first: Axes = axes[0, 0]
    return first


def _first(report: Audit, ax: Axes) -> None:
    if report.targets is None:
        _outputs(report, ax)
    else:
        _losses(report, ax)


def _losses(report: Audit, ax: Axes) -> None:
    colour = site_style(report.noise)[0]
    ax.axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
    ax.plot(report.levels, report.predicted_loss, "o-", color=colour, markersize=4, label="loss")
    ax.plot(report.levels, report.predicted_bias, "--", color=colour, linewidth=1.0, label="squared bias")
    ax.plot(report.levels, report.predicted_variance, ":", color=colour, linewidth=1.0, label="variance")
    if np.isfinite(report.preferred):
        style: dict[str, Any] = {"markersize": 8, "markerfacecolor": "white", "markeredgewidth": 1.5, "zorder": 4}
        ax.plot([report.preferred], [report.preferred_loss], "D", color=colour, label="preferred level", **style)
    for repair, shade in zip(report.repairs, REPAIRED, strict=False):
        if np.isfinite(repair.loss):
            ax.axhline(repair.loss, color=shade, linewidth=1.2, linestyle="-.", label=f"without noise, {repair.name}")
    loss = report.predicted_loss[np.isfinite(report.predicted_loss)]
    if loss.size and np.all(loss > 0.0) and loss.max() > 10.0 * loss.min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.3 * min([loss.min(), *(one.loss for one in report.repairs if one.loss > 0.0)]))
    ax.set_xlabel("test noise, in units of the noise given")
    ax.set_ylabel("loss, predicted")
    ax.legend(frameon=False, fontsize="x-small", **ABOVE)


def _outputs(report: Audit, ax: Axes) -> None:
    """Draw one output against the condition, or in time for the condition in which noise moves it most."""
    if not report.output.shape[-1]:
        _neurons(report, ax)
        return
    sizes = report.sizes(report.output_bias)
    p = int(np.argmax(np.nan_to_num(np.mean(np.abs(report.output_bias), axis=tuple(range(report.output.ndim - 1))))))
    if report.inputs.ndim == 2:
        at, label = _places(report)
        order = np.argsort(at, kind="stable")

        def part(values: FloatArray) -> FloatArray:
            return values[order, p]

        std = report.output_std[order]
    else:
        c = int(np.argmax(np.nan_to_num(sizes)))
        at, label = np.arange(1.0, 1.0 + len(report.inputs)), f"step (condition {c})"
        order = np.arange(len(at))

        def part(values: FloatArray) -> FloatArray:
            return values[:, c, p]

        std = report.output_std[:, c]
    x, colour, mean = at[order], site_style(report.noise)[0], part(report.output)
    if report.output.shape[-1] == 1:
        ax.fill_between(x, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0.0)
    if report.targets is not None:
        ax.plot(x, part(report.targets), color="0.75", linewidth=4.0, zorder=1, label="target")
    ax.plot(x, mean, color=colour, label="with noise, predicted")
    ax.plot(x, part(report.output - report.output_bias), "--", color=OFF, label="noise switched off")
    if report.check is not None and report.inputs.ndim == 2:
        seen, error = report.check.output[:, p], 2.0 * report.check.standard_error[:, p]
        ax.errorbar(at[report.check.conditions], seen, error, fmt="o", color=colour, markersize=5, label="simulated")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(label)
    ax.set_ylabel("output" if report.output.shape[-1] == 1 else f"output {p}")
    ax.legend(frameon=False, fontsize="x-small", **ABOVE)


def _places(report: Audit) -> tuple[FloatArray, str]:
    if report.inputs.shape[1] == 1 and len(np.unique(report.inputs)) == len(report.inputs):
        return report.inputs[:, 0], "input"
    return np.arange(float(len(report.inputs))), "condition"


def _margins(report: Audit, ax: Axes) -> None:
    known = report.margin[~np.isnan(report.margin)]
    ax.axvspan(-2.0, 2.0, color="0.95", linewidth=0.0, zorder=0)
    ax.axvspan(-1.0, 1.0, color="0.9", linewidth=0.0, zorder=0)
    ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=0.5)
    weights = np.full(known.size, 1.0 / max(known.size, 1))
    edges = np.linspace(-REACH, REACH, BINS + 1).tolist()
    ax.hist(np.clip(known, -REACH, REACH), bins=edges, weights=weights, color=site_style(report.noise)[0])
    near = [np.nanmean(report.within(k)) if known.size else np.nan for k in (1.0, 2.0)]
    title = f"within one std: {near[0]:.0%}, within two: {near[1]:.0%}" if known.size else "distances are not known"
    ax.set_title(title, fontsize="medium")
    ax.set_xlim(-REACH - 0.2, REACH + 0.2)
    ax.set_xlabel("distance to the nonlinearity, in standard deviations")
    ax.set_ylabel("share of neurons and conditions")


def _neurons(report: Audit, ax: Axes) -> None:
    """Draw the mean bias of each neuron over the conditions, with its standard deviation over them."""
    flat = report.bias.reshape(-1, report.network.n)
    flat = flat[np.all(np.isfinite(flat), axis=1)]
    ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    if len(flat):
        draw_by_neuron(ax, flat.mean(axis=0), flat.std(axis=0), NEURONS[0])
    ax.set_ylabel("bias of the state, mean ± std over inputs")
