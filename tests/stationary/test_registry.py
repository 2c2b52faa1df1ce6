"""The registry of methods, and a ninth method, registered outside the package, wherever methods are read."""

import configparser
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ctrnn_theory as ct
from ctrnn_theory import plotting
from ctrnn_theory.analysis.evolution.evolve import ARGUMENTS as EVOLUTION_ARGUMENTS
from ctrnn_theory.cli.main import main
from ctrnn_theory.escape.escape_times import ARGUMENTS as ESCAPE_ARGUMENTS
from ctrnn_theory.escape.escape_times import ESCAPE_METHODS
from ctrnn_theory.stationary.method import ARGUMENTS, Method, Options, loaded

NET, NOISE = ct.CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2), ct.Noise(inside=0.5)
BUILTIN = ("deterministic", "mean_field", "small_noise", "gaussian_closure")
BUILTIN += ("cumulant_closure", "fokker_planck", "latent", "exact", "simulation")


def second_order(net, noise, u, start, *, factor=1.0):
    """The bias to second order in the noise, for one neuron.

    It is written here, and not taken from the package.
    """
    if net.n > 1:
        raise ct.NotApplicable("second_order is for one neuron")
    w, gamma = net.W[0, 0], net.gamma
    h = ct.predict(net, noise, u, "deterministic", start).mean
    a = net.W @ h + net.drive(u)
    slope, bend = net.activation.derivative(a, 1)[0], net.activation.derivative(a, 2)[0]
    inside, outside = noise.std("inside", 1)[0], noise.std("outside", 1)[0]
    A = 1 - gamma + gamma * w * slope
    variance = gamma**2 * ((slope * inside) ** 2 + outside**2) / (1 - A**2)
    shift = 0.5 * bend * (inside**2 + w**2 * variance) / (1 - w * slope)
    return ct.StationaryLaw(h + factor * shift, [[variance]])


@pytest.fixture
def ninth():
    ct.register_method("second_order", second_order, style={"color": "#123456"})
    yield "second_order"
    ct.METHODS.remove("second_order")


# The registry ---------------------------------------------------------------------------------------------------------


def test_the_ladder_is_a_mapping_that_iterates_over_names():
    assert (tuple(ct.METHODS), len(ct.METHODS), "exact" in ct.METHODS) == (BUILTIN, 9, True)
    assert ct.METHODS["exact"].name == "exact"
    for name, method in ct.METHODS.items():
        assert isinstance(method, Method)
        assert method.name == name
        assert method.builtin
        assert all((method.summary, method.applies, method.label, method.style))
    assert repr(ct.METHODS).count("\n") == 8


@pytest.mark.parametrize("name", ct.METHODS)
def test_functions_of_a_method_are_where_it_says_and_have_options_by_name(name):
    method = ct.METHODS[name]
    assert list(inspect.signature(method.solve).parameters)[:ARGUMENTS] == ["net", "noise", "u", "start"]
    assert "net" not in method.options.names
    functions = ((method.neurons, 1), (method.evolution, EVOLUTION_ARGUMENTS), (method.escape, ESCAPE_ARGUMENTS))
    for function, arguments in functions:
        if function is not None:
            Options.of(loaded(function), arguments)
    with pytest.raises(ValueError, match=rf"^option of {name} must be one of .*; got 'nothing'$"):
        ct.predict(NET, NOISE, method=name, nothing=1)


def test_options_are_what_can_be_given_by_name():
    def function(a, b, c=0, *, d, **others):
        pass

    assert Options.of(function, 2) == (("c", "d"), True, ("d",))
    assert Options.of(lambda a, /, b, *c: 0, 1) == (("b",), False, ("b",))
    assert Options(("rng",), True).chosen({"rng": 1, "workers": 2}) == {"rng": 1}
    with pytest.raises(ValueError, match=r"^function must take 4 arguments by position; got "):
        Options.of(function, 4)


def test_escape_methods_are_those_of_the_ladder_and_kramers():
    assert list(ESCAPE_METHODS) == ["fokker_planck", "latent", "exact", "simulation", "kramers"]
    assert ESCAPE_METHODS["exact"] is ct.METHODS["exact"]
    assert "kramers" not in ct.METHODS


