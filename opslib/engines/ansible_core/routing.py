"""Where Ansible's own plugins went to: read from YAML once for each version of ansible-core, and kept.

ansible-core parses that list, 376 KB, in every process: an eighth of a second, a quarter of all that a run needs before
it connects. It provides for others to read it in a way of their own (`_collection_meta._meta_yml_to_dict`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.utils.collection_loader._collection_meta import _meta_yml_to_dict

__all__ = ["read"]

_BUILTIN = ("ansible.builtin", "runtime.yml")


def read(text: bytes | str, content_id: Sequence[str]) -> Mapping[str, Any]:
    """Return what a collection's `runtime.yml` says; content_id: the collection and the file's name.

    Ansible's own is kept below the user's cache folder, under the hash of its text.
    """
    if tuple(content_id) != _BUILTIN:
        parsed: Mapping[str, Any] = _meta_yml_to_dict(text, content_id)
        return parsed
    data = text.encode() if isinstance(text, str) else text
    file = _folder() / f"ansible-routing-{hashlib.sha256(data).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, RecursionError):
        kept = _kept(file)
        if isinstance(kept, dict):
            return kept
    parsed = _meta_yml_to_dict(text, content_id)
    with contextlib.suppress(OSError):
        _keep(file, json.dumps(parsed))
    return parsed


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "opslib"


def _kept(file: Path) -> Any:
    """Return what is kept in a file; OSError when it is not ours alone to write."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="utf-8") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"{file} can be written by others")
        return json.load(opened)


def _keep(file: Path, text: str) -> None:
    """Write a file aside, then put it in its place; where the user has no home, nothing is kept."""
    if not file.parent.parent.parent.is_dir():
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, aside = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.replace(aside, file)
    except BaseException:
        os.unlink(aside)
        raise
