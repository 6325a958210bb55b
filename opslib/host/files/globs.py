"""Shell patterns without `fnmatch`, whose import (with `re`) costs a target 8 ms."""

from __future__ import annotations


def matches(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern, as fnmatch.fnmatchcase says: `*`, `?`, and sets in brackets."""
    if "[" in pattern:
        from fnmatch import fnmatchcase

        return fnmatchcase(name, pattern)
    at = read = 0
    star = after = -1
    while at < len(name):
        if read < len(pattern) and pattern[read] == "*":
            star, after, read = read, at, read + 1
        elif read < len(pattern) and pattern[read] in ("?", name[at]):
            at, read = at + 1, read + 1
        elif star >= 0:  # let the last star take one more character
            after += 1
            at, read = after, star + 1
        else:
            return False
    return not pattern[read:].strip("*")
