"""What ansible-core keeps in globals: set for the time of a call, under a lock, and put back."""

# ruff: noqa: SLF001 - much of ansible-core is private

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible import constants as C  # noqa: N812 - so ansible-core calls it everywhere
from ansible import context
from ansible.parsing.vault import VaultSecretsContext
from ansible.plugins.vars import host_group_vars
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.context_objects import CLIArgs
from ansible.utils.display import Display

__all__ = ["active", "configured", "forget_files"]

_LOCK = threading.RLock()


class _Sink:
    """Takes what ansible-core would print."""

    def __init__(self, warnings: dict[str, None]) -> None:
        self.warnings = warnings

    def send_display(self, method: str, *args: Any, **_options: Any) -> None:
        """Keep a warning or an error; drop banners, debugging and deprecations."""
        if method in ("_warning", "_error") and args:
            self.warnings[_of_event(args[0].event)] = None


def _of_event(event: Any) -> str:
    """Return one message of ansible-core, with the messages that explain it."""
    parts: list[str] = []
    where = ""
    while event is not None:
        text = " ".join(str(event.msg).split())
        if len(parts) < 3 and not any(text in part for part in parts):
            parts.append(text)
        found = re.match(r"Origin: (/[^\n]+)", event.formatted_source_context or "")
        where = found[1] if found else where
        event = event.chain.event if event.chain is not None else None
    return ": ".join(part.rstrip(".:") for part in parts) + (f" ({where})" if where else "")


@contextlib.contextmanager
def active(
    warnings: dict[str, None],
    *,
    vault: Sequence[tuple[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    folder: str | None = None,
) -> Iterator[None]:
    """Set ansible-core's globals for a while.

    warnings: takes what it would print; vault: passwords by label; options: those of ansible-playbook that differ
    from their defaults; folder: where a playbook stands, for the collections beside it.
    """
    display = Display()
    with _LOCK:
        before = (
            context.CLIARGS,
            VaultSecretsContext._current,
            display._final_q,
            AnsibleCollectionConfig.default_collection,
            [os.path.dirname(path) for path in AnsibleCollectionConfig.playbook_paths],
        )
        context.CLIARGS = CLIArgs({**_default_options(), **(options or {})})
        VaultSecretsContext._current = VaultSecretsContext(list(vault))
        display._final_q = _Sink(warnings)
        try:
            if folder is not None:
                AnsibleCollectionConfig.default_collection = None
                AnsibleCollectionConfig.playbook_paths = [os.fsencode(folder)]
            yield
        finally:
            context.CLIARGS, VaultSecretsContext._current, display._final_q = before[:3]
            AnsibleCollectionConfig.default_collection = before[3]
            if folder is not None:
                AnsibleCollectionConfig.playbook_paths = before[4]


def forget_files() -> None:
    """Have group_vars and host_vars looked for anew: Ansible keeps for ever which files there were, and what `.` was.

    A program that loads inventories again and again would otherwise see variables of files as they once were.
    """
    with _LOCK:
        for known in (host_group_vars.CANONICAL_PATHS, host_group_vars.FOUND, host_group_vars.NAK):
            known.clear()


def _default_options() -> dict[str, Any]:
    """Return the options that ansible-playbook has when none is given."""
    return {
        "become": C.DEFAULT_BECOME,
        "become_method": C.DEFAULT_BECOME_METHOD,
        "become_user": None,
        "check": False,
        "connection": C.DEFAULT_TRANSPORT,
        "diff": C.DIFF_ALWAYS,
        "force_handlers": C.DEFAULT_FORCE_HANDLERS,
        "forks": C.DEFAULT_FORKS,
        "private_key_file": C.DEFAULT_PRIVATE_KEY_FILE,
        "remote_user": C.DEFAULT_REMOTE_USER,
        "skip_tags": (),
        "tags": ("all",),
        "timeout": None,
        "verbosity": 0,
    }


def configured(name: str) -> Any:
    """Return a setting of `ansible.cfg` or the environment, None when it has its default."""
    value, where = C.config.get_config_value_and_origin(name)
    return None if where == "default" else value
