"""Stationary laws of one and two neurons: the Gaussian closure fits them with one basin, and not with two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

import ctrnn_theory as ct
from ctrnn_theory import plotting
from paper_figs.style import TWO_COLUMNS, figure, letters, method_label, styled

SOFTPLUS = ct.CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2), ct.Noise(inside=1.0)
TANH = ct.CTRNN.single(w=1.5, activation="tanh", gamma=0.1), ct.Noise(outside=0.55)
LINE = {"softplus": SOFTPLUS, "tanh": TANH}
PLANE = {
    "relu": (ct.CTRNN([[0.5, -0.9], [0.9, 0.0]], [0.4, -0.2], activation="relu", gamma=0.1), ct.Noise(inside=1.0)),
    "pair": (ct.CTRNN([[1.3, 0.25], [0.25, 1.3]], [0.0, 0.0], activation="tanh", gamma=0.1), ct.Noise(outside=0.7)),
}
TITLES = {"softplus": "one neuron", "tanh": "bistable neuron", "relu": "two neurons", "pair": "bistable pair"}
BINS, POINTS = 60, 1001
SHOWN = 400  # simulated states that are drawn in a plane
EXACT: dict[str, Any] = {"color": "0.35", "linewidth": 2.6, "alpha": 0.7}
CLOSURE, DIFFUSION = (plotting.STYLE[name]["color"] for name in ("gaussian_closure", "fokker_planck"))


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the densities of all methods that have one, and simulated states."""
    data: dict[str, Any] = {}
    trajectories = 2_000 if quick else 20_000
    for name, (net, noise) in (LINE | PLANE).items():
        gaussian = ct.predict(net, noise, start=[0.8, 0.8] if name == "pair" else None)
        data[f"{name}/mean"], data[f"{name}/covariance"] = gaussian.mean, gaussian.covariance
        density = ct.predict(net, noise, method="fokker_planck").details["density"]
        for i, axis in enumerate(density.axes):
            data[f"{name}/axis{i}"] = axis
        data[f"{name}/diffusion"] = density.values
        exact = ct.predict(net, noise, method="exact", tolerance=1e-6)
        data[f"{name}/exact_mean"], data[f"{name}/exact_covariance"] = exact.mean, exact.covariance
        # if there are two basins, mirror images of each other, half of the trajectories start in each
        side = np.where(np.arange(trajectories) % 2, 0.8, -0.8 if name in ("tanh", "pair") else 0.3)
        start = np.repeat(side[:, None], net.n, axis=1)
        path = ct.simulate(net, noise, steps=4800, trajectories=trajectories, record_every=300, start=start)
        states = path.h[1:].reshape(-1, net.n)
        if net.n == 2:
            data[f"{name}/states"] = np.random.default_rng(0).choice(states, SHOWN, replace=False)
            continue
        low, high = density.axes[0][[0, -1]]
        x = np.linspace(low, high, POINTS)
        data[f"{name}/x"], data[f"{name}/exact"] = x, invariant_density(net, noise, x)
        count, edges = np.histogram(states[:, 0], bins=BINS, density=True)
        data[f"{name}/count"], data[f"{name}/edges"] = count, edges
    return data


def invariant_density(net: ct.CTRNN, noise: ct.Noise, x: np.ndarray) -> np.ndarray:
    """Solve p(x') = ∫ p(x' | x) p(x) dx for the stationary density of the map, by the trapezoidal rule on a grid."""
    kept, a = (1.0 - net.gamma) * x, net.preactivation(x[:, None])[:, 0]
    if noise.outside:  # the step has a normal density about (1-γ) h + γ f(a)
        kernel = norm.pdf(x[:, None], kept + net.gamma * net.activation(a), net.gamma * noise.outside)
    else:
        y = (x[:, None] - kept) / net.gamma  # value that f must take; softplus takes it at log(e^y - 1)
        above = np.where(y > 0.0, y, 1.0)
        slope = -np.expm1(-above)
        kernel = norm.pdf(above + np.log(slope), a, noise.inside) / (slope * net.gamma)
        kernel = np.where(y > 0.0, kernel, 0.0)
    system = kernel * (x[1] - x[0]) - np.eye(len(x))
    system[-1] = x[1] - x[0]  # the last equation follows from the others, and is replaced by a mass of one
    return np.linalg.solve(system, np.eye(len(x))[-1])


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return each method's total variation distance to the exact density, whose mean is compared with `exact`."""
    found = {}
    for name in LINE:
        x, exact = data[f"{name}/x"], data[f"{name}/exact"]
        sd = float(np.sqrt(data[f"{name}/covariance"][0, 0]))
        others = {
            "diffusion": np.interp(x, data[f"{name}/axis0"], data[f"{name}/diffusion"], 0.0, 0.0),
            "Gaussian": norm.pdf(x, data[f"{name}/mean"][0], sd),
        }
        found[f"{name}, mean"] = float(np.trapezoid(x * exact, x) - data[f"{name}/exact_mean"][0])
        for method, density in others.items():
            found[f"{name}, {method}"] = 0.5 * float(np.trapezoid(np.abs(density - exact), x))
        edges = data[f"{name}/edges"]
        cumulative = np.interp(
            edges, x, np.concatenate([[0.0], np.cumsum(0.5 * (exact[1:] + exact[:-1]) * np.diff(x))])
        )
        counted = data[f"{name}/count"] * np.diff(edges)
        found[f"{name}, histogram"] = 0.5 * float(np.sum(np.abs(counted - np.diff(cumulative))))
    return found


