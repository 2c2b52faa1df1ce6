"""A continuous-time recurrent network, and the file that holds one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.group import activations, members
from ctrnn_theory.model.noise import Noise, check_gamma
from ctrnn_theory.model.origin import Origin
from ctrnn_theory.support.arguments import choice, float_array, positive_integer, real_array, real_number, shown
from ctrnn_theory.support.blas_threads import one_thread
from ctrnn_theory.support.files import atomically, reason
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.npz import read_arrays
from ctrnn_theory.support.results import Readable, counted, plain, root_mean_square
from ctrnn_theory.support.types import FloatArray

ARRAYS = ("W", "b", "W_in", "W_out", "b_out")
FORMAT = 2  # version of the file; it is raised when older readers would misread a new file
FIRST = 1  # version of a file that older readers read as well: rate form, one γ and one activation
MAX_BYTES = 1 << 28  # bytes of the arrays in a file, unless the caller allows more
MAX_HEADER = 1 << 20  # bytes of the header of a file
Form = Literal["rate", "voltage"]
FORMS: tuple[Form, ...] = ("rate", "voltage")
MOST_EIGENVALUES = 200  # neurons up to which a repr computes the eigenvalues of W, which takes some 20 ms


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class CTRNN(Readable):
    """A continuous-time recurrent network that takes Euler–Maruyama steps.

    One step of a network in *rate* form is ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)``, and its
    output is ``z = W_out h + b_out``. In *voltage* form the state is a potential v whose rate is f(v). A step is
    ``v' = (1-γ) v + γ (W f(v + σ_in ξ) + W_in u + b + σ_out η)``, and the output ``z = W_out f(v) + b_out``. Methods
    call the state h in either form. :class:`~ctrnn_theory.Noise` lists the other kinds of noise.

    Parameters
    ----------
    W
        Recurrent weights (N, N); each row belongs to a target neuron.
    b
        Bias vector (N,); a single number is given to every neuron.
    activation
        Activation function f: an :class:`~ctrnn_theory.Activation`, or an argument of
        :func:`~ctrnn_theory.activation`; or a list of N of them, one for each neuron.
    gamma
        Step over time constant, γ = Δt/τ, in (0, 1]: a number, or an array (N,).
    W_in
        Input weights (N, K), or None for a network without input.
    W_out, b_out
        Output weights (P, N) and offset of the output (P,), or None for a network without a readout.
    form
        "rate" or "voltage".
    origin
        Where the network was read from; :func:`~ctrnn_theory.load_network` sets it, and files do not keep it.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite, γ is outside (0, 1] or the activation is unknown.

    Examples
    --------
    >>> net = CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], activation="tanh", gamma=0.2)
    >>> net
    CTRNN: tanh, 2 neurons, gamma = 0.2
    W: root mean square 0.3536, spectral radius 0.5
    b: 0.1 to 0.2
    >>> net.preactivation([1.0, 0.0])
    array([0.1, 0.7])
    >>> CTRNN([[0.0, -0.5], [0.5, 0.0]], 0.1, ["relu", "tanh"], gamma=[0.1, 0.2], form="voltage")
    CTRNN: relu and tanh, voltage form, 2 neurons, gamma = 0.1 to 0.2
    W: root mean square 0.3536, spectral radius 0.5
    b: 0.1 to 0.1
    """

    W: FloatArray
    """Recurrent weights (N, N)."""
    b: FloatArray
    """Bias vector (N,)."""
    activation: Activation | ActivationGroup = field(default="relu")  # type: ignore[assignment]  # made in __post_init__
    """Activation function f of every neuron, or the group of them where neurons differ."""
    gamma: float | FloatArray = 0.1
    """Step over time constant, γ = Δt/τ, in (0, 1]: a number, or (N,) where neurons differ."""
    W_in: FloatArray | None = None
    """Input weights (N, K), or None."""
    W_out: FloatArray | None = None
    """Output weights (P, N), or None."""
    b_out: FloatArray | None = None
    """Offset of the output (P,), or None."""
    form: Form = "rate"
    """"rate", or "voltage" for a network whose state is a potential."""
    origin: Origin | None = None
    """The arrays of another code that the network was read from, or None."""

    def __post_init__(self) -> None:
        W = real_array("W", self.W)
        if W.ndim != 2 or W.shape[0] != W.shape[1] or W.shape[0] == 0:
            raise ValueError(f"W must be a square matrix (N, N), N at least 1; got shape {W.shape}")
        n, b = W.shape[0], real_array("b", self.b)
        values: dict[str, Any] = {
            "W": W,
            "b": real_array("b", np.full(n, b) if b.ndim == 0 else b, (n,)),
            "activation": activations(self.activation, n),
            "gamma": check_gammas(self.gamma, n),
            "form": choice("form", self.form, FORMS),
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
    def single(
        cls,
        w: float,
        b: float = 0.0,
        activation: Activation | str = "relu",
        gamma: float = 0.1,
        form: Form = "rate",
    ) -> CTRNN:
        """Return a network of one neuron with self-connection `w` and bias `b`.

        Examples
        --------
        >>> CTRNN.single(w=0.5, b=0.1).W
        array([[0.5]])
        """
        W, bias = np.array([[real_number("w", w)]]), np.array([real_number("b", b)])
        return cls(W, bias, activation, gamma, form=form)  # type: ignore[arg-type]

    @property
    def n(self) -> int:
        """Number of neurons N."""
        return int(self.W.shape[0])

    @property
    def activations(self) -> tuple[Activation, ...]:
        """Activation of each neuron, of which there are N."""
        return members(self.activation, self.n)

    @property
    def gammas(self) -> FloatArray:
        """γ of each neuron, (N,)."""
        return np.array(np.broadcast_to(self.gamma, (self.n,)))

    @property
    def uniform(self) -> bool:
        """Whether all neurons have one γ and one activation."""
        return isinstance(self.gamma, float) and isinstance(self.activation, Activation)

    def drive(self, u: ArrayLike | None = None) -> FloatArray:
        """Return the input current W_in u + b, shape (N,), of a constant input u of shape (K,)."""
        if u is None:
            return self.b
        if self.W_in is None:
            raise ValueError("u must be None for a network without W_in")
        return self.b + self.W_in @ real_array("u", u, (self.W_in.shape[1],))

    def preactivation(self, h: ArrayLike, u: ArrayLike | None = None) -> FloatArray:
        """Return the pre-activation, shape (..., N), of states h of shape (..., N).

        It is a = W h + W_in u + b in rate form, and the state itself in voltage form.
        """
        states = self._states(h)
        drive = self.drive(u)
        return states if self.form == "voltage" else states @ self.W.T + drive

    def rate(self, h: ArrayLike) -> FloatArray:
        """Return the rates (..., N) of states h (..., N): the states themselves, or f(v) in voltage form."""
        states = self._states(h)
        rates: FloatArray = self.activation(states) if self.form == "voltage" else states
        return rates

    def _states(self, h: ArrayLike) -> FloatArray:
        states = float_array("h", h)
        if states.shape[-1:] != (self.n,):
            raise ValueError(f"h must have shape (..., {self.n}); got {states.shape}")
        return states

    def output(self, h: ArrayLike) -> FloatArray:
        """Return the output (..., P) of states h (..., N): W_out h + b_out, or W_out f(v) + b_out in voltage form.

        Raises
        ------
        ValueError
            If the network has no readout, or the states have another shape.
        """
        if self.W_out is None:
            raise ValueError("net must have W_out for an output; got None")
        z: FloatArray = self.rate(h) @ self.W_out.T
        return z if self.b_out is None else z + self.b_out

    def start_state(self, start: ArrayLike | None = None) -> FloatArray:
        """Return the start state (N,) of a method: `start` once it is validated, or zero for None."""
        if start is None:
            return np.zeros(self.n)
        return real_array("start", np.atleast_1d(float_array("start", start)), (self.n,))

    @property
    def title(self) -> str:
        """One line on the activation, the size and γ."""
        size = f"w = {self.W[0, 0]:g}, b = {self.b[0]:g}" if self.n == 1 else f"{self.n} neurons"
        form = "" if self.form == "rate" else ", voltage form"
        gamma = f"{self.gamma:g}" if isinstance(self.gamma, float) else f"{self.gamma.min():g} to {self.gamma.max():g}"
        return f"{self.activation.name}{form}, {size}, gamma = {gamma}"

    def _headline(self) -> str:
        return self.title

    def _parts(self, few: int) -> Iterator[str]:
        if self.n > 1:
            radius = ""
            if self.n <= MOST_EIGENVALUES:
                with one_thread(self.n):
                    radius = f", spectral radius {np.max(np.abs(np.linalg.eigvals(self.W))):.4g}"
            yield f"W: root mean square {root_mean_square(self.W):.4g}{radius}"
            yield f"b: {self.b.min():.4g} to {self.b.max():.4g}"
        if self.W_in is not None:
            yield f"W_in: {counted(self.W_in.shape[1], 'input')}"
        if self.W_out is not None:
            yield f"W_out: {counted(len(self.W_out), 'output')}{'' if self.b_out is None else ', with b_out'}"

    def to_dict(self) -> dict[str, Any]:
        """Return activation, γ and arrays as plain Python objects that JSON can hold; arrays become lists."""
        arrays = {name: plain(getattr(self, name)) for name in ARRAYS if getattr(self, name) is not None}
        return {**self._header(), **arrays}

    def _header(self) -> dict[str, Any]:
        f = self.activation
        texts = f.text if isinstance(f, Activation) else [one.text for one in f.members]
        form = {} if self.form == "rate" else {"form": self.form}
        return {"activation": texts, "gamma": plain(self.gamma), **form}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to an ``.npz`` file of plain arrays and a JSON header.

        The file is replaced as a whole, so that an older file stays as it was if writing fails.

        Parameters
        ----------
        path
            Name of the file; it is used as it is given.

        Raises
        ------
        ValueError
            If the name is that of a folder, or of a file in a folder that does not exist.
        """
        version = FIRST if self.uniform and self.form == "rate" else FORMAT
        header = {"format": version, **self._header()}
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        with atomically(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, header=np.array(json.dumps(header)), **arrays)
            stream.flush()
            os.fsync(stream.fileno())

    @classmethod
    def load(cls, path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> CTRNN:
        """Return the network in a file that :meth:`save` wrote; nothing in the file is unpickled or evaluated.

        Parameters
        ----------
        path
            Name of the file.
        max_bytes
            Most bytes that its arrays may have: 256 MiB by default, which is enough for 5000 neurons.

        Raises
        ------
        ValueError
            If the file cannot be read as a network; the message gives the reason.
        """
        most = positive_integer("max_bytes", max_bytes)
        try:
            return cls(**_read(path, most))
        except Exception as error:  # json and NumPy raise exceptions of their own on damaged bytes
            why = reason(error)
        raise ValueError(f"{os.fspath(path)} must be a network file written by CTRNN.save: {why}")


def _read(path: str | os.PathLike[str], max_bytes: int) -> dict[str, Any]:
    """Return the arguments of a network that a file holds."""
    file = read_arrays(path, max_bytes)
    for name in ("header", "W", "b"):
        if name not in file:
            raise ValueError(f"it lacks {name}")
    if file["header"].ndim or file["header"].nbytes > MAX_HEADER:
        raise ValueError("its header must be a text")
    header = json.loads(str(file["header"]))
    if not isinstance(header, dict) or type(header.get("format")) is not int:
        raise ValueError("its header must hold format, of type int")
    if header["format"] > FORMAT:
        raise ValueError(f"it has format {header['format']}, this version reads up to {FORMAT}")
    kinds: dict[str, Any] = {"activation": str, "gamma": float}
    for name, kind in kinds.items():
        value = header.get(name)
        if type(value) is not kind and not (header["format"] > FIRST and type(value) is list):
            raise ValueError(f"its header must hold {name}, of type {kind.__name__}")
    form = {"form": header["form"]} if header["format"] > FIRST and "form" in header else {}
    arrays = {name: file[name] for name in ARRAYS if name in file}
    return {"activation": header["activation"], "gamma": header["gamma"], **form, **arrays}


def check_gammas(gamma: Any, n: int) -> float | FloatArray:
    """Return γ of n neurons as a number if it is one for all, or as an array (n,)."""
    if not isinstance(gamma, list | tuple) and getattr(gamma, "shape", ()) == ():
        return check_gamma(gamma)
    array = real_array("gamma", gamma, (n,))
    wrong = (array <= 0.0) | (array > 1.0)
    if wrong.any():
        raise ValueError(f"gamma must be in (0, 1]; got {array[wrong][0]}")
    return float(array[0]) if np.all(array == array[0]) else array


def check_network(net: Any) -> None:
    """Raise a ValueError unless `net` is a network."""
    if not isinstance(net, CTRNN):
        raise ValueError(f"net must be a CTRNN; got {shown(net)}")


def check_model(net: Any, noise: Any, u: ArrayLike | None = None, start: Any = None, name: str = "noise") -> None:
    """Raise a ValueError unless `net` is a network, and `noise` (an argument `name`), `u` and `start` fit it."""
    check_network(net)
    if not isinstance(noise, Noise):
        raise ValueError(f"{name} must be a Noise; got {shown(noise)}")
    noise.check(net.n)
    net.drive(u)
    net.start_state(start)
