"""The exact law of two and three neurons: solvable cases, one-neuron laws, symmetries, simulation, error estimates."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from ctrnn_theory.activations import activation
from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact, predict
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.several import chain as chain_module
from ctrnn_theory.stationary.markov.several.chain import chain_on, solve_several
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.stationary.markov.several.linear_system import System
from ctrnn_theory.support.errors import Divergence, NotApplicable

W = np.array([[0.5, -0.8], [0.6, 0.3]])
B = np.array([0.1, 0.2])
CORRELATED = [[0.5, 0.0], [0.3, 0.3]]
SITES = [
    Noise(inside=[0.5, 0.4]),
    Noise(outside=[0.5, 0.4]),
    Noise(inside=0.4, outside=0.3),
    Noise(inside=CORRELATED),
    Noise(outside=CORRELATED),
    Noise(inside=CORRELATED, outside=[[0.3], [-0.2]]),
    Noise(inside=[0.5, 0.0], outside=[0.0, 0.4]),
]


def assert_near(law: StationaryLaw, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Assert that the law is right to its error estimate plus 1e-12."""
    assert law.converged, law.message
    assert np.max(np.abs(law.mean - mean)) <= law.details["error"][0] + 1e-12
    assert np.max(np.abs(law.covariance - covariance)) <= law.details["error"][1] + 1e-12


@pytest.mark.parametrize("noise", SITES, ids=repr)
def test_linear_pair_obeys_the_lyapunov_equation(noise):
    net = CTRNN(W, B, "identity", 0.3)
    covariance = linear_covariance(W, np.ones(2), 0.3, noise.covariance("inside", 2) + noise.covariance("outside", 2))
    assert_near(exact.solve(net, noise, tolerance=1e-6), np.linalg.solve(np.eye(2) - W, B), covariance)


@pytest.mark.parametrize("noise", [Noise(inside=[0.5, 0.3, 0.4]), Noise(0.3, [0.5, 0.3, 0.4])], ids=repr)
def test_linear_three_obey_the_lyapunov_equation(noise):
    W = np.array([[0.5, -0.6, 0.2], [0.5, 0.3, -0.3], [0.1, 0.4, -0.5]])
    net = CTRNN(W, [0.1, 0.2, 0.3], "identity", 0.5)
    covariance = linear_covariance(W, np.ones(3), 0.5, noise.covariance("inside", 3) + noise.covariance("outside", 3))
    assert_near(exact.solve(net, noise, tolerance=1e-4), np.linalg.solve(np.eye(3) - W, net.b), covariance)


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("f", ["relu", "softplus", "tanh", "hardtanh"])
def test_uncoupled_pair_is_two_neurons(f, site):
    weights, sigma = [0.4, -0.8], [0.5, 0.4]
    law = exact.solve(CTRNN(np.diag(weights), B, f, 0.5), Noise(**{site: sigma}), tolerance=1e-5)
    single = [
        exact.solve(CTRNN.single(w, b, f, 0.5), Noise(**{site: s})) for w, b, s in zip(weights, B, sigma, strict=True)
    ]
    assert_near(law, np.array([one.mean[0] for one in single]), np.diag([one.covariance[0, 0] for one in single]))


def test_uncoupled_three_are_three_neurons():
    weights, b, sigma = [0.4, -0.8, 0.0], [0.1, 0.2, -0.3], [0.5, 0.4, 0.3]
    law = exact.solve(CTRNN(np.diag(weights), b, "softplus", 0.3), Noise(sigma))
    single = [
        exact.solve(CTRNN.single(w, c, "softplus", 0.3), Noise(s)) for w, c, s in zip(weights, b, sigma, strict=True)
    ]
    assert_near(law, np.array([one.mean[0] for one in single]), np.diag([one.covariance[0, 0] for one in single]))


COUPLED = [
    ("relu", Noise(0.5), 0.2),
    ("relu", Noise(outside=0.5), 0.5),
    ("softplus", Noise(0.4, 0.3), 0.2),
    ("hardtanh", Noise(inside=CORRELATED), 0.5),
    ("tanh", Noise(outside=CORRELATED), 0.2),
]


