"""What tests do to a PostgreSQL database on a lab host, and how they look at it; with its own programs, not with ours."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from opslib import Fleet, HostResult
from opslib.host.task import Task
from support.apply import target_for
from support.hosts import eventually, left_behind
from support.system import System

__all__ = [
    "ADMIN",
    "FOLDER",
    "ballast",
    "counts",
    "databases",
    "files",
    "interrupted",
    "kill",
    "manifest",
    "newest",
    "spoil",
]

ADMIN: dict[str, Any] = {"system_user": "postgres", "database": "ai_cost"}
FOLDER = "/var/backups/postgres"


def files(system: System, pattern: str = "*") -> list[str]:
    """Return the names of files in the folder of backups."""
    found = system.host.run(["find", FOLDER, "-type", "f", "-name", pattern, "-printf", "%f\n"], check=False)
    return sorted(found.stdout.split("\n")[:-1])


def newest(system: System) -> str:
    """Return the name of the newest backup that was not made before a restore."""
    return [name[:-5] for name in files(system, "ai_cost-2*.dump")][-1]


def manifest(system: System, name: str, **changes: Any) -> Any:
    """Return a backup's manifest; with changes, after writing it with them."""
    path = f"{FOLDER}/{name}.json"
    content = {**json.loads(system.host.read(path)), **changes}
    if changes:
        system.host.write(path, json.dumps(content), 0o600)
    return content


def counts(system: System, database: str = "ai_cost") -> dict[str, int]:
    """Return the number of rows of each table."""
    query = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    tables = system.sql(query, database).splitlines()
    return {name: int(system.sql(f"SELECT count(*) FROM {name}", database)) for name in tables}


def databases(system: System) -> set[str]:
    """Return the names of all databases that are no templates."""
    return set(system.sql("SELECT datname FROM pg_database WHERE NOT datistemplate").splitlines())


def ballast(system: System, rows: int = 200000) -> None:
    """Make a table that takes a second or two to dump and to restore."""
    system.sql(
        f"CREATE TABLE ballast AS SELECT i, md5(i::text) || md5((i+1)::text) AS t FROM generate_series(1, {rows}) i;"
        "ALTER TABLE ballast OWNER TO ai_cost;"
    )


def kill(system: System, program: str) -> bool:
    """Kill a program of the host if it runs; return whether it did."""
    found = [
        each.outer_pid for each in system.host.pids() if each.command and os.path.basename(each.command[0]) == program
    ]
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return bool(found)


def interrupted(system: System, task: Task, strike: Callable[[], bool]) -> HostResult:
    """Run a step and return its result; meanwhile `strike` is called until it has struck."""
    results = []

    def run() -> None:
        with Fleet([target_for(system.lab, system.host)], timeout=120) as fleet:
            results.append(fleet.run([task]).hosts[system.host.name])

    thread = threading.Thread(target=run)
    thread.start()
    struck = eventually(lambda: strike() or not thread.is_alive())
    thread.join(60)
    assert struck
    assert not thread.is_alive()
    assert eventually(lambda: left_behind(system.host) == []), left_behind(system.host)
    return results[0]


def spoil(system: System, name: str) -> None:
    """Make a backup one that restores half, and whose checksum and size are right: the end of its data is damaged."""
    path = f"{FOLDER}/{name}.dump"
    size = manifest(system, name)["bytes"]
    system.host.run(["bash", "-c", f"head -c 64 /dev/zero | dd of={path} bs=1 seek={size * 3 // 4} conv=notrunc 2>&1"])
    total = system.host.run(["sha256sum", path]).stdout.split()[0]
    manifest(system, name, sha256=total)
