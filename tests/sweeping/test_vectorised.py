"""Vectorised methods against the methods for one network, point by point."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import predict
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.stationary import METHODS
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.sweeping import vectorised
from ctrnn_theory.sweeping.batch import UNIT, Task, evaluate
from ctrnn_theory.sweeping.spec import Spec

VECTORISED = [name for name, method in METHODS.items() if method.neurons]
ALL = {"methods": VECTORISED, "quantities": ["mean", "variance", "bias", "loss", "converged"]}
ACTIVATIONS = ["relu", "tanh", "gelu", "elu", "sin", "erf", "leaky_relu", "hardtanh", "softplus"]


def by_one(spec, method, number):
    net, noise, _ = spec.arguments(spec.point(number))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return predict(net, noise, method=method), ""
    except (Divergence, NotApplicable) as error:
        return None, str(error)


def noise_free(net):
    try:
        end = settle(net)
    except Divergence as error:
        return np.nan, str(error)
    return end.fixed_point[
        0
    ], "" if end.converged else f"{end.reason('the noise-free network')}, so that there is no bias"


@given(
    text=st.sampled_from(ACTIVATIONS),
    w=st.floats(-2.5, 2.0),
    b=st.sampled_from([0.0, 0.1, -0.6, 1.3]),
    gamma=st.sampled_from([0.02, 0.1, 0.6, 1.0]),
    inside=st.sampled_from([0.0, 0.3, 1.5]),
    outside=st.sampled_from([0.0, 0.5]),
    method=st.sampled_from(ALL["methods"]),
)
def test_same_as_by_one(text, w, b, gamma, inside, outside, method):
    # beside neighbours, which must not matter
    fixed = {"activation": text, "b": b, "gamma": gamma, "sigma_out": outside}
    spec = Spec.of(ALL | {"fixed": fixed, "axes": {"w": [w, 0.123], "sigma_in": [inside, 0.77]}})
    number = spec.methods.index(method)
    batch = evaluate(spec, Task(number, np.arange(spec.size)))
    row = batch.rows[0]
    law, reason = by_one(spec, method, 0)
    if law is None:
        assert batch.reasons[row["failure"] - 1] == reason
        return
    assert row["converged"] == law.converged
    size = 1.0 + abs(law.mean[0])
    assert abs(row["mean"] - law.mean[0]) <= 1e-10 * size
    assert np.isclose(row["variance"], law.covariance[0, 0], rtol=1e-9, atol=1e-12 * size**2, equal_nan=True)
    rest, reason = noise_free(*spec.arguments(spec.point(0))[:1])
    if reason:
        assert batch.reasons[row["failure"] - 1] == reason
        return
    assert row["failure"] == 0
    assert abs(row["bias"] - (law.mean[0] - rest)) <= 2e-10 * size
    assert np.isclose(row["loss"], row["bias"] ** 2 + row["variance"], rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("method", ["mean_field", "gaussian_closure"])
def test_the_attractor_is_that_of_rest(method):
    """A bistable neuron, pushed weakly to either side: the far attractor is as good a root."""
    spec = Spec.of({"fixed": {"activation": "tanh", "w": 2.5, "sigma": 0.2}, "axes": {"b": [-0.02, 0.02]}})
    found = vectorised.laws(spec, method, np.arange(2))
    assert found.known.all()
    assert np.sign(found.mean).tolist() == [-1.0, 1.0]
    assert np.abs(found.mean).min() > 0.8


def test_most_points_are_taken_at_once():
    axes = {"w": {"linspace": [-2.0, 0.9, 10]}, "sigma": [0.1, 1.0], "gamma": [0.02, 0.3]}
    spec = Spec.of({"fixed": {"b": 0.1}, "axes": axes})
    for method in VECTORISED:
        assert vectorised.laws(spec, method, np.arange(spec.size)).known.mean() > 0.95


@pytest.mark.parametrize("text", ["relu", "tanh", "gelu", "softplus"])
def test_numbers_do_not_depend_on_the_batch(text):
    """Units that are computed together are the same whatever a batch holds: to the last bit."""
    axes = {"w": {"linspace": [-0.9, 0.9, 61]}, "sigma": {"linspace": [0.1, 1.0, 50]}}
    spec = Spec.of({"fixed": {"activation": text, "b": 0.1}, "axes": axes, "methods": ["mean_field"]})
    assert spec.size > 2 * UNIT
    whole = evaluate(spec, Task(0, np.arange(spec.size))).rows
    parts = [evaluate(spec, Task(0, np.arange(i, min(i + UNIT, spec.size)))).rows for i in range(0, spec.size, UNIT)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_what_is_taken_at_once():
    one = Spec.of({"fixed": {"w": 0.5, "sigma": 0.1}, "axes": {"activation": ["relu", "tanh"]}})
    assert vectorised.takes(one, "gaussian_closure")
    assert not vectorised.takes(one, "exact")
    odd = Spec.of({"fixed": {"w": 0.5, "sigma": 0.1}, "axes": {"activation": ["relu", "exp(-x**2)"]}})
    assert not vectorised.takes(odd, "gaussian_closure")
    assert vectorised.takes(odd, "deterministic")
    tuned = Spec.of(
        {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1]}, "options": {"gaussian_closure": {"tolerance": 1e-6}}}
    )
    assert not vectorised.takes(tuned, "gaussian_closure")


def test_slow_neurons_have_no_bias():
    axes = {"w": [0.5, 0.999, 1.0 - 1e-6, 1.0 - 1e-9], "gamma": [1.0, 0.1, 1e-5]}
    fixed = {"activation": "identity", "b": 0.1, "sigma": 0.3}
    spec = Spec.of({"methods": ["mean_field"], "fixed": fixed, "axes": axes, "quantities": ["mean", "bias"]})
    rows = evaluate(spec, Task(0, np.arange(spec.size))).rows
    np.testing.assert_allclose(rows["mean"], np.repeat(0.1 / (1.0 - np.array(axes["w"])), 3), rtol=1e-12)
    assert np.all(np.abs(rows["bias"]) <= 1e-9 * rows["mean"])


def test_without_a_fixed_point_the_bias_is_missing_and_the_reason_is_given():
    fixed = {"activation": "tanh", "w": -3.0, "b": 0.25, "gamma": 1.0}
    spec = Spec.of({"methods": ["exact"], "fixed": fixed, "axes": {"sigma": [0.3]}, "quantities": ["mean", "bias"]})
    batch = evaluate(spec, Task(0, np.arange(1)))
    assert np.isfinite(batch.rows["mean"][0])
    assert np.isnan(batch.rows["bias"][0])
    assert "does not settle to a fixed point" in batch.reasons[batch.rows["failure"][0] - 1]
