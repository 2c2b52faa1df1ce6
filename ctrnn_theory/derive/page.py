"""The page of the theory, written from the derivations: ``python -m ctrnn_theory.derive.page`` prints it."""

from __future__ import annotations

from ctrnn_theory.derive.catalogue import derivation

INTRODUCTION = """\
# The theory, derived

This page is generated from the derivations in this folder by

    python -m ctrnn_theory.derive.page > ctrnn_theory/derive/README.md

and a test fails when it is stale. The model is one Euler–Maruyama step
h' = (1-γ) h + γ (f(w h + b + σ_in ξ) + σ_out η); h\\* is the noise-free fixed point, a\\* = w h\\* + b, and f1, f2, …
are the derivatives of f there. Noise of other kinds is described where it appears.
`ct.derive.derivation(name, ...)` returns each of these formulas, and `ctrnn-theory derive --formula NAME` prints it;
`order` may be any even number.
"""

SECTIONS: tuple[tuple[str, str, tuple[tuple[str, int, str, str | None], ...]], ...] = (
    (
        "Weak noise, smooth activation",
        "Noise inside shifts the mean by O(σ²) at any γ; noise outside only by O(γ σ² w²), through recurrence. With"
        " w = 0 and noise inside the bias is the series of the smoothed activation, f2 σ²/2 + f4 σ⁴/8 + …",
        (
            ("bias", 2, "inside", None),
            ("bias", 2, "outside", None),
            ("bias", 4, "outside", None),
            ("variance", 2, "inside", None),
        ),
    ),
    (
        "The same for one activation",
        "The derivatives are written out as functions of a = a\\*.",
        (("bias", 2, "inside", "tanh"),),
    ),
    (
        "Multiplicative noise",
        "A gain inside, f(a (1 + g ξ)), widens what f sees, and acts as noise of σ = g a\\* does; a gain outside,"
        " f(a) (1 + g ξ), acts as noise of σ = g f0 outside does. Both hold to order two. Dropout of f with the"
        " probability p of keeping it has the variance of g² = (1-p)/p, but cumulants of every order that are as large:"
        " the formula then leaves an error of order γ relative to the bias, whatever p is.",
        (
            ("gain_bias", 2, "inside", None),
            ("gain_bias", 2, "outside", None),
            ("gain_bias", 4, "outside", None),
        ),
    ),
    (
        "Coloured noise",
        "With ρ = 0 these are the formulas of white noise. With ρ = 1 the noise is quenched: the bias inside is that of"
        " neurons with inputs of their own, f2 σ²/(2 (1 - w f1)³), whatever γ.",
        (
            ("coloured_covariance", 2, "inside", None),
            ("coloured_variance", 2, "inside", None),
            ("coloured_bias", 2, "inside", None),
            ("coloured_bias", 2, "outside", None),
        ),
    ),
    (
        "Networks",
        "The bias to order two is a matrix expression.",
        (("network_bias", 2, "inside", None), ("network_bias_any", 2, "inside", None)),
    ),
    (
        "Where no law or no moment exists",
        "Far out, where f is straight, multiplicative noise makes h' = A h with a random A, and a power-law tail."
        " `ct.derive.neuron_tail_exponent` solves for its exponent, for two slopes as well.",
        (
            ("kesten_growth", 2, "outside", None),
            ("kesten_moment", 2, "outside", None),
            ("kesten_tail", 2, "outside", None),
            ("kesten_half_moment", 2, "outside", None),
            ("kesten_weak", 2, "outside", None),
            ("kesten_dropout", 2, "outside", None),
        ),
    ),
    (
        "Near a kink",
        "Within O(σ) of a jump Δ of the slope the bias is of first order in σ, and the expansion above fails. For relu"
        " with its fixed point on the kink the bias is σ times a number.",
        (("kink_scaling", 2, "inside", None), ("kink_scaling", 2, "outside", None), ("kink_inner", 2, "outside", None)),
    ),
    (
        "Gaussian smoothing",
        "F(a; s) = E f(a + s ξ) is derived by integration of each activation's own expression.",
        (("smoothing", 2, "inside", "relu"), ("smoothing", 2, "inside", "gelu"), ("smoothing", 2, "inside", "elu")),
    ),
    (
        "Preference for noise",
        "A readout that was fitted at the training noise σ_t has its lowest loss at another noise. For noise inside"
        " K = O(1) and ν = O(γ); for noise outside K = O(γ²) and ν = O(γ), so that the critical level is out of reach.",
        (("preferred_level", 2, "inside", None), ("preferred_critical", 2, "outside", None)),
    ),
    (
        "Readouts of noisy neurons",
        "What private and common, additive and multiplicative noise adds to the squared error of a linear readout, and"
        " what training under common multiplicative noise does: without an intercept it scales the weights, and nothing"
        " else.",
        (
            ("readout_variance", 2, "outside", None),
            ("readout_loss", 2, "outside", None),
            ("readout_loss_intercept", 2, "outside", None),
        ),
    ),
    (
        "Sensitivity",
        "The implicit function theorem gives the derivative of the noise-induced bias in a parameter.",
        (("sensitivity_sigma", 2, "inside", None), ("sensitivity_b", 2, "inside", None)),
    ),
)


def page() -> str:
    """Return the page in Markdown.

    Examples
    --------
    >>> print(page().splitlines()[0])
    # The theory, derived
    """
    lines = [INTRODUCTION]
    for title, about, entries in SECTIONS:
        lines += [f"## {title}", "", about, ""]
        for name, order, site, activation in entries:
            option = f" {activation}" if activation else ""
            lines += [f"`ctrnn-theory derive{option} --formula {name} --order {order} --site {site}`", "", "```"]
            lines += [derivation(name, order, site, activation).text(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
