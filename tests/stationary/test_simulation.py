"""The simulation method: exact cases, reference values, honest standard errors, and what it refuses."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.integrators import ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact, simulation
from ctrnn_theory.stationary.simulation import solve
from ctrnn_theory.support.errors import Divergence
from tests.reference_cases import REFERENCE_CASES

CASES = pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
FACTOR = np.array([[0.5, 0.0], [0.3, 0.2], [0.0, 0.4]])


def neuron(case):
    net = CTRNN.single(case.w, case.b, case.activation, case.gamma)
    return net, Noise(inside=case.sigma) if case.site == "inside" else Noise(outside=case.sigma)


def network(activation, n=3, gamma=0.2, seed=1):
    rng = np.random.default_rng(seed)
    return CTRNN(rng.normal(size=(n, n)) * 0.7 / np.sqrt(n), rng.normal(size=n) * 0.3, activation, gamma)


def check_reference(case, target_se):
    net, noise = neuron(case)
    law = solve(net, noise, target_se=target_se, rng=2)
    error, details = law.standard_error[0], law.details
    assert law.converged
    assert law.message == ""
    assert 0.0 < error <= target_se
    assert abs(law.mean[0] - case.mean) < 5 * error
    assert abs(details["plain_mean"][0] - case.mean) < 5 * details["plain_standard_error"][0]
    assert abs(details["plain_covariance"][0, 0] - case.std**2) < 5 * details["variance_standard_error"][0]
    assert abs(law.covariance[0, 0] - case.std**2) < 5 * details["covariance_standard_error"][0, 0]
    assert details["variance_reduction"][0] > 5  # 7.6 is the least that was measured: hardtanh, noise outside


@CASES
def test_reference_values(case):
    check_reference(case, 1e-4)


@pytest.mark.slow
@CASES
def test_reference_values_closely(case):
    check_reference(case, 1e-5)


def test_negative_control_a_wrong_smoothed_activation_is_seen(monkeypatch):
    """F for a noise that is 1 % off moves the mean by many standard errors; the plain mean stays."""
    right = ensemble.tabulate
    monkeypatch.setattr(ensemble, "tabulate", lambda act, std, *rest: right(act, 1.01 * std, *rest))
    case = REFERENCE_CASES[0]
    law = solve(*neuron(case), target_se=1e-4, rng=2)
    assert abs(law.mean[0] - case.mean) > 5 * law.standard_error[0]
    assert abs(law.details["plain_mean"][0] - case.mean) < 5 * law.details["plain_standard_error"][0]


@pytest.mark.parametrize(
    "noise",
    [Noise(inside=FACTOR), Noise(inside=0.4, outside=FACTOR), Noise(inside=[0.5, 0.0, 0.2], outside=0.3)],
    ids=["common inside", "common outside", "some inside"],
)
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_control_variate_keeps_the_mean(activation, noise):
    """The mean of one step needs only the marginals of correlated noise."""
    law = solve(network(activation), noise, steps=4000, rng=3)
    deviation = np.abs(law.mean - law.details["plain_mean"])
    assert np.all(deviation < 5 * law.details["plain_standard_error"])
    assert np.all(law.details["variance_reduction"] > 10)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize(
    "noise", [Noise(inside=0.4), Noise(inside=[0.5, 0.0, 0.2], outside=FACTOR)], ids=["inside", "both"]
)
def test_control_variate_keeps_the_covariance(activation, noise):
    law = solve(network(activation), noise, steps=4000, rng=3)
    V, plain, error = law.covariance, law.details["plain_covariance"], law.details["variance_standard_error"]
    assert np.all(np.abs(np.diag(V - plain)) < 5 * error)
    assert np.all(np.diag(law.details["covariance_standard_error"]) < 0.5 * error)
    assert np.array_equal(V, V.T)
    assert not np.array_equal(V, plain)


def test_noise_in_common_inside_leaves_the_covariance_plain():
    law = solve(network("relu"), Noise(inside=FACTOR), steps=1000, rng=3)
    assert np.array_equal(law.covariance, law.details["plain_covariance"])


def test_standard_errors_of_the_covariance_are_honest():
    """Over 60 seeds, with 32 replicates each: z² has mean 31/29, and its sum lies within the tails of 1e-6."""
    case = REFERENCE_CASES[2]
    laws = [solve(*neuron(case), steps=400, rng=seed) for seed in range(60)]
    z = [(law.covariance[0, 0] - case.std**2) / law.details["covariance_standard_error"][0, 0] for law in laws]
    assert 20 < np.sum(np.square(z)) < 145
    assert abs(np.mean(z)) < 5 / np.sqrt(60)
    wrong = [
        (law.covariance[0, 0] - 1.01 * case.std**2) / law.details["covariance_standard_error"][0, 0] for law in laws
    ]
    assert abs(np.mean(wrong)) > 5 / np.sqrt(60)  # negative control


def test_antithetic_trajectories_cancel_what_is_linear():
    net, noise = network("tanh"), Noise(outside=0.2)
    options = {"steps": 2000, "rng": 4, "control_variate": False}
    pairs, plain = (solve(net, noise, antithetic=a, **options) for a in (True, False))
    assert np.all(np.abs(pairs.mean - plain.mean) < 5 * np.hypot(pairs.standard_error, plain.standard_error))
    assert np.all(pairs.standard_error < 0.5 * plain.standard_error)
    assert pairs.details["trajectories"] == plain.details["trajectories"]


def test_autocorrelation_time_of_a_linear_neuron():
    """AR(1) with factor a: (1 + a) / (1 - a) steps."""
    net = CTRNN.single(0.5, 0.0, "identity", 0.1)
    law = solve(net, Noise(outside=0.3), steps=20_000, rng=1, trajectories=4096)
    assert law.details["autocorrelation_time"][0] == pytest.approx(39.0, rel=5 * np.sqrt(2 / 4096))


def test_linear_network_is_exact():
    """Mean and covariance without error, since the control variates are then complete."""
    net, noise = network("identity"), Noise(inside=0.3, outside=FACTOR)
    laws = [solve(net, noise, steps=500, rng=seed) for seed in range(20)]
    exact = np.linalg.solve(np.eye(3) - net.W, net.b)
    for law in laws:
        np.testing.assert_allclose(law.mean, exact, atol=1e-9)
    A = (1 - net.gamma) * np.eye(3) + net.gamma * net.W
    V = solve_discrete_lyapunov(A, net.gamma**2 * (0.09 * np.eye(3) + FACTOR @ FACTOR.T))
    for law in laws:
        np.testing.assert_allclose(law.covariance, V, rtol=0, atol=1e-9)
    covariances = np.array([law.details["plain_covariance"] for law in laws])
    error = covariances.std(axis=0, ddof=1) / np.sqrt(len(laws))
    assert np.all(np.abs(covariances.mean(axis=0) - V) < 5 * error)
    assert np.all(np.abs(covariances.mean(axis=0) - 1.1 * V) > 5 * error)  # negative control


@pytest.mark.parametrize("control_variate", [True, False])
def test_standard_errors_are_honest(control_variate):
    """Over 60 seeds the deviations from the exact mean are standard normal: χ² within 1e-6 tails."""
    case = REFERENCE_CASES[2]
    net, noise = neuron(case)
    laws = [solve(net, noise, steps=200, rng=seed, control_variate=control_variate) for seed in range(60)]
    z = np.array([(law.mean[0] - case.mean) / law.standard_error[0] for law in laws])
    assert 20 < np.sum(z**2) < 128
    assert abs(z.mean()) < 5 / np.sqrt(60)


def test_same_seed_same_law():
    net, noise = network("softplus"), Noise(inside=0.5)
    options = {"steps": 500, "trajectories": 200}
    one = solve(net, noise, rng=5, workers=1, **options)
    two = solve(net, noise, rng=5, workers=2, **options)
    other = solve(net, noise, rng=6, **options)
    for name in ("mean", "covariance", "standard_error"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.details["final_states"], two.details["final_states"])
    assert one.details["final_states"].shape == (256, 3)
    assert one.details["trajectories"] == 256


def test_generators_move_on():
    net, noise = CTRNN.single(0.5, 0.1), Noise(inside=0.5)
    generator = np.random.default_rng(1)
    first, second = (solve(net, noise, steps=100, rng=generator).mean[0] for _ in range(2))
    again = solve(net, noise, steps=100, rng=np.random.default_rng(1)).mean[0]
    assert first == again
    assert first != second


@pytest.mark.parametrize("start", [-1.0, 1.0])
def test_start_decides_between_attractors(start):
    net = CTRNN.single(1.5, 0.0, "tanh", 0.1)
    law = solve(net, Noise(inside=0.1), start=[start], steps=2000, rng=1)
    assert law.mean[0] == pytest.approx(0.8547 * start, abs=1e-3)
    assert np.all(np.sign(law.details["final_states"]) == start)


def test_no_noise_is_the_fixed_point():
    law = solve(network("tanh"), Noise())
    assert law.converged
    net = network("tanh")
    np.testing.assert_allclose(net.activation(net.preactivation(law.mean)), law.mean, atol=1e-12)
    assert np.array_equal(law.standard_error, np.zeros(3))
    assert np.max(law.std) < 1e-12


def test_no_noise_no_fixed_point_is_the_average():
    law = solve(CTRNN.single(-5.0, 0.0, "tanh", 0.9), Noise(), start=[0.1])
    assert abs(law.mean[0]) < 0.1
    assert law.std[0] > 0.5


def test_one_layer_is_exact():
    """γ = 1, W = 0: every step is a draw; the control variate knows the mean."""
    net = CTRNN(np.zeros((2, 2)), [0.1, -0.4], "gelu", 1.0)
    law = solve(net, Noise(inside=0.7), steps=1000, rng=1)
    np.testing.assert_allclose(law.mean, net.activation.smoothed(net.b, 0.7), atol=1e-11)
    variance = net.activation.smoothed_variance(net.b, 0.7)
    assert np.all(np.abs(np.diag(law.covariance) - variance) < 5 * law.details["variance_standard_error"])


def test_target_that_is_not_reached_is_told():
    net, noise = neuron(REFERENCE_CASES[9])
    law = solve(net, noise, target_se=1e-6, max_steps=2000)
    assert not law.converged
    assert "after 2000 steps" in law.message
    assert law.standard_error[0] > 1e-6


def test_slow_relaxation_is_told():
    """The state relaxes over 1e5 steps per e-fold, from far away: the law is still moving."""
    net = CTRNN.single(0.9999, 0.0, "identity", 0.1)
    law = solve(net, Noise(outside=1e-4), start=[1.0], steps=2000)
    assert not law.converged
    assert "drifted" in law.message


@pytest.mark.parametrize(
    ("activation", "w", "noise"),
    [
        ("relu", 1.5, Noise(inside=0.3)),
        ("relu2", 1.5, Noise(inside=0.3)),
        ("identity", 2.0, Noise(outside=0.1)),
        ("identity", -30.0, Noise(outside=0.1)),
        ("identity", 1.0, Noise(outside=0.3)),  # a random walk
        ("exp(x)", 1.0, Noise(inside=0.3)),
        ("relu", 1.5, Noise()),
    ],
)
def test_divergence(activation, w, noise):
    net = CTRNN.single(w, 0.3, activation, 0.1)
    with pytest.raises(Divergence, match=r"^W must keep the state bounded; "):
        solve(net, noise, steps=20_000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_se": 0.0}, "target_se must be a positive number; got 0.0"),
        ({"target_se": float("nan")}, "target_se must be a positive number; got nan"),
        ({"target_se": 1e-3, "steps": 100}, "steps must be None when target_se is given; got 100"),
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"max_steps": 1.5}, "max_steps must be an integer of at least 1; got 1.5"),
        ({"trajectories": -1}, "trajectories must be an integer of at least 1; got -1"),
        ({"workers": 0}, "workers must be an integer of at least 1; got 0"),
        ({"rng": -1}, "rng must be"),
        ({"start": [0.0, 1.0]}, "start must have shape"),
        ({"u": [1.0]}, "u must be None"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=r"^" + message):
        solve(CTRNN.single(0.5), Noise(inside=0.1), **options)


def test_default_is_modest():
    law = solve(CTRNN.single(0.5, 0.1), Noise(inside=0.5))
    steps = law.details["trajectories"] * law.details["steps"]
    assert steps == pytest.approx(simulation.WORK, rel=0.01)


def test_attractors_that_trajectories_do_not_leave_are_said():
    law = solve(CTRNN.single(3.0, 0.0, "tanh"), Noise(inside=0.5))
    assert not law.converged
    assert "each has its own mean" in law.message
    assert solve(CTRNN.single(1.5, 0.0, "tanh"), Noise(outside=1.5)).converged  # this noise mixes them


def test_a_map_of_the_callers_serves_as_workers():
    one, two = (solve(CTRNN.single(0.5, 0.1), Noise(0.5), steps=500, workers=w) for w in (map, 2))
    np.testing.assert_array_equal(one.mean, two.mean)


def test_standard_error_is_not_below_rounding():
    law = solve(CTRNN.single(0.5, 1e8), Noise(0.1))
    assert abs(law.mean[0] - 2e8) <= 5 * law.standard_error[0]


def test_a_start_that_had_no_time_to_die_away_is_reported():
    """The relaxation time is 1e6 steps, and the burn-in ends before."""
    law = solve(CTRNN.single(0.9999, 0.1, "relu", 0.01), Noise(inside=0.3), steps=1000)
    assert not law.converged
    assert "relaxation times to die away" in law.message
    assert "relaxation times" not in solve(CTRNN.single(0.9, 0.1, "relu", 0.1), Noise(inside=0.3), steps=1000).message


@pytest.mark.parametrize(("b", "sigma"), [(-6.0, 1.0), (-25.0, 5.0)])
def test_events_that_no_trajectory_has_met(b, sigma):
    """relu fires at 6 and at 5 standard deviations: F knows of it, whatever the trajectories have seen."""
    net, noise = CTRNN.single(0.3, b, "relu", 0.1), Noise(sigma)
    law = simulation.solve(net, noise, trajectories=64, steps=2000, rng=0)
    true = exact.solve(net, noise)
    assert law.mean[0] == pytest.approx(true.mean[0], rel=1e-3)
    assert law.covariance[0, 0] == pytest.approx(true.covariance[0, 0], rel=1e-3)


WAVES = CTRNN([[-612000.0, 243000.0], [-564000.0, -493000.0]], [-589000.0, 1870.0], "sin", 1.0)


@pytest.mark.parametrize(
    ("activation", "reason"),
    [
        ("sin", "the smoothed activation would take more than 8192 panels"),
        ("sin(3*x) + cos(x)", "activation must be resolved by 32768 panels"),
    ],
)
def test_without_a_table_there_are_no_control_variates(activation, reason):
    """The pre-activations run over 1e5 waves, so that a table of F would have a million panels."""
    net = CTRNN(WAVES.W, WAVES.b, activation, 1.0)
    law = solve(net, Noise(5.62e-8), trajectories=128, steps=2000)
    assert law.message.startswith(f"without control variates: {reason}")
    assert law.converged
    plain = solve(net, Noise(5.62e-8), trajectories=128, steps=2000, control_variate=False)
    assert plain.message == ""
    for name in ("mean", "covariance", "standard_error"):
        np.testing.assert_array_equal(getattr(law, name), getattr(plain, name))


def test_a_table_that_becomes_too_fine_in_the_run(monkeypatch):
    """States that move far from where the pilot run was widen the table until it is given up."""
    net, noise, calls = CTRNN.single(0.5, 0.1, "relu", 0.1), Noise(0.5), []
    right = ensemble.tabulate

    def tabulate(act, std, low, high, *rest):
        if np.any(high > low):
            calls.append(low)
            high = low + 1e-3  # too narrow, so that it is widened
        if np.any(high > low) and len(calls) > 1:
            raise ensemble.TooFine("too fine")
        return right(act, std, low, high, *rest)

    plain = solve(net, noise, steps=500, control_variate=False)
    monkeypatch.setattr(ensemble, "tabulate", tabulate)
    law = solve(net, noise, steps=500)
    assert law.message == "without control variates: too fine"
    np.testing.assert_array_equal(law.mean, plain.mean)
    assert len(calls) == 2
