import matplotlib as mpl
import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.analysis.bias_curve import bias_curve, distance_to_nonlinearity

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def test_curve_passes_through_the_network():
    net, noise = ct.CTRNN.single(w=0.5, b=0.125), ct.Noise(inside=0.5)  # h* = a* = 0.25
    zeta, place, unit = distance_to_nonlinearity(net, noise, net.preactivation([0.25]))
    assert (zeta[0], place[0], unit[0]) == (0.5, 0.0, 0.5)
    curve = bias_curve(net, noise, methods=["exact", "gaussian_closure"])
    for name in curve.bias.keys() & set(ct.METHODS):
        own = ct.bias(net, noise, methods=[name]).bias[name][0]
        here = curve.distance[name] == 0.5
        assert curve.bias[name][here] == pytest.approx([own], abs=2e-8)  # the tolerance of a curve


def test_curve_of_a_kink_without_recurrence_is_the_block():
    net, noise = ct.CTRNN.single(w=0.0), ct.Noise(inside=0.5)
    curve = bias_curve(net, noise, methods=["exact"])
    z = curve.distance["exact"]
    expected = 0.5 * (net.activation.smoothed(z, 1.0) - np.maximum(z, 0))
    np.testing.assert_allclose(curve.bias["exact"], expected, atol=1e-12)


def test_curve_of_a_kinked_activation_has_the_kink_block():
    curve = bias_curve(ct.CTRNN.single(w=0.5), ct.Noise(inside=0.5), methods=["exact"])
    assert set(curve.bias) == {"exact", "kink_block"}
    np.testing.assert_allclose(curve.bias["kink_block"], curve.bias["exact"], atol=0.02)  # of at most 0.28
    assert set(bias_curve(ct.CTRNN.single(0.5, 0.0, "tanh"), ct.Noise(0.5), methods=["exact"]).bias) == {"exact"}


def test_unstable_fixed_points_are_left_out_of_the_curve():
    curve = bias_curve(ct.CTRNN.single(w=2.0, b=-2.0, activation="tanh"), ct.Noise(0.2), methods=["mean_field"])
    a = curve.nonlinearity + curve.unit * curve.distance["mean_field"]
    unstable = 2.0 / np.cosh(a) ** 2 >= 1.0
    assert unstable.any()
    assert np.all(np.isnan(curve.bias["mean_field"][unstable]))


def test_picture_of_one_neuron_has_every_method_and_the_network():
    net = ct.CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2)
    ax = ct.bias(net, ct.Noise(inside=1.0)).plot()
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {"mean field", "small noise", "Gaussian closure", "exact", "simulation", "this network"}


def test_picture_of_a_network_has_a_point_for_each_neuron():
    net = ct.CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "relu")
    report = ct.bias(net, ct.Noise(0.5), methods=["deterministic", "mean_field", "gaussian_closure"])
    ax = report.plot()
    assert len(ax.containers) == 2
    for name, container in zip(("mean_field", "gaussian_closure"), ax.containers, strict=True):
        drawn = np.sort(container.lines[0].get_ydata())
        np.testing.assert_array_equal(drawn, np.sort(report.bias[name]))
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"mean field", "Gaussian closure"}


def test_no_noise_no_distance():
    with pytest.raises(ValueError, match="noise must be above 0"):
        ct.bias(ct.CTRNN.single(w=0.5), ct.Noise(), methods=["deterministic"]).plot()


def test_the_picture_is_of_the_attractor_that_the_start_flows_to():
    net = ct.CTRNN.single(1.5, 0.0, "hardtanh")
    for side in (-1.0, 1.0):
        report = ct.bias(net, ct.Noise(0.2), start=[side], methods=["gaussian_closure", "exact"])
        star = next(line for line in report.plot().get_lines() if line.get_label() == "this network")
        curve = bias_curve(net, report.noise, methods=["gaussian_closure"], start=[side])
        assert curve.nonlinearity == side
        here = curve.distance["gaussian_closure"] == star.get_xdata()[0]
        assert curve.bias["gaussian_closure"][here] == pytest.approx(report.bias["gaussian_closure"], abs=1e-10)


def test_the_kink_block_is_left_out_where_the_fixed_point_is_unstable():
    curve = bias_curve(ct.CTRNN.single(1.5, 0.0, "hardtanh"), ct.Noise(0.2), methods=[], start=[1.0])
    a = curve.nonlinearity + curve.unit * curve.distance["kink_block"]
    assert np.all(np.isnan(curve.bias["kink_block"][np.abs(a) < 0.99]))
    assert np.all(np.isfinite(curve.bias["kink_block"][np.abs(a) > 1.01]))


def test_a_network_far_from_the_nonlinearity_is_marked_at_the_margin():
    ax = ct.bias(ct.CTRNN.single(0.5, 10.0), ct.Noise(0.2), methods=["exact"]).plot()
    assert any(label.get_text() == "this network, at 100" for label in ax.get_legend().get_texts())
    with pytest.raises(ValueError, match="reach must be a positive number; got -1"):
        bias_curve(ct.CTRNN.single(0.5), ct.Noise(0.2), reach=-1)


