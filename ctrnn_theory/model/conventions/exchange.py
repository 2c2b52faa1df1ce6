"""Networks of other codes: read from files of arrays or from PyTorch, and back again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.model.conventions.assemble import assemble, disassemble
from ctrnn_theory.model.conventions.convention import Convention
from ctrnn_theory.model.conventions.registry import CONVENTIONS
from ctrnn_theory.model.network import ARRAYS, CTRNN, MAX_BYTES, check_network
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import positive_integer, real_array, shown
from ctrnn_theory.support.files import AnyPath, atomically, read_file, reason
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.npz import read_arrays

HEADER = 1 << 20  # bytes of the header of a .safetensors file that are allowed on top of those of the arrays
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
EXTRA = 'pip install "ctrnn-theory[interop]"'


@guarded
def load_network(
    path: AnyPath,
    convention: str = "paper",
    *,
    alpha: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    activation: Any = None,
    names: Mapping[str, str | None] | None = None,
    masks: Mapping[str, Any] | None = None,
    dale: Any = None,
    max_bytes: int = MAX_BYTES,
    **noise: Any,
) -> tuple[CTRNN, Noise]:
    """Read a network of another code from a file of arrays, and return it with its noise in our terms.

    The convention says how the arrays are named and laid out, what a step is, and what the noise is;
    ``CONVENTIONS[name]`` prints that. Nothing in the file is unpickled.

    Parameters
    ----------
    path
        A ``.safetensors`` file, which takes the library safetensors, or an ``.npz`` file of plain arrays. A file that
        :meth:`CTRNN.save` wrote holds γ and the activation itself.
    convention
        Name in :data:`CONVENTIONS`.
    alpha
        γ = Δt/τ, in (0, 1]: a number or an array (N,). It may be left out where the convention has no other.
    sigma
        The noise of the code: that which the convention names first, or its standard deviation.
    activation
        Activation, as :func:`~ctrnn_theory.activation` takes it, or a list of N. The default is that of the code, if
        it has one.
    names
        Names of arrays that differ from those of the convention, such as ``{"W_out": "fc.weight"}``; None says that
        there is no such array. A name also matches at the end of a longer one, after a dot or a slash.
    masks
        Matrices by which W, W_in or W_out are multiplied, in the layout of the file, or names of arrays in it.
    dale
        Dale's law: the sign (N,) of each sending neuron, or the name of an array in the file; W becomes |W| times it.
    max_bytes
        Most bytes that all arrays may have.
    **noise
        The noises of the code by its own names, such as ``sigma_rec``; see the convention.

    Returns
    -------
    CTRNN, Noise
        The network, whose `origin` remembers the arrays for :func:`to_arrays`, and its noise.

    Raises
    ------
    ValueError
        If the file is a pickle or cannot be read, if names or shapes are not those of the convention (the message says
        which were expected and which were found), or if an argument is out of range.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> path = tempfile.mkdtemp() + "/weights.npz"
    >>> np.savez(path, kernel=[[1.0, 0.0], [0.5, 0.2], [0.0, 0.5]], bias=[0.0, 0.1])     # one input, two neurons
    >>> net, noise = load_network(path, "multitask", alpha=0.2, sigma=0.05, activation="relu")
    >>> net.W, net.W_in.ravel(), noise
    (array([[0.5, 0. ], [0.2, 0.5]]), array([1., 0.]), Noise: inside 0.158114)
    """
    chosen = CONVENTIONS.choose(convention)
    arrays = load_arrays(path, positive_integer("max_bytes", max_bytes))
    if "header" not in arrays:
        return network_of(arrays, chosen, alpha, sigma, activation, names, masks, dale, noise)
    for name, value in (
        ("alpha", alpha),
        ("activation", activation),
        ("names", names),
        ("masks", masks),
        ("dale", dale),
    ):
        if value is not None:
            raise ValueError(
                f"{name} must be None for a file that CTRNN.save wrote, which holds it; got {shown(value)}"
            )
    net = CTRNN.load(path, max_bytes)
    if net.form != chosen.form:
        raise ValueError(f"convention must be one of the {net.form} form for this file; got {chosen.name}")
    return chosen.convert(net, sigma, noise)


def network_of(
    arrays: Mapping[str, NDArray[Any]],
    convention: Convention,
    alpha: Any,
    sigma: Any,
    activation: Any,
    names: Mapping[str, str | None] | None,
    masks: Mapping[str, Any] | None,
    dale: Any,
    noise: Mapping[str, Any],
) -> tuple[CTRNN, Noise]:
    """Return the network and the noise in arrays, once γ and the activation are known."""
    gamma: Any = convention.gamma
    if alpha is not None:
        gamma = real_array("alpha", alpha)
        if convention.gamma is not None and np.any(gamma != convention.gamma):
            raise ValueError(f"alpha must be {convention.gamma:g} for {convention.name}; got {shown(alpha)}")
        if np.any((gamma <= 0.0) | (gamma > 1.0)):
            raise ValueError(f"alpha must be in (0, 1]; got {shown(alpha)}")
    f = convention.activation if activation is None else activation
    for name, value in (("alpha", gamma), ("activation", f)):
        if value is None:
            raise ValueError(f"{name} must be given for {convention.name}; got None")
    return convention.convert(assemble(arrays, convention, f, gamma, names, masks, dale), sigma, noise)


def to_arrays(net: CTRNN, convention: str | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a network under the names, in the layout and the precision of another code.

    Parameters
    ----------
    net
        The network.
    convention
        Name in :data:`CONVENTIONS`. None is that which the network was read by; then the names that came in are used,
        arrays that have not changed are returned bit for bit, and those that the network does not use are there too.
        A network that was made here has the convention "paper".

    Returns
    -------
    dict of arrays
        The arrays by name.

    Raises
    ------
    ValueError
        If the network has another form than the convention.

    Examples
    --------
    >>> net = CTRNN([[0.5, 0.0], [0.2, 0.5]], 0.1, "relu", W_in=[[1.0], [0.0]])
    >>> to_arrays(net, "multitask")["kernel"]        # inputs first, sources in rows
    array([[1. , 0. ],
           [0.5, 0.2],
           [0. , 0.5]])
    """
    check_network(net)
    chosen = CONVENTIONS.choose(_of(net) if convention is None else convention)
    if chosen.form != net.form and convention is not None:
        raise ValueError(f"convention must be one of the {net.form} form for this network; got {convention}")
    if chosen.form != net.form:
        return {name: np.array(getattr(net, name)) for name in ARRAYS if getattr(net, name) is not None}
    return disassemble(net, chosen)


