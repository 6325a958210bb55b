"""Own pattern matching agrees with the standard library's."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files.globs import matches

WORDS = st.text("ab*?.[]!\n", max_size=8)


@given(st.text("ab.\n", max_size=8), WORDS)
def test_as_fnmatch(name, pattern):
    """Whatever name and pattern."""
    assert matches(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("app.log", "*.log", True),
        ("app.log.1", "*.log", False),
        ("app.log", "a?p*l*g", True),
        ("", "**", True),
        ("", "?", False),
        ("b", "[ab]", True),
        ("a" * 5000 + "b", "*a*a*a*a*a*a*a*c", False),
    ],
)
def test_examples(name, pattern, fits):
    """Also what makes careless matchers slow."""
    assert matches(name, pattern) is fits
