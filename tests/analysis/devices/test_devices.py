"""Bias and loss over devices: linear response, sampling, and how a spread differs from noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.analysis.devices.chips import Chips
from ctrnn_theory.analysis.devices.result import Over
from ctrnn_theory.analysis.devices.spread import Shapes

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(8)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
SIGMAS = 5.0  # standard errors


def recurrent(f="tanh", n=5, seed=0):
    rng = np.random.default_rng(seed)
    W, b = rng.normal(size=(n, n)) * 0.7 / np.sqrt(n), 0.5 * rng.normal(size=n)
    return ct.CTRNN(W, b, f, 0.2, rng.normal(size=(n, 1)), rng.normal(size=(2, n)) / n, [0.1, -0.1])


def test_a_linear_network_in_closed_form():
    """Thresholds and offsets move a linear network by a normal vector, so that all four numbers are exact."""
    net, u, y = recurrent("identity"), np.array([[0.3], [-0.5]]), np.array([[0.2, 0.0], [-0.1, 0.3]])
    found = ct.devices(net, ct.Spread(threshold=0.2, offset=0.1), ct.Noise(inside=0.4, outside=0.1), u, y, devices=2)
    M = np.linalg.inv(np.eye(net.n) - net.W)
    covariance = (0.2**2 + 0.1**2) * M @ M.T
    h = (net.b + u @ net.W_in.T) @ M.T
    np.testing.assert_allclose(found.linear.mean.mean, h, atol=1e-12)
    np.testing.assert_allclose(found.linear.mean.variance, np.tile(np.diag(covariance), (2, 1)), atol=1e-12)
    np.testing.assert_allclose(found.linear.fixed_point.variance, found.linear.mean.variance, atol=1e-12)
    np.testing.assert_allclose(found.linear.bias.variance, 0.0, atol=1e-20)
    A = np.eye(net.n) + net.gamma * (net.W - np.eye(net.n))
    innovation = net.gamma**2 * (0.4**2 + 0.1**2) * np.eye(net.n)
    V = np.linalg.solve(np.eye(net.n**2) - np.kron(A, A), innovation.ravel()).reshape(net.n, net.n)
    r, Z = h @ net.W_out.T + net.b_out - y, net.W_out @ covariance @ net.W_out.T  # Z: over devices
    mean = np.mean(np.sum(r**2, axis=1)) + np.trace(net.W_out @ V @ net.W_out.T) + np.trace(Z)
    # the outputs of a device move alike for all inputs: Var(|r̄ + z|²) for normal z, with r̄ the mean over inputs
    r = r.mean(axis=0)
    assert float(found.linear.loss.mean) == pytest.approx(mean, rel=1e-12)
    assert float(found.linear.loss.variance) == pytest.approx(4.0 * r @ Z @ r + 2.0 * np.trace(Z @ Z), rel=1e-12)


def exact(net, noise, spread, y):
    """Means and variances over devices whose threshold and gain are spread, by a product rule."""
    x, z = (grid.ravel() for grid in np.meshgrid(NODES, NODES))
    one, w = np.ones((x.size, 1)), np.outer(WEIGHTS, WEIGHTS).ravel()
    chips = Chips.of(net, noise, Shapes(one, one + spread * x[:, None], spread * z[:, None], 0.0 * one))
    nothing = np.zeros((1, 0))
    laws, rest = chips.laws(nothing), chips.quiet().laws(nothing)
    bias, loss = (laws.mean - rest.mean)[:, 0, 0], chips.losses(laws, np.array([[y]]))
    return np.array([w @ bias, w @ (bias - w @ bias) ** 2, w @ loss])


def test_the_error_is_of_the_fourth_order():
    """The remainder falls as the fourth power of the spread, that of the nominal network as the second."""
    net = ct.CTRNN([[-0.6]], 0.5, "tanh", 0.3, W_out=[[1.0]])
    noise, y, spreads = ct.Noise(inside=0.6), 0.2, np.array([0.03, 0.06, 0.12])
    found, wanted, nominal = [], [], []
    for spread in spreads:
        of = ct.devices(net, ct.Spread(gain=spread, threshold=spread), noise, targets=[y], devices=1)
        found.append([of.linear.bias.mean[0, 0], of.linear.bias.variance[0, 0], of.linear.loss.mean])
        nominal.append([of.bias[0, 0], 0.0, of.loss])
        wanted.append(exact(net, noise, spread, y))
    slope = lambda error: np.polyfit(np.log(spreads), np.log(np.abs(error)), 1)[0]  # noqa: E731
    errors, controls = np.array(found) - wanted, np.array(nominal) - wanted
    # the next order is of the relative size spread² ≤ 0.0144 times derivatives of order ten, or a slope within 0.2
    assert [slope(error) for error in errors.T] == pytest.approx([4.0, 4.0, 4.0], abs=0.25)
    assert [slope(error) for error in controls.T] == pytest.approx([2.0, 2.0, 2.0], abs=0.25)


@pytest.mark.parametrize("f", ["tanh", "softplus"])
def test_sampled_devices_have_these_means_and_variances(f):
    net, u, y = recurrent(f), np.linspace(-1.0, 1.0, 3)[:, None], np.zeros((3, 2))
    found = ct.devices(net, ct.Spread.of(0.02), ct.Noise(inside=0.5), u, y, devices=500, rng=1)
    assert found.settled.all()
    for name in ("fixed_point", "mean", "bias", "loss"):
        linear, sampled = getattr(found.linear, name), getattr(found.sampled, name)
        assert np.all(np.abs(linear.mean - sampled.mean) < SIGMAS * sampled.mean_error)
        assert np.all(np.abs(linear.variance - sampled.variance) < SIGMAS * sampled.variance_error)
    wide = ct.devices(net, ct.Spread.of(0.04), ct.Noise(inside=0.5), u, y, devices=500, rng=1).sampled  # control
    assert np.all(np.abs(found.linear.mean.variance - wide.mean.variance) > SIGMAS * wide.mean.variance_error)


def test_a_sampled_device_is_a_network_for_any_method():
    net, u, noise = recurrent(), np.array([[0.5]]), ct.Noise(inside=0.5, outside=0.1)
    found = ct.devices(net, ct.Spread.of(0.1), noise, u, [[0.1, 0.2]], devices=3, rng=2)
    biases, losses = [], []
    for i in range(3):
        there, felt = found.device(i)
        law, rest = ct.predict(there, felt, u[0]), ct.predict(there, ct.Noise(), u[0], "deterministic")
        biases.append(found.shapes.scale[i] * (law.mean - rest.mean))
        z = there.output(law.mean) - [0.1, 0.2]
        losses.append(z @ z + np.trace(there.W_out @ law.covariance @ there.W_out.T))
    np.testing.assert_allclose(found.sampled.bias.mean[0], np.mean(biases, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.losses, losses, atol=1e-9)
    with pytest.raises(ValueError, match="i must be below 3, the number of devices; got 3"):
        found.device(3)


@settings(max_examples=10, deadline=None)
@given(b=st.floats(-2.0, 2.0), sigma=st.floats(0.05, 0.8), f=st.sampled_from(["tanh", "softplus", "gelu"]))
def test_in_one_step_a_spread_of_thresholds_is_noise_inside(b, sigma, f):
    """Without recurrence the device mean of f(b - c) is F(b; σ_c), which noise inside has as its mean in time."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    one, c = np.ones((60, 1)), sigma * nodes[:, None]
    net = ct.CTRNN.single(0.0, b, f)
    states = Chips.of(net, ct.Noise(), Shapes(one, one, c, 0.0 * one)).laws(np.zeros((1, 0))).mean[:, 0, 0]
    annealed = ct.predict(net, ct.Noise(inside=sigma), method="mean_field").mean[0]
    assert weights @ states / weights.sum() == pytest.approx(annealed, abs=1e-6)
    # f has its poles at least π/2 away, so that the rule of 60 nodes is good to exp(-√60 π/σ) for σ up to 0.8


