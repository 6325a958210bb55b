"""Results as JSON text, and the masking of secrets in them.

`json` imports `re`, which costs a target 8 ms; its C string encoder does not, so only the walk is ours.
"""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii as _quote
except ImportError:
    from json.encoder import encode_basestring_ascii as _quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

MASK = "***"
SHORTEST_SECRET = 4


def dumps(value: Any) -> str:
    """Return a value as JSON in ASCII. Not-a-number and infinities become null; raises TypeError for other types."""
    if isinstance(value, str):
        return str(_quote(value))
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        finite = value == value and value not in (float("inf"), float("-inf"))
        return float.__repr__(value) if finite else "null"
    if isinstance(value, dict):
        return "{" + ",".join(["%s:%s" % (_quote(str(key)), dumps(item)) for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    raise TypeError("%s cannot be represented in JSON" % type(value).__name__)


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """Return a copy of a JSON-like value in which every secret, wherever it occurs in text, is replaced by `***`.

    Texts shorter than four characters are not masked: they occur everywhere.
    """
    words = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
    return _mask(value, words) if words else value


def _mask(value: Any, words: list[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            if word in value:
                value = value.replace(word, MASK)
        return value
    if isinstance(value, dict):
        return {_mask(key, words): _mask(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mask(item, words) for item in value]
    return value
