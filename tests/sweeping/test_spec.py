"""Specifications: what they may say, and the points and seeds that follow."""

import ast
import codecs
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.sweeping.spec import Spec

ONE = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.5]}}


def with_(part, **values):
    return ONE | {part: ONE.get(part, {}) | values}


def test_toml_and_mapping_are_the_same(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(
        """
        seed = 3
        methods = ["mean_field", "simulation"]
        quantities = ["bias"]
        [fixed]
        activation = "tanh"
        w = 1
        [axes]
        sigma = {linspace = [0.0, 1.0, 3]}
        gamma = {logspace = [-2, 0, 3]}
        site = ["outside", "inside"]
        [options.simulation]
        target_se = 1e-2
        """
    )
    read = Spec.of(path)
    given = Spec.of(
        {
            "seed": 3,
            "methods": ["mean_field", "simulation"],
            "quantities": ["bias"],
            "fixed": {"activation": "tanh", "w": 1.0},
            "axes": {
                "sigma": {"linspace": [0, 1, 3]},
                "gamma": {"logspace": (-2, 0, 3)},
                "site": ["outside", "inside"],
            },
            "options": {"simulation": {"target_se": 1e-2}},
        }
    )
    assert read.to_dict() == given.to_dict()
    assert json.loads(json.dumps(read.to_dict())) == read.to_dict()
    assert Spec.of(read.to_dict()).to_dict() == read.to_dict()
    assert read.shape == (3, 3, 2)
    assert read.axes["gamma"].values == (0.01, 0.1, 1.0)
    assert read.axes["gamma"].logarithmic
    assert not read.axes["sigma"].logarithmic


@given(number=st.integers(0, 23))
def test_points_are_the_product_in_c_order(number):
    axes = {"w": [0.1, 0.2, 0.3], "site": ["inside", "outside"], "sigma": np.array([0.0, 1.0, 2.0, 3.0])}
    spec = Spec.of({"axes": axes})
    i, j, k = np.unravel_index(number, (3, 2, 4))
    point = spec.point(int(number))
    assert point["w"] == axes["w"][i]
    sigmas = {"inside": (axes["sigma"][k], 0.0), "outside": (0.0, axes["sigma"][k])}
    assert (point["sigma_in"], point["sigma_out"]) == sigmas[axes["site"][j]]
    net, noise, u = spec.arguments(point)
    assert (net.W[0, 0], net.b[0], net.gamma, net.activation.text) == (axes["w"][i], 0.0, 0.1, "relu")
    assert (noise.inside, noise.outside, u) == (point["sigma_in"], point["sigma_out"], None)


def test_a_network_is_scaled_and_driven(tmp_path):
    net = CTRNN([[0.5, 0.2], [0.1, -0.3]], [0.1, 0.2], "tanh", 0.2, W_in=[[1.0], [0.0]])
    net.save(tmp_path / "net.npz")
    (tmp_path / "spec.toml").write_text(
        '[fixed]\nnetwork = "net.npz"\nsigma_in = 0.3\nsigma_out = 0.1\n[axes]\nscale = [0.5, 2.0]\nu = [0.0, -1.0]\n'
    )
    spec = Spec.of(tmp_path / "spec.toml")
    found, noise, u = spec.arguments(spec.point(3))
    assert np.array_equal(found.W, 2.0 * net.W)
    assert (found.gamma, u, noise.inside, noise.outside) == (0.2, [-1.0], 0.3, 0.1)
    assert (
        spec.to_dict()
        == Spec.of({"fixed": {"network": net} | spec.fixed, "axes": {"scale": [0.5, 2.0], "u": [0, -1]}}).to_dict()
    )
    other = CTRNN(net.W, [0.1, 0.3], "tanh", 0.2, W_in=net.W_in)
    assert Spec.of({"fixed": {"network": other, "sigma": 1}, "axes": {}}).digest != spec.digest


def words(spec, number):
    return spec.stream(spec.point(number)).generate_state(4).tolist()


def test_streams_follow_from_seed_and_coordinates():
    spec = Spec.of({"axes": {"w": [0.1, 0.2], "sigma": [0.0, 0.5]}})
    streams = [tuple(words(spec, i)) for i in range(4)]
    assert len(set(streams)) == 4
    turned = Spec.of({"axes": {"sigma": [0.5, -0.0], "w": [0.2]}, "fixed": {"site": "inside"}})
    assert [tuple(words(turned, i)) for i in range(2)] == [streams[3], streams[2]]
    assert tuple(words(Spec.of({"axes": {"w": [0.1]}, "fixed": {"sigma_in": 0.5}}), 0)) == streams[1]
    assert tuple(words(Spec.of({"seed": 1, "axes": {"w": [0.1], "sigma": [0.5]}}), 0)) != streams[1]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"grid": {}}, "spec must be out of seed, methods, .*; got 'grid'"),
        ({"axes": 3}, "axes must be a table of names and values; got 3"),
        (with_("axes", tau=[1.0]), "axes must be out of activation, w, b, gamma, form, sigma, site, .*; got 'tau'"),
        (with_("fixed", theta=1.0), "fixed must be out of .*; got 'theta'"),
        (with_("axes", w=[1.0]), "w must be fixed or an axis; got both"),
        ({"axes": {"sigma": [0.1]}}, "spec must say what w is"),
        ({"fixed": {"w": 0.1}}, "spec must say what sigma is"),
        (with_("axes", sigma_in=[0.1]), "sigma must be left out with sigma_in; got both"),
        (with_("axes", b=[]), "axis b must have values; got none"),
        (with_("axes", b=[0.1, 0.2, 0.1]), "axis b must have different values; got 0.1 twice"),
        (with_("axes", b=0.1), "axis b must be a list, or one of linspace, logspace, geomspace; got 0.1"),
        (with_("axes", b={"range": [0, 1, 2]}), "axis b must be a list, or one of"),
        (with_("axes", b={"linspace": [0, 1]}), r"linspace of axis b must be \[first, last, count\]"),
        (with_("axes", b={"linspace": [0, 1, 2.5]}), "count in linspace of axis b must be an integer"),
        (with_("axes", b={"linspace": [0, 1, 10**11]}), "axis b must have at most 1000000 values; got 100000000000"),
        (with_("fixed", network=3), "network must be a network, or a file of one; got 3"),
        (3, "spec must be a mapping, or a TOML file; got 3"),
        (
            ONE | {"methods": ["exact"], "options": {"exact": {"tolerance": date(2020, 1, 1)}}},
            "options must be numbers",
        ),
        (with_("axes", gamma=[0.5, 1.5]), r"gamma must be in \(0, 1\]; got 1.5"),
        (with_("axes", sigma=[-1.0]), "sigma must be at least 0, a standard deviation; got -1"),
        (with_("axes", b=["zero"]), "b must be a number; got 'zero'"),
        (with_("axes", b=[float("nan")]), "b must be finite"),
        (with_("axes", site=["in"]), 'site must be "inside" or "outside"; got \'in\''),
        (with_("axes", activation=["nothing"]), "activation must use known names only"),
        (ONE | {"methods": ["guess"]}, "methods must be different names out of deterministic, .*; got 'guess'"),
        (ONE | {"methods": []}, "methods must be different names"),
        (ONE | {"quantities": ["bias", "bias"]}, "quantities must be different names out of .*; got 'bias'"),
        (ONE | {"options": {"exact": {}}}, "options must be out of gaussian_closure; got 'exact'"),
        (ONE | {"options": {"gaussian_closure": {"rng": 1}}}, "options of gaussian_closure must be out of tolerance"),
        (ONE | {"seed": -1}, "seed must be an integer of at least 0; got -1"),
        ("nowhere.toml", "spec must be a file that can be read; nowhere.toml: No such file"),
    ],
)
def test_what_cannot_be_is_refused(written, message):
    with pytest.raises(ValueError, match=message):
        Spec.of(written)