def _ellipses(
    ax: Axes, mean: np.ndarray, covariance: np.ndarray, radii: tuple[float, ...] = (1.0, 2.0), **style: Any
) -> None:
    """Draw ellipses with these radii, in standard deviations, about the mean."""
    angle, root = np.linspace(0.0, 2.0 * np.pi, 200), np.linalg.cholesky(covariance)
    for radius in radii:
        ax.plot(*(mean[:, None] + radius * root @ np.array([np.cos(angle), np.sin(angle)])), **style)


def _model(net: ct.CTRNN, noise: ct.Noise) -> str:
    return f"{net.activation.name}, noise {'outside' if noise.outside else 'inside'}"


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw two densities on a line and two in a plane, with ellipses at one and two standard deviations."""
    made, axes = figure(TWO_COLUMNS, 2.35, 1, 4)
    for ax, name in zip(axes, LINE, strict=False):
        ax.stairs(data[f"{name}/count"], data[f"{name}/edges"], fill=True, color="0.88", label="simulation")
        x = data[f"{name}/x"]
        ax.plot(x, data[f"{name}/exact"], label="exact", **EXACT)
        ax.plot(data[f"{name}/axis0"], data[f"{name}/diffusion"], color=DIFFUSION, label=method_label("fokker_planck"))
        gaussian = norm.pdf(x, data[f"{name}/mean"][0], np.sqrt(data[f"{name}/covariance"][0, 0]))
        ax.plot(x, gaussian, "--", color=CLOSURE, label="Gaussian closure")
        shown = x[data[f"{name}/exact"] > 1e-4 * data[f"{name}/exact"].max()]
        ax.set_xlim(shown[0], shown[-1])
        ax.set_ylim(0.0)
        ax.set_xlabel("state $h$")
    axes[0].set_ylabel("probability density")
    for ax, name in zip(axes[2:], PLANE, strict=True):
        p = data[f"{name}/diffusion"]
        x, y = data[f"{name}/axis0"], data[f"{name}/axis1"]
        ax.pcolormesh(x, y, p.T, cmap="Purples", vmin=0.0, vmax=1.2 * p.max(), shading="gouraud", rasterized=True)
        ax.plot(*data[f"{name}/states"].T, ".", color="black", markersize=1.2, alpha=0.6)
        radii = (1.0,) if name == "pair" else (1.0, 2.0)  # the second would lie outside the panel
        _ellipses(ax, data[f"{name}/exact_mean"], data[f"{name}/exact_covariance"], radii, **EXACT)
        _ellipses(ax, data[f"{name}/mean"], data[f"{name}/covariance"], color=CLOSURE, linestyle="--", linewidth=1.0)
        for limits, axis, q in ((ax.set_xlim, x, p.max(axis=1)), (ax.set_ylim, y, p.max(axis=0))):
            seen = axis[q > 2e-3 * p.max()]
            limits(seen[0], seen[-1])
        ax.set_xlabel("state $h_1$")
        ax.set_ylabel("state $h_2$")
    for ax, name in zip(axes, LINE | PLANE, strict=True):
        ax.set_title(f"{TITLES[name]}\n{_model(*(LINE | PLANE)[name])}")
    letters(axes)
    handles, labels = axes[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower center", ncols=4)
    return made
