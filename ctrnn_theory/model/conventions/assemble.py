"""From the arrays of another code to a network, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.model.conventions.convention import PARTS, Convention
from ctrnn_theory.model.network import ARRAYS, CTRNN
from ctrnn_theory.model.origin import Origin
from ctrnn_theory.support.arguments import choice, number_array, real_array, shown
from ctrnn_theory.support.types import FloatArray

Arrays = Mapping[str, NDArray[Any]]
KERNEL = ("W_in", "W")
"""What a kernel holds, in this order."""
NAMED = 12
"""Number of arrays that a message lists."""


def assemble(
    arrays: Arrays,
    convention: Convention,
    activation: Any,
    gamma: Any,
    names: Mapping[str, str | None] | None = None,
    masks: Mapping[str, Any] | None = None,
    dale: Any = None,
) -> CTRNN:
    """Return the network that arrays of another code hold; see :func:`ctrnn_theory.load_network` for the arguments."""
    for argument, value in (("names", names), ("masks", masks)):
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f"{argument} must be a mapping, such as {{'W': ...}}; got {shown(value)}")
    places = _places(arrays, convention, names)
    parts = {part: real_array(f"{name} ({part})", arrays[name]) for part, name in places.items()}
    if convention.sources_in_rows:
        parts = {part: array.T for part, array in parts.items()}
    if "kernel" in parts:
        parts |= dict(_split(places["kernel"], parts.pop("kernel"), convention.sources_in_rows))
    _check_shapes(parts, places, convention.sources_in_rows)
    n = len(parts["W"])
    for part, mask in (masks or {}).items():
        choice("key of masks", part, ("W", "W_in", "W_out"))
        if part not in parts:
            raise ValueError(f"masks must be of arrays that there are; got one of {part}")
        parts[part] = parts[part] * _mask(part, mask, arrays, parts[part].shape, convention.sources_in_rows)
    if dale is not None:
        parts["W"] = np.abs(parts["W"]) * _signs(dale, arrays, n)
    parts["b"] = parts.get("b", np.zeros(n)) + parts.pop("b_in", 0.0)
    net = CTRNN(**parts, activation=activation, gamma=gamma, form=convention.form)  # type: ignore[arg-type]
    kept = {name: np.array(array) for name, array in arrays.items()}
    read = {part: np.array(array) for part, array in _own(net).items()}
    return replace(net, origin=Origin(convention.name, places, kept, read))


def disassemble(net: CTRNN, convention: Convention) -> dict[str, NDArray[Any]]:
    """Return the arrays of a network in the names, the layout and the precision that it came in, or in default names.

    An array of which nothing has changed is returned as it came, bit for bit. Where two bias vectors came in, the
    second stays and the first takes the change.
    """
    origin = net.origin if net.origin is not None and net.origin.convention == convention.name else None
    arrays = dict(origin.arrays) if origin else {}
    own, read = _own(net), origin.read if origin else {}
    new = {part for part in own if part not in read or not np.array_equal(own[part], read[part])}
    if origin is None and not own["b"].any() and "b" not in convention.arrays:
        new.discard("b")  # a code without biases
    for name, wanted in _where(new, convention, origin.names if origin else {}).items():
        value = np.hstack([own[part] for part in wanted if part in own])
        if origin and wanted == ("b",) and "b_in" in origin.names and "b" in origin.names:
            value = value - np.asarray(arrays[origin.names["b_in"]], dtype=np.float64)
        value = value.T if convention.sources_in_rows else value
        arrays[name] = np.ascontiguousarray(value, dtype=arrays[name].dtype if name in arrays else None)
    return {name: np.array(array) for name, array in arrays.items()}


def _own(net: CTRNN) -> dict[str, FloatArray]:
    """Return the arrays that a network has."""
    return {name: getattr(net, name) for name in ARRAYS if getattr(net, name) is not None}


def _where(new: set[str], convention: Convention, names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the names of arrays that are to be written, with the parts that each of them holds, inputs first."""
    places: dict[str, tuple[str, ...]] = {}
    for part in sorted(new):
        known = names if part in names or ("kernel" in names and part in KERNEL) else convention.arrays
        if part in KERNEL and "kernel" in known:
            places[known["kernel"]] = KERNEL
        elif part == "b" and "b" not in known and "b_in" in names:
            places[names["b_in"]] = ("b",)
        elif part in known:
            places[known[part]] = (part,)
        else:
            raise ValueError(f"convention must have a name for {part}; got {convention.name}, which has none")
    return places


