"""Files of variables that a play reads when their turn comes, and what is encrypted in files."""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from opslib.engines import ansible_core as core

__all__ = ["encrypted_in", "files_of"]

_MARK = b"$ANSIBLE_VAULT"


def files_of(task: Any, loader: core.Loader, contexts: Iterable[Mapping[str, Any]]) -> Iterator[Path]:
    """Yield the files and folders that a task with `include_vars` will read, for hosts with these variables.

    Raises AnsibleError when that hangs on what is known only when the task's turn comes.
    """
    for variables in contexts:
        engine = core.Engine(loader=loader, variables=variables)
        items = core.loop_items(task, engine)
        for item in [None] if items is None else items:
            engine.available_variables = {**variables, str(task.loop_control.loop_var): item}
            yield _found(task, loader, core.plain(core.task_args(task, str(task.action), engine, free_form=True)))


def _found(task: Any, loader: core.Loader, args: Mapping[str, Any]) -> Path:
    """Return what `include_vars` finds with these parameters, by the rules of its action plugin."""
    if "dir" not in args:
        name = str(args.get("file") or args.get("_raw_params")).strip()
        return Path(loader.path_dwim_relative_stack(task.get_search_path(), "vars", name))
    name = str(args["dir"])
    if task._role is None:
        return Path(core.origin(task.get_ds())[0]).parent / name
    within = name.partition("/")[0] == "vars" and Path(task._role._role_path, name).exists()
    return Path(task._role._role_path, *([] if within else ["vars"]), name)


def encrypted_in(path: Path, loader: core.Loader, known: dict[str, str | None]) -> frozenset[str]:
    """Return the texts that are encrypted in a file, or in the files of a folder, among those that the loader has met.

    known: as for `core.encrypted`. What cannot be read or decrypted is left out: Ansible cannot do it, either.
    """
    files = [path] if path.is_file() else [Path(top, name) for top, _folders, names in os.walk(path) for name in names]
    found: set[str] = set()
    for file in files:
        with contextlib.suppress(OSError, core.AnsibleError):
            if _MARK in file.read_bytes():
                found.update(core.encrypted(loader.load_from_file(str(file), cache="none"), known))
    return frozenset(loader.secrets | found)
