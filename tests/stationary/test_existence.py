"""No law, no number: which moments exist under multiplicative noise, against mpmath, recursions and simulated tails."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.stationary.existence import UNKNOWN, check_moments, moments_exist, tail_exponent
from ctrnn_theory.stationary.far_growth import FarStep, growth

LINEAR = "identity"
METHODS_UNDER_NOISE = [name for name in ct.METHODS if name != "deterministic"]


def neuron(w, gamma, activation=LINEAR, form="rate"):
    return ct.CTRNN([[w]], [0.1], activation, gamma, form=form)


def absolute_moment(mean, std, p):
    """E|mean + std ξ|^p by Kummer's function, with 30 digits."""
    with mp.workdps(30):
        z = mp.mpf(mean) / mp.mpf(std)
        value = mp.mpf(std) ** p * 2 ** (mp.mpf(p) / 2) * mp.gamma((mp.mpf(p) + 1) / 2) / mp.sqrt(mp.pi)
        return value * mp.hyp1f1(-mp.mpf(p) / 2, mp.mpf(1) / 2, -(z**2) / 2)


# One neuron -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("w", "gamma", "gain", "exponent"), [(0.5, 0.1, 0.5, 165), (0.8, 0.3, 0.5, 9.5), (0.9, 0.5, 1.0, 1.43)]
)
def test_the_exponents_of_linear_neurons(w, gamma, gain, exponent):
    found = tail_exponent(neuron(w, gamma), ct.Noise(gain_outside=gain))
    assert found == pytest.approx(exponent, rel=5e-3)
    moment = absolute_moment(1 - gamma + gamma * w, gamma * w * gain, found)
    assert abs(moment - 1) < 1e-9


@settings(deadline=None, max_examples=25)
@given(
    w=st.floats(-1.5, 0.95),
    gamma=st.floats(0.05, 1.0),
    gain=st.floats(0.1, 2.0),
    site=st.sampled_from(["gain_inside", "gain_outside", "common_gain_outside"]),
    form=st.sampled_from(["rate", "voltage"]),
)
def test_the_exponent_is_the_root_of_the_moment(w, gamma, gain, site, form):
    mean, std = 1 - gamma + gamma * w, gamma * abs(w) * gain
    found = tail_exponent(neuron(w, gamma, form=form), ct.Noise(**{site: gain}))
    if std < 1e-3:
        return
    if 0 < found < 1e3:
        assert abs(absolute_moment(mean, std, found) - 1) < 1e-7 * (1 + found)
    elif found == 0:
        assert absolute_moment(mean, std, 0.01) > 1 - 1e-9


@settings(deadline=None, max_examples=40)
@given(
    w=st.floats(-1.5, 0.99),
    gamma=st.floats(0.05, 1.0),
    inside=st.floats(0.0, 0.9),
    outside=st.floats(0.0, 0.9),
    common=st.floats(0.0, 0.9),
    keep=st.floats(0.3, 1.0),
)
def test_several_gains_of_a_linear_neuron_multiply(w, gamma, inside, outside, common, keep):
    """The factor A = 1 - γ + γ w M has E A² in closed form, whatever M is made of."""
    noise = ct.Noise(gain_inside=inside, gain_outside=outside, common_gain_outside=common, keep=keep)
    second = (1 + inside**2) * (1 + outside**2) * (1 + common**2) / keep
    moment = (1 - gamma) ** 2 + 2 * gamma * (1 - gamma) * w + (gamma * w) ** 2 * second
    if abs(moment - 1) < 1e-6 or not noise.has_gains:
        return
    assert moments_exist(neuron(w, gamma), noise, 2) is (moment < 1)


def test_two_gains_have_the_moment_of_their_product():
    net, noise = neuron(0.8, 0.3), ct.Noise(gain_outside=0.5, common_gain_outside=0.4)
    exponent = tail_exponent(net, noise)
    with mp.workdps(20):

        def given_first(x):
            return absolute_moment(0.7 + 0.24 * (1 + 0.4 * x), abs(0.12 * (1 + 0.4 * x)), exponent) * mp.npdf(x)

        moment = mp.quad(given_first, [-9, -2.5, 0, 3, 9])
    assert abs(moment - 1) < 1e-6
    assert tail_exponent(net, ct.Noise(gain_outside=0.4, common_gain_outside=0.5)) == pytest.approx(exponent, rel=1e-6)


def test_a_bounded_activation_has_all_moments():
    noise = ct.Noise(gain_inside=3.0, gain_outside=3.0, keep=0.1)
    for form in ("rate", "voltage"):
        net = ct.CTRNN([[2.0, -3.0], [1.0, 4.0]], 0.1, "tanh", 0.9, form=form)
        assert (tail_exponent(net, noise), moments_exist(net, noise, 40)) == (math.inf, True)


def test_additive_noise_alone_makes_no_tail():
    net, noise = neuron(0.9, 0.5), ct.Noise(inside=2.0, outside=3.0, rho_outside=0.9)
    assert (tail_exponent(net, noise), moments_exist(net, noise, 9), check_moments(net, noise)) == (math.inf, True, "")