def test_toml_that_is_none_is_refused(tmp_path):
    (tmp_path / "spec.toml").write_text("axes = [")
    with pytest.raises(ValueError, match="spec must be TOML"):
        Spec.of(tmp_path / "spec.toml")


def test_the_example_of_the_page_is_the_same_in_both_forms(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    path = tmp_path / "spec.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1], encoding="utf-8")
    call = re.search(r">>> found = ct.sweep\((\{.*?\})\)", page, re.DOTALL)[1].replace("...", "")
    assert Spec.of(path).to_dict() == Spec.of(ast.literal_eval(call)).to_dict()


WRITTEN = '[fixed]\nw = 0.5\nactivation = "tanh"  # σ\n[axes]\nsigma = [0.1, 0.2]\n'


@pytest.mark.parametrize(
    "content",
    [
        WRITTEN.encode(),
        WRITTEN.encode("utf-8-sig"),
        WRITTEN.encode("utf-16"),
        codecs.BOM_UTF16_BE + WRITTEN.encode("utf-16-be"),
        WRITTEN.replace("\n", "\r\n").encode(),
        WRITTEN.replace("\n", "\r\n").encode("utf-8-sig"),
    ],
    ids=["plain", "marked", "UTF-16", "UTF-16 of the other order", "lines of Windows", "lines of Windows, marked"],
)
def test_a_file_is_read_whatever_editor_wrote_it(tmp_path, content):
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    assert (
        Spec.of(path).to_dict()
        == Spec.of({"fixed": {"w": 0.5, "activation": "tanh"}, "axes": {"sigma": [0.1, 0.2]}}).to_dict()
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("w = 'é'".encode("latin-1"), "spec must be TOML; .* is not in UTF-8: .* at 5$"),
        (codecs.BOM_UTF16_LE + b"a", "spec must be TOML; .* is not in UTF-8: "),
        (b"\x00\x01", "spec must be TOML; "),
        (b"w = ", "spec must be TOML; "),
        (b"", "spec must say what w is, in fixed or in axes; got neither"),
        (codecs.BOM_UTF8, "spec must say what w is, in fixed or in axes; got neither"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, message):
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        Spec.of(path)
    assert "\n" not in str(error.value)


def test_other_kinds_of_noise_are_axes_and_leave_old_points_as_they_were():
    old = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2]}}
    plain, more = (
        Spec.of(old),
        Spec.of({**old, "axes": {**old["axes"], "keep": [1.0, 0.8], "form": ["rate", "voltage"]}}),
    )
    assert not plain.extended
    assert more.extended
    assert set(plain.point(0)) == {"activation", "w", "b", "gamma", "sigma_in", "sigma_out"}
    net, noise, _ = more.arguments(more.point(7))
    assert (net.form, noise.keep, noise.inside) == ("voltage", 0.8, 0.2)
    assert more.stream(more.point(0)).entropy != more.stream(more.point(1)).entropy


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("rho_in", 1.0, "rho_in must be in [0, 1), a correlation; got 1"),
        ("keep", 0.0, "keep must be in (0, 1], a probability; got 0"),
        ("gain_out", -1.0, "gain_out must be at least 0, a standard deviation; got -1"),
        ("form", "current", "form must be one of rate, voltage; got 'current'"),
    ],
)
def test_other_kinds_have_their_rules(name, value, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        Spec.of({"fixed": {"w": 0.5, name: value}, "axes": {"sigma": [0.1]}})


def test_a_network_whose_neurons_differ_keeps_its_gammas():
    net = CTRNN(np.eye(2), 0.1, ["relu", "tanh"], [0.1, 0.2], form="voltage")
    spec = Spec.of({"fixed": {"network": net}, "axes": {"sigma": [0.1], "scale": [0.5]}})
    scaled, _, _ = spec.arguments(spec.point(0))
    assert (scaled.form, scaled.activation) == (net.form, net.activation)
    assert np.array_equal(scaled.gamma, net.gamma)
    assert np.array_equal(scaled.W, 0.5 * net.W)
