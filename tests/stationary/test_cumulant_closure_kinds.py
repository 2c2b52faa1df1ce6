"""The closure at the third cumulant under multiplicative noise, in voltage form, and for neurons that differ."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, NotApplicable, evolve, predict
from ctrnn_theory.stationary import exact, gaussian_closure
from ctrnn_theory.stationary.closure.cumulant_step import CumulantClosure
from ctrnn_theory.stationary.closure.cumulants import Cumulants
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.multipliers import Multipliers
from ctrnn_theory.stationary.cumulant_closure import solve

W, B = np.array([[0.3, -0.6], [0.5, 0.3]]), np.array([0.4, 0.3])
NOISES = {
    "gains": Noise(outside=0.2, gain_outside=[0.5, 0.3]),
    "a factor": Noise(outside=0.2, gain_outside=[[0.4, 0.1], [0.2, -0.3]]),
    "common": Noise(inside=0.2, gain_outside=0.2, common_gain_outside=[0.3, 0.4]),
    "dropout": Noise.dropout([0.7, 0.5], inside=0.3),
    "all": Noise(inside=0.2, outside=0.1, gain_outside=0.3, common_gain_outside=0.2, keep=0.8),
}


def nodes(sources):
    """Product rule for standard normal variates, exact to degree 7."""
    x, w = np.polynomial.hermite_e.hermegauss(4)
    grid = np.array(list(itertools.product(x, repeat=sources))).reshape(-1, sources)
    weight = np.array([math.prod(each) for each in itertools.product(w, repeat=sources)])
    return grid, weight / weight.sum()


def multipliers(noise, n):
    """Values (K, n) of what multiplies f, with their probabilities, by rules that are exact for third moments."""
    G, common, keep = noise.gain_factor("outside", n), noise.common_gain(n), noise.kept(n)
    xi, p = nodes(G.shape[1])
    zeta, q = nodes(1)
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=n)))
    r = np.prod(np.where(masks > 0, keep, 1.0 - keep), axis=1)
    values = (1 + xi @ G.T)[:, None, None] * (1 + zeta * common)[None, :, None] * (masks / keep)
    weights = p[:, None, None] * q[:, None] * r
    return values.reshape(-1, n), weights.ravel()


@pytest.mark.parametrize("kind", NOISES)
def test_moments_of_the_multipliers(kind):
    noise = NOISES[kind]
    values, weights = multipliers(noise, 2)
    found = Multipliers.of(noise, 2)
    np.testing.assert_allclose(np.einsum("m,mi->i", weights, values), 1.0, rtol=1e-13)
    second = np.einsum("m,mi,mj->ij", weights, values, values)
    np.testing.assert_allclose(1.0 + found.second[0], second, rtol=1e-13)
    product = np.einsum("m,mi,mj,mk->ijk", weights, values, values, values)
    np.testing.assert_allclose(found.product[0], product, rtol=1e-13)


@pytest.mark.parametrize("form", ["one γ", "two γ"])
@pytest.mark.parametrize("kind", NOISES)
def test_a_step_of_a_linear_network_is_exact(kind, form):
    """From a Gaussian state, against a sum over states, gains and masks."""
    noise, net = NOISES[kind], CTRNN(W, B, "identity", 0.4 if form == "one γ" else [0.4, 0.15])
    mean, V = np.array([0.3, -0.2]), np.array([[0.3, 0.1], [0.1, 0.2]])
    found = CumulantClosure.of(net, noise).step(Moments(mean, V)[None])[0]
    n, p = multipliers(noise, 2)
    z, q = nodes(4)
    h = mean + z[:, :2] @ np.linalg.cholesky(V).T
    x = h @ W.T + B + z[:, 2:] @ noise.factor("inside", 2).T
    after = ((1 - net.gammas) * h)[:, None] + net.gammas * n * x[:, None]
    weight = (q[:, None] * p).ravel()
    d = after.reshape(-1, 2) - weight @ after.reshape(-1, 2)
    outside = net.gammas[:, None] * noise.covariance("outside", 2) * net.gammas
    np.testing.assert_allclose(found.mean, weight @ after.reshape(-1, 2), rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.einsum("m,mi,mj->ij", weight, d, d) + outside, atol=1e-12)
    np.testing.assert_allclose(found.third, np.einsum("m,mi,mj,mk->ijk", weight, d, d, d), rtol=0.0, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(
    w=st.floats(-1.0, 0.8),
    b=st.floats(-1.0, 1.0),
    gamma=st.floats(0.05, 0.9),
    gain=st.floats(0.0, 0.5),
    common=st.floats(0.0, 0.5),
    keep=st.floats(0.5, 1.0),
    sigma=st.floats(0.1, 0.5),
)
def test_the_law_of_a_linear_neuron_is_exact(w, b, gamma, gain, common, keep, sigma):
    """Third moments of h' = (1-γ) h + γ n (w h + b) + γ σ η follow from a recursion that closes."""
    noise = Noise(outside=sigma, gain_outside=gain, common_gain_outside=common, keep=keep)
    law = solve(CTRNN.single(w, b, "identity", gamma), noise)
    second = (1 + gain**2) * (1 + common**2) / keep
    third = (1 + 3 * gain**2) * (1 + 3 * common**2) / keep**2
    n, k = [1.0, 1.0, second, third], 1 - gamma
    moments = [1.0]
    for order in (1, 2, 3):  # E h'^j = Σ E[multinomial terms], solved for the highest moment
        total = np.zeros(order + 1)
        for i, j in itertools.product(range(order + 1), repeat=2):
            rest = order - i - j
            if rest < 0 or rest % 2:
                continue
            size = math.factorial(order) / (math.factorial(i) * math.factorial(j) * math.factorial(rest))
            size *= k**i * gamma**j * n[j] * (gamma * sigma) ** rest
            for r in range(j + 1):
                total[i + r] += size * math.comb(j, r) * w**r * b ** (j - r)
        moments.append(float(total[:order] @ moments) / (1.0 - total[order]))
    _, m, m2, m3 = moments
    if law.converged:
        assert law.mean[0] == pytest.approx(m, abs=1e-10)
        assert law.covariance[0, 0] == pytest.approx(m2 - m * m, rel=1e-9)
        cumulant = m3 - 3 * m * m2 + 2 * m**3
        assert law.details["third_cumulant"][0, 0, 0] == pytest.approx(cumulant, rel=1e-8, abs=1e-9 * law.std[0] ** 3)