def test_a_picture_needs_no_method_that_diverges():
    # the Gaussian closure explodes under this feedback, the network does not
    ax = ct.bias(ct.CTRNN.single(w=-30.0, gamma=0.5), ct.Noise(0.5), methods=["gaussian_closure", "exact"]).plot()
    assert "this network" in {text.get_text() for text in ax.get_legend().get_texts()}


def test_the_style_tells_all_methods_apart():
    from ctrnn_theory.plotting import STYLE

    assert set(STYLE) == {*ct.METHODS, "kink_block"}
    looks = [tuple(sorted(map(str, style.values()))) for style in STYLE.values()]
    assert len(set(looks)) == len(looks)


def test_the_points_of_a_curve_resolve_every_nonlinearity():
    sigma, net = 0.3, ct.CTRNN.single(0.0, 0.9, "hardtanh")  # without recurrence the pre-activation has deviation σ
    curve = bias_curve(net, ct.Noise(sigma), methods=["mean_field", "simulation"], reach=8.0)
    z = curve.distance["mean_field"]
    assert (z[0], z[-1]) == (-8.0, 8.0)
    for kink in (-1.0, 1.0):
        near = z[np.abs(z - (kink - curve.nonlinearity) / sigma) < 2.5]
        assert np.max(np.diff(near)) < 0.61
        assert np.min(np.abs(near - (kink - curve.nonlinearity) / sigma)) < 1e-12
    assert np.all(curve.standard_error <= 1e-3 * sigma)


def test_the_points_are_closer_where_the_noise_reaches_less_far():
    net = ct.CTRNN.single(0.5, 0.0, "relu", 0.01)  # noise outside is filtered: the pre-activation has deviation 0.05 σ
    z = bias_curve(net, ct.Noise(outside=1.0), methods=["mean_field"]).distance["mean_field"]
    assert np.sum(np.abs(z) < 0.15) >= 25 > np.sum((z > 1.0) & (z < 2.0))


@pytest.mark.parametrize(
    ("noise", "name"),
    [
        (ct.Noise(gain_inside=0.2), "noise inside"),
        (ct.Noise(gain_outside=0.2), "noise outside"),
        (ct.Noise(common_gain_outside=0.2), "noise outside"),
        (ct.Noise.dropout(0.8), "noise outside"),
        (ct.Noise.dropout(0.8, inside=0.1), "noise at both sites"),
    ],
)
def test_noise_that_multiplies_is_named_by_its_site(noise, name):
    points = ct.operating_points(ct.CTRNN.single(0.5, 0.2), noise)
    assert points.plot().get_legend().get_texts()[0].get_text().startswith(name)


@pytest.mark.parametrize(("form", "label"), [("rate", "$E[h] - h^*$"), ("voltage", "$E[v] - v^*$")])
def test_the_star_of_a_picture_lies_on_the_curves_of_the_state(form, label):
    """A report tells of the bias of the rate, and a curve of that of the state: in voltage form they differ."""
    net, noise = ct.CTRNN([[0.6]], 0.1, "relu", 0.3, form=form), ct.Noise(inside=0.4)
    report = ct.bias(net, noise, methods=["gaussian_closure", "exact"])
    ax = report.plot()
    lines = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    (x, y), curve = lines["this network"][0], lines["exact"]
    np.testing.assert_allclose(y, curve[np.argmin(np.abs(curve[:, 0] - x)), 1], rtol=1e-6)
    assert ax.get_ylabel().endswith(label)


def test_biases_of_several_neurons_in_voltage_form_are_those_of_their_rates():
    net = ct.CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "relu", form="voltage")
    ax = ct.bias(net, ct.Noise(inside=0.5), methods=["mean_field"]).plot()
    assert ax.get_ylabel().endswith("$E[f(v)] - f(v^*)$")


def test_a_curve_reaches_past_its_network():
    curve = bias_curve(ct.CTRNN.single(0.0, 3.0), ct.Noise(0.5), methods=["mean_field"])  # ζ = 6
    assert curve.distance["mean_field"][-1] > 6.0


@pytest.fixture(scope="module")
def bistable():
    net, noise = ct.CTRNN([[1.5, -0.2], [0.2, 1.5]], [0.0, 0.05], "tanh", 0.1), ct.Noise(outside=0.6)
    return net, noise, ct.predict(net, noise, method="fokker_planck", cells=64).details["density"]


