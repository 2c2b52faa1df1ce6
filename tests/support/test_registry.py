from collections import namedtuple
from collections.abc import MutableMapping

import pytest

from ctrnn_theory.support.registry import Registry

Colour = namedtuple("Colour", "name summary")
RED, BLUE = Colour("red", "long"), Colour("blue", "short")


def test_a_registry_is_a_read_only_mapping_in_the_order_of_its_entries():
    found = Registry("colour", [RED, BLUE])
    assert (list(found), len(found), found["blue"], "red" in found) == (["red", "blue"], 2, BLUE, True)
    assert found.get("green") is None
    assert ["red"] not in found
    assert not isinstance(found, MutableMapping)
    with pytest.raises(TypeError):
        found["green"] = RED
    assert repr(found) == "red   long\nblue  short"
    assert repr(Registry("colour")) == ""


def test_entries_are_added_replaced_in_their_place_and_removed():
    found = Registry("colour", [RED, BLUE])
    with pytest.raises(ValueError, match=r"^name of a colour must be new; 'red' is taken$"):
        found.add(RED)
    other = RED._replace(summary="longer")
    found.add(other, replace=True)
    assert list(found.values()) == [other, BLUE]
    found.add(Colour("green", "middling"))
    found.remove("green")
    assert list(found) == ["red", "blue"]


def test_only_entries_that_were_added_later_are_removed():
    found = Registry("colour", [RED])
    found.add(BLUE)
    with pytest.raises(ValueError, match=r"^colour must be one that was added later to be removed; got 'red'$"):
        found.remove("red")
    with pytest.raises(ValueError, match=r"^colour must be one of red, blue; got 'green'$"):
        found.remove("green")
    assert list(found) == ["red", "blue"]


@pytest.mark.parametrize("name", ["green", 3, None, ["red"]])
def test_a_name_that_is_not_there_is_refused_in_one_sentence(name):
    with pytest.raises(ValueError, match=r"^colour must be one of red, blue; got "):
        Registry("colour", [RED, BLUE]).choose(name)
