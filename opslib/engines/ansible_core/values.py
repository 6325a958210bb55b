"""Values as ansible-core has them: tagged with where they come from, whether they are trusted, and encrypted."""

# ruff: noqa: SLF001 - much of ansible-core is private

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible._internal._datatag._tags import Origin, TrustedAsTemplate, VaultedValue
from ansible.errors import AnsibleError
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.vault import EncryptedString

__all__ = ["encrypted", "is_template", "origin", "plain", "trusted"]


def origin(value: Any) -> tuple[str, int]:
    """Return the file and line that a value was read from, ("", 0) when nobody knows."""
    tag = Origin.get_tag(value) if value is not None else None
    if tag is None or not tag.path:
        return "", 0
    return str(tag.path), int(tag.line_num or 0)


def trusted(text: str, where: str) -> Any:
    """Return text that may hold templates."""
    return Origin(description=where).tag(TrustedAsTemplate().tag(text))


def plain(value: Any, secrets: set[str] | None = None) -> Any:
    """Rebuild a value from plain types; texts that came out of a vault are added to `secrets`."""
    if isinstance(value, EncryptedString):
        value = value._decrypt()
    if isinstance(value, str):
        text = str(AnsibleTagHelper.as_native_type(value))
        if secrets is not None and text and VaultedValue.is_tagged_on(value):
            secrets.add(text)
        return text
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {plain(key, secrets): plain(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, secrets) for item in value]
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def encrypted(value: Any, known: dict[str, str | None]) -> Iterator[str]:
    """Yield the plain texts of all encrypted values within a value; `known` keeps them by their ciphertext."""
    if isinstance(value, EncryptedString):
        cipher = value._ciphertext
        if cipher not in known:
            try:
                known[cipher] = str(AnsibleTagHelper.as_native_type(value._decrypt()))
            except AnsibleError:  # no password for this one: whoever uses it will be told
                known[cipher] = None
        if text := known[cipher]:
            yield text
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from encrypted(item, known)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from encrypted(item, known)


def is_template(value: Any) -> bool:
    """Whether a value may come out differently for another host."""
    if isinstance(value, EncryptedString):
        return True
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(is_template(item) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple) and any(is_template(item) for item in value)
