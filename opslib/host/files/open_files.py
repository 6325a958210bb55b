"""Deleted files that a process still holds open, so that they still take space. Source: proc_pid_fd(5)."""

from __future__ import annotations

import os
import stat

from opslib.host.system import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection

MOST_LOOKED_AT = 500_000
_MARK = " (deleted)"


def deleted(wanted: Callable[[str], bool], devices: Collection[int]) -> tuple[list[dict[str, Any]], str]:
    """Return deleted regular files that are still open, the largest first, and a remark if not all could be seen.

    wanted: whether a path, as it was before it was deleted, is asked for; devices: the file systems asked for (paths
    of other containers look like ours). Each has `path`, `size_bytes`, `disk_bytes` and `pids`; counted once however
    many processes hold it.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    looked = hidden = 0
    for pid in processes.pids():
        folder = "/proc/%d/fd" % pid
        try:
            numbers = os.listdir(folder)
        except PermissionError:
            hidden += 1
            continue
        except OSError:
            continue
        for number in numbers:
            looked += 1
            if looked > MOST_LOOKED_AT:
                return _sorted(found), "more than %d files are open: not all were looked at" % MOST_LOOKED_AT
            try:
                path = os.readlink(folder + "/" + number)
                if not path.endswith(_MARK) or not wanted(path[: -len(_MARK)]):
                    continue
                status = os.stat(folder + "/" + number)
            except OSError:
                continue
            if status.st_nlink or not stat.S_ISREG(status.st_mode):
                continue
            if status.st_dev not in devices and not _lay_on(devices, os.path.dirname(path), pid):
                continue
            file = found.setdefault(
                (status.st_dev, status.st_ino),
                {
                    "path": path[: -len(_MARK)],
                    "size_bytes": status.st_size,
                    "disk_bytes": status.st_blocks * 512,
                    "pids": [],
                },
            )
            if pid not in file["pids"]:
                file["pids"].append(pid)
    words = "the open files of %d processes are not ours to see (run as root to find deleted files)" % hidden
    return _sorted(found), words if hidden else ""


def _lay_on(devices: Collection[int], folder: str, pid: int) -> bool:
    """Whether a process's path lies on these file systems; on an overlay, files have another device than folders."""
    try:
        ours = os.readlink("/proc/%d/ns/mnt" % pid) == os.readlink("/proc/self/ns/mnt")
        return ours and os.lstat(folder).st_dev in devices
    except OSError:
        return False


def _sorted(found: dict[tuple[int, int], dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found.values(), key=lambda file: (-file["disk_bytes"], file["path"]))
