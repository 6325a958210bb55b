"""Review who may do what in an AWS account, and with what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from opslib.cloud.aws.account_details import Details, read_details
from opslib.cloud.aws.credential_report import ROOT, Report, read_report
from opslib.cloud.aws.findings import HIGH, LOW, SEVERITIES, Finding
from opslib.cloud.aws.iam_rules import Limits, of_account, of_grants, of_roles, of_users
from opslib.cloud.aws.last_accessed import Access, read_access
from opslib.cloud.aws.policies import too_wide
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import ExpiredError, MalformedError, ServiceError
from opslib.cloud.patience import Patience
from opslib.cloud.task import Plan, param
from opslib.host.params import Choice, Duration, ListOf, Number, Text
from opslib.host.words import count, listed, printable

__all__ = ["IamReview"]

_MOST_LINES = 50
_OPTIONAL = 60.0


@dataclass(slots=True)
class _State:
    """What could be read; not_asked: in words, what could not, and why."""

    now: float
    report: Report | None = None
    summary: dict[str, int] | None = None
    details: Details | None = None
    access: dict[str, Access] = field(default_factory=dict)
    not_asked: list[str] = field(default_factory=list)


class IamReview(AwsTask, name="iam_review"):
    """Find what should not be in an account's IAM. Changes nothing.

    high: root with an access key or without a second factor; `no_mfa`, a password without a second factor;
    `wildcard_policy`, a policy that is in force and allows everything, or everything of IAM and its like, on all
    resources; `open_role`, which anyone on AWS may assume. medium: `old_key`, `unused_key`, `unused_password`,
    `root_used`, policies that allow everything of a service on all its resources. low: `two_keys`, `unused_role`, wide
    policies that nobody has, those that allow on all resources but some, and `unused_services` of who holds wide ones.

    Of actions only wildcards for all of a service are judged: what a list of them allows is for people to read. A
    permissions boundary, a service control policy or a denial elsewhere may take back what is found here. What could
    not be asked is said. The credential report may be four hours old; AWS remembers the use of roles and services for
    400 days. IAM is the same in all regions; `region` decides which partition is asked.

    data: `findings`, each with `severity`, `kind`, `subject` and `text`; `counts` by severity; `accepted`, how many
    `accept` covers; `not_asked`; `report_age` in seconds. Sources: "Get credential reports for your AWS account",
    "Refine permissions in AWS using last accessed information" and "Security best practices in IAM" in the IAM user
    guide.
    """

    key_age: float = param(Duration(low=1), "Seconds after which an access key is old.", default="90d")
    unused: float = param(Duration(low=1), "Seconds after which a key, password or role is unused.", default="90d")
    accept: list[str] = param(
        ListOf(Text("pattern")),
        "Findings that are as they should be, as KIND:SUBJECT with * and ?.",
        default=[],
        example=["wildcard_policy:policy AdministratorAccess", "unused_role:role ci-*"],
    )
    fail_on: str = param(
        Choice(*SEVERITIES, "never"), "The least severity of a finding that fails the task.", default=HIGH
    )
    last_accessed: int = param(
        Number(0, 500, whole=True),
        "Of how many holders of wide policies to ask which services they used; each takes AWS some seconds.",
        default=20,
    )

    def look(self) -> _State:
        state = _State(time.time())
        state.report = self._try(state, "the credential report", lambda: read_report(self))
        if state.report is None or all(user.name != ROOT for user in state.report.users):
            state.summary = self._try(state, "the account's summary", self._summary)
        state.details = self._try(state, "users, roles and policies", lambda: read_details(self))
        if state.details is not None:
            self._ask_access(state, state.details)
        return state

    def _try(self, state: _State, what: str, read: Callable[[], Any]) -> Any:
        """Return what could be read; None where it was refused or is broken."""
        try:
            return read()
        except (ExpiredError, MalformedError):
            raise
        except ServiceError as error:
            state.not_asked.append(f"{what}: {error}")
            return None

    def _summary(self) -> dict[str, int]:
        doing = "reading the account's summary"
        found = self.ask(self.client("iam").get_account_summary, doing=doing).get("SummaryMap")
        if not isinstance(found, dict) or not all(isinstance(value, int) for value in found.values()):
            raise MalformedError(f"{doing}: the answer holds none")
        return found

    def _ask_access(self, state: _State, details: Details) -> None:
        """Ask what the holders of wide policies have used, as long as that is answered."""
        wide = [grant for grant in details.grants if too_wide(grant.document)]
        holders = sorted({who for grant in wide for who in grant.holders if who in details.arns})
        patience = Patience(min(self.wait, _OPTIONAL), self.poll)
        for number, who in enumerate(holders):
            left = f"services used by {count(len(holders) - number, 'holder')} of wide policies"
            if number >= self.last_accessed:
                state.not_asked.append(f"{left}: last_accessed is {self.last_accessed}")
                return
            try:
                state.access[who] = read_access(self, printable(who), details.arns[who], patience)
            except ExpiredError:
                raise
            except ServiceError as error:
                state.not_asked.append(f"{left}: {error}")
                return

    def compare(self, state: _State) -> Plan:
        limits = Limits(state.now, self.key_age, self.unused)
        found = list(self._findings(state, limits))
        kept = [finding for finding in found if not finding.accepted(self.accept)]
        kept.sort(key=lambda finding: (SEVERITIES.index(finding.severity), finding.kind, finding.subject))
        counts = {severity: sum(finding.severity == severity for finding in kept) for severity in SEVERITIES}
        total = ", ".join(f"{number} {severity}" for severity, number in counts.items())
        lines = [finding.line for finding in kept]
        more = len(lines) - _MOST_LINES
        return Plan(
            reason=f"{count(len(kept), 'finding')}: {total}",
            failure=self._failure(state, kept),
            warnings=[
                *(f"not asked: {printable(each)}" for each in state.not_asked),
                *lines[:_MOST_LINES],
                *([f"and {more} more, in data"] if more > 0 else []),
            ],
            data={
                "findings": [finding.to_dict() for finding in kept],
                "counts": counts,
                "accepted": len(found) - len(kept),
                "not_asked": state.not_asked,
                "report_age": None if not state.report or not state.report.made else state.now - state.report.made,
            },
        )

    def _failure(self, state: _State, kept: list[Finding]) -> str:
        if state.report is None and state.details is None:
            return f"nothing could be reviewed: {listed(state.not_asked)}"
        bad = SEVERITIES[: SEVERITIES.index(self.fail_on) + 1] if self.fail_on in SEVERITIES else ()
        lines = [finding.line for finding in kept if finding.severity in bad]
        return listed(lines)

    def _findings(self, state: _State, limits: Limits) -> Iterator[Finding]:
        if state.report is not None:
            yield from of_users(state.report.users, limits)
        if state.summary is not None:
            yield from of_account(state.summary)
        if state.details is not None:
            yield from of_roles(state.details.roles, limits)
            yield from of_grants(state.details)
        for who, access in sorted(state.access.items()):
            used = [name for name, when in access.used.items() if limits.now - when <= self.unused]
            if len(used) < access.allowed:
                names = listed([printable(name) for name in sorted(used)]).replace("; ", ", ") or "none"
                words = f"may use {count(access.allowed, 'service')}, used in {self.unused / 86400:g} days: {names}"
                yield Finding(LOW, "unused_services", printable(who), words)
