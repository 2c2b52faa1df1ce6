"""Orbits by simulation beside closed forms and closures: rotation, dwell times, emission, homogeneity, scaled noise."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov
from scipy.special import ndtr

import ctrnn_theory as ct
from ctrnn_theory.analysis.orbit.law import DIMENSIONS
from ctrnn_theory.analysis.orbit.orbit import multiplied
from ctrnn_theory.analysis.orbit.predicted import POINTS

SE = 5.0  # standard errors
ANGLE, SHRINKING = 0.3, 0.9
TURN = SHRINKING * np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
FACTOR = np.array([[1.0, 0.0], [0.4, 0.5]])
READOUT = np.array([[1.0, 0.2], [-0.5, 0.8], [0.75, 0.5]])  # each region holds a part of the positive quadrant
SWITCH = "2*Heaviside(x) - 1"
SHORT = {"steps": 400, "trajectories": 64, "workers": 1}


def gaps(law, expected, names):
    """Largest distance of some arrays to what is expected, in standard errors."""
    return {name: np.max(np.abs(getattr(law, name) - expected[name]) / law.standard_errors[name]) for name in names}


@pytest.fixture(scope="module")
def linear():
    return ct.orbit(ct.CTRNN(TURN, [0.1, -0.2], "x", 1.0), ct.Noise(inside=FACTOR), READOUT, workers=1)


def exact():
    C = solve_discrete_lyapunov(TURN, FACTOR @ FACTOR.T)
    m = np.linalg.solve(np.eye(2) - TURN, [0.1, -0.2])
    found = {"mean": m, "covariance": C, "lagged": TURN @ C, "variance": [np.trace(C)]}
    return found | {"angle": [ANGLE], "rate": [SHRINKING * np.sin(ANGLE)]}


def test_simulated_moments_of_a_linear_network_are_those_of_the_lyapunov_equation(linear):
    law = linear.laws["simulation"]
    assert law.converged
    assert max(gaps(law, exact(), exact()).values()) < SE
    assert law.standard_errors["angle"][0] < 0.01 * ANGLE


def test_another_angle_is_told_apart(linear):
    off = exact() | {"angle": [1.05 * ANGLE], "rate": [SHRINKING * np.sin(1.05 * ANGLE)]}
    found = gaps(linear.laws["simulation"], off, ("angle", "rate"))
    assert min(found.values()) > SE


def test_regions_and_emission_of_a_linear_network_are_those_of_its_gaussian_law(linear):
    closure, law = linear.laws["gaussian_closure"], linear.laws["simulation"]
    # errors of quasi-random points are below those of as many random ones in each region
    points = 2**POINTS * closure.occupancy[:, None]
    for name in ("transitions", "emission"):
        value = getattr(closure, name)
        quasi = np.sqrt(value * (1.0 - value) / points)
        assert np.all(np.abs(getattr(law, name) - value) < SE * np.hypot(law.standard_errors[name], quasi)), name
    np.testing.assert_allclose(closure.dwell, 1.0 / (1.0 - np.diag(closure.transitions)))
    np.testing.assert_allclose(law.dwell, closure.dwell, rtol=0.03)


@given(st.floats(0.1, 0.95))
@settings(max_examples=4)
def test_a_linear_neuron_crosses_zero_as_rarely_as_it_is_correlated(w):
    """P(sign changes) = arccos(ρ)/π for a Gaussian pair of correlation ρ; emission by a rule of two dimensions."""
    law = ct.orbit(ct.CTRNN.single(w, 0.0, "x", 1.0), ct.Noise(inside=1.0), [[1.0], [-1.0]], simulate=False).laws
    law = law["gaussian_closure"]
    np.testing.assert_allclose(1.0 / law.dwell, np.arccos(w) / np.pi, rtol=0.03)  # of 2¹⁵ points
    x, weights = np.polynomial.hermite_e.hermegauss(60)
    std, weights = 1.0 / np.sqrt(1.0 - w**2), weights / weights.sum()
    now, later = std * x[:, None], std * (w * x[:, None] + np.sqrt(1.0 - w**2) * x)
    up, next_up = (1.0 / (1.0 + np.exp(-2.0 * z)) for z in (now, later))
    both = weights @ (up * next_up) @ weights
    np.testing.assert_allclose(law.emission[0, 0], both / 0.5, atol=2e-3)


def test_all_is_counted_as_in_plain_loops():
    net = ct.CTRNN([[0.5, -0.9], [0.8, 0.3]], [0.1, 0.2], "relu", 0.5)
    noise, steps, before = ct.Noise(inside=FACTOR), 50, 10
    found = ct.orbit(net, noise, READOUT, steps=steps, burn_in=before, trajectories=64, rng=3)
    law, path = (
        found.laws["simulation"],
        ct.simulate(net, noise, steps=steps + before, trajectories=64, rng=3).h[before:],
    )
    now, later = path[:-1].reshape(-1, 2), path[1:].reshape(-1, 2)
    np.testing.assert_allclose(law.mean, now.mean(axis=0))
    np.testing.assert_allclose(law.covariance, np.cov(now.T, bias=True))
    np.testing.assert_allclose(law.lagged, (later - later.mean(0)).T @ (now - now.mean(0)) / len(now))
    z = path @ READOUT.T
    p, labels = np.exp(z) / np.exp(z).sum(-1, keepdims=True), z.argmax(-1)
    joint, moved, stays = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, steps), int)
    for trajectory in range(64):
        begin = None
        for t in range(steps):
            i, j = labels[t, trajectory], labels[t + 1, trajectory]
            joint += np.outer(p[t, trajectory], p[t + 1, trajectory])
            moved[i, j] += 1
            if i != j:
                if begin is not None:
                    stays[i, t - begin] += 1
                begin = t + 1
    np.testing.assert_allclose(law.emission, joint / joint.sum(1, keepdims=True))
    np.testing.assert_allclose(law.transitions, moved / moved.sum(1, keepdims=True))
    np.testing.assert_allclose(law.occupancy, moved.sum(1) / moved.sum())
    np.testing.assert_array_equal(law.sojourns, stays[:, : law.sojourns.shape[1]])
    assert stays.sum() == law.sojourns.sum()
    np.testing.assert_array_equal(found.path, path[:, 0])


def test_dwell_times_of_a_known_markov_chain():
    """h' = sign(h + b + σ ξ) is a chain of two states that are left with Φ(-(1 ± b)/σ)."""
    b, sigma = 0.2, 0.8
    found = ct.orbit(
        ct.CTRNN.single(1.0, b, SWITCH, 1.0), ct.Noise(inside=sigma), [[1.0], [-1.0]], steps=2000, workers=1
    )
    law = found.laws["simulation"]
    leave = ndtr(-np.array([1.0 + b, 1.0 - b]) / sigma)
    expected = {"dwell": 1.0 / leave, "occupancy": leave[::-1] / leave.sum()}
    expected["transitions"] = np.array([[1.0 - leave[0], leave[0]], [leave[1], 1.0 - leave[1]]])
    assert max(gaps(law, expected, expected).values()) < SE
    wrong = {"dwell": 1.0 / leave[::-1]}
    assert gaps(law, wrong, wrong)["dwell"] > 10.0 * SE
    # lengths are geometric, but for stays that the end of the run cuts off, a share of some dwell time over the steps
    for stays, p in zip(law.sojourns, leave, strict=True):
        share = stays[:4] / stays.sum()
        expected_share = p * (1.0 - p) ** np.arange(4)
        cut = 3.0 / (p * 2000)
        assert np.all(
            np.abs(share - expected_share) < SE * np.sqrt(expected_share / stays.sum()) + cut * expected_share
        )


