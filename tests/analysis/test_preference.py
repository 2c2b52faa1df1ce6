"""The loss against test noise has closed forms for one layer and for linear networks; its statistics are right."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from scipy.optimize import minimize_scalar

import ctrnn_theory as ct
from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.analysis.preference.curve import least
from ctrnn_theory.derive.preference import describe
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.training.tasks import Feedforward, Function, Maze, Model, PathIntegration
from ctrnn_theory.training.tasks.base import ONE

LEVELS = np.linspace(0.0, 1.5, 16)
SLOPE, PLACE, WEIGHT = 0.8, 0.6, 1.3
LAYER = Feedforward(conditions=4, target="x")


def layer(task=LAYER):
    """Return one relu with one step and a readout whose bias vanishes at σ = 1 on average over inputs."""
    u = task.episode(None).u[0, :, 0]
    net = CTRNN([[0.0]], PLACE, "relu", 1.0, W_in=[[SLOPE]], W_out=[[WEIGHT]], b_out=[0.0])
    mean = WEIGHT * net.activation.smoothed(SLOPE * u + PLACE, 1.0)
    return replace(net, b_out=[np.mean(u - mean)])


def closed_form(net, s, task=LAYER):
    """Return squared bias and variance of the layer at noise s inside."""
    u = task.episode(None).u[0, :, 0]
    a, s = SLOPE * u + PLACE, np.asarray(s, dtype=float)[..., None]
    gap = WEIGHT * net.activation.smoothed(a, s) + net.b_out[0] - u
    return np.mean(gap**2, axis=-1), WEIGHT**2 * np.mean(net.activation.smoothed_variance(a, s), axis=-1)


def linear(n=3, seed=0, inputs=1, outputs=1):
    rng = np.random.default_rng(seed)
    W = 0.5 * rng.standard_normal((n, n)) / np.sqrt(n)
    shapes = (n, inputs), (outputs, n), (outputs,)
    return CTRNN(W, rng.normal(size=n), "x", 0.3, *(rng.normal(size=shape) for shape in shapes))


NET = layer()
STILL = Feedforward(conditions=2, target="0*x")
KINK = replace(NET, b=[0.0], W_in=[[0.0]], b_out=[-WEIGHT / np.sqrt(2 * np.pi)])
RESOLUTION = 1.5 / 3000  # of the search for the least


def test_layer_is_its_closed_form():
    found = ct.preference(NET, LAYER, repeats=4096)
    bias, variance = closed_form(NET, LEVELS)
    np.testing.assert_allclose(found.predicted_bias, bias, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.predicted_variance, variance, rtol=0, atol=1e-10)
    for value, error, true in (
        (found.loss, found.standard_error, bias + variance),
        (found.bias, found.bias_standard_error, bias),
        (found.variance, found.variance_standard_error, variance),
    ):
        assert np.all(np.abs(value - true) <= 5 * error + 1e-14)
    wrong = sum(closed_form(NET, 1.1 * LEVELS))
    assert np.max(np.abs(found.loss - wrong)[1:] / found.standard_error[1:]) > 10
    u = LAYER.episode(None).u[0, :, 0]
    moved = [WEIGHT * NET.activation.smoothed(SLOPE * u + PLACE, s) for s in (0.0, 1.0)]
    np.testing.assert_allclose(found.K, np.mean((moved[1] - moved[0]) ** 2), rtol=1e-12)
    assert found.nu == pytest.approx(variance[10], rel=1e-12)
    assert found.sigma_c == pytest.approx(np.sqrt(variance[10] / (2 * found.K)), rel=1e-12)
    assert found.sigma_pref == 0.0
    assert found.sigma_c > 1.0


def test_preferred_level_of_a_neuron_at_its_kink():
    """The loss, in units of the weight's square, is (1 - 2 s)/2π + s²/2: least at 1/π, where it is 1 - 1/π of L(0)."""
    found = ct.preference(KINK, STILL, repeats=4096)
    assert abs(found.predicted_preferred - 1 / np.pi) < RESOLUTION  # a spline makes no error of a parabola
    (low, high), ratio = found.interval, np.pi / (np.pi - 1)
    error = (high - low) / (2 * 1.96)
    assert abs(found.preferred - 1 / np.pi) < 5 * error + RESOLUTION
    assert abs(found.preferred - 1.1 / np.pi) > 5 * error + RESOLUTION
    assert low <= found.preferred <= high
    assert abs(found.ratio - ratio) < 5 * found.ratio_standard_error
    assert abs(found.ratio - 1.0) > 5 * found.ratio_standard_error


