"""What a network remembers lies where the drift vanishes, and noise inside makes a part of this drift.

An integrator in the plane, of low rank, whose decoders are solved under noise, adds velocities to a position. It is
shown with its noise, without it, and with a smoothed activation instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import ctrnn_theory as ct
from paper_figs.style import FREE, TWO_COLUMNS, figure, letters, simulated, styled

NOISE = ct.Noise(inside=1.0)
SETTINGS = ("with its noise", "noise off", "repaired")
COLOUR = dict(zip(SETTINGS, ("#0072B2", "#CC79A7", FREE), strict=True))
GAMMA, SAMPLES = 0.1, 2000
TASK = ct.training.tasks.PathIntegration()
PLACES = [(x, y) for x in (-0.9, -0.3, 0.3, 0.9) for y in (-0.9, -0.3, 0.3, 0.9)]
"""Positions that are kept."""
REACH, AXIS = 1.5, 31
"""Half width of the square in which the drift is drawn, and points along an axis."""
SPEEDS = (0.0, 0.5)
"""Drifts at the ends of the shades."""
SHADES = LinearSegmentedColormap.from_list("shades", ["white", "0.55"])


def integrator(n: int) -> tuple[ct.CTRNN, tuple[np.ndarray, np.ndarray]]:
    """Return a network whose latent variables are x' = x + speed · u under its noise, and encoders and decoders."""
    rng, f = np.random.default_rng(1), ct.activation("tanh")
    E, W_in, c = rng.standard_normal((n, 2)), rng.standard_normal((n, 2)), rng.uniform(-1.0, 1.0, n)
    x, u = (
        np.sqrt(rng.uniform(size=(SAMPLES, 1))) * rng.standard_normal((SAMPLES, 2)),
        rng.standard_normal((SAMPLES, 2)),
    )
    a = (x @ E.T + u @ W_in.T) / np.sqrt(2.0) + c
    F, v = f.smoothed(a, 1.0), f.smoothed_variance(a, 1.0)
    G = F.T @ F / SAMPLES + GAMMA / (2.0 - GAMMA) * np.diag(v.mean(axis=0))
    target = x + TASK.speed / GAMMA * u
    D = np.linalg.solve(G + 1e-6 * np.trace(G) / n * np.eye(n), F.T @ target / SAMPLES)
    E, W_in = E / np.sqrt(2.0), W_in / np.sqrt(2.0)
    return ct.CTRNN(E @ D.T, c, "tanh", GAMMA, W_in=W_in), (E, D)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute drifts, fixed points, paths and errors."""
    n, trials = (128, 24) if quick else (256, 100)
    (net, factors), x = integrator(n), np.linspace(-REACH, REACH, AXIS)
    places = np.stack(np.meshgrid(x, x), axis=-1)
    trained = ct.latent(net, NOISE, factors=factors)
    start = trained.state(PLACES)
    data: dict[str, Any] = {"neurons": n, "axis": x}
    for name, (other, noise, level) in _settings(net).items():
        field = replace(trained, network=other, noise=noise)
        data[f"{name}/drift"] = field.drift(places, level)
        points = [[*point.latent, point.stable] for point in field.fixed_points(level)]
        data[f"{name}/points"] = np.array(points).reshape(-1, 3)
        path = ct.simulate(other, noise.scaled(level), steps=80, trajectories=len(PLACES), start=start, rng=3)
        data[f"{name}/paths"] = path.h @ factors[1]
    kept = {"start": start, "steps": 100, "factors": factors}
    episode = TASK.episode(np.random.default_rng(0))
    summed = {"u": episode.u, "target": episode.y, "steps": len(episode.u), "factors": factors}
    for task, options in (("kept", kept), ("summed", summed)):
        found = ct.memory(net, NOISE, record_every=2, simulate=True, trajectories=trials, **options)
        data |= {f"{task}/{name}": getattr(found, name) for name in RETAINED}
    return data


RETAINED = ("time", "error", "squared_error", "uncertainty", "simulated_squared_error", "standard_error")
"""What is drawn of the errors."""


def _settings(net: ct.CTRNN) -> dict[str, tuple[ct.CTRNN, ct.Noise, float]]:
    """Return network, noise and level of each setting."""
    each = ((net, NOISE, 1.0), (net, NOISE, 0.0), (ct.noise_free(net, NOISE), ct.Noise(), 0.0))
    return dict(zip(SETTINGS, each, strict=True))


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return errors at the end in units of that with noise, gaps to the simulation, and drifts near the origin."""
    found: dict[str, float] = {}
    for task in ("kept", "summed"):
        error, off, repaired = data[f"{task}/error"][:, -1]
        found |= {f"{task}, error": error, f"{task}, off": off / error, f"{task}, repaired": repaired / error}
        away = np.abs(data[f"{task}/squared_error"] - data[f"{task}/simulated_squared_error"])
        beyond = np.maximum(away - data[f"{task}/uncertainty"], 0.0)
        found[f"{task}, largest gap"] = np.max(beyond[0] / data[f"{task}/standard_error"][0])
        found[f"{task}, gap without noise"] = np.max(beyond[1:])
    within = np.hypot(*np.meshgrid(data["axis"], data["axis"])) <= 1.0
    for name in SETTINGS:
        found[f"drift, {name}"] = np.sqrt(np.mean(np.sum(data[f"{name}/drift"][within] ** 2, axis=-1)))
    return {name: float(value) for name, value in found.items()}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the drift in each setting, a cut through it, and the errors of what is remembered."""
    made, axes = figure(TWO_COLUMNS, 4.9, 2, 3)
    for ax, name in zip(axes[0], SETTINGS, strict=True):
        image = _plane(ax, data, name)
    axes[0, 0].set_ylabel(r"latent variable $\kappa_2$")
    bar = made.colorbar(image, ax=axes[0, 2], label="drift per $\\tau$", shrink=0.8, extend="max")
    bar.outline.set_linewidth(0.6)
    middle = len(data["axis"]) // 2
    for name in SETTINGS:
        cut = data[f"{name}/drift"][middle, :, 0]
        style: dict[str, Any] = {"linewidth": 3.0, "alpha": 0.5} if name == SETTINGS[0] else {}
        axes[1, 0].plot(data["axis"], cut, color=COLOUR[name], label=name, **style)
    axes[1, 0].axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    axes[1, 0].set(xlabel=r"latent variable $\kappa_1$, with $\kappa_2 = 0$", ylabel="drift $A_1$")
    axes[1, 0].set_title("drift along a line")
    axes[1, 0].legend(loc="upper left")
    for ax, task, title in ((axes[1, 1], "kept", "positions kept"), (axes[1, 2], "summed", "velocities summed")):
        _against_time(ax, data, task)
        ax.set(xlabel=r"time ($\tau$)", ylabel="error of the position", title=title)
    points = {"marker": "o", "color": "0.3", "markerfacecolor": "white", "linestyle": "none", "label": "simulated"}
    shown = [Line2D([], [], color="0.3", label="predicted"), Line2D([], [], **points)]
    axes[1, 2].legend(handles=shown, loc="upper left")
    letters(axes)
    return made


def _plane(ax: Axes, data: Mapping[str, Any], name: str) -> Any:
    """Draw the drift, its fixed points and simulated paths."""
    x, drift = data["axis"], data[f"{name}/drift"]
    speed, (low, high) = np.linalg.norm(drift, axis=-1), SPEEDS
    options = {"cmap": SHADES, "vmin": low, "vmax": high, "interpolation": "bicubic"}
    image = ax.imshow(speed, origin="lower", extent=(-REACH, REACH, -REACH, REACH), **options)
    ax.streamplot(x, x, drift[..., 0], drift[..., 1], color="0.35", density=0.55, linewidth=0.4, arrowsize=0.5)
    for path in np.swapaxes(data[f"{name}/paths"], 0, 1):
        ax.plot(path[:, 0], path[:, 1], color=COLOUR[name], linewidth=0.8, zorder=3)
        ax.plot(*path[0], "o", color=COLOUR[name], markerfacecolor="white", markersize=3, zorder=4)
    for *place, stable in data[f"{name}/points"]:
        ax.plot(*place, "s", color="black", markerfacecolor="black" if stable else "white", markersize=3, zorder=5)
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", title=name)
    ax.set_xlabel(r"latent variable $\kappa_1$")
    ax.spines[["top", "right"]].set_visible(True)
    return image


def _against_time(ax: Axes, data: Mapping[str, Any], task: str) -> None:
    """Draw predicted errors as lines, and simulated ones as points."""
    time, error = data[f"{task}/time"], np.sqrt(data[f"{task}/simulated_squared_error"])
    at = np.unique(np.linspace(0, len(time) - 1, 8).round().astype(int))
    for s, name in enumerate(SETTINGS):
        ax.plot(time, data[f"{task}/error"][s], color=COLOUR[name])
        spread = data[f"{task}/standard_error"][s, at] / (2.0 * error[s, at])
        simulated(ax, time[at], error[s, at], spread, colour=COLOUR[name])
    ax.set(xlim=(0.0, 1.02 * time[-1]), ylim=(0.0, 1.08 * float(np.max(data[f"{task}/error"]))))
