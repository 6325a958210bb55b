"""Find processes that a test has started, wherever they went."""

from __future__ import annotations

import os
import random
import time


def unique_seconds():
    """Return a number of seconds to sleep that no other process has among its arguments."""
    return random.randrange(10**7, 10**9)


def with_argument(word):
    """Return the ids of living processes that have a word among their arguments."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if str(word).encode() in words:
                found.append(int(name))
    return found


def marked(token):
    """Return the ids of living processes that carry the mark of a run in their environment."""
    mark = b"OPSLIB_RUN=" + token.encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue
    return found


def wait_until(condition, seconds=20.0):
    """Wait until a condition holds; return its last value."""
    ends = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > ends:
            return value
        time.sleep(0.01)