def test_the_contract_of_independence_names_every_method():
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[2] / "setup.cfg")
    named = parser["importlinter:contract:methods"]["modules"].split()
    assert {method.solver.partition(":")[0] for method in ct.METHODS.values()} == set(named)


# A ninth method -------------------------------------------------------------------------------------------------------


def test_it_is_one_of_the_methods(ninth):
    assert list(ct.METHODS) == [*BUILTIN, ninth]
    assert ct.METHODS[ninth].summary == "The bias to second order in the noise, for one neuron."
    law = ct.predict(NET, NOISE, method=ninth)
    ours = ct.predict(NET, NOISE, method="small_noise")
    assert law.method == ninth
    assert law.seconds > 0.0
    np.testing.assert_allclose(law.mean, ours.mean, rtol=1e-12)
    np.testing.assert_allclose(law.covariance, ours.covariance, rtol=1e-12)
    assert ct.predict(NET, NOISE, method=ninth, factor=2.0).mean[0] != law.mean[0]
    with pytest.raises(ValueError, match=r"^option of second_order must be one of factor; got 'order'$"):
        ct.predict(NET, NOISE, method=ninth, order=2)
    with pytest.raises(
        ValueError, match=r"^method must be one of deterministic, .*, simulation, second_order; got 'x'$"
    ):
        ct.predict(NET, NOISE, method="x")


def test_it_is_in_the_report(ninth):
    report = ct.bias(NET, NOISE, methods=ct.METHODS, target_se=1e-2)
    assert list(report.laws) == [*BUILTIN, ninth]
    assert any(line.startswith(ninth) for line in report.table().splitlines())
    assert json.loads(json.dumps(report.to_dict()))["methods"][ninth]["bias"] == report.bias[ninth].tolist()
    pair = ct.CTRNN(np.zeros((2, 2)), np.zeros(2), "tanh", 0.2)
    assert ct.bias(pair, NOISE, methods=[ninth]).refused == {ninth: "second_order is for one neuron"}


def test_it_is_in_pictures_in_a_style_of_its_own(ninth):
    ax = ct.bias(NET, NOISE, methods=["small_noise", ninth]).plot()
    line = next(line for line in ax.lines if line.get_label() == "second order")
    assert line.get_color() == "#123456"
    plt.close("all")
    ct.register_method("tenth", second_order)
    ct.register_method("eleventh", second_order)
    try:
        colours = [style["color"] for style in plotting.STYLE.values()]
        assert len(set(colours)) == len(colours) == len(plotting.STYLE) == 13
        assert set(plotting.STYLE["tenth"]) == {"color", "linestyle", "marker"}
    finally:
        ct.METHODS.remove("tenth")
        ct.METHODS.remove("eleventh")


@pytest.mark.parametrize("n", [1, 2])
def test_results_are_drawn_where_their_method_is_not_registered(n):
    ct.register_method("gone", lambda net, noise, u, start: ct.StationaryLaw(np.full(n, 0.1), np.eye(n)))
    net = ct.CTRNN(np.zeros((n, n)), np.zeros(n), "tanh", 0.2)
    results = [ct.bias(net, NOISE, methods=["gone", "mean_field"]), ct.predict(net, NOISE, method="gone")]
    if n == 1:
        results.append(ct.bias_curve(net, NOISE, methods=["gone"], reach=1.0))
    ct.METHODS.remove("gone")
    for result in pickle.loads(pickle.dumps(results)):
        result.plot()
        assert "gone" in result.table()
    assert "gone" in [text.get_text() for text in results[0].plot().get_legend().get_texts()]
    plt.close("all")


def test_it_is_in_curves(ninth):
    curve = ct.bias_curve(NET, NOISE, methods=["small_noise", ninth], reach=1.0)
    np.testing.assert_allclose(curve.bias[ninth], curve.bias["small_noise"], rtol=1e-9)


