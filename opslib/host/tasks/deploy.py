"""Bring an application to a branch, tag or commit, and back by itself when that does not work."""

from __future__ import annotations

from opslib.host.params import Boolean, Number
from opslib.host.plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.releases import git as repositories
from opslib.host.releases import records
from opslib.host.releases.git import Resolved, rewritten
from opslib.host.releases.kinds import Commit, Inside, Ref, Repository, is_hex
from opslib.host.releases.mover import Mover
from opslib.host.releases.records import FOUND, GOOD, title
from opslib.host.releases.transition import Target, Transition
from opslib.host.task import param
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from opslib.host.releases.application import State
    from opslib.host.releases.ground import Ground

ASKING = 60


class Deploy(Mover, name="deploy"):
    """Deploy a Python application from git: fetch, build, migrate, switch, restart, watch; and undo what fails.

    The ref is resolved to a commit before anything changes. With `strategy: releases` the commit gets a folder and a
    virtual environment of its own below `path`/releases, and the link `path`/current is replaced in one step; with
    `in_place` the checkout at `path` and its environment are changed where they are, a copy of the environment aside.
    Then the migration runs, the release's `unit_file` is installed, the unit is restarted, must stay up for `settle`
    seconds with its `port` and its answer (`http`), and is watched for `watch` seconds more. When anything fails the
    release before comes back by itself: code, environment and unit, its file included; the step fails and says so.
    Without a release before, the unit is stopped. A schema is taken back only by `migrate_down`.

    Each attempt is recorded on the host, in `records`/`app`/history.jsonl: commit, ref, who, when, outcome, packages.
    A run that was cut short at any instant is put right by the next. One run at a time works on an application.
    What is deployed already is left alone. `keep` releases stay for `rollback`.

    A branch may lead on between the moments at which two hosts ask for it. So with `pinned` a branch is refused unless
    `commit` says which of its commits is meant; the error names the newest.

    Nothing the repository says is run but setup code of its packages, migrations and the unit, none of it as root
    when `path` belongs to another user, or `user` is given. With `unit_file` the repository does say what systemd
    runs, and as whom. git uses that user's SSH keys and credential helpers, and asks nobody; hooks and Git's remote
    helpers are not used, and a release with submodules or files in Git LFS is refused.

    data: `app`, `release` (in place now), `commit`, `ref`, `since` (when it came), `packages` (locked), `kept`
    (releases that could be switched to at once), `history` (the last 10 events), `pending` (a run was cut short).

    Errors: a ref that does not exist, is ambiguous, or was rewritten (a forced push, a moved tag); a remote that
    cannot be read; a dirty checkout; packages that cannot be had or do not fit together; a failing migration; a full
    disk; a unit that does not come up, stay up or answer; another run at work.
    Sources: git-ls-remote(1), git-fetch(1), the manuals of venv and pip, rename(2), flock(2), setpriv(1).
    """

    repository: str = param(
        Repository(),
        "Where the code is: an https or ssh address, or a path.",
        example="git@git.example.com:team/app.git",
    )
    ref: str = param(Ref(), "Branch, tag or commit (all 40 digits) to deploy.", example="v1.4.0")
    commit: str | None = param(
        Commit(), "Commit (all 40 digits) of ref to deploy; its newest, if not given.", default=None
    )
    pinned: bool = param(Boolean(), "Whether a branch needs commit, so that all hosts get the same.", default=False)
    requirements: str | None = param(
        Inside(),
        "Requirements file, relative to subfolder; requirements.txt, if there is one, unless given.",
        default=None,
        example="requirements/production.txt",
    )
    keep: int = param(
        Number(1, 100, whole=True), "How many releases stay on the host, the one in place included.", default=3
    )
    allow_rewritten: bool = param(
        Boolean(),
        "Whether to deploy a branch or tag that no longer leads on from what was deployed of it.",
        default=False,
    )

    def check(self) -> None:
        super().check()
        if self.requirements == "":
            self.refuse("requirements: it is empty; give a file's name, or leave it out")
        if self.commit is not None and is_hex(self.ref) and not self.commit.startswith(self.ref):
            self.refuse("commit %s is not the commit that ref names (%s)" % (self.commit[:12], self.ref))

    def make_ground(self) -> Ground:
        return self.ground(self.pip(), self.requirements or "requirements.txt", missing_ok=self.requirements is None)

    def build_words(self) -> list[str]:
        """Return what a release is built with, to tell one that can be used as it is."""
        words = [self.python, self.subfolder, self.requirements or "", self.venv]
        return [*words, self.unit_file] if self.unit_file else words

    def probe(self) -> State:
        ground = self.make_ground()
        state = self.state(ground)
        mirror = ground.git if state.history or self.in_place() else None
        resolved = repositories.resolve(ground.actor, self.repository, self.ref, mirror, min(ASKING, self.timeout))
        before = self._deployed_before(state.history)
        moved, tip = "", resolved.commit
        if before and tip and not self.allow_rewritten:
            if resolved.kind == repositories.TAG and tip != before:
                moved = rewritten(self.ref, before, tip)
            elif tip != before and mirror is not None and mirror.has(tip):
                gone = mirror.has(before) and not mirror.is_ancestor(before, tip)
                moved = rewritten(self.ref, before, tip) if gone else ""
        return type(state)(**dict(state._values(), resolved=self._chosen(resolved), rewritten=moved))

    def _chosen(self, resolved: Resolved) -> Resolved:
        """Return what is deployed of what the ref means."""
        tip = resolved.commit
        if not tip or self.commit == tip:
            return resolved
        branch = resolved.kind == repositories.BRANCH
        if self.commit is not None and not branch:
            words = "%s is commit %s, not %s" % (self.ref, tip[:12], self.commit[:12])
            return Resolved(problem="%s; leave commit out, or name the tag that is meant" % words)
        if self.commit is not None:
            return Resolved(commit=self.commit, kind=resolved.kind, tip=tip)
        if branch and self.pinned:
            words = "%s is a branch, which may lead on while hosts are served one after the other" % self.ref
            return Resolved(problem="%s; give a tag, or its commit: %s" % (words, tip))
        return resolved

    def _deployed_before(self, history: Sequence[dict[str, Any]]) -> str:
        """Return the commit that was last deployed from the same ref."""
        rows = [row for row in history if row.get("act") == "deploy" and row["outcome"] == GOOD]
        found = [str(row["commit"]) for row in rows if row.get("ref") == self.ref]
        return found[-1] if found else ""

    def plan(self, state: State) -> Plan:
        data, warnings = self.facts(state), self.remarks(state)
        resolved, at = state.resolved, state.cut_short
        words = self.obstacle(state) or printable(resolved.problem) or state.rewritten
        data["wanted"] = resolved.commit
        if state.holder or (words and state.pending is None):
            return Plan(failure=words, warnings=warnings, data=data)
        changes = self.recovery(state, words)
        if words:
            return Plan(changes=changes, warnings=warnings, data=data)
        here, before = (at.previous, at.previous_commit) if at else (state.served.id, state.served.commit)
        built = state.built.get(here, {})
        same = before == resolved.commit and built.get("build") == self.build_words()
        if same and not (state.unit_stale and here == state.served.id):
            since = str(state.row(here).get("at", ""))
            reason = (
                "" if changes else "%s is deployed already, since %s" % (self._title(resolved), since or "long ago")
            )
            return Plan(changes=changes, reason=reason, warnings=warnings, data=data)
        changes += self._changes(state, here, before)
        return Plan(changes=changes, warnings=warnings, data=data)

    def _title(self, resolved: Resolved) -> str:
        return title({"ref": self.ref, "commit": resolved.commit})

    def _changes(self, state: State, here: str, before: str) -> list[Change]:
        resolved, new = state.resolved, self._title(state.resolved)
        again = self._ready(state, here)
        target = {
            "id": again or records.identity(state.now, resolved.commit),
            "commit": resolved.commit,
            "ref": self.ref,
            "act": "deploy",
            "build": self.build_words(),
            "branch": self.ref if resolved.kind == repositories.BRANCH and not self.ref.startswith("refs/") else "",
            "tip": resolved.tip,
        }
        found: list[Change] = []

        def add(kind: str, do: str, summary: str, **more: Any) -> None:
            detail = {"do": do, "target": target, "known": state.history, "doomed": doomed}
            found.append(Change(kind=kind, summary=summary, detail=detail, **more))

        doomed = self._doomed(state, str(target["id"]), here)
        add(ACTION, "fetch", "fetch commit %s from %s" % (resolved.commit[:12], printable(self.repository)))
        if self.in_place():
            add(ACTION, "build", "keep a copy of the virtual environment")
        elif not again:
            add(CREATE, "build", "build release %s of %s" % (target["id"], new), after=target["id"])
        migration = "run the migration: %s" % printable(" ".join(self.migrate))
        if self.migrate and not self.in_place():
            add(ACTION, "migrate", migration)
        old = title(dict(state.row(here), commit=before)) if before else None
        words = "switch from %s to %s" % (old, new) if old else "put %s in place" % new
        add(MODIFY if before else CREATE, "switch", words, before=old, after=new)
        if self.migrate and self.in_place():
            add(ACTION, "migrate", migration)
        found += self.unit_change()
        found += self.start()
        if doomed:
            summary = "remove %d old release%s" % (len(doomed), "" if len(doomed) == 1 else "s")
            add(REMOVE, "prune", summary, before=", ".join(doomed))
        return found

    def _ready(self, state: State, here: str) -> str:
        """Return a complete release of this commit that is still there, or an empty string."""
        if self.in_place():
            return ""
        for name in sorted(state.kept, reverse=True):
            built = state.built.get(name, {})
            same = built.get("commit") == state.resolved.commit and built.get("build") == self.build_words()
            if same and name != here and state.row(name):
                return name
        return ""

    def _doomed(self, state: State, new: str, here: str) -> list[str]:
        """Return the releases that go once the new one is in place: all but those that served last."""
        served = [row["id"] for row in state.history if row["outcome"] in (GOOD, FOUND)]
        order = [new, here, *reversed(served)]
        stay = [name for place, name in enumerate(order) if name and name not in order[:place]][: self.keep]
        return [name for name in state.kept if name not in stay]

    def carry_out(self, run: Transition, detail: dict[str, Any]) -> None:
        super().carry_out(run, detail)
        if detail["do"] == "fetch":
            before = "" if self.allow_rewritten else self._deployed_before(run.book.history())
            run.fetch(self.repository, Target(**detail["target"]), before)
        elif detail["do"] == "prune":
            run.ground.prune(run.ground.kept() - set(detail["doomed"]))
