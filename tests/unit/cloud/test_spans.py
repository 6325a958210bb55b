"""Time spans in words."""

from __future__ import annotations

import pytest

from opslib.cloud.spans import span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"), (864000, "10 days")],
)
def test_spans(seconds, words):
    """As people say them."""
    assert span(seconds) == words
