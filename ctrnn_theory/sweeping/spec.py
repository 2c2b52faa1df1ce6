"""The specification of a sweep: fixed values, axes, methods and quantities; and the points of its grid, by number."""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.model.network import ARRAYS, CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.arguments import integer, shown
from ctrnn_theory.support.files import read_file, reason
from ctrnn_theory.support.registry import Registry
from ctrnn_theory.support.types import IntArray
from ctrnn_theory.sweeping.parameters import NETWORK, NEURON, TRAINED, Axis, Parameter, Value, axis
from ctrnn_theory.sweeping.quantities import OF_LAWS, OF_TRAINED, TRAININGS, USUAL

PARTS = ("seed", "methods", "quantities", "fixed", "axes", "options")
FIELDS = {
    "gain_in": "gain_inside",
    "gain_out": "gain_outside",
    "rho_in": "rho_inside",
    "rho_out": "rho_outside",
    "keep": "keep",
}
"""Field of :class:`~ctrnn_theory.Noise` that each parameter of its further kinds is."""
OURS = ("rng", "workers")
"""Options of methods that the sweep sets itself: each point has a seed, and points are distributed over cores."""


@dataclass(frozen=True, eq=False)
class Spec:
    """The specification of a sweep; :meth:`of` makes it."""

    axes: Mapping[str, Axis]
    """Axes by name, in the order of the dimensions; the last varies fastest."""
    fixed: Mapping[str, Value]
    """Values of the parameters that are not axes, including defaults."""
    methods: tuple[str, ...]
    """Names from :data:`~ctrnn_theory.METHODS`, or methods of training."""
    quantities: tuple[str, ...] = USUAL[False]
    """Names from :data:`OF_LAWS`, or from :data:`OF_TRAINED`."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of the methods, by method."""
    seed: int = 0
    """Seed that, with the parameters of a point, determines its random stream."""
    network: CTRNN | None = None
    """The network, or None for single neurons."""

    @classmethod
    def of(cls, written: Spec | Mapping[str, Any] | str | os.PathLike[str]) -> Spec:
        """Make it from a mapping, or from a TOML file.

        Raises
        ------
        ValueError
            If it is not a valid specification; the message names the part, the rule and the value.

        Examples
        --------
        >>> spec = Spec.of({"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2], "site": ["inside", "outside"]}})
        >>> spec.shape, spec.methods
        ((2, 2), ('gaussian_closure',))
        """
        if isinstance(written, Spec):
            return written
        if not isinstance(written, Mapping | str | os.PathLike):
            raise ValueError(f"spec must be a mapping, or a TOML file; got {written!r}")
        folder = Path()
        if not isinstance(written, Mapping):
            folder, written = Path(written).parent, _read(Path(written))
        _check_names("spec", written, PARTS)
        tables = {part: dict(_table(part, written.get(part, {}))) for part in ("fixed", "axes", "options")}
        network = tables["fixed"].pop("network", None)
        if network is not None and not isinstance(network, CTRNN):
            if not isinstance(network, str | os.PathLike):
                raise ValueError(f"network must be a network, or a file of one; got {network!r}")
            network = CTRNN.load(folder / network)
        known = _known(network, {*tables["fixed"], *tables["axes"]})
        _check_names("axes", tables["axes"], known)
        _check_names("fixed", tables["fixed"], (*known, "network"))
        if both := [name for name in tables["axes"] if name in tables["fixed"]]:
            raise ValueError(f"{both[0]} must be fixed or an axis; got both")
        axes = {name: axis(name, known[name], values) for name, values in tables["axes"].items()}
        fixed = {name: known[name].check(name, value) for name, value in tables["fixed"].items()}
        for name, parameter in known.items():
            if name not in axes and name not in fixed:
                if parameter.default is None:
                    raise ValueError(f"spec must say what {name} is, in fixed or in axes; got neither")
                if not parameter.optional:
                    fixed[name] = parameter.default
        trained = "task" in known
        by, usual = (TRAININGS, TRAININGS[0]) if trained else (METHODS, "gaussian_closure")
        methods = _names("methods", written.get("methods", usual), by)
        about = OF_TRAINED if trained else OF_LAWS
        quantities = _names("quantities", written.get("quantities", USUAL[trained]), tuple(about))
        options = _options(tables["options"], methods)
        return cls(axes, fixed, methods, quantities, options, integer("seed", written.get("seed", 0)), network)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON; a network is replaced by its size and a digest."""
        fixed: dict[str, Any] = dict(self.fixed)
        if self.network is not None:
            fixed["network"] = f"{self.neurons} neurons, sha256 {self.digest}"
        return {
            "seed": self.seed,
            "methods": list(self.methods),
            "quantities": list(self.quantities),
            "fixed": fixed,
            "axes": {name: found.written for name, found in self.axes.items()},
            "options": {method: dict(options) for method, options in self.options.items()},
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the lengths of the axes."""
        return tuple(len(found.values) for found in self.axes.values())

    @property
    def size(self) -> int:
        """Return the number of points of the grid."""
        return math.prod(self.shape)

    @property
    def trained(self) -> bool:
        """Whether each point is a network that is trained for a task."""
        return "task" in self.axes or "task" in self.fixed

    @property
    def neurons(self) -> int:
        """Return the number of neurons of a network from a file, or 1 for others."""
        return 1 if self.network is None else self.network.n

    @cached_property
    def digest(self) -> str:
        """Return a digest of everything that defines the network."""
        assert self.network is not None
        header = {name: value for name, value in self.network.to_dict().items() if name not in ARRAYS}
        found = hashlib.sha256(json.dumps(list(header.values())).encode())
        for name in ARRAYS:
            array = getattr(self.network, name)
            if array is not None:
                found.update(f"{name} {array.shape};".encode() + array.tobytes())
        return found.hexdigest()

    @cached_property
    def _values(self) -> dict[str, NDArray[Any]]:
        return {name: np.array(found.values) for name, found in self.axes.items()}

    def columns(self, points: IntArray) -> dict[str, Any]:
        """Return the parameters of many points, (P,) each, or one value where it is the same for all; σ is by site."""
        found: dict[str, Any] = dict(self.fixed)
        places = np.unravel_index(points, self.shape) if self.axes else ()
        for (name, values), index in zip(self._values.items(), places, strict=True):
            found[name] = values[index]
        if "sigma" in found:
            sigma, inside = found.pop("sigma"), np.asarray(found.pop("site")) == "inside"
            found["sigma_in"], found["sigma_out"] = np.where(inside, sigma, 0.0), np.where(inside, 0.0, sigma)
        return found

    def point(self, number: int) -> dict[str, Value]:
        """Return the parameters of one point; σ is by site."""
        columns = self.columns(np.array([number]))
        return {name: np.ravel(column)[0].item() for name, column in columns.items()}

    def arguments(self, point: Mapping[str, Any]) -> tuple[CTRNN, Noise, list[float] | None]:
        """Return network, noise and input at a point, the arguments of a method."""
        given = {field: point[name] for name, field in FIELDS.items() if name in point}
        noise = Noise(point["sigma_in"], point["sigma_out"], **given)
        net = self.network
        if net is None:
            form = point.get("form", "rate")
            return CTRNN.single(point["w"], point["b"], point["activation"], point["gamma"], form), noise, None
        gamma = point.get("gamma", net.gamma)
        scaled = replace(net, W=point["scale"] * net.W, gamma=gamma)
        return scaled, noise, [point["u"]] if "u" in point else None

    @property
    def extended(self) -> bool:
        """Whether it names a parameter of other networks than those in rate form with white additive noise."""
        named = {*self.axes, *self.fixed}
        return any(name in named for name, parameter in NEURON.items() if parameter.optional)

    def stream(self, point: Mapping[str, Value]) -> np.random.SeedSequence:
        """Return the random stream of a point, which follows from the seed and its parameters; all methods share it."""
        whole = {name: value.hex() if isinstance(value, float) else value for name, value in point.items()}
        if self.network is not None:
            whole["network"] = self.digest
        words = np.frombuffer(hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).digest(), "<u4")
        return np.random.SeedSequence([self.seed, *words.tolist()])


