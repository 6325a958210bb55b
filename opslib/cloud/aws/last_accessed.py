"""Which services a user, group or role has used of those that it may use.

Source: "Refine permissions in AWS using last accessed information" in the IAM user guide: AWS looks back 400 days.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.patience import Patience
from opslib.host.params import shown

__all__ = ["Access", "read_access"]


@dataclass(frozen=True, slots=True)
class Access:
    """How many services may be used, and when (seconds since 1970) each that was used was so last."""

    allowed: int
    used: dict[str, float]


def read_access(task: AwsTask, who: str, arn: str, patience: Patience) -> Access:
    """Have a report made on one, and read it. who: as it is to be named in errors."""
    client = task.client("iam")
    doing = f"asking which services {who} has used"
    make = functools.partial(client.generate_service_last_accessed_details, Arn=arn)
    job = task.ask(make, doing=doing, patience=patience).get("JobId")
    if not isinstance(job, str):
        raise MalformedError(f"{doing}: the answer names no job")
    rows: list[Any] = []
    args: dict[str, Any] = {"JobId": job}
    seen: set[str] = set()
    for _turn in patience.pauses(doing):
        while True:
            get = functools.partial(client.get_service_last_accessed_details, **args)
            answer = task.ask(get, doing=doing, patience=patience)
            status = answer.get("JobStatus")
            if status == "FAILED":
                raise RefusedError(f"{doing}: the report failed: {shown(answer.get('Error'))}")
            if status not in ("IN_PROGRESS", "COMPLETED"):
                raise MalformedError(f"{doing}: the report has the status {shown(status)}, which is unknown")
            if status == "IN_PROGRESS":
                break
            rows += answer.get("ServicesLastAccessed") or []
            marker = answer.get("Marker") if answer.get("IsTruncated") else None
            if marker is None:
                return Access(len(rows), dict(_used(row, doing) for row in rows if _last(row) is not None))
            if marker in seen:
                raise MalformedError(f"{doing}: the listing goes round in circles")
            seen.add(marker)
            args["Marker"] = marker
    raise AssertionError


def _last(row: Any) -> Any:
    return row.get("LastAuthenticated") if isinstance(row, dict) else row


def _used(row: Any, doing: str) -> tuple[str, float]:
    when, name = _last(row), row.get("ServiceNamespace") if isinstance(row, dict) else None
    if not isinstance(name, str) or not isinstance(when, datetime):
        raise MalformedError(f"{doing}: the answer makes no sense")
    return name, when.timestamp()
