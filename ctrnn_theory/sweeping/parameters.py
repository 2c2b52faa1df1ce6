"""The parameters of a sweep: their names, the values that they may take, and the axes of the grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import FORMS as FORMS_OF_NETWORKS
from ctrnn_theory.model.noise import SITES, check_gamma
from ctrnn_theory.support.arguments import (
    choice,
    finite_number,
    integer,
    nonnegative,
    positive_integer,
    positive_number,
    real_array,
)

Value = float | int | str
FORMS = ("linspace", "logspace", "geomspace")
"""Functions of NumPy that make the values of an axis."""
ROUNDING = 1e-9  # relative distance of a count to a whole number, which geomspace may leave
MOST = 1_000_000
"""Largest number of values of an axis, which bounds its memory."""


class Parameter(NamedTuple):
    """A parameter of the points."""

    about: str
    """Description for labels; no parameter has a unit, as the state has none."""
    check: Callable[[str, Any], Value]
    """Function of a name and a value that returns the value as it is kept, or raises a ValueError with the rule."""
    default: Value | None = None
    """Value where a specification has none; None if it must have one."""
    optional: bool = False
    """Whether a specification that does not name it says nothing of it, as those of older versions do not."""


class Axis(NamedTuple):
    """One axis of the grid."""

    values: tuple[Value, ...]
    """Values in the order in which they are given, all different."""
    written: Any
    """The values as the specification has them, a list, or one of :data:`FORMS`, as plain JSON."""

    @property
    def logarithmic(self) -> bool:
        """Return whether it is evenly spaced in the logarithm."""
        return isinstance(self.written, dict) and "linspace" not in self.written


def _number(name: str, value: Any) -> float:
    """Return a finite number; -0.0, which equals 0.0 and is written differently, becomes 0.0."""
    return finite_number(name, value) + 0.0


def _sigma(name: str, value: Any) -> float:
    number = _number(name, value)
    if number < 0.0:
        raise ValueError(f"{name} must be at least 0, a standard deviation; got {number:g}")
    return number


def _rho(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} must be in [0, 1), a correlation; got {number:g}")
    return number


def _keep(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name} must be in (0, 1], a probability; got {number:g}")
    return number


def _form(name: str, value: Any) -> str:
    return str(choice(name, value, FORMS_OF_NETWORKS))


def _gamma(name: str, value: Any) -> float:
    return check_gamma(_number(name, value))


def _site(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in SITES:
        raise ValueError(f'{name} must be "inside" or "outside"; got {value!r}')
    return str(value)


def _task(name: str, value: Any) -> str:
    from ctrnn_theory.training.tasks import TASKS  # here, since single neurons need no kernels of tasks

    return str(choice(name, value, TASKS))


def _whole(value: Any) -> Any:
    """Return a float that is a whole number but for rounding as an int, and anything else as it is."""
    if isinstance(value, float) and abs(value - round(value)) <= ROUNDING * abs(value):
        return round(value)
    return value


def _neurons(name: str, value: Any) -> int:
    return positive_integer(name, _whole(value))


def _rng(name: str, value: Any) -> int:
    return integer(name, _whole(value))


def _activation(name: str, value: Any) -> str:
    return activation(value).text


NOISE = {
    "sigma": Parameter("noise, standard deviation per step", _sigma),
    "site": Parameter("where the noise enters", _site, "inside"),
    "sigma_in": Parameter("noise inside, standard deviation per step", _sigma, 0.0),
    "sigma_out": Parameter("noise outside, standard deviation per step", _sigma, 0.0),
    "gain_in": Parameter("multiplicative noise inside, standard deviation", _sigma, 0.0, optional=True),
    "gain_out": Parameter("multiplicative noise outside, standard deviation", _sigma, 0.0, optional=True),
    "rho_in": Parameter("correlation between steps of the noise inside", _rho, 0.0, optional=True),
    "rho_out": Parameter("correlation between steps of the noise outside", _rho, 0.0, optional=True),
    "keep": Parameter("probability that dropout keeps a value", _keep, 1.0, optional=True),
}
NEURON = {
    "activation": Parameter("activation function", _activation, "relu"),
    "w": Parameter("self-connection w", _number),
    "b": Parameter("bias vector b", _number, 0.0),
    "gamma": Parameter("step over time constant γ", _gamma, 0.1),
    "form": Parameter("form of the network", _form, "rate", optional=True),
    **NOISE,
}
"""Parameters of a single neuron."""
NETWORK = {
    "scale": Parameter("factor of the recurrent weights", _number, 1.0),
    "u": Parameter("input u", _number, 0.0),
    "gamma": Parameter("step over time constant γ", _gamma),
    **NOISE,
}
"""Parameters of a network from a file; the default of γ is the network's own."""
TRAINED = {
    "task": Parameter("task", _task),
    "neurons": Parameter("number of neurons N", _neurons),
    "activation": Parameter("activation function", _activation, "relu"),
    "gamma": Parameter("step over time constant γ", _gamma, 0.1, optional=True),
    "alpha": Parameter("strength of the hidden weights α", positive_number, 1.0, optional=True),
    "beta": Parameter("largest bias of a hidden neuron β", nonnegative, 1.0, optional=True),
    "rng": Parameter("seed of the hidden weights", _rng, 0),
    **{name: NOISE[name] for name in ("sigma", "site", "sigma_in", "sigma_out")},
}
"""Parameters of a network that is trained for a task; those that are optional are as the task or the training has
them."""