@pytest.mark.parametrize("place", [-0.3, 0.2, 0.5])
def test_preferred_level_is_the_least_of_the_closed_form(place):
    net = replace(KINK, b=[place], b_out=[-WEIGHT * KINK.activation.smoothed(place, 1.0)])

    def loss(s):
        mean = net.activation.smoothed(place, s) - net.activation.smoothed(place, 1.0)
        return WEIGHT**2 * (mean**2 + net.activation.smoothed_variance(place, s))

    true = minimize_scalar(loss, bounds=(0.0, 1.5), method="bounded", options={"xatol": 1e-8}).x
    dense = ct.preference(net, STILL, np.linspace(0.0, 1.5, 121), repeats=3).predicted_preferred
    assert abs(dense - true) < RESOLUTION
    coarse = ct.preference(net, STILL, repeats=3).predicted_preferred
    assert abs(coarse - true) < 0.1 * LEVELS[1]  # a tenth of what lies between levels


def test_without_the_closure_the_levels_come_from_the_simulation():
    found = ct.preference(NET, LAYER, [0.5], repeats=512, predict=False)
    predicted = ct.preference(NET, LAYER, [0.5], repeats=3)
    assert found.predicted_bias is found.predicted_loss is found.predicted_preferred is None
    assert found.preferred == predicted.predicted_preferred == 0.5
    assert found.nu == pytest.approx(predicted.nu, rel=0.2)
    np.testing.assert_allclose(found.K, predicted.K, rtol=0.2)


NOISES = {
    "inside": Noise(inside=1.0),
    "outside": Noise(outside=0.5),
    "both": Noise(inside=0.4, outside=0.7),
    "vector": Noise(inside=[0.0, 1.0, 0.5]),
    "factor": Noise(inside=[[0.4], [0.8], [-0.3]], outside=[0.1, 0.2, 0.3]),
}


@pytest.mark.parametrize("name", NOISES)
def test_linear_network_is_exact_at_any_noise(name):
    net, noise, task = linear(), NOISES[name], Function(conditions=3, steps=20)
    found = ct.preference(net, task, [0.0, 0.5, 1.0, 2.0], noise=noise, repeats=512)
    A = (1 - net.gamma) * np.eye(3) + net.gamma * net.W
    Q = net.gamma**2 * (noise.covariance("inside", 3) + noise.covariance("outside", 3))
    V, variances = np.zeros((3, 3)), []
    for _ in range(20):
        V = A @ V @ A.T + Q
        variances.append((net.W_out @ V @ net.W_out.T)[0, 0])
    variance = np.mean(variances[10:]) * found.levels**2
    np.testing.assert_allclose(found.predicted_variance, variance, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.predicted_bias, found.bias[0], rtol=1e-10)  # the mean does not move
    assert found.predicted_preferred == 0.0
    assert np.all(np.abs(found.variance - variance) <= 5 * found.variance_standard_error + 1e-14)
    assert np.all(np.abs(found.bias - found.predicted_bias) <= 5 * found.bias_standard_error + 1e-12)
    assert found.K < 1e-12
    assert (found.sigma_pref, found.interval[0]) == (0.0, 0.0)


def test_levels_see_the_same_variates():
    net = replace(linear(), b=np.zeros(3), W_in=np.zeros((3, 1)), b_out=[0.0])
    task = Function(conditions=2, steps=10, target="0*x")
    found = ct.preference(net, task, [0.0, 0.5, 1.0, 1.5], repeats=8)
    np.testing.assert_allclose(found.loss, found.levels**2 * found.loss[2], rtol=1e-12)
    assert (found.preferred, found.interval) == (0.0, (0.0, 0.0))
    assert np.isnan(found.ratio)  # the loss without noise is zero
    assert found.to_dict()["ratio"] is None
    other = ct.preference(net, task, [0.0, 0.5, 1.0, 1.5], repeats=8, rng=1)
    assert abs(other.loss[2] / found.loss[2] - 1.0) > 1e-3


