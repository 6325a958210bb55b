"""What a lab host looks like, so that two looks show whether anything was touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from opslib.lab import LabHost

__all__ = ["FOLDERS", "fingerprint"]

FOLDERS = ("/etc", "/home", "/opt", "/root", "/run/systemd/system", "/srv", "/tmp", "/usr/local", "/var")
"""Where a task of ours could leave something; what is enabled and masked is to be seen there too."""

# Whoever logs in or uses sudo changes these, and journald and systemd's timers do at any time.
_RESTLESS = ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/log/journal", "/var/lib/sudo/lectured")
_OF_LOGINS = ("user@", "user-runtime-dir@", "systemd-logind", "systemd-tmpfiles-clean", "logrotate", "session-")
_ASKED = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "InvocationID", "MainPID")
_LOOK = r"""
import json, os, sys
folders, restless = json.load(sys.stdin)
found = {}
def look(path):
    try:
        status = os.lstat(path)
    except FileNotFoundError:  # gone since its folder was listed, as databases' files are: two looks show that as well
        return
    row = [oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink, status.st_size]
    row += [status.st_mtime_ns, status.st_ctime_ns]  # the kernel moves the latter at any change; nobody can set it
    found[ascii(path)] = " ".join(map(str, row))
for top in folders:
    for folder, names, files in os.walk(top):
        names[:] = [name for name in names if os.path.join(folder, name) not in restless]
        look(folder)
        for name in files + [name for name in names if os.path.islink(os.path.join(folder, name))]:
            path = os.path.join(folder, name)
            if path not in restless:
                look(path)
print(json.dumps(found))
"""


def fingerprint(host: LabHost, folders: Sequence[str] = FOLDERS) -> Mapping[str, str]:
    """Return all files below some folders (mode, owner, size, times) and all units (state, invocation) of a host."""
    asked = json.dumps([list(folders), _RESTLESS])
    files: dict[str, str] = json.loads(host.run(["python3", "-IS", "-c", _LOOK], input=asked).stdout)
    return {**files, **_units(host)}


def _units(host: LabHost) -> dict[str, str]:
    kinds = ("*.service", "*.socket", "*.timer")
    shown = host.run(["systemctl", "show", "--all", f"--property={','.join(_ASKED)}", *kinds]).stdout
    found = {}
    for block in shown.strip().split("\n\n"):
        rows = dict(line.split("=", 1) for line in block.splitlines())
        if not rows["Id"].startswith(_OF_LOGINS):
            found[f"unit {rows['Id']}"] = " ".join(f"{name}={rows.get(name, '')}" for name in _ASKED[1:])
    return found
