"""The text of security rules: finding its blocks, and adding some that grant nothing after a time; pure.

What is added stands between two comments, so that it can be taken out again to the letter. Each `allow` in it is bound
to the time of the request: when that is past, the rules themselves refuse, whoever forgot them.
Source: https://firebase.google.com/docs/reference/rules/rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from opslib.cloud.gcp.times import stamp

__all__ = ["Temporary", "UnfitError", "bound", "insert", "strip", "temporary_of"]

_PATH = r"(?:/(?:\{\s*\w+\s*(?:=\s*\*\*\s*)?\}|[^\s/{}();]+))+"
_MATCH = re.compile(rf"match\s+({_PATH})\s*\{{")
_ALLOW = re.compile(r"\ballow\s+([a-z]+(?:\s*,\s*[a-z]+)*)\s*([:;])")
_SERVICE = re.compile(r"\bservice\s+cloud\.firestore\s*\{")
_ROOT = re.compile(r"\bmatch\s+/databases/(?:\{\s*\w+\s*\}|\(default\)|[\w-]+)/documents\s*\{")
_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)
_TAKEN = re.compile(r"\{\s*(request|resource|timestamp)\b")
_BEGIN = "// opslib: temporary rules until {until}, over {ruleset}"
_END = "// opslib: end of temporary rules"
_MARKED = re.compile(
    r"\n// opslib: temporary rules until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ), over (\S*)\n(.*?)"
    r"\n// opslib: end of temporary rules\n",
    re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


class UnfitError(ValueError):
    """A text is not what rules can be made of; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """What was added to rules: until when it grants something, over which ruleset, and the blocks as they stand."""

    until: datetime
    ruleset: str
    blocks: str


def bound(blocks: str, until: datetime) -> str:
    """Return `match` blocks in which every `allow` is also bound to the time before `until`.

    Raises UnfitError for anything but whole `match` blocks, and for blocks that grant nothing.
    """
    code = _code(blocks)
    _check_balance(code)
    _check_matches(code)
    if _TAKEN.search(code):
        raise UnfitError("a wildcard may not be called request, resource or timestamp: the time is asked of these")
    if "// opslib:" in blocks:
        raise UnfitError("it holds a comment that begins with 'opslib:', by which temporary rules are known")
    limit = f"request.time < timestamp.value({int(until.timestamp() * 1000)})"
    parts: list[str] = []
    position = 0
    for found in _ALLOW.finditer(code):
        if found.start() < position:
            raise UnfitError(f"line {_line(code, found.start())}: an allow within an allow")
        parts.append(blocks[position : found.start()])
        methods = " ".join(found[1].split())
        if found[2] == ";":
            parts.append(f"allow {methods}: if {limit};")
            position = found.end()
            continue
        begin, end = _condition(code, found.end())
        parts.append(f"allow {methods}: if ({blocks[begin:end]}) && {limit};")
        position = end + 1
    allows = len(re.findall(r"\ballow\b", code))
    if not allows:
        raise UnfitError("it has no allow, so it grants nothing")
    if len(parts) // 2 != allows:
        raise UnfitError("an allow of it cannot be read; write `allow read, write: if …;`")
    return "".join([*parts, blocks[position:]])


def insert(rules: str, blocks: str, until: datetime, ruleset: str) -> str:
    """Return rules with blocks that are `bound` already at the end of what is for all documents.

    Raises UnfitError when the rules have no such place.
    """
    if temporary_of(rules) is not None:
        raise UnfitError("the rules hold temporary rules already")
    code = _code(rules)
    service = _SERVICE.search(code)
    root = _ROOT.search(code, service.end(), _end(code, service.end())) if service else None
    if root is None:
        raise UnfitError("the rules have no `match /databases/{database}/documents` in `service cloud.firestore`")
    place = _end(code, root.end())
    head = _BEGIN.format(until=stamp(until), ruleset=ruleset)
    return f"{rules[:place]}\n{head}\n{blocks}\n{_END}\n{rules[place:]}"


def temporary_of(rules: str) -> Temporary | None:
    """Return what was added to rules, None when nothing was."""
    found = _MARKED.search(rules)
    if found is None:
        return None
    return Temporary(datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC), found[2], found[3])


def strip(rules: str) -> str:
    """Return rules without what was added."""
    return _MARKED.sub("", rules, count=1)


def _code(text: str) -> str:
    """Return a text of the same length in which comments and the insides of strings are blank."""
    return _SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _check_balance(code: str) -> None:
    open_: list[str] = []
    for position, sign in enumerate(code):
        if sign in "([{":
            open_.append(sign)
        elif sign in _PAIRS and (not open_ or open_.pop() != _PAIRS[sign]):
            raise UnfitError(f"line {_line(code, position)}: {sign!r} closes nothing")
        elif sign in "'\"":
            raise UnfitError(f"line {_line(code, position)}: a text does not end")
    if open_:
        raise UnfitError(f"{open_[-1]!r} is never closed")


def _check_matches(code: str) -> None:
    position = 0
    while code[position:].strip():
        position += len(code[position:]) - len(code[position:].lstrip())
        found = _MATCH.match(code, position)
        if found is None:
            what = " ".join(code[position : position + 40].split())
            raise UnfitError(
                f"line {_line(code, position)}: {what!r} is no block such as match /users/{{user}} {{ … }}"
            )
        position = _end(code, found.end()) + 1


def _condition(code: str, position: int) -> tuple[int, int]:
    """Return where the condition of an allow begins and ends."""
    found = re.compile(r"\s*if\b").match(code, position)
    end = code.find(";", position)
    if found is None or end < 0:
        raise UnfitError(f"line {_line(code, position)}: an allow needs `if …;`")
    condition = code[found.end() : end]
    _check_balance(condition)
    if not condition.strip() or re.search(r"\b(allow|match|function)\b", condition):
        raise UnfitError(f"line {_line(code, position)}: the condition of an allow must end in ';'")
    return found.end(), end


def _end(code: str, position: int) -> int:
    """Return where the block ends whose inside begins here."""
    depth = 1
    for place in range(position, len(code)):
        depth += {"{": 1, "}": -1}.get(code[place], 0)
        if not depth:
            return place
    raise UnfitError("a block is never closed")


def _line(code: str, position: int) -> int:
    return code.count("\n", 0, position) + 1
