"""Names of images: registry, repository, tag, digest; pure.

Source of the grammar: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Address", "address", "is_digest", "is_name", "is_tag"]

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


def is_tag(text: str) -> bool:
    """Whether a text is a tag."""
    return _TAG.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a text is the name of a repository, without a registry."""
    return _NAME.fullmatch(text) is not None
