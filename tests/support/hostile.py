"""Values that no parameter expects and every parameter may be given."""

from __future__ import annotations


class Unprintable:
    """An object whose text cannot be had."""

    def __repr__(self):
        raise RuntimeError("no text")


def endless():
    """Return a list that holds itself."""
    items = []
    items.append(items)
    return items


TEXTS = [
    "",
    " ",
    "-oProxyCommand=x",
    "--",
    "$(id)",
    "`id`",
    "; rm -rf /",
    "../x",
    "/../etc/shadow",
    "a\nb",
    "a\rb",
    "a\0b",
    "\x1b[31mred",
    "\x9b2J",
    "a\x08b",
    "\udcff",
    "\ud800",
    "x" * 100000,
    "9" * 5000,
    "nan",
    "inf",
    "-1",
    "1e999",
    "0x10",
    "%",
    "%s%n",
    "{0.__class__}",
    "\u202eevil",
    "٣",
    "None",
    "null",
    "[",
    "(" * 5000,
]

OTHERS = [
    b"bytes",
    bytearray(b"bytes"),
    object(),
    Unprintable(),
    endless(),
    float("nan"),
    float("inf"),
    float("-inf"),
    -1,
    -0.0,
    10**400,
    10**5000,
    1 << 64,
    True,
    3 + 4j,
    {1, 2},
    frozenset("ab"),
    range(3),
    {1: 2},
    {"": 1},
    {"a": object()},
    {"a": float("nan")},
    {"a": endless()},
    [None],
    [[["deep"]]],
    [Unprintable()],
    len,
    type,
    Ellipsis,
]

VALUES = TEXTS + OTHERS
