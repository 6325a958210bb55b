"""Looks for secrets where none must be: in files of this machine and of hosts, and in their journals."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from opslib.lab import LabHost

__all__ = ["files_on", "files_with", "journal_has"]

_FOLDERS = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")


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


def files_on(host: LabHost, words: Iterable[str], minutes: float = 600) -> set[str]:
    """Return the files of a host, changed in the last minutes, that hold one of the words; packed ones are unpacked.

    The journal is searched apart.
    """
    patterns = [part for word in words for part in ("-e", word)]
    young = ["-xdev", "-type", "f", "-mmin", f"-{minutes:.2f}", "-not", "-path", "/var/log/journal/*"]
    found: set[str] = set()
    for grep, names in (("grep", ["-name", "*"]), ("zgrep", ["-name", "*gz"])):
        find = ["find", *_FOLDERS, *young, *names, "-exec", grep, "-lsF", *patterns, "--", "{}", "+"]
        found.update(host.run(find, check=False).stdout.splitlines())
    return found


def journal_has(host: LabHost, words: Iterable[str], minutes: float = 600) -> list[str]:
    """Return the words that stand in a host's journal of the last minutes, in any field of an entry."""
    since = f"--since=-{minutes * 60:.0f}s"
    text = host.run(["journalctl", "--no-pager", "--all", "--output=export", since]).stdout
    return [word for word in words if word in text]