def _read(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    try:
        content = read_file(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"spec must be a file that can be read; {path}: {reason(error)}") from error
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as some editors on Windows save it
    try:
        return tomllib.loads(content.decode("utf-16" if marked else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"spec must be TOML; {path} is not in UTF-8: {error.reason} at {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"spec must be TOML; {path}: {error}") from error


def _table(part: str, found: Any) -> Mapping[str, Any]:
    """Return what must be a table, or raise a ValueError."""
    if not isinstance(found, Mapping):
        raise ValueError(f"{part} must be a table of names and values; got {found!r}")
    return found


def _check_names(where: str, found: Mapping[str, Any], known: Any) -> None:
    """Raise a ValueError if a table has a name that is not known."""
    for name in found:
        if name not in known:
            raise ValueError(f"{where} must be out of {', '.join(known)}; got {name!r}")


def _known(network: CTRNN | None, given: set[str]) -> dict[str, Parameter]:
    """Return the parameters of a specification that names these: σ with its site, or σ at both sites."""
    known = dict(TRAINED if "task" in given and network is None else NEURON)
    if network is not None:
        known = dict(NETWORK)
        if isinstance(network.gamma, float):
            known["gamma"] = NETWORK["gamma"]._replace(default=network.gamma)
        else:
            del known["gamma"]  # each neuron has its own
        inputs = 0 if network.W_in is None else network.W_in.shape[1]
        if inputs == 0:
            del known["u"]
        elif inputs > 1:
            raise ValueError(f"network must have at most one input to be swept; it has {inputs}")
    both, one = {"sigma_in", "sigma_out"}, {"sigma", "site"}
    if given & both and given & one:
        raise ValueError(f"{min(given & one)} must be left out with {min(given & both)}; got both")
    left_out = one if given & both else both
    return {name: parameter for name, parameter in known.items() if name not in left_out}


def _names(part: str, found: Any, known: Collection[str]) -> tuple[str, ...]:
    """Return different names, of which all must be known, or raise a ValueError."""
    names = (found,) if isinstance(found, str) else tuple(found) if isinstance(found, list | tuple | Registry) else ()
    wrong = [name for i, name in enumerate(names) if name not in known or name in names[:i]]
    if wrong or not names:
        raise ValueError(
            f"{part} must be different names out of {', '.join(known)}; got {wrong[0] if wrong else found!r}"
        )
    return names


def _options(found: Mapping[str, Any], methods: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the options of the methods as plain JSON, or raise a ValueError."""
    _check_names("options", found, methods)
    for method, options in found.items():
        table = _table(f"options of {method}", options)
        if method in TRAININGS:
            _check_names(f"options of {method}", table, ["(none)"])
            continue
        known = [name for name in METHODS[method].options.names if name not in OURS]
        if not METHODS[method].options.any:
            _check_names(f"options of {method}", table, known or ["(none)"])
    return {
        method: {name: _option(f"{name} of {method}", value) for name, value in options.items()}
        for method, options in found.items()
        if options
    }


def _option(name: str, value: Any) -> Any:
    """Return the value of an option as plain JSON, or raise a ValueError."""
    plain = value
    if isinstance(value, np.generic | np.ndarray) and not np.ma.is_masked(value) and value.dtype.kind in "biufU":
        plain = value.tolist()
    if not isinstance(plain, bool | int | float | str | list):
        raise ValueError(f"options must be numbers, text or lists; {name} is {shown(value)}")
    return plain
