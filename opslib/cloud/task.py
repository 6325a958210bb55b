"""The base of every cloud task: a task that runs on the controller, and says where it works in all it says."""

from __future__ import annotations

import functools
from typing import Any

from opslib.cloud.patience import Patience
from opslib.host.params import Duration
from opslib.host.task import ACTION, CREATE, MODIFY, REMOVE, Change, Plan, Task, TaskError, param
from opslib.host.wire import dumps

__all__ = ["ACTION", "CREATE", "MODIFY", "REMOVE", "Change", "CloudTask", "Plan", "TaskError", "param"]


class CloudTask(Task):
    """A unit of work on a cloud service, with the shape of a host's.

    Subclasses write `scope` (pure), `identify`, `look` (read), `compare` (pure), `apply` and perhaps `verify`. The base
    sees to it that the credentials are proven to lead to the scope before anything else happens, and that the scope
    stands in every change and in the data of every result.
    """

    runs_on = "controller"

    wait: float = param(
        Duration(low=0.01), "Seconds that everything together may take, or a time such as `30m`.", default="15m"
    )
    poll: float = param(
        Duration(low=0.001),
        "Seconds before a second look at what is under way, or a second try; later pauses are longer.",
        default=2,
    )

    @functools.cached_property
    def patience(self) -> Patience:
        """How long to wait: the time began when this was first asked for."""
        return Patience(self.wait, self.poll)

    def scope(self) -> dict[str, str]:
        """Return where this works, by the parameters: `{"account": "123456789012", "region": "eu-west-1"}`. Pure."""
        raise NotImplementedError

    def identify(self) -> None:
        """Prove that the credentials lead to the scope. Raises MismatchError, ExpiredError, MissingLibraryError."""
        raise NotImplementedError

    def look(self) -> Any:
        """Read the state of the service. Never writes."""
        raise NotImplementedError

    def compare(self, state: Any) -> Plan:
        """Compare the state with the parameters. Pure: no I/O, no clock."""
        raise NotImplementedError

    def probe(self) -> Any:
        self.identify()
        return self.look()

    def plan(self, state: Any) -> Plan:
        plan = self.compare(state)
        where = ", ".join(f"{name} {value}" for name, value in self.scope().items())
        changes = [_placed(change, where) for change in plan.changes]
        data = {**plan.data, **self.scope()}
        return Plan(changes=changes, reason=plan.reason, failure=plan.failure, warnings=plan.warnings, data=data)

    def say(self, text: str, **more: Any) -> None:
        """Tell whoever follows the run how far it is: one line, and facts that JSON can represent."""
        dumps(more)
        self.tell({"progress": text, **more})


def _placed(change: Change, where: str) -> Change:
    return Change(
        kind=change.kind,
        summary=f"{change.summary} ({where})",
        before=change.before,
        after=change.after,
        sensitive=change.sensitive,
        certain=change.certain,
        detail=change.detail,
    )
