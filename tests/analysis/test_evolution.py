"""Mean and covariance in time: exact where they must be, of the right order elsewhere, and the same by each method."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from ctrnn_theory.analysis.evolution import evolve as module
from ctrnn_theory.analysis.evolution.evolve import evolve
from ctrnn_theory.integrators import simulate
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import StationaryLaw, cumulant_closure, gaussian_closure
from ctrnn_theory.support.errors import Divergence

STEPS = 24
SINE = np.sin(2.0 * np.pi * np.arange(STEPS) / 12.0)[:, None]
CLOSURES = ("gaussian_closure", "cumulant_closure")
BOTH_SITES = [Noise(inside=0.5), Noise(outside=0.5), Noise(inside=0.3, outside=0.3)]


def random_net(n, activation, gamma=0.3, seed=4):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n, n))
    W *= 0.8 / np.max(np.abs(np.linalg.eigvals(W)))
    return CTRNN(W, 0.3 * rng.normal(size=n), activation, gamma, W_in=np.ones((n, 1)), W_out=rng.normal(size=(2, n)))


def linear_moments(net, noise, u, mean, V):
    """Iterate m' = J m + γ (b + W_in u) and V' = J V Jᵀ + γ² (Σ_in + Σ_out)."""
    J = (1.0 - net.gamma) * np.eye(net.n) + net.gamma * net.W
    Q = net.gamma**2 * (noise.covariance("inside", net.n) + noise.covariance("outside", net.n))
    means, covariances = [mean], [V]
    for row in u:
        means.append(J @ means[-1] + net.gamma * net.drive(row))
        covariances.append(J @ covariances[-1] @ J.T + Q)
    return np.array(means), np.array(covariances)


def backward_moments(net, noise, u, start):
    """Mean and variance after the rows of u, one neuron from a known start: E φ(h') = (P φ)(h), from the end back.

    φ is a Chebyshev series; both noises are averaged over by Gauss–Hermite quadrature. No forward law is involved.
    """
    x, weight = np.polynomial.hermite_e.hermegauss(40)
    xi, eta = (grid.ravel() for grid in np.meshgrid(x, x))
    weights = np.outer(weight, weight).ravel() / (2.0 * np.pi)
    reach, g = 3.0, net.gamma
    nodes = reach * chebyshev.chebpts1(60)
    fit = np.linalg.inv(chebyshev.chebvander(nodes / reach, 59))
    values = np.stack([nodes, nodes**2], axis=1)
    for row in u[::-1]:
        a = net.W[0, 0] * nodes + net.drive(row)[0]
        after = (1.0 - g) * nodes[:, None] + g * net.activation(a[:, None] + noise.inside * xi)
        after = np.clip(after + g * noise.outside * eta, -reach, reach)
        values = np.stack([chebyshev.chebval(after / reach, fit @ phi) @ weights for phi in values.T], axis=1)
    first, second = (float(chebyshev.chebval(start / reach, fit @ phi)) for phi in values.T)
    return first, second - first**2


@pytest.mark.parametrize("noise", [*BOTH_SITES, Noise(inside=[[0.3], [0.1], [-0.2]])])
def test_linear_network_is_exact(noise):
    net = random_net(3, "identity")
    law = StationaryLaw(np.array([0.5, -0.2, 0.1]), np.diag([0.1, 0.2, 0.0]), "given")
    means, covariances = linear_moments(net, noise, SINE, law.mean, law.covariance)
    for method in CLOSURES:
        found = evolve(net, noise, SINE, STEPS, method, start=law)
        np.testing.assert_allclose(found.mean, means, rtol=0.0, atol=1e-13)
        np.testing.assert_allclose(found.covariance, covariances, rtol=0.0, atol=1e-13)
    simulated = evolve(net, noise, SINE, STEPS, "simulation", start=law, rng=1)
    assert_within(simulated, means, np.diagonal(covariances, axis1=1, axis2=2))


def assert_within(simulated, means, variances):
    """Assert that a simulation is right to five standard errors, and to rounding where the state is known."""
    error, spread = simulated.standard_error, simulated.details["variance_standard_error"]
    assert np.all(np.abs(simulated.mean - means) <= 5.0 * error + 1e-12)
    assert np.all(np.abs(simulated.std**2 - variances) <= 5.0 * spread + 1e-12)


@pytest.mark.parametrize("noise", BOTH_SITES[:2], ids=["in", "out"])
@pytest.mark.parametrize(("name", "scale"), [("tanh", 0.25), ("softplus", 0.5)])
@pytest.mark.parametrize(("method", "order"), [("gaussian_closure", 4), ("cumulant_closure", 6)])
def test_errors_against_the_backward_equation(method, order, name, scale, noise):
    """The errors of mean and variance fall as σ⁴, and with the third cumulants as σ⁶."""
    net, u, errors = random_net(1, name), SINE[:12], []
    for part in (scale, 0.5 * scale):
        less = Noise(part * noise.inside, part * noise.outside)
        mean, variance = backward_moments(net, less, u, 0.7)
        found = evolve(net, less, u, 12, method, start=[0.7])
        errors.append(np.abs([found.mean[-1, 0] - mean, found.covariance[-1, 0, 0] - variance]))
    assert np.all(errors[1] < errors[0] / 2.0 ** (order - 0.5))


@pytest.mark.parametrize("noise", BOTH_SITES, ids=["in", "out", "both"])
@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_simulation_against_the_backward_equation(name, noise):
    net, u = random_net(1, name), SINE[:12]
    mean, variance = backward_moments(net, noise, u, 0.7)
    simulated = evolve(net, noise, u, 12, "simulation", record_every=12, start=[0.7], trajectories=20_000)
    assert_within(simulated, np.array([[0.7], [mean]]), np.array([[0.0], [variance]]))
    late = evolve(net, noise, np.roll(u, 1), 12, "simulation", record_every=12, start=[0.7], trajectories=20_000)
    assert abs(late.mean[-1, 0] - mean) > 5.0 * late.standard_error[-1, 0]  # an input one row late is seen


@pytest.mark.parametrize("noise", BOTH_SITES, ids=["in", "out", "both"])
@pytest.mark.parametrize("n", [2, 3])
def test_networks_against_simulation(n, noise):
    """The closure's own error is allowed a hundredth of the largest standard deviation."""
    net = random_net(n, "tanh", gamma=0.1)
    closure = evolve(net, noise, 2.0 * SINE, STEPS)
    simulated = evolve(net, noise, 2.0 * SINE, STEPS, "simulation", trajectories=8192, rng=3)
    own, V = 0.01 * np.max(closure.std), np.max(closure.std) ** 2

    def agrees(found):
        mean = np.all(np.abs(found.mean - simulated.mean) <= own + 5.0 * simulated.standard_error)
        spread = 0.03 * V + 5.0 * simulated.details["variance_standard_error"]
        return mean and np.all(np.abs(found.std**2 - simulated.std**2) <= spread)

    assert agrees(closure)
    more = Noise(1.2 * noise.inside, 1.2 * noise.outside)
    assert not agrees(evolve(net, more, 2.0 * SINE, STEPS))  # a fifth more noise
    assert not agrees(evolve(net, noise, 2.0 * np.roll(SINE, 1), STEPS))  # an input one row late


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_one_step_from_a_gaussian_state_is_exact(name):
    """Start states and steps of the simulation agree with the closure where it has no error, for any nonlinearity."""
    net, noise = random_net(2, name, gamma=0.8), Noise(inside=0.4, outside=[[0.3], [0.1]])
    law = StationaryLaw(np.array([0.3, -0.4]), np.array([[1.0, -0.6], [-0.6, 0.5]]), "given")
    closure = evolve(net, noise, steps=1, start=law)
    simulated = evolve(net, noise, steps=1, method="simulation", start=law, trajectories=100_000)
    assert_within(simulated, closure.mean, closure.std**2)
    cross = simulated.covariance[1, 0, 1] - closure.covariance[1, 0, 1]
    assert abs(cross) < 5.0 * np.prod(closure.std[1]) * np.sqrt(2.0 / 100_000)  # Var xy <= about 2 Var x Var y


@pytest.mark.parametrize("noise", BOTH_SITES, ids=["in", "out", "both"])
@pytest.mark.parametrize("method", [gaussian_closure, cumulant_closure])
def test_its_end_is_the_stationary_law(method, noise):
    net, name = random_net(3, "relu"), method.__name__.rpartition(".")[2]
    end, law = evolve(net, noise, [0.4], 400, name, record_every=400), method.solve(net, noise, [0.4])
    np.testing.assert_allclose(end.mean[-1], law.mean, atol=1e-9)
    np.testing.assert_allclose(end.covariance[-1], law.covariance, atol=1e-9)
    still = evolve(net, noise, [0.4], 5, name, start=law)
    np.testing.assert_allclose(still.mean, np.tile(law.mean, (6, 1)), atol=1e-10)


def test_a_path_may_be_cut():
    """The state at a time is all that the future depends on, and row k of the input acts in step k."""
    net, noise = random_net(2, "relu"), Noise(inside=0.5)
    whole = evolve(net, noise, SINE, STEPS)
    first = evolve(net, noise, SINE[:10], 10)
    middle = StationaryLaw(first.mean[-1], first.covariance[-1], "given")
    second = evolve(net, noise, SINE[10:], STEPS - 10, start=middle)
    np.testing.assert_allclose(np.concatenate([first.mean, second.mean[1:]]), whole.mean, rtol=1e-13, atol=1e-14)
    changed = SINE.copy()
    changed[10:] += 1.0
    switched = evolve(net, noise, changed, STEPS)
    assert np.array_equal(switched.mean[:11], whole.mean[:11])
    assert np.all(np.abs(switched.mean[11] - whole.mean[11]) > 1e-4)


@pytest.mark.parametrize("method", [*CLOSURES, "simulation"])
def test_without_noise_it_is_the_path(method):
    net, start = random_net(3, "hardtanh"), [0.5, -1.0, 0.2]
    found = evolve(net, Noise(), SINE, STEPS, method, start=start)
    path = simulate(net, Noise(), SINE, STEPS, start=start)
    np.testing.assert_allclose(found.mean, path.h[:, 0], rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(found.covariance, 0.0)


def test_simulation_is_that_of_recorded_paths():
    net, noise = random_net(2, "tanh"), Noise(inside=0.5)
    path = simulate(net, noise, SINE, STEPS, 100, 5, start=[1.0, 0.0], rng=8)
    found = evolve(net, noise, SINE, STEPS, "simulation", 5, start=[1.0, 0.0], trajectories=100, rng=8)
    np.testing.assert_array_equal(found.time, path.time)
    np.testing.assert_allclose(found.mean, path.h.mean(axis=1), rtol=1e-12, atol=1e-14)
    for V, h in zip(found.covariance, path.h, strict=True):
        np.testing.assert_allclose(V, np.cov(h.T), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.standard_error, path.h.std(axis=1, ddof=1) / 10.0, rtol=1e-10, atol=1e-14)


def test_simulation_depends_on_neither_threads_nor_memory(monkeypatch):
    net, law = random_net(2, "tanh"), StationaryLaw(np.zeros(2), np.eye(2), "given")
    options = {"method": "simulation", "start": law, "trajectories": 130, "rng": 2, "record_every": 3}
    whole = evolve(net, Noise(inside=0.5), SINE, STEPS, workers=1, **options)
    monkeypatch.setattr(module, "CHUNK", 130 * 2 * 3)  # three times of the eight in a piece
    pieces = evolve(net, Noise(inside=0.5), SINE, STEPS, workers=2, **options)
    assert np.array_equal(whole.mean, pieces.mean)
    assert np.array_equal(whole.covariance, pieces.covariance)
    other = evolve(net, Noise(inside=0.5), SINE, STEPS, **{**options, "rng": 3})
    assert not np.any(whole.mean == other.mean)


@pytest.mark.parametrize("method", [*CLOSURES, "simulation"])
def test_recorded_times(method):
    net, noise = random_net(2, "tanh"), Noise(outside=0.2)
    dense = evolve(net, noise, SINE, STEPS, method)
    thin = evolve(net, noise, SINE, STEPS, method, record_every=7)
    np.testing.assert_allclose(thin.time, 0.3 * np.array([0.0, 7.0, 14.0, 21.0]))
    assert np.array_equal(thin.mean, dense.mean[::7])
    assert np.array_equal(thin.covariance, dense.covariance[::7])
    assert dense.mean.shape == (STEPS + 1, 2)
    assert (thin.method, thin.converged, thin.message) == (method, True, "")
    short = evolve(net, noise, SINE, STEPS, method, record_every=100)
    assert np.array_equal(short.mean, dense.mean[:1])


def test_output():
    net = random_net(3, "tanh")
    found = evolve(net, Noise(inside=0.5), SINE, STEPS)
    np.testing.assert_allclose(found.output_mean, found.mean @ net.W_out.T)
    np.testing.assert_allclose(found.output_covariance[5], net.W_out @ found.covariance[5] @ net.W_out.T)
    np.testing.assert_allclose(found.std[5], np.sqrt(np.diag(found.covariance[5])))
    shifted = replace(net, b_out=[1.0, 2.0])
    np.testing.assert_allclose(replace(found, network=shifted).output_mean, found.output_mean + np.array([1.0, 2.0]))
    for name in ("output_mean", "output_covariance"):
        with pytest.raises(ValueError, match=r"^net must have W_out"):
            getattr(replace(found, network=replace(net, W_out=None)), name)


@pytest.mark.parametrize("method", ["gaussian_closure", "simulation"])
@pytest.mark.parametrize("name", ["relu", "relu2"])
def test_growth_without_bound_is_an_error(method, name):
    net = CTRNN.single(w=3.0, b=1.0, activation=name, gamma=0.5)
    with pytest.raises(Divergence, match="W must keep the state bounded"):
        evolve(net, Noise(inside=0.1), steps=500, method=method)


NO_COVARIANCE = StationaryLaw(np.zeros(2), np.full((2, 2), np.nan), "given")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "exact"},
            "method must be one of gaussian_closure, cumulant_closure, fokker_planck, latent, simulation; got 'exact'",
        ),
        ({"trajectories": 9}, r"option of gaussian_closure must be one of \(none\); got 'trajectories'"),
        ({"method": "simulation", "n": 9}, "option of simulation must be one of trajectories, rng, workers; got 'n'"),
        ({"method": "simulation", "trajectories": 1}, "trajectories must be at least 2"),
        ({"method": "simulation", "rng": "seed", "start": StationaryLaw(np.zeros(2), np.eye(2), "")}, "rng must be"),
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"record_every": 0}, "record_every must be an integer of at least 1; got 0"),
        ({"u": np.zeros((5, 1))}, r"u must have shape \(1000, 1\); got \(5, 1\)"),
        ({"start": [1.0]}, "start must have shape"),
        ({"start": StationaryLaw(np.zeros(3), np.eye(3), "")}, "start.covariance must have shape"),
        ({"start": NO_COVARIANCE}, "start.covariance must be finite"),
        ({"noise": Noise([0.1, 0.1, 0.1])}, "inside must have one row for each of the 2 neurons"),
        ({"noise": 0.1}, "noise must be a Noise"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=r"^" + message):
        evolve(random_net(2, "tanh"), **{"noise": Noise(inside=0.1), **options})


def test_a_density_on_too_few_cells_says_so():
    net = CTRNN([[0.3, -0.8], [0.6, 0.2]], [0.4, -0.1], "relu", 0.1)
    rough = evolve(net, Noise(inside=0.2), steps=40, record_every=20, method="fokker_planck", cells=16)
    assert not rough.converged
    assert "raise cells" in rough.message
    assert evolve(net, Noise(inside=0.2), steps=40, record_every=20, method="fokker_planck").converged
