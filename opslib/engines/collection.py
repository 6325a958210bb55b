"""The collection `opslib.runbook` as it is installed: its folder, its playbooks, and what they say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from opslib.errors import PlaybookError

__all__ = ["NAME", "InstalledPlaybook", "folder_of", "list_playbooks", "playbook_files"]

NAME = "opslib.runbook"
_COMMAND = "opslib run "
_SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROLE_CALLS = ("import_role", "include_role", "ansible.builtin.import_role", "ansible.builtin.include_role")
_BLOCKS = ("tasks", "block", "rescue", "always")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlaybook:
    """A playbook of opslib. name: as given to `opslib run`; summary: the name of its first play.

    description, examples: what the lines above that play say, and the command lines among them; roles: `ROLE[:ENTRY]`
    of all that it runs.
    """

    name: str
    summary: str
    description: str = ""
    examples: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


def folder_of(part: str) -> Path | None:
    """Return the folder with the collection's `roles` or `playbooks`, None when it is not installed."""
    try:
        spec = find_spec(f"ansible_collections.{NAME}")
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(os.fsdecode(places[0]), part) if places else None


def playbook_files() -> dict[str, Path]:
    """Return the collection's playbooks by name, sorted."""
    folder = folder_of("playbooks")
    return {f"{NAME}.{path.stem}": path for path in sorted(folder.glob("*.yml"))} if folder is not None else {}


def list_playbooks() -> tuple[InstalledPlaybook, ...]:
    """Return the collection's playbooks, sorted by name. Raises PlaybookError for one that cannot be read."""
    return tuple(_read(name, path) for name, path in playbook_files().items())


def _read(name: str, path: Path) -> InstalledPlaybook:
    try:
        text = path.read_text(encoding="utf-8")
        plays = yaml.load(text, Loader=_SAFE)  # noqa: S506 - a safe loader, in C
        summary = str(plays[0].get("name") or "")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:
        raise PlaybookError(f"{path} is no playbook: {' '.join(str(error).split())}") from error
    comment = list(_comment(text))
    return InstalledPlaybook(
        name=name,
        summary=summary,
        description=" ".join(row for row in comment if not row.startswith(_COMMAND)),
        examples=tuple(row.replace(f"playbooks/{path.name}", name) for row in comment if row.startswith(_COMMAND)),
        roles=tuple(dict.fromkeys(_roles(plays))),
    )


def _comment(text: str) -> Iterator[str]:
    for row in text.splitlines():
        if row.startswith("#"):
            yield row.lstrip("# ")
        elif row != "---":
            return


def _roles(entries: Any) -> Iterator[str]:
    """Yield the roles of plays, blocks or tasks, in their order."""
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping):
            continue
        for key, value in entry.items():
            if key in _BLOCKS:
                yield from _roles(value)
            elif key in _ROLE_CALLS and isinstance(value, Mapping):
                start = value.get("tasks_from")
                yield str(value.get("name")).removeprefix(f"{NAME}.") + (f":{start}" if start else "")
