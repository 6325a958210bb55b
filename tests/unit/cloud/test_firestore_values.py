"""Values of documents: there and back, and paths of fields."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.firestore_values import at, canonical, contradictions, field_path, mask, nested, plain, typed
from opslib.host.params import ParamError

SCALARS = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text()
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: not name.endswith("Value"))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(VALUES)
def test_values_of_json_come_back_as_they_were(value):
    assert plain(typed(value)) == value
    assert canonical(typed(value)) == canonical(typed(value))
    assert typed(typed(value)) == typed(value)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"integerValue": "1"}, {"integerValue": 1}, True),
        ({"integerValue": "1"}, {"doubleValue": 1}, False),
        ({"timestampValue": "2026-01-31T02:00:00.50Z"}, {"timestampValue": "2026-01-31T02:00:00.500000Z"}, True),
        ({"timestampValue": "2026-01-31T02:00:00Z"}, {"stringValue": "2026-01-31T02:00:00Z"}, False),
        ({"doubleValue": "NaN"}, {"doubleValue": math.nan}, True),
        ({"arrayValue": {}}, {"arrayValue": {"values": []}}, True),
        ({"mapValue": {}}, {"mapValue": {"fields": {}}}, True),
        ({"geoPointValue": {"latitude": 1, "longitude": 2}}, {"geoPointValue": {"longitude": 2, "latitude": 1}}, True),
        ({"nullValue": None}, {"nullValue": "NULL_VALUE"}, True),
    ],
)
def test_what_means_the_same_is_equal(one, other, equal):
    assert (canonical(one) == canonical(other)) is equal


@pytest.mark.parametrize(
    "value", [{}, {"strangeValue": 1}, {"stringValue": "a", "integerValue": "1"}, {"timestampValue": "soon"}]
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ValueError, match="is no"):
        canonical(value)


@pytest.mark.parametrize("value", [1 << 63, object(), {"integerValue": "x"}, {"timestampValue": 1}, {"mapValue": []}])
def test_what_no_document_holds_is_refused(value):
    with pytest.raises(ParamError):
        typed(value)


def test_nesting_without_end_is_refused():
    deep: list = []
    deep.append(deep)
    with pytest.raises(ParamError, match="nested more than 20 deep"):
        typed(deep)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4).map(tuple))
def test_paths_come_back_from_their_masks(path):
    assert field_path(mask(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "`a", "a`b`", "``"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ParamError, match="is no path of a field"):
        field_path(text)


def test_fields_are_put_at_their_paths_and_found_there():
    values = {("a", "b"): {"nullValue": None}, ("a", "c.d"): {"integerValue": "1"}, ("e",): {"stringValue": "x"}}
    fields = nested(values)
    assert {path: at(fields, path) for path in values} == values
    assert at(fields, ("a", "b", "c")) is None
    assert at(fields, ("e", "f")) is None


def test_paths_that_lie_within_each_other_are_found():
    paths = [("a",), ("b", "c"), ("a", "d"), ("b", "cc"), ("a",)]
    assert list(contradictions(paths)) == [(("a",), ("a", "d")), (("a",), ("a",)), (("a", "d"), ("a",))]
