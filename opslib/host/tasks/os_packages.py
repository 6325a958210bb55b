"""Tell which Debian packages are outdated, and upgrade them."""

from __future__ import annotations

import os
import time

from opslib.host.packages import apt, due, lock
from opslib.host.params import Boolean, Choice, Duration, ListOf, Name, Number, ParamError, shown
from opslib.host.plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import count, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from opslib.host.packages.apt import Step

MOST = 200
_NEVER = "the package lists were never fetched, or are dated in the future"
_KINDS = {"install": CREATE, "remove": REMOVE}


class PackageName(Name):
    """The name of a Debian package."""

    def __init__(self) -> None:
        super().__init__("package name", signs="+.-:", longest=100)

    def check(self, value: str) -> str:
        value = super().check(value)
        if value.endswith(("-", ":")) or value.lower() != value or value[0] in "+:":
            raise ParamError("%s is no package name" % shown(value))  # apt takes NAME- for "remove NAME"
        return value


class OsPackages(Task, name="os_packages"):
    """Tell which Debian packages are outdated, and upgrade all of them, those with security fixes, or some.

    Without `upgrade` it only tells, and changes nothing; with `refresh_after` package lists older than that are fetched
    first. What an upgrade would do is what `apt-get -s` says; where the lists are to be fetched first nobody knows
    yet, and the change is shown as "may change". Packages that are held stay. Nothing is removed unless `removals`
    says so, and configuration files that were edited stay as they are. What an interrupted dpkg left half-done is
    finished first. While another program holds dpkg's lock the task waits for it, `lock_timeout` at most.

    data: `outdated` (at most 200, security first: `name`, `installed`, `candidate`, `security`), `outdated_count`,
    `security_count`, `kept_back` (not upgraded because that would remove others), `held`, `half_done`,
    `lists_age_seconds` (null: never fetched, or dated in the future), `lock` (null, or `file`, `pid`, `program`),
    `reboot` (why one is due, in words), `restarts` (what still runs replaced code: `unit`, `pids`, `programs`,
    `files`).

    Errors: no apt on the host, a package that is not installed, a lock that stays held (who holds it is said), lists
    that cannot be fetched, whatever apt-get refuses, missing permission.
    Sources: apt-get(8), dpkg(1), dpkg-query(1).
    """

    upgrade: str | None = param(
        Choice("all", "security", "named"), "What to upgrade; nothing when not given.", default=None, example="security"
    )
    packages: list[str] = param(
        ListOf(PackageName()), "Installed packages that upgrade: named is to upgrade.", default=[], example=["openssl"]
    )
    refresh_after: float | None = param(
        Duration(), "Fetch the package lists when they are older than so many seconds.", default=None, example="1d"
    )
    removals: bool = param(Boolean(), "Whether an upgrade may remove packages that stand in its way.", default=False)
    lock_timeout: float = param(Duration(), "Seconds to wait for dpkg's lock.", default=60, example="5m")
    timeout: float = param(Duration(low=1), "Seconds that apt-get may take for one thing.", default=1800)
    security_fail: int | None = param(
        Number(1, 100000, whole=True),
        "Fail when so many packages lack a security fix, or nobody knows.",
        default=None,
        example=1,
    )
    outdated_fail: int | None = param(
        Number(1, 100000, whole=True),
        "Fail when so many packages are outdated, or nobody knows.",
        default=None,
        example=100,
    )

    _fetched: Any = False

    def check(self) -> None:
        if self.upgrade == "named" and not self.packages:
            self.refuse("upgrade: named needs packages")
        if self.packages and self.upgrade != "named":
            self.refuse("packages goes with upgrade: named")
        if self.upgrade and (self.security_fail or self.outdated_fail):
            self.refuse("security_fail and outdated_fail are for telling, not for an upgrade")

    def probe(self) -> dict[str, Any]:
        now = time.time()
        found = apt.installed()
        half = list(found.half)
        state: dict[str, Any] = {
            "root": os.geteuid() == 0,
            "versions": {name: found.versions.get(name, "") for name in self.packages},
            "half": half,
            "held": list(found.held),
            "age": apt.lists_age(now),
            "lock": lock.holder(),
            "reboot": due.reboot(),
            "restarts": due.restarts(),
            "all": [],
            "steps": [],
        }
        state["all"] = [] if half else apt.simulate(apt.upgrade_words(True))
        state["plain"] = [] if half else apt.simulate(apt.upgrade_words(False))
        words = None if half else self._words(state)
        if words is not None:
            state["steps"] = apt.simulate(words) if words else []
        return state

    def _words(self, state: dict[str, Any]) -> Sequence[str] | None:
        """Return the apt-get command for the upgrade that is asked: empty for nothing to do, None for no upgrade."""
        if self.upgrade == "all":
            return apt.upgrade_words(self.removals)
        names: list[str] = []
        if self.upgrade == "security":
            names = [step.name for step in state["all"] if step.security and step.before and step.verb == "install"]
        elif self.upgrade == "named":
            names = [
                name
                for name in self.packages
                if state["versions"][name] and name.partition(":")[0] not in state["held"]
            ]
        return apt.named_words(names) if names else () if self.upgrade else None

    def plan(self, state: dict[str, Any]) -> Plan:
        outdated = [step for step in state["all"] if step.before and step.verb == "install"]
        outdated.sort(key=lambda step: (not step.security, step.name))
        within = {step.name for step in state["plain"]}
        kept_back = [step.name for step in outdated if step.name not in within]
        security = sum(step.security for step in outdated)
        data: dict[str, Any] = {
            "outdated": [_row(step) for step in outdated[:MOST]],
            "outdated_count": len(outdated),
            "security_count": security,
            "kept_back": kept_back[:MOST],
            "held": state["held"][:MOST],
            "half_done": state["half"][:MOST],
            "lists_age_seconds": state["age"],
            "lock": state["lock"],
            "reboot": state["reboot"],
            "restarts": state["restarts"],
        }
        old = self.refresh_after is not None and (state["age"] is None or state["age"] >= self.refresh_after)
        stale = old and not self._fetched
        warnings = self._warnings(state, data, stale)
        missing = [name for name in self.packages if not state["versions"][name]]
        if missing:
            return Plan(failure="not installed: %s" % ", ".join(missing), warnings=warnings, data=data)
        changes = self._changes(state, stale)
        if changes and not state["root"]:
            return Plan(failure="packages can be changed by root only (become)", warnings=warnings, data=data)
        failure = "" if stale or self.upgrade else self._verdict(len(outdated), security, state)
        told = "%s outdated, %s" % (count(len(outdated), "package"), "%d of them for security" % security)
        reason = told if outdated else "nothing is known to be outdated: %s" % _NEVER
        if state["age"] is not None and not outdated:
            reason = "all packages are up to date"
        if state["half"]:
            reason = "packages are half-done: %s" % ", ".join(state["half"][:5])
        return Plan(changes=changes, reason="" if changes else reason, failure=failure, warnings=warnings, data=data)

    def _verdict(self, outdated: int, security: int, state: dict[str, Any]) -> str:
        half = state["half"]
        against = ["dpkg was interrupted: %s half-done; upgrade to finish" % ", ".join(half[:5])] if half else []
        if self.security_fail is not None and security >= self.security_fail:
            against.append("%s without a security fix (fail: %d)" % (count(security, "package"), self.security_fail))
        if self.outdated_fail is not None and outdated >= self.outdated_fail:
            against.append("%s outdated (fail: %d)" % (count(outdated, "package"), self.outdated_fail))
        if state["age"] is None and (self.security_fail is not None or self.outdated_fail is not None):
            against.append("%s, so nobody knows what is outdated; refresh_after fetches them" % _NEVER)
        return "; ".join(against)

    def _warnings(self, state: dict[str, Any], data: dict[str, Any], stale: bool) -> list[str]:
        warnings = []
        if data["security_count"] and not self.upgrade:
            names = [row["name"] for row in data["outdated"] if row["security"]]
            warnings.append("security fixes are to be had for %s" % listed(names, 10))
        if state["age"] is None:
            warnings.append("%s, so nobody knows what is outdated" % _NEVER)
        elif state["age"] > 7 * 86400 and not stale:
            warnings.append("the package lists are %d days old" % (state["age"] // 86400))
        held = [name for name in self.packages if name in state["held"]]
        if held:
            warnings.append("held at their version: %s" % ", ".join(held))
        if data["kept_back"] and self.upgrade == "all":
            warnings.append("kept back, since others would have to go: %s" % listed(data["kept_back"], 10))
        if state["lock"]:
            warnings.append(lock.words(state["lock"]))
        warnings += ["a reboot is due: %s" % why for why in state["reboot"]]
        units = [row["unit"] or ", ".join(row["programs"]) for row in state["restarts"]]
        if units:
            warnings.append("still running replaced code, and due for a restart: %s" % listed(units, 10))
        return warnings

    def _changes(self, state: dict[str, Any], stale: bool) -> list[Change]:
        changes = []
        if state["half"] and self.upgrade:
            words = "finish what an interrupted dpkg left: %s" % ", ".join(state["half"][:5])
            changes.append(Change(kind=MODIFY, summary=words, detail=("finish",)))
        if stale:
            changes.append(Change(kind=ACTION, summary="fetch the package lists", detail=("refresh",)))
        if not self.upgrade:
            return changes
        if changes:
            words = "upgrade %s" % (", ".join(self.packages[:10]) if self.packages else self.upgrade + " packages")
            words = words.replace("security packages", "packages with security fixes")
            known = len(state["steps"])
            after = "what there is shows after that; so far %s" % count(known, "change") if known else None
            kind = MODIFY if known or state["half"] else ACTION
            changes.append(Change(kind=kind, summary=words, after=after, certain=False, detail=("upgrade",)))
            return changes
        for number, step in enumerate(state["steps"]):
            kind = MODIFY if step.before and step.verb == "install" else _KINDS[step.verb]
            words = {CREATE: "install", MODIFY: "upgrade", REMOVE: "remove"}[kind]
            summary = "%s %s%s" % (words, step.name, " (security)" if step.security else "")
            before, after = step.before or None, step.after or None
            detail = ("upgrade",) if not number else None
            changes.append(Change(kind=kind, summary=summary, before=before, after=after, detail=detail))
        return changes

    def apply(self, change: Change) -> None:
        if change.detail is None:
            return
        left = lock.wait(self.lock_timeout, lambda text: self.tell({"text": text}))
        if change.detail[0] == "refresh":
            apt.refresh(left, self.timeout)
            object.__setattr__(self, "_fetched", True)  # by this run, whatever time that took
        elif change.detail[0] == "finish":
            apt.finish(self.removals, left, self.timeout)
        else:
            found = apt.installed()
            wanted = {name: found.versions.get(name, "") for name in self.packages}
            state = {"all": apt.simulate(apt.upgrade_words(True)), "held": found.held, "versions": wanted}
            words = self._words(state)
            if words:
                self._refuse_surprises(words)
                apt.carry_out(words, self.removals, left, self.timeout)

    def _refuse_surprises(self, words: Sequence[str]) -> None:
        """Fail before anything is touched when the upgrade would remove packages and may not."""
        gone = [step.name for step in apt.simulate(words) if step.verb == "remove"]
        if gone and not self.removals:
            message = "the upgrade would remove %s; removals: true allows it"
            raise TaskError(message % listed(gone, 10))


def _row(step: Step) -> dict[str, Any]:
    return {"name": step.name, "installed": step.before, "candidate": step.after, "security": step.security}
