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


def judge(images: Sequence[Image], parts: Mapping[str, str], policy: Policy, now: datetime) -> Judged:
    """Divide images.

    images: all, the newest first; parts: digests that an index consists of, with the index's. Parts of an index, and
    what is attached to an image, count for nothing by themselves: they stay or go with it.
    """
    known = {image.digest for image in images}
    owners = {image.digest: owner for image in images if (owner := _owner(image, parts)) and owner in known}
    whole = [image for image in images if image.digest not in owners]
    reasons = dict(_reasons(whole, policy, now))
    for image in images:
        if image.digest in policy.deployed:
            reasons[image.digest] = "it is deployed"
            for above in _above(image.digest, owners):
                reasons.setdefault(above, "a part of it is deployed")
    for image in images:
        kept = [above for above in _above(image.digest, owners) if above in reasons]
        if kept:
            reasons.setdefault(image.digest, f"it belongs to {kept[0][:19]}")
        elif image.digest in owners and now - image.pushed < timedelta(seconds=policy.younger):
            reasons.setdefault(image.digest, "it is too young")
    gone = [image for image in images if image.digest not in reasons]
    depth = {image.digest: len(list(_above(image.digest, owners))) for image in gone}
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


def _owner(image: Image, parts: Mapping[str, str]) -> str | None:
    """Return the digest of what an image belongs to, None when it stands for itself."""
    if image.subject:
        return image.subject
    for tag in image.tags:
        attached = _ATTACHED.fullmatch(tag)
        if attached:
            return f"sha256:{attached[1]}"
    return None if image.tags else parts.get(image.digest)


def _above(digest: str, owners: Mapping[str, str]) -> Iterator[str]:
    """Yield what an image belongs to, and what that belongs to, and so on."""
    seen = {digest}
    while digest in owners and owners[digest] not in seen:
        digest = owners[digest]
        seen.add(digest)
        yield digest
