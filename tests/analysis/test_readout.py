"""The loss of a readout under noise in training and test: simulation, other formulas, and identities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory import Noise, NotApplicable, hidden_moments, readout_theory
from ctrnn_theory.derive.readout import describe

KINDS = ("AU", "AC", "MU", "MC")
T, N = 30, 6
RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 1.0, (T, N))
Y = np.sin(np.linspace(0.0, 5.0, T))
SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.floats(1e-4, 0.5)


def problem(seed, neurons=None):
    """States, targets and the intensities of all four kinds."""
    rng = np.random.default_rng(seed)
    n = neurons or int(rng.integers(1, 7))
    x = rng.normal(size=(int(rng.integers(2 * n + 2, 30)), n)) + rng.normal(size=n)
    return x, rng.normal(size=len(x)), dict(zip(KINDS, 10.0 ** rng.uniform(-3, 0, 4), strict=True))


def noisy(x, D, draws, rng):
    """States (draws, T, N), by the equation of the literature."""
    shape = (draws, *x.shape)
    own, common = (lambda: rng.standard_normal(shape)), (lambda: rng.standard_normal((*shape[:2], 1)))
    std = {kind: np.sqrt(2.0 * D.get(kind, 0.0)) for kind in KINDS}
    y = x * (1.0 + std["MU"] * own()) * (1.0 + std["MC"] * common())
    return y + std["AU"] * own() + std["AC"] * common()


def gap(samples, expected):
    """Distance of a mean of independent samples from what is expected, in standard errors."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return np.abs(samples.mean(axis=0) - expected) / error


STRONG = {"AU": 0.05, "AC": 0.6, "MU": 0.3, "MC": 0.15}
CASES = [*({kind: D} for kind, D in STRONG.items()), STRONG]


@pytest.mark.parametrize("test", CASES, ids=str)
@pytest.mark.parametrize("intercept", [False, True])
def test_the_loss_is_that_of_simulated_states(test, intercept):
    found = readout_theory(
        X, Y, [Noise.analog(N, **case) for case in CASES], Noise.analog(N, **test), intercept=intercept
    )
    z = noisy(X, test, 4000, np.random.default_rng(1)) @ found.weights[:, 0].T + found.constants[:, 0]
    losses = np.mean((z - Y[:, None]) ** 2, axis=1)
    assert np.all(gap(losses, found.loss[:, 0]) < 5.0)
    variance = np.mean(z.var(axis=0, ddof=1), axis=0)  # of 4000 draws at each of 30 times: a relative 0.004
    np.testing.assert_allclose(variance, found.variance[:, 0], rtol=0.05)


def test_simulation_tells_the_kinds_apart():
    """Negative control: the loss under another kind, or without the product of both gains, is far off."""
    found = readout_theory(X, Y, Noise(), [Noise.analog(N, **case) for case in CASES])
    w = found.weights[0, 0]
    for i, case in enumerate(CASES):
        losses = np.mean((noisy(X, case, 4000, np.random.default_rng(1)) @ w - Y) ** 2, axis=1)
        far = gap(losses[:, None], found.loss[0])
        assert far[i] < 5.0
        assert np.all(np.delete(far, i) > 20.0)
    product = 4.0 * STRONG["MU"] * STRONG["MC"] * np.sum(w**2 * np.mean(X**2, axis=0))
    assert gap(losses, found.loss[0, -1] - product) > 20.0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_training_ends_where_the_simulated_gradient_is_zero(case):
    found = readout_theory(X, Y, Noise.analog(N, **case), Noise(), intercept=True)
    y = noisy(X, case, 4000, np.random.default_rng(2))
    wrong = y @ found.weights[0, 0] + found.constants[0, 0] - Y
    gradient = np.mean(wrong[..., None] * np.append(y, np.ones((*wrong.shape, 1)), axis=-1), axis=1)
    assert np.all(gap(gradient, 0.0) < 5.0)
    off = np.mean((wrong + 0.05 * y[..., 0])[..., None] * y, axis=1)  # with another weight it is not
    assert np.max(gap(off, 0.0)) > 20.0


