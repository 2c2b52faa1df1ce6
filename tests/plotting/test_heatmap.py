"""Pictures of sweeps."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from ctrnn_theory.plotting import heatmap, lines
from ctrnn_theory.sweeping.sweep import sweep


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found():
    return sweep(
        {
            "methods": ["mean_field", "gaussian_closure"],
            "quantities": ["bias", "seconds", "converged"],
            "fixed": {"b": 0.1},
            "axes": {
                "w": [0.5, 3.0],
                "gamma": {"logspace": [-2, 0, 3]},
                "sigma": [0.5, 0.0, 1.0],
                "site": ["inside", "outside"],
            },
        },
        workers=1,
    )


def test_map(found):
    ax = heatmap(found, "sigma", "gamma", "bias", methods="gaussian_closure", w=0.6, site="inside")
    (mesh,) = ax.collections
    expected = found["bias"].sel(methods="gaussian_closure", w=0.5, site="inside").sortby("sigma")
    assert np.array_equal(mesh.get_array(), expected)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert ax.get_xlabel() == "noise, standard deviation per step"
    assert ax.get_title() == "relu, w = 0.5, b = 0.1, noise inside, gaussian_closure"
    assert ax.get_ylim()[0] < 0.01 < 1.0 < ax.get_ylim()[1]
    assert ax.figure.axes[1].get_ylabel() == "mean of the rates less that of the\nnoise-free fixed point"
    assert ax.get_legend() is None  # nothing is missing


def test_missing_points_are_hatched(found):
    ax = heatmap(found, "sigma", "w", "bias", methods="mean_field", gamma=0.1, site="inside")
    hatch, mesh = ax.collections
    assert hatch.get_hatch() == "///"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no number: failed or not applicable"]
    assert mesh.get_array().mask.tolist() == [[False] * 3, [True] * 3]


def test_signs_are_told_apart(found):
    shifted = found.assign(bias=(found["bias"].dims, found["bias"].values - 0.05, found["bias"].attrs))
    ax = heatmap(shifted, "sigma", "gamma", "bias", methods="mean_field", w=0.5, site="inside")
    (mesh,) = ax.collections
    assert mesh.norm(0.0) == 0.5
    assert mesh.cmap.name == "RdBu_r"


def test_names_along_an_axis(found):
    ax = heatmap(found, "site", "methods", "seconds", gamma=0.1, sigma=0.5, w=0.5)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["inside", "outside"]
    assert ax.figure.axes[1].get_ylabel() == "time of the computation (s)"


def test_lines_by_number(found):
    ax = lines(found, "sigma", "bias", colour="gamma", methods="gaussian_closure", w=0.5, site="outside")
    assert [line.get_label() for line in ax.lines] == ["0.01", "0.1", "1"]
    assert np.array_equal(ax.lines[0].get_xdata(), [0.0, 0.5, 1.0])
    assert len({line.get_color() for line in ax.lines}) == 3
    assert ax.figure.axes[1].get_yscale() == "log"


def test_lines_by_name(found):
    ax = lines(found, "gamma", "bias", w=0.5, site="inside", sigma=0.5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mean_field", "gaussian_closure"]
    assert ax.get_xscale() == "log"


@pytest.mark.parametrize(
    ("arguments", "select", "message"),
    [
        (("sigma", "gamma", "median"), {}, "quantity must be one of bias, .*; got 'median'"),
        (("sigma", "tau", "bias"), {}, "axis must be one of methods, w, .*; got 'tau'"),
        (("sigma", "sigma", "bias"), {}, "axes must be drawn or selected once each; got sigma, sigma"),
        (("sigma", "gamma", "bias"), {"gamma": 0.1}, "axes must be drawn or selected once each"),
        (("sigma", "gamma", "bias"), {"methods": "exact"}, "methods must be one of mean_field, .*; got 'exact'"),
        (("sigma", "gamma", "bias"), {"w": "big"}, "w must be one of 0.5, 3.0; got 'big'"),
        (("sigma", "gamma", "bias"), {"w": 0.5, "site": "inside"}, "methods must be selected, as one of its 2 values"),
    ],
)
def test_bad_choices_are_refused(found, arguments, select, message):
    with pytest.raises(ValueError, match=message):
        heatmap(found, *arguments, **select)
