"""What the suites of this role share."""

import math

import pytest

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "ms": 0.001}


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


@pytest.fixture
def seconds(variables):
    """Return a function that reads a variable as a time: "30d", "15m", or a number of seconds."""

    def read(name, otherwise=None):
        text = str(variables.get(name, otherwise)).strip()
        number = text.rstrip("smhdw")
        return float(number) * SPANS[text[len(number) :]]

    return read


@pytest.fixture
def upgradable(host):
    """Return a function that lists the packages of which apt has a newer version, a line for each."""
    return lambda: [row for row in host.check_output("LC_ALL=C apt list --upgradable").splitlines() if "/" in row]
