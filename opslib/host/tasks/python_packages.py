"""Tell which packages of a Python virtual environment are outdated or broken, and upgrade them, with a way back."""

from __future__ import annotations

import os
import time

from opslib.host.files.locked import Locked
from opslib.host.packages import frozen as frozen_records
from opslib.host.packages import pip, venv_aside
from opslib.host.packages.kinds import Index, Links, Requirement
from opslib.host.packages.pip import Venv
from opslib.host.params import Boolean, Choice, Duration, ListOf, Number, Path, Text
from opslib.host.plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import count, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

MOST = 300
LATEST = "latest"


class PythonPackages(Task, name="python_packages"):
    """Tell which packages of a virtual environment are outdated or broken, and upgrade them, with a way back.

    Without `upgrade` and `restore` it only tells, and fails when a package's constraints do not hold (`pip check`).
    Before an upgrade the environment is copied aside, and what is installed is recorded beside it, as
    `VENV.freeze-YYYYMMDD-HHMMSS.txt` (UTC, mode 0600), from which `restore` brings the same versions back. When pip
    fails, is killed, or leaves constraints broken that held before, the copy is put back; when this task is killed,
    the next run puts it back. What would be installed is what `pip install --dry-run` says; with a pip before 22.2
    nobody knows, and the change is shown as "may change". pip runs as the environment's owner, never as root in
    somebody else's environment. Editable packages, and those that came from a URL, are left out of `upgrade: all`.

    data: `venv`, `packages_count`, `broken` (in pip's words), `outdated` (null: not asked, or the index does not
    answer; else at most 300: `name`, `installed`, `candidate`), `outdated_count`, `records` (newest first).

    Errors: no environment or no pip in there, a requirement that cannot be met, an index that does not answer, too
    little space for the copy, newly broken constraints. Sources: pip's user guide, PEP 503.
    """

    venv: str = param(Path(), "The virtual environment's folder.", example="/srv/dashboard/venv")
    upgrade: str | None = param(
        Choice("all", "named", "requirements"), "What to upgrade; nothing when not given.", default=None, example="all"
    )
    packages: list[str] = param(
        ListOf(Requirement()), "What upgrade: named is to bring up to date.", default=[], example=["fastapi>=0.110,<1"]
    )
    requirements: str | None = param(
        Path(),
        "Requirements file on the host, for upgrade: requirements.",
        default=None,
        example="/srv/x/requirements.txt",
    )
    constraints: str | None = param(Path(), "Constraints file on the host, which limits versions.", default=None)
    restore: str | None = param(
        Text("record: a file's path, or latest"), "Record to bring back, or latest.", default=None, example="latest"
    )
    index_url: str | None = param(
        Index(), "Package index; may hold credentials, which only pip's environment gets.", default=None
    )
    find_links: list[str] = param(
        ListOf(Links(), longest=20),
        "Folders or pages with packages beside the index.",
        default=[],
        example=["/srv/wheels"],
    )
    no_index: bool = param(Boolean(), "Whether to use find_links alone.", default=False)
    outdated: bool = param(Boolean(), "Whether to ask the index what is outdated, when only telling.", default=True)
    outdated_fail: int | None = param(
        Number(1, 100000, whole=True), "Fail when so many packages are outdated.", default=None, example=50
    )
    keep: int = param(Number(1, 1000, whole=True), "How many records stay.", default=10)
    timeout: float = param(Duration(low=1), "Seconds that pip may take for one thing.", default=900, example="15m")

    def check(self) -> None:
        if self.upgrade and self.restore:
            self.refuse("upgrade and restore cannot be done at once")
        if (self.upgrade == "named") != bool(self.packages):
            self.refuse("upgrade: named and packages go together")
        if (self.upgrade == "requirements") != bool(self.requirements):
            self.refuse("upgrade: requirements and requirements go together")
        if self.no_index and (self.index_url or not self.find_links):
            self.refuse("no_index goes with find_links, and not with index_url")
        if self.venv == "/":
            self.refuse("venv cannot be the root folder")
        if self.restore and self.restore != LATEST:
            folder, name = os.path.split(self.restore)
            if folder != os.path.dirname(self.venv) or not name.startswith(
                os.path.basename(self.venv) + frozen_records.MARK
            ):
                self.refuse(
                    "restore must be latest, or a record beside the environment: %s%s..."
                    % (self.venv, frozen_records.MARK)
                )

    def secrets(self) -> Iterator[str]:
        """Yield the index's URL, and the user name and password in it."""
        yield from super().secrets()
        user = (self.index_url or "").partition("://")[2].partition("/")[0].rpartition("@")[0]
        yield from (part for part in (user, *user.split(":", 1)) if part)

    def probe(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "left": venv_aside.left(self.venv),
            "now": time.time(),
            "records": frozen_records.records(self.venv),
        }
        cut_short = venv_aside.beside(self.venv, venv_aside.BEFORE) in state["left"]
        state["cut_short"] = cut_short
        if cut_short:
            with self._alone():  # or else it is no copy that was left
                return state
        venv = self._venv(self.venv)
        state["frozen"] = pip.freeze(venv)
        state["broken"] = pip.broken(venv)
        state.update(outdated=None, why="", wanted=None, record=None, problem="")
        if self.restore:
            state["record"] = self._read_record(state["records"])
        elif self.upgrade:
            try:
                state["wanted"] = pip.rehearse(venv, self._words(state["frozen"]), self.timeout)
            except TaskError as error:
                state["problem"] = str(error)
        elif self.outdated:
            state["outdated"], state["why"] = pip.outdated(venv, self.timeout)
        return state

    def _alone(self) -> Locked:
        return Locked(os.path.dirname(self.venv), "at work on an environment in")

    def _venv(self, path: str) -> Venv:
        if os.path.islink(self.venv):
            raise TaskError("%s is a symbolic link; give the environment that it points to" % path)
        index = {
            "PIP_INDEX_URL": self.index_url or "",
            "PIP_FIND_LINKS": " ".join(self.find_links),
            "PIP_NO_INDEX": "1" if self.no_index else "",
        }
        return pip.found(path, {name: value for name, value in index.items() if value})

    def _words(self, frozen: str) -> list[str]:
        words = ["--constraint=%s" % self.constraints] if self.constraints else []
        if self.upgrade == "requirements":
            return [*words, "--requirement=%s" % self.requirements]
        if self.upgrade == "named":
            return [*words, "--upgrade", "--", *self.packages]
        return [*words, "--upgrade", "--", *(name for name, version in pip.pins(frozen).values() if version[:1] != "@")]

    def _read_record(self, records: Sequence[str]) -> str:
        path = self.restore if self.restore != LATEST else (records[0] if records else None)
        if path is None:
            raise TaskError("there is no record beside %s to restore" % self.venv)
        return frozen_records.read(path)

    def plan(self, state: dict[str, Any]) -> Plan:
        if state["cut_short"]:
            words = "put %s back as it was before a run that was cut short" % self.venv
            changes = [Change(kind=MODIFY, summary=words, detail="back")]
            if self.upgrade or self.restore:
                words = "%s the packages, as they then are" % ("restore" if self.restore else "upgrade")
                changes.append(Change(kind=MODIFY, summary=words, certain=False, detail={}))
            return Plan(changes=changes, data={"venv": self.venv, "records": state["records"]})
        outdated = state["outdated"]
        versions = {key: version for key, (_name, version) in pip.pins(state["frozen"]).items()}
        data: dict[str, Any] = {
            "venv": self.venv,
            "packages_count": len(versions),
            "broken": state["broken"][:MOST],
            "outdated": None if outdated is None else outdated[:MOST],
            "outdated_count": None if outdated is None else len(outdated),
            "records": state["records"],
        }
        if state["problem"]:
            return Plan(failure=state["problem"], data=data)
        warnings = ["the index does not answer: %s" % state["why"]] if state["why"] else []
        if self.restore:
            changes = self._restoring(pip.pins(state["frozen"]), pip.pins(state["record"]))
        elif self.upgrade and state["wanted"] is None:
            changes = [Change(kind=ACTION, summary="upgrade packages of %s" % self.venv, certain=False)]
        else:
            changes = [_change(name, versions.get(pip.normal(name)), new) for name, new in state["wanted"] or ()]
        if not changes and state["left"]:
            words = "remove %s, left by a run that was cut short" % ", ".join(state["left"])
            return Plan(changes=[Change(kind=REMOVE, summary=words, detail="clear")], data=data)
        if changes:  # the first carries out all of them
            changes[0] = _with(changes[0], {"frozen": state["frozen"], "broken": state["broken"]})
        failure = "" if self.upgrade or self.restore else self._verdict(state["broken"], outdated)
        if state["broken"] and not failure:
            warnings.append("constraints do not hold: %s" % listed(list(state["broken"]), 5))
        return Plan(
            changes=changes, reason="" if changes else _words(data), failure=failure, warnings=warnings, data=data
        )

    def _verdict(self, broken: Sequence[str], outdated: Sequence[Any] | None) -> str:
        against = ["constraints do not hold: %s" % listed(list(broken), 5)] if broken else []
        if self.outdated_fail is not None and outdated is not None and len(outdated) >= self.outdated_fail:
            against.append("%s outdated (fail: %d)" % (count(len(outdated), "package"), self.outdated_fail))
        return "; ".join(against)

    def _restoring(self, now: dict[str, tuple[str, str]], then: dict[str, tuple[str, str]]) -> list[Change]:
        changes = []
        for key in sorted(set(now) | set(then)):
            before, after = now.get(key), then.get(key)
            if before is None or after is None or before[1] != after[1]:
                name = (after or before or ("",))[0]
                changes.append(_change(name, before and before[1], after and after[1]))
        return changes

    def apply(self, change: Change) -> None:
        if change.detail is None:
            return
        with self._alone():
            self._apply(change)

    def _apply(self, change: Change) -> None:
        if change.detail == "back":
            venv_aside.put_back(self._venv(venv_aside.beside(self.venv, venv_aside.BEFORE)).at(self.venv))
            return
        venv = self._venv(self.venv)
        if change.detail == "clear":
            venv_aside.clear(venv)
            return
        broken = set(change.detail["broken"] if change.detail else pip.broken(venv))
        frozen = pip.freeze(venv)
        if change.detail and change.detail["frozen"] != frozen:
            raise TaskError("%s was changed by another run meanwhile; run this again" % self.venv)
        venv_aside.copy(venv)
        record = None
        try:
            record = None if self.restore else frozen_records.write(venv, frozen)
            self._work(venv, frozen)
            worse = sorted(set(pip.broken(venv)) - broken)
            if worse:
                raise TaskError("constraints would no longer hold: %s" % listed(worse, 5))
        except Exception as error:
            venv_aside.put_back(venv)
            if record:
                os.unlink(record)
            data = error.data if isinstance(error, TaskError) else {}
            raise TaskError("%s; %s was put back as it was" % (error, self.venv), **data) from error
        venv_aside.done(venv)
        if record and pip.freeze(venv) == frozen:  # nothing was upgraded: it says no more than the one before
            os.unlink(record)
        elif record:
            frozen_records.keep(self.venv, self.keep, record)

    def _work(self, venv: Venv, frozen: str) -> None:
        if not self.restore:
            _succeed(venv.pip("install", *self._words(frozen), timeout=self.timeout))
            return
        then = pip.pins(self._read_record(frozen_records.records(self.venv)))
        now = pip.pins(frozen)
        wanted = [_requirement(*then[key]) for key in sorted(then) if now.get(key, ("", ""))[1] != then[key][1]]
        if wanted:
            _succeed(venv.pip("install", "--no-deps", "--", *wanted, timeout=self.timeout))
        gone = [now[key][0] for key in sorted(set(now) - set(then))]
        if gone:
            _succeed(venv.pip("uninstall", "--yes", "--", *gone, timeout=self.timeout))


def _succeed(done: Any) -> None:
    if done.code:
        raise TaskError("pip failed: %s" % pip.said(done), log=done.err.splitlines()[-20:])


def _requirement(name: str, version: str) -> str:
    return "%s %s" % (name, version) if version.startswith("@ ") else "%s==%s" % (name, version)


def _change(name: str, before: str | None, after: str | None) -> Change:
    kind, word = (CREATE, "install") if before is None else (REMOVE, "remove") if after is None else (MODIFY, "change")
    return Change(kind=kind, summary="%s %s" % (word, name), before=before, after=after)


def _with(change: Change, detail: Any) -> Change:
    return Change(**dict(change._values(), detail=detail))


def _words(data: dict[str, Any]) -> str:
    words = "%s in %s" % (count(data["packages_count"], "package"), data["venv"])
    return words if data["outdated_count"] is None else "%s, %d outdated" % (words, data["outdated_count"])