def test_standard_errors_are_those_of_repeated_runs():
    net, noise, runs = ct.CTRNN(TURN, 0.0, "relu", 1.0), ct.Noise(inside=FACTOR), 40
    options = {"steps": 60, "trajectories": 64, "workers": 1, "planes": [np.eye(2)]}
    options["regions"] = lambda h: h @ READOUT.T  # of which no closure is asked
    laws = [ct.orbit(net, noise, READOUT, rng=k, **options).laws["simulation"] for k in range(runs)]
    for name in ("mean", "lagged", "rate", "angle", "emission", "dwell"):
        spread = np.std([getattr(law, name) for law in laws], axis=0, ddof=1)
        error = np.sqrt(np.mean([law.standard_errors[name] ** 2 for law in laws], axis=0))
        assert np.all(np.abs(error / spread - 1.0) < SE / np.sqrt(2.0 * (runs - 1))), name


def test_without_rotation_the_simulated_one_is_within_its_error():
    """Symmetric weights and equal noise; planes are chosen in other trajectories than they are measured in."""
    W = np.array([[0.6, 0.2, 0.0], [0.2, 0.1, -0.3], [0.0, -0.3, 0.5]])
    law = ct.orbit(ct.CTRNN(W, 0.0, "x", 1.0), ct.Noise(inside=1.0), **SHORT).laws["simulation"]
    error = np.hypot(law.standard_errors["lagged"], law.standard_errors["lagged"].T)
    assert np.all(np.abs(law.antisymmetric) < SE * error)
    assert np.all(np.abs(law.rate) < SE * law.standard_errors["rate"])


