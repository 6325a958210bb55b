"""Manage how logs are rotated."""

from __future__ import annotations

import os

from opslib.host.command import run
from opslib.host.files import tree
from opslib.host.logs import rotate_file as logrotate_file
from opslib.host.logs import rotate_text as logrotate_text
from opslib.host.logs import rotate_trial as logrotate_trial
from opslib.host.logs.rotate_text import ASIDE, LogPath, Script
from opslib.host.params import USER, Boolean, Choice, Duration, ListOf, Mode, Name, Number, Path, Size
from opslib.host.plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import listed, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST = 200
_FLAGS = ("compress", "delaycompress", "dateext", "missingok", "notifempty", "copytruncate", "sharedscripts")
_GROUP = Name("group name", longest=32)
_DAYS = Number(1, 36500, whole=True)


class Logrotate(Task, name="logrotate"):
    """Manage a logrotate configuration: which logs are rotated, how often, and how many old ones are kept.

    The file is tried by `logrotate --debug` before anything is written: alone, under the global directives of the main
    configuration, and beside all other configurations, which finds logs that two of them claim. What logrotate reports
    as an error, even one with which it exits 0, is a failure; so is a `postrotate` that the shell cannot parse, and an
    error that comes up later though the file is unchanged. The candidate is tried in memory, nothing is written for
    it; logrotate itself however creates, even in debug mode, a missing `olddir` of a configuration that
    has `createolddir`. Options not given are left out of the file, so that the main configuration's hold.

    `force` rotates the logs now, once per run: an action, planned only for logs that logrotate would rotate (not for an
    empty one with `notifempty`), after which each of them must be another file, gone, or shorter.

    data: `path`; `logs`: the logs there are now, at most 200 (`logs_left_out` says how many more); `missing`: the
    paths and globs that no log matches; `rotated`: the logs that this run rotated; `errors`: what logrotate objects to.

    Errors: logrotate is missing; the file is no regular file; it was changed meanwhile; a log was not rotated.
    Sources: logrotate(8) 3.21 and its source, config.c.
    """

    config: str = param(Name("configuration name", longest=200), "Name of the file below `folder`.", example="myapp")
    paths: list[str] = param(
        ListOf(LogPath(), empty=False),
        "Logs to rotate: absolute paths or globs.",
        default=None,
        example=["/srv/app/logs/*.log"],
    )
    state: str = param(Choice("present", "absent"), "Whether the configuration is to exist.", default="present")
    frequency: str = param(
        Choice("hourly", "daily", "weekly", "monthly", "yearly"),
        "How often logs are rotated; daily when neither this nor `size` is given.",
        default=None,
        example="weekly",
    )
    rotate: int = param(Number(0, 100000, whole=True), "How many rotated logs are kept; 0 keeps none.", default=14)
    size: int = param(
        Size(), "Rotate whenever a log is larger than this many bytes, whatever its age.", default=None, example="100M"
    )
    maxsize: int = param(Size(), "Rotate a log larger than this many bytes even before its time.", default=None)
    minsize: int = param(Size(), "Leave a log smaller than this many bytes even when its time has come.", default=None)
    maxage: int = param(_DAYS, "Remove rotated logs older than this many days.", default=None)
    compress: bool = param(Boolean(), "Whether rotated logs are compressed.", default=True)
    delaycompress: bool = param(
        Boolean(),
        "Whether the newest rotated log stays uncompressed, for programs that still write to it.",
        default=True,
    )
    dateext: bool = param(Boolean(), "Whether rotated logs are named by date instead of by number.", default=None)
    missingok: bool = param(Boolean(), "Whether a missing log is no error.", default=True)
    notifempty: bool = param(Boolean(), "Whether empty logs are left alone.", default=True)
    copytruncate: bool = param(
        Boolean(),
        "Whether logs are copied and emptied in place, for programs that never reopen them; some lines may be lost.",
        default=None,
    )
    create: str = param(Mode(), "Mode of the new, empty log.", default=None, example="0640")
    owner: str = param(USER, "Owner of the new log; needs `create`.", default=None, example="app")
    group: str = param(_GROUP, "Group of the new log; needs `owner`.", default=None, example="adm")
    su_user: str = param(
        USER, "User as whom logs are rotated; needed where others may write to their folder.", default=None
    )
    su_group: str = param(_GROUP, "Group as which logs are rotated; goes with `su_user`.", default=None)
    sharedscripts: bool = param(
        Boolean(), "Whether `postrotate` runs once for all logs instead of once for each.", default=None
    )
    postrotate: list[str] = param(
        Script(),
        "Shell commands, one line each, that root runs after a rotation.",
        default=None,
        example=["systemctl kill -s HUP myapp.service"],
    )
    force: bool = param(Boolean(), "Whether to rotate the logs now, whether or not they are due.", default=False)
    timeout: float = param(Duration(low=1), "Seconds that a forced rotation may take.", default=600, example="30m")
    backup: bool = param(
        Boolean(), "Whether a replaced configuration is kept as NAME~, which logrotate does not read.", default=False
    )
    folder: str = param(Path(), "Folder of the configurations.", default="/etc/logrotate.d")
    main: str = param(Path(), "The main configuration, which includes the folder.", default="/etc/logrotate.conf")
    status_file: str = param(
        Path(), "State file of forced rotations; the one logrotate was built with when not given.", default=None
    )

    _rotated: Any = None

    def check(self) -> None:
        if self.config.endswith(logrotate_text.TABOO):
            self.refuse("config %s ends like the files that logrotate does not read" % self.config)
        if self.state == "absent" and self.force:
            self.refuse("force has nothing to rotate when state is absent")
        if self.state == "present" and not self.paths:
            self.refuse("paths: give the logs to rotate")
        if self.size is not None and (self.frequency or self.maxsize is not None or self.minsize is not None):
            self.refuse("size excludes frequency, maxsize and minsize: logrotate would heed one of them only")
        if self.maxsize is not None and self.minsize is not None and self.minsize >= self.maxsize:
            self.refuse("minsize %d must be below maxsize %d" % (self.minsize, self.maxsize))
        if self.copytruncate and self.create:
            self.refuse("create has no effect with copytruncate: the log stays in place")
        if (self.owner and not self.create) or (self.group and not self.owner):
            self.refuse("owner needs create, and group needs owner")
        if bool(self.su_user) != bool(self.su_group):
            self.refuse("su_user and su_group go together")
        if self.sharedscripts is not None and not self.postrotate:
            self.refuse("sharedscripts needs postrotate")

    def text(self) -> str:
        """Return the whole file. Pure."""
        words = [self.frequency or "daily"] if self.size is None else []
        words.append("rotate %d" % self.rotate)
        for name in ("size", "maxsize", "minsize"):
            if getattr(self, name) is not None:
                words.append(name + " " + logrotate_text.size_word(getattr(self, name)))
        if self.maxage is not None:
            words.append("maxage %d" % self.maxage)
        for name in _FLAGS:
            value = getattr(self, name)
            if value is not None and (name != "delaycompress" or self.compress):
                words.append(name if value else "ifempty" if name == "notifempty" else "no" + name)
        if self.create:
            words.append(" ".join(["create", self.create, self.owner or "", self.group or ""]).rstrip())
        if self.su_user:
            words.append("su %s %s" % (self.su_user, self.su_group))
        return logrotate_text.render(self.paths, words, self.postrotate)

    def probe(self) -> dict[str, Any]:
        state: dict[str, Any] = {"rotated": self._rotated or [], "owner": logrotate_file.owner(), "before": {}}
        try:
            folder = tree.open_folder(self.folder)
        except FileNotFoundError:
            if self.state == "present":
                raise TaskError("there is no folder %s; is logrotate installed?" % self.folder) from None
            return dict(state, file=None, leftover=False)
        try:
            state["file"] = logrotate_file.read(folder, self.config)
            state["leftover"] = os.access(self.config + ASIDE, os.F_OK, dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)
        if self.state == "present":
            force = self.force and self._rotated is None
            place = self.folder, self.config
            trial = None
            if not force and state["file"] is not None and state["file"].get("text") == self.text():
                trial = logrotate_trial.in_place(place, self.paths, self.main)
            trial = trial or logrotate_trial.hold(self.text(), self.postrotate, place, self.main, force)
            state["trial"] = trial
            state["before"] = {log: _identity(log) for log in trial.due}
            state["hourly"] = self.frequency == "hourly" and _runs_daily()
        return state

    def plan(self, state: dict[str, Any]) -> Plan:
        path = self.folder + "/" + self.config
        there = state["file"]
        data: dict[str, Any] = {"path": path, "logs": [], "logs_left_out": 0, "missing": [], "errors": []}
        data["rotated"] = state["rotated"][:MOST]
        if there is not None and there["odd"]:
            return Plan(failure="%s is %s; move it away first" % (path, there["odd"]), data=data)
        changes: list[Change] = []
        if self.state == "absent":
            if there is not None:
                changes.append(Change(kind=REMOVE, summary="remove " + path, before=there["text"], detail=there))
            if state["leftover"]:
                changes.append(Change(kind=REMOVE, summary="remove %s%s of a run cut short" % (path, ASIDE)))
            return Plan(changes=changes, reason="" if changes else "there is no " + path, data=data)
        trial = state["trial"]
        logs = [log for log, why in trial.logs if why not in ("missing", "error")]
        missing = [log for log, why in trial.logs if why == "missing"]
        data.update(logs=logs[:MOST], logs_left_out=max(len(logs) - MOST, 0), missing=missing[:MOST])
        warnings = list(trial.warnings)
        if state["hourly"]:
            warnings.append("hourly: logrotate.timer starts logrotate once a day unless it is changed")
        if any(pattern.endswith("*") for pattern in self.paths):
            warnings.append("a glob that ends in * also matches the logs that are rotated already")
        if trial.errors:
            data["errors"] = list(trial.errors[:MOST])
            failure = "logrotate refuses %s: %s" % (path, listed(list(trial.errors)))
            return Plan(failure=failure, warnings=warnings, data=data)
        text, access = self.text(), (logrotate_file.MODE, *state["owner"])
        if there is None:
            changes.append(Change(kind=CREATE, summary="write " + path, after=text))
        elif there["text"] != text:
            changes.append(
                Change(kind=MODIFY, summary="rewrite " + path, before=there["text"], after=text, detail=there)
            )
        elif there["access"] != access:
            before, after = ("mode %04o, owner %d:%d" % each for each in (there["access"], access))
            summary = "set mode and owner of " + path
            changes.append(Change(kind=MODIFY, summary=summary, before=before, after=after, detail=there))
        if state["before"]:
            due = [printable(log) for log in state["before"]]
            words = "rotate %s of %s now: %s" % ("1 log" if len(due) == 1 else "%d logs" % len(due), path, listed(due))
            changes.append(Change(kind=ACTION, summary=words, detail=state["before"]))
        reason = "%s is as it should be; it covers %d log%s" % (path, len(logs), "" if len(logs) == 1 else "s")
        if self.force and not state["rotated"]:
            reason += ", none of which is to be rotated"
        return Plan(changes=changes, reason="" if changes else reason, warnings=warnings, data=data)

    def apply(self, change: Change) -> None:
        if change.kind == ACTION:
            self._rotate(change)
            return
        folder = tree.open_folder(self.folder)
        try:
            tree.remove(folder, self.config + ASIDE)
            if change.kind == REMOVE and change.detail is None:
                return
            if logrotate_file.read(folder, self.config) != change.detail:
                raise TaskError("%s/%s was changed meanwhile; run again" % (self.folder, self.config))
            if change.kind == REMOVE:
                os.unlink(self.config, dir_fd=folder)
            else:
                if self.backup and change.detail is not None and change.detail["text"] != self.text():
                    logrotate_file.put(folder, self.config, "~", change.detail["text"])
                logrotate_file.put(folder, self.config, "", self.text())
            os.fsync(folder)
        finally:
            os.close(folder)

    def _rotate(self, change: Change) -> None:
        main = logrotate_trial.read_main(self.main)
        argv = ["logrotate", "--force"] + (["--state", self.status_file] if self.status_file else [])
        with logrotate_trial.Memory() as memory:
            head = logrotate_text.directives_only(main or "")
            whole = memory.put("%sinclude %s/%s\n" % (head, self.folder, self.config), self.main)
            done = run([*argv, whole], ok=None, timeout=self.timeout)
            said = logrotate_text.verdict(done.err, memory.names).errors
        if done.code == 3:
            raise TaskError("another logrotate is at work; run again when it is done: " + printable(done.err.strip()))
        if done.code:
            words = printable(listed(list(said)) or done.err.strip()[-500:])
            raise TaskError("logrotate --force ended with code %d: %s" % (done.code, words))
        object.__setattr__(self, "_rotated", list(change.detail))

    def verify(self, plan: Plan) -> None:
        for change in plan.changes:
            logs = change.detail if change.kind == ACTION else {}
            same = [printable(log) for log, was in logs.items() if _unturned(log, was)]
            if same:
                raise TaskError("not rotated, though logrotate reported no error: " + listed(same))


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size


def _unturned(log: str, before: tuple[int, int, int] | None) -> bool:
    """Whether a log is still the file it was, and no shorter. An empty log that is emptied tells nothing."""
    now = _identity(log)
    return now is not None and before is not None and now[:2] == before[:2] and now[2] >= before[2] > 0


def _runs_daily() -> bool:
    """Whether nothing tells that logrotate is started more often than once a day, as distributions set it up."""
    units = "/etc/systemd/system/logrotate.timer"
    return not any(os.path.lexists(path) for path in ("/etc/cron.hourly/logrotate", units, units + ".d"))
