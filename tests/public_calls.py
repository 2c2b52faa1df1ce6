"""Every public callable with good arguments, their kinds, and what an argument of each kind cannot be."""

import atexit
import dataclasses
import datetime
import inspect
import shutil
import tempfile
from decimal import Decimal
from fractions import Fraction
from importlib import import_module

import numpy as np
from hypothesis import find

import ctrnn_theory as ct
from ctrnn_theory.activations import Activation
from ctrnn_theory.analysis.bias_curve import distance_to_nonlinearity
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.training.tasks import TASKS, Feedforward, Maze


class Tensor:
    """Like a tensor of PyTorch that is part of a gradient."""

    def __array__(self):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


class Plain:
    """Like an array of another library, whose ``__array__`` takes no arguments."""

    def __init__(self, values):
        self.values = values

    def __array__(self):
        return np.array(self.values)


class Untouched(Activation):
    """An activation that must not be evaluated: arguments are looked at first."""

    def __call__(self, x):
        raise AssertionError("something was computed before the arguments were looked at")

    derivative = smoothed = smoothed_variance = block = __call__


relu = ct.activation("relu")
QUIET = Untouched(*(getattr(relu, field.name) for field in dataclasses.fields(Activation)))
NET = CTRNN([[0.5]], [0.1], QUIET, 0.1, W_in=[[1.0]], W_out=[[1.0]], b_out=[0.0])
NOISE = Noise(inside=0.5)
WITHOUT_W = CTRNN([[0.0]], [0.1], QUIET, 1.0, W_in=[[1.0]], W_out=[[1.0]], b_out=[0.0])
X = np.linspace(0.05, 0.95, 10)
DENSITY = ct.fokker_planck.Density((X,), (np.full(10, 0.1),), np.ones(10))

NO_NUMBERS = {
    "complex": 0.5 + 2j,
    "text": "0.5",
    "bytes": b"1",
    "boolean": True,
    "NumPy's boolean": np.True_,
    "masked": np.ma.masked,
    "date": np.datetime64("2020-01-01"),
    "duration": np.timedelta64(1, "s"),
    "Python's duration": datetime.timedelta(1),
    "object": object(),
    "record": np.zeros((), [("a", float)])[()],
    "decimal": Decimal("0.5"),
    "several": np.array([0.5, 0.5, 0.5]),
    "mapping": {"a": 1.0},
    "tensor": Tensor(),
    "NaN": np.nan,
    "beyond all floats": 10**400,
}
NO_COUNTS = NO_NUMBERS | {"fraction": 2.5, "whole float": 2.0, "zero": 0, "negative": -1, "rational": Fraction(3)}
del NO_COUNTS["beyond all floats"]


def no_arrays(good):
    """Arrays of the shape of a good one that hold something else."""
    good = np.asarray(good, dtype=float)
    masked = np.ma.array(good, mask=np.ones(good.shape, bool))
    return {
        "complex": good + 2j,
        "text": good.astype(str),
        "booleans": good.astype(bool),
        "a boolean among numbers": [*good.tolist(), True] if good.ndim == 1 else [[True, 0.5]],
        "masked": masked,
        "list of masked": [masked, masked],
        "dates": good.astype("M8[s]"),
        "durations": good.astype("m8[ns]"),
        "objects": np.full(good.shape, object()),
        "numbers as objects": good.astype(object),
        "records": np.zeros(good.shape, [("a", float)]),
        "ragged": [[1.0], [1.0, 2.0]],
        "mapping": {"a": 1.0},
        "generator": (value for value in (1.0,)),
        "tensor": Tensor(),
        "tensors": [Tensor()],
        "NaN": good * np.nan,
        "none": [None],
        "decimals": [Decimal("0.5")],
    }


def bad_values(kind, good):
    """Name and value of what an argument of a kind cannot be."""
    if kind == "array":
        return no_arrays(good)
    if kind == "values":  # of a function's argument, which may be NaN
        return {name: value for name, value in no_arrays(good).items() if name not in ("NaN", "ragged")}
    if kind == "number":
        return NO_NUMBERS
    if kind == "count":
        return NO_COUNTS
    if kind == "order":
        return {name: value for name, value in NO_COUNTS.items() if name != "zero"}
    if kind == "rng":
        return {"text": "0", "float": 1.5, "negative": -1, "boolean": True, "duration": np.timedelta64(1), "list": [1]}
    if kind == "workers":
        return {"text": "two", "float": 1.5, "zero": 0, "boolean": True, "duration": np.timedelta64(1)}
    if kind == "field":
        return {
            "text": "nothing",
            "complex": 1 + 2j,
            "object": object(),
            "duration": np.timedelta64(1),
            "boolean": True,
        }
    return {"number": 3, "text": "nothing", "list": ["a"], "array": np.zeros(2), "object": object(), "mapping": {}}