def test_twice_the_noise_makes_twice_the_states_to_the_bit():
    """And is the inverse temperature of the softmax, since a readout of twice the size does the same."""
    s = 2.0
    rng = np.random.default_rng(1)
    net = ct.CTRNN(0.4 * rng.standard_normal((5, 5)), 0.0, "relu", 1.0, W_out=rng.standard_normal((3, 5)))
    noise = ct.Noise(inside=rng.standard_normal((5, 4)))
    one, more = ct.orbit(net, noise, **SHORT), ct.orbit(net, noise.scaled(s), **SHORT)
    colder = ct.orbit(net, noise, s * net.W_out, **SHORT)
    np.testing.assert_array_equal(more.path, s * one.path)
    law, scaled, cold = (found.laws["simulation"] for found in (one, more, colder))
    np.testing.assert_array_equal(scaled.mean, s * law.mean)
    np.testing.assert_array_equal(scaled.lagged, s**2 * law.lagged)
    for name in ("transitions", "dwell", "occupancy", "sojourns"):
        np.testing.assert_array_equal(getattr(scaled, name), getattr(law, name))
    np.testing.assert_array_equal(scaled.emission, cold.emission)
    assert np.max(np.abs(scaled.emission - law.emission)) > 0.01
    np.testing.assert_allclose(scaled.rate, law.rate, rtol=1e-12)


def test_softplus_is_not_homogeneous():
    net = ct.CTRNN(TURN, 0.0, "softplus", 1.0)
    one, two = (ct.simulate(net, ct.Noise(inside=s), steps=20).h for s in (1.0, 2.0))
    assert np.max(np.abs(two - 2.0 * one)) > 0.1


def test_the_closure_is_near_the_simulation_where_the_law_has_one_peak():
    rng = np.random.default_rng(5)
    W = rng.standard_normal((10, 10))
    net = ct.CTRNN(0.9 * W / np.max(np.abs(np.linalg.eigvals(W))), 0.0, "relu", 1.0, W_out=rng.standard_normal((3, 10)))
    found = ct.orbit(net, ct.Noise(inside=1.0), steps=1000, workers=1)
    closure, law = found.laws["gaussian_closure"], found.laws["simulation"]
    for name, stated in (("rate", 0.05), ("angle", 0.05), ("emission", 0.03)):  # of the closure for this network
        value = getattr(closure, name)
        allowed = SE * law.standard_errors[name] + stated * np.max(np.abs(value))
        assert np.all(np.abs(getattr(law, name) - value) < allowed), name
    assert law.rate[0] > 0.1


