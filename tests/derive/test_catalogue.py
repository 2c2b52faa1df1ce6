from pathlib import Path

import pytest
import sympy

import ctrnn_theory as ct
from ctrnn_theory.derive import FORMULAS, derivation, page

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_prints_and_says_when_it_holds(name, site):
    result = derivation(name, order=2, site=site, activation="relu" if name == "smoothing" else None)
    assert result.assumptions
    assert "\nif\n" in result.text()
    assert result.latex().startswith(r"\[")
    assert isinstance(result.expression, sympy.Basic)


def test_public_names_of_the_contract():
    expression = ct.derive.small_noise_bias(order=4, site="inside")
    assert {str(s) for s in expression.free_symbols} == {"w", "gamma", "sigma", "f1", "f2", "f3", "f4"}


@pytest.mark.parametrize(("old", "site"), [("in", "inside"), ("out", "outside")])
def test_the_sites_of_earlier_versions_are_understood(old, site):
    assert derivation("bias", 2, old).text() == derivation("bias", 2, site).text()
    assert derivation("preferred_level", 2, old).text() == derivation("preferred_level", 2, site).text()
    assert ct.derive.small_noise_variance(2, old) == ct.derive.small_noise_variance(2, site)
    assert ct.derive.kink_bias("inner", old) == ct.derive.kink_bias("inner", site)
    values = [ct.derive.kink_bias_value("relu", 0.2, 0.5, 0.1, 0.5, name) for name in (old, site)]
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "magic"}, "formula must be one of bias, "),
        ({"site": "left"}, 'site must be "inside" or "outside"; got '),
        ({"order": 3}, "order must be even and at least 2; got 3"),
        ({"name": "smoothing"}, "activation must be given for smoothing"),
        ({"name": "kink_inner", "activation": "relu"}, "activation must be left out for kink_inner"),
        ({"name": "smoothing", "activation": "tanh"}, "tanh"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        derivation(**arguments)


def test_the_page_is_what_the_derivations_say():
    stored = (ROOT / "ctrnn_theory" / "derive" / "README.md").read_text(encoding="utf-8")
    assert stored == page.page(), "stale: python -m ctrnn_theory.derive.page > ctrnn_theory/derive/README.md"
