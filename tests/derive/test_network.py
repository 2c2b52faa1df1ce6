import numpy as np
import pytest
import sympy as sp

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.network import N, describe, small_noise_bias_network
from ctrnn_theory.derive.small_noise import small_noise_bias

NAMES = ("W", "D", "f2", "Sigma_in", "Sigma_out", "gamma")


def random_network(n, seed, gamma=0.3):
    """Network with correlated noise at both sites, its small-noise law, and the values of the matrices."""
    rng = np.random.default_rng(seed)
    net = CTRNN(rng.standard_normal((n, n)) / (2 * np.sqrt(n)), rng.standard_normal(n), "softplus", gamma=gamma)
    noise = Noise(inside=rng.standard_normal((n, 2)) / 5, outside=rng.standard_normal((n, n)) / 5)
    law = predict(net, noise, method="small_noise")
    a, f = net.preactivation(law.details["fixed_point"]), net.activation
    values = {
        "W": net.W,
        "D": np.diag(f.derivative(a)),
        "f2": f.derivative(a, 2)[:, None],
        "Sigma_in": noise.covariance("inside", n),
        "Sigma_out": noise.covariance("outside", n),
        "gamma": gamma,
    }
    return values, law


@pytest.mark.parametrize("gamma", [0.1, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_with_a_number_of_neurons_it_gives_the_numbers(n, gamma):
    values, law = random_network(n, seed=n, gamma=gamma)
    shift = describe(n).lambdified(*NAMES)(*values.values())
    expected = law.mean - law.details["fixed_point"]
    assert shift.shape == (n, 1)
    np.testing.assert_allclose(shift[:, 0], expected, rtol=1e-12, atol=1e-15 * n)


@pytest.mark.parametrize("n", [2, 4])
def test_for_any_number_it_gives_them_from_the_covariance(n):
    values, law = random_network(n, seed=10 + n)
    values |= {"V": law.covariance}
    shift = evaluate(small_noise_bias_network(), n, values)
    np.testing.assert_allclose(shift[:, 0], law.mean - law.details["fixed_point"], rtol=1e-12)


def test_the_covariance_solves_its_equation():
    n = 3
    values, law = random_network(n, seed=4)
    values |= {"V": law.covariance}
    definitions = describe().definitions
    values["A"] = evaluate(definitions["A"].rhs, n, values)
    np.testing.assert_allclose(evaluate(definitions["V"].rhs, n, values), law.covariance, rtol=1e-12, atol=1e-16)


def evaluate(expression, n, values):
    """Value of a matrix expression of symbolic size."""
    sized = expression.subs(N, n)
    used = sorted(sized.free_symbols, key=str)
    return sp.lambdify(used, sized)(*(values[str(x)] for x in used))


def test_one_neuron_is_the_scalar_formula():
    entry = small_noise_bias_network(1).as_explicit()[0]
    w, s_in, s_out = sp.symbols("w sigma_in sigma_out")
    scalars = {"W": w, "D": symbols.f(1), "f2": symbols.f(2), "Sigma_in": s_in**2, "Sigma_out": s_out**2}
    for name, value in scalars.items():
        entry = entry.subs(sp.MatrixSymbol(name, 1, 1)[0, 0], value)
    assert sp.cancel(sp.together(entry - small_noise_bias(2, "both"))) == 0


def test_uncoupled_neurons_are_neurons():
    n, gamma = 2, 0.3
    values, _ = random_network(n, seed=7, gamma=gamma)
    values["W"] = np.diag(np.diag(values["W"]))
    shift = describe(n).lambdified(*NAMES)(*values.values())[:, 0]
    from ctrnn_theory.derive.small_noise import describe as scalar

    one = scalar("bias", 2, "both").lambdified("w", "f1", "f2", "sigma_in", "sigma_out", "gamma")
    for i in range(n):
        deviations = (np.sqrt(values[name][i, i]) for name in ("Sigma_in", "Sigma_out"))
        expected = one(values["W"][i, i], values["D"][i, i], values["f2"][i, 0], *deviations, gamma)
        assert shift[i] == pytest.approx(expected, rel=1e-12)


def test_exact_from_rational_matrices():
    values = {"W": [[0, 1], [-1, 0]], "D": [["1/2", 0], [0, "1/2"]], "f2": [[1], [-1]]}
    values |= {"Sigma_in": [[1, 0], [0, 1]], "Sigma_out": [[0, 0], [0, 0]]}
    matrices = {sp.MatrixSymbol(k, 2, len(v[0])): sp.Matrix(v).applyfunc(sp.sympify) for k, v in values.items()}
    # A is a rotation by 90° times 1/2, so V = (1/4)/(1 - 1/4) I = I/3 and δ = ½ (I - DW)⁻¹ (4/3) f2
    shift = small_noise_bias_network(2).subs({**matrices, symbols.gamma: 1}).as_explicit()
    expected = (sp.eye(2) - sp.Matrix([[0, sp.Rational(1, 2)], [-sp.Rational(1, 2), 0]])).inv()
    assert shift == expected * sp.Rational(2, 3) * sp.Matrix([1, -1])


def test_printing_and_bad_arguments():
    text = describe(2).text()
    assert text.startswith("delta = (1/2)*(I - D*W)**(-1)*")
    assert "S = Matrix" in text
    assert r"\[ V = " in describe().latex()
    for n in (0, -1, 1.5, "two"):
        with pytest.raises(ValueError, match="n must be an integer of at least 1, or None; got"):
            small_noise_bias_network(n)
