"""The caller's floating-point settings, and other global state, neither matter nor change."""

import locale
import signal
import warnings

import matplotlib
import numpy as np
import pytest
import scipy.sparse  # noqa: F401  (its import adds a filter of warnings)

import ctrnn_theory as ct
from ctrnn_theory import derive
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.support.floating import guarded

matplotlib.use("Agg")
NET = ct.CTRNN.single(-25.0, 5.0, "hardtanh", 0.1)  # densities and noise underflow all over
BISTABLE = ct.CTRNN.single(1.5, 0.0, "tanh", 0.1)
PAIR = ct.CTRNN([[0.5, -0.6], [0.4, 0.3]], [0.5, 0.2], "softplus", 0.1, W_out=[[1.0, 0.0]])
NOISE = ct.Noise(inside=0.1)


def own_density():
    density = ct.fokker_planck.solve("x - x**3", "exp(-9*x*x)/5 + 1e-9", (-3, 3)).density
    return density.weights.sum(), density.mean, density.covariance, density.plot()


CALLS = {
    "closures": lambda: [ct.predict(PAIR, ct.Noise(1e3), method=m) for m in ("gaussian_closure", "cumulant_closure")],
    "fokker_planck": lambda: ct.predict(NET, NOISE, method="fokker_planck"),
    "exact": lambda: ct.predict(NET, NOISE, method="exact"),
    "simulation": lambda: ct.predict(NET, NOISE, method="simulation", target_se=1e-2),
    "bias": lambda: ct.bias(NET, NOISE, methods=["mean_field", "gaussian_closure"]).table(),
    "evolve": lambda: ct.evolve(NET, NOISE, steps=50, record_every=25, method="fokker_planck").plot(),
    "evolve, pair": lambda: ct.evolve(PAIR, ct.Noise(0.5), steps=10, method="gaussian_closure").output_covariance,
    "simulate": lambda: ct.simulate(PAIR, NOISE, None, 50),
    "escape times": lambda: ct.escape_times(BISTABLE, ct.Noise(outside=0.5), method="fokker_planck"),
    "spectrum": lambda: ct.spectrum(ct.CTRNN.single(0.5, 0.1, "relu", 0.5), ct.Noise(inside=0.5)),
    "fixed points": lambda: (ct.fixed_points(BISTABLE), ct.noise_free(BISTABLE, NOISE)),
    "own density": own_density,
    "own path": lambda: ct.fokker_planck.evolve("-x", 0.01, (-3, 4), [1.0], [0.0, 1.0]),
    "own path of two": lambda: ct.fokker_planck.solve(["-x", "-y"], 0.01, [(-4, 4)] * 2, cells=32),
    "training": lambda: ct.train("function", neurons=4, evaluations=40, rng=0),
}


def state():
    return (
        np.geterr(),
        list(warnings.filters),
        dict(matplotlib.rcParams),
        locale.setlocale(locale.LC_ALL),
        [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        repr(np.random.get_state()),  # noqa: NPY002
    )


@pytest.mark.parametrize("name", CALLS)
def test_settings_of_the_caller_neither_matter_nor_change(name):
    with np.errstate(all="raise"):
        before = state()
        CALLS[name]()
        assert state() == before


@pytest.mark.parametrize("name", BUILTIN)
def test_activations_at_extreme_arguments(name):
    f = ct.activation(name)
    x = np.array([-1e308, -800.0, -1e-300, 0.0, 5e-324, 40.0, 800.0, 1e308, np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        expected = f(x)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a square overflows: NumPy's default is to say so
        np.testing.assert_array_equal(f(x), expected)
        f.derivative(x)
        for s in (1e-300, 1e-9, 1.0, 1e3):
            f.smoothed([-50.0, 0.0, 50.0], s)
            f.smoothed_variance([-50.0, 0.0, 50.0], s)


def test_functions_of_a_derivation():
    shift = derive.derivation("bias", order=2).lambdified("w", "f1", "f2", "sigma", "gamma")
    with np.errstate(all="raise"):
        assert shift(0.5, 1.0, 1e-200, 1e-200, 0.1) == 0.0


def test_a_class_is_guarded_in_all_its_public_parts():
    @guarded
    class Tail:
        def method(self):
            return np.exp(np.float64(-1e4))

        @property
        def value(self):
            return np.exp(np.float64(-1e4))

        @classmethod
        def made(cls):
            return np.exp(np.float64(-1e4))

    with np.errstate(all="raise"):
        assert (Tail().method(), Tail().value, Tail.made()) == (0.0, 0.0, 0.0)
        with pytest.raises(FloatingPointError):
            np.exp(np.float64(-1e4))
