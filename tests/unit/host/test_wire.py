"""Results as JSON, and the masking of secrets."""

from __future__ import annotations

import enum
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host import wire

TEXT = st.text() | st.text(st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(TEXT, items, max_size=4),
    max_leaves=12,
)


@given(value=JSON)
def test_any_json_value_comes_back(value):
    """What is written is what `json` reads, all in ASCII on one line."""
    text = wire.dumps(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert "\n" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "null"),
        (float("inf"), "null"),
        (-float("inf"), "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1.0"),
        ((1, [2]), "[1,[2]]"),
        (dict([(1, None), (True, "x")]), '{"1":"x"}'),
        ({2: 1, None: 2}, '{"2":1,"None":2}'),
        (frozenset(["x"]), '["x"]'),
        ("\ud800\x00\x1b\u2028", '"\\ud800\\u0000\\u001b\\u2028"'),
        (enum.IntEnum("Level", "LOW").LOW, "1"),
    ],
)
def test_other_values_have_a_form(value, text):
    """What JSON has no word for gets the nearest one."""
    assert wire.dumps(value) == text


@pytest.mark.parametrize("value", [b"x", object(), 1j, len, [{"a": {"b": b"x"}}], range(2)])
def test_what_cannot_be_represented_is_an_error(value):
    """No `repr` of an object slips into a report."""
    with pytest.raises(TypeError, match="cannot be represented in JSON"):
        wire.dumps(value)


SECRET = "hunter2!"


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("the password is hunter2!.", "the password is ***."),
        ("hunter2!hunter2!", "******"),
        ("hunter", "hunter"),
        (["x", ("hunter2!",)], ["x", ["***"]]),
        ({"hunter2!": {"a": "hunter2!"}}, {"***": {"a": "***"}}),
        ({"hunter2!"}, ["***"]),
        (5, 5),
        (None, None),
        (True, True),
    ],
)
def test_secrets_are_masked_wherever_they_stand(value, masked):
    """In text, lists, mappings and their keys."""
    assert wire.mask(value, [SECRET]) == masked


def test_masking_changes_a_copy():
    """The value that was given stays as it was."""
    value = {"a": ["hunter2!"]}
    wire.mask(value, [SECRET])
    assert value == {"a": ["hunter2!"]}


def test_the_longest_secret_goes_first():
    """A secret that holds another is not left half shown."""
    assert wire.mask("longsecret-more", ["longsecret", "longsecret-more"]) == "***"


@pytest.mark.parametrize("secrets", [[], [""], ["a", "ab", "abc"]])
def test_short_texts_are_no_secrets(secrets):
    """Words of one to three characters stand everywhere."""
    assert wire.mask("abc", secrets) == "abc"


@pytest.mark.parametrize("secret", ["pass'word", 'pass"word', "pass\\word", "päßword", "pass\tword", "pass\u2028word"])
@pytest.mark.parametrize("quote", [str, repr, ascii, json.dumps, wire.dumps])
def test_quoted_secrets_are_masked(secret, quote):
    """An exception's text or a program's log holds a secret as a language writes it."""
    for half in ("word", "wörd"):
        text = wire.mask("value %s here" % quote(secret), [secret])
        assert half not in text
        assert "***" in text


def test_each_line_of_a_long_secret_is_masked():
    """A key of several lines is found in a log that was cut into lines."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  AoGBAKj34Gkxf \nno\n"
    assert wire.mask(["read MIIEvQIBADANBgkq", "AoGBAKj34Gkxf", "no"], [key]) == ["read ***", "***", "no"]


@given(secret=st.text("sekrt'\\\n", min_size=4, max_size=20), around=st.text("xyz ", max_size=10))
def test_no_secret_survives(secret, around):
    """Whatever the secret and whatever is around it, nothing of it is left, and nothing else is lost."""
    assert wire.mask(around + secret + around, [secret]) == around + wire.MASK + around
    assert set(wire.mask(secret * 2, [secret])) == {"*"}


WORDS = [
    "status",
    "changed",
    "error",
    "reason",
    "create",
    "kind",
    "data",
    "seconds",
    "warnings",
    "failed",
    "None",
    "true",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_result_keeps_its_shape_whatever_the_secret(word):
    """A password that is one of our own words hides text, not the result."""
    result = {
        "status": "changed",
        "changed": True,
        "reason": "because " + word,
        "error": None,
        "warnings": ["w " + word],
        "data": {word: [word]},
        "seconds": 0.5,
        "changes": [{"kind": "create", "summary": "s " + word, "before": None, "after": word, "certain": True}],
    }
    masked = wire.mask_result(result, [word])
    assert set(masked) == set(result)
    assert (masked["status"], masked["changed"], masked["seconds"], masked["error"]) == ("changed", True, 0.5, None)
    assert (masked["reason"], masked["warnings"], masked["data"]) == ("because ***", ["w ***"], {"***": ["***"]})
    assert masked["changes"] == [
        {"kind": "create", "summary": "s ***", "before": None, "after": "***", "certain": True}
    ]


@pytest.mark.parametrize("result", [{}, {"changes": "hunter2!"}, {"changes": ["hunter2!"], "data": "hunter2!"}])
def test_results_of_a_wrong_shape_are_masked_too(result):
    """A host may send anything."""
    assert SECRET not in repr(wire.mask_result(result, [SECRET]))
