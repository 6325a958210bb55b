"""What sshd, sudo and su say of logins, one message at a time. Pure.

Sources: OpenSSH's auth.c and packet.c, sudo's logging.c, su of util-linux and of shadow, as in Debian.
"""

from __future__ import annotations

import re

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

FAILED, CLOSED, LOGIN, SUDO, SUDO_FAILED, SU, SU_FAILED, ACCOUNT = (
    "failed",
    "closed",
    "login",
    "sudo",
    "sudo_failed",
    "su",
    "su_failed",
    "account",
)
SSHD = ("sshd", "sshd-session", "sshd-auth")
ACCOUNTS = (
    "useradd",
    "usermod",
    "userdel",
    "groupadd",
    "groupmod",
    "groupdel",
    "passwd",
    "chpasswd",
    "gpasswd",
    "chage",
)
IDENTIFIERS = (*SSHD, "sudo", "su", *ACCOUNTS)
_LONGEST = 2000
_USER = r"(?P<user>.*)"  # as much as can be: the client chooses the name, and sshd writes the address behind it
_FROM = r"from (?P<address>[0-9A-Fa-f:.]+(?:%\w+)?) port (?P<port>\d+)"


class Event(Record):
    """Something that happened. at: seconds since 1970; method: of a login; target: whose rights were taken."""

    kind: str
    at: float
    user: str = ""
    address: str = ""
    port: str = ""
    method: str = ""
    key: str = ""
    target: str = ""
    text: str = ""
    unknown: bool = False


_SSHD: Sequence[tuple[str, re.Pattern[str]]] = (
    (
        LOGIN,
        re.compile(r"^Accepted (?P<method>\S+) for %s %s(?: ssh2)?(?:: \S+ (?P<key>\S+))?$" % (_USER, _FROM)),
    ),
    (
        FAILED,
        re.compile(
            r"^Failed (?P<method>\S+) for (?P<unknown>invalid user )?%s %s(?: ssh2)?(?:: .*)?$" % (_USER, _FROM)
        ),
    ),
    (
        CLOSED,
        re.compile(
            r"^(?:Connection (?:closed|reset) by|Disconnected from) (?:(?P<unknown>invalid)|authenticating) user %s "
            r"(?P<address>[0-9A-Fa-f:.]+) port (?P<port>\d+) \[preauth\]$" % _USER
        ),
    ),
)
_SUDO = re.compile(r"^\s*(?P<user>\S+) : (?P<rest>.*)$", re.DOTALL)
_SUDO_PLAIN = re.compile(r"[A-Z]+=")  # without a reason before it, which would say why not
_SUDO_USER = re.compile(r"(?:^|; )USER=(\S+)")
_SUDO_COMMAND = re.compile(r"(?:^|; )COMMAND=(\S+)")
_SU = re.compile(
    r"^(?P<failed>FAILED SU )?\(to (?P<target>[^)]+)\) (?P<user>\S+) on \S+$"
    r"|^(?P<how>Successful|FAILED) su for (?P<target2>\S+) by (?P<user2>\S+)$"
)


def event(identifier: str, message: str, at: float) -> Event | None:
    """Return what a message says, None when it is nothing of interest."""
    found = _READERS.get(identifier)
    return found(message[:_LONGEST], at) if found else None


def failures(events: Sequence[Event]) -> list[Event]:
    """Return the failed logins: what sshd calls so, and connections that were closed without a try being named."""
    named = {(one.address, one.port) for one in events if one.kind == FAILED}
    return [
        one for one in events if one.kind == FAILED or (one.kind == CLOSED and (one.address, one.port) not in named)
    ]


def _sshd(message: str, at: float) -> Event | None:
    for kind, pattern in _SSHD:
        found = pattern.match(message)
        if found:
            groups = found.groupdict()
            return Event(
                kind=kind,
                at=at,
                user=groups["user"],
                address=groups["address"],
                port=groups["port"],
                method=groups.get("method") or "publickey",
                key=groups.get("key") or "",
                unknown=bool(groups.get("unknown")),
            )
    return None


def _sudo(message: str, at: float) -> Event | None:
    found = _SUDO.match(message)
    if not found:
        return None
    rest = found["rest"]
    programs = _SUDO_COMMAND.findall(rest)  # of the command only the program: its arguments may hold secrets
    if not programs:
        return None
    # What stands behind the first may be an argument, and the first itself the name of a folder: then all are told.
    end = len(rest) if len(programs) > 1 else rest.index("COMMAND=")
    users = _SUDO_USER.findall(rest[:end])
    return Event(
        kind=SUDO if _SUDO_PLAIN.match(rest) else SUDO_FAILED,
        at=at,
        user=found["user"],
        target=" or ".join(dict.fromkeys(users)) if len(programs) > 1 else (users or [""])[-1],
        text=" or ".join(dict.fromkeys(programs)),
    )


def _su(message: str, at: float) -> Event | None:
    found = _SU.match(message)
    if not found:
        return None
    failed = bool(found["failed"]) or found["how"] == "FAILED"
    return Event(
        kind=SU_FAILED if failed else SU,
        at=at,
        user=found["user"] or found["user2"],
        target=found["target"] or found["target2"],
    )


def _account(message: str, at: float) -> Event | None:
    return (
        Event(kind=ACCOUNT, at=at, text=message) if "pam_unix" not in message or "password changed" in message else None
    )


_READERS: dict[str, Callable[[str, float], Event | None]] = {
    **dict.fromkeys(SSHD, _sshd),
    "sudo": _sudo,
    "su": _su,
    **dict.fromkeys(ACCOUNTS, _account),
}
