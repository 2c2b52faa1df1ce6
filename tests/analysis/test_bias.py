import json

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ctrnn_theory as ct

USUAL = tuple(name for name in ct.METHODS if name != "latent")  # for up to three neurons, whose chain is exact's


@pytest.fixture(scope="module")
def report():
    net = ct.CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    return ct.bias(net, ct.Noise(inside=0.5), target_se=1e-4)


def test_every_method_has_its_row(report):
    assert tuple(report.laws) == USUAL
    assert report.fixed_point == pytest.approx([0.2])
    assert report.bias["deterministic"] == pytest.approx([0.0])
    assert report.reference == "exact"
    table = report.table()
    for name in USUAL:
        assert any(line.startswith(name) for line in table.splitlines())


def test_methods_agree_as_the_theory_says(report):
    exact = report.bias["exact"][0]
    assert exact == pytest.approx(0.1770394962, abs=1e-9)
    assert report.bias["gaussian_closure"][0] == pytest.approx(exact, rel=0.02)
    assert report.bias["mean_field"][0] == pytest.approx(exact, rel=0.1)
    simulation = report.laws["simulation"]
    assert abs(simulation.mean[0] - report.laws["exact"].mean[0]) < 5 * simulation.standard_error[0]
    assert simulation.standard_error[0] <= 1e-4


def test_json_has_the_fields_of_the_contract(report):
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["activation"] == "relu"
    assert data["network"] == {"W": [[0.5]], "b": [0.1], "gamma": 0.1}
    assert data["noise"] == {"inside": 0.5, "outside": 0.0}
    assert data["fixed_point"] == pytest.approx([0.2])
    for name in USUAL:
        row = data["methods"][name]
        assert set(row) == {"mean", "covariance", "bias", "standard_error", "converged", "message", "seconds"}
    assert np.shape(data["methods"]["exact"]["covariance"]) == (1, 1)
    assert data["methods"]["exact"]["standard_error"] is None


def test_same_seed_same_report():
    net, noise = ct.CTRNN.single(w=-1.0, b=0.2, activation="tanh"), ct.Noise(outside=0.5)
    one, two = (ct.bias(net, noise, methods=["simulation"], rng=7, workers=w) for w in (1, 2))
    np.testing.assert_array_equal(one.laws["simulation"].mean, two.laws["simulation"].mean)
    other = ct.bias(net, noise, methods=["simulation"], rng=8)
    assert other.laws["simulation"].mean != one.laws["simulation"].mean


def test_a_refused_method_shows_its_reason():
    report = ct.bias(ct.CTRNN(np.zeros((4, 4)), 0.1), ct.Noise(0.5), methods=["exact", "mean_field"])
    assert "exact" in report.refused
    assert f"exact: not applicable: {report.refused['exact']}" in report.table()
    row = report.to_dict()["methods"]["exact"]
    assert row["mean"] is None
    assert not row["converged"]


def test_exact_of_three_neurons_waits_to_be_asked_for():
    net, noise = ct.CTRNN(np.zeros((3, 3)), 0.1, "identity", 1.0), ct.Noise(0.5)
    report = ct.bias(net, noise)
    assert set(report.laws) == set(USUAL) - {"exact"}
    assert "unless methods name it" in report.table()
    assert set(ct.bias(net, noise, methods=["exact"]).laws) == {"exact"}


def test_a_tiny_bias_is_shown_with_its_digits():
    report = ct.bias(ct.CTRNN.single(-1.0, 0.0, "softplus"), ct.Noise(1e-4), methods=["small_noise", "exact"])
    row = next(line for line in report.table().splitlines() if line.startswith("exact"))
    assert float(row.split()[2]) == pytest.approx(report.bias["exact"][0], rel=1e-5)


def test_one_row_for_each_neuron():
    net = ct.CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "relu")
    lines = ct.bias(net, ct.Noise(0.5), methods=["mean_field", "gaussian_closure"]).table().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("gaussian_closure"))
    assert lines[first].split()[1] == "0"
    assert lines[first + 1].split()[0] == "1"


def test_other_attractors_are_reported():
    net = ct.CTRNN.single(w=1.5, b=0.0, activation="tanh")
    report = ct.bias(net, ct.Noise(outside=1.0), methods=["simulation"], start=[0.5], target_se=1e-2)
    assert "2 stable fixed points" in report.notes[0]
    down, up = (float(share.strip(" %")) for share in report.notes[1].split("shares")[1].split(","))
    assert min(down, up) > 5  # this noise crosses the barrier often
    quiet = ct.bias(net, ct.Noise(outside=0.01), methods=["simulation"], start=[0.5], target_se=1e-2)
    assert quiet.notes[1].endswith("in the shares 0.0%, 100.0%")


def test_a_start_on_an_unstable_fixed_point_is_said():
    net = ct.CTRNN.single(w=1.5, b=0.0, activation="tanh")
    report = ct.bias(net, ct.Noise(inside=0.7), methods=["deterministic", "mean_field", "small_noise", "exact"])
    assert report.fixed_point == [0.0]
    assert "unstable fixed point" in report.laws["deterministic"].message
    assert "unstable fixed point" in report.refused["small_noise"]
    assert not report.laws["deterministic"].converged
    assert not report.laws["mean_field"].converged
    assert np.isnan(report.laws["mean_field"].covariance).all()
    assert report.to_dict()["methods"]["mean_field"]["covariance"] == [[None]]
    assert abs(report.laws["exact"].mean[0]) < 1e-10  # the law is symmetric