def test_paths_are_the_same_at_all_levels():
    found = ct.preference(linear(inputs=2, outputs=2), PathIntegration(conditions=5, steps=15), [0.0, 1.0], repeats=200)
    assert np.all(np.abs(found.loss - found.predicted_loss) <= 5 * found.standard_error + 1e-12)
    assert found.bias[0] == pytest.approx(found.loss[0], rel=1e-12)


@pytest.fixture(scope="module")
def replicates():
    return [ct.preference(NET, LAYER, [1.0], repeats=5, rng=seed, predict=False) for seed in range(600)]


def test_squared_bias_is_free_of_bias(replicates):
    bias = np.array([found.bias[0] for found in replicates])
    true, error = closed_form(NET, 1.0)[0], bias.std(ddof=1) / np.sqrt(len(bias))
    assert abs(bias.mean() - true) < 5 * error
    naive = bias + [found.variance[0] / 5 for found in replicates]
    assert abs(naive.mean() - true) > 5 * error
    K = np.array([found.K for found in replicates])
    u = LAYER.episode(None).u[0, :, 0]
    moved = [WEIGHT * NET.activation.smoothed(SLOPE * u + PLACE, s) for s in (0.0, 1.0)]
    assert abs(K.mean() - np.mean((moved[1] - moved[0]) ** 2)) < 5 * K.std(ddof=1) / np.sqrt(len(K))


@pytest.mark.parametrize(("name", "most"), [("loss", 1.0), ("variance", 8 / 3), ("bias", 8 / 3)])
def test_standard_errors_are_those_of_replicates(replicates, name, most):
    """The jackknife's square is too large by up to 2 (R - 1)/(R - 2) for what is made of pairs of trials; R = 5."""
    error = "standard_error" if name == "loss" else f"{name}_standard_error"
    values = np.array([getattr(found, name)[0] for found in replicates])
    squares = np.array([getattr(found, error)[0] for found in replicates]) ** 2
    far = (values - values.mean()) ** 2
    slack = 5 * np.hypot(squares.std(), far.std()) / np.sqrt(len(values))
    assert far.mean() - slack < squares.mean() < most * far.mean() + slack
    low = squares.mean() / (4 * most if name == "bias" else 4)
    assert low < far.mean() - slack  # half of it would be seen; of the bias, half of what it may be


def test_loss_is_bias_and_variance():
    found = ct.preference(NET, LAYER, repeats=7, predict=False)
    np.testing.assert_allclose(found.bias + found.variance, found.loss, rtol=1e-12)
    trials = LAYER.trials(NET, Noise(inside=1.5), 7, seed_words(0))
    assert found.loss[-1] == pytest.approx(trials.cost.mean(), rel=1e-12)
    assert abs(np.mean(np.mean(trials.error, axis=0) ** 2) - found.bias[-1]) > 1e-3  # the naive one is another


@pytest.mark.slow
def test_interval_covers_the_preferred_level():
    true, runs, levels = 1 / np.pi, 400, np.linspace(0.0, 1.0, 5)
    found = [
        ct.preference(KINK, STILL, levels, repeats=200, rng=seed, predict=False, confidence=0.9).interval
        for seed in range(runs)
    ]
    covered = np.mean([low <= true <= high for low, high in found])
    assert abs(covered - 0.9) < 5 * np.sqrt(0.9 * 0.1 / runs)
    halved = np.mean([abs(true - (low + high) / 2) <= (high - low) / 4 for low, high in found])
    assert abs(halved - 0.9) > 5 * np.sqrt(0.9 * 0.1 / runs)


def recurrent(noise, task, n=16, seed=0):
    """Return random weights and the readout that is best at this noise by the closure."""
    rng = np.random.default_rng(seed)
    W = 0.8 * rng.standard_normal((n, n)) / np.sqrt(n)
    net = CTRNN(W, rng.normal(0, 0.5, n), "relu", 0.1, 2 * rng.standard_normal((n, 1)))
    episode = task.episode(None)
    *_, (mean, V) = task.course(Model.of(net, noise), episode)
    X = np.column_stack([mean[0], np.ones(len(mean[0]))])
    spread = np.pad(V[0].mean(axis=0), (0, 1)) + 1e-9 * np.eye(n + 1)
    found = np.linalg.solve(X.T @ X / len(X) + spread, X.T @ episode.y[0] / len(X))
    return replace(net, W_out=found[:n].T, b_out=found[n])


