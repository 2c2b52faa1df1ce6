"""Drawn weights: their scale is α for any shape, and nothing but the seed decides them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.training.decoders.encoders import Draw, draw_encoders
from ctrnn_theory.training.tasks import Latent

RNG = np.random.default_rng(5)
U, X = 3.0 * RNG.normal(size=(50, 2)), 0.1 * RNG.uniform(size=(50, 1))
LATENT = Latent("x' = x", U, X, np.zeros((50, 1)))
SILENT = LATENT._replace(u=np.column_stack([U[:, 0], np.zeros(50)]))


def drives(latent, encoders):
    """Mean square over points of the drive of each neuron by its channels."""
    return np.mean((encoders.preactivation(latent) - encoders.b) ** 2, axis=0)


@given(st.lists(st.floats(-1.5, 1.5), min_size=7, max_size=7), st.floats(0.1, 3.0))
def test_root_mean_square_of_the_drive_is_alpha(shape, alpha):
    encoders = Draw.of(LATENT, 4000, np.random.default_rng(0)).encoders(alpha, 1.0, np.array(shape))
    squares = drives(LATENT, encoders)
    assert abs(squares.mean() - alpha**2) < 5 * squares.std() / np.sqrt(squares.size)


def test_a_channel_without_signal_has_no_weight_and_no_share():
    encoders = draw_encoders(SILENT, 4000, 1.5, 1.0, np.random.default_rng(0))
    assert not encoders.W_in[:, 1].any()
    squares = drives(SILENT, encoders)
    assert abs(squares.mean() - 1.5**2) < 5 * squares.std() / np.sqrt(squares.size)


def test_without_any_signal_only_biases_are_left():
    nothing = Latent("y = 1", np.zeros((3, 1)), np.zeros((3, 0)), np.zeros((3, 0)), np.ones((3, 1)))
    encoders = draw_encoders(nothing, 10, 1.0, 2.0, np.random.default_rng(0))
    assert not encoders.W_in.any()
    assert encoders.b.any()


def test_biases_are_uniform_up_to_beta():
    b = np.sort(draw_encoders(LATENT, 5000, 1.0, 2.0, np.random.default_rng(0)).b)
    uniform = (np.arange(5000) + 0.5) / 1250 - 2
    assert abs(b - uniform).max() < 4 * 2.0 / np.sqrt(5000)  # Kolmogorov's bound at 1e-7 is 2.9 of 4 / √N


@pytest.mark.parametrize(
    ("index", "change"),
    [(3, lambda e: abs(e.W_in[:, 0]).max()), (4, lambda e: abs(e.b).max()), (5, lambda e: e.b.mean())],
)
def test_each_parameter_of_the_shape_does_what_it_says(index, change):
    draw = Draw.of(LATENT, 500, np.random.default_rng(0))
    low, high = np.zeros(7), np.zeros(7)
    low[index], high[index] = -0.5, 0.5
    assert change(draw.encoders(1.0, 1.0, low)) < change(draw.encoders(1.0, 1.0, high))


def test_shares_of_channels():
    draw = Draw.of(LATENT, 500, np.random.default_rng(0))
    more = draw.encoders(1.0, 1.0, np.array([np.log(4.0), 0, 0, 0, 0, 0, 0])).W_in / draw.encoders(1.0, 1.0).W_in
    np.testing.assert_allclose(more, np.sqrt([[4 / 2, 1 / 2]]) * np.ones((500, 1)))


def test_same_seed_gives_the_same_weights():
    first, again, other = (draw_encoders(LATENT, 9, 1.0, 1.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