def test_map_of_a_density_marks_every_fixed_point(bistable):
    net, noise, density = bistable
    ax = density.plot(net=net, noise=noise)
    lines = {line.get_label(): np.column_stack(line.get_data()) for line in ax.get_lines()}
    points = ct.fixed_points(net)
    for label, stable in (("stable fixed point", True), ("unstable fixed point", False)):
        expected = [point.state for point in points if point.stable is stable]
        np.testing.assert_allclose(lines[label], expected, atol=1e-12)
    # without noise inside mean field has the same fixed points; with it, others
    np.testing.assert_allclose(lines["mean-field fixed point"], lines["stable fixed point"], atol=1e-6)
    moved = density.plot(net=net, noise=ct.Noise(inside=0.2))
    others = next(line for line in moved.get_lines() if line.get_label() == "mean-field fixed point")
    assert np.abs(np.column_stack(others.get_data()) - lines["stable fixed point"]).max() > 0.005


def test_map_of_a_density_is_the_right_way_up(bistable):
    _, _, density = bistable
    image = density.plot().collections[0]
    drawn = image.get_array().reshape(len(density.axes[1]), len(density.axes[0]))
    np.testing.assert_array_equal(drawn, density.values.T)


def test_curve_of_a_density_lies_on_the_histogram_of_its_simulation():
    net, noise = ct.CTRNN.single(w=0.5, b=0.1, activation="tanh", gamma=0.05), ct.Noise(outside=0.5)
    density = ct.predict(net, noise, method="fokker_planck").details["density"]
    states = ct.simulate(net, noise, steps=400, trajectories=20_000, record_every=400, rng=0).h[-1]
    ax = density.plot(states=states)
    (curve,) = ax.get_lines()
    x, p = curve.get_data()
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_width(), bar.get_height()) for bar in ax.patches]
    centre, width, height = np.array(bars).T
    expected = np.interp(centre, x, p)
    error = np.sqrt(np.maximum(expected, 1e-3) / (len(states) * width))  # of a count, as a density
    assert np.all(np.abs(height - expected) < 5.0 * error + 0.06 * p.max())  # the approximation: O(γ) of the variance
    assert not np.all(np.abs(height - np.interp(centre + 0.1, x, p)) < 5.0 * error + 0.06 * p.max())


def test_density_of_three_dimensions_asks_for_a_marginal():
    axis = np.linspace(-1.0, 1.0, 4)
    density = ct.fokker_planck.Density((axis,) * 3, (np.full(4, 0.5),) * 3, np.full((4, 4, 4), 0.125))
    with pytest.raises(ValueError, match="one or two dimensions to be drawn; got 3: take a marginal"):
        density.plot()
    density.marginal((0, 2)).plot()
    with pytest.raises(ValueError, match="net must have the 2 dimensions of the density; got 1 neurons"):
        density.marginal((0, 2)).plot(net=ct.CTRNN.single(w=0.5))


def test_picture_in_time_has_a_band_for_a_prediction_and_points_for_a_simulation():
    net = ct.CTRNN([[0.0, -0.8], [0.8, 0.0]], [0.3, 0.1], "relu", 0.1, W_in=[[1.0], [0.0]])
    u = np.sin(0.1 * np.arange(60))[:, None]
    predicted = ct.evolve(net, ct.Noise(inside=0.5), u, steps=60)
    ax = predicted.plot()
    assert len(ax.collections) == 2  # a band for each neuron
    band = ax.collections[0].get_paths()[0].vertices
    mean, std = predicted.mean[:, 0], predicted.std[:, 0]
    assert band[:, 1].max() == pytest.approx(np.max(mean + std))
    assert band[:, 1].min() == pytest.approx(np.min(mean - std))
    simulated = ct.evolve(net, ct.Noise(inside=0.5), u, steps=60, method="simulation", rng=0)
    simulated.plot(ax)
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {f"$h_{{{i}}}$, {name}" for i in (1, 2) for name in ("Gaussian closure", "simulation")}


def test_picture_of_a_maze_has_its_walls_and_a_colour_for_success():
    from matplotlib.colors import to_rgb

    from ctrnn_theory.plotting.maze import MAZE_COLOURS
    from ctrnn_theory.training.tasks.maze import Maze

    task = Maze(conditions=3)
    start = np.tile(task.starts, 2)
    end = np.stack([task.goal if reached else task.goal - [0.2, 0.0] for reached in (1, 0, 0, 1, 0, 0)], axis=1)
    states = np.linspace(start, end, 9)
    ax = ct.plotting.maze(task, states)
    drawn = {to_rgb(lines.get_colors()[0]): lines.get_segments() for lines in ax.collections}
    np.testing.assert_allclose(drawn[to_rgb(MAZE_COLOURS["reached"])], states[:, :, [0, 3]].transpose(2, 0, 1))
    np.testing.assert_allclose(drawn[to_rgb(MAZE_COLOURS["failed"])], states[:, :, [1, 2, 4, 5]].transpose(2, 0, 1))
    np.testing.assert_allclose(drawn[to_rgb("black")], task.walls)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["goal", "2 of 6 reach it", "4 of 6 do not", "start"]
    assert ax.get_aspect() == 1.0
    with pytest.raises(ValueError, match=r"states must have shape \(any, 2, any\); got \(9, 2\)"):
        ct.plotting.maze(task, states[:, :, 0])
