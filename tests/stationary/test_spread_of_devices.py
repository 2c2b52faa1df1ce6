"""A spread of thresholds between devices, averaged over exact laws, against values of an independent solver."""

import numpy as np
import pytest

import ctrnn_theory as ct

SPREAD = 0.2
MEAN, STD, MEAN_BIAS, STD_BIAS, VARIANCE = (
    0.7613983937086676,
    0.0781304758079211,
    0.033281038407646124,
    0.0006509840528316575,
    0.013932147561549302,
)
"""Mean and standard deviation over devices of E h and of the bias, and the mean of Var h; good to 1e-9."""


def test_average_over_devices():
    nodes, weights = np.polynomial.hermite_e.hermegauss(25)
    weights = weights / weights.sum()
    mean, bias, variance = [], [], []
    for threshold in SPREAD * nodes:
        net = ct.CTRNN.single(w=-0.6, b=0.5, activation=f"softplus(x - ({float(threshold)!r}))", gamma=0.3)
        law = ct.predict(net, ct.Noise(inside=0.6), method="exact")
        rest = ct.predict(net, ct.Noise(), method="deterministic").mean[0]
        mean.append(law.mean[0])
        bias.append(law.mean[0] - rest)
        variance.append(law.covariance[0, 0])
    found = [weights @ mean, _std(weights, mean), weights @ bias, _std(weights, bias), weights @ variance]
    assert found == pytest.approx([MEAN, STD, MEAN_BIAS, STD_BIAS, VARIANCE], abs=2e-9)


def _std(weights, values):
    return np.sqrt(weights @ (np.array(values) - weights @ values) ** 2)
