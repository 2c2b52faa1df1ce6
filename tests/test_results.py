"""Every public result prints in a few lines, and has its plain objects, labelled arrays and picture."""

import inspect
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import xarray
from matplotlib import pyplot as plt

import ctrnn_theory as ct
from ctrnn_theory.support.results import LINES, WIDTH, Drawn, Readable, Result
from tests.test_copies import RESULTS, made, results

KINDS = [name for name in RESULTS if name not in ("fixed points, message", "sweep", "tasks")]
PARTS = {
    "Activation", "ActivationGroup", "Convention", "Convergence", "Dynamics", "Episode", "Factors", "Identity",
    "Kink", "Latent", "LatentCurve", "LatentPoint", "Layout", "MeanPath", "Model", "Origin", "Piece", "Smoothed",
    "Source", "Trials", "Weights",
}  # fmt: skip
"""Public classes that are an input, or a part of a result, and print in a way of their own."""
PICTURES = {
    "Aging", "Audit", "BiasCurve", "BiasReport", "Density", "DensityPath", "Devices", "Difference", "EscapeTimes",
    "Evolution", "LatentField", "OperatingPoints", "Orbit", "Path", "Preference", "ReadoutTheory", "Retention",
    "Solution", "Spectrum", "StationaryLaw", "Training",
}  # fmt: skip
N = 64


def wide():
    rng = np.random.default_rng(0)
    W = 0.5 * rng.standard_normal((N, N)) / np.sqrt(N)
    return ct.CTRNN(W, rng.normal(size=N), "relu", 0.2, rng.normal(size=(N, 2)), rng.normal(size=(2, N)), [0.1, 0.2])


NET, NOISE = wide(), ct.Noise(inside=0.5)
METHODS = ["deterministic", "mean_field", "small_noise", "gaussian_closure", "simulation"]
MANY = {
    "network": lambda: NET,
    "report": lambda: ct.bias(NET, NOISE, methods=METHODS, target_se=1e-2),
    "law": lambda: ct.predict(NET, NOISE),
    "evolution": lambda: ct.evolve(NET, NOISE, steps=20),
    "path": lambda: ct.simulate(NET, NOISE, steps=20, trajectories=3),
    "difference": lambda: ct.difference(NET, NOISE, ct.Noise(inside=0.4), steps=20, trajectories=64),
    "batch means": lambda: ct.batch_means(ct.simulate(NET, NOISE, steps=400).h),
    "operating points": lambda: ct.operating_points(NET, NOISE, [[0.0, 0.0], [1.0, -1.0]]),
    "fixed points": lambda: ct.fixed_points(NET),
}


@pytest.fixture(scope="module")
def many():
    return {name: make() for name, make in MANY.items()}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def check_html(text):
    tree = ET.fromstring(f"<div>{text}</div>")  # well-formed, and so escaped
    assert {element.tag for element in tree.iter()} <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    return "".join(tree.itertext())


def check_repr(found):
    text = repr(found)
    assert len(text.splitlines()) <= LINES
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.startswith(f"{type(found).__name__}: ")
    assert not re.search(r" at 0x|array\(|ctrnn_theory\.", text)


def test_every_result_is_readable():
    others = {kind.__name__ for kind in results() if not issubclass(kind, Readable | ct.training.tasks.Task)}
    assert others <= PARTS
    assert {kind.__name__ for kind in results() if issubclass(kind, Drawn)} == PICTURES


@pytest.mark.parametrize("name", KINDS)
def test_result_prints_in_a_few_lines(name):
    found = made(name)
    if not isinstance(found, Readable):
        pytest.skip("a part of a result")
    check_repr(found)
    assert check_html(found._repr_html_()).startswith(type(found).__name__)
    json.dumps(found.to_dict(), allow_nan=False)
    if isinstance(found, Result):
        table = found.table()
        assert isinstance(table, str)
        assert table in found.table(full=True)  # these have few neurons