@pytest.mark.parametrize(
    "noise",
    [Noise(outside=0.3, gain_outside=0.4), Noise(inside=0.3, gain_inside=0.5), Noise.dropout(0.7, inside=0.3)],
    ids=str,
)
def test_order_in_gamma(noise):
    """The errors of mean and variance fall as γ³, and those of the Gaussian closure as γ²."""
    errors = {"gaussian": [], "third": []}
    for gamma in (0.02, 0.01):
        net = CTRNN.single(0.7, 0.4, "tanh", gamma)
        truth = exact.solve(net, noise, tolerance=1e-12)
        for key, law in (("gaussian", gaussian_closure.solve(net, noise)), ("third", solve(net, noise))):
            errors[key].append(np.abs([law.mean[0] - truth.mean[0], law.covariance[0, 0] - truth.covariance[0, 0]]))
    power = {key: np.log2(np.divide(*values)) for key, values in errors.items()}
    assert np.all(power["third"] > 2.7)
    assert np.all(power["gaussian"] < 2.3)


@pytest.mark.parametrize("f", ["tanh", "relu"])
@pytest.mark.parametrize("state", [(0.3, 0.04), (-0.2, 0.5), (0.6, 0.0)], ids=str)
def test_a_step_under_noise_that_multiplies_the_argument(f, state):
    """One neuron from a Gaussian state: mean, variance and third cumulant, by quadrature in α and then in its noise."""
    m, V = state
    net, noise = CTRNN.single(0.8, 0.1, f, 0.3), Noise(inside=0.3, gain_inside=0.5, gain_outside=0.3, outside=0.1)
    found = CumulantClosure.of(net, noise).step(Moments(np.array([m]), np.array([[V]]))[None])[0]
    x, weight = np.polynomial.legendre.leggauss(240)
    u, weight = 8.5 * x, 8.5 * weight * np.exp(-0.5 * (8.5 * x) ** 2) / math.sqrt(2 * math.pi)
    h = m + math.sqrt(V) * u
    a = 0.8 * h + 0.1
    s = np.hypot(0.3, 0.5 * a)
    y = a[:, None] + s[:, None] * u
    raw = np.array([(net.activation(y) ** k) @ weight for k in range(4)])  # E f^k given h
    n = [1.0, 1.0, 1.09, 1.27]
    total = [
        weight @ sum(math.comb(k, j) * (0.7 * h) ** (k - j) * 0.3**j * n[j] * raw[j] for j in range(k + 1))
        for k in range(4)
    ]
    mean = total[1]
    accuracy = 1e-9 if f == "tanh" else 3e-5  # the rule for the witness passes the kink
    assert found.mean[0] == pytest.approx(mean, abs=accuracy)
    assert found.covariance[0, 0] == pytest.approx(total[2] - mean**2 + (0.3 * 0.1) ** 2, abs=accuracy)
    third = total[3] - 3 * mean * total[2] + 2 * mean**3
    assert found.third[0, 0, 0] == pytest.approx(third, abs=accuracy)


@pytest.mark.parametrize("f", ["tanh", "relu"])
def test_without_noise_on_the_arguments_both_ways_agree(f):
    noise, tiny = Noise(inside=0.4, outside=0.2), Noise(inside=0.4, outside=0.2, gain_inside=1e-6)
    net = CTRNN(W, B, f, 0.2)
    one, two = solve(net, noise), solve(net, tiny)
    np.testing.assert_allclose(two.mean, one.mean, atol=1e-9)
    np.testing.assert_allclose(two.covariance, one.covariance, atol=1e-9)
    np.testing.assert_allclose(two.details["third_cumulant"], one.details["third_cumulant"], atol=1e-9)


