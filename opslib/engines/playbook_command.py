"""The command line of ansible-playbook, and the files beside it. It holds no variable's value and no password."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from opslib.engines.private_folder import write
from opslib.errors import MissingError, UsageError

__all__ = ["VARIABLES", "Options", "Sources", "command_line", "passwords"]

VARIABLES = "extra_vars.json"


class Options(Protocol):
    """What an operator chose, as `run_playbook` takes it."""

    @property
    def limit(self) -> str | None:
        """Host pattern."""

    @property
    def tags(self) -> Sequence[str]:
        """Tags to run."""

    @property
    def skip_tags(self) -> Sequence[str]:
        """Tags to leave out."""

    @property
    def extra_vars(self) -> Mapping[str, Any]:
        """Variables that win over all others."""

    @property
    def check(self) -> bool:
        """Change nothing."""

    @property
    def diff(self) -> bool:
        """Show differences."""

    @property
    def forks(self) -> int:
        """Hosts at once."""

    @property
    def timeout(self) -> float | None:
        """Seconds, None for no limit."""

    @property
    def verbosity(self) -> int:
        """How many `-v`."""


class Sources(Protocol):
    """An inventory: ansible-playbook reads its sources again. vault: passwords by label, those without a file too."""

    @property
    def sources(self) -> Sequence[str]:
        """Files, folders, lists of hosts."""

    @property
    def vault_password_files(self) -> Sequence[str]:
        """Files and programs, also as `label@path`."""

    @property
    def vault(self) -> Sequence[tuple[str, Any]]:
        """Passwords by label."""

    @property
    def extra_vars(self) -> Mapping[str, Any]:
        """Variables that win over all others."""

    def active(self) -> contextlib.AbstractContextManager[object]:
        """Set ansible-core's globals for work on this inventory."""


def command_line(file: Path, folder: Path, *, inventory: Sources, options: Options) -> list[str]:
    """Return the command line that runs a playbook; what it refers to is written into a private folder.

    Raises UsageError, MissingError.
    """
    command = [*_ansible_playbook(), f"--forks={options.forks}"]
    command += [f"--inventory={source}" for source in inventory.sources]
    command += [f"--vault-id={label}" for label in _vault_ids(inventory.vault_password_files)]
    command += [f"--tags={','.join(options.tags)}"] if options.tags else []
    command += [f"--skip-tags={','.join(options.skip_tags)}"] if options.skip_tags else []
    command += ["--check"] if options.check else []
    command += ["--diff"] if options.diff else []
    command += ["-" + "v" * min(options.verbosity, 6)] if options.verbosity > 0 else []
    command += [] if options.limit is None else [f"--limit={options.limit}"]
    if options.extra_vars or inventory.extra_vars:
        with inventory.active():
            text = _as_json({**inventory.extra_vars, **options.extra_vars})
        command.append(f"--extra-vars=@{write(folder / VARIABLES, text)}")
    command.append(str(file))
    bad = next((word for word in command if "\0" in word or "\n" in word), None)
    if bad is not None:
        raise UsageError(f"{bad[:80]!r} holds a control character")
    return command


def _ansible_playbook() -> list[str]:
    """Return how to start the ansible-playbook of this very Python, whether or not its environment is activated."""
    if not sys.executable:
        raise MissingError("this Python does not know its own program, so it cannot start ansible-playbook")
    beside = Path(sys.executable).with_name("ansible-playbook")
    if os.access(beside, os.X_OK):
        return [str(beside)]
    return [sys.executable, "-P", "-m", "ansible", "playbook"]


def _vault_ids(files: Sequence[str]) -> Iterator[str]:
    for name in files:
        label, at, path = str(name).partition("@")
        if not at or Path(name).exists():
            label, path = "default", str(name)
        if path in ("prompt", "prompt_ask_vault_pass"):
            raise UsageError(f"vault password {name!r}: nothing can be asked here; give a file or a program")
        yield f"{label}@{Path(path).expanduser().absolute()}"


@contextlib.contextmanager
def passwords(vault: Sequence[tuple[str, Any]], folder: Path) -> Iterator[list[str]]:
    """Offer the vault passwords that stand in no file through pipes, so that they never do."""
    given = [(label, secret.bytes) for label, secret in vault if getattr(secret, "filename", None) is None]
    over = threading.Event()
    labels = []
    for number, (label, password) in enumerate(given):
        pipe = folder / f"vault-{number}"
        os.mkfifo(pipe, 0o600)
        threading.Thread(target=_hand_over, args=(pipe, password, over), name="opslib-vault", daemon=True).start()
        labels.append(f"{label}@{pipe}")
    try:
        yield labels
    finally:
        over.set()


def _hand_over(pipe: Path, password: bytes, over: threading.Event) -> None:
    """Write a password into a pipe once somebody reads it."""
    while not over.wait(0.02):
        try:
            with os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb") as file:
                file.write(password)
        except OSError:  # nobody reads yet
            continue
        return


def _as_json(variables: Mapping[str, Any]) -> str:
    try:
        return json.dumps(variables, default=_decrypted)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"extra variables cannot be represented in JSON: {error}") from error


def _decrypted(value: Any) -> Any:
    from opslib.engines import ansible_core as core

    if isinstance(value, core.EncryptedString):
        return core.plain(value)
    raise TypeError(f"a {type(value).__name__} is none of its types")
