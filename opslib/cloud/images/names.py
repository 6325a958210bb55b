"""Names of images: registry, repository, tag, digest; pure.

Source of the grammar: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from opslib.host.params import ParamError, Text, shown

__all__ = ["Address", "address", "digest", "is_digest", "reference", "repository_name", "tag"]

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOOPBACK = re.compile(r"(?:localhost|127\.[0-9.]+)(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Address:
    """A repository at a registry. host: with the port, if there is one."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine, where engines speak plain HTTP to it."""
        return _LOOPBACK.fullmatch(self.host) is not None


def address(text: str) -> Address | None:
    """Return the address that a text is, None when it names no registry ("spendsense-api") or is no address."""
    host, slash, name = text.partition("/")
    named = "." in host or ":" in host or host == "localhost"
    if not slash or not named or not _HOST.fullmatch(host) or not _NAME.fullmatch(name):
        return None
    return Address(host, name)


def is_digest(text: object) -> bool:
    """Whether a text is a digest such as `sha256:…`."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


class _Tag(Text):
    def check(self, value: str) -> str:
        if not _TAG.fullmatch(value):
            raise ParamError(f"{shown(value)} is no {self.label}: letters, digits, '_', '.', '-', at most 128")
        return value


class _Digest(Text):
    def check(self, value: str) -> str:
        if not is_digest(value):
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


class _Name(Text):
    """A repository's name, without the registry or, if `full`, with it."""

    def __init__(self, label: str, *, full: bool) -> None:
        super().__init__(label)
        self._full = full

    def check(self, value: str) -> str:
        good = 2 <= len(value) <= 256 and (_NAME.fullmatch(value) or (self._full and address(value)))
        if not good:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


class _Reference(Text):
    """A digest, a tag, or either of them after a repository's address and `@` or `:`."""

    def check(self, value: str) -> str:
        name, at, found = value.rpartition("@")
        if at and address(name) and is_digest(found):
            return found
        name, colon, found = value.rpartition(":")
        if colon and address(name) and _TAG.fullmatch(found):
            return found
        if is_digest(value) or _TAG.fullmatch(value):
            return value
        raise ParamError(f"{shown(value)} is no {self.label}")


def tag() -> Text:
    """Return the kind of parameter that takes a tag."""
    return _Tag("tag of an image")


def digest() -> Text:
    """Return the kind of parameter that takes a digest."""
    return _Digest("digest such as sha256:… with 64 hexadecimal digits")


def repository_name(*, full: bool = False) -> Text:
    """Return the kind of parameter that takes a repository's name; full: with its registry before it, if it likes."""
    return _Name(
        "repository such as registry.example/team/api" if full else "repository name such as team/api", full=full
    )


def reference() -> Text:
    """Return the kind of parameter that takes an image by digest, tag or address. Canonical: the digest or the tag."""
    return _Reference("digest, tag, or address of an image that ends in one of them")
