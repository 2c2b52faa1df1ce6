"""Every picture that the package can draw, on matplotlib axes. Only this package imports matplotlib."""

from ctrnn_theory.plotting.bias import bias
from ctrnn_theory.plotting.density import density
from ctrnn_theory.plotting.evolution import evolution
from ctrnn_theory.plotting.heatmap import heatmap, lines
from ctrnn_theory.plotting.maze import MAZE_COLOURS, maze
from ctrnn_theory.plotting.operating_points import operating_points
from ctrnn_theory.plotting.preference import SITE_COLOURS, preference
from ctrnn_theory.plotting.style import NEURONS, STYLE

__all__ = [
    "MAZE_COLOURS",
    "NEURONS",
    "SITE_COLOURS",
    "STYLE",
    "bias",
    "density",
    "evolution",
    "heatmap",
    "lines",
    "maze",
    "operating_points",
    "preference",
]