@given(SEEDS, st.booleans())
def test_every_kind_has_its_penalty(seed, intercept):
    """Training minimises squared error plus penalties: solved here as a ridge, by the normal equations."""
    x, y, D = problem(seed)
    found = readout_theory(x, y, Noise.analog(x.shape[1], **D), Noise.analog(x.shape[1], **D), intercept=intercept)
    G, n = x.T @ x / len(x), x.shape[1]
    penalty = 2 * D["AU"] * np.eye(n) + 2 * D["AC"] * np.ones((n, n)) + 2 * D["MC"] * G
    penalty += 2 * D["MU"] * (1 + 2 * D["MC"]) * np.diag(np.diag(G))
    ones = np.ones((len(x), 1)) if intercept else np.zeros((len(x), 0))
    design, extra = np.hstack([x, ones]), np.zeros((n + ones.shape[1],) * 2)
    extra[:n, :n] = penalty
    w = np.linalg.solve(design.T @ design / len(x) + extra, design.T @ y / len(x))
    np.testing.assert_allclose(found.weights[0, 0], w[:n], rtol=1e-6, atol=1e-9)
    loss = np.mean((design @ w - y) ** 2) + w[:n] @ penalty @ w[:n]
    np.testing.assert_allclose(found.loss[0, 0], loss, rtol=1e-9)


@given(SEEDS)
def test_the_variance_is_the_derived_one(seed):
    x, y, D = problem(seed)
    n = x.shape[1]
    found = readout_theory(x, y, Noise.analog(n, AU=0.1), Noise.analog(n, **D))
    w = found.weights[0, 0]
    sums = {"W1": w.sum(), "W2": w @ w, "X1": np.sqrt(np.mean((x @ w) ** 2)), "X2": w**2 @ np.mean(x**2, axis=0)}
    values = {f"D_{kind}": value for kind, value in D.items()} | sums
    np.testing.assert_allclose(found.variance[0, 0], describe().lambdified(*values)(*values.values()), rtol=1e-10)


@given(SEEDS, LEVELS, LEVELS, st.booleans())
def test_common_multiplicative_noise_does_what_the_formulas_say(seed, train, test, intercept):
    x, y, _ = problem(seed)
    n = x.shape[1]
    noises = {D: Noise.analog(n, MC=D) for D in (0.0, train)}
    found = readout_theory(x, y, noises, {0.0: noises[0.0], test: Noise.analog(n, MC=test)}, intercept=intercept)
    (w, scaled), m = found.weights[:, 0], x.mean(axis=0)
    values = {"D_train": train, "D_test": test, "floor": found.loss[0, 0]}
    if not intercept:
        np.testing.assert_allclose(scaled, w / (1 + 2 * train), rtol=1e-7, atol=1e-10)
        values |= {"q": np.mean((x @ w) ** 2)}
        formula = describe("loss")
    else:
        values |= {"q": np.var(x @ w), "mu": w @ m, "beta": m @ np.linalg.solve(np.cov(x.T, ddof=0).reshape(n, n), m)}
        formula = describe("loss_intercept")
    np.testing.assert_allclose(found.loss[1, 1], formula.lambdified(*values)(*values.values()), rtol=1e-6)


def test_an_intercept_ends_the_exception():
    """Positive states and a target of mean zero: the constant and the weights oppose each other, at a cost."""
    y = np.sum(X - X.mean(axis=0), axis=1)
    noises = {D: Noise.analog(N, MC=D) for D in (0.0, 0.1)}
    gains = []
    for intercept in (False, True):
        loss = readout_theory(X, y, noises, noises, intercept=intercept).loss
        gains.append(loss[0, 1] / loss[1, 1])
    assert 1.0 < gains[0] < 1.0 + 2 * 0.1  # at most (L + 2 D q)/(L + 2 D q/(1 + 2 D)), with any floor L and any q
    assert gains[1] > 3.0


@given(SEEDS)
def test_training_is_best_at_its_own_noise_and_states_that_are_given_prefer_none(seed):
    x, y, D = problem(seed)
    noises = {s: Noise.analog(x.shape[1], **{kind: s * d for kind, d in D.items()}) for s in (0.0, 0.1, 1.0, 3.0)}
    found = readout_theory(x, y, noises, noises)
    loss = found.loss
    assert np.all(np.diag(loss) <= loss.min(axis=0) * (1 + 1e-9))
    assert np.all(np.diff(loss, axis=1) >= -1e-12)
    assert np.array_equal(found.preferred, np.zeros(4))