def option(name, good):
    """Kind of an option of a method, by its name."""
    if name in ("rng", "workers"):
        return name
    return {"order": "order", "cells": "array"}.get(name, "count" if isinstance(good, int) else "number")


MODEL = {"net": (NET, "net"), "noise": (NOISE, "noise"), "u": ([0.3], "array"), "start": ([0.3], "array")}
DRAWN = {"rng": (0, "rng"), "workers": (1, "workers")}
SIMULATED = DRAWN | {"trajectories": (64, "count"), "steps": (10, "count"), "max_steps": (10, "count")}
NUMBERS = dict.fromkeys(("w", "b", "gamma", "sigma", "h", "m", "V", "sigma_out"), (0.5, "number"))


def quiet_field(x):
    raise AssertionError("something was computed before the arguments were looked at")


def drawn(strategy):
    return lambda **options: find(strategy(**options), lambda found: True)


def fp(**more):
    return {
        "domain": ([-1.0, 1.0], "array"),
        "cells": (16, "count"),
        "border": (0.5, "number"),
        "drift": (quiet_field, "field"),
        "diffusion": (quiet_field, "field"),
    } | more


def smoothing_of(**options):
    return ct.testing.assert_smoothing("erf", lambda a, s: quiet_field(a), **options)


def bias_formula(**options):
    return ct.testing.assert_bias_formula(lambda net, noise: quiet_field(0.0), **options)


