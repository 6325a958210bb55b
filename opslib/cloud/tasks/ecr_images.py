"""List the images of a repository of ECR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.aws.ecr import SEVERITIES, Findings, Image, Repositories
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.images.kinds import repository_name
from opslib.cloud.task import Plan, TaskError, param
from opslib.host.params import Choice, Number
from opslib.host.words import count

__all__ = ["EcrImages"]

_SCANNED = ("COMPLETE", "ACTIVE")


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    uri: str
    images: Sequence[Image]
    findings: Mapping[str, Findings]


class EcrImages(AwsTask, name="ecr_images"):
    """List the newest images of a repository of ECR, with what scans found in them.

    With `fail_on` the step fails when the newest image has findings of that severity or a worse one, or was not
    scanned. Nothing is changed.

    data: `images`, the newest first, each with `digest`, `tags`, `pushed` (UTC), `age_seconds`, `bytes`, `scan`
    (`status` in ECR's words, NONE if there was no scan, and `findings` by severity); `count` of all images;
    `total_bytes`; `uri`. Errors: there is no such repository.
    """

    repository: str = param(repository_name(), "The repository.", example="spendsense-api")
    last: int = param(Number(1, 100, whole=True), "How many of the newest images to list.", default=10)
    fail_on: str | None = param(
        Choice("critical", "high", "medium", "low"),
        "The severity that fails the step.",
        default=None,
        example="critical",
    )

    def look(self) -> _State:
        repositories = Repositories(self)
        found = repositories.find(self.repository)
        if found is None:
            raise TaskError(f"there is no repository {self.repository} ({self.account}, {self.region})")
        images = repositories.images(self.repository)
        findings = {image.digest: repositories.findings(self.repository, image.digest) for image in images[: self.last]}
        return _State(datetime.now(UTC), found.uri, images, findings)

    def compare(self, state: _State) -> Plan:
        shown = [_shown(image, state) for image in state.images[: self.last]]
        data = {
            "images": shown,
            "count": len(state.images),
            "total_bytes": sum(image.size for image in state.images),
            "uri": state.uri,
        }
        if not shown:
            return Plan(reason=f"repository {self.repository} holds no image", data=data)
        newest = state.images[0]
        failure = self._failure(newest, state.findings[newest.digest])
        reason = f"{count(len(state.images), 'image')}; the newest is {newest.shown}, pushed {shown[0]['pushed']}"
        return Plan(reason="" if failure else reason, failure=failure, data=data)

    def _failure(self, newest: Image, found: Findings) -> str:
        if self.fail_on is None:
            return ""
        if found.status not in _SCANNED:
            return f"the newest image, {newest.shown}, has not been scanned: its scan is {found.status}"
        bad = SEVERITIES[: SEVERITIES.index(self.fail_on.upper()) + 1]
        counts = {severity.lower(): found.counts[severity] for severity in bad if found.counts.get(severity)}
        if counts:
            told = ", ".join(f"{number} {severity}" for severity, number in counts.items())
            return f"the newest image, {newest.shown}, has findings: {told}; fail_on is {self.fail_on}"
        return ""


def _shown(image: Image, state: _State) -> dict[str, Any]:
    scan = state.findings[image.digest]
    return {
        "digest": image.digest,
        "tags": list(image.tags),
        "pushed": image.pushed.astimezone(UTC).isoformat(timespec="seconds"),
        "age_seconds": int((state.now - image.pushed).total_seconds()),
        "bytes": image.size,
        "scan": {"status": scan.status, "findings": {key.lower(): value for key, value in scan.counts.items()}},
    }