@given(SEEDS, st.floats(0.1, 10.0))
def test_units_of_the_states_do_not_matter(seed, unit):
    x, y, D = problem(seed)
    n, scaled = x.shape[1], D | {kind: D[kind] * unit**2 for kind in ("AU", "AC")}
    one = readout_theory(x, y, Noise.analog(n, **D), Noise())
    other = readout_theory(unit * x, y, Noise.analog(n, **scaled), Noise())
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-9)
    np.testing.assert_allclose(one.weights, unit * other.weights, rtol=1e-6, atol=1e-9)


@given(SEEDS, st.randoms(use_true_random=False))
def test_order_of_neurons_and_outputs(seed, random):
    x, y, D = problem(seed)
    order = random.sample(range(x.shape[1]), x.shape[1])
    noise = Noise.analog(x.shape[1], **D)
    one, other = readout_theory(x, y, noise, noise), readout_theory(x[:, order], y, noise, noise)
    np.testing.assert_allclose(one.weights[..., order], other.weights, rtol=1e-6, atol=1e-9)
    both = readout_theory(x, np.column_stack([y, 2 * y]), noise, noise)  # outputs are solved for themselves
    np.testing.assert_allclose(both.loss, 5.0 * one.loss, rtol=1e-9)


def test_a_ridge_is_private_additive_noise_and_the_shortest_weights_its_limit():
    y, few = Y[:4], X[:4]  # fewer times than neurons
    shortest = readout_theory(few, y, Noise(), Noise()).weights[0, 0]
    np.testing.assert_allclose(shortest, np.linalg.pinv(few) @ y, rtol=1e-9)
    ridge = readout_theory(few, y, Noise(), Noise(), ridge=2e-8).weights
    np.testing.assert_array_equal(ridge.shape, (1, 1, N))
    np.testing.assert_allclose(ridge, readout_theory(few, y, Noise.analog(N, AU=1e-8), Noise()).weights, rtol=1e-6)
    np.testing.assert_allclose(ridge[0, 0], shortest, rtol=1e-3)


def test_mean_of_the_weights_decides_for_common_noise_and_mean_square_for_private_noise():
    rng, n, D = np.random.default_rng(3), 50, 0.1
    even = 0.1 + rng.normal(size=n)
    odd = even - even.mean()
    odd *= np.sqrt(np.mean(even**2) / np.mean(odd**2))  # the same mean square, and no mean
    weights = np.column_stack([even, odd])
    std = {}
    for kind in ("AU", "AC"):
        z = noisy(np.zeros((1, n)), {kind: D}, 40_000, rng)[:, 0] @ weights
        std[kind] = z.std(axis=0)
    np.testing.assert_allclose(std["AU"] ** 2, 2 * D * n * np.mean(weights**2, axis=0), rtol=5 * np.sqrt(2 / 40_000))
    np.testing.assert_allclose(std["AU"][0], std["AU"][1], rtol=5 / np.sqrt(40_000))
    assert std["AC"][0] ** 2 == pytest.approx(2 * D * n**2 * even.mean() ** 2, rel=5 * np.sqrt(2 / 40_000))
    assert std["AC"][1] < 1e-12
    # and of the weights that training finds
    found = readout_theory(X, Y, Noise(), [Noise.analog(N, AU=D), Noise.analog(N, AC=D)])
    expected = 2 * D * N * np.array([found.weight_mean_square[0, 0], N * found.weight_mean[0, 0] ** 2])
    np.testing.assert_allclose(found.variance[0], expected, rtol=1e-10)


def layer(n, activation="tanh"):
    rng = np.random.default_rng(4)
    return ct.CTRNN(np.zeros((n, n)), rng.normal(size=n), activation, 1.0, W_in=rng.normal(size=(n, 1)))


def reservoir(n, activation):
    rng = np.random.default_rng(5)
    W = rng.normal(size=(n, n)) / np.sqrt(n)
    W *= 0.7 / np.abs(np.linalg.eigvals(W)).max()
    return ct.CTRNN(W, 0.1 * rng.normal(size=n), activation, 1.0, W_in=rng.normal(size=(n, 1)))