def test_noise_inside_is_preferred_and_noise_outside_is_not():
    task, found = Function(conditions=8, steps=60), {}
    for site in ("inside", "outside"):
        noise = Noise(**{site: 1.0})
        net = recurrent(noise, task)
        found[site] = ct.preference(net, task, np.linspace(0.0, 1.25, 6), noise=noise)
    inside, outside = found["inside"], found["outside"]
    assert inside.interval[0] > 0.5
    assert inside.ratio - 1.0 > 5 * inside.ratio_standard_error
    assert inside.predicted_preferred == pytest.approx(inside.preferred, rel=0.1)
    assert max(outside.preferred, outside.predicted_preferred) < 0.1
    assert outside.sigma_c > 3 * inside.sigma_c


def test_closed_loop_has_a_success_rate():
    task = Maze(steps=30)
    layout = task.layout(4)
    net = layout.network(task.guess(layout, np.random.default_rng(0)), "tanh", 0.2)
    found = ct.preference(net, task, [0.0, 1.0], repeats=6)
    trials = task.trials(net, Noise(inside=1.0), 6, seed_words(0))
    assert found.loss[1] == pytest.approx(trials.cost.mean(), rel=1e-12)
    assert found.success[1] == trials.success.mean()
    assert found.success_standard_error.shape == (2,)
    names = ("bias", "variance", "predicted_bias", "predicted_loss", "K", "nu", "sigma_c", "sigma_pref")
    assert [getattr(found, name) for name in names] == [None] * len(names)
    assert "success" in found.table()
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["task"]["name"] == "maze"
    plt.close(found.plot().figure)


def test_numbers_do_not_depend_on_the_threads():
    one, two = (ct.preference(NET, LAYER, [0.0, 1.0], repeats=40, workers=k, predict=False) for k in (1, 2))
    np.testing.assert_array_equal(one.loss, two.loss)
    assert one.interval == two.interval


def test_result_is_plain_json_and_a_table():
    found = ct.preference(linear(), Function(conditions=2, steps=4), [0.0, 1.0], repeats=4, noise=NOISES["factor"])
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["noise"]["inside"] == [[0.4], [0.8], [-0.3]]
    assert plain["loss"] == found.loss.tolist()
    assert (plain["success"], plain["sigma_pref"]) == (None, 0.0)
    assert plain["interval"] == list(found.interval)
    lines = found.table().splitlines()
    assert lines[1].startswith("preferred level ")
    assert lines[3].startswith("K = ")
    assert "success" not in lines[4]
    assert lines[6].split()[0] == "1"


def test_picture():
    found = ct.preference(NET, LAYER, LEVELS, repeats=16)
    ax = found.plot()
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_array_equal(lines["noise inside, predicted"].get_ydata(), found.predicted_loss)
    np.testing.assert_array_equal(lines["variance"].get_ydata(), found.predicted_variance)
    outside = replace(found, noise=Noise(outside=1.0))
    pair = ct.plotting.preference({"a": found, "b": outside})
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in pair.get_lines()}
    assert (colours["a, predicted"], colours["b, predicted"]) == ("#0072B2", "#D55E00")
    plt.close("all")


