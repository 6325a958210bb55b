"""Roles: which there are, what they can do, and the playbook that runs one of them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from opslib.engines import collection
from opslib.errors import PlaybookError
from opslib.host.params import shown

__all__ = ["Entry", "Role", "find_source", "list_roles", "playbook_for_role", "role_folder"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML = (".yml", ".yaml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A way into a role. options: its arguments as in `meta/argument_specs.yml`."""

    name: str
    summary: str
    description: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that can be run. name: as given to `opslib run`; path: its folder."""

    name: str
    path: Path
    entries: tuple[Entry, ...]


def list_roles() -> tuple[Role, ...]:
    """Return the roles of opslib, and those below `./roles`, with what their argument specifications say.

    Raises PlaybookError for a specification that cannot be read.
    """
    found: dict[str, Path] = {}
    ours = collection.folder_of("roles")
    if ours is not None:
        found.update({path.name: path for path in _folders(ours)})
    for path in _folders(Path("roles")):
        found[path.name] = path.absolute()
    return tuple(Role(name=name, path=path, entries=_entries(path)) for name, path in sorted(found.items()))


def find_source(source: str | Path, aside: Path) -> str:
    """Return the absolute path of the playbook that a file's name, a playbook's full name or `ROLE[:ENTRY]` means.

    aside: a folder for the playbook that runs a role, not to be taken for the place of the user's own collections.
    Raises PlaybookError when nothing is found.
    """
    from opslib.engines import ansible_core as core

    text = os.fspath(source) if isinstance(source, str | os.PathLike) else source
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > 4096:
        raise PlaybookError(f"{shown(text)} is no name of a playbook or role")
    path = core.absolute(text)
    if path.is_file():
        if not os.access(path, os.R_OK):
            raise PlaybookError(f"playbook {path} cannot be read by this user")
        return str(path)
    if text.endswith(_YAML):
        ours = f"{collection.NAME}.{path.stem}"
        installed = ours in collection.playbook_files()
        hint = f"; the one that is installed is called {ours}" if installed else _near_files(path)
        raise PlaybookError(f"there is no playbook {shown(text)}{hint}")
    if text.count(".") >= 2 and "/" not in text and (found := core.find_playbook(text)):
        return str(core.absolute(found))
    role, _colon, entry = text.partition(":")
    name, folder = _role(role)
    content = playbook_for_role(role, entry or None, name=name, folder=folder)
    if folder is not None:
        (aside / "roles").symlink_to(folder.parent)
    playbook = aside / f"{name.rpartition('.')[2]}.yml"
    playbook.write_text(content, encoding="utf-8")
    return str(playbook)


def playbook_for_role(
    role: str, entry: str | None = None, hosts: str = "all", *, name: str | None = None, folder: Path | None = None
) -> str:
    """Return the text of a playbook with one play that runs a role, from its entry point `main` unless told.

    name, folder: what `role` stands for, when that is known. Raises PlaybookError for an unknown role or entry.
    """
    from opslib.engines import ansible_core as core

    if name is None:
        name, folder = _role(role)
    path = folder if folder is not None else Path(core.find_role(name) or "")
    known = _entry_names(path)
    if (entry or "main") not in known:
        asked = f"role {role} has no entry point {shown(entry)}" if entry else f"role {role} needs an entry point"
        raise PlaybookError(f"{asked}; there are {', '.join(f'{role}:{each}' for each in known) or 'none'}")
    call: dict[str, Any] = {"name": name}
    if entry is not None:
        call["tasks_from"] = entry
    title = f"Run {role}" + (f":{entry}" if entry else "")
    play = {
        "name": title,
        "hosts": hosts,
        "gather_facts": False,
        "tasks": [{"name": title, "ansible.builtin.import_role": call}],
    }
    return "---\n" + yaml.safe_dump([play], sort_keys=False)


def role_folder(role: str) -> Path:
    """Return the folder of a role, given by its name or its folder. Raises PlaybookError when there is none."""
    from opslib.engines import ansible_core as core

    if not isinstance(role, str) or not role.strip() or not role.isprintable() or len(role) > 4096:
        raise PlaybookError(f"{shown(role)} is no name of a role")
    name, folder = _role(role)
    return folder if folder is not None else Path(core.find_role(name) or "")


def _role(role: str) -> tuple[str, Path | None]:
    """Return the name by which Ansible finds a role, and its folder when it is no collection's."""
    from opslib.engines import ansible_core as core

    if "/" in role:
        folder = core.absolute(role).resolve()
        if _is_role(folder) and _NAME.fullmatch(folder.name):
            return folder.name, folder
        raise PlaybookError(f"there is no role in the folder {shown(role)}")
    if role.count(".") == 2:
        if core.find_role(role):
            return role, None
    elif _NAME.fullmatch(role):
        here = Path("roles", role)
        if _is_role(here):
            return role, here.resolve()
        if core.find_role(f"{collection.NAME}.{role}"):
            return f"{collection.NAME}.{role}", None
        for place in core.C.DEFAULT_ROLES_PATH or ():
            if _is_role(Path(place, role)):
                return role, Path(place, role).resolve()
    names = [found.name for found in list_roles()]
    playbooks = collection.playbook_files()
    ours = f"{collection.NAME}.{role}"
    near = [ours] if ours in playbooks else difflib.get_close_matches(role, [*names, *playbooks], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are the roles {', '.join(names) or '(none)'}"
    raise PlaybookError(f"there is no playbook and no role {shown(role)}; {hint}")


def _is_role(folder: Path) -> bool:
    return (folder / "tasks").is_dir()


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (path for path in sorted(parent.iterdir()) if _is_role(path) and _NAME.fullmatch(path.name))


def _entry_names(folder: Path) -> list[str]:
    found = {
        path.stem for path in (folder / "tasks").glob("*") if path.suffix in _YAML and not path.stem.startswith("_")
    }
    listed = [name for name in _specs(folder) if name in found]
    return [*listed, *sorted(found - set(listed))]


def _entries(folder: Path) -> tuple[Entry, ...]:
    specs = _specs(folder)
    entries = []
    for name in _entry_names(folder):
        spec = specs.get(name)
        if specs and spec is None:
            continue
        spec = spec or {}
        description = spec.get("description") or ()
        entries.append(
            Entry(
                name=name,
                summary=str(spec.get("short_description") or ""),
                description=(description,) if isinstance(description, str) else tuple(map(str, description)),
                options=spec.get("options") or {},
            )
        )
    return tuple(entries)


def _specs(folder: Path) -> dict[str, dict[str, Any]]:
    for suffix in _YAML:
        path = folder / "meta" / f"argument_specs{suffix}"
        if not path.is_file():
            continue
        try:
            data = yaml.load(path.read_text(encoding="utf-8"), Loader=_SAFE) or {}  # noqa: S506 - a safe loader, in C
            specs = data.get("argument_specs") or {}
            return {str(name): dict(spec or {}) for name, spec in specs.items()}
        except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise PlaybookError(f"{path} is no argument specification: {' '.join(str(error).split())}") from error
    return {}


def _near_files(path: Path) -> str:
    try:
        names = [found.name for found in path.parent.iterdir() if found.suffix in _YAML]
    except OSError:
        return f"; there is no folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
