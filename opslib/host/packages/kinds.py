"""Kinds of parameter of Python packages: what to install, and where from."""

from __future__ import annotations

from opslib.host.params import Kind, ParamError, Path, Text, Url, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Requirement(Text):
    """A package's name, perhaps with extras and versions."""

    def __init__(self) -> None:
        super().__init__('requirement such as "fastapi" or "fastapi>=0.110,<1"')

    def check(self, value: str) -> str:
        if value[0] not in _LETTERS or len(value) > 200 or any(c not in _LETTERS + "._-[],<>=!~*+" for c in value):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


class Index(Text):
    """URL of a package index, which may hold a user name and a password."""

    def __init__(self) -> None:
        super().__init__("http or https URL", secret=True)

    def check(self, value: str) -> str:
        scheme, _sign, rest = value.partition("://")
        host = rest.partition("/")[0].rpartition("@")[2]
        try:
            Url()("%s://%s" % (scheme, host))
        except ParamError:
            raise ParamError("the value is no http or https URL") from None
        if any(c.isspace() or ord(c) > 126 for c in value):
            raise ParamError("the value holds a character that no URL may hold")
        return value


class Links(Kind):
    """A folder on the host, or an http or https URL, where packages are."""

    label = "absolute path, or http or https URL"
    ansible = "str"

    def __call__(self, value: Any) -> str:
        kind: Kind = Url() if isinstance(value, str) and "://" in value else Path()
        found = str(kind(value))
        if any(c.isspace() for c in found):
            raise ParamError("%s: pip takes no blanks here" % shown(value))
        return found
