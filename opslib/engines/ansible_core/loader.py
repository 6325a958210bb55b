"""Reading files, encrypted ones too."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible import constants as C  # noqa: N812 - so ansible-core calls it everywhere
from ansible._internal._datatag._tags import SourceWasEncrypted
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret, get_file_vault_secret

from opslib.engines.ansible_core.problems import reading
from opslib.engines.ansible_core.values import is_template, plain
from opslib.errors import InventoryError, UsageError

__all__ = ["Loader", "vault_secrets"]

_SHORTEST_NUMBER = 6


class Loader(DataLoader):  # type: ignore[misc] # ansible-core has no types
    """Reads files; remembers what was in the encrypted ones: every text, every number that is not just a port."""

    def __init__(self, vault: Sequence[tuple[str, Any]]) -> None:
        super().__init__()
        self.secrets: set[str] = set()
        self._parsing = 0
        self.set_vault_secrets(list(vault))

    def load_from_file(self, *args: Any, **options: Any) -> Any:
        """Return the data that a file in YAML or JSON holds."""
        self._parsing += 1
        try:
            data = super().load_from_file(*args, **options)
        finally:
            self._parsing -= 1
        if SourceWasEncrypted.is_tagged_on(data):
            self.secrets.update(_leaves(data))
        return data

    def get_text_file_contents(self, *args: Any, **options: Any) -> Any:
        """Return the text that a file holds."""
        text = super().get_text_file_contents(*args, **options)
        if SourceWasEncrypted.is_tagged_on(text) and not self._parsing:
            lines = [line.strip() for line in str(text).splitlines()]
            self.secrets.update(line for line in lines if line and not line.startswith(("#", ";", "[")))
            self.secrets.update(found for line in lines for found in re.findall(r"=\s*[\"']?([^\s\"']+)", line))
        return text


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(plain(value))
        if text and not is_template(text) and (isinstance(value, str) or len(text) >= _SHORTEST_NUMBER):
            yield text


def vault_secrets(
    files: Sequence[str], password: str | Callable[[], str] | None, loader: Loader
) -> list[tuple[str, VaultSecret]]:
    """Return vault passwords by label, from files or programs (`label@path` or a path) and from the caller."""
    found: list[tuple[str, VaultSecret]] = []
    usual = [str(C.DEFAULT_VAULT_PASSWORD_FILE)] if C.DEFAULT_VAULT_PASSWORD_FILE else []
    for slug in [*(C.DEFAULT_VAULT_IDENTITY_LIST or []), *files, *usual]:
        label, at, path = str(slug).partition("@")
        label, path = (label, path) if at and not os.path.exists(str(slug)) else ("", str(slug))
        if path in ("prompt", "prompt_ask_vault_pass"):
            raise UsageError(f"the vault identity {slug!r} asks at a terminal; name a file that holds the password")
        path = os.path.abspath(os.path.expanduser(path))
        with reading(InventoryError, f"vault password file {ascii(path)[:200]}"):
            secret = get_file_vault_secret(filename=path, vault_id=label or None, loader=loader)
            secret.load()
        found.append((label or C.DEFAULT_VAULT_IDENTITY, secret))
        loader.set_vault_secrets(found)
    text = password() if callable(password) else password
    if text is not None:
        if not isinstance(text, str) or not text.strip():
            raise InventoryError("the vault password is empty")
        found.append((C.DEFAULT_VAULT_IDENTITY, VaultSecret(text.strip().encode())))
    loader.set_vault_secrets(found)
    return found