def test_without_anything_to_multiply_the_law_is_a_point():
    net, noise = ct.CTRNN.single(0.9, 0.0, "relu", 0.5), ct.Noise(gain_outside=1.0, gain_inside=1.0)
    assert check_moments(net, noise) == ""
    for other in (ct.CTRNN.single(0.9, 0.1, "relu", 0.5), ct.CTRNN.single(0.9, 0.0, "softplus", 0.5)):
        with pytest.raises(ct.NotApplicable):
            check_moments(other, noise)
    with pytest.raises(ct.NotApplicable):
        check_moments(net, ct.Noise(gain_outside=1.0, gain_inside=1.0, outside=0.1))


def test_an_activation_that_grows_faster_is_left_open():
    net = ct.CTRNN.single(-0.5, 0.1, "relu2", 0.1)
    assert math.isnan(tail_exponent(net, ct.Noise(gain_outside=0.1)))
    assert moments_exist(net, ct.Noise(gain_outside=0.1), 1) is None


# The messages, by every method ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS_UNDER_NOISE)
def test_every_method_names_the_exponent_instead_of_a_number(method):
    noise = ct.Noise(outside=0.1, gain_outside=1.0)
    with pytest.raises(ct.NotApplicable, match=r"no variance: .* exponent 1\.44"):
        ct.predict(neuron(0.9, 0.5, "relu"), noise, method=method)
    with pytest.raises(ct.NotApplicable, match=r"no mean: .* exponent 0\.[0-9]+"):
        ct.predict(neuron(0.9, 0.5, "relu"), replace_gain(noise, 2.0), method=method)
    with pytest.raises(ct.NotApplicable, match="no stationary law"):
        ct.predict(neuron(0.9, 1.0), replace_gain(noise, 3.0), method=method)


def replace_gain(noise, gain):
    return ct.Noise(outside=noise.outside, gain_outside=gain)


def test_a_method_of_the_users_own_is_asked_as_well():
    ct.register_method("own", lambda net, noise, u, start: ct.StationaryLaw([0.0], [[1.0]]), replace=True)
    try:
        with pytest.raises(ct.NotApplicable, match="no variance"):
            ct.predict(neuron(0.9, 0.5), ct.Noise(outside=0.1, gain_outside=1.0), method="own")
        assert ct.predict(neuron(0.9, 0.5), ct.Noise(outside=0.1, gain_outside=0.1), method="own").message == ""
    finally:
        ct.METHODS.remove("own")


def test_the_noise_free_state_is_given_in_any_case():
    law = ct.predict(neuron(0.9, 0.5), ct.Noise(outside=0.1, gain_outside=3.0), method="deterministic")
    assert law.mean[0] == pytest.approx(1.0)


def test_what_is_not_known_is_said():
    W = np.array([[0.0, -2.0], [1.5, 0.0]])
    net, noise = ct.CTRNN(W, 0.3, "relu", 0.1), ct.Noise(outside=0.1, gain_outside=0.2)
    assert moments_exist(net, noise) is None
    assert check_moments(net, noise) == UNKNOWN
    ct.register_method("own", lambda net, noise, u, start: ct.StationaryLaw([0.0] * 2, np.eye(2)), replace=True)
    try:
        assert ct.predict(net, noise, method="own").message == UNKNOWN
    finally:
        ct.METHODS.remove("own")


# Several neurons ------------------------------------------------------------------------------------------------------


def second_moment_matrix(net, noise):
    """The map of E h hᵀ by a step of a linear network, on N² numbers, from the definition of the step."""
    n, g = net.n, np.diag(net.gammas)
    eye = np.eye(n)
    R = (1 + noise.gain_covariance("inside", n)) * (1 + noise.gain_covariance("outside", n)) - 1
    leak = eye - g
    if net.form == "rate":
        mean, through, out = leak + g @ net.W, net.W, g
    else:
        mean, through, out = leak + g @ net.W, eye, g @ net.W
    columns = []
    for k in range(n * n):
        X = np.zeros(n * n)
        X[k] = 1.0
        X = X.reshape(n, n)
        columns.append((mean @ X @ mean.T + out @ (R * (through @ X @ through.T)) @ out.T).ravel())
    return np.array(columns).T


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 4),
    form=st.sampled_from(["rate", "voltage"]),
    radius=st.floats(0.3, 0.99),
    gain=st.floats(0.1, 3.0),
)
def test_a_linear_network_exists_where_the_map_of_its_second_moments_contracts(seed, n, form, radius, gain):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, n))
    W *= radius / np.abs(np.linalg.eigvals(W)).max()
    net = ct.CTRNN(W, 0.1, LINEAR, rng.uniform(0.1, 1.0, n), form=form)
    noise = ct.Noise(gain_outside=gain * rng.uniform(0, 1, (n, 2)), gain_inside=0.5 * gain, keep=rng.uniform(0.5, 1, n))
    largest = np.abs(np.linalg.eigvals(second_moment_matrix(net, noise))).max()
    if (
        abs(largest - 1) < 1e-4
        or np.abs(np.linalg.eigvals(np.eye(n) - np.diag(net.gammas) @ (np.eye(n) - W))).max() > 1
    ):
        return
    assert moments_exist(net, noise, 2) is bool(largest < 1)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), order=st.integers(1, 4), gain=st.floats(0.05, 2.0))
