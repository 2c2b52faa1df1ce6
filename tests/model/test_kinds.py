"""Networks and noise of every kind: fields, files, the linear parts of a step, and the state with its sources."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, NotApplicable
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.kinds import kinds, require
from ctrnn_theory.model.network import FIRST, FORMAT
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.npz import read_arrays

W = np.array([[0.3, -0.6], [0.5, 0.3]])
FULL = Noise(
    inside=[[0.4, 0.0, 0.3], [0.0, 0.2, 0.3]],
    outside=[0.1, 0.2],
    gain_inside=0.1,
    gain_outside=[[0.2], [0.3]],
    rho_inside=[0.0, 0.7, 0.5],
    rho_outside=0.9,
    common_gain_outside=0.5,
    keep=[0.8, 1.0],
)


def network(form="voltage", activation=("relu", "tanh"), gamma=(0.1, 0.4)):
    return CTRNN(W, [0.4, 0.3], list(activation), list(gamma), form=form)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gain_inside": -0.1}, "gain_inside must be at least 0, a standard deviation; got -0.1"),
        ({"gain_outside": np.zeros((2, 2, 2))}, r"gain_outside must be a scalar, \(N,\) or a factor"),
        ({"rho_inside": 1.0}, r"rho_inside must be in \[0, 1\); got 1.0"),
        ({"rho_outside": [0.5, -0.1]}, r"rho_outside must be in \[0, 1\); got -0.1"),
        ({"keep": 0.0}, r"keep must be in \(0, 1\]; got 0.0"),
        ({"common_gain_outside": [[0.5]]}, r"common_gain_outside must be a scalar or \(N,\); got shape \(1, 1\)"),
    ],
)
def test_noise_that_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        Noise(**fields)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (Noise(gain_inside=[0.1, 0.2, 0.3]), "gain_inside must have one row for each of the 2 neurons"),
        (
            Noise(inside=[[1.0], [1.0]], rho_inside=[0.5, 0.5]),
            "rho_inside must be one number, or one for each of the 1",
        ),
        (Noise(keep=[0.5, 0.5, 0.5]), "keep must be one number, or one for each of the 2 neurons; got 3"),
    ],
)
def test_noise_that_does_not_fit(noise, message):
    with pytest.raises(ValueError, match=message):
        noise.check(2)


def test_what_multiplies_has_the_covariance_of_the_product():
    noise = Noise(gain_outside=0.4, common_gain_outside=0.5, keep=0.8)
    assert np.allclose(
        noise.gain_covariance("outside", 2), 1.25 * (1.0 + np.diag([0.16] * 2)) * (1.0 + np.diag([0.25] * 2)) - 1.0
    )
    rng = np.random.default_rng(0)
    private, common, mask = (
        rng.standard_normal((400_000, 2)),
        rng.standard_normal((400_000, 1)),
        rng.random((400_000, 2)),
    )
    sample = (1.0 + 0.4 * private) * (1.0 + 0.5 * common) * (mask < 0.8) / 0.8
    assert np.allclose(sample.mean(axis=0), 1.0, atol=0.01)
    assert np.allclose(np.cov(sample.T), noise.gain_covariance("outside", 2), atol=0.02)


@pytest.mark.parametrize("level", [0.0, 0.5, 2.0])
def test_a_level_multiplies_every_standard_deviation(level):
    scaled = FULL.scaled(level)
    for site in ("inside", "outside"):
        assert np.allclose(scaled.covariance(site, 2), level**2 * FULL.covariance(site, 2))
    assert np.allclose(scaled.gain_covariance("inside", 2), level**2 * FULL.gain_covariance("inside", 2))
    assert np.allclose((1.0 - scaled.kept(2)) / scaled.kept(2), level**2 * (1.0 - FULL.kept(2)) / FULL.kept(2))
    assert np.array_equal(scaled.rho("inside", 2), FULL.rho("inside", 2))


def test_the_time_constant_of_a_source():
    noise = Noise.from_time_constant(20.0, 5.0, inside=0.3, gain_outside=0.1)
    assert noise.rho_inside == pytest.approx(np.exp(-0.25))
    assert noise.rho_outside == 0.0


def test_sources_without_effect_are_left_out():
    factor, rho = Noise(inside=[0.5, 0.0], rho_inside=0.9).coloured("inside", 2)
    assert factor.shape == (2, 1)
    assert rho.tolist() == [0.9]


def test_a_dictionary_gives_the_noise_again():
    again = Noise(**json.loads(json.dumps(FULL.to_dict())))
    assert again.to_dict() == FULL.to_dict()
    assert Noise(0.5).to_dict() == {"inside": 0.5, "outside": 0.0}


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_a_file_gives_the_network_again(form, tmp_path):
    net = network(form)
    net.save(tmp_path / "net.npz")
    again = CTRNN.load(tmp_path / "net.npz")
    assert again.to_dict() == net.to_dict()
    assert json.loads(str(read_arrays(tmp_path / "net.npz", 10**6)["header"]))["format"] == FORMAT


def test_a_file_that_older_readers_understand_keeps_its_version(tmp_path):
    CTRNN(W, 0.1, ["tanh", "tanh"], [0.2, 0.2]).save(tmp_path / "net.npz")
    header = json.loads(str(read_arrays(tmp_path / "net.npz", 10**6)["header"]))
    assert header == {"format": FIRST, "activation": "tanh", "gamma": 0.2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": ["relu"]}, "activation must be one, or one for each of the 2 neurons"),
        ({"gamma": [0.1, 1.5]}, r"gamma must be in \(0, 1\]; got 1.5"),
        ({"gamma": [0.1, 0.1, 0.1]}, r"gamma must have shape \(2,\)"),
        ({"form": "current"}, "form must be one of"),
    ],
)
def test_networks_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        CTRNN(W, 0.1, **arguments)


def test_rates_and_output_of_a_voltage_network():
    net = CTRNN(W, [0.4, 0.3], "relu", W_out=[[1.0, 2.0]], b_out=[0.5], form="voltage")
    v = np.array([-1.0, 3.0])
    assert net.rate(v).tolist() == [0.0, 3.0]
    assert net.output(v).tolist() == [6.5]
    assert net.preactivation(v).tolist() == v.tolist()


def test_a_method_refuses_what_it_does_not_take():
    assert list(kinds(network(), FULL)) == [
        "voltage", "gammas", "activations", "gain_inside", "gain_outside", "coloured_inside", "coloured_outside",
    ]  # fmt: skip
    with pytest.raises(NotApplicable, match="exact does not take activations that differ"):
        require("exact", network(), FULL, "voltage", "gammas")
    require("exact", CTRNN.single(0.5), Noise(0.5))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["rate", "voltage"]))
def test_one_step_of_the_parts_is_one_step_of_the_network(seed, form):
    rng = np.random.default_rng(seed)
    net = network(form)
    whole, wiring = Augmented.of(net, FULL), Wiring.of(net)
    h, x_in, x_out = rng.standard_normal(2), rng.standard_normal(2), rng.standard_normal(2)
    zeta_in, zeta_out, white = rng.standard_normal(2), rng.standard_normal(2), rng.standard_normal(1)
    f, g = net.activation, net.gammas
    # by the definition, without multiplicative noise
    L = np.asarray(FULL.inside)
    rho = np.array([0.7, 0.5])
    new_in, new_out = rho * x_in + np.sqrt(1 - rho**2) * zeta_in, 0.9 * x_out + np.sqrt(1 - 0.81) * zeta_out
    noise_in, noise_out = L[:, :1] @ white + L[:, 1:] @ new_in, np.array([0.1, 0.2]) * new_out
    if form == "rate":
        stepped = (1 - g) * h + g * (f(W @ h + net.b + noise_in) + noise_out)
    else:
        stepped = (1 - g) * h + g * (W @ f(h + noise_in) + net.b + noise_out)
    state = np.concatenate([h, x_in, x_out])
    i = L[:, :1] @ white + L[:, 1:] @ (np.sqrt(1 - rho**2) * zeta_in)
    e_out = np.array([0.1, 0.2]) * np.sqrt(1 - 0.81) * zeta_out
    e = np.concatenate([g * e_out, np.sqrt(1 - rho**2) * zeta_in, np.sqrt(1 - 0.81) * zeta_out])
    y = f(whole.read @ state + wiring.c + i)
    again = whole.transition @ state + whole.write @ y + whole.offset + e
    assert np.allclose(again, np.concatenate([stepped, new_in, new_out]), atol=1e-14)


def test_the_noise_of_the_parts_has_the_covariance_of_the_definition():
    whole = Augmented.of(network("rate"), FULL)
    g, rho, L = np.array([0.1, 0.4]), np.array([0.7, 0.5]), np.asarray(FULL.inside)
    fresh_in, fresh_out = np.diag(np.sqrt(1 - rho**2)), np.sqrt(1 - 0.81) * np.eye(2)
    factor = np.zeros((2 + 6, 5))  # rows: i, then e; columns: the white source, fresh coloured ones inside and outside
    factor[:2, 0], factor[:2, 1:3] = L[:, 0], L[:, 1:] @ fresh_in
    factor[2:4, 3:], factor[4:6, 1:3], factor[6:, 3:] = np.diag(g * [0.1, 0.2]) @ fresh_out, fresh_in, fresh_out
    joint = factor @ factor.T
    assert np.allclose(joint[:2, :2], whole.inner)
    assert np.allclose(joint[2:, 2:], whole.outer)
    assert np.allclose(joint[:2, 2:], whole.shared)
    # the sources stay in the law that they begin in
    T = whole.transition[2:, 2:]
    assert np.allclose(T @ whole.rest[2:, 2:] @ T.T + whole.outer[2:, 2:], whole.rest[2:, 2:])
