"""Built-in activations come from a file, which holds what follows from their expressions."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ctrnn_theory.activations import BUILTIN, activation, builtin
from ctrnn_theory.activations.source.compiled import block_function
from ctrnn_theory.activations.symbolic import builtin_data

AT = np.concatenate([np.linspace(-40.0, 40.0, 801), [np.inf, -np.inf, np.nan, 1e-300, 1e300, -1e300]])


def test_the_file_is_what_the_expressions_give():
    # else write it again: python -m ctrnn_theory.activations.symbolic.builtin_data
    assert Path(builtin.__file__).with_name(builtin.FILE).read_text(encoding="utf-8") == builtin_data.text()


@pytest.mark.parametrize("name", BUILTIN)
def test_values_are_those_of_the_expression(name):
    act, derived = activation(name), builtin_data.derived(name)
    assert act.expression == derived.expression
    assert act.form == derived.form
    assert [piece.expression for piece in act.pieces] == [piece.expression for piece in derived.pieces]
    for order in range(builtin_data.HIGHEST + 3):  # beyond the file, too
        np.testing.assert_array_equal(act.derivative(AT, order), derived.derivative(AT, order))


@pytest.mark.parametrize("name", BUILTIN)
def test_a_block_from_the_disk_is_the_one_that_is_compiled(name):
    act = activation(name)
    kept, fresh = AT.copy(), AT.copy()
    act.block(kept)
    block_function(act.source, act.steps, len(act.pieces) > 1)(fresh)
    np.testing.assert_array_equal(kept, fresh)


def test_pieces_can_be_pickled():
    piece = activation("gelu").pieces[0]
    again = pickle.loads(pickle.dumps(piece))
    np.testing.assert_array_equal(again.value(AT, 5), piece.value(AT, 5))