def _entries(name: str, written: Any) -> list[Any]:
    """Return the numbers or names in an array of NumPy or of another library as a list."""
    if getattr(getattr(written, "dtype", None), "kind", "f") in "OSUT" and not np.ma.is_masked(written):
        return np.asarray(written).ravel().tolist()  # each name is checked by itself
    return real_array(name, written, (None,)).tolist()


def _check_length(name: str, count: int) -> None:
    if count > MOST:
        raise ValueError(f"axis {name} must have at most {MOST} values; got {count}")


def axis(name: str, parameter: Parameter, written: Any) -> Axis:
    """Return the axis written as a list, an array, or ``{"linspace": [first, last, count]}`` (logspace, geomspace).

    The ends of logspace are powers of ten, those of geomspace the values themselves.

    Raises
    ------
    ValueError
        If it is anything else, or has values that the parameter cannot take, no values, or a value twice.

    Examples
    --------
    >>> axis("gamma", NEURON["gamma"], {"logspace": [-2, 0, 3]}).values
    (0.01, 0.1, 1.0)
    """
    if isinstance(written, Mapping):
        form = next(iter(written), None)
        if len(written) != 1 or form not in FORMS:
            raise ValueError(f"axis {name} must be a list, or one of {', '.join(FORMS)}; got {dict(written)!r}")
        ends = written[form]
        if not isinstance(ends, list | tuple) or len(ends) != 3:
            raise ValueError(f"{form} of axis {name} must be [first, last, count]; got {ends!r}")
        first, last = (_number(f"{form} of axis {name}", end) for end in ends[:2])
        if form == "geomspace" and not min(first, last) > 0.0:
            raise ValueError(f"geomspace of axis {name} must have ends above 0; got {ends!r}")
        count = positive_integer(f"count in {form} of axis {name}", ends[2])
        _check_length(name, count)
        with np.errstate(over="ignore"):  # the check of each value reports an overflow
            values = getattr(np, form)(first, last, count).tolist()
        written = {form: [first, last, count]}
    elif isinstance(written, list | tuple | range):
        _check_length(name, len(written))
        values, written = list(written), None
    elif hasattr(written, "__array__"):
        values, written = _entries(f"axis {name}", written), None
        _check_length(name, len(values))
    else:
        raise ValueError(f"axis {name} must be a list, or one of {', '.join(FORMS)}; got {written!r}")
    checked = tuple(parameter.check(name, value) for value in values)
    if not checked:
        raise ValueError(f"axis {name} must have values; got none")
    value, count = Counter(checked).most_common(1)[0]
    if count > 1:
        raise ValueError(f"axis {name} must have different values; got {value} twice")
    return Axis(checked, list(checked) if written is None else written)
