"""Weights in phase-change memory: the law of the conductances, and the loss as they age."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import ctrnn_theory as ct
from ctrnn_theory.analysis.devices.memory import Programmed

TARGETS = np.array([0.0, 0.01, 0.5, 3.0, 10.0, 17.0, 25.0])
TIMES = (0.0, 60.0, 86400.0, 31536000.0)
AIHWKIT = {
    1.0: [
        [0.26348, 0.274265812304, 0.80231076, 3.48238736, 10.861784, 18.05723856, 26.05538],
        [0.145, 0.145, 0.128036644151988, 0.0778673790136026, 0.057, 0.057, 0.057],
        [
            0.450539103110663,
            0.463970147184675,
            1.07851928862898,
            3.94410253203129,
            11.5492996290239,
            18.8786204742523,
            26.9892389009151,
        ],
        [
            0.374439844618076,
            0.385509163882883,
            0.912097295732053,
            3.55662223446784,
            10.6964903974567,
            17.4737531317069,
            24.9721847457042,
        ],
        [
            0.145828897276912,
            0.14998828163289,
            0.389677110131833,
            2.10712958865249,
            7.25891313577991,
            11.8249986967663,
            16.8730481233475,
        ],
        [
            0.065096619755933,
            0.0669086603280776,
            0.188926514597587,
            1.35098973382941,
            5.22600854465037,
            8.49592580247113,
            12.1089219134652,
        ],
    ],
    -0.5: [
        [0, 0, 0.34884462, 2.75880632, 9.569108, 16.47138072, 24.47231],
        [0.0775, 0.0775, 0.0635362128002104, 0.0469624377098508, 0.045, 0.045, 0.045],
        [0, 0, 0.245661564743932, 2.54602201207484, 9.24026228851723, 16.0736925476337, 24.0155128235805],
        [0, 0, 0.22127915743353, 2.37780240810862, 8.66943544881415, 15.0870862360832, 22.546449880362],
        [0, 0, 0.131242955174093, 1.68741151870972, 6.2912122371974, 10.9695561974161, 16.4098276763859],
        [0, 0, 0.0847367035048187, 1.26475492215841, 4.80156421867242, 8.38431438963898, 12.5520098502958],
    ],
}
"""Values of aihwkit 1.2.0 in µS, by its own source, with every normal variate at the number that is the key: after
programming, the exponents of drift, and read at each of the times."""
U, Y = np.linspace(-1.0, 1.0, 3)[:, None], np.array([[0.2], [0.0], [-0.3]])


@pytest.mark.parametrize("variate", AIHWKIT)
def test_the_model_is_that_of_aihwkit(variate):
    memory, xi = ct.PhaseChangeMemory(), np.full(len(TARGETS), variate)
    programmed, exponents, *reads = AIHWKIT[variate]
    conductance, nu = memory.programmed(TARGETS, xi), memory.exponents(TARGETS, xi)
    np.testing.assert_allclose(conductance, programmed, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(nu, exponents, rtol=1e-12)
    for time, read in zip(TIMES, reads, strict=True):
        np.testing.assert_allclose(memory.reading(conductance, nu, time, xi), read, rtol=1e-12, atol=1e-14)


def test_the_installed_aihwkit_agrees():
    pcm = pytest.importorskip("aihwkit.inference.noise.pcm")
    theirs, ours = pcm.PCMLikeNoiseModel(g_max=25.0), ct.PhaseChangeMemory()
    assert theirs.prog_coeff == [0.26348, 1.9650, -1.1731]
    assert (theirs.t_0, theirs.t_read, theirs.g_max) == (ours.t_0, ours.t_read, ours.g_max)


@settings(max_examples=25, deadline=None)
@given(g=st.floats(0.0, 1.0), g_max=st.floats(5.0, 50.0))
def test_programming_errors_are_a_polynomial(g, g_max):
    std = ct.PhaseChangeMemory(g_max=g_max).programming_std(np.array(g * g_max))
    assert std == pytest.approx((-1.1731 * g**2 + 1.9650 * g + 0.26348) * g_max / 25.0, rel=1e-12)


def test_means_of_programming_and_drift_in_closed_form():
    """A normal number cut at zero, and the power of a time to the size of a normal number."""
    memory, count, rng = ct.PhaseChangeMemory(), 20_000, np.random.default_rng(0)
    target = np.array([[0.0, 0.2, 5.0, 25.0]]).T
    xi = rng.standard_normal((4, count))
    std = memory.programming_std(target)
    conductance = memory.programmed(target, xi)
    z = target / std
    within(conductance, target * norm.cdf(z) + std * norm.pdf(z))
    (mean, std), L = memory.exponent_law(target), np.log(1e4)
    factor = np.exp(-L * memory.exponents(target, xi))
    below, above = (
        np.exp(sign * L * mean + 0.5 * (L * std) ** 2) * norm.cdf(sign * -mean / std - L * std) for sign in (1.0, -1.0)
    )
    within(factor, above + below)
    with pytest.raises(AssertionError):  # negative control: the drift of the mean exponent
        within(factor, np.exp(-L * mean))


def within(samples, mean):
    error = samples.std(axis=1, ddof=1) / np.sqrt(samples.shape[1])
    assert np.all(np.abs(samples.mean(axis=1) - mean[:, 0]) < 5.0 * error)


def test_pairs_hold_positive_and_negative_weights():
    memory = ct.PhaseChangeMemory(programming=0.0, drift=0.0, read=0.0)
    matrix = np.array([[0.5, -1.0], [0.0, 0.25]])
    held = Programmed.of(matrix, memory, 2, np.random.default_rng(0))
    np.testing.assert_allclose(held.conductance[0], [[[12.5, 0.0], [0.0, 6.25]], [[0.0, 25.0], [0.0, 0.0]]])
    np.testing.assert_allclose(held.read(1e6, np.random.default_rng(1), compensate=False), [matrix, matrix])
    nothing = Programmed.of(np.zeros((2, 2)), memory, 1, np.random.default_rng(0))
    assert not nothing.read(1.0, np.random.default_rng(1), compensate=True).any()


def test_compensation_restores_the_mean_size():
    held = Programmed.of(
        np.random.default_rng(0).normal(size=(8, 8)), ct.PhaseChangeMemory(), 3, np.random.default_rng(1)
    )
    first = np.mean(np.abs(held.weights(held.conductance)), axis=(1, 2))
    late = {c: np.mean(np.abs(held.read(1e6, np.random.default_rng(2), c)), axis=(1, 2)) for c in (True, False)}
    np.testing.assert_allclose(late[True], first, rtol=1e-12)
    assert np.all(late[False] < 0.8 * first)


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(5)
    W, b = rng.normal(size=(6, 6)) * 0.5 / np.sqrt(6), 0.5 * rng.normal(size=6)
    return ct.CTRNN(W, b, "tanh", 0.2, rng.normal(size=(6, 1)), rng.normal(size=(1, 6)) / 6.0, [0.0])


def test_an_ideal_memory_leaves_the_loss(net):
    ideal = ct.PhaseChangeMemory(programming=0.0, drift=0.0, read=0.0)
    found = ct.aging(net, ct.Noise(inside=0.3), U, Y, [0.0, 1e6], memory=ideal, devices=2)
    np.testing.assert_allclose(found.losses, found.nominal, rtol=1e-9)


def test_drift_begins_with_the_first_reading():
    same = ct.PhaseChangeMemory(programming=0.0, read=0.0)
    uniform = ct.CTRNN(np.full((2, 2), -0.4), 0.1, "tanh", 0.2, np.ones((2, 1)), np.ones((1, 2)))
    found = ct.aging(uniform, ct.Noise(inside=0.3), U, Y, [0.0, 1e6], memory=same, devices=1)
    assert found.losses[0, 0] == pytest.approx(found.nominal, rel=1e-9)
    assert abs(found.losses[0, 1] - found.nominal) > 1e-6  # each device has its own exponent


def test_the_loss_grows_with_age_and_less_with_compensation(net):
    noise = ct.Noise(inside=0.3)
    fitted = ct.devices(net, ct.Spread(), noise, U, Y, devices=1)
    plain, helped = (ct.aging(net, noise, U, net_outputs(net, noise), devices=40, compensate=c) for c in (False, True))
    assert fitted.losses[0] == pytest.approx(fitted.loss, rel=1e-9)
    assert plain.mean[0] > plain.nominal
    assert plain.mean[-1] - 3.0 * plain.standard_error[-1] > plain.mean[0]
    assert helped.mean[-1] < plain.mean[-1]
    again = ct.aging(net, noise, U, net_outputs(net, noise), devices=40, compensate=False)
    np.testing.assert_array_equal(again.losses, plain.losses)


def net_outputs(net, noise):
    return np.array([net.output(ct.predict(net, noise, row).mean) for row in U])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": [1.0, 0.0]}, r"times must be at least 0 and ascending; got \[1.0, 0.0\]"),
        ({"memory": 3}, "memory must be a PhaseChangeMemory or None; got 3"),
        ({"compensate": 1}, "compensate must be True or False; got 1"),
        ({"inputs": np.zeros((2, 3, 1)), "targets": np.zeros((2, 3, 1))}, "inputs must be constant"),
    ],
)
def test_bad_arguments(net, arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.aging(net, ct.Noise(0.3), **({"inputs": U, "targets": Y} | arguments))
    with pytest.raises(ValueError, match="g_max must be a positive number; got 0"):
        ct.PhaseChangeMemory(g_max=0.0)
