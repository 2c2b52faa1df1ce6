"""Networks trained with noise inside can work best with noise; those trained with noise outside do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ctrnn_theory as ct
from ctrnn_theory import plotting
from paper_figs.networks import one_of_each_task, trained
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, simulated, styled

OPEN = {"function": "function of an input", "path_integration": "path integration", "feedforward": "feed-forward layer"}
TASKS = OPEN | {"maze": "maze"}
PATHS = 40
KEY = np.array([3, 5], np.uint64)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the loss against test noise, simulated and predicted, for each task and site, and paths in the maze."""
    data: dict[str, Any] = {}
    for run, net in trained(one_of_each_task(), quick).items():
        found = ct.preference(net, run.task, noise=run.noise, repeats=64 if quick else 256)
        name = f"{run.task}/{run.site}"
        data |= {f"{name}/{key}": getattr(found, key) for key in ("levels", "loss", "standard_error", "runaway")}
        data[f"{name}/preferred"] = np.array([found.preferred, *found.interval])
        data[f"{name}/ratio"] = np.array([found.ratio, found.ratio_standard_error])
        if found.predicted_loss is not None:
            data[f"{name}/predicted"] = found.predicted_loss
            data[f"{name}/predicted_preferred"] = found.predicted_preferred
        if (run.task, run.site) == ("maze", "inside"):
            task = ct.training.tasks.Maze()
            for label, level in (("zero", 0.0), ("trained", 1.0), ("preferred", found.preferred)):
                noise = ct.Noise(inside=level * run.sigma)
                data[f"paths/{label}"] = np.array(task.paths(net, noise, PATHS, KEY)[1])
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the preferred levels, in units of the training noise, and the factors by which noise lowers the loss.

    The largest relative error of the prediction is taken over levels up to the training noise.
    """
    found, gaps = {}, []
    for task in TASKS:
        for site in SITES:
            name = f"{task}/{site}"
            found[f"{task}, {site}"] = float(data[f"{name}/preferred"][0])
            found[f"{task}, {site}, ratio"] = float(data[f"{name}/ratio"][0])
            if f"{name}/predicted" in data:
                gaps.append(
                    np.abs(data[f"{name}/predicted"] / data[f"{name}/loss"] - 1.0)[data[f"{name}/levels"] <= 1.0]
                )
    found["predicted, largest gap"] = float(np.max(gaps))
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss of four tasks above, and paths in the maze below."""
    made, axes = figure(TWO_COLUMNS, 4.0, "abcd;efgx", height_ratios=[1.0, 1.0])
    for ax, task in zip((axes[letter] for letter in "abcd"), TASKS, strict=True):
        ax.axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
        for site in SITES:
            _loss(ax, data, f"{task}/{site}", COLOUR[site])
        ax.set_ylim(*((0.94, 1.12) if task == "maze" else (0.0, 2.6)))
        ax.set_xlim(0.0, 1.53)
        ax.set_xlabel(r"test noise $\sigma\,/\,\sigma_\mathrm{train}$")
        ax.set_title(TASKS[task])
    axes["a"].set_ylabel("loss over that in training")
    titles = {"zero": "maze, no noise", "trained": "as in training", "preferred": "preferred noise"}
    for letter, (label, title) in zip("efg", titles.items(), strict=True):
        task, paths = ct.training.tasks.Maze(), data[f"paths/{label}"]
        plotting.maze(task, paths, axes[letter])
        axes[letter].get_legend().remove()
        axes[letter].set_title(title)
    _legend(axes["x"])
    letters([axes[letter] for letter in "abcdefg"])
    return made


def _loss(ax: Axes, data: Mapping[str, Any], name: str, colour: str) -> None:
    unit = np.interp(1.0, data[f"{name}/levels"], data[f"{name}/loss"])
    kept = data[f"{name}/runaway"] == 0.0
    x, y = data[f"{name}/levels"][kept], data[f"{name}/loss"][kept] / unit
    if f"{name}/predicted" in data:
        ax.plot(x, data[f"{name}/predicted"][kept] / unit, color=colour)
    simulated(ax, x, y, data[f"{name}/standard_error"][kept] / unit, colour)
    best, low, high = data[f"{name}/preferred"]
    style = {"markersize": 7, "markeredgecolor": "white", "markeredgewidth": 0.8, "clip_on": False, "zorder": 5}
    ends = [[best - low], [high - best]]
    ax.errorbar([best], [np.interp(best, x, y)], xerr=ends, fmt="D", color=colour, **style)


def _legend(ax: Axes) -> None:
    ax.set_axis_off()
    for site in SITES:
        ax.plot([], [], color=COLOUR[site], label=LABEL[site])
    ax.plot([], [], "-", color="0.3", label="predicted")
    ax.errorbar([], [], [], fmt="o", color="0.3", markerfacecolor="white", label="simulated")
    ax.plot([], [], "D", color="0.3", markersize=5, label="level of lowest loss")
    ax.plot([], [], "-", color=plotting.MAZE_COLOURS["reached"], label="path to the goal")
    handles, labels = ax.get_legend_handles_labels()
    order = [*range(3), 5, 3, 4]  # otherwise error bars would come last
    ax.legend([handles[i] for i in order], [labels[i] for i in order], loc="center left", labelspacing=0.6)