@pytest.mark.parametrize(("w", "more"), [(0.999, ["exact"]), (1.0 - 1e-6, [])])
def test_a_slow_linear_network_has_no_bias(w, more):
    net = ct.CTRNN.single(w, 0.1, "identity")
    report = ct.bias(net, ct.Noise(inside=0.3), methods=["deterministic", "mean_field", *more])
    assert report.fixed_point[0] == pytest.approx(0.1 / (1.0 - w), rel=1e-13)
    for name, bias in report.bias.items():
        assert abs(bias[0]) <= 1e-9 * report.fixed_point[0], name


@pytest.mark.parametrize(
    "net",
    [
        ct.CTRNN.single(-3.0, 0.25, "tanh", 1.0),
        ct.CTRNN([[8.02, 13.98], [-5.53, 5.26]], [0.25, -0.39], "tanh", 8.1e-4),
    ],
)
def test_without_a_fixed_point_there_is_no_bias_and_the_reason_is_given(net):
    report = ct.bias(net, ct.Noise(inside=0.3), methods=["deterministic", "mean_field", "small_noise"])
    assert np.isnan(report.fixed_point).all()
    assert all(np.isnan(bias).all() for bias in report.bias.values())
    reason = "does not settle to a fixed point from this start"
    assert reason in report.notes[0]
    assert reason in report.refused["small_noise"]
    assert all(reason in law.message and not law.converged for law in report.laws.values())
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found["fixed_point"] == [None] * net.n
    assert found["methods"]["deterministic"]["bias"] == [None] * net.n
    text = report.table()
    assert "h*: none is reached from this start" in text
    assert "nan" not in text
    ax = report.plot()
    assert "no fixed point is reached from this start" in ax.get_title()
    plt.close(ax.figure)


def test_attractors_of_an_incomplete_search_are_not_called_all():
    net = ct.CTRNN(1.5 * np.eye(2), [0.1, 0.0], "tanh")
    report = ct.bias(net, ct.Noise(inside=0.3), methods=["mean_field"], start=[0.1, 0.1])
    assert "stable fixed points found" in report.notes[0]
    assert "there may be others" in report.notes[0]


def test_a_diverging_mean_is_refused():
    with pytest.raises(ct.Divergence, match="W must"):
        ct.bias(ct.CTRNN.single(w=1.5, b=0.1), ct.Noise(0.5))


def test_an_approximation_that_diverges_alone_is_a_row_with_a_reason():
    # strong negative feedback: relu cuts it off, so that a law exists; its Gaussian approximation explodes
    report = ct.bias(ct.CTRNN.single(w=-30.0, gamma=0.5), ct.Noise(inside=0.5), methods=["gaussian_closure", "exact"])
    assert "its own state, not the network's, grows without bound" in report.refused["gaussian_closure"]
    assert report.laws["exact"].converged


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"methods must be among .*; got 'magic'"):
        ct.bias(ct.CTRNN.single(w=0.5), ct.Noise(0.5), methods=["magic"])
    with pytest.raises(ValueError, match="method must be one of"):
        ct.predict(ct.CTRNN.single(w=0.5), ct.Noise(0.5), method="magic")
    with pytest.raises(ValueError, match=r"noise must be a Noise; got 0\.5"):
        ct.predict(ct.CTRNN.single(w=0.5), 0.5)
    with pytest.raises(ValueError, match=r"option of mean_field must be one of \(none\); got 'rng'"):
        ct.predict(ct.CTRNN.single(w=0.5), ct.Noise(0.5), method="mean_field", rng=0)


def test_the_bias_of_a_voltage_network_is_that_of_its_rates():
    net, noise = ct.CTRNN.single(w=-0.5, b=1.0, activation="softplus", gamma=0.2, form="voltage"), ct.Noise(inside=0.5)
    report = ct.bias(net, noise, methods=["exact", "simulation"])
    same = ct.bias(ct.CTRNN.single(w=-0.5, b=1.0, activation="softplus", gamma=0.2), noise, methods=["exact"])
    # under white noise inside alone v = w h + b, so that E v and h* follow from the network in rate form
    assert report.fixed_point == pytest.approx(1.0 - 0.5 * same.fixed_point, abs=1e-12)
    assert report.laws["exact"].mean == pytest.approx(1.0 - 0.5 * same.laws["exact"].mean, abs=1e-10)
    rates = report.laws["exact"].rates
    assert report.bias["exact"] == pytest.approx(rates - net.rate(report.fixed_point), abs=1e-15)
    assert abs(report.bias["exact"] - (report.laws["exact"].mean - report.fixed_point)) > 1e-3
    error = report.laws["simulation"].details["rate_standard_error"]
    assert np.all(np.abs(report.bias["simulation"] - report.bias["exact"]) < 5.0 * error + 1e-9)
    assert report.to_dict()["methods"]["simulation"]["standard_error"] == error.tolist()
