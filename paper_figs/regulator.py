"""A neuron that holds a set-point: noise inside drives its operating point to where the activation is flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import ctrnn_theory as ct
from paper_figs.networks import regulators, trained
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

REACH = {"relu": (-3.0, 3.0), "tanh": (0.0, 3.98)}  # range of operating points; that of tanh is about |b| + |w| = 4
ALIKE = 1.01  # times the lowest loss; points with a loss below this are drawn as equally good
GAMMA = 0.1
TASK = ct.training.tasks.Regulator()
READOUTS = np.linspace(1.0, TASK.readout, 41)
STEPS, TOLERANCE = 1000, 1e-5  # most steps, and relative tolerance, of the iteration for the variance


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the lowest loss at each operating point and noise by the closure, and where training ends, exactly."""
    sigma = np.geomspace(0.08, 2.5, 10 if quick else 20)
    w = np.linspace(-TASK.weight, TASK.weight, 3 if quick else 9)
    data: dict[str, Any] = {"sigma": sigma}
    for name, ends in REACH.items():
        data[f"{name}/a"] = np.linspace(*ends, 49 if quick else 97)
        for site in SITES:
            data[f"{name}/{site}"] = landscape(ct.activation(name), site, sigma, w, data[f"{name}/a"])
    found = trained(regulators(quick), quick)
    for name in REACH:
        for site in SITES:
            runs = [run for run in found if (run.activation, run.site) == (name, site)]
            laws = [ct.predict(found[run], run.noise, method="exact") for run in runs]
            points = [found[run].preactivation(law.mean)[0] for run, law in zip(runs, laws, strict=True)]
            losses = [loss(found[run], law) for run, law in zip(runs, laws, strict=True)]
            levels = np.array([run.sigma for run in runs])
            least = np.nanmin(landscape(ct.activation(name), site, levels, w, data[f"{name}/a"]), axis=1)
            data[f"{name}/{site}/trained"] = np.array([levels, points, losses / least])
    return data


def loss(net: ct.CTRNN, law: ct.StationaryLaw) -> float:
    """Return the loss E (z - y)² of a neuron."""
    z = net.W_out @ law.mean + net.b_out - TASK.set_point
    return float(z[0] ** 2 + (net.W_out @ law.covariance @ net.W_out.T)[0, 0])


def landscape(f: ct.Activation, site: str, sigma: np.ndarray, w: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the lowest loss (sigmas, points) over w of neurons with the mean pre-activation a; NaN if there is none.

    At a given a and w the closure is one equation for the variance, V = γ² (C + σ_out²)/(1 - (1-γ)² - 2γ(1-γ) w F'),
    with F' and C = Var f(a + sξ) at s² = σ_in² + w² V; the constant input of the neuron is then b = a - w F.
    """
    sigma, w, a = np.broadcast_arrays(sigma[:, None, None], w[:, None], a)
    inside, outside = (sigma, 0.0) if site == "inside" else (0.0 * sigma, sigma)
    V = np.zeros(sigma.shape)
    for _ in range(STEPS):
        s = np.sqrt(inside**2 + w**2 * V)
        left = 1.0 - (1.0 - GAMMA) ** 2 - 2.0 * GAMMA * (1.0 - GAMMA) * w * f.smoothed(a, s, 1)
        new = GAMMA**2 * (f.smoothed_variance(a, s) + outside**2) / left
        settled = np.all(np.abs(new - V) <= TOLERANCE * new)
        V = new
        if settled:
            break
    mean = f.smoothed(a, np.sqrt(inside**2 + w**2 * V))
    found = np.full(mean.shape, np.inf)
    for r in READOUTS:
        c = np.clip(TASK.set_point - r * mean, -TASK.offset, TASK.offset)
        found = np.minimum(found, (r * mean + c - TASK.set_point) ** 2 + r**2 * V)
    found[np.abs(a - w * mean) > TASK.drive] = np.inf
    least = found.min(axis=1)
    return np.where(np.isfinite(least), least, np.nan)


def path(data: Mapping[str, Any], name: str, site: str) -> np.ndarray:
    """Return the operating point of lowest loss at each noise."""
    return data[f"{name}/a"][np.nanargmin(data[f"{name}/{site}"], axis=1)]


def good(data: Mapping[str, Any], name: str, site: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest operating point with almost the lowest loss, at each noise."""
    loss, a = data[f"{name}/{site}"], data[f"{name}/a"]
    alike = loss <= ALIKE * np.nanmin(loss, axis=1, keepdims=True)
    return a[np.argmax(alike, axis=1)], a[alike.shape[1] - 1 - np.argmax(alike[:, ::-1], axis=1)]


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the best operating points of relu and tanh, and the ratio of the trained losses to the lowest ones."""
    found = {}
    for site in SITES:
        best = path(data, "relu", site)
        for sigma in (0.3, 2.0):
            found[f"relu, {site}, {sigma:g}"] = float(np.interp(sigma, data["sigma"], best))
        found[f"tanh, {site}, 1"] = float(np.interp(1.0, data["sigma"], path(data, "tanh", site)))
    ratios = np.concatenate([data[f"{name}/{site}/trained"][2] for name in REACH for site in SITES])
    return found | {"trained over least loss": float(np.max(ratios)), "at best": float(np.min(ratios))}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss over operating point and noise: a row for each activation, a column for each site."""
    made, axes = figure(TWO_COLUMNS, 4.2, 2, 2, sharey=True)
    for row, name in zip(axes, REACH, strict=True):
        for ax, site in zip(row, SITES, strict=True):
            least = data[f"{name}/{site}"]
            excess = np.log10(least / np.nanmin(least, axis=1, keepdims=True))
            options = {"cmap": "Greys_r", "vmin": -0.5, "vmax": 1.0, "shading": "nearest", "rasterized": True}
            image = ax.pcolormesh(data[f"{name}/a"], data["sigma"], excess, **options)
            low, high = good(data, name, site)
            ax.fill_betweenx(data["sigma"], low, high, color=COLOUR[site], alpha=0.45, linewidth=2.0)
            sigma, a, _ = data[f"{name}/{site}/trained"]
            ax.plot(a, sigma, "o", color=COLOUR[site], markerfacecolor="white", markersize=4.5, clip_on=False)
            ax.set_yscale("log")
            ax.set_ylim(data["sigma"][[0, -1]])
            ax.set_title(f"{name}, {LABEL[site]}")
            if name == "tanh":
                ax.set_xlim(0.0, 4.6)
                ax.axvspan(REACH[name][1], 4.6, facecolor="0.97", edgecolor="0.85", hatch="////", linewidth=0.0)
                ax.text(4.3, 0.45, "out of reach", rotation=90, fontsize=7, color="0.4", ha="center", va="center")
    bar = made.colorbar(image, ax=axes, label="loss over the lowest at this noise", shrink=0.6)
    bar.set_ticks(np.log10([1, 2, 5, 10]), labels=["1", "2", "5", "10"])
    bar.ax.set_ylim(0.0, 1.0)
    bar.ax.minorticks_off()
    for ax in axes[-1]:
        ax.set_xlabel("operating point: mean pre-activation $a$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"training noise $\sigma_t$")
    line = Patch(color=COLOUR["inside"], alpha=0.45, linewidth=0.0, label="within 1% of the lowest loss")
    style = {"marker": "o", "markerfacecolor": "white", "linestyle": "none", "label": "found by training"}
    axes[0, 0].legend(handles=[line, Line2D([], [], color=COLOUR["inside"], **style)], loc="lower left")
    letters(axes)
    return made
