"""Hypothesis strategies for activations, networks and noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ctrnn_theory.activations import BUILTIN, Activation, activation
from ctrnn_theory.model.kinds import Kind
from ctrnn_theory.model.network import CTRNN, FORMS
from ctrnn_theory.model.noise import SITES, Noise, Site
from ctrnn_theory.support.arguments import integer, positive_integer, positive_number, shown

SATURATING = ("tanh", "sigmoid", "erf")  # smooth, bounded, strictly increasing
SMOOTH_BOUNDED = (*SATURATING, "probit", "sin")
SMOOTH_UNBOUNDED = ("softplus", "gelu", "silu")
QUARTERS = st.integers(-8, 8).map(lambda k: Fraction(k, 4))
NETWORK_KINDS: tuple[Kind, ...] = ("voltage", "gammas", "activations")
NOISE_KINDS: tuple[Kind, ...] = ("gain_inside", "gain_outside", "coloured_inside", "coloured_outside")
MOST_GAIN = 0.3  # below it all covariances of a stable network are finite
MOST_RHO = 0.9
NONZERO = st.sampled_from([Fraction(s * k, 4) for k in (4, 2, 1, 3, 6, 8) for s in (1, -1)])


@st.composite
def activations(
    draw: st.DrawFn,
    *,
    smooth: bool | None = None,
    bounded: bool | None = None,
    kinks: int | None = None,
    lipschitz: bool | None = None,
) -> Activation:
    """Draw activations: built-in ones, and expressions that are composed of smooth functions, kinks and jumps.

    Parameters
    ----------
    smooth
        True if every derivative exists everywhere, False if one does not exist somewhere, None for either.
    bounded
        True if f is bounded, False if it is not, None for either.
    kinks
        Number of points where the value or the slope jumps; None for any number.
    lipschitz
        True if the slope is bounded, so that no value jumps and f grows at most linearly, False if it is not, None for
        either.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(activations(smooth=True, bounded=True))
    ... def stays_within_bounds(f):
    ...     assert np.ptp(f(np.linspace(-1e3, 1e3))) < 20
    >>> stays_within_bounds()
    """
    if kinks is not None:
        kinks = integer("kinks", kinks)
    if smooth and kinks:
        raise ValueError(f"kinks must be 0 or None where smooth is True; got {kinks}")
    wanted = (smooth, bounded, kinks, lipschitz)
    known = [name for name in BUILTIN if _fits(activation(name), *wanted)]
    made = st.builds(activation, _expressions(*wanted)).filter(lambda f: _fits(f, *wanted))
    return draw(st.one_of(st.sampled_from(known).map(activation), made) if known else made)


_all_activations = activations


def _fits(f: Activation, smooth: bool | None, bounded: bool | None, kinks: int | None, lipschitz: bool | None) -> bool:
    return (
        smooth in (None, not f.breakpoints)
        and bounded in (None, f.limit_slopes == (0.0, 0.0))
        and kinks in (None, len(f.kinks))
        and lipschitz in (None, math.isfinite(largest_slope(f)))
    )


@st.composite
def _expressions(draw: st.DrawFn, smooth: bool | None, bounded: bool | None, kinks: int | None, lipschitz: Any) -> str:
    """Draw the text of an activation that has the requested properties in most cases."""
    count = kinks if kinks is not None else 0 if smooth else draw(st.integers(int(smooth is False), 3))
    names = SMOOTH_BOUNDED if bounded else SMOOTH_BOUNDED + SMOOTH_UNBOUNDED
    jumping = count > 0 and (lipschitz is False or (lipschitz is None and draw(st.booleans())))
    if count == 0:
        steep = "" if bounded or not draw(st.booleans()) else f" + ({draw(NONZERO)})*x"
        power = f" + ({draw(NONZERO)})*x**2" if lipschitz is False else ""
        if smooth is False:  # a jump of f'' alone
            inner = f"elu(({draw(NONZERO)})*x + ({draw(QUARTERS)}))"
            return f"{draw(st.sampled_from(SATURATING))}({inner})" if bounded else inner + power
        return _smooth_term(draw, names) + steep + power
    at = sorted(draw(st.lists(QUARTERS, min_size=count, max_size=count, unique=True)))
    slopes = [draw(QUARTERS)]
    for _ in at:
        slopes.append(draw(QUARTERS.filter(lambda s: s != slopes[-1])))
    jumps = [b - a for a, b in itertools.pairwise(slopes)]
    text = f"({slopes[0]})*x" + "".join(f" + ({d})*Max(0, x - ({k}))" for k, d in zip(at, jumps, strict=True))
    if jumping:
        text += f" + ({draw(NONZERO)})*Heaviside(x - ({draw(st.sampled_from(at))}))"
    if bounded:
        return f"{draw(st.sampled_from(SATURATING))}({text})"
    return f"{text} + {_smooth_term(draw, SMOOTH_BOUNDED)}" if draw(st.booleans()) else text


def _smooth_term(draw: st.DrawFn, names: Sequence[str]) -> str:
    name, scale, slope, shift = draw(st.sampled_from(names)), draw(NONZERO), draw(NONZERO), draw(QUARTERS)
    return f"({scale})*{name}(({slope})*x + ({shift}))"


@lru_cache(maxsize=256)
def largest_slope(f: Activation) -> float:
    """Return the Lipschitz constant of f, to 1e-4; infinite if the value jumps or f grows faster than linearly."""
    if any(kink.value_jump for kink in f.kinks) or not np.all(np.isfinite(f.limit_slopes)):
        return math.inf
    grid = np.concatenate([[k - 1e-9, k + 1e-9] for k in f.breakpoints] + [np.linspace(-40.0, 40.0, 16001)])
    return float(max(np.max(np.abs(f.derivative(grid))), *np.abs(f.limit_slopes)))


@st.composite
def networks(
    draw: st.DrawFn,
    n: int | None = None,
    *,
    stable: bool = True,
    activations: st.SearchStrategy[Activation] | Sequence[Activation | str] | None = None,
    kinds: Sequence[Kind] = (),
) -> CTRNN:
    """Draw networks without input and readout.

    With `stable`, ‖W‖₂ max|f'| is at most 0.9. Two paths under the same noise then approach each other at least as
    fast as (1 - 0.1 γ)ᵏ, so that for any noise there is one stationary law with all its moments, on which all methods
    must agree. Activations of unbounded slope are then left out. Without `stable` the weights are any numbers in
    [-2, 2].

    Parameters
    ----------
    n
        Number of neurons; None for 1 to 4.
    stable
        Whether exactly one stationary law must exist.
    activations
        Strategy for activations, or a sequence of them to choose from; None for :func:`activations`.
    kinds
        Kinds that a network may be of besides rate form with one γ and one f: "voltage", "gammas", "activations".

    Examples
    --------
    >>> from hypothesis import find
    >>> net = find(networks(2), lambda net: net.W[0, 1] > 0)
    >>> net.n, net.activation
    (2, Activation('identity'))
    """
    size = draw(st.integers(1, 4)) if n is None else positive_integer("n", n)
    if activations is None:
        chosen: Any = _all_activations(lipschitz=True if stable else None)
    elif isinstance(activations, st.SearchStrategy):
        chosen = activations
    else:
        chosen = st.sampled_from([activation(f) for f in activations])
    chosen = chosen.filter(lambda f: math.isfinite(largest_slope(f))) if stable else chosen
    _check_kinds(kinds, NETWORK_KINDS)
    count = size if "activations" in kinds and draw(st.booleans()) else 1
    used = [draw(chosen) for _ in range(count)]
    entries = st.lists(st.floats(-2.0, 2.0), min_size=size, max_size=size)
    W = np.array(draw(st.lists(entries, min_size=size, max_size=size)))
    if stable:
        strength = draw(st.integers(0, 9)) / 10.0
        W *= min(1.0, strength / (max(map(largest_slope, used)) * float(np.linalg.norm(W, 2)) + 1e-300))
    b, step = np.array(draw(entries)), st.floats(0.05, 1.0)
    gamma = (
        draw(st.lists(step, min_size=size, max_size=size)) if "gammas" in kinds and draw(st.booleans()) else draw(step)
    )
    form = draw(st.sampled_from(FORMS)) if "voltage" in kinds else "rate"
    return CTRNN(W, b, used if count > 1 else used[0], gamma, form=form)  # type: ignore[arg-type]


@st.composite
def noises(
    draw: st.DrawFn,
    n: int = 1,
    *,
    sites: Sequence[Site] = SITES,
    correlated: bool | None = None,
    least: float = 0.05,
    most: float = 1.0,
    kinds: Sequence[Kind] = (),
) -> Noise:
    """Draw noise for n neurons: a number, a standard deviation for each neuron, or a factor.

    Parameters
    ----------
    n
        Number of neurons that the noise must fit.
    sites
        Sites that may have noise, from "inside" and "outside"; at least one of them has.
    correlated
        True if at least one site has a factor (n, R), False if none has, None for either.
    least, most
        Bounds of the standard deviations; for a factor, of the largest one.
    kinds
        Kinds that the noise may be of besides white and additive: "gain_inside" and "gain_outside", of a standard
        deviation of at most 0.3, the latter also by dropout; "coloured_inside" and "coloured_outside", with ρ up to
        0.9, where the site has noise.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(noises(2, sites=["outside"], correlated=False), lambda noise: True)
    Noise: outside 1
    """
    n, least, most = positive_integer("n", n), positive_number("least", least), positive_number("most", most)
    if least > most:
        raise ValueError(f"least must be at most most, {most:g}; got {least:g}")
    if not isinstance(sites, Sequence) or not sites or not all(site in SITES for site in sites):
        raise ValueError(f'sites must hold "inside", "outside" or both; got {shown(sites)}')
    _check_kinds(kinds, NOISE_KINDS)
    used = draw(st.lists(st.sampled_from(sites), min_size=1, max_size=len(sites), unique=True))
    level = st.floats(least, most)
    independent = level | st.lists(level, min_size=n, max_size=n).map(np.array) if n > 1 else level
    entries = st.integers(-4, 4)
    factor = st.integers(1, n + 1).flatmap(
        lambda r: st.builds(
            lambda rows, size: np.array(rows) * (size / np.max(np.linalg.norm(rows, axis=1))),
            st.lists(st.lists(entries, min_size=r, max_size=r), min_size=n, max_size=n).filter(np.any),
            level,
        )
    )
    either = independent | factor
    choices = {True: (factor, either), False: (independent, independent), None: (either, either)}[correlated]
    found: dict[str, Any] = {site: draw(choice) for site, choice in zip(used, choices, strict=False)}
    gain = st.floats(0.0, MOST_GAIN)
    for name in ("gain_inside", "gain_outside"):
        if name in kinds and draw(st.booleans()):
            found[name] = draw(gain | st.lists(gain, min_size=n, max_size=n).map(lambda one: np.array(one)[:, None]))
    if "gain_outside" in kinds and draw(st.booleans()):
        found["keep"] = draw(st.floats(1.0 / (1.0 + MOST_GAIN**2), 1.0))
    for site in used:
        if f"coloured_{site}" in kinds and draw(st.booleans()):
            found[f"rho_{site}"] = draw(st.floats(0.0, MOST_RHO))
    return Noise(**found)


def _check_kinds(kinds: Sequence[Kind], known: Sequence[Kind]) -> None:
    for kind in kinds:
        if kind not in known:
            raise ValueError(f"kinds must be among {', '.join(known)}; got {shown(kind)}")
