"""The ladder of methods behind one signature: a stationary mean and covariance from each.

Each method is a module of this package, named as in :data:`METHODS`, with a function
``solve(net, noise, u, start, **options) -> StationaryLaw``. Adding one is adding a file and its name here.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.support.arguments import choice, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded

PACKAGE = "ctrnn_theory.stationary"
METHODS = (
    "deterministic",
    "mean_field",
    "small_noise",
    "gaussian_closure",
    "cumulant_closure",
    "fokker_planck",
    "exact",
    "simulation",
)
"""Names of the methods, from the plainest to the most costly."""


@guarded
@limited
def predict(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    method: str = "gaussian_closure",
    start: ArrayLike | None = None,
    **options: Any,
) -> StationaryLaw:
    """Stationary mean and covariance of a network under noise, by one method.

    Parameters
    ----------
    net
        The network, N neurons.
    noise
        Its noise, standard deviations per step.
    u
        Constant input (K,), or None.
    method
        One of :data:`METHODS`.
    start
        State (N,) from which the network starts; decides between several attractors. Rest (zero) by default.
    **options
        Options of the method, such as ``target_se`` and ``rng`` for "simulation".

    Returns
    -------
    StationaryLaw
        Mean (N,), covariance (N, N), and what the method has to say about them.

    Raises
    ------
    ValueError
        For an unknown method or option, or a noise that does not fit the network.
    NotApplicable
        If the method cannot treat this network; the message gives the reason.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> law = predict(net, Noise(inside=0.5), method="exact")
    >>> print(law.mean.round(6), law.std.round(6))
    [0.377039] [0.108885]
    """
    choice("method", method, METHODS)
    check_model(net, noise, u, start)
    solve = importlib.import_module(f"{PACKAGE}.{method}").solve
    known = list(inspect.signature(solve).parameters)[4:]
    for name in options:
        if name not in known:
            raise ValueError(f"option of {method} must be one of {', '.join(known) or '(none)'}; got {name!r}")
    begin = perf_counter()
    with growth(net, noise, u, start):
        law: StationaryLaw = solve(net, noise, u, start, **options)
    return replace(law, seconds=perf_counter() - begin)


def method_names(methods: Any) -> tuple[str, ...]:
    """Names of methods, given one by one or as a single name, or a ValueError."""
    if not isinstance(methods, Iterable) or isinstance(methods, Mapping):
        raise ValueError(f"methods must be out of {', '.join(METHODS)}; got {shown(methods)}")
    chosen = (methods,) if isinstance(methods, str) else tuple(methods)
    for name in chosen:
        if not isinstance(name, str) or name not in METHODS:
            raise ValueError(f"methods must be out of {', '.join(METHODS)}; got {shown(name)}")
    return chosen


def summary(method: str) -> str:
    """First line of what a method's module says of itself, without importing it."""
    spec = importlib.util.find_spec(f"{PACKAGE}.{method}")
    source = Path(spec.origin).read_text(encoding="utf-8") if spec is not None and spec.origin else ""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