@pytest.mark.parametrize(("f", "noise", "gamma"), COUPLED, ids=repr)
def test_coupled_pair_against_simulation(f, noise, gamma):
    net = CTRNN(W, B, f, gamma)
    law, simulated = (
        exact.solve(net, noise, tolerance=1e-6),
        predict(net, noise, method="simulation", target_se=2e-5, rng=1),
    )
    assert law.converged, law.message
    assert np.all(np.abs(law.mean - simulated.mean) < 5 * simulated.standard_error)
    allowed = 5 * simulated.details["variance_standard_error"]
    assert np.all(np.abs(np.diag(law.covariance - simulated.covariance)) < allowed)
    other = exact.solve(CTRNN(W, [0.102, 0.2], f, gamma), noise, tolerance=1e-6)  # the test can fail
    assert np.any(np.abs(other.mean - simulated.mean) > 5 * simulated.standard_error)


@pytest.mark.slow
@pytest.mark.parametrize(("f", "noise", "gamma"), COUPLED[:2], ids=repr)
def test_coupled_pair_against_a_tight_simulation(f, noise, gamma):
    net = CTRNN(W, B, f, gamma)
    simulated = predict(net, noise, method="simulation", target_se=1e-6, rng=2)
    assert np.all(np.abs(exact.solve(net, noise).mean - simulated.mean) < 5 * simulated.standard_error)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [Noise(0.5), Noise(0.3, 0.2)], ids=repr)
def test_coupled_three_against_simulation(noise):
    net = CTRNN([[0.5, -0.6, 0.2], [0.5, 0.3, -0.3], [0.1, 0.4, -0.5]], [0.1, 0.2, 0.3], "softplus", 0.2)
    law, simulated = exact.solve(net, noise), predict(net, noise, method="simulation", target_se=1e-5, rng=3)
    assert law.converged, law.message
    assert np.all(np.abs(law.mean - simulated.mean) < 5 * simulated.standard_error)


@pytest.mark.parametrize("noise", SITES[:3] + SITES[4:5], ids=repr)
def test_neurons_may_be_renamed(noise):
    turned = Noise(*(np.flip(value, 0) if np.ndim(value) else value for value in (noise.inside, noise.outside)))
    law = exact.solve(CTRNN(W, B, "tanh", 0.5), noise, tolerance=1e-6)
    other = exact.solve(CTRNN(W[::-1, ::-1], B[::-1], "tanh", 0.5), turned, tolerance=1e-6)
    assert_near(law, other.mean[::-1], other.covariance[::-1, ::-1])


BISTABLE = CTRNN(1.5 * np.eye(2), 0.0, "tanh", 0.1)


@pytest.mark.parametrize("noise", [Noise(outside=0.6), Noise(0.6)], ids=repr)
def test_two_bistable_neurons(noise):
    """At the start state the closure is not stable, and far wider than the law."""
    single = exact.solve(CTRNN.single(1.5, 0.0, "tanh", 0.1), noise)
    law = exact.solve(BISTABLE, noise)
    assert_near(law, np.zeros(2), single.covariance[0, 0] * np.eye(2))
    assert law.details["nodes"] <= 4096
    fourth = single.expectation(lambda h: h[:, 0] ** 4)
    assert law.expectation(lambda h: h[:, 0] ** 4) == pytest.approx(fourth, abs=1e-7)
    assert law.expectation(lambda h: h[:, 0] ** 2 * h[:, 1] ** 2) == pytest.approx(
        single.covariance[0, 0] ** 2, abs=1e-7
    )


def test_noise_that_never_leaves_a_basin_leaves_the_start_to_decide():
    laws = [exact.solve(BISTABLE, Noise(outside=0.15), start=start) for start in ([0.9, 0.9], [0.9, -0.9])]
    single = exact.solve(CTRNN.single(1.5, 0.0, "tanh", 0.1), Noise(outside=0.15), start=[0.9])
    for law, sign in zip(laws, (1.0, -1.0), strict=True):
        assert_near(law, single.mean[0] * np.array([1.0, sign]), single.covariance[0, 0] * np.eye(2))
        assert np.all(np.min(np.abs(law.details["domain"]), axis=1) > 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [Noise(outside=0.6), Noise(0.6)], ids=repr)
