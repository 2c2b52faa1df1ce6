"""Escape from basins: the methods against each other, a birth-death chain, plain loops and the stationary law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, NotApplicable, predict, spectrum
from ctrnn_theory.escape.by_simulation import _last_visited, find_cores
from ctrnn_theory.escape.by_spectrum import coarse_rates
from ctrnn_theory.escape.escape_times import EscapeTimes, escape_times
from ctrnn_theory.escape.first_passage import diffusion_of
from ctrnn_theory.escape.result import occupation

TANH = CTRNN.single(1.5, 0.0, "tanh", 0.1)
DEFINED = 10.0  # what a rate is depends on its definition up to this over the separation; measured 1 to 5
THREE_WELLS = "(tanh(6*(x - 1)) + tanh(6*(x + 1)))/2"


def within(found: EscapeTimes, exact: EscapeTimes) -> bool:
    """Return whether simulated times are exact ones to 5 standard errors and to what the definition leaves open."""
    assert found.standard_error is not None
    assert exact.separation is not None
    bound = 5.0 * found.standard_error + DEFINED / exact.separation * exact.time
    return bool(np.all(np.abs(found.time - exact.time) <= bound))


@pytest.mark.parametrize(
    ("site", "sigma", "b"), [("outside", 0.6, 0.0), ("outside", 0.6, 0.03), ("inside", 0.55, 0.01)]
)
def test_simulation_agrees_with_the_spectrum(site, sigma, b):
    net = CTRNN.single(1.5, b, "tanh", 0.1)
    exact = escape_times(net, Noise(**{site: sigma}))
    found = escape_times(net, Noise(**{site: sigma}), method="simulation", relative_error=0.03, rng=1, workers=1)
    assert exact.converged, exact.message
    assert found.converged, found.message
    assert within(found, exact)
    assert np.all(found.standard_error <= 0.03 * found.time)
    np.testing.assert_allclose(found.time_tau, 0.1 * found.time)
    other = escape_times(net, Noise(**{site: 0.9 * sigma}))  # the control: less noise by a tenth
    assert not within(found, other)


def test_symmetric_wells_share_the_gap():
    from ctrnn_theory.stationary.markov.spectrum import spectrum

    noise = Noise(outside=0.6)
    found = escape_times(TANH, noise)
    gap = 1.0 - spectrum(TANH, noise).eigenvalues[1].real
    np.testing.assert_allclose(found.rates, gap / 2 * np.array([[-1, 1], [1, -1]]), rtol=1e-6)
    np.testing.assert_allclose(found.occupation, 0.5, rtol=1e-6)
    assert found.separation > 100


@pytest.mark.parametrize(("site", "sigma"), [("outside", 0.6), ("inside", 0.55)])
def test_occupation_is_that_of_the_stationary_law(site, sigma):
    net, noise = CTRNN.single(1.5, 0.03, "tanh", 0.1), Noise(**{site: sigma})
    found = escape_times(net, noise)
    mean = predict(net, noise, method="exact").mean[0]
    # the law's mean is the mixture of the wells' means, which a deep well's own law gives
    wells = [predict(net, noise, method="gaussian_closure", start=p.state).mean[0] for p in found.basins]
    share = (mean - wells[0]) / (wells[1] - wells[0])
    assert found.occupation[1] == pytest.approx(share, abs=0.02)
    assert found.occupation[1] > 0.6


def test_uncoupled_neurons_leave_one_at_a_time():
    single = escape_times(TANH, Noise(outside=0.6))
    net = CTRNN(1.5 * np.eye(2), np.zeros(2), "tanh", 0.1)
    found = escape_times(net, Noise(outside=0.6), method="simulation", rng=2, relative_error=0.04, workers=1)
    assert [tuple(np.sign(p.state)) for p in found.basins] == [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    # two ways out of each basin, so half the time; both neurons at once is a chance of second order
    assert found.converged, found.message
    bound = 5.0 * found.standard_error + DEFINED / single.separation * single.time[0] / 2
    assert np.all(np.abs(found.time - single.time[0] / 2) <= bound)
    together = found.rates[[0, 1, 2, 3], [3, 2, 1, 0]]
    assert np.all(together < 0.05 / found.time)
    np.testing.assert_allclose(found.occupation, 0.25, atol=5 * 0.04 * 0.25)


def test_exact_for_two_uncoupled_neurons():
    single = escape_times(TANH, Noise(outside=0.75))
    found = escape_times(CTRNN(1.5 * np.eye(2), np.zeros(2), "tanh", 0.1), Noise(outside=0.75))
    p = np.eye(2) + single.rates
    np.testing.assert_allclose(found.rates, np.kron(p, p) - np.eye(4), atol=1e-6 / single.time[0])
    assert found.converged


# --- the diffusion approximation ----------------------------------------------------------------------------------


def birth_and_death(net: CTRNN, noise: Noise, wells: np.ndarray, low: float, high: float, n: int = 4001) -> np.ndarray:
    """Return rates per τ between neighbouring wells (B,), by a chain on a grid in place of the double integrals.

    Steps up and down at the rates of a second-order scheme for the generator A ∂ + ½ B ∂², upwinded exponentially so
    that they are positive; times and splitting probabilities from two linear systems.
    """
    process = diffusion_of(net, noise, None)
    x = np.linspace(low, high, n)
    dx = x[1] - x[0]
    force = process.force(0.5 * (x[1:] + x[:-1])) * dx  # the climb of Φ from node to node
    diffusion = process.diffusion(x) / 2 / dx**2
    up = np.append(diffusion[:-1] * np.exp(-force / 2), 0.0)
    down = np.append(0.0, diffusion[1:] * np.exp(force / 2))
    Q = np.diag(-up - down) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    rates = np.zeros((len(wells), len(wells)))
    at = [int(np.argmin(np.abs(x - h))) for h in wells]
    for i in range(len(wells)):
        first = at[i - 1] + 1 if i else 0
        end = at[i + 1] if i + 1 < len(wells) else n
        inner = Q[first:end, first:end]
        right = np.zeros(end - first)
        right[-1] = up[end - 1]
        time, to_right = np.linalg.solve(inner, np.stack([-np.ones(end - first), -right], axis=1))[at[i] - first]
        if i:
            rates[i, i - 1] = (1 - to_right) / time
        if i + 1 < len(wells):
            rates[i, i + 1] = to_right / time
    return rates


@pytest.mark.parametrize(
    ("f", "w", "b", "site", "sigma", "reach"),
    [
        ("tanh", 1.5, 0.05, "outside", 0.6, 2.0),
        ("tanh", 1.5, 0.02, "inside", 0.6, 1.3),
        ("hardtanh", 2.0, 0.1, "outside", 0.9, 2.5),
        (THREE_WELLS, 2.0, 0.02, "outside", 0.8, 2.5),
    ],
)
def test_first_passage_against_a_chain_on_a_grid(f, w, b, site, sigma, reach):
    net, noise = CTRNN.single(w, b, f, 0.1), Noise(**{site: sigma})
    found = escape_times(net, noise, method="fokker_planck")
    wells = np.array([p.state[0] for p in found.basins])
    if site == "inside":  # the wells are those of the smoothed drift
        wells = np.array([predict(net, noise, method="mean_field", start=p.state).mean[0] for p in found.basins])
    assert len(wells) == (3 if f == THREE_WELLS else 2)
    coarse, fine = (net.gamma * birth_and_death(net, noise, wells, -reach, reach, n) for n in (1001, 2001))
    off = ~np.eye(len(wells), dtype=bool)
    # a well falls between nodes: first order in the spacing
    np.testing.assert_allclose(found.rates[off], fine[off], rtol=5e-3, atol=1e-12)
    assert np.max(np.abs(coarse - fine)[off]) > 0.0
    np.testing.assert_allclose(found.occupation @ found.rates, 0.0, atol=1e-15)


def test_kramers_is_the_limit_of_weak_noise():
    ratios = {}
    for sigma in (0.1, 0.2):
        kramers, full = (
            escape_times(CTRNN.single(1.5, 0.02, "tanh", 0.1), Noise(outside=sigma), method=m)
            for m in ("kramers", "fokker_planck")
        )
        ratios[sigma] = kramers.rates[0, 1] / full.rates[0, 1] - 1
    order = np.log2(ratios[0.2] / ratios[0.1])
    assert ratios[0.1] < 0.005
    assert order == pytest.approx(2.0, abs=0.1)  # relative error as σ², the height of the barrier in units of noise


def test_kramers_with_noise_that_depends_on_the_state():
    # noise inside: the diffusion differs at well and barrier; its prefactor is right only with both
    gaps = []
    for gamma in (0.025, 0.0125):
        net, noise = CTRNN.single(1.5, 0.0, "tanh", gamma), Noise(inside=0.6)
        kramers, full = (escape_times(net, noise, method=m) for m in ("kramers", "fokker_planck"))
        gaps.append(kramers.time[0] / full.time[0] - 1)
    assert abs(gaps[1]) < 0.02
    assert np.log2(gaps[0] / gaps[1]) == pytest.approx(1.0, abs=0.25)


def test_fokker_planck_is_the_limit_of_small_steps():
    errors, separation = [], 0.0
    for gamma in (0.2, 0.1, 0.05):
        net, noise = CTRNN.single(1.5, 0.0, "tanh", gamma), Noise.from_white(0.16, gamma, "outside")
        exact = escape_times(net, noise)
        errors.append(escape_times(net, noise, method="fokker_planck").time[0] / exact.time[0] - 1)
        separation = exact.separation
    # what is left at γ = 0 is a matter of definition; what is above it falls as γ, or somewhat faster
    assert abs(errors[2]) < DEFINED / separation
    assert 1.7 < (errors[0] - errors[1]) / (errors[1] - errors[2]) < 3.2


@pytest.mark.parametrize("method", ["exact", "fokker_planck", "kramers"])
def test_reflection_swaps_the_wells(method):
    up, down = (
        escape_times(CTRNN.single(1.5, b, "tanh", 0.1), Noise(outside=0.6), method=method) for b in (0.03, -0.03)
    )
    np.testing.assert_allclose(up.time, down.time[::-1], rtol=1e-6)
    assert up.time[1] > 2 * up.time[0]


def test_very_rare_escape():
    found = escape_times(TANH, Noise(outside=0.1), method="fokker_planck")
    kramers = escape_times(TANH, Noise(outside=0.1), method="kramers")
    np.testing.assert_allclose(found.time, kramers.time, rtol=0.003)
    assert found.time[0] > 1e68
    never = escape_times(TANH, Noise(outside=0.01), method="fokker_planck")
    assert np.all(np.isinf(never.time))
    assert "too small for double precision" in never.message


# --- parts --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), count=st.integers(2, 6))
def test_a_chain_is_found_from_its_own_spectrum(seed, count):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.1, 1.0, (count, count)) * 1e-3
    np.fill_diagonal(rates, 0.0)
    share = occupation(rates)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    values, functions = np.linalg.eig(np.eye(count) + rates)
    np.testing.assert_allclose(coarse_rates(values, functions), rates, rtol=0, atol=1e-12)
    np.testing.assert_allclose(share @ rates, 0.0, atol=1e-16)
    assert share.sum() == pytest.approx(1.0)


def test_last_visited_is_a_plain_loop():
    rng = np.random.default_rng(0)
    labels, first = rng.integers(-1, 3, (200, 5)), np.array([0, 1, 2, 0, 1])
    expected = np.empty((201, 5), dtype=int)
    expected[0] = first
    for t in range(200):
        expected[t + 1] = np.where(labels[t] >= 0, labels[t], expected[t])
    np.testing.assert_array_equal(_last_visited(first, labels), expected)


def test_cores_lie_in_their_basins_and_apart():
    net = CTRNN(np.array([[1.5, 0.1], [0.1, 1.5]]), np.array([0.02, -0.01]), "tanh", 0.1)
    points = np.array(
        [p.state for p in escape_times(net, Noise(outside=0.3), method="simulation", max_steps=100).basins]
    )
    cores = find_cores(net, Noise(outside=0.3), net.b, points)
    assert cores.clear
    np.testing.assert_array_equal(cores.labels(points), np.arange(len(points)))
    assert cores.labels(np.zeros((1, 2)))[0] == -1
    assert not find_cores(net, Noise(outside=3.0), net.b, points).clear


# --- what a method cannot determine, it says ---------------------------------------------------------------------


def test_one_basin_is_never_left():
    found = escape_times(CTRNN.single(0.5, 0.1), Noise(outside=0.5))
    assert np.isinf(found.time).tolist() == [True]
    assert found.occupation.tolist() == [1.0]
    assert "nowhere to go" in found.message


def test_without_noise_no_basin_is_left():
    found = escape_times(TANH, Noise())
    assert np.all(np.isinf(found.time))
    assert "no noise" in found.message


def test_too_few_escapes_give_a_bound():
    found = escape_times(TANH, Noise(outside=0.3), method="simulation", max_steps=1000, workers=1)
    assert not found.converged
    assert "lower bound" in found.message
    # 256 trajectories of 1000 steps from each basin; the true time is 3e9
    np.testing.assert_allclose(found.time, 256 * 1000 / 3, rtol=0.02)
    assert np.all(np.isinf(found.standard_error))
    assert np.all(np.isnan(found.occupation))


def test_basins_that_noise_joins_are_no_basins():
    noise = Noise(inside=1.0)
    exact = escape_times(TANH, noise)
    assert not exact.converged
    assert exact.message
    simulated = escape_times(TANH, noise, method="simulation", relative_error=0.2, workers=1)
    assert not simulated.converged
    assert "usual fluctuations" in simulated.message
    for found in (exact, simulated, escape_times(TANH, Noise(inside=2.0))):  # the neuron is odd: no well is the better
        error = 0.0 if found.standard_error is None else 5.0 * np.hypot(*found.standard_error)
        assert abs(found.time[1] - found.time[0]) <= error + 1e-6 * found.time[0]
    with pytest.raises(NotApplicable, match="fewer wells"):
        escape_times(TANH, noise, method="kramers")


def test_basins_left_almost_as_fast_as_the_state_relaxes_have_rough_rates():
    found = escape_times(TANH, Noise(inside=0.75))
    assert 4.5 < found.separation < 5.0
    assert not found.converged
    assert "4.9 times more slowly" in found.message
    assert escape_times(TANH, Noise(inside=0.621)).converged


def test_what_does_not_apply():
    pair = CTRNN(1.5 * np.eye(2), np.zeros(2), "tanh", 0.1)
    for method in ("kramers", "fokker_planck"):
        with pytest.raises(NotApplicable, match="one neuron; the network has 2"):
            escape_times(pair, Noise(outside=0.5), method=method)
    with pytest.raises(ValueError, match=r"method must be one of .*; got 'guess'"):
        escape_times(TANH, Noise(outside=0.5), method="guess")
    with pytest.raises(ValueError, match="relative_error must be a positive number"):
        escape_times(TANH, Noise(outside=0.5), method="simulation", relative_error=-1)
    with pytest.raises(NotApplicable, match="smooth drift"):
        escape_times(CTRNN.single(1.0, -0.5, "step"), Noise(outside=0.2), method="kramers")


def test_arguments_of_the_wrong_kind():
    for call in (escape_times, spectrum):
        with pytest.raises(ValueError, match="net must be a CTRNN; got 'x'"):
            call("x", Noise(0.5))
        with pytest.raises(ValueError, match=r"noise must be a Noise; got 0.5"):
            call(TANH, 0.5)


def test_an_escape_to_infinity_is_not_passed_over():
    """Both neurons have one stable fixed point, and beyond an unstable one the state grows for ever."""
    for f, w, b in (("powerlaw(1.5)", 0.5, 0.1), ("relu", 1.5, -1.0)):
        net = CTRNN.single(w, b, f, 0.2)
        found = escape_times(net, Noise(inside=0.3))
        assert not found.converged
        assert "the escape to infinity is not counted" in found.message
        assert escape_times(net, Noise()).converged
    assert escape_times(CTRNN.single(-0.5, 0.1, "powerlaw(1.5)", 0.2), Noise(inside=0.3)).converged
