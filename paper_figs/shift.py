"""Functions of the figures `bias_sigma` and `bias_gamma`, for a neuron with its fixed point at the nonlinearity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.interpolate import CubicSpline

import ctrnn_theory as ct
from paper_figs.style import COLOUR, LINES, SITES, method_label, simulated

W = 0.5
PRECISION = 0.02  # standard error of a simulated point, relative to the bias
Model = Callable[[float], tuple[float, ct.Noise]]
"""Function that returns γ and the noise for a value on the horizontal axis."""


def bias(name: str, gamma: float, noise: ct.Noise, method: str, **options: Any) -> tuple[float, float]:
    """Return the noise-induced bias E[h] - h* of a neuron with a* = 0 by a method, and its standard error."""
    h = float(ct.activation(name)(0.0))
    net = ct.CTRNN.single(w=W, b=-W * h, activation=name, gamma=gamma)
    law = ct.predict(net, noise, method=method, start=[h], **options)
    return law.mean[0] - h, 0.0 if law.standard_error is None else law.standard_error[0]


def curves(
    name: str, site: str, methods: Iterable[str], x: np.ndarray, points: np.ndarray, model: Model
) -> dict[str, Any]:
    """Compute the bias by each method along an axis, and by simulation at points, with a fixed relative precision."""
    data: dict[str, Any] = {}
    for method in methods:
        if method != "small_noise" or not ct.activation(name).kinks:  # there is no expansion at a kink
            data[f"{name}/{site}/{method}"] = np.array([bias(name, *model(value), method)[0] for value in x])
    exact = np.interp(np.log(points), np.log(x), data[f"{name}/{site}/exact"])
    found = [
        bias(name, *model(value), "simulation", target_se=PRECISION * delta)
        for value, delta in zip(points, exact, strict=True)
    ]
    data[f"{name}/{site}/simulation"], data[f"{name}/{site}/error"] = np.array(found).T
    return data


def slopes(data: Mapping[str, Any], cases: Iterable[str], x: np.ndarray, most: float) -> dict[str, float]:
    """Return the slopes of the logarithm of the exact bias up to `most`, and the largest deviations of other methods.

    The deviations of the simulation are in standard errors; those of the closure and, up to `most`, of the expansion
    in small noise are relative to the exact bias.
    """
    log, low = np.log(x), x <= most
    found, simulated, closure, small = {}, [], [], [0.0]
    for name in cases:
        for site in SITES:
            own = {key: data.get(f"{name}/{site}/{key}") for key in ("exact", *LINES, "simulation", "error")}
            found[f"{name}, {site}"] = float(np.polyfit(log[low], np.log(own["exact"][low]), 1)[0])
            at = CubicSpline(log, np.log(own["exact"]))(np.log(data["points"]))
            simulated.append(np.abs(own["simulation"] - np.exp(at)) / own["error"])
            closure.append(np.abs(own["gaussian_closure"] / own["exact"] - 1.0))
            if own["small_noise"] is not None:
                small.append(np.max(np.abs(own["small_noise"] / own["exact"] - 1.0)[low]))
    apart = {"simulation": simulated, "closure": closure, "small noise": small}
    return found | {f"{key}, largest gap": float(np.max(gaps)) for key, gaps in apart.items()}


def draw_curves(ax: Axes, data: Mapping[str, Any], name: str, methods: Iterable[str], x: str) -> None:
    """Draw lines of the methods and simulated points, on logarithmic axes."""
    for site in SITES:
        for method in methods:
            y = data.get(f"{name}/{site}/{method}")
            if y is not None and np.all(y > 1e-12):  # noise outside does not enter mean field
                ax.plot(data[x], y, color=COLOUR[site], **LINES[method])
        y, error = data[f"{name}/{site}/simulation"], data[f"{name}/{site}/error"]
        simulated(ax, data["points"], y, error, COLOUR[site])
    ax.set_xscale("log")
    ax.set_yscale("log")


def method_legend(ax: Axes, methods: Sequence[str]) -> None:
    """Add a legend for the line styles of the methods."""
    for method in methods:
        ax.plot([], [], color="0.3", label=method_label(method), **LINES[method])
    ax.errorbar([], [], [], fmt="o", color="0.3", markerfacecolor="white", label="simulation")
    ax.legend(loc="lower right")
