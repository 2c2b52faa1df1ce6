"""The model: a network, and the noise inside or outside its activation."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.arguments import (
    choice,
    float_array,
    positive_integer,
    real_array,
    real_number,
    shown,
)
from ctrnn_theory.files import atomically, reason
from ctrnn_theory.floating import guarded
from ctrnn_theory.npz import read_arrays

FloatArray = NDArray[np.float64]
Site = Literal["inside", "outside"]
SITES: tuple[Site, ...] = ("inside", "outside")
ARRAYS = ("W", "b", "W_in", "W_out", "b_out")
FORMAT = 1  # of the file; raised when older readers would misread it
MAX_BYTES, MAX_HEADER = 1 << 28, 1 << 20  # of a file, and of its header, unless a caller allows more


class ReadOnly:
    """Keeps read-only arrays of a frozen dataclass read-only when it is copied or unpickled."""

    def __getstate__(self) -> tuple[dict[str, Any], list[str]]:
        state = vars(self)
        arrays = [name for name, value in state.items() if isinstance(value, np.ndarray)]
        return state, [name for name in arrays if not state[name].flags.writeable]

    def __setstate__(self, saved: tuple[dict[str, Any], list[str]]) -> None:
        state, read_only = saved
        vars(self).update(state)
        for name in read_only:
            state[name].setflags(write=False)


@guarded
@dataclass(frozen=True, eq=False)
class Noise(ReadOnly):
    """Gaussian noise inside the activation, outside it, or both.

    One Euler–Maruyama step is ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)`` with ξ, η standard
    normal, independent between steps. σ is the standard deviation **per step**, not scaled by the step's length.

    Parameters
    ----------
    inside, outside
        A number (every neuron the same, independent), an array (N,) of standard deviations (independent), or a
        factor L of shape (N, R), for correlated noise of covariance L Lᵀ.

    Raises
    ------
    ValueError
        For a negative or non-finite standard deviation, or an array of more than two dimensions.

    Examples
    --------
    >>> Noise(inside=0.5).covariance("inside", 2)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
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
        """Per-step noise of a white noise of given intensity, σ = s/√γ.

        In units of τ, white noise of intensity s adds variance s² t over a time t. A step lasts γ = Δt/τ and adds
        (γσ)², so σ = s/√γ.

        *Outside*, the step with this σ converges as γ → 0, to the Itô equation dh = (f(a) - h) dt + s dB.
        *Inside*, it has no limit: the smoothing width s/√γ of the activation, and with it the bias, grows without
        bound. At a fixed γ the call is meaningful for both. What does have a limit inside is a fixed σ (the
        activation is replaced by its smoothed form and the fluctuations vanish as √γ), and noise with a
        correlation time of its own.

        Parameters
        ----------
        intensity
            s, scalar, (N,) or factor (N, R); in units of the state, per √τ.
        gamma
            Step Δt/τ in (0, 1].
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

    def factor(self, site: Site, n: int) -> FloatArray:
        """Factor L of shape (n, R) of the noise at a site, covariance L Lᵀ."""
        array = np.asarray(getattr(self, choice("site", site, SITES)), dtype=np.float64)
        if array.ndim == 0:
            return np.eye(positive_integer("n", n)) * array
        if array.shape[0] != n:
            raise ValueError(f"{site} must have one row for each of the {n} neurons; got shape {array.shape}")
        return np.diag(array) if array.ndim == 1 else array

    def covariance(self, site: Site, n: int) -> FloatArray:
        """Covariance Σ = L Lᵀ, shape (n, n), of the noise at a site."""
        factor = self.factor(site, n)
        return factor @ factor.T

    def std(self, site: Site, n: int) -> FloatArray:
        """Standard deviation (n,) of the noise that each of n neurons gets at a site."""
        return np.sqrt(np.sum(self.factor(site, n) ** 2, axis=1))


def check_gamma(gamma: float) -> float:
    """Return `gamma` as a float, or raise a ValueError if it is outside (0, 1]."""
    value = real_number("gamma", gamma, "be a number in (0, 1]")
    if not 0.0 < value <= 1.0:
        raise ValueError(f"gamma must be in (0, 1]; got {gamma}")
    return value


@guarded
@dataclass(frozen=True, eq=False)
class CTRNN(ReadOnly):
    """A continuous-time recurrent network, stepped by Euler–Maruyama.

    ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)``, output ``z = W_out h + b_out``.

    Parameters
    ----------
    W
        Recurrent weights (N, N); a row is a target.
    b
        Bias (N,); a number is given to every neuron.
    activation
        f: an :class:`~ctrnn_theory.Activation`, or what :func:`~ctrnn_theory.activation` takes.
    gamma
        Step over time constant, Δt/τ in (0, 1].
    W_in
        Input weights (N, K), or None for no input.
    W_out, b_out
        Readout (P, N) and its bias (P,), or None for no readout.

    Raises
    ------
    ValueError
        For shapes that do not fit, values that are not finite, γ outside (0, 1] or an unknown activation.

    Examples
    --------
    >>> net = CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], activation="tanh", gamma=0.2)
    >>> net.n
    2
    >>> net.preactivation([1.0, 0.0])
    array([0.1, 0.7])
    """

    W: FloatArray
    """Recurrent weights (N, N)."""
    b: FloatArray
    """Bias (N,)."""
    activation: Activation = field(default="relu")  # type: ignore[assignment]  # text is turned into an Activation
    """Activation function f, the same for every neuron."""
    gamma: float = 0.1
    """Δt/τ in (0, 1]."""
    W_in: FloatArray | None = None
    """Input weights (N, K), or None."""
    W_out: FloatArray | None = None
    """Output weights (P, N), or None."""
    b_out: FloatArray | None = None
    """Output bias (P,), or None."""

    def __post_init__(self) -> None:
        W = real_array("W", self.W)
        if W.ndim != 2 or W.shape[0] != W.shape[1] or W.shape[0] == 0:
            raise ValueError(f"W must be a square matrix (N, N), N at least 1; got shape {W.shape}")
        n, b = W.shape[0], real_array("b", self.b)
        values: dict[str, Any] = {
            "W": W,
            "b": real_array("b", np.full(n, b) if b.ndim == 0 else b, (n,)),
            "activation": activation(self.activation),
            "gamma": check_gamma(self.gamma),
        }
        if self.W_in is not None:
            values["W_in"] = real_array("W_in", self.W_in, (n, None))
        if self.W_out is not None:
            values["W_out"] = real_array("W_out", self.W_out, (None, n))
        if self.b_out is not None:
            if self.W_out is None:
                raise ValueError("b_out must come with W_out; got b_out alone")
            values["b_out"] = real_array("b_out", self.b_out, (values["W_out"].shape[0],))
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def single(cls, w: float, b: float = 0.0, activation: Activation | str = "relu", gamma: float = 0.1) -> CTRNN:
        """One neuron with self-connection `w` and bias `b`.

        Examples
        --------
        >>> CTRNN.single(w=0.5, b=0.1).W
        array([[0.5]])
        """
        W, bias = np.array([[real_number("w", w)]]), np.array([real_number("b", b)])
        return cls(W, bias, activation, gamma)  # type: ignore[arg-type]

    @property
    def n(self) -> int:
        """Number of neurons N."""
        return int(self.W.shape[0])

    def drive(self, u: ArrayLike | None = None) -> FloatArray:
        """Input current W_in u + b, shape (N,), for a constant input u of shape (K,)."""
        if u is None:
            return self.b
        if self.W_in is None:
            raise ValueError("u must be None for a network without W_in")
        return self.b + self.W_in @ real_array("u", u, (self.W_in.shape[1],))

    def preactivation(self, h: ArrayLike, u: ArrayLike | None = None) -> FloatArray:
        """A = W h + W_in u + b for states h of shape (..., N); shape (..., N)."""
        states = float_array("h", h)
        if states.shape[-1:] != (self.n,):
            raise ValueError(f"h must have shape (..., {self.n}); got {states.shape}")
        return states @ self.W.T + self.drive(u)

    def start_state(self, start: ArrayLike | None = None) -> FloatArray:
        """Return the state (N,) that a method starts from: `start`, validated, or rest (zero)."""
        if start is None:
            return np.zeros(self.n)
        return real_array("start", np.atleast_1d(float_array("start", start)), (self.n,))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to an ``.npz`` file of plain arrays and a JSON header, atomically.

        A failure leaves a file that was there before as it was.

        Parameters
        ----------
        path
            File name; used as given.

        Raises
        ------
        ValueError
            If it is a folder, or lies in one that does not exist.
        """
        header = {"format": FORMAT, "activation": self.activation.text, "gamma": self.gamma}
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        with atomically(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, header=np.array(json.dumps(header)), **arrays)
            stream.flush()
            os.fsync(stream.fileno())

    @classmethod
    def load(cls, path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> CTRNN:
        """Read a network that :meth:`save` wrote. Nothing in the file is unpickled or evaluated.

        Parameters
        ----------
        path
            File name.
        max_bytes
            Bytes that its arrays may have: 256 MiB by default, which is enough for 5000 neurons.

        Raises
        ------
        ValueError
            If the file cannot be read as a network; the message says why. The file is only read.
        """
        most = positive_integer("max_bytes", max_bytes)
        try:
            return cls(**_read(path, most))
        except Exception as error:  # json and NumPy each raise their own on damaged bytes
            why = reason(error)
        raise ValueError(f"{os.fspath(path)} must be a network file written by CTRNN.save: {why}")


def _read(path: str | os.PathLike[str], max_bytes: int) -> dict[str, Any]:
    """Arguments of a network out of a file."""
    file = read_arrays(path, max_bytes)
    for name in ("header", "W", "b"):
        if name not in file:
            raise ValueError(f"it lacks {name}")
    if file["header"].ndim or file["header"].nbytes > MAX_HEADER:
        raise ValueError("its header must be a text")
    header = json.loads(str(file["header"]))
    kinds: dict[str, Any] = {"format": int, "activation": str, "gamma": float}
    for name, kind in kinds.items():
        if not isinstance(header, dict) or type(header.get(name)) is not kind:
            raise ValueError(f"its header must hold {name}, of type {kind.__name__}")
    if header["format"] > FORMAT:
        raise ValueError(f"it has format {header['format']}, this version reads up to {FORMAT}")
    arrays = {name: file[name] for name in ARRAYS if name in file}
    return {"activation": header["activation"], "gamma": header["gamma"], **arrays}


def check_network(net: Any) -> None:
    """Raise a ValueError unless this is a network."""
    if not isinstance(net, CTRNN):
        raise ValueError(f"net must be a CTRNN; got {shown(net)}")


def check_model(net: Any, noise: Any, u: ArrayLike | None = None, start: Any = None, name: str = "noise") -> None:
    """Raise a ValueError unless these are a network, and a noise, an input and a start that fit it."""
    check_network(net)
    if not isinstance(noise, Noise):
        raise ValueError(f"{name} must be a Noise; got {shown(noise)}")
    for site in SITES:
        noise.factor(site, net.n)
    net.drive(u)
    net.start_state(start)
