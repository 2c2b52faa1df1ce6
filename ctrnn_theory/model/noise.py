"""The noise of a network: inside its activation function, outside it, or at both sites."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.support.arguments import choice, positive_integer, real_array, real_number
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, Readable
from ctrnn_theory.support.types import FloatArray

Site = Literal["inside", "outside"]
SITES: tuple[Site, ...] = ("inside", "outside")


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Noise(Readable):
    """Gaussian noise inside the activation, outside it, or at both sites.

    One Euler–Maruyama step is ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)`` where ξ and η
    are standard normal and independent between steps. σ is the standard deviation **per step**; it is not scaled by the
    length of the step.

    Parameters
    ----------
    inside, outside
        Standard deviation of the noise at the site: a number for all neurons, or an array (N,), both for noise that is
        independent between neurons; or a factor L of shape (N, R), for correlated noise of covariance L Lᵀ.

    Raises
    ------
    ValueError
        If a standard deviation is negative or not finite, or an array has more than two dimensions.

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
    """

    inside: ArrayLike = 0.0
    """Noise inside the activation: scalar, (N,) or factor (N, R)."""
    outside: ArrayLike = 0.0
    """Noise outside the activation: scalar, (N,) or factor (N, R)."""

    def __post_init__(self) -> None:
        for site in SITES:
            array = real_array(site, getattr(self, site))
            if array.ndim > 2:
                raise ValueError(f"{site} must be a scalar, (N,) or a factor (N, R); got shape {array.shape}")
            if array.ndim < 2 and np.any(array < 0):
                raise ValueError(f"{site} must be at least 0, a standard deviation; got {array.min()}")
            object.__setattr__(self, site, float(array) if array.ndim == 0 else array)

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
        return not any(np.square(getattr(self, site)).any() for site in SITES)

    @property
    def title(self) -> str:
        """One line on site and strength of the noise; "none" if there is no noise."""
        sites = ((site, np.asarray(getattr(self, site))) for site in SITES)
        return " and ".join(f"{site} {_strength(value)}" for site, value in sites if np.any(value)) or "none"

    def _headline(self) -> str:
        return self.title

    def factor(self, site: Site, n: int) -> FloatArray:
        """Return the factor L, shape (n, R), of the noise at a site, whose covariance is L Lᵀ."""
        array = np.asarray(getattr(self, choice("site", site, SITES)), dtype=np.float64)
        if array.ndim == 0:
            return np.eye(positive_integer("n", n)) * array
        if array.shape[0] != n:
            raise ValueError(f"{site} must have one row for each of the {n} neurons; got shape {array.shape}")
        return np.diag(array) if array.ndim == 1 else array

    def covariance(self, site: Site, n: int) -> FloatArray:
        """Return the covariance Σ = L Lᵀ, shape (n, n), of the noise at a site."""
        factor = self.factor(site, n)
        return factor @ factor.T

    def std(self, site: Site, n: int) -> FloatArray:
        """Return the standard deviation (n,) of the noise that each of n neurons gets at a site."""
        return np.sqrt(np.sum(self.factor(site, n) ** 2, axis=1))


def _strength(value: FloatArray) -> str:
    """Describe the noise at a site in a few words."""
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
