"""Quantities and names as people read them."""

from __future__ import annotations

import time


def size(count: float) -> str:
    """Return a number of bytes in words: "512 B", "23.1 GiB"."""
    if count < 1024:
        return "%d B" % count
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        count /= 1024.0
        if count < 1023.95 or unit == "PiB":
            break
    return "%.1f %s" % (count, unit)


def count(number: int, noun: str) -> str:
    """Return a number of things in words: "1 file", "3 files"."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def utc(when: float) -> str:
    """Return a time, in seconds since 1970, as data shows it: 2026-01-02T03:04:05Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def date(when: float) -> str:
    """Return the day of a time, in UTC: 2026-01-02."""
    return time.strftime("%Y-%m-%d", time.gmtime(when))


def printable(text: str) -> str:
    """Return text on one line, in which everything but printable characters is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def listed(items: list[str], most: int = 5) -> str:
    """Return items as one line, separated by semicolons, at most so many of them."""
    more = len(items) - most
    return "; ".join(items[:most]) + ("; and %d more" % more if more > 0 else "")
