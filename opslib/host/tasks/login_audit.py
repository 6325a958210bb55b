"""Say who logged in and who tried to, who used sudo, and which keys are new."""

from __future__ import annotations

import time

from opslib.host.audit import auth_log, keys, logins, places
from opslib.host.logs.patterns import unsecret
from opslib.host.params import Boolean, Choice, Duration, ListOf, Number, Path
from opslib.host.plan import Plan
from opslib.host.task import Task, param
from opslib.host.web.networks import Network, net, within
from opslib.host.words import count, listed, printable, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

    from opslib.host.audit.auth_log import Event
    from opslib.host.audit.logins import Found

_NAMES = 10
_LOCAL = ("127.0.0.1", "::1", "")


class LoginAudit(Task, name="login_audit"):
    """Count failed and successful logins by source and user, uses of sudo and su, changed accounts and new keys.

    Reads what sshd, sudo, su and the tools for accounts say in the journal, or in auth.log where there is no lasting
    journal, the logins in wtmp, and the keys of all accounts: of those that `getent passwd` lists and those who logged
    in, in their authorized_keys and in the files that sshd names besides (`sshd -T`). Three things are severe: a source
    that failed at least `guesses` times and then got in; a login from outside the `known` networks; logins in wtmp that
    no log knows of, or emptied records there (somebody wiped traces). They are warnings, or failures with `strict`. Of
    a command that ran under sudo only the program is shown. Where the log may not be read, that is severe as well, and
    all else is looked at. Nothing is changed.

    data: `since` (UTC), `source` (journal, files), `complete` (false when the log is too long, or may not be read);
    `failed_count`, `failed` by source, the most first: `address`, `count`, `users` (at most 10), `user_count`, `first`,
    `last`; `login_count`, `logins` by user and source:
    `user`, `address`, `method`, `key` (fingerprint), `count`, `first`, `last`, `known` (null without `known`);
    `broken_in`: `address`, `users`, `failures`, `at`; `sudo`: `user`, `target`, `program`, `count`, `last`;
    `sudo_failed`: the same; `su` and `su_failed`: `user`, `target`, `count`, `last`; `accounts`: `at`, `text`; `keys`:
    `user` (`*` for all), `type`, `fingerprint`, `comment`, `options`, `path`, `changed` (UTC), `new`; `key_count`,
    `new_keys`;
    `wtmp_count`, `wtmp_unlogged`: `user`, `host`, `at`; `wtmp_empty`. Of each list at most `top`.

    Errors: the journal cannot be read. Sources: sshd(8), sshd_config(5), sudo(8), utmp(5),
    journalctl(1), getent(1).
    """

    since: float = param(Duration(1), "Look at this many seconds until now.", default="7d", example="1d")
    known: list[str] = param(
        ListOf(Network()), "Networks from which people log in.", default=[], example=["10.0.0.0/8", "203.0.113.7"]
    )
    guesses: int = param(
        Number(1, 1000000, whole=True), "So many failures before a success look like a guessed password.", default=10
    )
    strict: bool = param(Boolean(), "Whether what is severe is a failure.", default=False)
    source: str = param(Choice("auto", "journal", "files"), "Where to read what sshd and sudo said.", default="auto")
    wtmp: str = param(Path(), "The record of logins.", default="/var/log/wtmp")
    top: int = param(Number(1, 1000, whole=True), "How many entries of each list to show.", default=50)

    def probe(self) -> dict[str, Any]:
        now = time.time()
        since = now - self.since
        rows, empty = logins.wtmp(self.wtmp, since)
        found = logins.read(self.source, since, now)
        where = places.look(one.user for one in found.events if one.kind == auth_log.LOGIN)
        unread: list[str] = []
        return {
            "now": now,
            "since": since,
            "found": found,
            "keys": keys.authorized(where.files, since, problem=unread.append),
            "unread": unread,
            "elsewhere": where.notes,
            "wtmp": rows,
            "wtmp_empty": empty,
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        found: Found = state["found"]
        by: dict[str, list[Event]] = {}
        for one in found.events:
            by.setdefault(one.kind, []).append(one)
        failed, good = auth_log.failures(found.events), by.get(auth_log.LOGIN, [])
        entries = self._logins(good)
        broken_in = _broken_in(failed, good, self.guesses)
        unlogged = _unlogged(state["wtmp"], good, found)
        new_keys = [key for key in state["keys"] if key["new"]]
        sudo = {kind: _programs(by.get(kind, [])) for kind in (auth_log.SUDO, auth_log.SUDO_FAILED)}
        su = {kind: _takings(by.get(kind, [])) for kind in (auth_log.SU, auth_log.SU_FAILED)}
        top = self.top
        data = {
            "since": utc(state["since"]),
            "source": found.source,
            "complete": not (found.cut or found.denied),
            "failed_count": len(failed),
            "failed": _sources(failed)[:top],
            "login_count": len(good),
            "logins": entries[:top],
            "broken_in": broken_in[:top],
            "sudo": sudo[auth_log.SUDO][:top],
            "sudo_failed": sudo[auth_log.SUDO_FAILED][:top],
            "su": su[auth_log.SU][:top],
            "su_failed": su[auth_log.SU_FAILED][:top],
            "accounts": [
                {"at": utc(one.at), "text": unsecret(printable(one.text))[:300]} for one in by.get(auth_log.ACCOUNT, [])
            ][-top:],
            "keys": [dict(key, changed=utc(key["changed"])) for key in _newest(state["keys"])][:top],
            "key_count": len(state["keys"]),
            "new_keys": len(new_keys),
            "wtmp_count": len(state["wtmp"]),
            "wtmp_unlogged": unlogged[:top],
            "wtmp_empty": state["wtmp_empty"],
        }
        severe = [found.denied] if found.denied else []
        severe += self._severe(data, entries, unlogged)
        notes = _notes(data, new_keys, found) + list(state["elsewhere"])
        if state["unread"]:
            notes.append("keys cannot be looked for in " + listed(state["unread"]))
        reason = "%s failed, %s in, from %s; sudo was used %s; %s" % (
            count(len(failed), "login"),
            count(len(good), "login"),
            count(len({one.address for one in good}), "source"),
            count(len(by.get(auth_log.SUDO, [])), "time"),
            count(len(new_keys), "new key"),
        )
        reason = found.denied or reason
        failure = "; ".join(severe) if self.strict else ""
        return Plan(reason=reason, failure=failure, warnings=notes if self.strict else severe + notes, data=data)

    def _logins(self, good: Sequence[Event]) -> list[dict[str, Any]]:
        groups: dict[tuple[str, str, str, str], list[Event]] = {}
        for one in good:
            groups.setdefault((one.user, one.address, one.method, one.key), []).append(one)
        nets = [net(value) for value in self.known]
        rows = []
        for (user, address, method, key), events in groups.items():
            known = any(within(net(address.partition("%")[0]), other) for other in nets) if nets else None
            row = {"user": printable(user), "address": address, "method": method, "key": printable(key)}
            rows.append(dict(row, count=len(events), first=utc(events[0].at), last=utc(events[-1].at), known=known))
        return sorted(rows, key=lambda row: (row["known"] is not False, -row["count"], row["user"]))

    def _severe(
        self, data: dict[str, Any], entries: Sequence[dict[str, Any]], unlogged: Sequence[dict[str, Any]]
    ) -> list[str]:
        severe = []
        for one in data["broken_in"]:
            words = "%s failed %d times and then got in as %s (%s)"
            severe.append(words % (one["address"], one["failures"], ", ".join(one["users"]), one["at"]))
        strange = ["%s from %s" % (row["user"], row["address"]) for row in entries if row["known"] is False]
        if strange:
            severe.append("logins from outside the known networks: " + listed(strange))
        if unlogged:
            hidden = ["%s from %s at %s" % (row["user"], row["host"], row["at"]) for row in unlogged]
            severe.append("logins in wtmp that no log knows of: " + listed(hidden))
        if data["wtmp_empty"]:
            severe.append("%s in wtmp: somebody wiped traces" % count(data["wtmp_empty"], "emptied record"))
        return severe


def _notes(data: dict[str, Any], new_keys: Sequence[dict[str, Any]], found: Found) -> list[str]:
    notes = []
    if new_keys:
        words = [
            "%s of %s (%s)" % (key["fingerprint"], key["user"], key["comment"] or "no comment") for key in new_keys
        ]
        notes.append("keys in files that changed: " + listed(words))
    for kind in ("sudo", "su"):
        if data[kind + "_failed"]:
            notes.append(
                "%s was refused: %s"
                % (kind, listed(["%(user)s %(count)d times" % row for row in data[kind + "_failed"]]))
            )
    if data["accounts"]:
        notes.append("accounts changed: " + listed([row["text"] for row in data["accounts"]]))
    if data["wtmp_count"] and not found.events and not found.denied:
        notes.append("wtmp has %s, but the logs say nothing of sshd" % count(data["wtmp_count"], "login"))
    if found.cut:
        notes.append("there was more than can be read: the oldest is left out")
    return notes + [printable(words) for words in found.problems]


def _sources(failed: Sequence[Event]) -> list[dict[str, Any]]:
    groups: dict[str, list[Event]] = {}
    for one in failed:
        groups.setdefault(one.address, []).append(one)
    rows = []
    for address, events in groups.items():
        users = _ranked(one.user for one in events)
        row = {"address": address, "count": len(events), "users": users[:_NAMES], "user_count": len(users)}
        rows.append(dict(row, first=utc(events[0].at), last=utc(events[-1].at)))
    return sorted(rows, key=lambda row: (-row["count"], row["address"]))


def _ranked(names: Iterable[str]) -> list[str]:
    counts: dict[str, int] = {}
    for name in names:
        shown = printable(name)[:64]
        counts[shown] = counts.get(shown, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


def _broken_in(failed: Sequence[Event], good: Sequence[Event], guesses: int) -> list[dict[str, Any]]:
    times: dict[str, list[float]] = {}
    for one in failed:
        times.setdefault(one.address, []).append(one.at)
    rows: dict[str, dict[str, Any]] = {}
    for one in good:
        before = times.get(one.address, [])
        if len(before) >= guesses and before[guesses - 1] <= one.at:
            number = sum(1 for at in before if at <= one.at) if one.address not in rows else 0
            row = rows.setdefault(
                one.address, {"address": one.address, "users": [], "failures": number, "at": utc(one.at)}
            )
            if printable(one.user) not in row["users"]:
                row["users"].append(printable(one.user))
    return list(rows.values())


def _programs(events: Sequence[Event]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[Event]] = {}
    for one in events:
        groups.setdefault((one.user, one.target, one.text), []).append(one)
    rows = [
        {
            "user": printable(user),
            "target": printable(target),
            "program": printable(program)[:200],
            "count": len(found),
            "last": utc(found[-1].at),
        }
        for (user, target, program), found in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["user"], row["program"]))


def _takings(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("user", "target", "count", "last")} for row in _programs(events)]


def _unlogged(rows: Sequence[dict[str, Any]], good: Sequence[Event], found: Found) -> list[dict[str, Any]]:
    """Return logins over the network in wtmp near which no log has a login of that user.

    A connection that is shared (ControlMaster of ssh) logs in once and may open terminals for days, each of which is in
    wtmp; so an earlier login of that user from there explains it too.
    """
    if found.cut or not found.events:
        return []
    begins = found.events[0].at  # the log may have been thrown away earlier than wtmp
    times: dict[str, list[float]] = {}
    first: dict[tuple[str, str], float] = {}
    for one in good:
        times.setdefault(one.user, []).append(one.at)
        first.setdefault((one.user, one.address), one.at)
    strange = []
    for row in rows:
        remote = row["host"] not in _LOCAL and not row["host"].startswith(":") and row["line"].startswith("pts")
        shared = first.get((row["user"], row["host"]), row["at"] + 1) <= row["at"]
        near = any(abs(at - row["at"]) < 60 for at in times.get(row["user"], ()))
        if remote and row["at"] >= begins and not shared and not near:
            strange.append({"user": printable(row["user"]), "host": printable(row["host"]), "at": utc(row["at"])})
    return strange


def _newest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -row["changed"])
