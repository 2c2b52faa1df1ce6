"""Whole sweeps: every engine gives the same numbers, failures are reported, folders are guarded."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.dynamics.fixed_points import fixed_points
from ctrnn_theory.plotting.heatmap import heatmap
from ctrnn_theory.sweeping import dataset, engine
from ctrnn_theory.sweeping.batch import Task, evaluate
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.sweep import sweep

SMALL = {
    "seed": 4,
    "methods": ["mean_field", "small_noise", "simulation"],
    "quantities": ["mean", "bias", "variance", "standard_error", "loss", "converged"],
    "fixed": {"activation": "tanh", "gamma": 0.5, "b": 0.3},
    "axes": {"w": [-0.5, 0.6], "sigma": [0.2, 0.7, 1.1], "site": ["inside", "outside"]},
    "options": {"simulation": {"steps": 200, "trajectories": 64}},
}


@pytest.fixture(scope="module")
def whole():
    return sweep(SMALL, workers=1)


def test_dataset_is_labelled(whole):
    assert whole["bias"].dims == ("methods", "w", "sigma", "site")
    assert whole["bias"].sizes["sigma"] == 3
    assert json.loads(whole.attrs["spec"]) == json.loads(json.dumps(SMALL | {"methods": list(whole.methods.values)}))
    assert {whole[name].attrs["units"] for name in ("w", "sigma", "mean", "bias", "variance", "loss")} == {"1"}
    assert all(whole[name].attrs["long_name"] for name in whole.variables)
    assert not whole["failure"].any()


@pytest.mark.parametrize(
    ("method", "options"), [("mean_field", {}), ("small_noise", {}), ("simulation", SMALL["options"]["simulation"])]
)
def test_values_are_those_of_predict(whole, method, options):
    for w in (-0.5, 0.6):
        for site in ("inside", "outside"):
            net, noise = CTRNN.single(w, 0.3, "tanh", 0.5), Noise(**{site: 0.7})
            point = whole.sel(methods=method, w=w, sigma=0.7, site=site)
            if method == "simulation":
                error = float(point["standard_error"])
                law = predict(net, noise, method="exact")
                assert 0.0 < error < 0.05
                assert abs(point["mean"] - law.mean[0]) < 6.0 * error
                assert abs(point["variance"] - law.covariance[0, 0]) < 0.2 * law.covariance[0, 0]
            else:
                law = predict(net, noise, method=method, **options)
                assert np.isclose(point["mean"], law.mean[0], rtol=1e-12)
                assert np.isclose(point["variance"], law.covariance[0, 0], rtol=1e-9)
                assert np.isnan(point["standard_error"])
            (rest,) = (p for p in fixed_points(net) if p.stable)
            assert np.isclose(point["bias"], point["mean"] - rest.state[0], rtol=0, atol=1e-12)
            assert np.isclose(point["loss"], point["bias"] ** 2 + point["variance"], rtol=1e-12)


def test_methods_share_a_stream_and_seeds_differ(whole):
    other = sweep(SMALL | {"seed": 5}, workers=1)
    assert not np.any(other["mean"].sel(methods="simulation") == whole["mean"].sel(methods="simulation"))
    assert other["mean"].sel(methods="mean_field").identical(whole["mean"].sel(methods="mean_field"))
    alone = sweep(SMALL | {"methods": ["simulation"], "axes": SMALL["axes"] | {"sigma": [0.7]}}, workers=1)
    assert np.array_equal(alone["mean"][0, :, 0], whole["mean"].sel(methods="simulation", sigma=0.7))


def test_engines_do_not_matter(whole, monkeypatch):
    monkeypatch.setattr(engine, "LENGTH", 0.05)  # several tasks
    monkeypatch.setattr(engine, "SAMPLED", 2)
    assert sweep(SMALL, workers=2).identical(whole)
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's error state is by thread
        assert sweep(SMALL, workers=pool.map).identical(whole)
    monkeypatch.setattr(engine, "LENGTH", 1e-9)  # a task for each point
    assert sweep(SMALL, workers=1).identical(whole)


@pytest.mark.parametrize("form", ["netcdf", "zarr"])
def test_dataset_is_kept(tmp_path, whole, form):
    assert sweep(SMALL, 1, tmp_path / "run", format=form).identical(whole)
    xarray.testing.assert_identical(dataset.load(tmp_path / "run"), whole)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        ".lock",
        "points.bin",
        "sweep.json",
        dataset.FILES[form],
    }


class Cut(Exception):
    pass


def test_cut_off_sweep_goes_on(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(engine, "SAMPLED", 1)
    monkeypatch.setattr(engine, "LENGTH", 1e-9)
    finished = []

    def until(number):
        def progress(done, total, text):
            finished.append(done)
            if done >= number:
                raise Cut

        return progress

    for number in (13, 20, 29):
        with pytest.raises(Cut):
            sweep(SMALL, 1, tmp_path / "run", progress=until(number))
    monkeypatch.setattr(engine, "LENGTH", 1.0)
    seen = []
    assert sweep(SMALL, 1, tmp_path / "run", progress=lambda *report: seen.append(report)).identical(whole)
    counts = [done for done, _, _ in seen]
    assert counts[0] == finished[-1]  # nothing was lost
    assert counts == sorted(set(counts))
    assert seen[-1] == (36, 36, "")
    calls = []
    monkeypatch.setattr(engine, "evaluate", lambda *call: calls.append(call))
    assert sweep(SMALL, 1, tmp_path / "run").identical(whole)
    assert not calls


def test_points_that_fail_are_told():
    spec = {
        "methods": ["mean_field", "exact", "fokker_planck"],
        "fixed": {"b": 0.1, "sigma_out": 0.1},
        "axes": {"w": [0.5, 2.0, 3.0, 4.0], "sigma_in": [0.2, 0.4]},
    }
    found = sweep(spec, workers=1)
    reasons = dataset.failures(found)
    assert sum(reasons.values()) == 18
    assert np.array_equal(found["failure"] > 0, np.broadcast_to(found["w"].values[:, None] > 1, (3, 4, 2)))
    assert found["mean"].where(found["failure"] > 0).isnull().all()
    assert np.isfinite(found["bias"].sel(w=0.5)).all()
    assert not found["converged"].where(found["failure"] > 0, False).any()
    same = "W must let the state return from far out; w times the slope of relu there is 2, "
    assert sum(reason.startswith(same) for reason in reasons) == 1  # reasons that differ in numbers are one
    assert sweep(spec, workers=2).identical(found)


def test_a_method_that_breaks_does_not_end_the_sweep(monkeypatch):
    from ctrnn_theory.sweeping import batch

    predict = batch.predict

    def breaks(net, noise, u, method, **options):
        if noise.inside == 0.7:
            raise MemoryError("no room")
        return predict(net, noise, u, method, **options)

    monkeypatch.setattr(batch, "predict", breaks)
    spec = {"methods": ["exact"], "fixed": {"w": 0.5}, "axes": {"sigma_in": [0.2, 0.7, 0.9]}}
    found = sweep(spec, workers=1)
    assert dataset.failures(found) == {"MemoryError: no room": 1}
    assert found["failure"].values.tolist() == [[0, 1, 0]]


def test_network_has_neurons_and_a_readout(tmp_path):
    net = CTRNN([[0.4, -0.3], [0.5, 0.1]], [0.2, -0.1], "softplus", 0.2, [[1.0], [-0.5]], [[1.0, -2.0]])
    spec = {
        "quantities": ["mean", "bias", "variance", "loss"],
        "fixed": {"network": net, "sigma_out": 0.3},
        "axes": {"scale": [0.5, 1.0], "u": [0.0, 0.7], "sigma_in": [0.2, 0.6]},
    }
    found = sweep(spec, 1, tmp_path / "run")
    assert found["mean"].dims == ("methods", "scale", "u", "sigma_in", "neuron")
    half = CTRNN(0.5 * net.W, net.b, "softplus", 0.2, net.W_in, net.W_out)
    law = predict(half, Noise(0.6, 0.3), [0.7])
    point = found.sel(scale=0.5, u=0.7, sigma_in=0.6).isel(methods=0)
    assert np.allclose(point["mean"], law.mean, rtol=1e-12)
    assert np.allclose(point["variance"], np.diag(law.covariance), rtol=1e-9)
    (rest,) = fixed_points(half, [0.7])
    assert np.allclose(point["bias"], law.mean - rest.state, rtol=0, atol=1e-10)
    shift, V = net.W_out @ (law.mean - rest.state), net.W_out @ law.covariance @ net.W_out.T
    assert np.isclose(point["loss"], shift @ shift + V[0, 0], rtol=1e-9)
    xarray.testing.assert_identical(dataset.load(tmp_path / "run"), found)


def test_numbers_of_networks_do_not_depend_on_the_batch():
    rng = np.random.default_rng(3)
    W, W_out = 0.3 * rng.standard_normal((7, 7)), rng.standard_normal((3, 7))
    net = CTRNN(W, rng.standard_normal(7), "relu", 0.3, None, W_out)
    fixed, axes = {"network": net, "site": "inside"}, {"scale": [0.2, 0.7, 1.1], "sigma": [0.2, 0.5, 0.6]}
    spec = Spec.of({"quantities": ["mean", "bias", "variance", "loss"], "fixed": fixed, "axes": axes})
    whole = evaluate(spec, Task(0, np.arange(9))).rows
    parts = [evaluate(spec, Task(0, np.arange(i, i + 1))).rows for i in range(9)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_large_grids_are_asked_about(monkeypatch, tmp_path):
    spec = {"fixed": {"w": 0.5}, "axes": {"sigma": {"linspace": [0, 1, 500]}, "b": {"linspace": [0, 1, 500]}}}
    with pytest.raises(ValueError, match=r"unless yes is given; got 250000 points by 1 method, about .* of one core"):
        sweep(spec, 1, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("ctrnn_theory.sweeping.sweep.MOST", 11)
    spec["axes"] = {"sigma": [0.1, 0.2, 0.3], "b": [0.0, 0.1, 0.2, 0.3]}
    assert sweep(spec, 1, yes=True)["bias"].shape == (1, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers must be an integer of at least 1; got 0"),
        ({"workers": 2, "dask": "tcp://127.0.0.1:1"}, "workers must be None with dask; got 2"),
        ({"format": "hdf5"}, "format must be one of netcdf, zarr; got 'hdf5'"),
        ({"out": "/sys/run"}, "out must be a folder that can be written; got /sys/run"),
        ({"out": "/nowhere/run"}, "out must be a folder, in one that exists; got /nowhere/run"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sweep({"fixed": {"w": 0.5}, "axes": {"sigma": [0.1]}}, **arguments)


def test_a_sweep_without_axes_is_one_point():
    found = sweep({"fixed": {"w": 0.5, "b": 0.1, "sigma": 0.5}}, workers=1)
    assert found["bias"].dims == ("methods",)
    assert found["bias"].values.round(4).tolist() == [0.177]


def test_what_is_of_the_machine_is_no_failure_of_a_point(monkeypatch):
    from ctrnn_theory.sweeping import batch

    def interrupted(*arguments, **options):
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    spec = {"methods": ["exact"], "fixed": {"w": 0.5}, "axes": {"sigma": [0.2, 0.7]}}
    monkeypatch.setattr(batch, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(spec, workers=1)

    def full(*arguments, **options):
        raise OSError("no space left")

    monkeypatch.setattr(batch, "predict", full)
    with pytest.raises(OSError, match="no space left"):
        sweep(spec, workers=1)


def test_a_map_that_loses_results_is_noticed():
    spec = {"methods": ["mean_field"], "fixed": {"w": 0.5}, "axes": {"sigma": {"linspace": [0.0, 1.0, 40_000]}}}
    with pytest.raises(ValueError, match=r"workers must give a result for each task; .* of 40000 points are missing"):
        sweep(spec, lambda function, tasks: [])


def test_one_neuron_of_a_network_can_be_drawn():
    net = CTRNN([[0.4, -0.3], [0.5, 0.1]], [0.2, -0.1], "relu", 0.2)
    axes = {"scale": [0.5, 1.0], "sigma_in": [0.2, 0.6]}
    found = sweep({"quantities": ["bias"], "fixed": {"network": net, "sigma_out": 0.3}, "axes": axes}, workers=1)
    ax = heatmap(found, "sigma_in", "scale", "bias", neuron=1)
    np.testing.assert_array_equal(ax.collections[0].get_array(), found["bias"].values[0, :, :, 1])
    with pytest.raises(ValueError, match="neuron must be one of 0, 1; got 7"):
        heatmap(found, "sigma_in", "scale", "bias", neuron=7)


def test_options_that_say_the_same_continue_a_sweep(tmp_path):
    spec = {"methods": ["simulation"], "fixed": {"w": 0.5}, "axes": {"sigma": [0.2]}}
    options = {"simulation": {"steps": np.int64(100), "trajectories": 64}}
    sweep(spec | {"options": options}, workers=1, out=tmp_path / "run")
    options = {"simulation": {"trajectories": 64, "steps": 100}}
    sweep(spec | {"options": options}, workers=1, out=tmp_path / "run")
    with pytest.raises(ValueError, match=r"differs in options\.simulation\.steps \(100 there, 100\.0 here\)"):
        sweep(spec | {"options": {"simulation": {"steps": 100.0, "trajectories": 64}}}, workers=1, out=tmp_path / "run")
