"""Results as JSON text, and the masking of secrets in them.

`json` imports `re`, which costs a target 8 ms; its C string encoder does not, so only the walk is ours.
"""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii as _quote
except ImportError:
    from json.encoder import encode_basestring_ascii as _quote

from .plan import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

MASK = "***"
SHORTEST_SECRET = 4
SHORTEST_LINE = 8


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
        finite = float("-inf") < value < float("inf")
        return float.__repr__(value) if finite else "null"
    if isinstance(value, dict):
        return "{" + ",".join(["%s:%s" % (_quote(str(key)), dumps(item)) for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    raise TypeError("%s cannot be represented in JSON" % type(value).__name__)


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """Return a copy of a JSON-like value in which every secret, wherever it occurs in text, is replaced by `***`.

    So are its quoted forms, and the single lines of a longer text. Texts shorter than four characters are not masked:
    they occur everywhere.
    """
    words = _words(secrets)
    return _mask(value, words) if words else value


def mask_result(result: dict[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Return a copy of a step's result, masked wherever a task can put text; its own keys and words stay readable."""
    words = _words(secrets)
    if not words:
        return result
    masked = dict(result)
    for key in ("reason", "warnings", "data", "error"):
        masked[key] = _mask(result.get(key), words)
    changes: Any = result.get("changes")
    listed = isinstance(changes, (list, tuple))
    masked["changes"] = [_mask_change(change, words) for change in changes] if listed else _mask(changes, words)
    return masked


def _mask_change(change: Any, words: list[str]) -> Any:
    if not isinstance(change, dict):
        return _mask(change, words)
    return {key: item if key == "kind" and item in KINDS else _mask(item, words) for key, item in change.items()}


def _words(secrets: Iterable[str]) -> list[str]:
    words: set[str] = set()
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            words.update((secret, repr(secret)[1:-1], ascii(secret)[1:-1], _quote(secret)[1:-1]))
            lines = secret.splitlines()
            words.update(line.strip() for line in lines if len(lines) > 1 and len(line.strip()) >= SHORTEST_LINE)
    return sorted(words, key=len, reverse=True)


def _mask(value: Any, words: list[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            if word in value:
                value = value.replace(word, MASK)
        return value
    if isinstance(value, dict):
        return {_mask(key, words): _mask(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_mask(item, words) for item in value]
    return value
