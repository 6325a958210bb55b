"""Time zones as parameters."""

from __future__ import annotations

from opslib.host.params import ParamError, Text, shown


class ZoneName(Text):
    """A time zone: UTC, +02:00 or Europe/Berlin; whether the host knows it shows there."""

    def __init__(self) -> None:
        super().__init__("time zone such as UTC, +02:00 or Europe/Berlin")

    def check(self, value: str) -> str:
        sign, digits = value[:1], value[1:].replace(":", "", 1)
        if sign in ("+", "-"):
            good = len(digits) == 4 and digits.isascii() and digits.isdigit() and digits < "1500" and digits[2] < "6"
        else:
            parts = value.split("/")
            good = len(value) < 64 and all(part and part[0].isalpha() for part in parts)
            good = good and value.isascii() and all(c.isalnum() or c in "/_+-" for c in value)
        if not good:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value
