"""The matrix formula against one neuron, and against the moments of a network that are expanded term by term."""

import numpy as np
import pytest
import sympy as sp

from ctrnn_theory.derive.network import describe as additive
from ctrnn_theory.derive.network_noise import describe, small_noise_bias_network_any
from ctrnn_theory.derive.small_noise import describe as one_neuron

COVARIANCES = ("Sigma_in", "Sigma_out", "R_in", "R_out", "C_in", "C_out")


def problem(n, seed, form="rate"):
    """Values of the matrices of a network of softplus neurons with noise of all kinds."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, n)) / (2 * np.sqrt(n))
    leak, bias = np.diag(rng.uniform(0.2, 0.9, n)), rng.standard_normal(n)
    U, B, c, d = (W, np.eye(n), bias, 0 * bias) if form == "rate" else (np.eye(n), W, 0 * bias, bias)
    h = np.zeros(n)
    for _ in range(500):
        h = B @ np.logaddexp(0, U @ h + c) + d
    a = U @ h + c
    slope = 1 / (1 + np.exp(-a))
    values = {"U": U, "B": B, "Gamma": leak, "D": np.diag(slope), "a": a, "f0": np.logaddexp(0, a)}
    values["f2"] = slope * (1 - slope)
    for name in COVARIANCES:
        factor = rng.standard_normal((n, n)) / 3
        values[name] = factor @ factor.T
    for name in ("a", "f0", "f2"):
        values[name] = values[name][:, None]
    return values | {"rho_in": 0.6, "rho_out": -0.3}, c, d


def bias_by_sources(values):
    """Bias to order two and covariance, from the linear chain of state and coloured noise.

    The chain of (x, z_in, z_out) is X' = M X + N ξ with a column of N for each source of white noise. Its stationary
    covariance gives E uᵢ², with uᵢ all that adds to αᵢ in a step, the fresh noise included.
    """
    v = values
    n = len(v["a"])
    root = {name: np.linalg.cholesky(v[name]) for name in COVARIANCES}
    zero, one = np.zeros((n, n)), np.eye(n)
    BD = v["Gamma"] @ v["B"] @ v["D"]
    step_h = one - v["Gamma"] + BD @ v["U"]
    keep_in, keep_out = np.sqrt(1 - v["rho_in"] ** 2), np.sqrt(1 - v["rho_out"] ** 2)
    M = np.block(
        [
            [step_h, BD * v["rho_in"], v["Gamma"] * v["rho_out"]],
            [zero, v["rho_in"] * one, zero],
            [zero, zero, v["rho_out"] * one],
        ]
    )
    rows = {  # what each source adds to h', z_in' and z_out'
        "Sigma_in": [BD, zero, zero],
        "R_in": [BD * v["a"].T, zero, zero],
        "R_out": [v["Gamma"] @ v["B"] * v["f0"].T, zero, zero],
        "Sigma_out": [v["Gamma"], zero, zero],
        "C_in": [keep_in * BD, keep_in * one, zero],
        "C_out": [keep_out * v["Gamma"], zero, keep_out * one],
    }
    N = np.hstack([np.vstack(parts) @ root[name] for name, parts in rows.items()])
    size = 3 * n
    covariance = np.linalg.solve(np.eye(size**2) - np.kron(M, M), (N @ N.T).ravel()).reshape(size, size)
    seen = np.hstack([v["U"], v["rho_in"] * one, zero])  # of the state
    fresh = np.hstack([root["Sigma_in"], v["a"] * root["R_in"], keep_in * root["C_in"]])
    square = np.einsum("ij,jk,ik->i", seen, covariance, seen) + np.sum(fresh**2, axis=1)
    return np.linalg.solve(one - v["B"] @ v["D"] @ v["U"], v["B"] @ (0.5 * v["f2"][:, 0] * square)), covariance[:n, :n]


@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_it_is_the_linear_chain_with_the_noise_in_its_state(n, form):
    values, *_ = problem(n, seed=n, form=form)
    formula = describe(n)
    found = formula.lambdified(*values)(*values.values())
    assert found.shape == (n, 1)
    np.testing.assert_allclose(found[:, 0], bias_by_sources(values)[0], rtol=1e-11)


def test_the_covariance_solves_its_equation():
    n = 2
    values, *_ = problem(n, seed=5)
    values["V"] = bias_by_sources(values)[1]
    formula = describe()
    shift = evaluate(formula.explicit, n, values)
    np.testing.assert_allclose(shift[:, 0], bias_by_sources(values)[0], rtol=1e-11)
    right = formula.definitions["V"].rhs
    for name, value in formula.definitions.items():
        if name != "V":
            right = right.xreplace({old: value for old in right.free_symbols if str(old) == name})
    np.testing.assert_allclose(evaluate(right, n, values), values["V"], rtol=1e-11)


def evaluate(expression, n, values):
    from ctrnn_theory.derive.network import N

    sized = expression.subs(N, n)
    used = sorted(sized.free_symbols, key=str)
    return sp.lambdify(used, sized)(*(values[str(x)] for x in used))


def test_additive_noise_alone_is_the_other_formula():
    n = 3
    values, *_ = problem(n, seed=8)
    values |= {name: np.zeros((n, n)) for name in ("R_in", "R_out", "C_in", "C_out")} | {"Gamma": 0.4 * np.eye(n)}
    found = describe(n).lambdified(*values)(*values.values())
    plain = {"W": values["U"], "gamma": 0.4} | {k: values[k] for k in ("D", "f2", "Sigma_in", "Sigma_out")}
    np.testing.assert_allclose(found, additive(n).lambdified(*plain)(*plain.values()), rtol=1e-12)


@pytest.mark.parametrize(("kind", "matrices"), [("multiplicative", ("R_in", "R_out")), ("coloured", ("C_in", "C_out"))])
def test_one_neuron_is_the_moment_hierarchy(kind, matrices):
    """The scalar formulas are derived from the moments of one step; for one neuron the matrices are they."""
    values, *_ = problem(1, seed=3)
    values |= {name: np.zeros((1, 1)) for name in COVARIANCES} | dict(
        zip(matrices, (np.eye(1), 2 * np.eye(1)), strict=True)
    )
    found = describe(1).lambdified(*values)(*values.values())[0, 0]
    strength = {"multiplicative": "g", "coloured": "sigma"}[kind]
    scalars = {f"{strength}_in": 1.0, f"{strength}_out": np.sqrt(2), "gamma": values["Gamma"][0, 0]}
    scalars |= {"w": values["U"][0, 0], "f1": values["D"][0, 0]} | {k: values[k][0, 0] for k in ("a", "f0", "f2")}
    scalars |= {k: values[k] for k in ("rho_in", "rho_out")}
    assert found == pytest.approx(one_neuron("bias", 2, "both", kind=kind).lambdified(*scalars)(*scalars.values()))


def test_a_step_of_a_pair_has_these_moments():
    """One step of two neurons with gains of their own and in common, expanded in the noise by SymPy."""
    t, x, z = sp.symbols("t"), sp.symbols("x1:3"), sp.symbols("z1:5")
    rng = np.random.default_rng(0)
    a, f0, f1, f2, *rest = (sp.Matrix(rng.integers(1, 9, 2)) for _ in range(10))
    U, G_in, G_out = (sp.Matrix.hstack(*pair) for pair in (rest[:2], rest[2:4], rest[4:6]))
    moved = U * sp.Matrix(x)
    rates = []
    for i in range(2):
        u = t * moved[i] + (a[i] + t * moved[i]) * t * (G_in[i, 0] * z[0] + G_in[i, 1] * z[1])
        y = f0[i] + f1[i] * u + f2[i] * u**2 / 2
        rates.append(y * (1 + t * (G_out[i, 0] * z[2] + G_out[i, 1] * z[3])))

    def mean(expression):
        """Average the part of second order in t over the noise z."""
        second = sp.Poly(sp.expand(sp.diff(expression, t, 2).subs(t, 0) / 2), *z)
        return sum(c for powers, c in second.terms() if all(k in (0, 2) for k in powers))

    R_in, R_out = G_in * G_in.T, G_out * G_out.T
    for i in range(2):
        assert sp.expand(mean(rates[i]) - f2[i] * (moved[i] ** 2 + a[i] ** 2 * R_in[i, i]) / 2) == 0
        for j in range(2):
            expected = f1[i] * f1[j] * (moved[i] * moved[j] + a[i] * a[j] * R_in[i, j]) + f0[i] * f0[j] * R_out[i, j]
            assert sp.expand(mean((rates[i] - f0[i]) * (rates[j] - f0[j])) - expected) == 0


def test_printing_and_bad_arguments():
    text = describe().text()
    assert "  P_out = ((-rho_out)*A + I)**(-1)*Gamma*C_out" in text
    assert "voltage form U = I, B = W" in text
    assert r"\[ V = " in describe().latex()
    for n in (0, -1, 1.5, "two"):
        with pytest.raises(ValueError, match="n must be an integer of at least 1, or None; got"):
            small_noise_bias_network_any(n)
