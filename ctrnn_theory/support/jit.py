"""The one jit decorator of the house: every compiled function takes its options from here.

* ``error_model="numpy"``: a division by zero gives inf or NaN, as in NumPy, and not an exception. The check
  that Python's model needs at each division is a branch, and a branch keeps LLVM from vectorising the loop.
* No fastmath: it lets the compiler assume that NaN never occurs, which removes checks for it, and reassociate
  sums, which undoes compensated arithmetic and rounding by magic numbers. A kernel that needs ``contract``
  (fused multiply-add), or ``reassoc`` for a reduction, asks for it by name where it is harmless:
  ``jit(fastmath={"contract"})``.
* ``nogil=True``: kernels touch no Python objects, so threads may run them side by side.
* No cache on disk by default, since functions made from text have no file to be cached beside; kernels that
  live in a file pass ``cache=True``, see :mod:`ctrnn_theory.support.kernel_cache`.
* ``forceinline=True`` for every function that a kernel calls: otherwise a kernel that has just been compiled calls the
  function as it was compiled by itself, and one that comes from the disk calls the copy that was compiled with it. The
  two may fuse other products and add in another order, and the last bits depend on which process was the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from ctrnn_theory.support import kernel_cache


def jit(signature: Any = None, **options: Any) -> Callable[..., Any]:
    """Compile a function with the options of the house.

    Used bare (``@jit``), with options (``@jit(cache=True)``), or with an explicit signature
    (``@jit("float64(float64)")``), which compiles at once.

    Parameters
    ----------
    signature
        A Numba signature or list of signatures; None compiles on the first call, for its types.
    options
        Numba's options, which override those of the house. ``cache`` keeps the compiled function on disk.

    Examples
    --------
    >>> @jit("float64(float64)")
    ... def inverse(x):
    ...     return 1.0 / x
    >>> inverse(0.0)
    inf
    """
    if callable(signature):  # used as @jit: what came is the function itself
        return jit()(signature)
    settings = {"error_model": "numpy", "nogil": True, **options}
    cache = settings.pop("cache", False)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Any = njit(**settings)(function)
        if compiled is function:  # the compiler is off
            return function
        if cache:
            kernel_cache.keep(compiled)
        if signature is not None:
            for one in signature if isinstance(signature, list) else [signature]:
                compiled.compile(one)
            compiled.disable_compile()
        return compiled

    return decorate
