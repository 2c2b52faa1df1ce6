import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, predict


@given(
    w=st.floats(-2, 0.9),
    b=st.floats(-2, 2),
    sigma=st.floats(0, 2),
    name=st.sampled_from(["relu", "tanh", "gelu"]),
)
def test_mean_is_a_fixed_point_of_the_smoothed_map(w, b, sigma, name):
    net = CTRNN.single(w=w, b=b, activation=name, gamma=0.2)
    law = predict(net, Noise(inside=sigma), method="mean_field")
    assert law.converged
    np.testing.assert_allclose(net.activation.smoothed(w * law.mean + b, sigma), law.mean, atol=1e-11)


@given(sigma=st.floats(0.01, 2), w=st.floats(-2, 0.9))
def test_noise_outside_does_not_shift_it(sigma, w):
    net = CTRNN.single(w=w, b=0.3, activation="tanh")
    law, still = (predict(net, Noise(outside=s), method="mean_field") for s in (sigma, 0.0))
    np.testing.assert_allclose(law.mean, still.mean, atol=1e-12)


def test_covariance_without_recurrence_is_exact():
    # W = 0: h is a filtered f(b + sigma xi), V = gamma/(2-gamma) Cov f, correlated noise included
    factor = np.array([[0.5, 0.0], [0.3, 0.4]])
    net = CTRNN(np.zeros((2, 2)), [0.1, -0.2], "relu", gamma=0.3)
    law = predict(net, Noise(inside=factor), method="mean_field")
    rng = np.random.default_rng(0)
    samples = np.maximum(0, net.b + rng.standard_normal((10, 200_000, 2)) @ factor.T)
    each = 0.3 / 1.7 * np.array([np.cov(s.T) for s in samples])
    error = each.std(axis=0, ddof=1) / np.sqrt(10)
    assert np.all(np.abs(each.mean(axis=0) - law.covariance) < 5 * error)
    assert np.any(np.abs(each.mean(axis=0) - 1.05 * law.covariance) > 5 * error)  # could fail


def test_limit_of_small_gamma():
    # at fixed sigma_in the exact mean tends to mean field as gamma -> 0, linearly
    gap = []
    for gamma in (0.04, 0.02, 0.01):
        net = CTRNN.single(w=-1.0, b=0.5, activation="relu", gamma=gamma)
        exact, smooth = (predict(net, Noise(inside=1.0), method=m).mean[0] for m in ("exact", "mean_field"))
        gap.append(abs(exact - smooth))
    np.testing.assert_allclose([gap[0] / gap[1], gap[1] / gap[2]], 2.0, atol=0.1)