@pytest.mark.parametrize("name", KINDS)
def test_result_is_drawn_and_labelled(name):
    found = made(name)
    if isinstance(found, Drawn):
        _, ax = plt.subplots()
        assert found.plot(ax) is ax
        ax.figure.canvas.draw()
        assert isinstance(found.plot(), plt.Axes)
    if hasattr(found, "to_xarray"):
        dataset = found.to_xarray()
        assert isinstance(dataset, xarray.Dataset)
        assert dataset.data_vars
    assert not hasattr(found, "net")


@pytest.mark.parametrize("name", MANY)
def test_many_neurons_are_summarised(many, name):
    found = many[name]
    check_repr(found)
    check_html(found._repr_html_())
    json.dumps(found.to_dict(), allow_nan=False)
    if isinstance(found, Result):
        assert len(found.table().splitlines()) <= 40
    if isinstance(found, Drawn):
        ax = found.plot()
        ax.figure.canvas.draw()
        assert len(ax.texts) <= 8


def test_the_report_of_many_neurons_has_sizes_the_worst_and_the_output(many):
    report = many["report"]
    table, delta = report.table(), report.bias["gaussian_closure"]
    row = next(line for line in table.splitlines() if line.startswith("gaussian_closure"))
    assert f"{np.sqrt(np.mean(delta**2)):.5g}" in row
    i = int(np.argmax(np.abs(delta)))
    assert f" {i}: {delta[i]:+.3g}" in row
    np.testing.assert_allclose(report.output_bias["gaussian_closure"], NET.W_out @ delta)
    assert f"{report.output_bias['gaussian_closure'][0]:+.5g}" in row
    full = report.table(full=True).splitlines()
    assert len(full) > len(METHODS) * N
    last = f"{report.laws['gaussian_closure'].mean[-1]:.8f}"
    assert any(line.split()[:2] == [str(N - 1), last] for line in full)


def test_operating_points_name_the_neurons_near_the_nonlinearity(many):
    points = many["operating points"]
    middle = np.median(np.abs(points.distance), axis=0)
    assert sorted(points.nearest) == list(range(N))
    table = points.table()
    first = points.nearest[0]
    assert any(line.split()[:1] == [str(first)] for line in table.splitlines())
    close = [i for i in range(N) if np.mean(np.abs(points.distance[:, i]) <= 1.0) > 0.5]
    assert f"{len(close)} of {N}" in table
    assert middle[first] <= np.median(middle)
    assert len(points.table(full=True).splitlines()) >= N


def test_what_a_name_holds_is_escaped():
    html = check_html(ct.bias(ct.CTRNN.single(0.5, 0.1, "Piecewise((0, x < 0), (x, True))"), NOISE)._repr_html_())
    assert "&" not in html


def test_json_has_complex_numbers_and_no_functions():
    found = made("spectrum").to_dict()
    assert set(found["eigenvalues"]) == {"real", "imag"}
    assert "functions" not in found


def test_labelled_arrays_have_the_axes_of_the_package(many):
    assert made("path").to_xarray()["h"].dims == ("time", "trajectory", "neuron")
    evolution = many["evolution"].to_xarray()
    assert evolution["mean"].dims == ("time", "neuron")
    assert evolution["output_mean"].shape == (21, 2)
    report = many["report"].to_xarray()
    np.testing.assert_array_equal(report["bias"].sel(methods="mean_field"), many["report"].bias["mean_field"])
    curve = made("curve").to_xarray()
    zeta = made("curve").distance["mean_field"]
    np.testing.assert_array_equal(
        curve["bias"].sel(methods="mean_field", distance=zeta), made("curve").bias["mean_field"]
    )


def test_a_class_says_what_it_is():
    for kind in results():
        if issubclass(kind, Readable):
            assert inspect.getdoc(kind)
            assert "__repr__" not in vars(kind), kind