def test_a_coupled_bistable_pair_against_simulation(noise):
    net = CTRNN([[1.5, -0.2], [0.2, 1.5]], [0.0, 0.05], "tanh", 0.1)
    law = exact.solve(net, noise)
    simulated = predict(net, noise, method="simulation", target_se=1e-3, rng=4)
    assert law.converged, law.message
    assert np.max(law.details["error"]) < 1e-8
    assert np.all(np.abs(law.mean - simulated.mean) < 5 * simulated.standard_error)
    other = exact.solve(replace(net, b=np.array([0.02, 0.05])), noise)  # the test can fail
    assert np.any(np.abs(other.mean - simulated.mean) > 5 * simulated.standard_error)


@pytest.mark.slow
def test_three_neurons_with_kinks_and_noise_outside_state_their_error():
    weights, b = [0.4, -0.8, 0.3], [0.1, 0.2, 0.1]
    law = exact.solve(CTRNN(np.diag(weights), b, "relu", 0.2), Noise(outside=0.5))
    single = [exact.solve(CTRNN.single(w, c, "relu", 0.2), Noise(outside=0.5)) for w, c in zip(weights, b, strict=True)]
    off = np.max(np.abs(law.mean - [one.mean[0] for one in single]))
    assert off <= law.details["error"][0]
    assert not law.converged
    assert law.details["error"][0] < 0.01


def test_an_odd_network_has_an_odd_law():
    law = exact.solve(CTRNN(W, 0.0, "tanh", 0.3), Noise(0.5, 0.2))
    assert np.max(np.abs(law.mean)) < 1e-12
    assert abs(law.expectation(lambda h: h[:, 0] ** 3)) < 1e-10


HONEST = [
    ("relu", Noise(0.5)),
    ("tanh", Noise(0.5)),
    ("hardtanh", Noise(outside=0.6)),
    ("softplus", Noise(outside=0.4)),
]


@pytest.mark.parametrize(("f", "noise"), HONEST, ids=repr)
def test_stated_errors_of_coarse_grids_hold(f, noise):
    """The error estimate of a coarse grid bounds the difference to a fine one."""
    net = CTRNN(W, B, f, 0.5)
    fine = solve_several(net, noise, net.b, np.zeros(2), 1e-5)
    assert np.max(fine.error) < 1e-5
    worst = 0.0
    for count in (8, 12, 16):
        coarse, _ = chain_on(fine.step, ChebyshevGrid(fine.grid.low, fine.grid.high, (count, count)), None)
        off = [np.max(np.abs(coarse.mean - fine.mean)), np.max(np.abs(coarse.covariance - fine.covariance))]
        assert np.all(off <= coarse.error + fine.error)
        worst = max(worst, float(off[0] / fine.error[0]))
    assert worst > 10.0  # there is an error to estimate


def test_the_law_does_not_depend_on_how_it_is_solved():
    """GMRES with a coarser grid as preconditioner agrees with the factored matrix."""
    net = CTRNN(W, B, "softplus", 0.3)
    chain = solve_several(net, Noise(0.5), net.b, np.zeros(2), 1e-6)
    grid = ChebyshevGrid(chain.grid.low, chain.grid.high, (24, 24))
    small = ChebyshevGrid(grid.low, grid.high, (10, 10))
    step = chain.step
    direct = System(step.rows(grid, grid.points, 24), grid, None)
    iterated = System(direct.rows, grid, System(step.rows(small, small.points, 24), small, None))
    phi = grid.reference(grid.points)
    assert np.max(np.abs(direct.law() @ phi - iterated.law() @ phi)) < 1e-11
    assert np.max(np.abs(direct.poisson(phi) - iterated.poisson(phi))) < 1e-9


