"""A point of a sweep over trained networks: a network is trained for a task, and its preference is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.sweeping.parameters import Value
from ctrnn_theory.sweeping.quantities import OF_TRAINED


def measure(point: Mapping[str, Value], method: str) -> dict[str, float]:
    """Return the quantities of a point by name.

    Raises
    ------
    ValueError
        If the task, the network and its noise do not fit together, or if the state grows without bound.
    """
    from ctrnn_theory.analysis.preference.predicted import predicted_preference  # here, since other sweeps need no
    from ctrnn_theory.training.trainer import train  # kernels of tasks

    given: dict[str, Any] = dict(point)
    begin, noise = perf_counter(), Noise(given.pop("sigma_in"), given.pop("sigma_out"))
    found = train(**given, noise=noise, method=method, workers=1)
    tested = predicted_preference(found.network, found.task, noise)
    values = {name: float(getattr(tested, name)) for name in OF_TRAINED if name != "seconds"}
    return values | {"seconds": perf_counter() - begin}
