"""Delete old images from a repository of ECR, and never one that is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.aws.ecr import Image, Repositories
from opslib.cloud.aws.image_pruning import Policy, judge
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.images.kinds import reference, repository_name
from opslib.cloud.images.names import is_digest
from opslib.cloud.settled import settle
from opslib.cloud.task import REMOVE, Change, Plan, TaskError, param
from opslib.host.params import Duration, Glob, ListOf, Number
from opslib.host.words import count, listed, size

__all__ = ["EcrPrune"]


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    images: Sequence[Image]
    parts: Mapping[str, set[str]]


class EcrPrune(AwsTask, name="ecr_prune"):
    """Delete old images from a repository of ECR.

    Kept are: the newest `keep_last` that have a tag, what has a tag that matches `keep_tags`, what is younger than
    `younger`, and what is `deployed`; each with what belongs to it: the parts of an index, signatures and other
    attachments. All else goes. The plan lists each image. What is deployed must be said, if only as an empty list; when
    one of those is not in the repository, nothing is deleted. Right before an image is deleted it is looked at again:
    one that was tagged otherwise meanwhile fails the step.

    data: `kept` (`digest`, `tags`, `why`), at most 100; `deleted`, `deleted_bytes`: what this run deleted. Errors:
    there is no such repository; more than `most` images would go. Source: BatchDeleteImage in the API reference of ECR.
    """

    repository: str = param(repository_name(), "The repository.", example="spendsense-api")
    deployed: list[str] = param(
        ListOf(reference()),
        "What runs now or must be there for a rollback: digests, tags or addresses.",
        example=["v41", "v42"],
    )
    keep_last: int = param(Number(1, 10000, whole=True), "How many of the newest images with a tag stay.", default=10)
    keep_tags: list[str] = param(
        ListOf(Glob()), "Patterns; an image with a tag that matches stays.", default=[], example=["release-*"]
    )
    younger: float = param(Duration(), "Age in seconds up to which images stay.", default="7d")
    most: int = param(Number(1, 10000, whole=True), "Refuse to act when more images than this would go.", default=200)

    _deleted: tuple[int, int] = (0, 0)

    def look(self) -> _State:
        repositories = Repositories(self)
        if repositories.find(self.repository) is None:
            raise TaskError(f"there is no repository {self.repository} ({self.account}, {self.region})")
        images = repositories.images(self.repository)
        return _State(datetime.now(UTC), images, repositories.parts(self.repository, images))

    def compare(self, state: _State) -> Plan:
        number, total = self._deleted
        data: dict[str, Any] = {"deleted": number, "deleted_bytes": total, "kept": []}
        deployed, missing = self._deployed(state.images)
        if missing:
            failure = (
                f"what is said to be deployed is not in repository {self.repository}: {listed(missing, 5)}; nothing "
                "goes while that is so: correct deployed, or the repository"
            )
            return Plan(failure=failure, data=data)
        judged = judge(
            state.images, state.parts, Policy(self.keep_last, self.keep_tags, deployed, self.younger), state.now
        )
        data["kept"] = [
            {"digest": image.digest, "tags": list(image.tags), "why": why} for image, why in judged.kept[:100]
        ]
        if len(judged.gone) > self.most:
            failure = f"{len(judged.gone)} images would go, more than most, {self.most}: raise it, or keep more"
            return Plan(failure=failure, data=data)
        changes = [_change(image, state.now) for image in judged.gone]
        reason = "" if changes else f"all of {count(len(state.images), 'image')} of {self.repository} stay"
        return Plan(changes=changes, reason=reason, data=data)

    def _deployed(self, images: Sequence[Image]) -> tuple[list[str], list[str]]:
        """Return the digests of what is deployed, and what of it there is not."""
        by_tag = {tag: image.digest for image in images for tag in image.tags}
        known = {image.digest for image in images}
        found = [text if is_digest(text) else by_tag.get(text, "") for text in self.deployed]
        missing = [text for text, digest in zip(self.deployed, found, strict=True) if digest not in known]
        return found, missing

    def apply(self, change: Change) -> None:
        image: Image = change.detail
        repositories = Repositories(self)
        now = repositories.image(self.repository, image.digest)
        if now is not None and set(now.tags) != set(image.tags):
            raise RefusedError(f"image {image.shown} was tagged otherwise meanwhile; it was left: run again")
        doing = f"deleting image {image.shown} of repository {self.repository}"
        if now is not None:
            settle(
                self,
                lambda: self._delete(image, doing),
                lambda: repositories.image(self.repository, image.digest) is None,
                doing=doing,
            )
            self.patience.until(
                lambda: repositories.image(self.repository, image.digest),
                lambda found: found is None,
                doing=f"{doing}: waiting until it is gone",
            )
        number, total = self._deleted
        object.__setattr__(self, "_deleted", (number + 1, total + image.size))

    def _delete(self, image: Image, doing: str) -> None:
        answer = self.client("ecr").batch_delete_image(
            repositoryName=self.repository, imageIds=[{"imageDigest": image.digest}]
        )
        for failure in answer.get("failures") or []:
            code = failure.get("failureCode")
            if code != "ImageNotFound":
                raise RefusedError(f"{doing}: {str(code)[:100]}: {str(failure.get('failureReason'))[:300]!a}")
        ids = [found.get("imageDigest") for found in answer.get("imageIds") or []]
        if not set(ids) <= {image.digest}:
            raise MalformedError(f"{doing}: the answer is about other images, {str(ids)[:200]!a}")


def _change(image: Image, now: datetime) -> Change:
    days = (now - image.pushed).days
    return Change(
        kind=REMOVE,
        summary=f"delete image {image.shown}, {size(image.size)}, pushed {count(days, 'day')} ago",
        before=image.digest,
        detail=image,
    )
