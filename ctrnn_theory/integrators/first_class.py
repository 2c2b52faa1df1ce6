"""Compiled functions in the form in which kernels take them: objects that know their address, and tuples of them.

Numba takes a compiled function as it is, but looks up its address at each call, for a sixth of a millisecond and under
a lock of LLVM. An interrupt (Ctrl-C) that comes meanwhile leaves the lock taken for ever, so that other threads wait
for it without end. A tuple of functions has a class of its own, since Numba warns of any other.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from numba import types
from numba.core.dispatcher import Dispatcher

from ctrnn_theory.support.types import FloatArray


def _names(count: int) -> list[str]:
    return [f"f{i}" for i in range(count)]


Functions1 = namedtuple("Functions1", _names(1))  # type: ignore[misc]
Functions4 = namedtuple("Functions4", _names(4))  # type: ignore[misc]
Functions16 = namedtuple("Functions16", _names(16))  # type: ignore[misc]
Functions64 = namedtuple("Functions64", _names(64))  # type: ignore[misc]
TUPLES: dict[int, Any] = {1: Functions1, 4: Functions4, 16: Functions16, 64: Functions64}
"""Classes of the tuples by their length; a kernel is compiled for each."""
MOST = max(TUPLES)
"""Most functions in a tuple."""
SIGNATURE = types.void(types.float64[::1])
"""Signature of an activation, which works in place on a block of lanes."""


class KnownFunction(types.WrapperAddressProtocol):
    """A compiled function of one signature, with its address."""

    def __init__(self, function: Any, signature: Any) -> None:
        self.function, self.types = function, signature
        compiled = function.get_compile_result(signature)
        self.address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)

    def __wrapper_address__(self) -> int:
        address: int = self.address
        return address

    def signature(self) -> Any:
        """Return the signature of the function."""
        return self.types


@lru_cache(maxsize=256)
def known(function: Callable[..., Any], signature: Any = SIGNATURE) -> Any:
    """Return a compiled function as a kernel takes it, by default an activation; it is compiled here if need be."""
    return KnownFunction(function, signature) if isinstance(function, Dispatcher) else function  # the compiler is off


def length(functions: int) -> int:
    """Return the length of the tuple that so many functions fit into."""
    return min(size for size in TUPLES if size >= functions)


def first_class(blocks: Sequence[Callable[[FloatArray], None]]) -> Any:
    """Return compiled activations as a kernel takes them; the first one fills what is left of the tuple."""
    size = length(len(blocks))
    found = [known(block) for block in blocks]
    return TUPLES[size](*found, *(size - len(found)) * found[:1])
