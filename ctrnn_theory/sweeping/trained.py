"""A point of a sweep over trained networks: a network is trained for a task, and its preference is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.sweeping.parameters import Value
from ctrnn_theory.sweeping.quantities import OF_TRAINED


def measure(point: Mapping[str, Value], method: str) -> dict[str, float]:
    """Return the quantities of a point by name; its network is that of :func:`~ctrnn_theory.train`.

    Raises
    ------
    ValueError
        If the task, the network and its noise do not fit together, or if the state grows without bound.
    """
    # here, since other sweeps need no kernels of tasks
    from ctrnn_theory.analysis.preference.predicted import predicted_preference
    from ctrnn_theory.training.search import search_of
    from ctrnn_theory.training.settings import Settings

    given: dict[str, Any] = {"activation_": point["activation"], "rng": point["rng"], "method": method}
    given |= {name: point.get(name) for name in ("task", "neurons", "gamma", "alpha", "beta")}
    given |= dict.fromkeys(("loss", "evaluations", "popsize", "step"))
    begin, noise = perf_counter(), Noise(point["sigma_in"], point["sigma_out"])
    settings = Settings.of(**given, noise=noise)
    search = search_of(settings)
    tested = predicted_preference(search.network(search.start()[0]), settings.task, noise)
    values = {name: float(getattr(tested, name)) for name in OF_TRAINED if name != "seconds"}
    return values | {"seconds": perf_counter() - begin}