@given(st.floats(0.1, 1.4), st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_least_of_a_parabola_is_its_vertex(vertex, bend, value):
    level, found = least(LEVELS, value + bend * (LEVELS - vertex) ** 2)
    assert abs(level - vertex) <= 0.51 * 1.5 / 3000
    assert found == pytest.approx(value + bend * (level - vertex) ** 2, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_levels": [-0.1, 1.0]}, r"noise_levels must be .*, none below 0, ascending; got \[-0\.1, 1\.0\]"),
        ({"noise_levels": [1.0, 0.5]}, "noise_levels must be .* ascending"),
        ({"noise_levels": []}, "noise_levels must be at least one number"),
        ({"noise_levels": [np.nan]}, "noise_levels must be finite"),
        ({"repeats": 1}, "repeats must be at least 3 for standard errors; got 1"),
        ({"repeats": 2.5}, r"repeats must be an integer of at least 1; got 2\.5"),
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\); got 1\.0"),
        ({"confidence": 0.0}, "confidence must be a positive number"),
        ({"noise": Noise()}, "noise must be above 0, since levels are multiples of it; got 0"),
        ({"noise": Noise(inside=[1.0, 2.0])}, "inside must have one row for each of the 1 neurons"),
        ({"noise": 1.0}, "noise must be a Noise"),
        ({"task": "chess"}, "task must be a Task, or one of .*; got 'chess'"),
        ({"task": "path_integration"}, r"W_in of the network must have shape \(1, 2\)"),
        ({"net": replace(NET, W_out=None, b_out=None)}, r"W_out of the network must have shape \(1, 1\); got None"),
        ({"rng": -1}, "rng must be"),
        ({"workers": 0}, "workers must be"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        ct.preference(**{"net": NET, "task": LAYER, "repeats": 3} | changes)


def test_a_state_that_grows_without_bound_is_told():
    net = replace(linear(), W=100.0 * np.eye(3))
    with pytest.raises(ct.Divergence, match=r"W must keep the state bounded; at level 0 of the noise"):
        ct.preference(net, Function(conditions=1, steps=400))


@pytest.mark.parametrize("activation", ["x", "relu", "x**3", "softplus"])
def test_a_closure_that_grows_without_bound_has_infinite_variance(activation):
    net = CTRNN([[100.0]], 0.0, activation, 0.5, [[0.0]], [[1.0]], [0.0])
    task = Function(conditions=2, steps=60)
    moments = task.output_moments(Model.of(net, Noise(inside=1.0)), task.episode(None), np.array([1.0, 2.0]))
    assert np.all(np.isposinf(moments[1][-1]))
    with pytest.raises(ct.Divergence):
        ct.operating_points(net, Noise(inside=1.0), task)
    tame = replace(net, W=[[0.1]])
    assert np.all(np.isfinite(task.output_moments(Model.of(tame, Noise(inside=0.1)), task.episode(None))[1]))


def test_without_a_bounded_closure_nothing_is_predicted():
    class Lost(Feedforward):
        def output_moments(self, model, episode, levels=ONE):
            mean, variance = super().output_moments(model, episode, levels)
            return mean, np.where(levels[:, None] > 1.2, np.inf, variance)

    found = ct.preference(NET, Lost(conditions=4, target="x"), repeats=4)
    assert found.predicted_loss is found.predicted_preferred is None
    assert found.nu == ct.preference(NET, LAYER, repeats=4, predict=False).nu
    assert ct.preference(NET, Lost(conditions=4, target="x"), [0.5, 1.0], repeats=4).predicted_loss.shape == (2,)


def test_levels_at_which_trials_run_away_are_told_and_left_out():
    """A relu that excites itself: above some noise a trial in a thousand does not come back."""
    net = CTRNN([[1.4]], [-1.0], "relu", gamma=0.5, W_in=[[0.0]], W_out=[[1.0]], b_out=[0.0])
    task = Function(target="0*x + 0.05", conditions=2, steps=60)
    found = ct.preference(
        net, task, [0.0, 0.25, 0.5, 0.75, 1.0, 1.5], noise=Noise(inside=1.0), repeats=500, predict=False
    )
    assert found.runaway[0] == 0.0
    assert found.runaway[-1] > 0.0
    assert found.loss[-1] > 1e3 * found.loss.min()
    assert 0.0 <= found.preferred < 1.0
    assert np.isfinite(found.ratio)
    assert "trials run away" in found.table()
    assert found.interval[0] <= found.preferred <= found.interval[1]


@pytest.mark.parametrize(("K", "nu"), [(0.0248, 0.01486), (1.0, 0.1), (0.1, 1.0)])
def test_levels_of_theory_are_those_derived(K, nu):
    """The numbers agree with the formulas that SymPy derives."""
    result = replace(ct.preference(NET, LAYER, [1.0], repeats=3), K=K, nu=nu)
    derived = [
        describe(quantity).expression.subs({"K": K, "nu": nu, "sigma_t": 1}) for quantity in ("level", "critical")
    ]
    assert [result.sigma_pref, result.sigma_c] == pytest.approx([float(value) for value in derived], rel=1e-14)
