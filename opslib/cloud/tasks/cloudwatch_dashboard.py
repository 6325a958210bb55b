"""Keep a dashboard of CloudWatch as it is written down."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.dashboards import is_ours, marked, pretty, standard
from opslib.cloud.aws.service_names import AppRunnerName, ServiceId, find_service, of_arn
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.settled import settle
from opslib.cloud.task import CREATE, MODIFY, REMOVE, Change, Plan, param
from opslib.host.params import Boolean, Choice, Mapping, Name, Number, ParamError, Percent, json_value, shown
from opslib.host.words import printable

__all__ = ["CloudwatchDashboard"]

_ABSENT = ("ResourceNotFound", "DashboardNotFoundError")
_MOST = 20


class Body(Mapping):
    """A dashboard's body: widgets, and what stands beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.label = "body of a dashboard: a mapping with a list of widgets"

    def __call__(self, value: Any) -> dict[str, Any]:
        found = super().__call__(value)
        widgets = found.get("widgets")
        if not isinstance(widgets, list) or not all(isinstance(each, dict) and "type" in each for each in widgets):
            raise ParamError(f"{shown(value)} is no {self.label}, each a mapping with a type")
        for each in widgets:
            for side in ("x", "y", "width", "height"):
                Number(0, 1000, whole=True)(each.get(side, 0))
        return dict(json_value(found))


@dataclass(frozen=True, slots=True)
class _State:
    """text: None where there is no such dashboard; body: None where that makes no sense; service: whose it is."""

    text: str | None
    body: Any
    service: ServiceId | None


class CloudwatchDashboard(AwsTask, name="cloudwatch_dashboard"):
    """Keep a dashboard as it is written down: given whole as `body`, or the standard one of a service.

    The standard one shows what the task `slo` judges: latency, error rate, requests, load and instances, with their
    targets. A line of text at the bottom marks the dashboard as kept by opslib. One that does not bear it is not
    touched unless `adopt` says so. Dashboards belong to an account as a whole; `region` is where their metrics are.

    data: `dashboard`, `widgets` (how many), `ours`. The diff shows both bodies. Sources: PutDashboard in the API
    reference of CloudWatch; "Dashboard body structure and syntax" in its user guide.
    """

    dashboard: str = param(Name("name of a dashboard", signs="-_"), "Its name.", example="SpendSense-API")
    state: str = param(Choice("present", "absent"), "Whether it is to be there.", default="present")
    service: str | None = param(
        AppRunnerName(), "An App Runner service to make the standard one of.", default=None, example="spendsense-api"
    )
    body: dict[str, Any] | None = param(Body(), "The dashboard itself.", default=None)
    adopt: bool = param(Boolean(), "Overwrite or remove one that opslib did not make, too.", default=False)
    latency: float = param(Number(0.001), "Milliseconds to mark as the latency's target.", default=500)
    error_rate: float = param(Percent(), "Percent to mark as the error rate's target.", default=1)
    cpu: float = param(Percent(), "Percent to mark as the CPU's limit.", default=70)
    memory: float = param(Percent(), "Percent to mark as the memory's limit.", default=80)

    def check(self) -> None:
        if self.state == "present" and (self.service is None) == (self.body is None):
            self.refuse("give either service or body")
        if self.service is not None:
            try:
                of_arn(self.service, self.account, self.region)
            except ParamError as error:
                self.refuse(f"service: {error}")

    def look(self) -> _State:
        present = self.state == "present" and self.service is not None
        service = find_service(self, self.service or "") if present else None
        text = self._text()
        try:
            body = None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            body = None
        return _State(text, body, service)

    def _text(self) -> str | None:
        client = self.client("cloudwatch")
        doing = f"reading the dashboard {self.dashboard}"
        try:
            answer = self.ask(lambda: client.get_dashboard(DashboardName=self.dashboard), doing=doing)
        except RefusedError as error:
            if error.code in _ABSENT:
                return None
            raise
        text = answer.get("DashboardBody")
        if not isinstance(text, str):
            raise MalformedError(f"{doing}: the answer holds none")
        return text

    def _wanted(self, service: ServiceId | None) -> dict[str, Any]:
        targets = {
            "latency": self.latency,
            "error_rate": self.error_rate,
            "cpu": self.cpu,
            "memory": self.memory,
        }
        return marked(self.body or {} if service is None else standard(service, self.region, targets))

    def compare(self, state: _State) -> Plan:
        name = f"dashboard {self.dashboard}"
        ours = is_ours(state.body)
        before = None if state.text is None else _lines(state)
        data = {"dashboard": self.dashboard, "widgets": _count(state.body), "ours": ours}
        if state.text is not None and not ours and not self.adopt and not self._same(state):
            return Plan(failure=f"{name} was not made by opslib; adopt=true overwrites or removes it", data=data)
        if self.state == "absent":
            if state.text is None:
                return Plan(reason=f"there is no {name}", data=data)
            return Plan(changes=[Change(kind=REMOVE, summary=f"remove {name}", before=before)], data=data)
        if self._same(state):
            return Plan(reason=f"{name} is as it should be", warnings=self._remarks, data=data)
        wanted = self._wanted(state.service)
        kind, verb = (CREATE, "create") if state.text is None else (MODIFY, "change")
        change = Change(kind=kind, summary=f"{verb} {name}", before=before, after=pretty(wanted), detail=wanted)
        return Plan(changes=[change], data=data)

    def _same(self, state: _State) -> bool:
        return self.state == "present" and state.body is not None and state.body == self._wanted(state.service)

    @functools.cached_property
    def _remarks(self) -> list[str]:
        """What CloudWatch had to say of the dashboard that it took."""
        return []

    def apply(self, change: Change) -> None:
        client = self.client("cloudwatch")
        if change.kind == REMOVE:
            doing = f"removing the dashboard {self.dashboard}"
            settle(
                self,
                lambda: client.delete_dashboards(DashboardNames=[self.dashboard]),
                lambda: self._text() is None,
                doing=doing,
            )
            return
        text = json.dumps(change.detail)

        def put() -> None:
            answer = client.put_dashboard(DashboardName=self.dashboard, DashboardBody=text)
            self._remarks[:] = [_remark(each) for each in (answer.get("DashboardValidationMessages") or [])[:_MOST]]

        settle(self, put, lambda: self._text() == text, doing=f"writing the dashboard {self.dashboard}")

    def verify(self, plan: Plan) -> None:  # noqa: ARG002 - the runtime calls it so
        """Wait until CloudWatch shows what was done."""
        self.patience.until(
            lambda: self.compare(self.look()),
            lambda found: not found.changes and not found.failure,
            doing=f"waiting until the dashboard {self.dashboard} shows what was done",
        )


def _lines(state: _State) -> str:
    """Return what is there, as text for a diff."""
    if state.body is not None:
        return pretty(state.body)
    return "\n".join(map(printable, (state.text or "").splitlines()))


def _count(body: Any) -> int:
    widgets = body.get("widgets") if isinstance(body, dict) else None
    return len(widgets) if isinstance(widgets, list) else 0


def _remark(message: Any) -> str:
    found = message if isinstance(message, dict) else {}
    return printable(f"CloudWatch remarks: {found.get('DataPath')}: {found.get('Message')}")[:300]
