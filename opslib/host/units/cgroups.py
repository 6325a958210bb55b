"""The memory limit of the container that this host may be. Sources: cgroups(7), the kernel's cgroup-v2.rst."""

from __future__ import annotations

from opslib.host.files import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from opslib.host.files.mounts import Mount

_ENDLESS = 1 << 60


def memory() -> dict[str, Any] | None:
    """Return the tightest memory limit above the first process of this host, or None when there is none.

    The first process stands for the host: a limit on our own session is no limit of the host. Keys: `version`,
    `path`, `limit_bytes`, `used_bytes`, `inactive_file_bytes` (cache that can go at once), `swap_limit_bytes` (None:
    no limit), `swap_used_bytes`, `oom_kills` (None: unknown).
    """
    folders, version = memory_folders(read("/proc/1/cgroup"), read("/proc/self/cgroup"), mounts.read_table())
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    limits = [(least, folder) for folder in folders for least in [number(folder + "/" + name)] if least is not None]
    limit, folder = min(limits, default=(_ENDLESS, ""))
    if limit >= _ENDLESS:
        return None
    stat = numbers(read(folder + "/memory.stat"))
    events = numbers(read(folder + ("/memory.events" if version == 2 else "/memory.oom_control")))
    return {
        "version": version,
        "path": folder,
        "limit_bytes": limit,
        "used_bytes": number(folder + ("/memory.current" if version == 2 else "/memory.usage_in_bytes")) or 0,
        "inactive_file_bytes": stat.get("inactive_file" if version == 2 else "total_inactive_file", 0),
        "swap_limit_bytes": number(folder + "/memory.swap.max") if version == 2 else None,
        "swap_used_bytes": number(folder + "/memory.swap.current") if version == 2 else stat.get("total_swap", 0),
        "oom_kills": events.get("oom_kill"),
    }


def memory_folders(first: str, own: str, table: Sequence[Mount]) -> tuple[list[str], int]:
    """Return the folders of the memory controller from the first process's group up, and the version.

    first, own: /proc/1/cgroup and /proc/self/cgroup; table: the mount table, which says where the groups are.
    """
    version = 1 if any("memory" in controllers for controllers, _path in _groups(own)) else 2
    tops = mounts.on_top(table)
    for mount in table:
        ours = mount.fstype == "cgroup2" if version == 2 else mount.fstype == "cgroup" and "memory" in mount.features
        if ours and mounts.holding(mount.point, tops) is mount:
            break
    else:
        return [], version
    path = _group(first, version)
    if path is None or path.startswith("/.."):  # the first process is not of this container
        path = _group(own, version) or "/"
    root = mount.root.rstrip("/")
    inside = path[len(root) :] if (path + "/").startswith(root + "/") else ""
    parts = [part for part in inside.split("/") if part not in ("", "..")]
    point = mount.point.rstrip("/")
    return ["/".join([point, *parts[:depth]]) for depth in range(len(parts), -1, -1)], version


def numbers(text: str) -> dict[str, int]:
    """Return the numbers of a file of `name number` lines."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _groups(text: str) -> list[tuple[list[str], str]]:
    rows = (line.split(":", 2) for line in text.splitlines())
    return [(row[1].split(","), row[2]) for row in rows if len(row) == 3]


def _group(text: str, version: int) -> str | None:
    wanted = "memory" if version == 1 else ""
    return next((path for controllers, path in _groups(text) if wanted in controllers), None)


def number(path: str) -> int | None:
    """Return the number that a file holds; None when it holds none, or is missing."""
    text = read(path).strip()
    return int(text) if text.isascii() and text.isdigit() else None


def read(path: str) -> str:
    """Return the beginning of a small file of the kernel's; nothing when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(1 << 18).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
