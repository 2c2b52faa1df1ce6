"""First passages under state-dependent diffusion: gains, dropout, and both forms of a network."""

import numpy as np
import pytest
import scipy

from ctrnn_theory import CTRNN, Noise, NotApplicable, escape_times
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.of_network import network_equation

NOISES = {
    "outside": Noise(outside=0.5, gain_outside=0.4),
    "inside": Noise(inside=0.45, gain_inside=0.4),
    "dropout": Noise.dropout(0.8, inside=0.5),
    "additive": Noise(inside=0.55),
}


def bistable(form="rate", b=0.02):
    return CTRNN([[1.5]], b, "tanh", 0.1, form=form)


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("kind", NOISES)
def test_the_rates_add_up_to_the_gap_of_the_generator(kind, form):
    """The slowest mode of the equation decays at the sum of the two rates, by finite volumes on 1500 cells."""
    net, noise = bistable(form), NOISES[kind]
    found = escape_times(net, noise, method="fokker_planck")
    reach = 2.6 if form == "rate" else 3.6
    grid = CellGrid(np.array([-reach]), np.array([reach]), (1500,))
    L = generator(network_equation(net, noise, None), grid).matrix
    decay = np.sort(-scipy.sparse.linalg.eigs(L, k=3, sigma=1e-9, return_eigenvectors=False).real)
    defined = 5.0 * decay[1] / decay[2]  # what a rate is depends on its definition up to this
    assert defined < 0.3
    assert 0.1 * decay[1] == pytest.approx(np.sum(1.0 / found.time), rel=defined + 5e-3)
    shares = found.occupation
    assert shares[0] * found.time[1] == pytest.approx(shares[1] * found.time[0], rel=1e-9)


@pytest.mark.parametrize("noise", [NOISES["inside"], NOISES["dropout"]], ids=["inside", "dropout"])
def test_both_forms_leave_their_basins_alike(noise):
    """All noise goes through f, so that v = w h + b is the same process."""
    for method in ("fokker_planck", "kramers"):
        rate, voltage = (escape_times(bistable(form), noise, method=method) for form in ("rate", "voltage"))
        np.testing.assert_allclose(voltage.time, rate.time, rtol=1e-7)


def test_kramers_is_the_limit_of_weak_noise():
    ratios = []
    for level in (1.0, 0.5):
        noise = Noise(outside=0.5, gain_outside=0.4).scaled(level)
        times = [escape_times(bistable(), noise, method=method).time for method in ("kramers", "fokker_planck")]
        ratios.append(np.abs(times[0] / times[1] - 1.0).max())
    assert ratios[1] < 0.4 * ratios[0]


def test_without_gains_nothing_changes():
    base = escape_times(bistable(), Noise(inside=0.5), method="fokker_planck").time
    near = escape_times(bistable(), Noise(inside=0.5, gain_inside=1e-5, gain_outside=1e-5), method="fokker_planck").time
    np.testing.assert_allclose(near, base, rtol=1e-6)


def test_what_is_refused():
    net = bistable()
    with pytest.raises(NotApplicable, match="passed in one direction alone"):
        escape_times(net, Noise(gain_outside=1.0), method="fokker_planck")
    with pytest.raises(NotApplicable, match="white noise"):
        escape_times(net, Noise(inside=0.5, rho_inside=0.5), method="kramers")