def _places(arrays: Arrays, convention: Convention, names: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the name of the array that holds each part, or raise a ValueError with what is expected and found."""
    given = dict(names or {})
    for part, name in given.items():
        choice("key of names", part, PARTS)
        if name is not None and name not in arrays:
            raise ValueError(
                f"names must be of arrays that there are; got {name!r} for {part}, and found {_listed(arrays)}"
            )
    for name in arrays:
        for piece, reason in convention.refused.items():
            if piece in name:
                raise ValueError(f"arrays must be of one network; got {name}: {reason}")
    expected = dict(convention.arrays)
    if set(KERNEL) & set(given):
        expected.pop("kernel", None)
    places = {part: name for part, name in given.items() if name is not None}
    for part, name in expected.items():
        if part not in given and (found := _find(part, name, arrays)):
            places[part] = found
    settled = set(places) | set(given) | (set(KERNEL) if "kernel" in places else set())
    settled |= {"b_out"} if "W_out" in given and given["W_out"] is None else set()
    lacking = [part for part in ("W", "b", "W_in", "W_out", "b_out") if part not in settled]
    left = {name: array for name, array in arrays.items() if name not in places.values()}
    left = {name: array for name, array in left.items() if _last(name) not in convention.ignored}
    if "W" in lacking or (lacking and left):
        named = expected | {part: expected["kernel"] for part in KERNEL if "kernel" in expected}
        listed = ", ".join(f"{part} (as {named[part]})" if part in named else part for part in lacking)
        raise ValueError(
            f"arrays must hold {listed} for the convention {convention.name}; got {_listed(left) or 'no others'}:"
            f" names={{{lacking[0]!r}: ...}} gives the name of an array, or None where there is none"
        )
    return places


def _find(part: str, name: str, arrays: Arrays) -> str | None:
    """Return the array of a name, or the only one whose name ends in it after a dot or a slash."""
    if name in arrays:
        return name
    ends = [one for one in arrays if _plain(one).endswith((f".{name}", f"/{name}")) or _plain(one) == name]
    if len(ends) > 1:
        raise ValueError(f"names must say which array is {part}; got {' and '.join(ends)}")
    return ends[0] if ends else None


def _plain(name: str) -> str:
    return name.removesuffix(":0")  # of TensorFlow


def _last(name: str) -> str:
    return _plain(name).replace("/", ".").rpartition(".")[2]


def _listed(arrays: Arrays) -> str:
    """Name arrays with their shapes."""
    words = [f"{name} {tuple(array.shape)}" for name, array in arrays.items()]
    return ", ".join(words[:NAMED]) + (f" and {len(words) - NAMED} others" if len(words) > NAMED else "")


def _split(name: str, kernel: FloatArray, rows: bool) -> Iterator[tuple[str, FloatArray]]:
    """Give W_in (N, K) and W (N, N) from a kernel (N, K + N)."""
    if kernel.ndim != 2 or kernel.shape[1] < kernel.shape[0]:
        wanted, got = ("(K + N, N)", kernel.T.shape) if rows else ("(N, K + N)", kernel.shape)
        raise ValueError(f"{name} (W_in and W) must have shape {wanted}; got {got}")
    inputs = kernel.shape[1] - kernel.shape[0]
    yield "W", kernel[:, inputs:]
    if inputs:
        yield "W_in", kernel[:, :inputs]


def _check_shapes(parts: Mapping[str, FloatArray], places: Mapping[str, str], rows: bool) -> None:
    """Raise a ValueError that names an array whose shape does not fit, in the layout in which it came."""
    n = len(parts["W"]) if parts["W"].ndim else 0
    shapes: dict[str, tuple[int | str, ...]] = {
        "W": (n, n),
        "b": (n,),
        "b_in": (n,),
        "W_in": (n, "K"),
        "W_out": ("P", n),
        "b_out": (len(parts["W_out"]) if "W_out" in parts and parts["W_out"].ndim else "P",),
    }
    for part, array in parts.items():
        wanted, got = shapes[part], array.shape
        fits = len(wanted) == len(got) and all(isinstance(a, str) or a == b for a, b in zip(wanted, got, strict=True))
        if not fits or 0 in got:
            wanted, got = (wanted[::-1], got[::-1]) if rows else (wanted, got)
            shape = f"({', '.join(map(str, wanted))}{',' if len(wanted) == 1 else ''})"
            layout = "" if len(wanted) == 1 else f", with a row for each that {'sends' if rows else 'receives'}"
            raise ValueError(f"{places[part]} ({part}) must have shape {shape}{layout}; got {got}")


def _mask(part: str, mask: Any, arrays: Arrays, shape: tuple[int, ...], rows: bool) -> FloatArray:
    """Return a mask, given as an array or by its name, in the layout of ours."""
    found = real_array(f"mask of {part}", _numbers_of(part, mask, arrays))
    found = found.T if rows else found
    if found.shape != shape:
        raise ValueError(f"mask of {part} must have the shape of {part}, {shape}; got {found.shape}")
    return found


def _numbers_of(part: str, value: Any, arrays: Arrays) -> Any:
    """Return an array that is given itself or by its name; booleans count as 0 and 1."""
    if isinstance(value, str):
        if value not in arrays:
            raise ValueError(
                f"mask of {part} must be an array, or the name of one; got {value!r}, found {_listed(arrays)}"
            )
        value = arrays[value]
    if getattr(getattr(value, "dtype", None), "kind", "") == "b":
        value = np.asarray(value, dtype=np.float64)
    return number_array(f"mask of {part}", value)


def _signs(dale: Any, arrays: Arrays, n: int) -> FloatArray:
    """Return the sign (N,) of each sending neuron, from a vector or a diagonal matrix."""
    if not isinstance(dale, str):
        dale = real_array("dale", dale)  # booleans do not say which sign they mean
    signs = np.asarray(_numbers_of("dale", dale, arrays), dtype=np.float64)
    if signs.shape == (n, n) and np.count_nonzero(signs - np.diag(np.diag(signs))) == 0:
        signs = np.diag(signs)
    if signs.shape != (n,) or not np.all(np.abs(signs) == 1.0):
        raise ValueError(f"dale must hold 1 or -1 for each of the {n} neurons; got {shown(dale)}")
    return signs