def test_a_kink_without_noise_of_its_own_is_not_vouched_for():
    """h₁ = relu(ξ) and h₂' = relu(2 h₁ - 1): E h₂ = 2 E (ξ - ½)₊ needs a function of h₁ with a kink."""
    net, noise = CTRNN([[0.0, 0.0], [2.0, 0.0]], [0.0, -1.0], "relu", 1.0), Noise([1.0, 0.0])
    normal = NormalDist()
    above, density = normal.cdf(-0.5), normal.pdf(0.5)
    second = 2.0 * (density - 0.5 * above)
    squares = 4.0 * (1.25 * above - 0.5 * density)
    law = exact.solve(net, noise)
    off = np.abs([law.mean[1] - second, law.covariance[1, 1] - (squares - second**2)])
    assert np.all(off <= law.details["error"])
    assert np.max(off) > 1e-8  # it is not accurate,
    assert not law.converged  # and says so
    assert "estimated error" in law.message


@pytest.mark.parametrize("little", [0.0, 0.02])
def test_a_neuron_with_noise_beside_one_with_little_at_a_kink(little):
    law = exact.solve(CTRNN(np.diag([0.5, -0.4]), [0.1, 0.0], "relu", 0.5), Noise([0.5, little]), tolerance=1e-6)
    single = [
        exact.solve(CTRNN.single(w, b, "relu", 0.5), Noise(s)) for w, b, s in ((0.5, 0.1, 0.5), (-0.4, 0, little))
    ]
    off = np.abs(law.mean - [one.mean[0] for one in single])
    assert np.all(off <= law.details["error"][0] + 1e-12)
    off = np.abs(law.covariance - np.diag([one.covariance[0, 0] for one in single]))
    assert np.all(off <= law.details["error"][1] + 1e-12)
    assert law.details["error"][0] < 1e-3


def test_higher_moments_at_both_sites():
    """Third cumulants are those of a linear filter of f(b + σ ξ); noise outside adds none."""
    sigma, gamma = 0.7, 0.4
    f = activation("relu")
    xi, weight = np.polynomial.hermite_e.hermegauss(100)
    weight = weight / weight.sum()
    for outside in (0.0, 0.5):
        law = exact.solve(CTRNN(np.zeros((2, 2)), 3.0, "softplus", gamma), Noise(sigma, outside))
        value = activation("softplus")(3.0 + sigma * xi)
        third = weight @ (value - weight @ value) ** 3 * gamma**3 / (1.0 - (1.0 - gamma) ** 3)
        found = law.expectation(lambda h, law=law: (h - law.mean) ** 3)
        assert found == pytest.approx([third, third], abs=2e-8)  # twice the tolerance
    law = exact.solve(CTRNN(np.zeros((2, 2)), [0.3, -0.2], "relu", gamma), Noise(outside=CORRELATED))
    variance = gamma**2 / (1.0 - (1.0 - gamma) ** 2) * Noise(outside=CORRELATED).covariance("outside", 2)
    mixed = law.expectation(lambda h: np.prod((h - f(np.array([0.3, -0.2]))) ** 2, axis=1))
    assert mixed == pytest.approx(variance[0, 0] * variance[1, 1] + 2.0 * variance[0, 1] ** 2, abs=1e-9)


def test_one_neuron_s_law_is_asked_in_the_same_way():
    law = exact.solve(CTRNN.single(0.5, 0.1), Noise(0.5))
    assert law.expectation(lambda h: h) == pytest.approx(law.mean, abs=1e-12)
    assert law.expectation(lambda h: (h[:, 0] - law.mean[0]) ** 2) == pytest.approx(law.covariance[0, 0], abs=1e-11)
    with pytest.raises(ValueError, match="gives its mean and covariance only"):
        predict(CTRNN.single(0.5, 0.1), Noise(0.5)).expectation(lambda h: h)


def test_a_neuron_that_does_not_move():
    law = exact.solve(CTRNN([[0.5, 0.3], [0.0, 0.0]], [0.1, -40.0], "relu", 0.3), Noise(0.5))
    alone = exact.solve(CTRNN.single(0.5, 0.1, "relu", 0.3), Noise(0.5))
    assert_near(law, np.array([alone.mean[0], 0.0]), np.diag([alone.covariance[0, 0], 0.0]))