def test_the_command_line_lists_it(ninth, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["list", "methods"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("second_order      The bias to second order")


SWEEP = {
    "fixed": {"activation": "softplus", "w": -1.0, "gamma": 0.2},
    "axes": {"b": np.linspace(0.0, 0.5, 60).tolist(), "sigma": [0.1, 0.5], "site": ["inside", "outside"]},
}


def test_sweeps_take_it_here_and_in_other_processes(ninth, tmp_path):
    spec = SWEEP | {"methods": ["small_noise", ninth], "options": {ninth: {"factor": 1.0}}}
    here = ct.sweep(spec, workers=1)
    ours, own = (here["mean"].sel(methods=name).values for name in ("small_noise", ninth))
    np.testing.assert_allclose(own, ours, rtol=1e-12)
    there = ct.sweep(spec, workers=2, out=tmp_path / "run")
    assert here["mean"].identical(there["mean"])
    assert json.loads((tmp_path / "run" / "sweep.json").read_text())["spec"]["methods"] == ["small_noise", ninth]
    with pytest.raises(ValueError, match="options of second_order must be out of factor; got 'order'"):
        ct.sweep(spec | {"options": {ninth: {"order": 2}}})


SCRIPT = """
import sys, time
import ctrnn_theory as ct

SHIFT = 0.25

def shifted(net, noise, u, start, rng=0):
    time.sleep(0.05)          # so that there is work for two processes
    law = ct.predict(net, noise, u, "deterministic", start)
    return ct.StationaryLaw(law.mean + SHIFT, law.covariance)

def twice(net, noise, u, start):
    law = ct.predict(net, noise, u, "shifted", start)
    return ct.StationaryLaw(law.mean + SHIFT, law.covariance)

ct.register_method("shifted", shifted, summary="the fixed point, shifted")
ct.register_method("twice", twice)
axes = {"b": [0.01 * i for i in range(60)]}
spec = {"fixed": {"w": 0.0, "sigma": 0.5}, "axes": axes, "methods": ["shifted", "twice"]}
if __name__ == "__main__":
    workers = {"workers": 2}
    if sys.argv[1] == "dask":
        from distributed import Client, LocalCluster

        workers = {"dask": Client(LocalCluster(2, threads_per_worker=1, dashboard_address=None))}
    found = ct.sweep(spec, **workers)
    print((found["bias"] - 0.25).max("b").values.tolist(), int((found["failure"] > 0).sum()))
"""


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_other_processes_learn_of_the_methods_of_a_script(tmp_path, engine):
    if engine == "dask":
        pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script, engine], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split("] ")[1] == "0\n"
    np.testing.assert_allclose(json.loads(done.stdout.split("] ")[0] + "]"), [0.0, 0.25], atol=1e-12)


def test_a_method_is_pickled_with_its_function():
    local = 3.0
    method = Method("own", "three", lambda net, noise, u, start, *, order=2: local)
    again = pickle.loads(pickle.dumps(method))
    assert (again.solve(1, 2, 3, 4), again.options.names, again.builtin) == (3.0, ("order",), False)
    exact = pickle.loads(pickle.dumps(ct.METHODS["exact"]))
    assert exact.solve is ct.METHODS["exact"].solve


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "two words", "3rd", "class", None, 3])
def test_a_name_must_be_an_identifier(name):
    with pytest.raises(ValueError, match=r"^name must be an identifier; got "):
        ct.register_method(name, second_order)


def test_a_name_must_be_free(ninth):
    for name in ("exact", "kink_block"):
        for replace in (False, True):
            with pytest.raises(ValueError, match=rf"^name must not be one that the package uses; got '{name}'$"):
                ct.register_method(name, second_order, replace=replace)
    with pytest.raises(ValueError, match=r"^name must be new unless replace is True; got 'second_order'$"):
        ct.register_method(ninth, second_order)
    ct.register_method(ninth, lambda *four: None, summary="another", replace=True)
    assert ct.METHODS[ninth].summary == "another"
    assert list(ct.METHODS)[-1] == ninth


