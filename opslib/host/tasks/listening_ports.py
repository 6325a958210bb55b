"""Look at who listens on which ports, and whether that is as it should be."""

from __future__ import annotations

import os
import sys

from opslib.host.params import Boolean, ListOf, Mapping, ParamError, Port, Text, shown
from opslib.host.plan import Plan
from opslib.host.system import processes
from opslib.host.system.listeners import unit_of
from opslib.host.task import Task, TaskError, param
from opslib.host.words import count, listed, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

_TCP_LISTEN, _UDP_OPEN = "0A", "07"
_MOST = 500
_MOST_PIDS = 20


class PortOf(Text):
    """A port, TCP unless it says otherwise: 443, "443/tcp", "53/udp". Canonical: "443/tcp"."""

    def __init__(self) -> None:
        super().__init__("port such as 443, 443/tcp or 53/udp")

    def check(self, value: str) -> str:
        number, _slash, protocol = value.partition("/")
        if protocol not in ("tcp", "udp") and value != number:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return "%d/%s" % (Port()(number), protocol or "tcp")


class ListeningPorts(Task, name="listening_ports"):
    """List the ports that are listened on and by whom, and fail when one is missing or is open that should not be.

    Looks at the sockets of the host's own network namespace, not into those of containers. Sockets of several
    processes (workers) and several sockets of one address and port are shown as one. Who holds a socket of another
    user is known to root only; its user is always known. A UDP socket without a peer counts as listening. Nothing is
    changed.

    data: `listening` (at most 500, `left_out` says how many more), by port: `protocol` ("tcp", "udp"), `address`,
    `port`, `loopback` (reached from this host only), `user` (who made the socket), `pids` (at most 20), `program` and
    `unit` of the first of them (empty if unknown); `missing` ports that are expected; `unwanted` ports that are open
    beyond `only`; `wrong_owner` in words; `unknown_owners`, how many of the listening have no process to be seen.

    Errors: /proc/net/tcp is not readable. Sources: proc_pid_net(5), the kernel's proc_net_tcp.rst, netstat(8), ss(8).
    """

    expected: list[str] = param(
        ListOf(PortOf()),
        "Fail unless each of these ports is listened on, on whatever address.",
        default=[],
        example=["22", "443/tcp", "53/udp"],
    )
    only: list[str] = param(
        ListOf(PortOf()),
        "Fail when any port beyond these and the expected ones is open on an address that is not loopback.",
        default=None,
        example=["22", "443"],
    )
    owner: dict[str, str] = param(
        Mapping(Text("unit, program or user")),
        "Fail when a port that is listened on belongs to another unit, program or user than this.",
        default={},
        example={"8000": "uvicorn.service"},
    )
    udp: bool = param(
        Boolean(),
        "Look at UDP as well, for `only` too; always done where a UDP port is named.",
        default=False,
        example=True,
    )

    def check(self) -> None:
        self._owners()

    def probe(self) -> dict[str, Any]:
        names = [*self.expected, *(self.only or ()), *self._owners()]
        protocols = ["tcp", "udp"] if self.udp or any(name.endswith("/udp") for name in names) else ["tcp"]
        found, read = [], 0
        for protocol in protocols:
            for suffix in ("", "6"):
                try:
                    with open("/proc/self/net/" + protocol + suffix, encoding="ascii", errors="replace") as table:
                        found += parse_table(table, protocol)
                    read += 1
                except FileNotFoundError:
                    continue
        if not read:
            raise TaskError("/proc/net/tcp cannot be read: is /proc mounted?")
        holders, hidden = _holders({inode for row in found for inode in row["inodes"]})
        rows = merged(found)
        users = processes.users(sorted({row["uid"] for row in rows}))
        first = {}
        for row in rows:
            pids = sorted({pid for inode in row.pop("inodes") for pid in holders.get(inode, ())})
            pids.sort(key=lambda pid: pid == 1)  # systemd holds the sockets of those it starts
            row.update(pids=pids[:_MOST_PIDS], user=users[row.pop("uid")])
            if pids:
                first[pids[0]] = "", ""
        for pid in first:
            program = printable(processes.read(pid, "comm", 64).decode("utf-8", "replace").rstrip("\n"))
            first[pid] = program, unit_of(processes.read(pid, "cgroup").decode("utf-8", "replace"))
        for row in rows:
            row["program"], row["unit"] = first[row["pids"][0]] if row["pids"] else ("", "")
        return {"listening": rows, "hidden": hidden}

    def plan(self, state: dict[str, Any]) -> Plan:
        rows = state["listening"]
        names = {_name(row) for row in rows}
        missing = [name for name in dict.fromkeys(self.expected) if name not in names]
        failures = ["nothing listens on port %s" % name for name in missing]
        unwanted = []
        if self.only is not None:
            allowed = {*self.only, *self.expected}
            unwanted = [row for row in rows if not row["loopback"] and _name(row) not in allowed]
            if unwanted:
                failures.append("open beyond what is allowed: " + listed([_words(row) for row in unwanted], 10))
        owners = self._owners()
        wrong = []
        for row in rows:
            wanted = owners.get(_name(row))
            if wanted is None or _is(row, wanted):
                continue
            unknown = "; who that is takes root to see" if not row["pids"] and state["hidden"] else ""
            wrong.append("%s should belong to %s%s" % (_words(row), printable(wanted), unknown))
        failures += wrong
        unknown_owners = sum(not row["pids"] for row in rows)
        warnings = []
        if unknown_owners and state["hidden"]:
            words = "the processes behind %s of other users are unknown (run as root to see them)"
            warnings.append(words % count(unknown_owners, "socket"))
        reason = "nothing listens on any port"
        if rows:
            reason = "%s: %s" % (count(len(rows), "listening socket"), listed([_words(row) for row in rows], 10))
        return Plan(
            reason=reason,
            failure="; ".join(failures),
            warnings=warnings,
            data={
                "listening": rows[:_MOST],
                "left_out": max(len(rows) - _MOST, 0),
                "missing": missing,
                "unwanted": list(dict.fromkeys(_name(row) for row in unwanted)),
                "wrong_owner": wrong,
                "unknown_owners": unknown_owners,
            },
        )

    def _owners(self) -> dict[str, str]:
        kind = PortOf()
        found: dict[str, str] = {}
        for key, wanted in self.owner.items():
            try:
                name = kind(key)
            except ParamError as error:
                self.refuse("owner: %s" % error)
            if found.setdefault(name, wanted) != wanted:
                self.refuse("owner: port %s belongs to %s and to %s" % (name, shown(found[name]), shown(wanted)))
        return found


