"""Sweeps over networks that are trained for a task: what they may say, and that a point is what the functions give."""

import json

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.plotting.heatmap import heatmap
from ctrnn_theory.sweeping import dataset, engine
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.sweep import sweep

QUANTITIES = ["preferred", "ratio", "K", "nu", "sigma_c", "squared_bias", "loss", "loss_without_noise"]
GRID = {
    "quantities": QUANTITIES,
    "fixed": {"task": "function", "alpha": 1.5, "beta": 2.0},
    "axes": {"neurons": [8, 64], "sigma": [0.03, 0.5], "site": ["inside", "outside"], "rng": [0, 1, 2]},
}


@pytest.fixture(scope="module")
def whole():
    return sweep(GRID, workers=1)


def test_a_point_is_the_network_that_training_gives(whole):
    for neurons, site, rng in ((8, "outside", 0), (64, "inside", 2)):
        noise = ct.Noise(**{site: 0.5})
        found = ct.train("function", neurons, noise=noise, method="decoders", alpha=1.5, beta=2.0, rng=rng)
        tested = ct.preference(found.network, found.task, noise=noise, repeats=64)
        point = whole.sel(methods="decoders", neurons=neurons, sigma=0.5, site=site, rng=rng)
        for name, true in {"preferred": tested.predicted_preferred, "K": tested.K, "nu": tested.nu}.items():
            assert float(point[name]) == pytest.approx(true, rel=1e-9, abs=1e-15), name
        assert float(point["sigma_c"]) == pytest.approx(float(np.sqrt(point["nu"] / (2.0 * point["K"]))), rel=1e-12)
        for name, level in (("loss", 10), ("loss_without_noise", 0)):
            assert abs(float(point[name]) - tested.loss[level]) < 5.0 * tested.standard_error[level] + 1e-9
        assert float(point["ratio"]) == pytest.approx(tested.ratio, abs=5.0 * tested.ratio_standard_error + 1e-3)
        assert float(point["squared_bias"]) == pytest.approx(float(point["loss"] - point["nu"]), abs=1e-12)


def test_dataset_is_labelled(whole):
    assert whole["preferred"].dims == ("methods", "neurons", "sigma", "site", "rng")
    assert whole["neurons"].dtype.kind == whole["rng"].dtype.kind == "i"
    assert all(whole[name].attrs["long_name"] for name in whole.variables)
    assert not whole["failure"].any()
    ax = heatmap(whole, x="sigma", y="neurons", quantity="preferred", site="inside", rng=1)
    assert ax.get_title() == "relu, noise inside, function, alpha = 1.5, beta = 2, rng = 1, decoders"


def test_noise_outside_is_never_preferred_and_noise_inside_is_above_the_critical_one(whole):
    middle = whole.sel(methods="decoders").median("rng")
    assert np.all(middle["preferred"].sel(site="outside") == 0.0)
    assert np.all(middle["ratio"].sel(site="outside") == 1.0)
    assert middle["preferred"].sel(site="inside", neurons=64, sigma=0.5) > 0.9
    assert middle["preferred"].sel(site="inside", neurons=64, sigma=0.03) < 0.1  # below σ_c


def test_engines_do_not_matter_and_a_cut_sweep_goes_on(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(engine, "LENGTH", 0.05)  # several tasks
    monkeypatch.setattr(engine, "SAMPLED", 1)
    with pytest.raises(KeyboardInterrupt):
        sweep(GRID, 1, tmp_path / "run", progress=cut_after(7))
    seen = []
    assert sweep(GRID, 1, tmp_path / "run", progress=lambda *report: seen.append(report[0])).identical(whole)
    assert seen[0] >= 7
    assert dataset.load(tmp_path / "run").identical(whole)


def cut_after(number):
    def progress(done, total, text):
        if done >= number:
            raise KeyboardInterrupt

    return progress


def test_points_that_cannot_be_are_told():
    found = sweep({"fixed": {"task": "feedforward", "sigma": 0.5}, "axes": {"gamma": [0.5, 1.0], "neurons": [8]}}, 1)
    assert list(found["failure"].values.ravel() > 0) == [True, False]
    assert "gamma must be 1 for feedforward" in json.loads(found["failure"].attrs["reasons"])[0]
    assert np.isnan(found["preferred"].values.ravel()[0])


def test_a_geometric_axis_has_whole_numbers_of_neurons():
    spec = Spec.of({"fixed": {"task": "function", "sigma": 0.5}, "axes": {"neurons": {"geomspace": [8, 4096, 10]}}})
    assert spec.axes["neurons"].values == tuple(2**k for k in range(3, 13))
    assert all(isinstance(value, int) for value in spec.axes["neurons"].values)
    assert spec.axes["neurons"].logarithmic
    assert Spec.of(spec.to_dict()).to_dict() == spec.to_dict() == json.loads(json.dumps(spec.to_dict()))
    assert (
        Spec.of({"fixed": {"w": 0.5}, "axes": {"sigma": {"geomspace": [0.1, 0.4, 3]}}}).axes["sigma"].values[2] == 0.4
    )


TASK = {"fixed": {"task": "function", "neurons": 8}, "axes": {"sigma": [0.5]}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fixed": {"task": "walking", "neurons": 8}}, "task must be one of .*; got 'walking'"),
        ({"fixed": {"task": "function"}}, "what neurons is"),
        ({"axes": {"sigma": [0.5], "w": [0.1]}}, "axes must be out of task, neurons, .*; got 'w'"),
        ({"fixed": {"task": "function", "neurons": 8.5}}, "neurons must be an integer of at least 1; got 8.5"),
        ({"axes": {"sigma": [0.5], "rng": [-1]}}, "rng must be an integer of at least 0; got -1"),
        ({"axes": {"sigma": [0.5], "alpha": [0.0]}}, "alpha must be a positive number; got 0.0"),
        ({"axes": {"sigma": {"geomspace": [0.0, 1.0, 3]}}}, "geomspace of axis sigma must have ends above 0"),
        ({"methods": ["exact"]}, "methods must be different names out of decoders; got 'exact'"),
        ({"quantities": ["mean"]}, "quantities must be different names out of preferred, .*; got 'mean'"),
        ({"options": {"decoders": {"steps": 3}}}, r"options of decoders must be out of \(none\); got 'steps'"),
    ],
)
def test_what_cannot_be_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Spec.of(TASK | changed)
