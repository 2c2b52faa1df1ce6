"""A point of a sweep over trained networks: a network is trained for a task, and its preference is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.sweeping.parameters import Value

LEVELS = np.arange(16) / 10.0
"""Levels of the noise, in units of the training noise, which is the eleventh."""
TRAINED = 10


def measure(point: Mapping[str, Value], method: str) -> dict[str, float]:
    """Return the quantities of a point by name; its network is that of :func:`~ctrnn_theory.train`.

    Raises
    ------
    ValueError
        If the task, the network and its noise do not fit together.
    Divergence
        If the state grows without bound.
    """
    # here, since other sweeps need no kernels of tasks
    from ctrnn_theory.analysis.preference.curve import least, preference
    from ctrnn_theory.training.search import search_of
    from ctrnn_theory.training.settings import Settings

    given: dict[str, Any] = {"activation_": point["activation"], "rng": point["rng"], "method": method}
    given |= {name: point.get(name) for name in ("task", "neurons", "gamma", "alpha", "beta")}
    given |= dict.fromkeys(("loss", "evaluations", "popsize", "step"))
    begin, noise = perf_counter(), Noise(point["sigma_in"], point["sigma_out"])
    settings = Settings.of(**given, noise=noise)
    search = search_of(settings)
    tested = preference(search.network(search.start()[0]), settings.task, LEVELS, noise=noise, simulate=False)
    loss, bias = tested.predicted_loss, tested.predicted_bias
    if loss is None or bias is None:
        raise Divergence("W must keep the state bounded; under noise it grows without bound")
    preferred, lowest = least(LEVELS, loss)
    numbers = {
        "preferred": preferred,
        "ratio": loss[0] / lowest,
        "K": tested.K,
        "nu": tested.nu,
        "sigma_c": tested.sigma_c,
        "squared_bias": bias[TRAINED],
        "loss": loss[TRAINED],
        "loss_without_noise": loss[0],
        "seconds": perf_counter() - begin,
    }
    return {name: np.nan if number is None else float(number) for name, number in numbers.items()}
