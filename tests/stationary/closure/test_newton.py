"""Newton's method for the fixed points of closures."""

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.settle import settle


def test_what_the_residual_does_not_see_is_not_moved():
    """An antisymmetric part of a step, which is rounding, once left covariances of a batch wrong by 1e-7."""
    n, rng = 3, np.random.default_rng(3)
    W, b, W_in = 0.7 * rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n), rng.normal(size=(n, 1))
    net = CTRNN(W, b, "relu", 0.2, W_in, form="voltage")
    drives = np.array([net.drive([u]) for u in (-1.0, 0.2, 2.0)])
    closures = closure_of(net, Noise(outside=0.5, rho_outside=0.6))[np.zeros(3, dtype=np.intp)].driven_by(drives)
    begin = closures.begin(Moments.point(np.zeros((3, n))))
    end, followed = settle(closures, begin), begin
    for _ in range(3000):  # the slowest motion shrinks by 0.965 in a step
        followed = closures.step(followed)
    np.testing.assert_allclose(end.state.covariance, followed.covariance, rtol=0.0, atol=1e-12)
