"""The jit decorator of the package, which sets the options of every compiled function.

* ``error_model="numpy"``: a division by zero gives inf or NaN, as in NumPy, and no exception. The check that
  Python's model needs at each division is a branch, and a branch keeps LLVM from vectorising the loop.
* No fastmath: it lets the compiler assume that NaN never occurs, which removes checks for it, and reassociate
  sums, which undoes compensated arithmetic and rounding by magic numbers. A kernel that needs ``contract``
  (fused multiply-add), or ``reassoc`` for a reduction, names it where it is harmless:
  ``jit(fastmath={"contract"})``.
* ``nogil=True``: kernels use no Python objects, so that threads may run them at the same time.
* No cache on disk by default, since functions made from text have no file beside which they could be cached;
  kernels that are in a file pass ``cache=True``, see :mod:`ctrnn_theory.support.kernel_cache`.
* ``forceinline=True`` for every function that a kernel calls. Without it, a kernel that has just been compiled calls
  the function as it was compiled by itself, and a kernel from the disk calls the copy that was compiled with it. The
  two may fuse other products and add in another order, so that the last bits would depend on which process was first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from ctrnn_theory.support import kernel_cache


def jit(signature: Any = None, **options: Any) -> Callable[..., Any]:
    """Compile a function with the options of the package.

    It is used bare (``@jit``), with options (``@jit(cache=True)``), or with an explicit signature
    (``@jit("float64(float64)")``), which compiles at once.

    Parameters
    ----------
    signature
        A Numba signature or list of signatures; None compiles on the first call, for its types.
    options
        Numba's options, which override those of the package. ``cache`` keeps the compiled function on disk.

    Examples
    --------
    >>> @jit("float64(float64)")
    ... def inverse(x):
    ...     return 1.0 / x
    >>> inverse(0.0)
    inf
    """
    if callable(signature):  # used as @jit, so that the argument is the function itself
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