def weights():
    """Write a network of one neuron to a file of arrays, and return its name."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    np.savez(path := f"{folder}/weights.npz", W=[[0.5]], b=[0.1])
    return path


def settings_of(task):
    """Settings of a built-in task, by the types of their defaults."""
    kinds = {int: "count", float: "number", str: "activation", bool: "name"}
    return {field.name: (field.default, kinds[type(field.default)]) for field in dataclasses.fields(task)}


CALLS = {
    "CTRNN": (
        CTRNN,
        {
            "W": ([[0.5]], "array"),
            "b": ([0.1], "array"),
            "activation": ("relu", "activation"),
            "gamma": (0.1, "number"),
            "W_in": ([[1.0]], "array"),
            "W_out": ([[1.0]], "array"),
            "b_out": ([1.0], "array"),
        },
    ),
    "CTRNN.single": (
        CTRNN.single,
        {"w": (0.5, "number"), "b": (0.1, "number"), "activation": ("relu", "activation"), "gamma": (0.1, "number")},
    ),
    "CTRNN.drive": (NET.drive, {"u": ([0.3], "array")}),
    "CTRNN.preactivation": (NET.preactivation, {"h": ([0.3], "values"), "u": ([0.3], "array")}),
    "CTRNN.start_state": (NET.start_state, {"start": ([0.3], "array")}),
    "Noise": (Noise, {"inside": ([0.3], "array"), "outside": ([0.5], "array")}),
    "Noise.analog": (
        Noise.analog,
        {"neurons": (2, "count")} | dict.fromkeys(("AU", "AC", "MU", "MC"), (0.1, "number")),
    ),
    "Noise.from_white": (
        Noise.from_white,
        {"intensity": ([0.5], "array"), "gamma": (0.5, "number"), "site": ("inside", "name")},
    ),
    "Noise.factor": (NOISE.factor, {"site": ("inside", "name"), "n": (1, "count")}),
    "Noise.covariance": (NOISE.covariance, {"site": ("inside", "name"), "n": (1, "count")}),
    "Noise.std": (NOISE.std, {"site": ("inside", "name"), "n": (1, "count")}),
    "Activation.__call__": (relu, {"x": ([0.3], "values")}),
    "Activation.derivative": (relu.derivative, {"x": ([0.3], "values"), "order": (1, "order")}),
    "Activation.smoothed": (
        relu.smoothed,
        {"a": ([0.3], "values"), "s": ([0.3], "values"), "derivative": (1, "order")},
    ),
    "Activation.smoothed_variance": (relu.smoothed_variance, {"a": ([0.3], "values"), "s": ([0.3], "values")}),
    "audit": (
        ct.audit,
        {"net": MODEL["net"], "noise": MODEL["noise"], "inputs": ([[0.3]], "array"), "targets": ([[0.1]], "array")}
        | {"weights": (None, "array"), "method": ("gaussian_closure", "name"), "levels": ([0.5, 1.0], "array")}
        | {"checks": (1, "order"), "convention": ("paper", "name")}
        | DRAWN,
    ),
    "batch_means": (ct.batch_means, {"h": (np.arange(10.0), "array"), "batches": (2, "count")}),
    "bias": (ct.bias, MODEL | DRAWN | {"methods": (["exact"], "name"), "target_se": (0.1, "number")}),
    "bias_curve": (
        ct.bias_curve,
        MODEL | {"methods": (["exact"], "name"), "rng": (0, "rng"), "reach": (4.0, "number")},
    ),
    "aging": (
        ct.aging,
        {"net": MODEL["net"], "noise": MODEL["noise"], "inputs": ([[0.3]], "array"), "targets": ([[0.1]], "array")}
        | {"times": ([0.0, 1.0], "array"), "memory": (ct.PhaseChangeMemory(), "noise"), "compensate": (True, "name")}
        | {"devices": (2, "count"), "rng": (0, "rng")},
    ),
    "devices": (
        ct.devices,
        {"net": MODEL["net"], "noise": MODEL["noise"], "spread": (ct.Spread(0.1), "noise")}
        | {"inputs": ([[0.3]], "array"), "targets": ([[0.1]], "array"), "devices": (2, "count"), "rng": (0, "rng")}
        | {"refit": ("readout", "name")},
    ),
    "PhaseChangeMemory": (
        ct.PhaseChangeMemory,
        {"g_max": (25.0, "number"), "t_0": (20.0, "number"), "t_read": (1e-7, "number")}
        | dict.fromkeys(("programming", "drift", "read"), (1.0, "number")),
    ),
    "Spread": (ct.Spread, dict.fromkeys(("scale", "gain", "threshold", "offset"), ([0.1], "array"))),
    "difference": (
        ct.difference,
        MODEL | SIMULATED | {"other": (NOISE, "noise"), "target_se": (0.1, "number"), "steps": (None, "count")},
    ),
    "escape_times": (
        ct.escape_times,
        {name: MODEL[name] for name in ("net", "noise", "u")}
        | {"method": ("exact", "name"), "relative_error": (0.1, "number"), "rng": (0, "rng"), "workers": (1, "workers")}
        | {"max_steps": (10, "count"), "trajectories": (64, "count")},
    ),
    "latent": (ct.latent, {name: MODEL[name] for name in ("net", "noise", "u")}),
    "memory": (
        ct.memory,
        {name: MODEL[name] for name in ("net", "noise", "u", "start")}
        | {"target": ([0.3], "array"), "steps": (5, "count"), "record_every": (1, "count"), "levels": ([1.0], "array")}
        | {"trajectories": (2, "count"), "rng": (0, "rng"), "workers": (1, "workers"), "method": ("closure", "name")},
    ),
    "fixed_points": (ct.fixed_points, {name: MODEL[name] for name in ("net", "u")}),
    "from_torch": (
        ct.from_torch,
        {"module": ({"weight_hh_l0": np.array([[0.5]])}, None), "names": (None, None), "masks": (None, None)}
        | {"convention": ("torch_rnn", "name"), "alpha": ([1.0], "array"), "sigma": ([0.1], "array")}
        | {"activation": ("relu", "activation"), "dale": ([1.0], "array")},
    ),
    "load_network": (
        lambda **options: ct.load_network(weights(), **{"alpha": 0.5, "activation": "relu"} | options),
        {"path": (None, None), "names": (None, None), "masks": (None, None), "max_bytes": (10_000, "count")}
        | {"convention": ("paper", "name"), "alpha": ([0.5], "array"), "sigma": ([0.1], "array")}
        | {"activation": ("relu", "activation"), "dale": ([1.0], "array")},
    ),
    "noise_free": (ct.noise_free, {name: MODEL[name] for name in ("net", "noise")}),
    "operating_points": (
        ct.operating_points,
        {"net": MODEL["net"], "noise": MODEL["noise"], "where": ([[0.3]], "array"), "rng": (0, "rng")},
    ),
    "orbit": (
        ct.orbit,
        MODEL
        | DRAWN
        | {
            "readout": ([[1.0]], "array"),
            "planes": (3, "count"),
            "neurons": ([0], "array"),
            "factors": ([1.0], "array"),
        }
        | {"steps": (10, "count"), "burn_in": (5, "order"), "trajectories": (64, "count"), "regions": (None, None)},
    ),
    "preference": (
        ct.preference,
        {"net": (WITHOUT_W, "net"), "noise": (NOISE, "noise"), "task": (Feedforward(), "name"), "rng": (0, "rng")}
        | {"noise_levels": ([0.0, 1.0], "array"), "repeats": (3, "count"), "workers": (1, "workers")}
        | {"confidence": (0.9, "number")},
    ),
    "hidden_moments": (
        ct.hidden_moments,
        {"net": MODEL["net"], "inputs": ([[0.3], [0.1]], "array"), "discard": (0, "order"), "method": (None, None)},
    ),
    "readout_theory": (
        ct.readout_theory,
        {"moments": ([[0.3], [0.1]], "array"), "targets": ([0.1, 0.2], "array"), "ridge": (0.1, "number")}
        | {"noise_train": (Noise(outside=0.1), "noise"), "noise_test": (Noise(outside=0.1), "noise")}
        | {"intercept": (False, None)},
    ),
    "register_convention": (
        lambda **options: ct.register_convention("own", lambda net: NOISE, arrays={"W": "J"}, **options),
        {"gamma": (0.5, "number"), "power": (0.5, "number"), "form": ("rate", "name")}
        | dict.fromkeys(("arrays", "equation", "summary", "sources_in_rows", "activation", "ignored"), (None, None)),
    ),
    "save_safetensors": (
        lambda **options: ct.save_safetensors(path="nowhere/file", **options),
        {"net": MODEL["net"], "convention": ("paper", "name"), "path": (None, None)},
    ),
    "simulate": (
        ct.simulate,
        MODEL | DRAWN | {"steps": (5, "count"), "trajectories": (1, "count"), "record_every": (1, "count")},
    ),
    "spectrum": (ct.spectrum, MODEL | {"count": (3, "count"), "tolerance": (1e-6, "number")}),
    "to_arrays": (ct.to_arrays, {"net": MODEL["net"], "convention": ("paper", "name")}),
    "to_torch": (ct.to_torch, {"f": ("relu", "activation")}),
    "train": (
        ct.train,
        {"task": (Feedforward(), "name"), "neurons": (2, "count"), "activation": ("relu", "activation")}
        | {"alpha": (None, "number"), "beta": (None, "number")}
        | {"gamma": (1.0, "number"), "noise": (NOISE, "noise"), "loss": ("simulation", "name"), "popsize": (4, "count")}
        | {"evaluations": (8, "count"), "step": (0.1, "number"), "rng": (0, "rng"), "workers": (1, "workers")}
        | {"method": ("cma", "name")},
    ),
    "derive.derivation": (
        ct.derive.derivation,
        {
            "name": ("bias", "formula"),
            "order": (2, "order"),
            "site": ("inside", "name"),
            "activation": ("exp(x)", "activation"),
        },
    ),
    "derive.kink_bias": (ct.derive.kink_bias, {"part": ("inner", "name"), "site": ("inside", "name")}),
    "derive.kink_bias_value": (
        ct.derive.kink_bias_value,
        dict.fromkeys(("a", "w", "gamma", "sigma"), NUMBERS["w"])
        | {"f": ("relu", "activation"), "site": ("inside", "name")},
    ),
    "derive.neuron_tail_exponent": (
        ct.derive.neuron_tail_exponent,
        dict.fromkeys(("w", "gamma"), (0.5, "number"))
        | {"slopes": ([0.0, 1.0], "array"), "keep": (1.0, "number")}
        | dict.fromkeys(("gain_inside", "gain_outside"), (0.0, "number")),
    ),
    "derive.preferred_noise": (
        ct.derive.preferred_noise,
        {"quantity": ("level", "name"), "site": ("inside", "name"), "order": (2, "order")},
    ),
    "derive.sensitivity": (ct.derive.sensitivity, {"parameter": ("w", "name"), "method": ("mean_field", "name")}),
    "derive.sensitivity_value": (
        ct.derive.sensitivity_value,
        NUMBERS | {"f": (QUIET, "activation"), "parameter": ("w", "name"), "method": ("mean_field", "name")},
    ),
    **{
        f"derive.{name}": (
            getattr(ct.derive, name),
            {"order": (2, "order"), "site": ("inside", "name"), "activation": ("exp(x)", "activation")}
            | {"kind": ("additive", "name")},
        )
        for name in ("small_noise_bias", "small_noise_variance", "small_noise_third_cumulant")
    },
    "derive.small_noise_bias_network": (ct.derive.small_noise_bias_network, {"n": (1, "count")}),
    "derive.small_noise_bias_network_any": (ct.derive.small_noise_bias_network_any, {"n": (1, "count")}),
    "derive.random_multiplier": (
        ct.derive.random_multiplier,
        {"quantity": ("weak", "name"), "site": ("inside", "name")},
    ),
    "derive.readout_noise": (ct.derive.readout_noise, {"quantity": ("variance", "name")}),
    "derive.smoothing": (ct.derive.smoothing, {"f": ("relu", "activation")}),
    "fokker_planck.solve": (ct.fokker_planck.solve, fp()),
    "fokker_planck.evolve": (
        ct.fokker_planck.evolve,
        fp(start=([0.0], "array"), times=([0.0, 1.0], "array"), tolerance=(0.1, "number")),
    ),
    "fokker_planck.Density": (
        lambda axes, widths, values: ct.fokker_planck.Density((axes,), (widths,), values),
        dict.fromkeys(("axes", "widths", "values"), (X, "values")),
    ),
    "fokker_planck.Density.marginal": (DENSITY.marginal, {"axes": ([0], "array")}),
    "testing.assert_bias_formula": (
        bias_formula,
        {"net": MODEL["net"], "noise": MODEL["noise"], "order": (2, "order")}
        | dict.fromkeys(("tolerance", "precision"), (0.1, "number")),
    ),
    "testing.assert_smoothing": (smoothing_of, {"points": ([[0.1, 0.2]], "array"), "tolerance": (0.1, "number")}),
    "testing.assert_stationary": (
        ct.testing.assert_stationary,
        {name: MODEL[name] for name in ("net", "noise", "u")}
        | {"law": (np.zeros((64, 1)), "states"), "tolerance": (0.1, "number"), "rng": (0, "rng")},
    ),
    "testing.activations": (drawn(ct.testing.activations), {"kinks": (1, "order")}),
    "testing.networks": (drawn(ct.testing.networks), {"n": (1, "count")}),
    "testing.noises": (
        drawn(ct.testing.noises),
        {"n": (1, "count"), "sites": (["inside"], "name"), "least": (0.1, "number"), "most": (0.2, "number")},
    ),
    "training.cma_es": (
        lambda **options: ct.training.cma_es(quiet_field, **options),
        {"workers": (1, "workers"), "x0": ([0.0, 0.1], "array"), "sigma0": ([0.1, 0.1], "array"), "rng": (0, "rng")}
        | {"bounds": (None, "name"), "tol": (0.1, "number"), "tolfun": (0.1, "number"), "tolx": (0.1, "number")}
        | dict.fromkeys(("popsize", "maxiter", "maxfev"), (8, "count")),
    ),
    "plotting.density": (
        ct.plotting.density,
        {"density": (DENSITY, None), "states": (np.zeros((5, 1)), "array"), "net": (NET, None), "u": ([0.3], "array")},
    ),
    "plotting.maze": (ct.plotting.maze, {"task": (Maze(), None), "states": (np.zeros((2, 2, 1)), "array")}),
    "plotting.distance_to_nonlinearity": (
        distance_to_nonlinearity,
        {"net": MODEL["net"], "noise": MODEL["noise"], "a": ([0.3], "values")},
    ),
    **{f"training.tasks.{kind.__name__}": (kind, settings_of(kind)) for kind in TASKS.values()},
    **{
        f"predict({method})": (
            lambda method=method, **options: ct.predict(method=method, **options),
            MODEL
            | {
                name: (None if name == "cells" else given.default, option(name, given.default))
                for name, given in list(
                    inspect.signature(import_module(f"ctrnn_theory.stationary.{method}").solve).parameters.items()
                )[4:]
                if not isinstance(given.default, bool)
            },
        )
        for method in ct.METHODS
    },
    **{
        f"evolve({method})": (
            lambda method=method, **options: ct.evolve(method=method, **options),
            MODEL | {"steps": (3, "count"), "record_every": (1, "count")} | more,
        )
        for method, more in {
            "gaussian_closure": {},
            "cumulant_closure": {},
            "simulation": DRAWN | {"trajectories": (64, "count")},
            "fokker_planck": {"tolerance": (0.1, "number"), "cells": (None, "array")},
            "latent": {"tolerance": (0.1, "number")},
        }.items()
    },
}
OTHERS = {
    "activation": "spec",  # below
    "sweep": "spec",  # below
    "evolve": "by method",
    "predict": "by method",
    "register_method": "takes no numbers",
    "cite": "takes nothing",
    "Activation": "made by activation()",
    "Kink": "a result",
}
"""Public callables that are not in CALLS by their name, and why."""
NO_ARGUMENTS_OF_NUMBERS = {
    "progress", "callback", "out", "resume", "ax", "predict", "control_variate", "formula", "F", "fun", "args", "jac",
    "hess", "hessp", "constraints", "vectorized", "resample", "history", "smooth", "bounded", "lipschitz", "stable",
    "activations", "correlated", "form", "kinds", "name", "method", "density", "net", "task", "start", "noise",
    "current", "replace", "factors", "simulate", "smoothed",
}  # fmt: skip
