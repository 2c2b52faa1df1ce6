"""Computing under NumPy's default settings for floating-point errors, whatever those of the caller are."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

Thing = TypeVar("Thing")

_default: Any = np.errstate(divide="warn", over="warn", invalid="warn", under="ignore")
SPECIAL = ("__init__", "__post_init__", "__call__", "__repr__")


def guarded(thing: Thing) -> Thing:
    """Decorate a public function, or a class with public methods, so that ``np.seterr`` has no effect inside.

    Densities and tails underflow to zero on purpose; if the caller has set NumPy to raise for that, an exception would
    end the computation. The settings of the caller are restored on return.

    Examples
    --------
    >>> tail = guarded(lambda x: np.exp(-x))
    >>> with np.errstate(all="raise"):
    ...     tail(np.float64(1e4))
    np.float64(0.0)
    """
    if not inspect.isclass(thing):
        decorated: Thing = _default(thing)
        return decorated
    for name, member in list(vars(thing).items()):
        if name.startswith("_") and name not in SPECIAL:
            continue
        if inspect.isfunction(member):
            setattr(thing, name, _default(member))
        elif isinstance(member, staticmethod | classmethod):
            setattr(thing, name, type(member)(_default(member.__func__)))
        elif isinstance(member, property) and member.fget is not None:
            setattr(thing, name, property(_default(member.fget), member.fset, member.fdel, member.__doc__))
        elif isinstance(member, cached_property):
            member.func = _default(member.func)
    return thing