def test_recurrence_separates_quenched_from_annealed():
    """The shift of the device mean is ½ f'' σ²/(1 - w f')³, that by noise only ½ f'' σ²/(1 - w f')."""
    sigma, shifts = 0.02, []
    for w in (-0.9, 0.0, 0.6):
        net = ct.CTRNN.single(w, 0.4, "tanh", gamma=0.01)
        spread = ct.devices(net, ct.Spread(threshold=sigma), ct.Noise(), devices=1)
        h = spread.fixed_point[0, 0]
        d, bend = 1.0 - h**2, -2.0 * h * (1.0 - h**2)
        quenched = spread.linear.fixed_point.mean[0, 0] - h
        annealed = ct.predict(net, ct.Noise(inside=sigma), method="mean_field").mean[0] - h
        assert quenched == pytest.approx(0.5 * bend * sigma**2 / (1.0 - w * d) ** 3, rel=1e-9)
        assert annealed == pytest.approx(0.5 * bend * sigma**2 / (1.0 - w * d), rel=20.0 * sigma**2)
        assert spread.linear.fixed_point.variance[0, 0] == pytest.approx(d**2 * sigma**2 / (1.0 - w * d) ** 2, rel=1e-9)
        shifts.append(quenched / annealed)
    assert shifts[0] < 0.5 < 0.98 < shifts[1] < 1.02 < 2.0 < shifts[2]


