"""Methods on a threshold-quadratic neuron, against values from a solver independent of the package."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.support.errors import NotApplicable

SQUARE = CTRNN.single(w=-0.7, b=0.3, activation="0.8*Max(0, x)**2", gamma=0.2)
NOISE = Noise(inside=0.4)
MEAN, STD = 0.1363914779336349, 0.06697322616593265
"""From the Poisson equation by collocation, to 1e-12."""
SIMULATED = 0.13638531039248258, 5.117636484371472e-05
"""Mean by a simulation of another code, and its standard error."""
CLOSURE = 0.13640130731768632, 0.004426439051936219
"""Mean and variance of the Gaussian closure."""
FIXED_POINT, SMALL_NOISE = 0.054772461709730366, (0.15451769840533636, 0.0024908550350543146)


def test_exact():
    law = predict(SQUARE, NOISE, method="exact")
    np.testing.assert_allclose([law.mean[0], law.std[0]], [MEAN, STD], rtol=0.0, atol=1e-10)
    assert law.converged
    assert abs(law.mean[0] - SIMULATED[0]) <= 5.0 * SIMULATED[1]


def test_gaussian_closure():
    law = predict(SQUARE, NOISE)
    np.testing.assert_allclose([law.mean[0], law.covariance[0, 0]], CLOSURE, rtol=0.0, atol=1e-10)


def test_small_noise():
    law = predict(SQUARE, NOISE, method="small_noise")
    np.testing.assert_allclose(law.details["fixed_point"], FIXED_POINT, rtol=1e-12)
    np.testing.assert_allclose([law.mean[0], law.covariance[0, 0]], SMALL_NOISE, rtol=1e-12)


def test_simulation():
    law = predict(SQUARE, NOISE, method="simulation", target_se=2e-5, rng=0)
    assert abs(law.mean[0] - MEAN) <= 5.0 * law.standard_error[0] < 2e-3
    # the other law, of noise of half the strength, is many standard errors away
    other = predict(SQUARE, Noise(inside=0.2), method="exact")
    assert abs(law.mean[0] - other.mean[0]) > 100.0 * law.standard_error[0]


@pytest.mark.parametrize("n", [1.5, 2.5, 3])
def test_closures_of_any_exponent(n):
    """The cumulant closure is nearer to the exact law than the Gaussian one, which is within 1 % of the bias here."""
    net = CTRNN.single(w=-0.7, b=0.3, activation=f"0.8*powerlaw({n})", gamma=0.2)
    exact, gaussian, cumulants = (
        predict(net, NOISE, method=name) for name in ("exact", "gaussian_closure", "cumulant_closure")
    )
    still = predict(net, NOISE, method="deterministic").mean
    assert exact.converged
    assert cumulants.converged
    error, better = (abs(law.mean - exact.mean)[0] for law in (gaussian, cumulants))
    assert better < 0.5 * error < 0.005 * abs(exact.mean - still)[0]


@pytest.mark.parametrize("n", [1.5, 2])
def test_small_noise_is_refused_at_the_threshold(n):
    """There f'' is infinite for n < 2, and jumps for n = 2."""
    net = CTRNN.single(w=-0.7, b=0.0, activation=f"powerlaw({n})", gamma=0.2)
    with pytest.raises(NotApplicable, match="f'' does not exist at the fixed point"):
        predict(net, NOISE, method="small_noise")