KINDS = {
    "voltage": (ct.CTRNN(TURN, 0.1, "x", 0.5, form="voltage"), ct.Noise(inside=0.3, outside=0.2)),
    "coloured": (ct.CTRNN(TURN, 0.1, "x", 0.5), ct.Noise(inside=0.3, rho_inside=0.7)),
    "multiplicative": (ct.CTRNN(0.5 * TURN, 0.4, "x", 0.5), ct.Noise(outside=0.3, gain_outside=0.3)),
    "own": (ct.CTRNN(TURN, 0.1, "x", [0.3, 0.8]), ct.Noise(inside=0.3)),
    "tanh": (ct.CTRNN(TURN, 0.1, "tanh", 0.5), ct.Noise(inside=0.3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_and_noise_turns_as_predicted(kind):
    """The closure of linear networks is exact; that of tanh is good to some percent."""
    net, noise = KINDS[kind]
    found = ct.orbit(net, noise, planes=[np.eye(2)], steps=1500, workers=1)
    closure, law = found.laws["gaussian_closure"], found.laws["simulation"]
    stated = 0.06 if kind == "tanh" else 0.0
    for name in ("rate", "angle", "lagged"):
        value = getattr(closure, name)
        assert np.all(
            np.abs(getattr(law, name) - value) < SE * law.standard_errors[name] + stated * np.max(np.abs(value))
        )


@pytest.fixture(scope="module")
def scaled():
    net, noise = ct.CTRNN(TURN, 0.0, "relu", 1.0, W_out=READOUT), ct.Noise(inside=FACTOR)
    return ct.orbit(net, noise, neurons=[1], factors=[0.0, 1.0, 2.0], **SHORT)


def test_scaled_noise(scaled):
    found = scaled
    assert [tuple(orbit.noise.inside[1]) for orbit in found.scaled] == [(0.0, 0.0), (0.4, 0.5), (0.8, 1.0)]
    for orbit in found.scaled:
        np.testing.assert_array_equal(orbit.planes, found.planes)
    values, errors = found.along("dwell")
    assert values.shape == errors.shape == (3, 3)
    one = found.scaled[1].laws["simulation"]
    np.testing.assert_array_equal(one.dwell, found.laws["simulation"].dwell)
    np.testing.assert_array_equal(values[1], one.dwell)
    rates, error = found.along("rate", "gaussian_closure")
    assert error is None
    assert np.ptp(rates[:, 0]) > 0.01
    assert np.all(np.isnan(found.along("rate", "unknown")[0]))


@pytest.mark.parametrize("inside", [0.5, [0.5, 0.2, 0.1], np.ones((3, 2))], ids=["number", "vector", "factor"])
def test_noise_of_chosen_neurons_is_multiplied(inside):
    noise = ct.Noise(inside=inside, outside=0.3)
    found = multiplied(noise, np.array([0, 2]), 3.0, 3)
    np.testing.assert_allclose(found.std("inside", 3), noise.std("inside", 3) * [3.0, 1.0, 3.0])
    assert found.outside == 0.3
    np.testing.assert_array_equal(noise.inside, inside)  # as before


def test_regions_of_a_function():
    net, noise = ct.CTRNN(TURN, 0.0, "relu", 1.0, W_out=READOUT), ct.Noise(inside=FACTOR)
    found, own = ct.orbit(net, noise, **SHORT), ct.orbit(net, noise, regions=lambda h: h @ READOUT.T, **SHORT)
    assert set(found.laws) == {"gaussian_closure", "regional_closure", "simulation"}
    assert set(own.laws) == {"gaussian_closure", "simulation"}
    assert own.laws["gaussian_closure"].dwell is None
    np.testing.assert_array_equal(own.laws["simulation"].dwell, found.laws["simulation"].dwell)
    bare = ct.orbit(
        ct.CTRNN(TURN, 0.0, "relu", 1.0), noise, regions=lambda h: np.stack([h[..., 0], h[..., 1]], -1), **SHORT
    )
    assert bare.laws["simulation"].emission is None
    assert bare.laws["simulation"].dwell.shape == (2,)


def test_threads_do_not_matter():
    net, noise = ct.CTRNN(TURN, 0.0, "relu", 1.0, W_out=READOUT), ct.Noise(inside=FACTOR)
    one, two = (ct.orbit(net, noise, steps=100, workers=workers).laws["simulation"] for workers in (1, 2))
    for name in DIMENSIONS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_run_that_is_not_stationary_says_so():
    slow = ct.CTRNN(0.99 * np.eye(2), 0.0, "x", 1.0)
    law = ct.orbit(slow, ct.Noise(inside=0.1), start=[50.0, 0.0], burn_in=0, **SHORT).laws["simulation"]
    assert not law.converged
    assert "burn_in is too short" in law.message
    later = ct.orbit(slow, ct.Noise(inside=0.1), start=[50.0, 0.0], burn_in=2000, **SHORT).laws["simulation"]
    assert later.converged


def test_what_does_not_apply_is_said():
    explosive = ct.CTRNN([[2.0, 0.0], [0.0, 0.5]], 0.0, "x", 1.0)
    with pytest.raises(ct.Divergence):
        ct.orbit(explosive, ct.Noise(inside=1.0), steps=200)
    with pytest.raises(ct.NotApplicable, match="closure: "):
        ct.orbit(explosive, ct.Noise(inside=1.0), simulate=False)


def test_refusals():
    net, noise = ct.CTRNN(TURN, 0.0, "relu", 1.0), ct.Noise(inside=1.0)
    for options, message in (
        ({"readout": [[1.0]]}, r"readout must have shape \(any, 2\); got \(1, 1\)"),
        ({"planes": 0}, "planes must be an integer of at least 1; got 0"),
        ({"planes": [[[1.0, 0.0], [1.0, 0.0]]]}, "planes must have orthonormal axes"),
        ({"neurons": [2]}, r"neurons must be different integers from 0 to 1; got \[2.0\]"),
        ({"neurons": [0, 0]}, "neurons must be different integers"),
        ({"factors": [1.0]}, "factors must come with neurons; got factors alone"),
        ({"neurons": [0], "factors": [-1.0]}, "factors must be at least 0; got -1"),
        ({"regions": 3}, "regions must be a function of states, or None; got 3"),
        ({"regions": lambda h: h[..., 0]}, "regions must give scores"),
        ({"predict": False, "simulate": False}, "simulate must be True unless predict is"),
        ({"burn_in": -1}, "burn_in must be an integer of at least 0; got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            ct.orbit(net, noise, **options)


def test_table_arrays_and_picture(scaled):
    table = scaled.table()
    for text in ("plane", "dwell", "emitted next, simulation", "noise inside of 1 neuron multiplied", "factor"):
        assert text in table
    arrays = scaled.to_xarray()
    assert arrays["simulation_rate_scaled"].dims == ("factor", "plane")
    assert arrays["simulation_emission"].dims == ("region", "next")
    law = scaled.laws["simulation"]
    assert {field.name for field in fields(law)} >= set(DIMENSIONS)
    assert "dwell" in law.table()
    assert law.to_xarray()["dwell_error"].dims == ("region",)
    ax = scaled.plot()
    assert len(ax.get_legend().get_texts()) == 3 + 3  # regions and laws
    with pytest.raises(ValueError, match="plane must be below 1; got 1"):
        scaled.plot(plane=1)
