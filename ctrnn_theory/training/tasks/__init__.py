"""The tasks, by name. A new one is a file here and a line below."""

from __future__ import annotations

from ctrnn_theory.support.registry import Registry
from ctrnn_theory.training.tasks.base import ClosedLoop, Episode, Model, OpenLoop, Task, Trials
from ctrnn_theory.training.tasks.cognitive import Cognitive
from ctrnn_theory.training.tasks.feedforward import Feedforward
from ctrnn_theory.training.tasks.from_neurogym import from_neurogym
from ctrnn_theory.training.tasks.function import Function
from ctrnn_theory.training.tasks.given import Given
from ctrnn_theory.training.tasks.latent import Latent
from ctrnn_theory.training.tasks.maze import Maze
from ctrnn_theory.training.tasks.mean_path import velocity_error
from ctrnn_theory.training.tasks.path_integration import PathIntegration
from ctrnn_theory.training.tasks.regulator import Regulator

TASKS: Registry[type[Task]] = Registry("task", [Regulator, Function, PathIntegration, Maze, Feedforward, Cognitive])
"""Tasks by name."""

__all__ = [
    "TASKS",
    "ClosedLoop",
    "Cognitive",
    "Episode",
    "Feedforward",
    "Function",
    "Given",
    "Latent",
    "Maze",
    "Model",
    "OpenLoop",
    "PathIntegration",
    "Regulator",
    "Task",
    "Trials",
    "from_neurogym",
    "velocity_error",
]
