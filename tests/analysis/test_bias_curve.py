"""Bias curves of the kinds of noise and network beyond white additive noise in rate form."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.analysis.bias_curve import bias_curve, distance_to_nonlinearity

KINDS = {
    "voltage": (CTRNN([[0.6]], 0.2, "tanh", 0.3, form="voltage"), Noise(inside=0.4, outside=0.3)),
    "gain outside": (CTRNN([[-0.7]], 0.6, "tanh", 0.3), Noise(outside=0.2, gain_outside=0.5)),
    "gain inside": (CTRNN([[-0.7]], 0.6, "softplus", 0.3), Noise(gain_inside=0.5)),
    "coloured": (CTRNN([[-0.7]], 0.6, "tanh", 0.3), Noise(inside=0.4, rho_inside=0.8)),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("method", ["small_noise", "mean_field"])
def test_each_point_is_the_bias_of_the_network_with_that_input(name, method):
    net, noise = KINDS[name]
    curve = bias_curve(net, noise, methods=[method], reach=2.0)
    assert np.all(np.isfinite(curve.bias[method]))
    f, w = net.activation, net.W[0, 0]
    for at in (0, len(curve.distance[method]) // 3, -1):
        a = curve.nonlinearity + curve.distance[method][at] * curve.unit
        moved = CTRNN(net.W, a - w * f(a), f, net.gamma, form=net.form)
        state = [a if net.form == "voltage" else f(a)]
        bias = predict(moved, noise, None, method, state).mean - state
        assert curve.bias[method][at] == pytest.approx(bias[0], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_the_curve_passes_through_its_network(form):
    net, noise = CTRNN([[0.6]], 0.2, "tanh", 0.3, form=form), Noise(inside=0.4)
    own = predict(net, noise, method="small_noise")
    zeta = distance_to_nonlinearity(net, noise, net.preactivation(own.details["fixed_point"]))[0][0]
    curve = bias_curve(net, noise, methods=["small_noise"])
    at = np.argmin(np.abs(curve.distance["small_noise"] - zeta))
    bias = own.mean[0] - own.details["fixed_point"][0]
    assert curve.bias["small_noise"][at] == pytest.approx(bias, rel=1e-9)


def test_what_a_method_does_not_take_has_no_numbers():
    curve = bias_curve(*KINDS["coloured"], methods=["fokker_planck", "small_noise"], reach=1.0)
    if not np.any(np.isfinite(curve.bias["fokker_planck"])):
        assert curve.table().splitlines()
    assert np.all(np.isfinite(curve.bias["small_noise"]))


def test_multiplicative_noise_counts_by_what_it_adds():
    net = CTRNN([[0.0, 0.0], [0.0, 0.0]], [0.5, -2.0], ["tanh", "hardtanh"])
    distance, place, unit = distance_to_nonlinearity(net, Noise(inside=0.3, gain_inside=0.4, gain_outside=1.0), net.b)
    f = np.array([np.tanh(0.5), -1.0])
    np.testing.assert_allclose(unit, np.sqrt(0.09 + (0.4 * net.b) ** 2 + f**2))
    assert place[1] == -1.0
    np.testing.assert_allclose(distance, (net.b - place) / unit)
    with pytest.raises(ValueError, match="noise must be above 0"):
        distance_to_nonlinearity(net, Noise(), net.b)
