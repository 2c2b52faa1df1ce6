"""Every picture that the package can draw, on matplotlib axes. Only this package imports matplotlib."""

from ctrnn_theory.plotting.audit import audit
from ctrnn_theory.plotting.bias import bias
from ctrnn_theory.plotting.bias_curve import bias_curve
from ctrnn_theory.plotting.density import density
from ctrnn_theory.plotting.density_path import density_path, solution
from ctrnn_theory.plotting.devices import aging, devices
from ctrnn_theory.plotting.escape_times import escape_times
from ctrnn_theory.plotting.evolution import evolution
from ctrnn_theory.plotting.heatmap import heatmap
from ctrnn_theory.plotting.latent import latent
from ctrnn_theory.plotting.law import difference, law
from ctrnn_theory.plotting.lines import lines
from ctrnn_theory.plotting.maze import MAZE_COLOURS, maze
from ctrnn_theory.plotting.operating_points import operating_points
from ctrnn_theory.plotting.orbit import orbit
from ctrnn_theory.plotting.path import path
from ctrnn_theory.plotting.preference import SITE_COLOURS, preference
from ctrnn_theory.plotting.readout import readout
from ctrnn_theory.plotting.retention import retention
from ctrnn_theory.plotting.spectrum import spectrum
from ctrnn_theory.plotting.style import NEURONS, STYLE
from ctrnn_theory.plotting.training import training

__all__ = [
    "MAZE_COLOURS",
    "NEURONS",
    "SITE_COLOURS",
    "STYLE",
    "aging",
    "audit",
    "bias",
    "bias_curve",
    "density",
    "density_path",
    "devices",
    "difference",
    "escape_times",
    "evolution",
    "heatmap",
    "latent",
    "law",
    "lines",
    "maze",
    "operating_points",
    "orbit",
    "path",
    "preference",
    "readout",
    "retention",
    "solution",
    "spectrum",
    "training",
]
