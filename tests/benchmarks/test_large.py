"""The benchmark of large networks: what it measures, and its table."""

from types import SimpleNamespace

import numpy as np

from benchmarks import kept, large

NAMES = [*large.METHODS, large.SEARCH]


def test_everything_is_measured_alone_and_beside_a_busy_process(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    monkeypatch.setattr(large, "apart", large.measured)
    monkeypatch.setattr(large, "REPEATS", 1)
    monkeypatch.setattr(large, "TARGET", 1e-2)
    monkeypatch.setattr(large, "cores", lambda: 1)
    for name in large.THREADS:  # so that they are restored
        monkeypatch.setenv(name, "1")
    large.main(["--sizes", "12", "--activations", "relu", "--write"])
    (row,) = kept.kept("large")["rows"]
    for found in (row["alone"], row["busy"]):
        assert list(found) == NAMES
        assert all(each["right"] and each["seconds"] > 0.0 for each in found.values())


def test_a_method_that_takes_too_long_is_left_out_of_larger_sizes(monkeypatch):
    asked = []

    def apart(n, activation, left_out):
        asked.append((n, list(left_out)))
        return {"simulation": {"seconds": 0.9 * large.LONGEST, "right": True}}

    monkeypatch.setattr(large, "apart", apart)
    monkeypatch.setattr(large, "cores", lambda: 0)
    large.report([64, 128], ["relu"], lambda text: None)
    assert asked == [(64, []), (64, []), (128, ["simulation"]), (128, ["simulation"])]


def test_a_closure_that_is_far_from_the_simulation_is_wrong():
    def law(mean, error=0.0):
        return SimpleNamespace(mean=np.full(2, mean), standard_error=np.full(2, error), converged=True)

    laws = {"deterministic": law(0.0), "simulation": law(1.0, 1e-3), "gaussian_closure": law(1.01)}
    assert all(large.right(laws).values())
    assert not large.right(laws | {"gaussian_closure": law(1.1)})["gaussian_closure"]


def found(seconds):
    return {"seconds": seconds, "right": True}


ROW = {
    "activation": "tanh",
    "n": 256,
    "alone": {"simulation": found(5.0), "gaussian_closure": found(0.1), "mean_field": found(0.05) | {"right": False}},
    "busy": {"simulation": found(10.0), "gaussian_closure": found(0.21), "mean_field": found(0.05)},
}


def test_table():
    assert (
        large.markdown([ROW]).splitlines()[-1]
        == "| tanh, N = 256 | 5.0 (×2.0) | – | 0.050 (÷100, ×1.0) wrong | – | 0.10 (÷50, ×2.1) | – | – |"
    )
