"""What a run found and did: the same shape for hosts and for the cloud, in memory and as JSON."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from opslib.errors import InterruptedRunError, RunFailedError

__all__ = ["SCHEMA_VERSION", "Change", "HostResult", "Report", "Status", "StepResult"]

SCHEMA_VERSION = 1
_SURROGATE = re.compile("[\ud800-\udfff]")


class Status(enum.StrEnum):
    """How a step or a host ended; a host ends in exactly one of these."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference that a step made, or in check mode would make.

    kind: `create`, `modify`, `remove`, or `action` for an act that is no state; certain: False for "may change".
    """

    kind: str
    summary: str
    before: Any = None
    after: Any = None
    certain: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON-like data."""
        return {
            "kind": self.kind,
            "summary": self.summary,
            "before": self.before,
            "after": self.after,
            "certain": self.certain,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the change that `to_dict` gave; TypeError or KeyError when it is not of that shape."""
        return cls(
            kind=_text(data["kind"]),
            summary=_text(data["summary"]),
            before=_clean(data.get("before")),
            after=_clean(data.get("after")),
            certain=bool(data.get("certain", True)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How one step ended on one host.

    reason: in words why nothing was to be done, what a check found, or why the step was skipped; error: what went
    wrong and what to do; data: the task's facts; seconds: time on the host; ignored: it failed, but was told to go on;
    check: whether it ran in check mode, None for the run's own mode: a step may say otherwise.
    """

    name: str
    task: str
    status: Status
    changed: bool = False
    reason: str = ""
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    ignored: bool = False
    check: bool | None = None

    def planned(self, *, check: bool) -> bool:
        """Whether its changes are only what it would do. check: the run's mode."""
        return check if self.check is None else self.check

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-like data."""
        return {
            "name": self.name,
            "task": self.task,
            "status": self.status.value,
            "changed": self.changed,
            "reason": self.reason,
            "changes": [change.to_dict() for change in self.changes],
            "warnings": list(self.warnings),
            "data": dict(self.data),
            "error": self.error,
            "seconds": self.seconds,
            "ignored": self.ignored,
            "check": self.check,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the result that `to_dict` gave; ValueError, TypeError or KeyError when it is not of that shape."""
        error = data.get("error")
        details = data.get("data") or {}
        if not isinstance(details, Mapping):
            raise TypeError("data is no mapping")
        return cls(
            name=_text(data["name"]),
            task=_text(data["task"]),
            status=Status(data["status"]),
            changed=bool(data.get("changed")),
            reason=_text(data.get("reason") or ""),
            changes=tuple(Change.from_dict(change) for change in data.get("changes") or ()),
            warnings=tuple(_text(warning) for warning in data.get("warnings") or ()),
            data=_clean(details),
            error=None if error is None else _text(error),
            seconds=_clean(float(data.get("seconds") or 0)) or 0.0,
            ignored=bool(data.get("ignored")),
            check=None if data.get("check") is None else bool(data["check"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """How one host ended, with its steps in the order they ran; `error` says why when no step does."""

    name: str
    status: Status
    steps: tuple[StepResult, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def failure(self) -> str | None:
        """What went wrong on this host, or None."""
        for step in self.steps:
            if step.status is Status.FAILED and not step.ignored:
                return f"{step.name}: {step.error}"
        return self.error

    def planned(self, *, check: bool) -> bool:
        """Whether all its changes are only what it would do. check: the run's mode."""
        found = [step.planned(check=check) for step in self.steps if step.changed]
        return all(found) if found else check

    @classmethod
    def of_steps(cls, name: str, steps: Iterable[StepResult], *, error: str | None = None, seconds: float = 0) -> Self:
        """Return a host's result, its status worked out from its steps; with an error it has failed."""
        done = tuple(steps)
        if error or any(step.status is Status.FAILED and not step.ignored for step in done):
            status = Status.FAILED
        elif any(step.changed for step in done):
            status = Status.CHANGED
        elif done and all(step.status is Status.SKIPPED for step in done):
            status = Status.SKIPPED
        else:
            status = Status.OK
        return cls(name=name, status=status, steps=done, error=error, seconds=seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-like data, without the name."""
        return {
            "status": self.status.value,
            "error": self.error,
            "seconds": self.seconds,
            "steps": [step.to_dict() for step in self.steps],
        }

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> Self:
        """Return the result that `to_dict` gave."""
        return cls(
            name=name,
            status=Status(data["status"]),
            steps=tuple(StepResult.from_dict(step) for step in data["steps"]),
            error=data.get("error"),
            seconds=float(data.get("seconds") or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The record of a run.

    run_id: unique; source: the playbook, role or tasks that ran; engine: `ssh`, `ansible` or both; started, ended:
    aware times; hosts: by name, in the order of the inventory; warnings: remarks on the run as a whole;
    interrupted: the caller stopped it.
    """

    run_id: str
    source: str
    engine: str
    check: bool
    started: datetime
    ended: datetime
    hosts: Mapping[str, HostResult]
    warnings: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 all well, 2 some host failed, 4 some host unreachable and none failed, 130 interrupted."""
        if self.interrupted:
            return 130
        states = {host.status for host in self.hosts.values()}
        if Status.FAILED in states:
            return 2
        return 4 if Status.UNREACHABLE in states else 0

    @property
    def changed(self) -> bool:
        """Whether anything changed, or in check mode would change, on any host."""
        return any(step.changed for host in self.hosts.values() for step in host.steps)

    def with_status(self, *states: Status) -> list[HostResult]:
        """Return the hosts that ended in one of these states."""
        return [host for host in self.hosts.values() if host.status in states]

    def raise_for_failures(self) -> None:
        """Raise InterruptedRunError for a run that was stopped, RunFailedError when hosts failed or were unreachable.

        Either carries this report.
        """
        if self.interrupted:
            raise InterruptedRunError("the run was stopped before its end; the report holds what is known", self)
        bad = self.with_status(Status.FAILED, Status.UNREACHABLE)
        if bad:
            first = "; ".join(f"{host.name}: {host.failure}" for host in bad[:3])
            more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise RunFailedError(f"{len(bad)} of {len(self.hosts)} hosts did not succeed: {first}{more}", self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-like data; `opslib/schema/report-1.json` describes it."""
        return {
            "schema": SCHEMA_VERSION,
            "run_id": self.run_id,
            "source": self.source,
            "engine": self.engine,
            "check": self.check,
            "started": _stamp(self.started),
            "ended": _stamp(self.ended),
            "exit_code": self.exit_code,
            "interrupted": self.interrupted,
            "warnings": list(self.warnings),
            "hosts": {name: host.to_dict() for name, host in self.hosts.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` gave; ValueError for another schema version."""
        if data.get("schema") != SCHEMA_VERSION:
            raise ValueError(
                f"report schema {data.get('schema')!r} is not {SCHEMA_VERSION}, the one this version reads"
            )
        return cls(
            run_id=data["run_id"],
            source=data["source"],
            engine=data["engine"],
            check=data["check"],
            started=datetime.fromisoformat(data["started"]),
            ended=datetime.fromisoformat(data["ended"]),
            hosts={name: HostResult.from_dict(name, host) for name, host in data["hosts"].items()},
            warnings=tuple(data.get("warnings") or ()),
            interrupted=bool(data.get("interrupted")),
        )


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: Any) -> str:
    r"""Return text as it can be written anywhere: bytes that were not UTF-8 become `\xNN`."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return _SURROGATE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
