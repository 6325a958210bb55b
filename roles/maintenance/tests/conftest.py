"""What the suites of this role share."""

import math

import pytest

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Limit:
    """A threshold such as "90%", "5G" or a number of bytes."""

    def __init__(self, text):
        self.text = str(text).strip()
        self.percent = float(self.text[:-1]) if self.text.endswith("%") else None
        self.bytes = math.inf if self.percent is not None else size(self.text)


def size(text):
    """Return "10G" or "10GiB" as bytes."""
    text = str(text).strip().upper().removesuffix("B").removesuffix("I").strip()
    unit = text[-1:] if text[-1:].isalpha() else ""
    return int(float(text.removesuffix(unit)) * UNITS[unit])


@pytest.fixture
def limit(variables):
    """Return a function that reads a variable as a threshold."""
    return lambda name: Limit(variables[name])