def test_a_solver_must_be_a_function_of_four_arguments():
    for solve, message in ((3, "solve must be a function of "), (lambda net: 0, "solve must take 4 arguments ")):
        with pytest.raises(ValueError, match=rf"^{message}.*; got "):
            ct.register_method("own", solve)
    with pytest.raises(ValueError, match=r"^style must be a mapping of keywords; got 'red'$"):
        ct.register_method("own", second_order, style="red")
    assert "own" not in ct.METHODS


def test_options_of_a_solver_have_defaults_since_reports_give_none():
    for solve in (lambda net, noise, u, start, order: None, lambda net, noise, u, start, *, order: None):
        with pytest.raises(ValueError, match=r"^options of solve must have defaults; got 'order' without one$"):
            ct.register_method("own", solve)
    assert "own" not in ct.METHODS


def test_methods_of_the_package_cannot_be_removed():
    with pytest.raises(ValueError, match=r"^method must be one that was added later to be removed; got 'exact'$"):
        ct.METHODS.remove("exact")
    assert tuple(ct.METHODS) == BUILTIN


@pytest.mark.parametrize("covariance", [[[np.inf, 1.0], [np.inf, 2.0]], np.full((2, 2), np.inf), np.zeros((2, 3))])
def test_a_law_that_is_no_law_is_held_without_a_warning(covariance):
    law = ct.StationaryLaw(np.zeros(2), covariance)
    np.testing.assert_array_equal(law.covariance, covariance)


@pytest.mark.parametrize("n", [1, 9])
def test_what_a_method_does_not_know_is_blank_in_a_table(n):
    ct.register_method(
        "own", lambda net, noise, u, start: ct.StationaryLaw(np.full(n, np.nan), np.full((n, n), np.nan))
    )
    try:
        net = ct.CTRNN(np.zeros((n, n)), np.zeros(n), "tanh", 0.2)
        report = ct.bias(net, NOISE, methods=["simulation", "own"], rng=0)
        row = next(line for line in report.table().splitlines() if line.startswith("own "))
        assert row.count("nan") == (1 if n == 1 else 0)  # the mean alone
    finally:
        ct.METHODS.remove("own")


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (None, "own must return a StationaryLaw; got None"),
        (ct.StationaryLaw(np.zeros(2), np.eye(1)), r"mean by own must have shape \(1,\); got \(2,\)"),
        (ct.StationaryLaw(np.zeros(1), np.eye(2)), r"covariance by own must have shape \(1, 1\); got \(2, 2\)"),
        (
            ct.StationaryLaw(np.zeros(1), np.eye(1), standard_error=np.zeros(3)),
            r"standard_error by own must have shape \(1,\); got \(3,\)",
        ),
    ],
)
def test_what_a_solver_returns_is_checked(law, message):
    ct.register_method("own", lambda net, noise, u, start: law, summary="wrong")
    try:
        with pytest.raises(ValueError, match=rf"^{message}$"):
            ct.predict(NET, NOISE, method="own")
    finally:
        ct.METHODS.remove("own")


def test_a_solver_that_takes_any_options_is_given_them():
    given = {}

    def solve(net, noise, u, start, **options):
        given.update(options)
        return ct.StationaryLaw(np.zeros(1), np.zeros((1, 1)))

    ct.register_method("own", solve)
    try:
        assert ct.predict(NET, NOISE, method="own", anything=1).method == "own"
        assert given == {"anything": 1}
        given.clear()
        ct.bias(NET, NOISE, methods=["own"])
        assert given == {}
    finally:
        ct.METHODS.remove("own")


def test_numbers_too_large_to_be_squared_are_tabled_without_a_warning():
    ct.register_method("own", lambda net, noise, u, start: ct.StationaryLaw(np.full(9, 1e300), np.eye(9)))
    try:
        report = ct.bias(ct.CTRNN(np.zeros((9, 9)), np.zeros(9), "tanh", 0.2), NOISE, methods=["own"])
        assert next(line for line in report.table().splitlines() if line.startswith("own ")).split()[1] == "inf"
    finally:
        ct.METHODS.remove("own")
