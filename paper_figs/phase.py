"""Noise is preferred where the bias that it leaves outweighs the variance: in large networks of moderate weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import COLOUR, FREE, LABEL, SITES, TWO_COLUMNS, letters, styled

LINES = {"function": "-", "feedforward": "--"}
TASKS = {"function": r"function, $\gamma = 0.1$", "feedforward": r"feed-forward layer, $\gamma = 1$"}
SEEDS = (10, 11, 12, 13, 14)
ALPHA, BETA = 1.5, 2.0  # strength of the hidden weights, and their largest bias
SIGMA = 0.5  # training noise of the panels that do not show it
WEAK = 0.5  # largest training noise at which the law is compared
FEW = 32  # least number of neurons at which it is
NEAR = 0.1  # distance to the law, in units of the squared training noise
SIZES = (64, 256, 1024)  # numbers of neurons in the panel of the weights
QUANTITIES = ("preferred", "ratio", "sigma_c", "squared_bias", "loss_without_noise")


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute preferred levels over the number of neurons and the training noise, and over the weights."""
    sizes = {"geomspace": [16, 256, 3] if quick else [8, 4096, 10]}
    sigmas = {"geomspace": [0.03125, 2.0, 7]}
    data: dict[str, Any] = {}
    for task in TASKS:
        fixed = {"task": task, "alpha": ALPHA, "beta": BETA}
        data |= _networks(quick, f"{task}/inside", fixed | {"site": "inside"}, {"neurons": sizes, "sigma": sigmas})
        data |= _networks(quick, f"{task}/outside", fixed | {"site": "outside", "sigma": SIGMA}, {"neurons": sizes})
    strengths = np.geomspace(0.25, 16.0, 7)
    data["alpha"] = strengths
    for alpha in strengths:
        fixed = {"task": "function", "alpha": float(alpha), "beta": float(alpha * BETA / ALPHA), "sigma": SIGMA}
        data |= _networks(
            quick, f"alpha/{alpha:g}", fixed, {"neurons": [n for n in SIZES if n <= (256 if quick else 1024)]}
        )
    return data


def _networks(quick: bool, name: str, fixed: dict[str, Any], axes: dict[str, Any]) -> dict[str, Any]:
    """Train networks over a grid and return its axes, and the quantities with one network of each seed (..., seeds)."""
    spec = {"quantities": list(QUANTITIES), "fixed": fixed, "axes": axes | {"rng": list(SEEDS[:3] if quick else SEEDS)}}
    found = ct.sweep(spec, workers=1, progress=PROGRESS.get()).sel(methods="decoders")
    return {f"{name}/{key}": found[key].values for key in (*axes, *QUANTITIES)}


def law(c: np.ndarray) -> np.ndarray:
    """Return the square of the preferred level, 1 - σ_c², in units of the training noise."""
    return np.maximum(1.0 - c**2, 0.0)


