"""Noise: whether there is any."""

import numpy as np
import pytest

from ctrnn_theory.model.noise import Noise


@pytest.mark.parametrize(
    ("noise", "zero"),
    [
        (Noise(), True),
        (Noise(inside=1e-200), True),  # its variance is zero
        (Noise(inside=[0.0, 0.0], outside=[[0.0, 0.0], [0.0, 0.0]]), True),
        (Noise(outside=[0.0, 1e-100]), False),
        (Noise(inside=[[0.0], [-0.1]]), False),
    ],
)
def test_no_noise(noise, zero):
    assert noise.is_zero == zero
    n = max(len(np.atleast_1d(noise.inside)), len(np.atleast_1d(noise.outside)))
    assert zero == (not any(noise.std(site, n).any() for site in ("inside", "outside")))
