"""How a host is booted, and what the kernel's tables say, without booting one."""

from __future__ import annotations

from pathlib import Path

from opslib.lab.cgroup import hierarchies
from opslib.lab.machine import command_line
from opslib.lab.places import mounts_below
from opslib.lab.spec import Bind, LabSpec
from opslib.lab.state import LabState

HYBRID = """\
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer
38 30 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
39 30 0:35 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
LEGACY = "38 30 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"


def test_hierarchies() -> None:
    assert hierarchies(HYBRID) == [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]
    assert hierarchies(UNIFIED) == [Path("/sys/fs/cgroup")]
    assert hierarchies(LEGACY) == []


def test_mounts_below_deepest_first_and_nothing_beside() -> None:
    table = "\n".join(
        f"1 1 0:1 / {point} rw - tmpfs tmpfs rw"
        for point in ("/", "/run/l", "/run/l/one", r"/run/l/one/a\040b", "/run/lab", "/run/l/two")
    )
    assert mounts_below(Path("/run/l/one"), table) == ["/run/l/one/a b", "/run/l/one"]
    assert mounts_below(Path("/run/l"), table)[-1] == "/run/l"


def test_command_line_escapes_binds() -> None:
    binds = (Bind("/a:b", "/c", writable=False), Bind("/d\\e", "/f", writable=True))
    spec = LabSpec(1, (), binds, "512M", "bookworm", "10.203.0.0/16")
    state = LabState("n", "3f9a01", spec, "10.203.0.0/24", "i", "p", False, None, "b", 0.0, Path("/run/l/n"))
    line = command_line(state, 1)
    assert line[0] == "systemd-nspawn"
    assert line[-2:] == [r"--bind-ro=/a\:b:/c", r"--bind=/d\\e:/f"]
    assert "--directory=/run/l/n/lab1/root" in line
    assert "--hostname=lab1" in line
