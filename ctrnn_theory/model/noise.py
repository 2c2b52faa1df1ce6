"""The noise of a network: additive or multiplicative, white or coloured, inside its activation function or outside."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.support.arguments import (
    choice,
    nonnegative,
    positive_integer,
    positive_number,
    real_array,
    real_number,
)
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, Readable, plain
from ctrnn_theory.support.types import FloatArray

Site = Literal["inside", "outside"]
SITES: tuple[Site, ...] = ("inside", "outside")
STRENGTHS = ("inside", "outside", "gain_inside", "gain_outside")
"""Fields that are a standard deviation: a number, (N,) or a factor (N, R)."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Noise(Readable):
    """Gaussian noise inside the activation or outside it: additive or multiplicative, white or coloured; and dropout.

    One Euler–Maruyama step of a rate network is ``h' = (1-γ) h + γ (y + x_out)``, with

    ``y = f(α ∘ (1 + G_in ξ) + x_in) ∘ (1 + G_out ξ'') ∘ (1 + g ζ) ∘ mask / keep``, ``α = W h + W_in u + b``.

    ``x_in = L_in ξ'`` and ``x_out = L_out η`` are the additive noise, white unless it has a ρ; all other variates are
    standard normal and independent between steps. Standard deviations are **per step**; they are not scaled by the
    length of the step. :class:`~ctrnn_theory.CTRNN` has the step of a network in voltage form.

    Parameters
    ----------
    inside, outside
        Standard deviation of the additive noise at the site: a number for all neurons, or an array (N,), both for noise
        that is independent between neurons; or a factor L of shape (N, R), for correlated noise of covariance L Lᵀ.
    gain_inside, gain_outside
        Standard deviation of multiplicative noise, relative to what it multiplies: a number or an array (N,), for
        noise that is private to each neuron; or a factor G of shape (N, R). One column is noise that all neurons have
        in common, and several columns are added before they multiply.
    rho_inside, rho_outside
        Correlation ρ in [0, 1) of a source of the additive noise from step to step: a number for all, or an array (R,),
        one for each column of the factor (each neuron, where the site has no factor). The source follows
        ``x' = ρ x + √(1-ρ²) ξ``, begun in its stationary law, so that the standard deviation of the noise is what
        `inside` or `outside` says whatever ρ is. The step uses the new x'.
    common_gain_outside
        Standard deviation g of a further multiplicative noise outside, which all neurons have in common: a number or an
        array (N,). It multiplies what the private noise has multiplied already.
    keep
        Probability in (0, 1] with which dropout keeps the value of a neuron in a step, which is then divided by it: a
        number or an array (N,).

    Raises
    ------
    ValueError
        If a standard deviation is negative or not finite, an array has more than two dimensions, a correlation is not
        in [0, 1), or a probability is not in (0, 1].

    Examples
    --------
    >>> Noise(inside=0.5).covariance("inside", 2)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
    >>> Noise(inside=0.5, outside=[0.1, 0.2])
    Noise: inside 0.5 and outside [0.1, 0.2]
    >>> common = Noise(outside=[[1.0], [1.0]])     # one source, shared by two neurons
    >>> common.covariance("outside", 2)
    array([[1., 1.],
           [1., 1.]])
    >>> Noise(inside=0.5, rho_inside=0.9, gain_outside=0.2)
    Noise: inside 0.5 (rho 0.9) and gain_outside 0.2
    """

    inside: ArrayLike = 0.0
    """Additive noise inside the activation: scalar, (N,) or factor (N, R)."""
    outside: ArrayLike = 0.0
    """Additive noise outside the activation: scalar, (N,) or factor (N, R)."""
    gain_inside: ArrayLike = 0.0
    """Multiplicative noise on the pre-activation: scalar, (N,) or factor (N, R)."""
    gain_outside: ArrayLike = 0.0
    """Multiplicative noise on the activation's value: scalar, (N,) or factor (N, R)."""
    rho_inside: ArrayLike = 0.0
    """Correlation between steps of the sources inside: scalar or (R,)."""
    rho_outside: ArrayLike = 0.0
    """Correlation between steps of the sources outside: scalar or (R,)."""
    common_gain_outside: ArrayLike = 0.0
    """Multiplicative noise of all neurons in common on the activation's value: scalar or (N,)."""
    keep: ArrayLike = 1.0
    """Probability that dropout keeps a value: scalar or (N,)."""

    def __post_init__(self) -> None:
        for name in (*STRENGTHS, "common_gain_outside"):
            array = real_array(name, getattr(self, name))
            if array.ndim > (2 if name in STRENGTHS else 1):
                shapes = "a scalar, (N,) or a factor (N, R)" if name in STRENGTHS else "a scalar or (N,)"
                raise ValueError(f"{name} must be {shapes}; got shape {array.shape}")
            if array.ndim < 2 and np.any(array < 0):
                raise ValueError(f"{name} must be at least 0, a standard deviation; got {array.min()}")
            object.__setattr__(self, name, float(array) if array.ndim == 0 else array)
        for name in ("rho_inside", "rho_outside", "keep"):
            array = real_array(name, getattr(self, name))
            if array.ndim > 1:
                raise ValueError(f"{name} must be a scalar or an array of one dimension; got shape {array.shape}")
            wrong = (array <= 0.0) | (array > 1.0) if name == "keep" else (array < 0.0) | (array >= 1.0)
            if wrong.any():
                interval = "(0, 1]" if name == "keep" else "[0, 1)"
                raise ValueError(f"{name} must be in {interval}; got {array[wrong][0]}")
            object.__setattr__(self, name, float(array) if array.ndim == 0 else array)

    @classmethod
    def dropout(cls, keep: ArrayLike, **others: Any) -> Noise:
        """Return noise by which a neuron's value is kept with probability `keep` and divided by it, or else is zero.

        Given the state, dropout has mean one and variance (1 - keep)/keep, as multiplicative noise outside of that
        variance has; its third cumulant is (1 - keep)(1 - 2 keep)/keep² and not zero.

        Parameters
        ----------
        keep
            Probability in (0, 1]: a number or an array (N,).
        **others
            Further fields of :class:`Noise`.

        Examples
        --------
        >>> Noise.dropout(0.8, inside=0.5)
        Noise: inside 0.5 and keep 0.8
        >>> Noise.dropout(0.8).gain_covariance("outside", 1)
        array([[0.25]])
        """
        return cls(keep=keep, **others)

    @classmethod
    def analog(cls, neurons: int, AU: float = 0.0, AC: float = 0.0, MU: float = 0.0, MC: float = 0.0) -> Noise:
        """Return the internal noise of an analog network, given by the four intensities D that its literature uses.

        A neuron that should give x gives ::

            y = x (1 + √(2 D_MU) ξ) (1 + √(2 D_MC) ζ) + √(2 D_AU) ξ' + √(2 D_AC) ζ'

        with ξ and ξ' private to each neuron (U, uncorrelated), ζ and ζ' common to all (C, correlated), and all of them
        standard normal and independent between steps. In the terms of this class the standard deviation √(2 D_MU) is
        `gain_outside`, √(2 D_MC) is `common_gain_outside`, and √(2 D_AU) and √(2 D_AC) are `outside`, as a factor with
        a column of its own for each neuron and one for all of them.

        Parameters
        ----------
        neurons
            Number of neurons.
        AU, AC, MU, MC
            Intensities D of the noise: additive (A) or multiplicative (M), private (U) or common (C). The variance of
            additive noise in a step is 2 D; multiplicative noise has the variance 2 D x².

        Raises
        ------
        ValueError
            If an intensity is negative or not finite, or `neurons` is not a positive integer.

        Examples
        --------
        >>> Noise.analog(2, AU=0.02, MU=0.005, MC=0.02)
        Noise: outside 0.2 and gain_outside 0.1 and common_gain_outside 0.2
        >>> Noise.analog(2, AU=0.02, AC=0.005).covariance("outside", 2)
        array([[0.05, 0.01],
               [0.01, 0.05]])
        """
        n, given = positive_integer("neurons", neurons), {"AU": AU, "AC": AC, "MU": MU, "MC": MC}
        std = {name: math.sqrt(2.0 * nonnegative(name, value)) for name, value in given.items()}
        outside: ArrayLike = std["AU"]
        if std["AC"]:
            common = np.full((n, 1), std["AC"])
            outside = np.hstack([std["AU"] * np.eye(n), common]) if std["AU"] else common
        return cls(outside=outside, gain_outside=std["MU"], common_gain_outside=std["MC"])

    @classmethod
    def from_time_constant(cls, time_constant: float, step: float, **others: Any) -> Noise:
        """Return coloured noise of a correlation time τ_c: ρ = exp(-Δt/τ_c) at each site that has additive noise.

        Parameters
        ----------
        time_constant, step
            Correlation time τ_c of the sources, and length Δt of a step, in the same unit.
        **others
            Fields of :class:`Noise`, `inside` and `outside` among them.

        Examples
        --------
        >>> Noise.from_time_constant(50.0, 5.0, inside=0.3)
        Noise: inside 0.3 (rho 0.904837)
        """
        rho = math.exp(-positive_number("step", step) / positive_number("time_constant", time_constant))
        given = {f"rho_{site}": rho for site in SITES if np.any(others.get(site, 0.0))}
        return cls(**{**given, **others})

    @classmethod
    def from_white(cls, intensity: ArrayLike, gamma: float, site: Site) -> Noise:
        """Return the noise per step, σ = s/√γ, that stands for white noise of intensity s.

        In units of τ, white noise of intensity s adds the variance s² t over a time t. A step lasts γ = Δt/τ and adds
        (γσ)², so that σ = s/√γ.

        *Outside*, the map with this σ converges as γ → 0, to the Itô equation dh = (f(a) - h) dt + s dB. *Inside*, it
        has no limit: the smoothing width s/√γ of the activation, and with it the noise-induced bias, grows without
        bound. At a fixed γ the call is meaningful for both sites. Inside, a fixed σ has a limit (the activation is
        replaced by its smoothed form and the fluctuations vanish as √γ), and so has noise with a correlation time.

        Parameters
        ----------
        intensity
            Intensity s: a number, an array (N,) or a factor (N, R), in units of the state per √τ.
        gamma
            Step over time constant, γ = Δt/τ, in (0, 1].
        site
            "inside" or "outside".

        Examples
        --------
        >>> Noise.from_white(0.1, gamma=0.25, site="outside").outside
        0.2
        """
        root, name = math.sqrt(check_gamma(gamma)), choice("site", site, SITES)
        s = real_array("intensity", intensity)
        if s.ndim < 2 and np.any(s < 0.0):
            raise ValueError(f"intensity must be at least 0; got {s.min()}")
        return cls(**{name: s / root})

    @property
    def is_zero(self) -> bool:
        """Whether there is no noise at all: every variance is zero, in double precision.

        Examples
        --------
        >>> Noise().is_zero, Noise(outside=[0.0, 0.1]).is_zero
        (True, False)
        """
        return not self.has_gains and not any(np.square(getattr(self, site)).any() for site in SITES)

    @property
    def has_gains(self) -> bool:
        """Whether there is multiplicative noise, dropout included."""
        names = ("gain_inside", "gain_outside", "common_gain_outside")
        return any(np.square(getattr(self, name)).any() for name in names) or bool(np.any(np.asarray(self.keep) < 1.0))

    @property
    def title(self) -> str:
        """One line on site and strength of the noise; "none" if there is no noise."""
        return " and ".join(self._words()) or "none"

    def _words(self) -> Iterator[str]:
        for name in (*STRENGTHS, "common_gain_outside"):
            value = np.asarray(getattr(self, name))
            if np.any(value):
                rho = np.asarray(getattr(self, f"rho_{name}", 0.0))
                yield f"{name} {_strength(value)}" + (f" (rho {_strength(rho)})" if np.any(rho) else "")
        if np.any(np.asarray(self.keep) < 1.0):
            yield f"keep {_strength(np.asarray(self.keep))}"

    def _headline(self) -> str:
        return self.title

    def factor(self, site: Site, n: int) -> FloatArray:
        """Return the factor L, shape (n, R), of the additive noise at a site, whose covariance is L Lᵀ."""
        return self._factor(choice("site", site, SITES), n)

    def covariance(self, site: Site, n: int) -> FloatArray:
        """Return the covariance Σ = L Lᵀ, shape (n, n), of the additive noise at a site, white and coloured."""
        return self._square(choice("site", site, SITES), n)

    def std(self, site: Site, n: int) -> FloatArray:
        """Return the standard deviation (n,) of the additive noise that each of n neurons gets at a site."""
        return np.sqrt(np.sum(self.factor(site, n) ** 2, axis=1))

    def rho(self, site: Site, n: int) -> FloatArray:
        """Return the correlation ρ (R,) between steps of each source of a site's factor."""
        sources = self.factor(site, n).shape[1]
        array = np.asarray(getattr(self, f"rho_{site}"), dtype=np.float64)
        if array.ndim and len(array) != sources:
            raise ValueError(
                f"rho_{site} must be one number, or one for each of the {sources} sources {site}; got {len(array)}"
            )
        return np.broadcast_to(array, (sources,))

    def coloured(self, site: Site, n: int) -> tuple[FloatArray, FloatArray]:
        """Return factor (n, R) and correlation ρ (R,) of those sources at a site that are coloured and have an effect.

        Examples
        --------
        >>> factor, rho = Noise(inside=[0.5, 0.1], rho_inside=[0.0, 0.9]).coloured("inside", 2)
        >>> factor.ravel(), rho
        (array([0. , 0.1]), array([0.9]))
        """
        factor, rho = self.factor(site, n), self.rho(site, n)
        chosen = (rho > 0.0) & factor.any(axis=0)
        return factor[:, chosen], rho[chosen]

    def white(self, site: Site, n: int) -> FloatArray:
        """Return the factor (n, R) of the white sources at a site."""
        return self.factor(site, n)[:, self.rho(site, n) == 0.0]

    @property
    def is_white(self) -> bool:
        """Whether no additive noise is coloured."""
        return not any(np.any(getattr(self, site)) and np.any(getattr(self, f"rho_{site}")) for site in SITES)

    def gain_factor(self, site: Site, n: int) -> FloatArray:
        """Return the factor G, shape (n, R), of `gain_inside` or `gain_outside`."""
        return self._factor(f"gain_{choice('site', site, SITES)}", n)

    def gain_covariance(self, site: Site, n: int) -> FloatArray:
        """Return the covariance R (n, n) of all that multiplies at a site, whose mean is one.

        Independent factors multiply: 1 + R = (1 + G Gᵀ) ∘ (1 + g gᵀ) ∘ (1 + diag((1 - keep)/keep)) outside.
        """
        product = 1.0 + self._square(f"gain_{choice('site', site, SITES)}", n)
        if site == "outside":
            common, keep = self._vector("common_gain_outside", n), self._vector("keep", n)
            product = product * (1.0 + np.outer(common, common)) * (1.0 + np.diag((1.0 - keep) / keep))
        return product - 1.0

    def common_gain(self, n: int) -> FloatArray:
        """Return `common_gain_outside` of each neuron, (n,)."""
        return self._vector("common_gain_outside", n)

    def kept(self, n: int) -> FloatArray:
        """Return the probability (n,) with which dropout keeps the value of each neuron."""
        return self._vector("keep", n)

    def check(self, n: int) -> None:
        """Raise a ValueError unless every field fits n neurons."""
        for site in SITES:
            self.rho(site, n)
            self.gain_factor(site, n)
        self.common_gain(n)
        self.kept(n)

    def scaled(self, level: float) -> Noise:
        """Return the noise with every standard deviation multiplied by a level; correlations in time stay.

        Dropout is scaled so that the standard deviation of mask/keep is multiplied.

        Examples
        --------
        >>> Noise.dropout(0.5, inside=[0.1, 0.2], rho_inside=0.5).scaled(2.0)
        Noise: inside [0.2, 0.4] (rho 0.5) and keep 0.2
        """
        level = nonnegative("level", level)
        scaled = {name: level * np.asarray(getattr(self, name)) for name in (*STRENGTHS, "common_gain_outside")}
        keep = np.asarray(self.keep)
        return replace(self, **scaled, keep=1.0 / (1.0 + level**2 * (1.0 - keep) / keep))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults as plain Python objects; `inside` and `outside` always."""
        return {
            one.name: plain(getattr(self, one.name))
            for one in fields(self)
            if one.name in SITES or np.any(np.asarray(getattr(self, one.name)) != one.default)
        }

    def _factor(self, name: str, n: int) -> FloatArray:
        array = np.asarray(getattr(self, name), dtype=np.float64)
        if array.ndim == 0:
            return np.eye(positive_integer("n", n)) * array
        if array.shape[0] != n:
            raise ValueError(f"{name} must have one row for each of the {n} neurons; got shape {array.shape}")
        return np.diag(array) if array.ndim == 1 else array

    def _square(self, name: str, n: int) -> FloatArray:
        """Return L Lᵀ of a field; where each neuron has noise of its own, it takes no product of matrices."""
        if np.ndim(getattr(self, name)) < 2:
            return np.diag(np.diag(self._factor(name, n)) ** 2)
        factor = self._factor(name, n)
        square: FloatArray = factor @ factor.T
        return square

    def _vector(self, name: str, n: int) -> FloatArray:
        array = np.asarray(getattr(self, name), dtype=np.float64)
        if array.ndim and len(array) != n:
            raise ValueError(f"{name} must be one number, or one for each of the {n} neurons; got {len(array)}")
        return np.array(np.broadcast_to(array, (n,)))


def _strength(value: FloatArray) -> str:
    """Describe the strength of noise in a few words."""
    if value.ndim == 2:
        return f"by a factor of shape {value.shape}"
    if value.ndim == 0 or np.all(value == value[0]):
        return f"{value.flat[0]:g}"
    return str(value.tolist()) if value.size <= FEW else f"{value.min():.4g} to {value.max():.4g}, by neuron"


def check_gamma(gamma: float) -> float:
    """Return `gamma` as a float, or raise a ValueError if it is outside (0, 1]."""
    value = real_number("gamma", gamma, "be a number in (0, 1]")
    if not 0.0 < value <= 1.0:
        raise ValueError(f"gamma must be in (0, 1]; got {gamma}")
    return value
