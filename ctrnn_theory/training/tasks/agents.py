"""Agents in the world of a closed-loop task, moved outside the compiled loops: any number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.types import FloatArray

World = tuple[Callable[..., Any], Callable[..., Any], FloatArray]
"""Compiled functions sense and move, and the constants, see :class:`ctrnn_theory.training.tasks.base.ClosedLoop`."""


def computed(function: Callable[..., Any], states: FloatArray, rows: int, constants: FloatArray) -> FloatArray:
    """Return what a compiled function(state, out, constants) of blocks of agents sets, (rows, L), for states (D, L).

    Examples
    --------
    >>> from ctrnn_theory.training.tasks.maze import Maze
    >>> sense, _, constants = Maze().world
    >>> computed(sense, Maze().starts, 10, constants)[2].round(12)      # from the starts up to the ceiling
    array([0.9       , 0.76666667, 0.63333333, 0.5       ])
    """
    out, padded = np.empty((rows, _whole(states).shape[1])), _whole(states)
    for first in range(0, padded.shape[1], LANES):
        part = np.empty((rows, LANES))
        function(np.ascontiguousarray(padded[:, first : first + LANES]), part, constants)
        out[:, first : first + LANES] = part
    return out[:, : states.shape[1]]


def moved(world: World, t: int, states: FloatArray, z: FloatArray) -> FloatArray:
    """Return the states (D, L) of agents after they have moved by the outputs z (P, L) at step t."""
    _, move, constants = world
    padded, outputs = np.array(_whole(states)), _whole(z)
    for first in range(0, padded.shape[1], LANES):
        part = np.ascontiguousarray(padded[:, first : first + LANES])
        move(t, np.array(outputs[:, first : first + LANES], order="C"), part, np.zeros(LANES), constants)
        padded[:, first : first + LANES] = part
    return padded[:, : states.shape[1]]


def _whole(x: FloatArray) -> FloatArray:
    """Return an array (rows, L) with its last column repeated until L is a number of whole blocks."""
    return np.pad(x, ((0, 0), (0, -x.shape[1] % LANES)), mode="edge")
