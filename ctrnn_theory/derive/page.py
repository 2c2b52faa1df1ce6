"""The page of the theory, written from the derivations: ``python -m ctrnn_theory.derive.page`` prints it."""

from __future__ import annotations

from ctrnn_theory.derive.catalogue import derivation

INTRODUCTION = """\
# The theory, derived

This page is generated from the derivations in this folder by

    python -m ctrnn_theory.derive.page > ctrnn_theory/derive/README.md

and a test fails when it is stale. The model is one Euler–Maruyama step
h' = (1-γ) h + γ (f(w h + b + σ_in ξ) + σ_out η); h\\* is the noise-free fixed point, a\\* = w h\\* + b, and f1, f2, …
are the derivatives of f there. Each formula is what `ct.derive.derivation(name, ...)` returns, and
`ctrnn-theory derive --formula NAME` prints; `order=` goes to any even number.
"""

SECTIONS: tuple[tuple[str, str, tuple[tuple[str, int, str, str | None], ...]], ...] = (
    (
        "Little noise, smooth activation",
        "Inside, noise shifts by O(σ²) at any γ; outside, only by O(γ σ² w²), through recurrence. With w = 0 and noise"
        " inside it is the series of the smoothed activation, f2 σ²/2 + f4 σ⁴/8 + …",
        (("bias", 2, "in", None), ("bias", 2, "out", None), ("bias", 4, "out", None), ("variance", 2, "in", None)),
    ),
    ("The same for one activation", "Derivatives written out, in a = a\\*.", (("bias", 2, "in", "tanh"),)),
    ("Networks", "Order two, as matrices.", (("network_bias", 2, "in", None),)),
    (
        "Near a kink",
        "Within O(σ) of a jump Δ of the slope the shift is of first order in σ, and the expansion above fails. With"
        " relu and the fixed point on the kink it is σ times a number.",
        (("kink_scaling", 2, "in", None), ("kink_scaling", 2, "out", None), ("kink_inner", 2, "out", None)),
    ),
    (
        "Gaussian smoothing",
        "F(a; s) = E f(a + s ξ), derived by integration of each activation's own expression.",
        (("smoothing", 2, "in", "relu"), ("smoothing", 2, "in", "gelu"), ("smoothing", 2, "in", "elu")),
    ),
    (
        "Preference for noise",
        "A readout fitted at the training noise σ_t is best at another noise. Inside, K = O(1) and ν = O(γ); outside,"
        " K = O(γ²) and ν = O(γ), so that the critical level is out of reach.",
        (("preferred_level", 2, "in", None), ("preferred_critical", 2, "out", None)),
    ),
    (
        "Sensitivity",
        "How the bias changes with a parameter, by the implicit function theorem.",
        (("sensitivity_sigma", 2, "in", None), ("sensitivity_b", 2, "in", None)),
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
