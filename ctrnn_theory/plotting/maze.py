"""A maze, and paths through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.training.tasks.maze import Maze

MAZE_COLOURS = {"reached": "#009E73", "failed": "#CC79A7", "goal": "#E69F00"}
"""Colours of paths in the maze and of its goal; none of them stands for a site of the noise."""


@guarded
def maze(task: Maze, states: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw a maze and the paths of trials through it, coloured by whether they reach the goal.

    Parameters
    ----------
    task
        Maze that is drawn.
    states
        Paths (T + 1, 2, L), such as ``task.paths(net, noise, L, key)[1]``. A dot marks where each ends.
    ax
        Axes to draw on; new ones by default.

    Raises
    ------
    ValueError
        If the states have another shape.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.training.tasks.maze import Maze
    >>> task = Maze()
    >>> ax = maze(task, np.stack([task.starts, task.goal[:, None] + 0.0 * task.starts]))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['goal', '4 of 4 reach it', 'start']
    >>> plt.close(ax.figure)
    """
    paths = None if states is None else real_array("states", states, (None, 2, None))
    ax = axes_or_new(ax, (4.4, 5.0))
    ax.add_patch(
        Circle(
            (task.goal[0], task.goal[1]),
            task.radius,
            facecolor=MAZE_COLOURS["goal"],
            alpha=0.3,
            linewidth=0.0,
            zorder=1,
            label="goal",
        )
    )
    if paths is not None:
        reached = task.succeeded(paths)
        groups = ((reached, MAZE_COLOURS["reached"], "reach it"), (~reached, MAZE_COLOURS["failed"], "do not"))
        for chosen, colour, what in groups:
            if np.any(chosen):
                lines, label = list(paths[:, :, chosen].transpose(2, 0, 1)), f"{chosen.sum()} of {chosen.size} {what}"
                ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.7, alpha=0.5, label=label))
                ax.plot(*paths[-1][:, chosen], ".", color=colour, markersize=4, clip_on=False, zorder=2.5)
    style: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": "black", "markersize": 5, "zorder": 4}
    ax.plot(*task.starts, "o", label="start", clip_on=False, **style)
    ax.add_collection(LineCollection(list(task.walls), colors="black", linewidths=2.5, capstyle="round", clip_on=False))
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")
    ax.set_axis_off()
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