def test_a_spread_does_not_average_out_in_time():
    sigma, steps, count = 0.3, 4000, 200
    net = ct.CTRNN.single(-0.5, 0.4, "tanh", gamma=0.5)
    path = ct.simulate(net, ct.Noise(inside=sigma), steps=steps, trajectories=count, rng=0).h[steps // 2 :, :, 0]
    annealed = path.mean(axis=0).var()
    quenched = ct.devices(net, ct.Spread(threshold=sigma), ct.Noise(), devices=count).sampled.fixed_point
    assert annealed < 10.0 * path.var() / (steps // 2)  # correlated over few steps
    assert quenched.variance[0, 0] - SIGMAS * quenched.variance_error[0, 0] > 20.0 * annealed


def test_a_large_population_averages_the_spread_over_its_neurons():
    """All-to-all coupling w/N: the mean over neurons is μ = F(w μ + b; σ_c), as with noise inside."""
    n, w, b, sigma = 2000, 0.8, 0.3, 0.7
    c = sigma * np.random.default_rng(0).normal(size=n)
    mu = 0.0
    for _ in range(200):
        states = np.tanh(w * mu + b - c)
        mu = states.mean()
    annealed = ct.predict(ct.CTRNN.single(w, b, "tanh"), ct.Noise(inside=sigma), method="mean_field").mean[0]
    slope = w * ct.activation("tanh").smoothed(w * annealed + b, sigma, 1)
    assert abs(mu - annealed) < SIGMAS * states.std() / np.sqrt(n) / (1.0 - slope)
    quenched = ct.devices(ct.CTRNN.single(w, b, "tanh"), ct.Spread(threshold=sigma), ct.Noise(), devices=4000)
    alone = quenched.sampled.fixed_point
    assert abs(alone.mean[0, 0] - annealed) > SIGMAS * alone.mean_error[0, 0]  # a neuron that hears itself alone


def test_devices_without_a_law_are_left_out():
    net = ct.CTRNN([[0.9]], 0.1, "identity", 0.2, W_out=[[1.0]])
    found = ct.devices(net, ct.Spread(gain=0.1), ct.Noise(inside=0.1), targets=[1.0], devices=50)
    lost = found.shapes.gain[:, 0] * 0.9 >= 1.0
    assert 0 < lost.sum() < 50
    np.testing.assert_array_equal(found.settled, ~lost)
    np.testing.assert_array_equal(np.isnan(found.losses), lost)
    assert f"{lost.sum()} of 50 devices have no stable law" in found.message
    with pytest.raises(ct.Divergence, match="W must let the nominal network settle"):
        ct.devices(ct.CTRNN([[1.1]], 0.1, "identity", 0.2), ct.Spread(gain=0.1), ct.Noise(inside=0.1))


def test_kinks_and_correlations_are_reported():
    found = ct.devices(ct.CTRNN.single(0.5, 0.05, "relu"), ct.Spread(threshold=0.1), ct.Noise(inside=0.5), devices=2)
    assert "1 of 1 pre-activations are within 3 standard deviations over devices of a kink" in found.message
    assert (
        ct.devices(ct.CTRNN.single(0.5, 0.5, "relu"), ct.Spread(threshold=0.1), ct.Noise(0.5), devices=2).message == ""
    )
    pair = ct.CTRNN([[0.0, 0.1], [0.1, 0.0]], 0.1, "relu", 0.2)
    found = ct.devices(pair, ct.Spread(threshold=0.1), ct.Noise(inside=[[0.5], [0.5]]), devices=2)
    assert found.linear is None
    assert "the series for the covariance of f does not converge" in found.message
    assert np.all(np.isfinite(found.sampled.bias.mean))
    smoothed = ct.devices(ct.CTRNN.single(0.5, 0.1, "smoothed(relu, 0.5)"), ct.Spread(0.1), ct.Noise(0.5), devices=2)
    assert smoothed.linear is None
    assert "does not take smoothed(relu, 0.5): f² is no expression" in smoothed.message


def test_more_devices_begin_with_those_of_fewer():
    net, u = recurrent(), [[0.2]]
    few, many = (ct.devices(net, ct.Spread.of(0.1), ct.Noise(0.5), u, [[0.0, 0.0]], devices=d, rng=4) for d in (2, 5))
    np.testing.assert_allclose(few.losses, many.losses[:2], rtol=1e-12)


def test_variance_errors():
    """The standard error of a variance of normal numbers is σ² √(2/D)."""
    values = np.random.default_rng(0).normal(size=(20_000, 1))
    over = Over.of(values)
    assert over.variance_error[0] == pytest.approx(np.sqrt(2.0 / 20_000), rel=0.05)
    assert np.isnan(Over.of(values[:1]).mean_error[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spread": 0.1}, "spread must be a Spread; got 0.1"),
        ({"spread": ct.Spread(gain=[0.1, 0.2])}, "gain must be one number, or one for each of the 5 neurons; got 2"),
        ({"refit": "weights"}, "refit must be one of readout, biases, all; got 'weights'"),
        ({"refit": "readout"}, "refit must be empty without targets"),
        ({"devices": 0}, "devices must be an integer of at least 1; got 0"),
        ({"inputs": np.zeros((3, 2, 1))}, r"inputs must be constant, \(K,\) or \(conditions, K\); got \(3, 2, 1\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.devices(recurrent(), **({"spread": ct.Spread(0.1), "noise": ct.Noise(0.5), "inputs": [[0.1]]} | arguments))


def test_other_networks_are_refused():
    for net in (ct.CTRNN.single(0.5, form="voltage"), ct.CTRNN(np.eye(2) / 2, 0.1, "relu", [0.1, 0.2])):
        with pytest.raises(ct.NotApplicable, match="devices does not take"):
            ct.devices(net, ct.Spread(0.1), ct.Noise(0.5))
