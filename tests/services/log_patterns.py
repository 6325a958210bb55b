"""Filter patterns of CloudWatch Logs, as much of them as tests need; what is not known is refused, never ignored.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html. Terms are looked for
anywhere in a line, with case: all plain ones, at least one of those with `?` (which are ignored beside plain ones), none
of those with `-`; in double quotes as one phrase; between percent signs as a regular expression. Of JSON patterns, one
comparison: `{ $.level = "ERROR" }`.
"""

from __future__ import annotations

import json
import re
from typing import Any

TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"?%-][^\s"]*))')
JSON_TERM = re.compile(r"\{\s*\$\.([\w.]+)\s*(=|!=|>=|<=|>|<)\s*(\"[^\"]*\"|[\w.*-]+)\s*\}")


class LogPattern:
    """A pattern; its shape is that of moto's class, whose place it takes. Raises ValueError for what is not known."""

    def __init__(self, pattern: str | None) -> None:
        self.json: tuple[str, str, str] | None = None
        self.terms: list[tuple[str, re.Pattern[str]]] = []
        text = (pattern or "").strip()
        if text.startswith(("{", "[")):
            found = JSON_TERM.fullmatch(text)
            if found is None:
                raise ValueError(text)
            self.json = (found[1], found[2], found[3])
        else:
            self._read(text)

    def _read(self, text: str) -> None:
        at = 0
        while at < len(text):
            found = TERM.match(text, at)
            if found is None:
                raise ValueError(text)
            sign, phrase, expression, word = found.groups()
            plain = word if phrase is None else re.sub(r"\\(.)", r"\1", phrase)
            self.terms.append((sign, re.compile(expression if expression is not None else re.escape(plain))))
            at = found.end()

    def matches(self, message: str) -> bool:
        """Whether a line is one of those that are asked for."""
        if self.json is not None:
            return _compare(message, *self.json)
        if any(term.search(message) for sign, term in self.terms if sign == "-"):
            return False
        plain = [term for sign, term in self.terms if not sign]
        if plain:
            return all(term.search(message) for term in plain)
        some = [term for sign, term in self.terms if sign == "?"]
        return not some or any(term.search(message) for term in some)


def _compare(message: str, path: str, sign: str, wanted: str) -> bool:
    try:
        value: Any = json.loads(message)
        for name in path.split("."):
            value = value[name]
    except (ValueError, KeyError, TypeError):
        return False
    if sign in ("=", "!="):
        pattern = re.escape(wanted.strip('"')).replace(r"\*", ".*")
        same = re.fullmatch(pattern, str(value)) is not None
        return same is (sign == "=")
    if not isinstance(value, (int, float)):
        return False
    number = float(wanted)
    return {">": value > number, "<": value < number, ">=": value >= number, "<=": value <= number}[sign]
