"""Kinds of parameter of a deployment: where code comes from, what of it, and programs."""

from __future__ import annotations

from opslib.host.params import Name, ParamError, Text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEX = "0123456789abcdef"
_NEVER = "~^:?*[\\ "
_KEYS = "use an SSH key (a deploy key) or a git credential helper of the user instead"


class Repository(Text):
    """Where a git repository is: https, ssh, `user@host:path`, file, or an absolute path; never with a password."""

    def __init__(self) -> None:
        super().__init__("git repository")

    def _shown(self, value: Any) -> str:
        return "the value"  # it may hold a password

    def check(self, value: str) -> str:
        scheme, found, rest = value.partition("://")
        place = rest.partition("/")[0]
        user, at, host = place.rpartition("@")
        if value.startswith("-") or any(c.isspace() for c in value) or not value.isascii():
            raise ParamError("a repository does not begin with '-', and holds printable ASCII without blanks")
        if "::" in value:
            raise ParamError("git's remote helpers (name::address) are not allowed; give an https or ssh address")
        if not found:
            return self._plain(value)
        if at and (scheme != "ssh" or ":" in user):
            raise ParamError("the address holds a user name or password; " + _KEYS)
        if scheme not in ("https", "ssh", "file"):
            raise ParamError("%s:// is not encrypted, or unknown; use https or ssh" % shown(scheme)[1:-1])
        name = host if at else place
        if scheme == "file":
            if place or ".." in rest.split("/"):
                raise ParamError("after file:// stands an absolute path without '..'")
        elif not name or name.startswith(("-", ":")) or user.startswith("-"):
            raise ParamError("the address names no host")
        return value

    def _plain(self, value: str) -> str:
        if value.startswith("/"):
            if ".." in value.split("/"):
                raise ParamError("the path holds '..'")
            return value
        host, colon, path = value.partition(":")
        user, _at, name = host.rpartition("@")
        if not colon or not path or path.startswith("-") or "/" in host or name.startswith("-") or user.startswith("-"):
            raise ParamError("give https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or an absolute path")
        if not name or "@" in path:
            raise ParamError("the address names no host, or holds a password; " + _KEYS)
        return value


class Ref(Text):
    """A branch, a tag or a commit, by git's rules for names. Source: git-check-ref-format(1)."""

    def __init__(self) -> None:
        super().__init__("branch, tag or commit")

    def check(self, value: str) -> str:
        parts = value.split("/")
        bad = value.startswith("-") or value == "@" or value.endswith(".") or ".." in value or "@{" in value
        bad = bad or any(c in _NEVER or not c.isprintable() for c in value) or len(value) > 255
        bad = bad or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
        try:
            value.encode("utf-8")
        except UnicodeError:
            bad = True
        if bad:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


class Commit(Text):
    """A commit, by its whole hash."""

    def __init__(self) -> None:
        super().__init__("commit")

    def check(self, value: str) -> str:
        if not is_hex(value, 40):
            raise ParamError("%s is no commit: give all 40 digits, in small letters" % shown(value))
        return value


class Inside(Text):
    """A path within the repository. Canonical: without `.` and empty parts; the top is an empty text."""

    def __init__(self, label: str = "path within the repository") -> None:
        super().__init__(label, empty=True)

    def check(self, value: str) -> str:
        parts = [part for part in value.split("/") if part not in ("", ".")]
        try:
            length = len(value.encode("utf-8", "surrogateescape"))
        except UnicodeError:
            length = 1 << 20
        bad = value.startswith(("/", "-")) or ".." in parts or length > 1000
        if bad or (parts and (parts[0] == ".git" or parts[0].startswith("-"))):
            raise ParamError("%s is no %s (relative, without '..')" % (shown(value), self.label))
        return "/".join(parts)


class Program(Text):
    """A program: a name that is looked up in the system's usual folders, or an absolute path."""

    def __init__(self) -> None:
        super().__init__("program")

    def check(self, value: str) -> str:
        if value.startswith("/"):
            if ".." in value.split("/"):
                raise ParamError("%s is no %s" % (shown(value), self.label))
            return value
        return Name(self.label, signs="_.-+").check(value)


class Place(Text):
    """Where pip finds packages: an absolute path, or an https URL without credentials."""

    def __init__(self) -> None:
        super().__init__("absolute path or https URL")

    def _shown(self, value: Any) -> str:
        return "the value"  # it may hold a password

    def check(self, value: str) -> str:
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ParamError("the URL holds a user name or password; put it into the user's netrc or pip.conf")
        scheme, found, rest = value.partition("://")
        good = value.startswith("/") and ".." not in value.split("/")
        if not good and not (found and scheme == "https" and rest and not any(c.isspace() for c in rest)):
            raise ParamError("give an absolute path, or an https URL")
        return value


def is_hex(text: str, least: int = 7, most: int = 40) -> bool:
    """Return whether a text can be a commit's hash, or the beginning of one."""
    return least <= len(text) <= most and all(c in _HEX for c in text)
