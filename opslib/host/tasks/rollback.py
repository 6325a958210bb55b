"""Go back to an earlier release, which is still on the host."""

from __future__ import annotations

from opslib.host.params import Text
from opslib.host.plan import ACTION, MODIFY, Change, Plan
from opslib.host.releases import kinds
from opslib.host.releases.git import Resolved
from opslib.host.releases.mover import Mover
from opslib.host.releases.records import FOUND, GOOD, title
from opslib.host.task import param
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.releases.application import State


class ToRelease(Text):
    """A release: its name, the ref it was deployed from, or its commit."""

    def __init__(self) -> None:
        super().__init__("release's name, tag, branch or commit")

    def check(self, value: str) -> str:
        return kinds.Ref().check(value)


class Rollback(Mover, name="rollback"):
    """Go back to the release before the one in place, or to the one that is named; and undo that when it fails.

    Nothing is fetched or built (but for `in_place`, where an environment that is no longer kept is built from the
    locked packages that were recorded): the release's code and environment come into place in one step, the unit is
    restarted, must stay up for `settle` seconds with its `port` and its answer, and is watched for `watch` seconds
    more. If it does not work, the release that served comes back, and the step fails.

    Without `to` it takes back the last deployment. After a rollback, or a deployment that was undone by itself, there
    is nothing to take back, so a second run changes nothing; `to` goes further back. The schema stays as it is, unless
    `migrate_down` is given: it runs first, in the newer release.

    data: as `deploy`, with `target`: the release to go to.

    Errors: no earlier release, one that is no longer on the host (deploy its ref instead), one that does not work.
    Sources: rename(2), the manuals of venv and pip.
    """

    to: str | None = param(
        ToRelease(),
        "Release to go to: its name, the ref it was deployed from, or its commit (7 digits or more).",
        default=None,
        example="v1.3.0",
    )

    def probe(self) -> State:
        ground = self.make_ground()
        commit = ground.git.commit_of(self.to) if self.to is not None else ""
        return self.state(ground, resolved=Resolved(commit=commit))

    def plan(self, state: State) -> Plan:
        data, warnings = self.facts(state), self.remarks(state)
        words, at = self.obstacle(state), state.cut_short
        if state.holder or (words and state.pending is None):
            return Plan(failure=words, warnings=warnings, data=data)
        changes = self.recovery(state, words)
        if words or (at and self.to is None):  # what was cut short is undone, and that is all there is to take back
            return Plan(changes=changes, warnings=warnings, data=data)
        here = at.previous if at else state.served.id
        target, why = self._target(state, here)
        data["target"] = target.get("id", "")
        if not target:
            if changes or why.startswith("nothing"):
                return Plan(changes=changes, reason="" if changes else why, warnings=warnings, data=data)
            return Plan(failure=why, warnings=warnings, data=data)
        if target["id"] == here:
            reason = "" if changes else "%s is in place already, since %s" % (title(target), state.row(here).get("at"))
            return Plan(changes=changes, reason=reason, warnings=warnings, data=data)
        if not self._is_there(state, target):
            words = "%s is no longer on this host, so there is no way back to it; deploy %s instead"
            failure = words % (title(target), printable(str(target.get("ref") or target["commit"])))
            return Plan(failure=failure, warnings=warnings, data=data)
        return Plan(changes=changes + self._changes(state, target, here), warnings=warnings, data=data)

    def _is_there(self, state: State, target: dict[str, Any]) -> bool:
        return target["id"] in (state.built if self.in_place() else state.kept)

    def _target(self, state: State, here: str) -> tuple[dict[str, Any], str]:
        """Return the release to go to, and without one the reason."""
        good = [row for row in state.history if row["outcome"] in (GOOD, FOUND)]
        if self.to is not None:
            to = self.to
            for row in reversed(good):
                if to in (row["id"], row.get("ref")) or (kinds.is_hex(to) and row["commit"].startswith(to)):
                    return row, ""
            for row in reversed(good):
                if row["commit"] == state.resolved.commit:
                    return row, ""
            known = sorted({title(row) for row in good if self._is_there(state, row)})
            return {}, "no release %s was ever good on this host; there are %s" % (to, ", ".join(known) or "none")
        last = state.last_switch()
        if not here or not last:
            return {}, "nothing was ever deployed here, so there is nothing to go back from"
        if last["outcome"] not in (GOOD, FOUND) or last.get("act") == "rollback" or last["id"] != here:
            how = "the deployment of %s failed" % title(last)
            if last.get("act") == "rollback" and last["outcome"] == GOOD:
                how = "the rollback to it"
            words = "nothing to take back: %s serves since %s; name a release (to) to go further"
            return {}, words % (title(state.row(here)), how)
        before = str(last.get("previous", ""))
        row = state.row(before)
        if not row:
            return {}, "%s is the first release on this host; there is none before it" % title(last)
        return row, ""

    def _changes(self, state: State, target: dict[str, Any], here: str) -> list[Change]:
        goal = {"id": target["id"], "commit": target["commit"], "ref": str(target.get("ref", "")), "act": "rollback"}
        built = state.built.get(target["id"], {})
        goal["build"] = list(built.get("build", []))
        detail = {"target": goal, "known": state.history}
        found = []
        if self.migrate_down:
            words = "take the schema back: %s" % printable(" ".join(self.migrate_down))
            found.append(Change(kind=ACTION, summary=words, detail=dict(detail, do="migrate_down")))
        if self.in_place():
            words = "keep a copy of the virtual environment"
            found.append(Change(kind=ACTION, summary=words, detail=dict(detail, do="build")))
        old, new = title(state.row(here)) or None, title(target)
        words = "go back from %s to %s" % (old or "what is there", new)
        found.append(Change(kind=MODIFY, summary=words, before=old, after=new, detail=dict(detail, do="switch")))
        return found + self.unit_change() + self.start()
