"""The spread of activations and of weights between devices: pictures of its effects on bias and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import NEURONS
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.devices.aging import Aging
    from ctrnn_theory.analysis.devices.result import Devices

BINS = 30
FIRST = 1.0  # second from the first reading that stands for zero on the axis of time


@guarded
def devices(found: Devices, ax: Axes | None = None) -> Axes:
    """Draw the losses of devices before and after a refit; without targets, the bias of each neuron over devices.

    Lines are by linear response, and points and histograms are sampled devices.

    Parameters
    ----------
    found
        Result of :func:`ctrnn_theory.devices`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN.single(w=-0.5, b=0.3, activation="tanh")
    >>> ax = devices(ct.devices(net, ct.Spread(threshold=0.1), ct.Noise(inside=0.5), devices=20))
    >>> ax.get_ylabel()
    'noise-induced bias'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    if found.targets is None:
        return _biases(found, ax)
    known = [("as built", found.losses[found.settled])]
    known += [(f"{refit.name} refitted", refit.losses[found.settled]) for refit in found.refits]
    every = np.concatenate([losses for _, losses in known])
    bins = np.geomspace(0.99 * every.min(), 1.01 * every.max(), BINS + 1).tolist() if every.size else BINS
    for (label, losses), colour in zip(known, NEURONS, strict=False):
        ax.hist(losses, bins=bins, histtype="stepfilled", alpha=0.5, color=colour, label=label)
    ax.axvline(found.loss, color="0.3", linestyle="--", label="nominal")
    if found.linear is not None and found.linear.loss is not None:
        ax.axvline(float(found.linear.loss.mean), color=NEURONS[0], label="mean as built, linear response")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("loss")
    ax.set_ylabel("devices")
    ax.legend(frameon=False, fontsize="small")
    return ax


def _biases(found: Devices, ax: Axes) -> Axes:
    mean, std = found.sampled.bias.mean.ravel(), found.sampled.bias.std.ravel()
    order = np.argsort(found.bias.ravel(), kind="stable")
    place = np.arange(mean.size)
    style: dict[str, Any] = {"fmt": "o", "color": NEURONS[0], "markersize": 4}
    ax.errorbar(place, mean[order], std[order], label="sampled devices, mean ± std", **style)
    if found.linear is not None:
        over = found.linear.bias
        middle, width = over.mean.ravel()[order], over.std.ravel()[order]
        for side in (-1.0, 1.0):
            ax.plot(place, middle + side * width, "_", color=NEURONS[1], markersize=12)
        ax.plot(place, middle, "_", color=NEURONS[1], markersize=20, label="linear response")
    ax.plot(place, found.bias.ravel()[order], "x", color="0.3", label="nominal")
    ax.margins(x=0.1)
    ax.set_xlabel("neuron" if len(found.bias) == 1 else "neuron and input, in ascending order")
    ax.set_ylabel("noise-induced bias")
    ax.legend(frameon=False, fontsize="small")
    return ax


@guarded
def aging(found: Aging, ax: Axes | None = None, *, color: str = NEURONS[0], label: str | None = None) -> Axes:
    """Draw the loss of chips against the time since their weights were first read.

    The line is the mean over chips, with two standard errors about it, and the dashed line the loss with exact weights.

    Parameters
    ----------
    found
        Result of :func:`ctrnn_theory.aging`.
    ax
        Axes to draw on; new ones by default.
    color, label
        Colour of the line, and its label.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[-0.5]], 0.3, "tanh", W_in=[[1.0]], W_out=[[1.0]])
    >>> ax = aging(ct.aging(net, ct.Noise(inside=0.5), [[0.0], [1.0]], [[0.2], [0.6]], devices=4))
    >>> ax.get_xlabel()
    'time since the weights were first read, in seconds'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    when = np.maximum(found.times, FIRST)
    error = np.nan_to_num(2.0 * found.standard_error)
    way = ("with" if found.compensated else "without") + " compensation"
    ax.errorbar(when, found.mean, error, fmt="o-", color=color, markersize=4, label=way if label is None else label)
    ax.axhline(found.nominal, color="0.3", linestyle="--", linewidth=0.9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("time since the weights were first read, in seconds")
    ax.set_ylabel("loss")
    ax.legend(frameon=False, fontsize="small")
    return ax