def _of(net: CTRNN) -> str:
    return net.origin.convention if net.origin else "paper"


def save_safetensors(net: CTRNN, path: AnyPath, convention: str | None = None) -> None:
    """Write the arrays of a network to a ``.safetensors`` file, in the names of :func:`to_arrays`.

    γ, the activation and the noise are not in the file.

    Parameters
    ----------
    net
        The network.
    path
        Name of the file, which is written as a whole or not at all.
    convention
        As for :func:`to_arrays`.

    Raises
    ------
    ValueError
        If the network has another form than the convention, or the file is a folder or in none.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> save_safetensors(net, "weights.safetensors")                     # doctest: +SKIP
    """
    arrays = to_arrays(net, convention)
    save = _safetensors().save
    with atomically(path) as temporary:
        temporary.write_bytes(save(arrays))


def load_arrays(path: AnyPath, max_bytes: int = MAX_BYTES) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .safetensors or .npz file by name; nothing is unpickled."""
    suffix = Path(path).suffix.lower()
    if suffix in PICKLES:
        raise ValueError(
            "path must be a .safetensors or .npz file, since a pickle can run code when it is read; in PyTorch,"
            ' safetensors.torch.save_model(model, "weights.safetensors") writes the weights of a model;'
            f" got {os.fspath(path)}"
        )
    if suffix not in (".safetensors", ".npz"):
        raise ValueError(f"path must be a .safetensors or .npz file; got {os.fspath(path)}")
    library = _safetensors() if suffix == ".safetensors" else None
    try:
        if library is None:
            return read_arrays(path, max_bytes, skip_objects=True)
        arrays: dict[str, NDArray[Any]] = library.load(read_file(path, max_bytes + HEADER))
        return arrays
    except Exception as error:  # NumPy and safetensors raise exceptions of their own on damaged bytes
        why = reason(error)
    raise ValueError(f"{os.fspath(path)} must be a {suffix} file of plain arrays: {why}")


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(f"safetensors must be installed for a .safetensors file: {EXTRA}") from error
    return safetensors.numpy
