"""Tell which release of an application is in place, and which there were."""

from __future__ import annotations

from opslib.host.plan import Plan
from opslib.host.releases.application import Application
from opslib.host.releases.records import title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opslib.host.releases.application import State


class Releases(Application, name="releases"):
    """Tell which release of an application is in place, and fail when it is not what was deployed.

    Nothing is changed. It fails when a run was cut short and has left something half-done, when a checkout has local
    changes or something else (code, the unit file) was put in place by hand, when nothing was ever deployed, and when
    the unit is down.

    data: as `deploy`.
    Sources: readlink(2), git-status(1).
    """

    def probe(self) -> State:
        return self.state(self.make_ground())

    def plan(self, state: State) -> Plan:
        data, warnings = self.facts(state), self.remarks(state)
        row = state.row(state.served.id)
        failure = ""
        at = state.cut_short
        if at is not None and not state.holder:
            words = "the %s of %s, begun %s by %s, was cut short; deploy or roll back again to put that right"
            failure = words % (at.act, title(at._values()), at.began, at.who)
        elif state.unit_problem or state.ground_problem or state.served.problem:
            failure = state.unit_problem or state.ground_problem or state.served.problem
        elif not row:
            failure = "nothing of %s was deployed here" % self.app
        elif state.unit_stale:
            failure = "the unit file of %s is not the one that %s brought along" % (self.unit, title(row))
        elif state.down:
            failure = state.down
        if state.holder:
            warnings = [*warnings, "%s is at work on %s" % (state.holder, self.app)]
        reason = "%s is in place since %s" % (title(row), row.get("at")) if row else ""
        return Plan(reason=reason, failure=failure, warnings=warnings, data=data)
