"""Take access away: keys out of authorized_keys, accounts locked, their processes ended."""

from __future__ import annotations

import os
import time

from opslib.host.audit import auth_log, logins, places, revocation
from opslib.host.command import SIGKILL, run
from opslib.host.params import USER, Boolean, ListOf, ParamError, Text, shown
from opslib.host.plan import ACTION, MODIFY, REMOVE, Change, Plan
from opslib.host.system import processes, sessions
from opslib.host.task import Task, TaskError, param
from opslib.host.words import listed, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DAY = 86400
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SWEEPS = 20


class Fingerprint(Text):
    """A key's fingerprint as `ssh-keygen -l` and sshd's log show it."""

    def __init__(self) -> None:
        super().__init__("fingerprint such as SHA256:... of 43 characters, as ssh-keygen -l shows it")

    def check(self, value: str) -> str:
        digest = value[len("SHA256:") :]
        if not value.startswith("SHA256:") or len(digest) != 43 or any(c not in _BASE64 for c in digest):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


class RevokeAccess(Task, name="revoke_access"):
    """Remove keys from the authorized_keys of all accounts, lock accounts, and end what runs as them.

    A locked account has no password that matches and is expired, so that keys open it no more either (usermod --lock
    --expiredate 1; undone by usermod --unlock --expiredate ''). With `processes` everything that runs as it is killed,
    sessions included. Refused, before anything is changed: root, the user who runs this, and keys with which somebody
    logged in, during the last day, from where this run comes from. What cannot be changed does not keep the rest from
    being revoked; the step then fails in the end. Keys are looked for in .ssh/authorized_keys and authorized_keys2 of
    all accounts that `getent passwd` lists, and in the files that sshd names besides (AuthorizedKeysFile, as `sshd -T`
    and sshd_config have it); where sshd asks a command for keys, or trusts certificates, a warning says so.

    data: `keys`: `user`, `path`, `fingerprint`, `comment` of those found; `users`: `user`, `locked`, `processes`.

    A user whom a host does not have is a warning there: one host cannot know whether the name is wrong, or the account
    is on others only.

    Errors: a file cannot be read or changed. Sources: usermod(8), shadow(5), sshd(8), sshd_config(5)
    (UsePAM, AuthorizedKeysFile), getent(1).
    """

    keys: list[str] = param(
        ListOf(Fingerprint(), longest=200),
        "Fingerprints of keys.",
        default=[],
        example=["SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s"],
    )
    users: list[str] = param(ListOf(USER, longest=100), "Accounts to lock.", default=[], example=["eve"])
    processes: bool = param(Boolean(), "Whether to kill what runs as the locked accounts.", default=True)

    _failed: Any = None

    def check(self) -> None:
        if not self.keys and not self.users:
            self.refuse("give keys, users, or both; neither is asked")
        if "root" in self.users or "0" in self.users:
            self.refuse("root is not locked: nobody could mend anything afterwards")

    def probe(self) -> dict[str, Any]:
        accounts = _accounts()
        operators = sessions.ssh_peers()
        used = set()
        if self.keys and operators:
            now = time.time()
            found = logins.read("auto", now - _DAY, now)
            if found.denied:
                raise TaskError(found.denied)
            for one in found.events:
                if one.kind == auth_log.LOGIN and one.address in operators and one.key:
                    used.add(one.key)
        problems: list[str] = []
        where = places.look() if self.keys else places.Places(files=(), notes=())
        running = _running({accounts[user][0] for user in self.users if user in accounts})
        return {
            "keys": list(revocation.found(where.files, set(self.keys), problems.append)),
            "problems": problems,
            "elsewhere": where.notes,
            "used": used,
            "uids": {user: accounts[user][0] for user in self.users if user in accounts},
            "locked": {user: _locked(user) for user in self.users if user in accounts},
            "running": {user: len(running.get(accounts[user][0], ())) for user in self.users if user in accounts},
            "own": _own_uids() | {accounts[user][0] for user in (os.environ.get("SUDO_USER"),) if user in accounts},
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        data = {
            "keys": state["keys"],
            "users": [
                {"user": user, "locked": state["locked"][user], "processes": state["running"][user]}
                for user in state["uids"]
            ],
        }
        missing = [user for user in self.users if user not in state["uids"]]
        mine = [user for user in self.users if state["uids"].get(user) in state["own"]]
        zero = [user for user in self.users if state["uids"].get(user) == 0]
        failure = ""
        if mine or zero:
            failure = "%s is who runs this, or root by another name; nothing was revoked" % ", ".join(mine or zero)
        elif state["used"].intersection(self.keys):
            key = min(state["used"].intersection(self.keys))
            failure = "with %s somebody logged in from where this run comes from; nothing was revoked" % key
        if failure:
            return Plan(failure=failure, data=data)
        changes = []
        for path in sorted({row["path"] for row in state["keys"]}):
            rows = [row for row in state["keys"] if row["path"] == path]
            words = ", ".join("%(fingerprint)s (%(comment)s)" % row for row in rows)
            summary = "remove %s from %s" % (words, printable(path))
            changes.append(Change(kind=REMOVE, summary=summary, before=words, detail=("keys", path)))
        for user in state["uids"]:
            if not state["locked"][user]:
                changes.append(
                    Change(kind=MODIFY, summary="lock " + user, before="open", after="locked", detail=("lock", user))
                )
            if self.processes and state["running"][user]:
                number = state["running"][user]
                words = "kill %d process%s of %s" % (number, "" if number == 1 else "es", user)
                changes.append(Change(kind=ACTION, summary=words, detail=("kill", state["uids"][user])))
        warnings = ["cannot be searched for keys: " + words for words in state["problems"]]
        warnings += state["elsewhere"]
        if missing:
            words = "/etc/passwd has no %s to lock: is the name right, and the account on other hosts only?"
            warnings.append(words % ", ".join(missing))
        if state["problems"] and not changes:
            failure = "the keys may still be where they cannot be looked for: " + listed(state["problems"])
        locked = "those of these users that there are" if missing else "these users"
        reason = "" if changes else "no account knows these keys, and %s are locked" % locked
        return Plan(changes=changes, reason=reason, failure=failure, warnings=warnings, data=data)

    def apply(self, change: Change) -> None:
        what, which = change.detail
        if what == "keys":
            try:
                revocation.remove(which, set(self.keys))
            except OSError as error:
                self._keep_failure("%s cannot be changed: %s" % (printable(which), error.strerror))
        elif what == "lock":
            try:
                run(("usermod", "--lock", "--expiredate", "1", "--", which), timeout=30)
            except TaskError as error:
                self._keep_failure(str(error))
        else:
            _kill(which)

    def _keep_failure(self, words: str) -> None:
        """Keep what went wrong until all else is done: whoever broke in must not be able to stop it half way."""
        object.__setattr__(self, "_failed", [*(self._failed or ()), words])

    def verify(self, plan: Plan) -> None:
        if self._failed:
            raise TaskError("; ".join(self._failed))


def _accounts() -> dict[str, tuple[int, str]]:
    found = {}
    with open("/etc/passwd", "rb") as file:
        for line in file.read(4 << 20).decode("utf-8", "replace").split("\n"):
            row = line.split(":")
            if len(row) > 6 and row[2].isdigit():
                found[row[0]] = (int(row[2]), row[5])
    return found


def _locked(user: str) -> bool:
    """Whether an account has no password that matches and is expired. Raises TaskError without root."""
    try:
        with open("/etc/shadow", "rb") as file:
            rows = [line.split(":") for line in file.read(4 << 20).decode("utf-8", "replace").split("\n")]
    except OSError as error:
        raise TaskError("/etc/shadow: %s; run this as root (become)" % error.strerror) from None
    return any(row[0] == user and row[1].startswith(("!", "*")) and row[7:8] == ["1"] for row in rows)


def _running(uids: set[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pid in processes.pids() if uids else ():
        for line in processes.read(pid, "status", 8192).splitlines():
            if line.startswith(b"Uid:"):
                uid = int(line.split()[1])
                if uid in uids:
                    found.setdefault(uid, []).append(pid)
    return found


def _own_uids() -> set[int]:
    """Return the ids of the users as whom our ancestors run: whoever logged in to start this, by any name."""
    found = set()
    pid = os.getpid()
    for _level in range(64):
        status = processes.read(pid, "status", 8192).splitlines()
        fields = dict(line.split(b":", 1) for line in status if b":" in line)
        if not fields:
            break
        found.add(int(fields.get(b"Uid", b"0").split()[0]))
        pid = int(fields.get(b"PPid", b"0"))
        if pid <= 1:
            break
    return found


def _kill(uid: int) -> None:
    """Kill what runs as a user, until nothing is left or it does not help."""
    for _sweep in range(_SWEEPS):
        pids = _running({uid}).get(uid, [])
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, SIGKILL)
            except OSError:
                pass
        time.sleep(0.05)