def test_without_noise_the_law_is_a_point():
    law = exact.solve(CTRNN(W, B, "tanh", 0.3), Noise())
    assert np.allclose(law.mean, activation("tanh")(W @ law.mean + B), rtol=0, atol=1e-12)
    assert not law.covariance.any()
    assert np.allclose(law.expectation(lambda h: h), law.mean)


def test_refusals():
    with pytest.raises(NotApplicable, match="up to three neurons"):
        exact.solve(CTRNN(np.zeros((4, 4)), 0.1), Noise(0.5))
    with pytest.raises(NotApplicable, match="that neurons share"):
        exact.solve(CTRNN(np.zeros((3, 3)), 0.1), Noise([[0.5], [0.5], [0.5]]))
    with pytest.raises(Divergence):
        exact.solve(CTRNN(2.0 * np.eye(2), 0.1), Noise(0.5))


def test_a_grid_that_does_not_fit_says_so(monkeypatch):
    monkeypatch.setattr(chain_module, "free_memory", lambda: 1e6)
    with pytest.raises(NotApplicable, match=r"needs about \S+ GB for 256 nodes; 0.001 GB are free"):
        exact.solve(CTRNN(W, B, "relu", 0.5), Noise(outside=0.5))


def test_saturated_neurons_cost_one_grid(monkeypatch):
    """States that hardly move are known to their own rounding, which no grid undoes."""
    grids = []
    monkeypatch.setattr(chain_module, "chain_on", lambda *args: grids.append(args[1]) or chain_on(*args))
    net = CTRNN(np.zeros((3, 3)), [776.0, 1580.0, 920000.0], "erf", 5e-5)
    law = exact.solve(net, Noise(2e-6))
    assert law.converged
    np.testing.assert_allclose(law.mean, 1.0, atol=1e-11)
    assert len(grids) == 1


@pytest.mark.parametrize("tight", [0, 1])
def test_the_leak_is_the_error_of_a_box_that_is_too_small(tight):
    """One axis is twenty times as wide as the other; what leaves the narrow one moves the state by its own width."""
    net, noise = CTRNN([[0.5, -0.8], [0.02, 0.3]], B, "tanh", 0.2), Noise(inside=[0.5, 0.02])
    found = solve_several(net, noise, net.b, np.zeros(2), 1e-9)
    std = np.sqrt(np.diag(found.covariance))
    high = found.mean + np.where(np.arange(2) == tight, 3.5, 8.0) * std
    grid = ChebyshevGrid(found.mean - 8.0 * std, high, (32, 32))
    chain, _ = chain_on(found.step, grid, None)
    half = np.max(grid.high - grid.low) / 2.0
    off = np.max(np.abs(chain.mean - found.mean))
    assert off > 100.0 * chain.residual[0]  # the test can fail: nothing but the leak is seen
    assert 0.9 * off < half * np.max(chain.leak) < 2.0 * off
    assert np.max(np.abs(chain.covariance - found.covariance)) < 4.0 * half**2 * np.max(chain.leak)


@pytest.mark.slow
def test_a_narrow_axis_does_not_widen_the_box_in_vain(monkeypatch):
    """What leaves its narrow side is small beside the error of a grid that does not resolve the other two axes."""
    net = CTRNN(
        [[-0.166, 0.231, -0.242], [0.13, 0.262, 0.125], [0.315, -0.25, 0.146]], [-2.6, -0.148, 0.0298], "tanh", 0.0148
    )
    grids = []
    monkeypatch.setattr(chain_module, "chain_on", lambda *args: grids.append(args[1]) or chain_on(*args))
    law = exact.solve(net, Noise(0.571))
    assert law.converged, law.message
    assert [grid.size for grid in grids] == [12**3, 16 * 24 * 24, 24 * 32 * 32]
    true = [-0.9732751996, -0.2874894799, -0.1813024350]  # on 32 x 40 x 40 nodes, and a wider box: to 3e-9
    assert np.max(np.abs(law.mean - true)) < law.details["error"][0] < 2e-7
