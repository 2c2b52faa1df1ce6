"""Newton's method from many states at once."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, activation, fixed_points
from ctrnn_theory.dynamics.linear_response import LARGE
from ctrnn_theory.dynamics.newton import newton
from ctrnn_theory.model.wiring import Wiring

TANH = activation("tanh")


@pytest.mark.parametrize("n", [1, 5, LARGE])
def test_each_state_has_its_own_way(n):
    """One state alone ends where it ends among others, to rounding, and with as many systems solved."""
    rng = np.random.default_rng(n)
    W, drive, states = (
        1.5 * rng.standard_normal((n, n)) / np.sqrt(n),
        rng.standard_normal(n),
        rng.standard_normal((6, n)),
    )
    wiring = Wiring.in_rates(W, drive, 1.0)
    ends, errors, solved = newton(TANH, TANH.derivative, wiring, states)
    alone = [newton(TANH, TANH.derivative, wiring, state[None]) for state in states]
    good = errors < 1e-10
    assert good.any()
    np.testing.assert_allclose(ends[good], np.concatenate([one[0] for one in alone])[good], atol=1e-9)
    np.testing.assert_allclose(np.tanh(ends[good] @ W.T + drive), ends[good], atol=1e-9)
    assert solved >= 6
    assert n > 1 or solved == sum(one[2] for one in alone)


@pytest.mark.parametrize("n", [2, LARGE])
def test_singular_matrices_and_overflow(n):
    eye = np.eye(n)
    line, wiring = activation("identity"), Wiring.in_rates(eye, np.ones(n), 1.0)
    ends, errors, _ = newton(line, line.derivative, wiring, np.zeros((2, n)))
    assert np.all(errors > 0.0)  # h = h + 1 has no solution
    assert np.all(np.isfinite(ends))
    grow, wiring = activation("exp(x)"), Wiring.in_rates(np.ones((n, n)), np.ones(n), 1.0)
    ends, errors, _ = newton(grow, grow.derivative, wiring, np.array([np.full(n, 200.0), np.zeros(n)]))
    assert not np.any(errors < 1e-9)
    assert fixed_points(CTRNN(np.ones((n, n)), np.ones(n), "exp(x)")) == ()