def test_better_than_the_gaussian_closure_at_a_kink():
    net, noise = CTRNN.single(0.6, -0.05, "relu", 0.2), Noise(outside=0.3, gain_outside=0.6)
    truth, one, two = exact.solve(net, noise), gaussian_closure.solve(net, noise), solve(net, noise)
    assert abs(two.mean[0] - truth.mean[0]) < 0.3 * abs(one.mean[0] - truth.mean[0])
    assert abs(two.std[0] - truth.std[0]) < 0.3 * abs(one.std[0] - truth.std[0])


def test_neurons_that_differ():
    """With equal neurons written as unlike ones the numbers are the same."""
    noise = Noise(inside=0.4, gain_outside=0.3)
    same = solve(CTRNN(W, B, "tanh", 0.2), noise)
    unlike = CTRNN(W, B, ["tanh", "2/(1 + exp(-2*x)) - 1"], [0.2, 0.2 + 1e-13])
    other = solve(unlike, noise)
    np.testing.assert_allclose(other.mean, same.mean, atol=1e-9)
    np.testing.assert_allclose(other.covariance, same.covariance, atol=1e-9)
    np.testing.assert_allclose(other.details["third_cumulant"], same.details["third_cumulant"], atol=1e-9)
    gammas = solve(CTRNN(W, B, ["tanh", "relu"], [0.5, 0.2]), Noise(inside=[0.4, 0.3]))
    closure = CumulantClosure.of(CTRNN(W, B, ["tanh", "relu"], [0.5, 0.2]), Noise(inside=[0.4, 0.3]))
    state = Cumulants(gammas.mean, gammas.covariance, gammas.details["third_cumulant"])
    np.testing.assert_allclose(closure.step(state[None])[0].mean, gammas.mean, atol=1e-9)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 1000), activation=st.sampled_from(["tanh", "relu", "softplus"]))
def test_voltages_are_rates_seen_through_the_weights(seed, activation):
    rng = np.random.default_rng(seed)
    W, b = 0.5 * rng.normal(size=(2, 2)), rng.normal(size=2)
    noise = Noise(inside=0.4, gain_outside=0.3)
    rate, voltage = (solve(CTRNN(W, b, activation, 0.1, form=form), noise) for form in ("rate", "voltage"))
    np.testing.assert_allclose(voltage.mean, W @ rate.mean + b, atol=1e-9)
    np.testing.assert_allclose(voltage.covariance, W @ rate.covariance @ W.T, atol=1e-9)
    third = np.einsum("ai,bj,ck,ijk->abc", W, W, W, rate.details["third_cumulant"])
    np.testing.assert_allclose(voltage.details["third_cumulant"], third, atol=1e-9)
    assert voltage.method == "cumulant_closure"


def test_rates_of_a_voltage_network():
    """E f(v) with the skewness of v is nearer to the truth than without it."""
    net, noise = CTRNN([[-0.9]], [0.3], "relu", 0.3, form="voltage"), Noise(inside=0.6)
    found = solve(net, noise)
    assert found.rates is not None
    draw = np.random.default_rng(0)
    v = np.full(100_000, found.mean[0])
    total = []
    for step in range(300):
        v = 0.7 * v + 0.3 * (-0.9 * np.maximum(v + 0.6 * draw.standard_normal(v.size), 0.0) + 0.3)
        if step >= 100:
            total.append(np.maximum(v, 0.0).mean())
    error = 5.0 * np.std(np.maximum(v, 0.0)) / np.sqrt(v.size)
    assert abs(found.rate[0] - np.mean(total)) < error + 2e-3 * found.rate[0]


def test_in_time():
    """After a long time the closure in time has the stationary law; it is that of the closure itself."""
    net, noise = CTRNN(W, B, ["tanh", "relu"], [0.5, 0.2]), NOISES["all"]
    law, path = solve(net, noise), evolve(net, noise, None, 200, "cumulant_closure", 200)
    np.testing.assert_allclose(path.mean[-1], law.mean, atol=1e-8)
    np.testing.assert_allclose(path.covariance[-1], law.covariance, atol=1e-8)


@pytest.mark.parametrize(
    ("net", "noise", "reason"),
    [
        (CTRNN.single(0.5), Noise(inside=0.3, rho_inside=0.5), "coloured noise inside"),
        (CTRNN.single(0.5), Noise(outside=0.3, rho_outside=0.5), "coloured noise outside"),
        (CTRNN(W, B, "tanh"), Noise(gain_inside=[[0.3], [0.2]]), "noise inside that is private"),
        (CTRNN([[0.5]], 0.1, form="voltage"), Noise(outside=0.3), "which noise outside has no part in"),
        (CTRNN(W, B, "tanh", [0.1, 0.2], form="voltage"), Noise(inside=0.3), "neurons that differ in γ"),
    ],
)
def test_what_is_refused(net, noise, reason):
    with pytest.raises(NotApplicable, match=reason):
        predict(net, noise, method="cumulant_closure")
