"""The registry of methods, those of the package and the user's own, and ``predict``, by which all are called.

To add one to the package, write a module with a function ``solve`` and enter it below; see CONTRIBUTING.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from keyword import iskeyword
from time import perf_counter
from typing import Any

from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.existence import check_moments
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.metastable import metastable
from ctrnn_theory.stationary.method import ARGUMENTS, Method, Options
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.support.arguments import float_array, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.registry import Registry

# Functions are named by their places, which are imported when they are first called: a method of the ladder may be
# listed, or another one used, without its imports.
HERE = "ctrnn_theory.stationary"
EVOLVE = "ctrnn_theory.analysis.evolution.evolve"
CLOSURES = "ctrnn_theory.analysis.evolution.closures"
ESCAPE = "ctrnn_theory.escape.escape_times"
WITHOUT_NOISE = ("deterministic",)  # methods that describe the network without noise, whatever its law under noise is
RESERVED = ("kink_block",)  # names that curves and pictures give to something else

METHODS: Registry[Method] = Registry(
    "method",
    [
        Method(
            "deterministic",
            "fixed point to which the network settles without noise",
            f"{HERE}.deterministic:solve",
            neurons=f"{HERE}.deterministic:solve_neurons",
            style={"color": "0.6", "linestyle": "-", "marker": "_", "linewidth": 1.0},
        ),
        Method(
            "mean_field",
            "fixed point with the activation replaced by its Gaussian average",
            f"{HERE}.mean_field:solve",
            neurons=f"{HERE}.mean_field:solve_neurons",
            style={"color": "#56B4E9", "linestyle": "--", "marker": "v"},
        ),
        Method(
            "small_noise",
            "expansion of mean and covariance in powers of σ",
            f"{HERE}.small_noise:solve",
            neurons=f"{HERE}.small_noise:solve_neurons",
            applies="a stable fixed point where f is smooth",
            style={"color": "#E69F00", "linestyle": ":", "marker": "^"},
        ),
        Method(
            "gaussian_closure",
            "exact moments of one step from a Gaussian state, iterated until they stay",
            f"{HERE}.gaussian_closure:solve",
            neurons=f"{HERE}.gaussian_closure:solve_neurons",
            label="Gaussian closure",
            style={"color": "#009E73", "linestyle": "-.", "marker": "s"},
            evolution=f"{CLOSURES}:gaussian_closure",
        ),
        Method(
            "cumulant_closure",
            "Gaussian closure with third cumulants, for a skewed law",
            f"{HERE}.cumulant_closure:solve",
            applies="up to 64 neurons",
            style={"color": "#117733", "linestyle": (0, (3, 1, 1, 1)), "marker": "d"},
            evolution=f"{CLOSURES}:cumulant_closure",
        ),
        Method(
            "fokker_planck",
            "Fokker–Planck equation of the diffusion approximation, with its density",
            f"{HERE}.fokker_planck:solve",
            applies="one to three neurons, or a rank of one or two",
            label="Fokker–Planck",
            style={"color": "#882255", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "P"},
            evolution=f"{EVOLVE}:_fokker_planck",
            escape=f"{ESCAPE}:_fokker_planck",
        ),
        Method(
            "latent",
            "Markov chain of the latent variables of a network of low rank",
            f"{HERE}.latent:solve",
            applies="weights of a rank up to three",
            style={"color": "#332288", "linestyle": (0, (8, 2)), "marker": "X"},
            evolution="ctrnn_theory.analysis.evolution.latent_chain:latent",
            escape="ctrnn_theory.escape.by_spectrum:latent",
        ),
        Method(
            "exact",
            "Poisson equation of the map, solved by collocation",
            f"{HERE}.exact:solve",
            applies="one to three neurons",
            style={"color": "0.78", "linestyle": "-", "marker": "D", "linewidth": 5.0, "zorder": 1.5},
            escape="ctrnn_theory.escape.by_spectrum:exact",
        ),
        Method(
            "simulation",
            "trajectories of the map, with control variates and standard errors",
            f"{HERE}.simulation:solve",
            style={"color": "#D55E00", "linestyle": "none", "marker": "o"},
            evolution=f"{EVOLVE}:_simulation",
            escape=f"{ESCAPE}:_simulation",
        ),
    ],
)
"""The methods by name, from the plainest to the most costly, and then those that the user registered."""


def register_method(
    name: str,
    solve: Callable[..., StationaryLaw],
    *,
    summary: str = "",
    applies: str = "any network",
    style: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> None:
    """Add a method of the user's own to the ladder, in this process.

    The method is then used wherever methods are chosen by name: in :func:`ctrnn_theory.predict`, in the table and the
    picture of :func:`ctrnn_theory.bias`, in :func:`ctrnn_theory.bias_curve`, and in :func:`ctrnn_theory.sweep`, which
    sends it to its workers.

    Parameters
    ----------
    name
        Name of the method, a Python identifier that is not yet taken.
    solve
        ``solve(net, noise, u, start, **options) -> StationaryLaw``, called with its first four arguments by position:
        a network of N neurons, its noise, the constant input (K,) or None, and the start state (N,) or None. The
        mean has shape (N,), the covariance (N, N). Its other parameters are the options of the method; ``rng`` and
        ``workers`` are set by reports and sweeps if the solver has them. It may raise
        :class:`~ctrnn_theory.NotApplicable` and :class:`~ctrnn_theory.Divergence`, whose reasons reports show.
    summary
        One line for listings; by default the first line of the solver's docstring.
    applies
        The networks and noise that the method applies to, for listings.
    style
        Keywords of Matplotlib: color, linestyle, marker, linewidth. Pictures choose those that are not given.
    replace
        Whether a method that the user registered under this name is replaced.

    Raises
    ------
    ValueError
        If the name is taken or not an identifier, if the solver cannot be called with its four arguments alone, or if
        the style is not a mapping.

    Examples
    --------
    >>> import numpy as np
    >>> def linear(net, noise, u, start):
    ...     fixed_point = predict(net, noise, u, "deterministic", start).mean
    ...     return StationaryLaw(fixed_point, np.eye(net.n) * net.gamma * noise.std("outside", net.n) ** 2 / 2)
    >>> register_method("linear", linear, summary="response of the linear network", replace=True)
    >>> predict(CTRNN.single(w=0.0, b=0.1), Noise(outside=0.5), method="linear").std.round(4)
    array([0.1118])
    >>> list(METHODS)[-1]
    'linear'
    >>> METHODS.remove("linear")
    """
    if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
        raise ValueError(f"name must be an identifier; got {shown(name)}")
    if name in RESERVED or (name in METHODS and METHODS[name].builtin):
        raise ValueError(f"name must not be one that the package uses; got {name!r}")
    if name in METHODS and not replace:
        raise ValueError(f"name must be new unless replace is True; got {name!r}")
    if not callable(solve):
        raise ValueError(f"solve must be a function of (net, noise, u, start); got {shown(solve)}")
    options = Options.of(solve, ARGUMENTS, "solve")
    if options.required:
        raise ValueError(f"options of solve must have defaults; got {options.required[0]!r} without one")
    if style is not None and not isinstance(style, Mapping):
        raise ValueError(f"style must be a mapping of keywords; got {shown(style)}")
    about = summary or (inspect.getdoc(solve) or "").partition("\n")[0]
    METHODS.add(Method(name, about, solve, applies, style=dict(style or {})), replace)


def own_methods() -> tuple[Method, ...]:
    """Return the methods that the user registered, for a process that has to know them too."""
    return tuple(method for method in METHODS.values() if not method.builtin)


def know(methods: Iterable[Method]) -> None:
    """Take over methods that were registered in another process."""
    for method in methods:
        if METHODS.get(method.name) is not method:
            METHODS.add(method, replace=True)


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
    """Return the stationary mean and covariance of a network under noise, by one method.

    Parameters
    ----------
    net
        The network, N neurons.
    noise
        Its noise, standard deviations per step.
    u
        Constant input (K,), or None.
    method
        Name in :data:`METHODS`.
    start
        State (N,) from which the network starts, zero by default; it decides between several attractors.
    **options
        Options of the method, such as ``target_se`` and ``rng`` for "simulation".

    Returns
    -------
    StationaryLaw
        Mean (N,) and covariance (N, N), whether the method converged, and what limits the result.

    Raises
    ------
    ValueError
        For an unknown method or option, or a noise that does not fit the network.
    NotApplicable
        If the method cannot treat this network, or multiplicative noise leaves no stationary law with a covariance (see
        :mod:`ctrnn_theory.stationary.existence`); the message gives the reason.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> law = predict(net, Noise(inside=0.5), method="exact")
    >>> print(law.mean.round(6), law.std.round(6))
    [0.377039] [0.108885]
    """
    chosen = METHODS.choose(method)
    check_model(net, noise, u, start)
    chosen.options.check(method, options)
    begin = perf_counter()
    remarks = () if method in WITHOUT_NOISE else (check_moments(net, noise, u), metastable(net, noise, u))
    with growth(net, noise, u, start):
        law = chosen.solve(net, noise, u, start, **options)
    seconds = perf_counter() - begin
    if not chosen.builtin:
        law = _checked(law, method, net.n)
    message = "; ".join(part for part in (law.message, *remarks) if part)
    return replace(law, seconds=seconds, message=message)


def _checked(law: Any, method: str, n: int) -> StationaryLaw:
    """Return what a solver of the user's gave under the name of its method, or raise a ValueError."""
    if not isinstance(law, StationaryLaw):
        raise ValueError(f"{method} must return a StationaryLaw; got {shown(law)}")
    wanted = {"mean": (n,), "covariance": (n, n)} | ({} if law.standard_error is None else {"standard_error": (n,)})
    arrays: dict[str, Any] = {}
    for part, shape in wanted.items():
        arrays[part] = array = float_array(f"{part} by {method}", getattr(law, part))
        if array.shape != shape:
            raise ValueError(f"{part} by {method} must have shape {shape}; got {array.shape}")
    return replace(law, method=method, **arrays)


def method_names(methods: Any) -> tuple[str, ...]:
    """Return names of methods as a tuple, or raise a ValueError; a single name is one method."""
    if not isinstance(methods, Iterable) or (isinstance(methods, Mapping) and methods is not METHODS):
        raise ValueError(f"methods must be among {', '.join(METHODS)}; got {shown(methods)}")
    chosen = (methods,) if isinstance(methods, str) else tuple(methods)
    for name in chosen:
        if not isinstance(name, str) or name not in METHODS:
            raise ValueError(f"methods must be among {', '.join(METHODS)}; got {shown(name)}")
    return chosen
