"""Activations in PyTorch: the same values and gradients as here."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.activations import BUILTIN, activation
from ctrnn_theory.activations.group import activations

torch = pytest.importorskip("torch", reason="PyTorch is in the extra interop")

OWN = [
    "Abs(Abs(x) - 1)",
    "exp(-x**2)",
    "0.8*powerlaw(1.5)",
    "exp(x)/(1 + exp(x))**2",
    "Max(0, tanh(x - 0.3))",
    "log(1 + x**2)",
]
SMOOTH = [f"smoothed({name}, {s})" for name in [*BUILTIN, *OWN][1:] for s in (0.3, 0.7, 1.0)]
GRID = np.concatenate([np.linspace(-12.0, 12.0, 801), [-1e3, -200.3, 55.5, 1e3]])
POINTS = GRID + 1e-3  # none of which is a kink


def compared(text, points):
    """Return values and gradients of PyTorch, less ours, relative to the larger of 1 and ours."""
    f, x = activation(text), torch.tensor(points, requires_grad=True)
    y = ct.to_torch(text)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    values, slopes = f(points), f.derivative(points)
    pairs = (y.detach().numpy(), values), (slope.numpy(), slopes)
    return [np.max(np.abs(one - other) / np.maximum(1.0, np.abs(other))) for one, other in pairs]


@pytest.mark.parametrize("text", [*BUILTIN, *OWN])
def test_values_and_gradients_of_activations(text):
    if text == "step":
        x = torch.tensor(POINTS)
        assert np.array_equal(ct.to_torch(text)(x).numpy(), activation(text)(POINTS))
        return
    value, slope = compared(text, POINTS)
    assert value < 1e-14
    assert slope < 1e-12


@pytest.mark.parametrize("text", SMOOTH)
def test_values_and_gradients_of_smoothed_activations_are_as_good_as_is_said(text):
    places = activation(text).pieces[0].panels.edges  # where the digits of a derivative go first
    value, slope = compared(text, np.concatenate([GRID, places]))
    assert value < 1e-12
    assert slope < 1e-8


@pytest.mark.parametrize("name", [*BUILTIN, *OWN])
def test_gradients_are_those_of_finite_differences(name):
    x = torch.linspace(-7.0, 7.0, 29, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ct.to_torch(f"smoothed({name}, 0.7)"), x)
    assert torch.autograd.gradgradcheck(ct.to_torch(f"smoothed({name}, 0.7)"), x, atol=1e-4)


@given(a=st.floats(-30, 30), s=st.floats(0.01, 5.0), seed=st.integers(0, 100))
def test_the_closed_form_is_the_mean_over_the_noise(a, s, seed):
    # Gauss–Hermite quadrature of f itself in PyTorch is an independent mean; linear beyond the kinks of hardtanh
    panels = np.linspace(-9.0, 9.0, 2001)
    xi = torch.tensor(0.5 * (panels[1:] + panels[:-1]))
    weight = torch.exp(-0.5 * xi**2) * (panels[1] - panels[0]) / np.sqrt(2 * np.pi)
    mean = (ct.to_torch("hardtanh")(a + s * xi) * weight).sum()
    assert abs(float(ct.to_torch(f"smoothed(hardtanh, {s})")(torch.tensor(a))) - float(mean)) < 1e-4


def test_gradients_are_finite_where_another_piece_overflows():
    x = torch.tensor([-800.0, 800.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ct.to_torch("elu")(x).sum(), x)
    assert slope.tolist() == [0.0, 1.0]


def test_precision_shape_and_nan():
    for text in ("smoothed(tanh, 0.5)", "smoothed(relu, 0.5)", "relu"):
        f = pickle.loads(pickle.dumps(ct.to_torch(text)))
        x = torch.tensor([[0.1, -0.2, float("nan")]], dtype=torch.float32)
        y = f(x)
        assert y.dtype == torch.float32
        assert y.shape == x.shape
        assert y.isnan().tolist() == [[False, False, True]]
        assert np.allclose(y[0, :2], activation(text)(x[0, :2].double().numpy()), rtol=1e-6)
        assert f(torch.zeros(0)).shape == (0,)


def test_neurons_that_differ():
    group = activations(["relu", "smoothed(tanh, 0.4)", "relu", "softplus"], 4)
    x = np.random.default_rng(0).standard_normal((3, 5, 4))
    assert np.allclose(ct.to_torch(group)(torch.tensor(x)).numpy(), group(x), rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="x must have 4 neurons as its last axis"):
        ct.to_torch(group)(torch.zeros(3))


@pytest.mark.parametrize("name", ["relu", "tanh", "softplus"])
def test_a_repaired_network_runs_in_torch(name):
    rng = np.random.default_rng(4)
    net = ct.CTRNN(0.3 * rng.standard_normal((5, 5)), 0.1, name, 0.2, W_in=rng.standard_normal((5, 2)))
    quiet = ct.noise_free(net, ct.Noise(inside=0.8))
    f, W, W_in, b = ct.to_torch(quiet.activation), *(torch.tensor(array) for array in (quiet.W, quiet.W_in, quiet.b))
    h, u = torch.zeros(5, dtype=torch.float64), torch.tensor([0.3, -0.1], dtype=torch.float64)
    for _ in range(400):
        h = 0.8 * h + 0.2 * f(W @ h + W_in @ u + b)
    assert np.allclose(h, ct.predict(quiet, ct.Noise(), u.numpy(), "deterministic").mean, rtol=0, atol=1e-11)
