"""Batch means of autoregressive processes, whose standard error and autocorrelation time are known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from ctrnn_theory.integrators.batch_means import autocorrelation_time, batch_means

PHI, ROWS, TRAJECTORIES, RUNS = 0.8, 5000, 4, 200
TIME = (1 + PHI) / (1 - PHI)


def autoregressive(rng, phi, shape):
    """Stationary x' = φ x + sqrt(1 - φ²) ξ of variance 1, along the first axis."""
    noise = rng.normal(size=shape) * np.sqrt(1.0 - phi**2)
    noise[0] /= np.sqrt(1.0 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise, axis=0)


def variance_of_mean(phi, rows):
    """Exact, of a mean of consecutive rows."""
    lags = np.arange(1, rows)
    return (1.0 + 2.0 * np.sum((1.0 - lags / rows) * phi**lags)) / rows


@pytest.fixture(scope="module")
def runs():
    paths = autoregressive(np.random.default_rng(0), PHI, (ROWS, TRAJECTORIES, RUNS))
    return paths, batch_means(paths)


def test_standard_errors_are_those_of_the_mean(runs):
    found = runs[1]
    assert found.converged
    assert found.batches == 25
    z = found.mean / found.standard_error  # Student's t of 99 degrees, nearly: variance 99/97, of z² 2.2
    assert abs(np.mean(z**2) - 99 / 97) < 5.0 * np.sqrt(2.2 / RUNS)


def test_mean_of_squared_standard_errors_is_exact(runs):
    found, batches = runs[1], 25 * TRAJECTORIES
    of_batch, of_mean = variance_of_mean(PHI, ROWS // 25), variance_of_mean(PHI, ROWS) / TRAJECTORIES
    expected = (of_batch - of_mean) / (batches - 1)
    spread = np.sqrt(2.0 / (batches - 1) / RUNS)
    assert abs(np.mean(found.standard_error**2) / expected - 1.0) < 5.0 * spread
    assert abs(expected / of_mean - 1.0) < TIME / (ROWS // 25)  # and it is nearly that of the mean


def test_standard_errors_of_independent_rows_are_wrong(runs):
    paths, found = runs
    naive = paths.std(axis=(0, 1), ddof=1) / np.sqrt(ROWS * TRAJECTORIES)
    squares = np.mean((found.mean / naive) ** 2)
    assert abs(squares / TIME - 1.0) < 5.0 * np.sqrt(2.0 / RUNS)
    assert squares > 99 / 97 + 5.0 * np.sqrt(2.2 / RUNS)


@pytest.mark.parametrize("phi", [-0.9, -0.5, 0.0, 0.5, 0.8, 0.95])
def test_autocorrelation_time(phi):
    runs, rows = 40, 20_000
    paths = autoregressive(np.random.default_rng(1), phi, (rows, 2, runs))
    times = np.array([autocorrelation_time(paths[:, :, i])[0] for i in range(runs)])
    exact = (1 + phi) / (1 - phi)
    window = 12.0 * (1 + phi**2) / (1 - phi**2) + 1.0
    cut = abs(phi) ** (window + 1) / (1 - abs(phi)) * 2 / exact  # what the window leaves out
    allowed = cut + (2.0 * window + 1.0) / (2 * rows) + 5.0 * times.std(ddof=1) / np.sqrt(runs) / exact
    assert abs(times.mean() / exact - 1.0) < allowed


def test_an_oscillation_does_not_close_the_window():
    radius, angle, runs, rows = 0.98, 0.3, 40, 20_000
    a, b = 2.0 * radius * np.cos(angle), -(radius**2)
    x = lfilter([1.0], [1.0, -a, -b], np.random.default_rng(5).normal(size=(rows + 2000, 2 * runs)), axis=0)[2000:]
    variance = (1.0 - b) / ((1.0 + b) * ((1.0 - b) ** 2 - a**2))  # of an AR(2) process, G. Box and G. Jenkins
    exact = 1.0 / (1.0 - a - b) ** 2 / variance
    found = np.array([autocorrelation_time(x[:, 2 * i : 2 * i + 2]) for i in range(runs)])
    left_out = 2.0 * radius ** (0.9 * 12.0 * found[:, 1].min()) / angle
    allowed = left_out + 5.0 * found[:, 0].std(ddof=1) / np.sqrt(runs)
    assert allowed < 1.0
    assert abs(found[:, 0].mean() - exact) < allowed
    assert found[:, 1].min() > 20.0 * exact  # it is remembered for much longer
    means = batch_means(x.reshape(rows, 2, runs))
    z = means.mean / means.standard_error
    assert abs(np.mean(z**2) - 1.0) < 5.0 * np.sqrt(2.2 / runs)


def test_shapes():
    x = autoregressive(np.random.default_rng(2), 0.5, (3000, 2))
    whole, one = batch_means(x), batch_means(x[:, 0])
    assert whole.mean.shape == whole.standard_error.shape == whole.autocorrelation_time.shape == (2,)
    assert one.mean.shape == one.standard_error.shape == ()
    assert np.array_equal(batch_means(x[:, None]).standard_error, whole.standard_error)
    assert one.mean == whole.mean[0] == x[:, 0].mean()


def test_many_trajectories_are_batches_themselves():
    x = autoregressive(np.random.default_rng(3), 0.5, (500, 120, 1))
    found = batch_means(x)
    assert found.batches == 1
    means = x.mean(axis=0)[:, 0]
    np.testing.assert_allclose(found.standard_error, means.std(ddof=1) / np.sqrt(120), rtol=1e-12)


def test_a_path_that_is_too_short_says_so():
    x = autoregressive(np.random.default_rng(4), 0.99, (2000, 1, 1))
    found = batch_means(x)
    assert not found.converged
    assert found.message.startswith("2000 rows are fewer than 50 autocorrelation times")
    assert found.batches == 20
    found = batch_means(autoregressive(np.random.default_rng(4), 0.5, 2000), batches=200)
    assert found.message.startswith("batches of 10 rows are shorter than 10 autocorrelation times")
    assert (
        batch_means(np.random.default_rng(0).normal(size=100), batches=1).message
        == "a single batch has no standard deviation"
    )


def test_a_constant_has_no_error():
    found = batch_means(np.full((200, 3, 2), 0.1))
    np.testing.assert_allclose(found.standard_error, 0.0, atol=1e-16)
    assert found.converged
    assert np.array_equal(found.autocorrelation_time, [1.0, 1.0])


@pytest.mark.parametrize(
    ("h", "batches", "message"),
    [
        (1.0, None, "h must be numbers"),
        (np.zeros((1, 1, 1, 1)), None, "h must be numbers"),
        (np.zeros((0, 2)), None, "h must be numbers"),
        (["a"], None, "h must be an array of real numbers"),
        ([0.0, np.nan], None, "h must be finite; it holds nan"),
        (np.zeros(5), 6, "batches must be at most the 5 rows of h; got 6"),
        (np.zeros(5), 0, "batches must be an integer of at least 1; got 0"),
    ],
)
def test_refusals(h, batches, message):
    with pytest.raises(ValueError, match=r"^" + message):
        batch_means(h, batches)