def test_the_states_of_a_layer_are_states_that_are_given():
    net, u = layer(N), np.linspace(-1, 1, T)[:, None]
    still = net.activation(u @ net.W_in.T + net.b)
    noises = [Noise.analog(N, **case) for case in CASES] + [Noise.dropout(0.8, outside=0.1)]
    own, given_states = (
        readout_theory(states, Y, noises, noises, ridge=1e-3) for states in (hidden_moments(net, u), still)
    )
    np.testing.assert_allclose(own.loss, given_states.loss, rtol=1e-9)
    np.testing.assert_allclose(own.weights, given_states.weights, rtol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_linear_reservoir_is_exact(case):
    net, discard, D = reservoir(8, "x"), 5, {kind: 0.1 * value for kind, value in case.items()}
    u = np.random.default_rng(6).normal(size=(discard + T, 1))
    y, noise = np.roll(u, 2)[discard:, 0], Noise.analog(8, **D)
    found = readout_theory(hidden_moments(net, u, discard), y, [Noise(), noise], [Noise(), noise])
    h = ct.simulate(net, noise, u, steps=len(u), trajectories=2000, rng=7).h[1 + discard :]
    losses = np.mean((h @ found.weights[:, 0].T - y[:, None, None]) ** 2, axis=0)
    assert np.all(gap(losses, found.loss[:, 1]) < 5.0)
    assert np.all(gap(losses, found.loss[:, 0]) > 20.0)  # far from what they lose without noise


def test_a_reservoir_by_the_closure_and_by_simulation():
    net, u = reservoir(8, "erf"), np.random.default_rng(6).normal(size=(T, 1))
    noises = [Noise.analog(8, AU=0.005), Noise.analog(8, MC=0.005), Noise(inside=0.1)]
    closure, simulation = (
        readout_theory(hidden_moments(net, u, **options), Y, noises, noises, ridge=1e-3)
        for options in ({}, {"method": "simulation", "trajectories": 20_000, "rng": 8})
    )
    np.testing.assert_allclose(closure.loss, simulation.loss, rtol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_nonlinear_reservoir_by_simulated_moments(kind):
    """Under strong noise, where the closure has no part in it."""
    net, u = reservoir(8, "tanh"), np.random.default_rng(6).normal(size=(T, 1))
    y, noise = np.roll(u, 1)[:, 0], Noise.analog(8, **{kind: 0.3})
    moments = hidden_moments(net, u, method="simulation", trajectories=8000, rng=8)
    found = readout_theory(moments, y, [Noise(), noise], noise, ridge=1e-4)
    h = ct.simulate(net, noise, u, steps=T, trajectories=4000, rng=7).h[1:]
    losses = np.mean((h @ found.weights[:, 0].T - y[:, None, None]) ** 2, axis=0)
    allowed = 5.0 * np.sqrt(1.0 + 4000 / 8000)  # both are sampled
    assert np.all(gap(losses, found.loss[:, 0]) < allowed)
    at_the_readout = readout_theory(moments(Noise())[0], y, Noise(), noise, ridge=1e-4)  # the same weights
    assert gap(losses[:, 0], at_the_readout.loss[0, 0]) > allowed


def test_noise_that_moves_the_states_may_be_preferred():
    """The mean of the states follows the noise, as by noise inside; the readout is right at its training noise."""

    def moments(noise):
        return X + float(noise.outside) ** 2, np.eye(N) * 1e-6 * float(noise.outside) ** 2

    noises = {s: Noise(outside=s) for s in (0.0, 0.5, 1.0, 1.5)}
    target = X @ np.arange(N)
    found = readout_theory(moments, target, {1.0: noises[1.0]}, noises)
    assert found.preferred.tolist() == [1.0]
    assert found.best_training.tolist() == [1.0] * 4


def test_covariances_of_the_states_themselves():
    """Averaged or not, they are of the states before the noise, which multiplies them too."""
    rng = np.random.default_rng(9)
    L = rng.normal(size=(T, N, N))
    C, noise = L @ L.transpose(0, 2, 1), Noise.analog(N, **STRONG)
    one, other = (readout_theory((X, each), Y, noise, noise) for each in (C, C.mean(axis=0)))
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-12)
    w, second = one.weights[0, 0], C.mean(axis=0) + X.T @ X / T
    R = (1 + 2 * STRONG["MU"] * np.eye(N)) * (1 + 2 * STRONG["MC"]) - 1
    V = C.mean(axis=0) + R * second + 2 * STRONG["AU"] * np.eye(N) + 2 * STRONG["AC"]
    np.testing.assert_allclose(one.variance[0, 0], w @ V @ w, rtol=1e-10)


def test_what_a_result_holds():
    levels = {D: Noise.analog(N, AU=D) for D in (0.0, 0.01, 0.1)}
    found = readout_theory(X, np.column_stack([Y, Y**2]), levels, levels, intercept=True)
    assert "2 outputs of 6 neurons with intercept, 3 training noises, 3 test noises" in repr(found)
    assert found.to_dict()["loss"] == found.loss.tolist()
    assert found.to_xarray()["loss"].sel(train=0.01, test=0.1) == found.loss[1, 2]
    np.testing.assert_allclose(found.norm, np.linalg.norm(found.weights, axis=(1, 2)))
    assert len(found.table().splitlines()) == 5
    many = readout_theory(X, Y, Noise(), [Noise(outside=s) for s in np.linspace(0, 1, 30)])
    assert "loss at 29" in many.table()
    assert len(many.table(full=True).splitlines()[1].split("loss at")) == 31


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"moments": X[:, 0]}, r"moments, the means, must have shape \(any, any\); got \(30,\)"),
        ({"moments": X[:0]}, r"moments must have a state; got shape \(0, 6\)"),
        ({"moments": (X, np.eye(3))}, r"the covariance, must have shape \(6, 6\) or \(30, 6, 6\); got \(3, 3\)"),
        ({"moments": (X, -np.eye(N))}, "the covariance, must be symmetric and positive semi-definite"),
        ({"moments": (X, np.triu(np.ones((N, N))))}, "the covariance, must be symmetric and positive semi-definite"),
        ({"targets": Y[1:]}, r"targets must have shape \(30,\) or \(30, any\), as the moments; got \(29,\)"),
        ({"noise_train": []}, "noise_train must be a Noise, a sequence of them, or a mapping to them; got"),
        ({"noise_test": {"low": Noise()}}, "levels of noise_test must be an array of real numbers"),
        ({"noise_test": Noise(inside=0.1)}, "noise must act outside on states that are given, which it does not move"),
        ({"noise_test": Noise(outside=[0.1])}, "outside must have one row for each of the 6 neurons"),
        ({"ridge": -1.0}, "ridge must be a number of at least 0; got -1.0"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    good = {"moments": X, "targets": Y, "noise_train": Noise(), "noise_test": Noise()}
    with pytest.raises(ValueError, match=message):
        readout_theory(**good | change)


def test_networks_that_are_refused():
    u = np.zeros((3, 1))
    with pytest.raises(NotApplicable, match="hidden_moments is for networks in rate form"):
        hidden_moments(ct.CTRNN([[0.5]], 0.1, "tanh", W_in=[[1.0]], form="voltage"), u)
    with pytest.raises(ValueError, match="net must have W_in for an input; got None"):
        hidden_moments(ct.CTRNN.single(0.5), u)
    with pytest.raises(ValueError, match="discard must leave at least one of the 3 steps; got 3"):
        hidden_moments(layer(2), u, discard=3)


def test_moments_that_have_not_converged_are_refused():
    net = ct.CTRNN([[0.5]], 0.1, "tanh", W_in=[[1.0]])
    moments = hidden_moments(net, np.full((3, 1), 0.2), method="latent", tolerance=1e-18)
    with pytest.raises(NotApplicable, match="hidden_moments needs a law in time that has converged; estimated error"):
        moments(Noise(inside=0.5))


@settings(max_examples=20)
@given(st.tuples(*4 * [st.floats(0.0, 2.0)]), st.integers(1, 4))
def test_intensities_are_variances_of_our_noise(D, n):
    AU, AC, MU, MC = D
    noise = Noise.analog(n, *D)
    np.testing.assert_allclose(noise.covariance("outside", n), 2 * AU * np.eye(n) + 2 * AC, atol=1e-12)
    product = (1 + 2 * MU * np.eye(n)) * (1 + 2 * MC) - 1
    np.testing.assert_allclose(noise.gain_covariance("outside", n), product, atol=1e-12)
