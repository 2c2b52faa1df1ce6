"""The main job of the package: every prediction of the noise-induced bias beside the exact and the simulated one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from ctrnn_theory.analysis.attractors import attractor_notes
from ctrnn_theory.analysis.bias_report import BiasReport
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.registry import METHODS, method_names, predict
from ctrnn_theory.support.arguments import check_rng, positive_number, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.workers import threads

EXACT_METHODS = ("deterministic", "exact", "simulation")
"""Methods that follow the network itself, so that the network diverges where they do."""
SLOW = 3  # number of neurons for which the exact method may take minutes, and beyond which there is none


@guarded
@limited
def bias(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    methods: Iterable[str] | None = None,
    rng: Any = 0,
    target_se: float | None = None,
    *,
    start: ArrayLike | None = None,
    workers: int | Callable[..., Any] | None = None,
    progress: Progress | None = None,
) -> BiasReport:
    """Return the noise-induced bias δ = E[h] - h* of a network, by every method that applies.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    methods
        Names in :data:`METHODS`. By default all of them run, except "exact" for three neurons, which may take
        minutes, and "latent" for up to three, whose chain is that of "exact".
    rng
        Seed of the simulation: an int, a SeedSequence or a Generator.
    target_se
        Standard error of the mean at which the simulation stops; by default it takes well under a second for a small
        network.
    workers
        Number of threads of the simulation, or a function like ``map`` that works in this process. The numbers do not
        depend on it.
    progress
        Called with (done, total, text) as each method begins: how many methods are done, of how many, and its name.

    Returns
    -------
    BiasReport
        Report whose ``table()``, ``plot()`` and ``to_dict()`` lay the methods side by side.

    Raises
    ------
    ValueError
        If a method is unknown, or an argument does not fit the network.
    Divergence
        If the state grows without bound, with noise or without.

    Examples
    --------
    >>> report = bias(CTRNN.single(w=0.5, b=0.1), Noise(inside=0.5), methods=["gaussian_closure", "exact"])
    >>> {name: round(float(delta[0]), 4) for name, delta in report.bias.items()}
    {'gaussian_closure': 0.177, 'exact': 0.177}
    """
    check_model(net, noise, u, start)
    usual = tuple(name for name in METHODS if name != "latent" or net.n > SLOW)
    chosen, report = usual if methods is None else method_names(methods), reporter(progress)
    check_rng(rng)
    threads(workers)
    if target_se is not None:
        positive_number("target_se", target_se)
    base = predict(net, noise, u, "deterministic", start)
    laws: dict[str, StationaryLaw] = {}
    refused: dict[str, str] = {}
    names = [name for name in METHODS if name in chosen]
    for done, name in enumerate(names):
        if methods is None and name == "exact" and net.n == SLOW:
            refused[name] = "it may take minutes for three neurons, and is left out unless methods name it"
            continue
        report(done, len(names), name)
        options = METHODS[name].options.chosen({"rng": rng, "target_se": target_se, "workers": workers})
        try:
            laws[name] = base if name == "deterministic" else predict(net, noise, u, name, start, **options)
        except NotApplicable as reason:
            refused[name] = str(reason)
        except Divergence as reason:
            if name in EXACT_METHODS:
                raise
            refused[name] = f"its own state, not the network's, grows without bound: {reason}"
    report(len(names), len(names), "")
    notes = attractor_notes(net, u, base, laws)
    inputs = None if u is None else real_array("u", u)
    begin = None if start is None else net.start_state(start)
    return BiasReport(net, noise, inputs, base.details["fixed_point"], laws, refused, begin, rng, notes)
