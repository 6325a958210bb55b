"""Kinds of parameter about images."""

from __future__ import annotations

from opslib.cloud.images.names import address, is_digest, is_name, is_tag
from opslib.host.params import ParamError, Text, shown

__all__ = ["Below", "Word", "reference", "repository_name", "tag"]


class Below(Text):
    """A path below a folder."""

    def check(self, value: str) -> str:
        if value.startswith(("/", "-")) or any(part in ("", ".", "..") for part in value.split("/")):
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


class Word(Text):
    """A word that no program takes for an option."""

    def check(self, value: str) -> str:
        if value.startswith("-") or not value.isprintable() or " " in value:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


class _Tag(Text):
    def check(self, value: str) -> str:
        if not is_tag(value):
            raise ParamError(f"{shown(value)} is no {self.label}: letters, digits, '_', '.', '-', at most 128")
        return value


class _Name(Text):
    """A repository's name, without the registry or, if `full`, with it."""

    def __init__(self, label: str, *, full: bool) -> None:
        super().__init__(label)
        self._full = full

    def check(self, value: str) -> str:
        good = 2 <= len(value) <= 256 and (is_name(value) or (self._full and address(value)))
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
        if colon and address(name) and is_tag(found):
            return found
        if is_digest(value) or is_tag(value):
            return value
        raise ParamError(f"{shown(value)} is no {self.label}")


def tag() -> Text:
    """Return the kind of parameter that takes a tag."""
    return _Tag("tag of an image")


def repository_name(*, full: bool = False) -> Text:
    """Return the kind of parameter that takes a repository's name; full: with its registry before it, if it likes."""
    return _Name(
        "repository such as registry.example/team/api" if full else "repository name such as team/api", full=full
    )


def reference() -> Text:
    """Return the kind of parameter that takes an image by digest, tag or address. Canonical: the digest or the tag."""
    return _Reference("digest, tag, or address of an image that ends in one of them")
