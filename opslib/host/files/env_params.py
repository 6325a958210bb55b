"""What can be asked of environment files: names and values of variables, and a mode that keeps others out."""

from __future__ import annotations

from opslib.host.params import Kind, Mapping, Mode, ParamError, Text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_KEYS = 500
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_name(key: str) -> bool:
    """Whether a text is a name that a variable can have."""
    return bool(key) and key[0] in _LETTERS + "_" and all(c in _LETTERS + "_0123456789" for c in key)


class Variable(Text):
    """The name of an environment variable."""

    def __init__(self) -> None:
        super().__init__("name of a variable")

    def check(self, value: str) -> str:
        if not is_name(value) or len(value) > 255:
            raise ParamError(
                "%s is no name of a variable: letters, digits and _, not beginning with a digit" % shown(value)
            )
        return value


class Value(Text):
    """The value of an environment variable, which is a secret."""

    def __init__(self) -> None:
        super().__init__("value: text or a number", lines=True, empty=True, secret=True)

    def check(self, value: str) -> str:
        if any((c < " " and c not in "\t\n") or c == "\x7f" for c in value):
            raise ParamError("the value holds a control character, for which systemd would ignore the variable")
        for c in value:
            if "\ud800" <= c <= "\udfff" or "\ufdd0" <= c <= "\ufdef" or ord(c) & 0xFFFE == 0xFFFE:
                raise ParamError("the value holds half a character, for which systemd would refuse the whole file")
        return value


class Values(Mapping):
    """Variables with their values."""

    def __init__(self) -> None:
        super().__init__(Value(), secret=True)
        self.label = "mapping of variables to values"

    def __call__(self, value: Any) -> dict[str, Any]:
        name: Kind = Variable()
        found = super().__call__(value)
        if len(found) > MOST_KEYS:
            raise ParamError("it has %d variables; at most %d are taken" % (len(found), MOST_KEYS))
        return {name(key): item for key, item in found.items()}


class PrivateMode(Mode):
    """File permission bits that leave others out."""

    def check(self, value: str) -> str:
        value = super().check(value)
        if int(value, 8) & ~0o660:
            raise ParamError("%s lets others read, or run, a file of secrets; give 0600 or 0640" % shown(value))
        return value