def parse_table(lines: Iterable[str], protocol: str) -> list[dict[str, Any]]:
    """Return the listening sockets in the lines of a /proc/net/tcp, tcp6, udp or udp6."""
    state = _TCP_LISTEN if protocol == "tcp" else _UDP_OPEN
    found = []
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) < 10 or fields[3] != state:
            continue
        where, _colon, port = fields[1].partition(":")
        address = parse_address(where)
        found.append(
            {
                "protocol": protocol,
                "address": address,
                "port": int(port, 16),
                "loopback": address.startswith(("127.", "::ffff:127.")) or address == "::1",
                "uid": int(fields[7]),
                "inodes": [fields[9]],
            }
        )
    return found


def parse_address(text: str, order: str = sys.byteorder) -> str:
    """Return an address as people write it; the kernel prints it as 32-bit words in the order of the machine."""
    from _socket import AF_INET, AF_INET6, inet_ntop

    packed = bytes.fromhex(text)
    if order == "little":
        packed = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def merged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return sockets sorted by port, those of one protocol, address and port as one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["port"], row["protocol"], row["address"])):
        known = found.setdefault((row["protocol"], row["address"], row["port"]), dict(row, inodes=[]))
        known["inodes"] += row["inodes"]
    return list(found.values())


def _holders(inodes: set[str]) -> tuple[dict[str, list[int]], bool]:
    """Return which processes hold sockets, and whether some processes could not be looked into."""
    found: dict[str, list[int]] = {}
    hidden = os.geteuid() != 0 and not os.path.isdir("/proc/1")
    for pid in processes.pids() if inodes else ():
        folder = "/proc/%d/fd" % pid
        try:
            names = os.listdir(folder)
        except PermissionError:
            hidden = True
            continue
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(folder + "/" + name)
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1] in inodes:
                found.setdefault(target[8:-1], []).append(pid)
    return found, hidden


def _name(row: dict[str, Any]) -> str:
    return "%d/%s" % (row["port"], row["protocol"])


def _is(row: dict[str, Any], owner: str) -> bool:
    return owner in (row["unit"], row["program"], row["user"]) or owner + ".service" == row["unit"]


def _words(row: dict[str, Any]) -> str:
    where = "[%s]" % row["address"] if ":" in row["address"] else row["address"]
    if row["pids"]:
        who = "%s, pid %d%s" % (row["program"], row["pids"][0], row["unit"] and ", " + row["unit"])
    else:
        who = "user %s" % row["user"]
    return "%s:%s (%s)" % (where, _name(row), who)