def boundary(data: Mapping[str, Any], task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of neurons and the training noise at which σ_c, in units of it, is one; NaN where none is.

    The median over networks of σ_c falls with the training noise; between two levels it is a power of it.
    """
    c = np.median(data[f"{task}/inside/sigma_c"], axis=-1)
    sigma = np.log(data[f"{task}/inside/sigma"])
    return data[f"{task}/inside/neurons"], np.array([_crossing(sigma, np.log(row)) for row in c])


def _crossing(x: np.ndarray, y: np.ndarray) -> float:
    """Return exp(x) where y first falls below zero, by linear interpolation."""
    below = np.flatnonzero((y[1:] <= 0.0) & (y[:-1] > 0.0))
    if not below.size:
        return np.nan
    i = below[0]
    return float(np.exp(x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1])))


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return preferred levels and ratios, the critical noise, the errors of the law, and where the preference ends."""
    found: dict[str, float] = {}
    for task in TASKS:
        sizes, sigmas = data[f"{task}/inside/neurons"], data[f"{task}/inside/sigma"]
        at = int(np.argmin(np.abs(sigmas - SIGMA)))
        preferred, ratio = (np.median(data[f"{task}/inside/{key}"], axis=-1) for key in ("preferred", "ratio"))
        for i, n in enumerate(sizes):
            found |= {f"{task}, {n}, preferred": preferred[i, at], f"{task}, {n}, ratio": ratio[i, at]}
        found |= {f"{task}, {n}, sigma_c": c for n, c in zip(*boundary(data, task), strict=True)}
        weak = sigmas <= WEAK
        gap = np.abs(data[f"{task}/inside/preferred"] ** 2 - law(data[f"{task}/inside/sigma_c"]))
        found[f"{task}, median gap to the law"] = np.median(gap[np.ix_(sizes >= FEW, weak)])
        found[f"{task}, near the law"] = np.mean(gap[np.ix_(sizes >= FEW, weak)] < NEAR)
        found[f"{task}, outside, preferred"] = data[f"{task}/outside/preferred"].max()
        found[f"{task}, outside, ratio"] = data[f"{task}/outside/ratio"].max()
    for alpha in (data["alpha"][0], data["alpha"][-1]):
        found[f"alpha {alpha:g}"] = np.median(data[f"alpha/{alpha:g}/preferred"], axis=-1)[-1]
    return {name: float(value) for name, value in found.items()}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw maps of the preferred level above; below the law, the gain by noise, and the weights that end it."""
    made = Figure(figsize=(TWO_COLUMNS, 4.8))
    upper, lower = made.subfigures(2, 1)
    above, below = upper.subplots(1, 2, sharey=True), lower.subplots(1, 3)
    for ax, task in zip(above, TASKS, strict=True):
        mesh = _map(ax, data, task)
    above[0].set_ylabel("neurons $N$")
    upper.colorbar(mesh, ax=above, label=r"$\sigma_\mathrm{pref}\,/\,\sigma_t$", aspect=25, pad=0.01)
    for panel, ax in zip((_law, _gain, _weights), below, strict=True):
        panel(ax, data)
    letters([*above, *below])
    lines = [Line2D([], [], color=COLOUR[site], label=LABEL[site]) for site in SITES]
    lines += [Line2D([], [], color=FREE, label="smoothed activation, no noise")]
    lines += [Line2D([], [], color="0.3", linestyle=line, label=f"{task} in d") for task, line in LINES.items()]
    lower.legend(handles=lines, loc="outside lower center", ncols=5)
    return made


def _map(ax: Axes, data: Mapping[str, Any], task: str) -> Any:
    sizes, sigmas = data[f"{task}/inside/neurons"], data[f"{task}/inside/sigma"]
    values = np.median(data[f"{task}/inside/preferred"], axis=-1)
    mesh = ax.pcolormesh(sigmas, sizes, values, vmin=0.0, vmax=1.1, shading="nearest", cmap="viridis")
    n, sigma = boundary(data, task)
    ax.plot(sigma, n, color="white", linewidth=2.5)
    ax.plot(sigma, n, color="black", label=r"$\sigma_c = \sqrt{\nu/2K}$")
    ax.set(xscale="log", yscale="log", xlabel=r"training noise $\sigma_t$", title=TASKS[task])
    ax.set_yscale("log", base=2)
    ax.set_yticks(sizes[::2], [str(size) for size in sizes[::2]])
    ax.set_xticks([0.05, 0.1, 0.2, 0.5, 1.0, 2.0], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.legend(loc="lower left", labelcolor="white")
    return mesh


def _law(ax: Axes, data: Mapping[str, Any]) -> None:
    ax.plot([0.0, 1.0, 2.0], [1.0, 0.0, 0.0], color="black", label=r"$\sigma_\mathrm{pref}^2 = \sigma_t^2 - \nu/2K$")
    weak = data["function/inside/sigma"] <= WEAK
    for chosen, colour, label in (
        (~weak, "0.65", rf"$\sigma_t > {WEAK:g}$"),
        (weak, COLOUR["inside"], rf"$\sigma_t \leq {WEAK:g}$"),
    ):
        x, y = (
            np.concatenate([data[f"{task}/inside/{key}"][:, chosen].ravel() ** 2 for task in TASKS])
            for key in ("sigma_c", "preferred")
        )
        kept = x <= 2.0
        ax.plot(x[kept], y[kept], ".", color=colour, markersize=2.5, alpha=0.6, label=label)
    ax.set(xlim=(0.0, 2.0), ylim=(-0.03, 1.4), xlabel=r"$\nu / 2 K \sigma_t^2$", title="the law, every network")
    ax.set_ylabel(r"$\sigma_\mathrm{pref}^2\,/\,\sigma_t^2$")
    ax.legend(loc="upper right")


def _gain(ax: Axes, data: Mapping[str, Any]) -> None:
    for task, line in LINES.items():
        sizes, sigmas = data[f"{task}/inside/neurons"], data[f"{task}/inside/sigma"]
        at = int(np.argmin(np.abs(sigmas - SIGMA)))
        inside = data[f"{task}/inside/ratio"][:, at]
        free = (data[f"{task}/inside/loss_without_noise"] / data[f"{task}/inside/squared_bias"])[:, at]
        outside = data[f"{task}/outside/ratio"]
        for values, colour in ((inside, COLOUR["inside"]), (outside, COLOUR["outside"]), (free, FREE)):
            ax.plot(sizes, np.median(values, axis=-1), line, color=colour)
            ax.plot(sizes, values, ".", color=colour, markersize=2.0)
    ax.set(xscale="log", yscale="log", xlabel="neurons $N$", title=rf"gain by noise, $\sigma_t = {SIGMA:g}$")
    ax.minorticks_off()  # else they are labelled where the axis is short
    ax.set_ylabel("loss without noise over least")


def _weights(ax: Axes, data: Mapping[str, Any]) -> None:
    strengths = data["alpha"]
    sizes = data[f"alpha/{strengths[0]:g}/neurons"]
    for i, n in enumerate(sizes):
        values = np.array([data[f"alpha/{alpha:g}/preferred"][i] for alpha in strengths])
        shade = 0.35 + 0.65 * (i + 1) / len(sizes)
        ax.plot(SIGMA / strengths, np.median(values, axis=-1), color=COLOUR["inside"], alpha=shade, label=f"$N = {n}$")
        ax.plot(SIGMA / strengths, values, ".", color=COLOUR["inside"], alpha=shade, markersize=2.0)
    ax.set(xscale="log", xlabel=r"noise over weights, $\sigma_t / \alpha$", title="large weights end it")
    ax.minorticks_off()
    ax.set_ylabel(r"$\sigma_\mathrm{pref}\,/\,\sigma_t$")
    ax.legend(loc="lower center")
