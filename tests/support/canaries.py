"""Looks for secrets where none must be: in files of this machine and of hosts, and in their journals."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from opslib.lab import LabHost

__all__ = ["files_on", "files_with", "journal_has"]

FOLDERS = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")
_SEARCH = """
import gzip, json, os, stat, sys, time
words, folders, seconds = json.load(sys.stdin)
found = []
for folder in folders:
    for root, below, names in os.walk(folder):
        below[:] = [name for name in below if os.path.join(root, name) != "/var/log/journal"]
        for path in [os.path.join(root, name) for name in names]:
            try:
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime <= seconds:
                    with (gzip.open if path.endswith("gz") else open)(path, "rb") as file:
                        text = file.read()
                    found += [path for word in words if word.encode() in text]
            except (OSError, EOFError):
                pass
print(json.dumps(found))
"""


def files_with(words: Iterable[str], folders: Sequence[Path], since: float) -> list[str]:
    """Return files of this machine, changed since then, that hold one of the words; labs' hosts are searched apart."""
    wanted = [word.encode() for word in words]
    found = []
    for folder in folders:
        for root, below, names in os.walk(folder):
            below[:] = [name for name in below if not name.startswith("opslib-lab")]
            for path in (Path(root, name) for name in names):
                with contextlib.suppress(OSError):
                    if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                        text = path.read_bytes()
                        found += [str(path) for word in wanted if word in text]
    return found


def files_on(host: LabHost, words: Iterable[str], minutes: float = 600, folders: Sequence[str] = FOLDERS) -> set[str]:
    """Return the files of a host, changed in the last minutes, that hold one of the words; packed ones are unpacked.

    The journal is searched apart. The words are in no argument vector, as other tests may watch for them.
    """
    given = json.dumps([list(words), list(folders), minutes * 60])
    return set(json.loads(host.run(["python3", "-c", _SEARCH], input=given).stdout))


def journal_has(host: LabHost, words: Iterable[str], minutes: float = 600) -> list[str]:
    """Return the words that stand in a host's journal of the last minutes, in any field of an entry."""
    since = f"--since=-{minutes * 60:.0f}s"
    text = host.run(["journalctl", "--no-pager", "--all", "--output=export", since]).stdout
    return [word for word in words if word in text]
