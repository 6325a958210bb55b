"""Messages that differ only in numbers, ids and addresses, counted as one."""

from __future__ import annotations

import re

from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 300
MOST_PATTERNS = 5000
SAMPLE = 1000
OTHERS = "(others)"
_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|cookie)[\w-]{0,40}\\?[\"']?\s{0,3}[=:]\s{0,3})"
    r"(\\\"[^\"\\]*\\\"|\"(?:[^\"\\]|\\.)*(?:\"|$)|'(?:[^'\\]|\\.)*(?:'|$)|[^\s,;&}\])\"']+)"
    r"|((?:\b(?:bearer|basic)|authorization[\"']?\s{0,3}[=:]\s{0,3}[\"']?token)\s+)[\w.~+/=-]{6,}"
    # A password in a URL may hold @ and /: it ends at the last @ of the word. What begins as a port does is none.
    r"|(://[^/\s:@]{0,100}:)(?!\d{1,5}[/?#])(?:[^\s\"'<>]{1,200}|[^@\s/]{1,200})(?=@)"
    # What gives itself away by its form: signed tokens, keys of well-known services, hashes of passwords.
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opsur]_\w{20,}"
    r"|\bsk[-_][\w-]{20,}|\bxox[abeprs]-[\w-]{10,}|\$(?:[156]|2[abxy]|y)\$[\w./$=,]{10,}"
)
_FOLDED = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<email>\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:]))"
    r"|(?P<hex>\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b)"
    # A short commit, a ULID, the id of a payment: letters and digits by turns, at least three times.
    r"|(?P<id>(?<![A-Za-z0-9])(?!(?:\d+(?:ms|us|[dhms]))+(?![A-Za-z0-9]))(?=[A-Za-z]*\d+[A-Za-z]+\d)[A-Za-z0-9]{7,64}"
    r"(?![A-Za-z0-9]))"
    r"|(?P<n>\d+(?:[.,:]\d+)*)"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def unsecret(text: str) -> str:
    """Return text without terminal colours and without what looks like a password, token or key."""
    return _SECRET.sub(lambda found: (found[1] or found[3] or found[4] or "") + "***", _ESCAPES.sub("", text))


def fold(message: str) -> str:
    """Return a message with numbers as <n>, and hexadecimal numbers, UUIDs, addresses likewise, on one line."""
    words = " ".join(unsecret(message[: 4 * LONGEST]).split())
    return printable(_FOLDED.sub(lambda found: "<%s>" % found.lastgroup, words))[:LONGEST]


class Patterns:
    """Counts of messages by pattern, at most 5000 patterns; what comes after that counts as others."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self._found: dict[str, dict[str, Any]] = {}

    def add(self, message: str, entry: str, when: float, path: str) -> None:
        """Count a message. entry: the whole of it, for a sample; when: seconds since 1970."""
        pattern = fold(message)
        if pattern not in self._found and len(self._found) >= MOST_PATTERNS:
            pattern = OTHERS
        known = self._found.setdefault(
            pattern, {"pattern": pattern, "count": 0, "first": when, "last": when, "samples": []}
        )
        known["count"] += 1
        known["first"] = min(known["first"], when)
        known["last"] = max(known["last"], when)
        if len(known["samples"]) < self.samples:
            lines = unsecret(entry[: 2 * SAMPLE]).splitlines()
            known["samples"].append({"path": printable(path), "text": "\n".join(map(printable, lines))[:SAMPLE]})

    def __len__(self) -> int:
        return len(self._found)

    def top(self, most: int) -> list[dict[str, Any]]:
        """Return the patterns found most often."""
        return sorted(self._found.values(), key=lambda one: (-one["count"], one["first"], one["pattern"]))[:most]