def test_bounds_hold_for_linear_networks(seed, n, order, gain):
    """What a bound shows must be so: it is applied where the answer is known."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, n)) * 0.6 / np.sqrt(n)
    net = ct.CTRNN(W, 0.1, LINEAR, rng.uniform(0.1, 1.0, n), form=rng.choice(["rate", "voltage"]))
    noise = ct.Noise(gain_outside=gain, gain_inside=rng.uniform(0, 1, n))
    step = FarStep.of(net, noise)
    grows = np.abs(np.linalg.eigvals(second_moment_matrix(net, noise))).max() >= 1
    if order >= 2 and step.shrinks(order):
        assert not grows
    if step.contracts():
        assert not grows
    if step.most_growth() < 1:
        assert not grows
    if step.positive and 1 < step.least_growth() < math.inf:
        assert grows


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_bound_is_exact_for_one_linear_neuron(order):
    for gain in (0.3, 0.9, 1.5):
        moment = absolute_moment(1 - 0.3 + 0.3 * 0.8, 0.3 * 0.8 * gain, order)
        if 0.3 * gain < 0.2:  # the multiplier is positive, so that its size may be taken first
            assert FarStep.of(neuron(0.8, 0.3), ct.Noise(gain_outside=gain)).shrinks(order) is bool(moment < 1)


def positive_network(n, scale, activation="relu"):
    W = np.random.default_rng(3).uniform(0.2, 1.0, (n, n))
    return ct.CTRNN(scale * W / np.abs(np.linalg.eigvals(W)).max(), 0.1, activation, 0.5)


def test_positive_networks_are_decided_from_both_sides():
    net = positive_network(3, 0.9)
    common = [ct.Noise(outside=0.1, common_gain_outside=gain) for gain in (0.2, 0.3)]
    assert moments_exist(net, common[0]) is True
    assert moments_exist(positive_network(3, 0.99), common[1]) is False
    with pytest.raises(ct.NotApplicable, match="no covariance"):
        check_moments(positive_network(3, 0.99), common[1])
    # the neurons vary together, as one neuron of weight 0.99 and the same gain does
    assert tail_exponent(neuron(0.99, 0.5, "relu"), common[1]) < 2
    assert tail_exponent(neuron(0.9, 0.5, "relu"), common[0]) > 2


def test_orders_are_nested():
    net = positive_network(4, 0.8)
    for gain in np.linspace(0.1, 2.0, 12):
        answers = [moments_exist(net, ct.Noise(gain_outside=gain), order) for order in (1, 2, 3, 4)]
        known = [answer for answer in answers if answer is not None]
        assert known == sorted(known, reverse=True)


def test_growth_says_how_much_stronger_the_noise_may_be():
    rng = np.random.default_rng(0)
    A, E, H = 0.5 * rng.standard_normal((3, 3)) / 1.7, rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    R = np.diag([0.1, 0.2, 0.3])
    size = growth(A, (E, H), R)

    def radius(scale):
        columns = [(A @ X @ A.T + E @ (scale * R * (H @ X @ H.T)) @ E.T).ravel() for X in np.eye(9).reshape(9, 3, 3)]
        return np.abs(np.linalg.eigvals(np.array(columns))).max()

    assert radius(1 / size) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [{"gain_outside": 1.0}, {"gain_inside": 0.6, "gain_outside": 0.6}, {"keep": 0.4}], ids=str
)
def test_simulated_tails_have_the_exponent(kind):
    """Hill's estimate of the exponent, from the largest 0.2 % of half a million states of independent neurons."""
    net = neuron(0.95, 0.6, "relu")
    noise = ct.Noise(outside=0.3, **kind)
    exponent = tail_exponent(net, noise)
    assert 1 < exponent < 8
    rng, count = np.random.default_rng(7), 500_000
    h = np.zeros(count)
    inside, outside = kind.get("gain_inside", 0.0), kind.get("gain_outside", 0.0)
    for _ in range(150):
        a = (0.95 * h + 0.1) * (1 + inside * rng.standard_normal(count) if inside else 1.0)
        y = np.maximum(a, 0) * (1 + outside * rng.standard_normal(count) if outside else 1.0)
        if "keep" in kind:
            y = y * (rng.random(count) < kind["keep"]) / kind["keep"]
        h = 0.4 * h + 0.6 * (y + 0.3 * rng.standard_normal(count))
    top = np.sort(h)[-1000:]
    hill = 1 / np.mean(np.log(top[1:] / top[0]))
    assert hill == pytest.approx(exponent, rel=0.15)
