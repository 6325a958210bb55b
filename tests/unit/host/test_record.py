"""Records: frozen, keyword-only, compared by value."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.record import Record, field


class Point(Record):
    """Two numbers and a list."""

    x: int
    y: int = 2
    tags: list = field(factory=list)


class Place(Point):
    """A point with a name, and another default."""

    name: str
    y: int = 3
    _hidden: int = 0


class Bare(Record):
    """No field at all."""


class Derived(Point):
    """Adds nothing."""


def test_fields_are_given_by_name_or_have_defaults():
    """Defaults fill what is not given; a factory makes a new value each time."""
    point = Point(x=1)
    assert (point.x, point.y, point.tags) == (1, 2, [])
    assert Point(x=1).tags is not Point(x=1).tags
    assert Point(x=1, y=None).y is None


def test_fields_are_inherited_and_overridden():
    """A subclass has its parent's fields first, its own defaults, and no private field; a parent keeps its own."""
    place = Place(x=1, name="here")
    assert place._values() == {"x": 1, "y": 3, "tags": [], "name": "here"}
    assert Derived(x=1)._values() == Point(x=1)._values()
    assert list(Point._fields) == ["x", "y", "tags"]
    assert Bare()._values() == {}


@pytest.mark.parametrize("values", [{}, {"y": 1}, {"x": 1, "z": 2}, {"x": 1, "_hidden": 2}, {"x": 1, "": 2}])
def test_missing_and_unknown_fields_are_errors(values):
    """A record is made whole and of nothing else."""
    with pytest.raises(TypeError, match="Place (needs a value for|has no field)"):
        Place(**values)


def test_positions_are_not_taken():
    """Fields are keyword-only."""
    with pytest.raises(TypeError):
        Point(1)


def test_records_are_immutable():
    """No field is changed, added or deleted."""
    point = Point(x=1)
    for change in (lambda: setattr(point, "x", 2), lambda: setattr(point, "new", 2), lambda: delattr(point, "x")):
        with pytest.raises(AttributeError, match="Point is immutable"):
            change()
    assert point.x == 1


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())


@given(x=VALUES, y=VALUES)
def test_equality_is_by_value_and_type(x, y):
    """Equal values make equal records with equal hashes; another class is never equal."""
    assert (Point(x=x) == Point(x=y)) == (x == y)
    if x == y:
        assert hash(Point(x=x)) == hash(Point(x=y))
    assert Point(x=x) != Derived(x=x)
    assert Point(x=x) != {"x": x}


@pytest.mark.parametrize(("left", "right"), [(1, 1.0), (1, True), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (0.0, -0.0)])
def test_equal_records_hash_alike_however_they_are_written(left, right):
    """What compares equal has one hash, also where its text differs."""
    assert Point(x=left) == Point(x=right)
    assert hash(Point(x=left)) == hash(Point(x=right))


def test_repr_names_class_and_fields():
    """A record shows itself as it is made."""
    assert repr(Point(x="a")) == "Point(x='a', y=2, tags=[])"


def test_records_can_be_copied():
    """Copying and pickling keep the values."""
    point = Point(x=1, tags=["a"])
    assert copy.copy(point) == point
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point
