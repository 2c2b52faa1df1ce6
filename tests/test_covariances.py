"""Covariances of every method and at every edge: symmetric to the last bit, whatever the kernel of BLAS, and no less
than zero up to rounding."""

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.stationary import METHODS

QUICK = {"simulation": {"steps": 200, "trajectories": 128, "rng": 3}}
FACTOR = np.array([[0.3, 0.1], [0.1, 0.2], [-0.2, 0.3], [0.05, 0.1], [0.1, -0.3]])
NOISES = {
    "inside": lambda n: ct.Noise(inside=0.4),
    "outside": lambda n: ct.Noise(outside=np.linspace(0.1, 0.3, n)),
    "factor inside": lambda n: ct.Noise(inside=FACTOR[:n], outside=0.1),
    "factor outside": lambda n: ct.Noise(inside=0.2, outside=FACTOR[:n]),
}


def network(n, activation="gelu", seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n, n)) * 0.6 / np.sqrt(n)
    return ct.CTRNN(W, rng.normal(size=n), activation, 0.3, W_out=rng.normal(size=(3, n)))


def check(covariance):
    assert np.array_equal(covariance, np.swapaxes(covariance, -1, -2), equal_nan=True)
    if not np.isnan(covariance).any():
        # the eigenvalues of a matrix are found to N times the rounding of its norm
        size, n = np.abs(covariance).max(), covariance.shape[-1]
        assert np.linalg.eigvalsh(covariance).min() >= -10 * n**2 * np.finfo(float).eps * size


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_stationary_laws(method, n, name):
    if method == "exact" and "factor" in name:
        pytest.skip("takes a minute")
    try:
        law = ct.predict(network(n), NOISES[name](n), method=method, **QUICK.get(method, {}))
    except ct.NotApplicable:
        pytest.skip("does not apply")
    check(law.covariance)
    for key in ("plain_covariance", "covariance_standard_error"):
        if key in law.details:
            assert np.array_equal(law.details[key], law.details[key].T)
    if "density" in law.details:
        check(law.details["density"].covariance)


@pytest.mark.parametrize("method", ["gaussian_closure", "cumulant_closure", "simulation", "fokker_planck"])
def test_evolution(method):
    n = 2 if method == "fokker_planck" else 5
    options = {"trajectories": 100} if method == "simulation" else {}
    path = ct.evolve(network(n), NOISES["factor outside"](n), steps=12, record_every=3, method=method, **options)
    check(path.covariance)
    check(path.output_covariance)
    again = ct.evolve(network(n), NOISES["factor outside"](n), steps=4, start=given(n), method=method, **options)
    check(again.covariance)


def given(n):
    """A law whose covariance is symmetric up to rounding alone."""
    V = FACTOR[:n] @ FACTOR[:n].T + 0.1 * np.eye(n)
    V[0, -1] = np.nextafter(V[0, -1], np.inf)
    return ct.StationaryLaw(np.zeros(n), V, "given")


def test_noise():
    for site in ("inside", "outside"):
        for make in NOISES.values():
            check(make(5).covariance(site, 5))


def test_densities_of_equations():
    box = [(-3.0, 3.0), (-4.0, 4.0)]
    drift, diffusion = lambda x, y: (-x - 0.5 * y, 0.3 * x - y), [[0.3, 0.1], [0.1, 0.4]]
    found = ct.fokker_planck.solve(drift, diffusion, box, cells=24)
    check(found.covariance)
    check(found.density.covariance)
    path = ct.fokker_planck.evolve(drift, diffusion, box, [0.5, 0.5], [0.0, 0.3], cells=24)
    check(path.covariance)
