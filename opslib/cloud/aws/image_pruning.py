"""Which images of a repository may go; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from opslib.cloud.aws.ecr import Image

__all__ = ["Judged", "Policy", "judge"]

_ATTACHED = re.compile(r"sha256-([0-9a-f]{64})(?:\..+)?")  # as tools that sign images name what belongs to one


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked. keep_last: how many of the newest with a tag; deployed: digests; younger: seconds."""

    keep_last: int
    keep_tags: Sequence[str]
    deployed: Sequence[str]
    younger: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The images that go, in an order in which they can be deleted, and those that stay, each with the reason."""

    gone: Sequence[Image]
    kept: Sequence[tuple[Image, str]]


def judge(images: Sequence[Image], parts: Mapping[str, set[str]], policy: Policy, now: datetime) -> Judged:
    """Divide images.

    images: all, the newest first; parts: digests that indexes consist of, with those of the indexes. A part of an
    index, and what is attached to an image, stays with any of what it belongs to; without a tag of its own, it counts
    for nothing by itself.
    """
    known = {image.digest for image in images}
    owners = {image.digest: _owners(image, parts) & known - {image.digest} for image in images}
    whole = [image for image in images if not owners[image.digest] or (image.tags and not _attached(image))]
    reasons = dict(_reasons(whole, policy, now))
    for image in images:
        if image.digest in policy.deployed:
            reasons[image.digest] = "it is deployed"
            for above in _above(image.digest, owners):
                reasons.setdefault(above, "a part of it is deployed")
    for image in images:
        kept = [above for above in _above(image.digest, owners) if above in reasons]
        if kept:
            reasons.setdefault(image.digest, f"it belongs to {min(kept)[:19]}")
        elif owners[image.digest] and now - image.pushed < timedelta(seconds=policy.younger):
            reasons.setdefault(image.digest, "it is too young")
    gone = [image for image in images if image.digest not in reasons]
    depth = {image.digest: len(_above(image.digest, owners)) for image in gone}
    return Judged(
        gone=sorted(gone, key=lambda image: (depth[image.digest], image.pushed, image.digest)),
        kept=[(image, reasons[image.digest]) for image in images if image.digest in reasons],
    )


def _reasons(images: Sequence[Image], policy: Policy, now: datetime) -> Iterator[tuple[str, str]]:
    newest = [image.digest for image in images if image.tags][: policy.keep_last]
    for image in images:
        if image.digest in newest:
            yield image.digest, "it is one of the newest"
        elif any(fnmatchcase(tag, pattern) for tag in image.tags for pattern in policy.keep_tags):
            yield image.digest, "its tag is to be kept"
        elif now - image.pushed < timedelta(seconds=policy.younger):
            yield image.digest, "it is too young"


def _owners(image: Image, parts: Mapping[str, set[str]]) -> set[str]:
    """Return the digests of what an image belongs to."""
    return {*parts.get(image.digest, ()), *_attached(image)}


def _attached(image: Image) -> list[str]:
    """Return the digest of what an image is attached to, as its manifest or its tags say."""
    found = [f"sha256:{named[1]}" for tag in image.tags if (named := _ATTACHED.fullmatch(tag))]
    return [image.subject] if image.subject else found


def _above(digest: str, owners: Mapping[str, set[str]]) -> set[str]:
    """Return what an image belongs to, and what that belongs to, and so on."""
    found: set[str] = set()
    todo = [digest]
    while todo:
        new = owners[todo.pop()] - found
        found |= new
        todo += new
    return found - {digest}
