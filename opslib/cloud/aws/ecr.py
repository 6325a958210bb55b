"""Repositories and images of ECR as frozen records."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.images.names import is_digest
from opslib.host.words import printable

__all__ = ["INDEXES", "SEVERITIES", "Findings", "Image", "Login", "Repositories", "Repository"]

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")  # the worst first
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_MUTABILITY = ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")
_STATUS = (
    *("IN_PROGRESS", "COMPLETE", "FAILED", "UNSUPPORTED_IMAGE", "ACTIVE", "PENDING", "SCAN_ELIGIBILITY_EXPIRED"),
    *("FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_ARCHIVED", "IMAGE_SIZE_EXCEEDED"),
)
_MISSING = "RepositoryNotFoundException"
_MOST = 100  # images that one request can name


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository. uri: its address without a tag; mutability: of tags, in ECR's words; policy: of its lifecycle."""

    name: str
    uri: str
    mutability: str
    scan_on_push: bool
    policy: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Image:
    """An image, or an index of several, or what is attached to one (`subject`)."""

    digest: str
    tags: Sequence[str]
    pushed: datetime
    size: int
    media_type: str = ""
    subject: str | None = None

    @property
    def shown(self) -> str:
        """Its tags, or the beginning of its digest, on one printable line."""
        names = ", ".join(printable(tag[:128]) for tag in self.tags[:5])
        return f"{self.digest[:19]} ({names or 'untagged'})"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found. status: in ECR's words, NONE for an image that was not scanned; counts: by severity."""

    status: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Login:
    """What a registry wants to know. host: the registry, with the port."""

    host: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.host!r}, {self.user!r}, '***')"


class Repositories:
    """The service, for one task."""

    def __init__(self, task: AwsTask) -> None:
        self._task = task

    def find(self, name: str) -> Repository | None:
        """Read a repository, its lifecycle among it; None when there is none of that name."""
        ecr, doing = self._task.client("ecr"), f"describing repository {name}"
        try:
            answer = self._task.ask(lambda: ecr.describe_repositories(repositoryNames=[name]), doing=doing)
        except RefusedError as error:
            if error.code == _MISSING:
                return None
            raise
        found = answer.get("repositories")
        if not isinstance(found, list) or len(found) != 1 or found[0].get("repositoryName") != name:
            raise MalformedError(f"{doing}: the answer is not about that repository")
        mutability, uri = found[0].get("imageTagMutability", "MUTABLE"), found[0].get("repositoryUri")
        if mutability not in _MUTABILITY:
            raise MalformedError(f"{doing}: it has a tag mutability that is not known: {mutability!a}")
        if not isinstance(uri, str) or not uri.endswith(f"/{name}"):
            raise MalformedError(f"{doing}: it has no address that fits its name")
        scanning = found[0].get("imageScanningConfiguration") or {}
        return Repository(name, uri, mutability, scanning.get("scanOnPush") is True, self._policy(name))

    def _policy(self, name: str) -> Mapping[str, Any] | None:
        ecr, doing = self._task.client("ecr"), f"reading the lifecycle policy of repository {name}"
        try:
            answer = self._task.ask(lambda: ecr.get_lifecycle_policy(repositoryName=name), doing=doing)
        except RefusedError as error:
            if error.code in ("LifecyclePolicyNotFoundException", _MISSING):
                return None
            raise
        try:
            policy = json.loads(answer["lifecyclePolicyText"])
        except (KeyError, TypeError, ValueError, RecursionError):
            policy = None
        if not isinstance(policy, dict):
            raise MalformedError(f"{doing}: the answer holds no policy")
        return policy

    def images(self, name: str) -> list[Image]:
        """Return all images of a repository, the newest first."""
        doing = f"listing the images of repository {name}"
        pages = self._task.pages("ecr", "describe_images", "imageDetails", doing=doing, repositoryName=name)
        found = {image.digest: image for image in (_image(each, doing) for each in pages)}
        return sorted(found.values(), key=lambda image: (image.pushed, image.digest), reverse=True)

    def image(self, name: str, digest: str) -> Image | None:
        """Return one image, None when it is gone."""
        ecr, doing = self._task.client("ecr"), f"describing image {digest[:19]} of repository {name}"
        try:
            answer = self._task.ask(
                lambda: ecr.describe_images(repositoryName=name, imageIds=[{"imageDigest": digest}]), doing=doing
            )
        except RefusedError as error:
            if error.code == "ImageNotFoundException":
                return None
            raise
        found = [_image(each, doing) for each in answer.get("imageDetails") or []]
        if any(image.digest != digest for image in found):
            raise MalformedError(f"{doing}: the answer is about another image")
        return found[0] if found else None

    def findings(self, name: str, digest: str) -> Findings:
        """Return what the newest scan of an image found."""
        ecr, doing = self._task.client("ecr"), f"reading the scan of image {digest[:19]} of repository {name}"
        try:
            answer = self._task.ask(
                lambda: ecr.describe_image_scan_findings(
                    repositoryName=name, imageId={"imageDigest": digest}, maxResults=1
                ),
                doing=doing,
            )
        except RefusedError as error:
            if error.code in ("ScanNotFoundException", "ImageNotFoundException"):
                return Findings("NONE", {})
            raise
        status = (answer.get("imageScanStatus") or {}).get("status")
        counts = (answer.get("imageScanFindings") or {}).get("findingSeverityCounts") or {}
        if status not in _STATUS:
            raise MalformedError(f"{doing}: its status is not known: {status!a}")
        if not isinstance(counts, dict) or not all(
            key in SEVERITIES and isinstance(count, int) and count >= 0 for key, count in counts.items()
        ):
            raise MalformedError(f"{doing}: the answer makes no sense: {str(counts)[:200]!a}")
        return Findings(status, counts)

    def parts(self, name: str, images: Iterable[Image]) -> dict[str, set[str]]:
        """Return the digests that indexes among the images consist of, each with those of all its indexes."""
        indexes = [image.digest for image in images if image.media_type in INDEXES]
        found: dict[str, set[str]] = {}
        for begin in range(0, len(indexes), _MOST):
            for digest, manifest in self._manifests(name, indexes[begin : begin + _MOST]):
                for part in manifest.get("manifests") or []:
                    if not isinstance(part, dict) or not is_digest(part.get("digest")):
                        raise MalformedError(f"the index {digest[:19]} of repository {name} makes no sense")
                    found.setdefault(part["digest"], set()).add(digest)
        return found

    def _manifests(self, name: str, digests: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        ecr, doing = self._task.client("ecr"), f"reading {len(digests)} indexes of repository {name}"
        ids = [{"imageDigest": digest} for digest in digests]
        answer = self._task.ask(
            lambda: ecr.batch_get_image(repositoryName=name, imageIds=ids, acceptedMediaTypes=list(INDEXES)),
            doing=doing,
        )
        left = set(digests)
        for each in answer.get("images") or []:
            digest = (each.get("imageId") or {}).get("imageDigest")
            try:
                manifest = json.loads(each["imageManifest"])
            except (KeyError, TypeError, ValueError, RecursionError):
                manifest = None
            if not isinstance(digest, str) or digest not in left or not isinstance(manifest, dict):
                raise MalformedError(f"{doing}: the answer makes no sense")
            left.discard(digest)
            yield digest, manifest
        if left:
            raise MalformedError(f"{doing}: the answer leaves out {len(left)} of them")

    def login(self) -> Login:
        """Return a login to the account's registry, good for 12 hours."""
        ecr, doing = self._task.client("ecr"), "asking for a login to the registry"
        answer = self._task.ask(ecr.get_authorization_token, doing=doing)
        try:
            (found,) = answer["authorizationData"]
            user, colon, password = base64.b64decode(found["authorizationToken"], validate=True).decode().partition(":")
            host = urlsplit(found["proxyEndpoint"]).netloc
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise MalformedError(f"{doing}: the answer holds no login") from None
        if not colon or not password or not host:
            raise MalformedError(f"{doing}: the answer holds no login")
        return Login(host, user, password)


def _image(found: Any, doing: str) -> Image:
    digest, tags = found.get("imageDigest"), found.get("imageTags") or []
    pushed, size = found.get("imagePushedAt"), found.get("imageSizeInBytes") or 0
    good = is_digest(digest) and isinstance(pushed, datetime) and isinstance(size, int)
    if not good or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise MalformedError(f"{doing}: an image makes no sense: {str(digest)[:100]!a}")
    return Image(
        digest=digest,
        tags=tuple(sorted(tags)),
        pushed=pushed,
        size=size,
        media_type=str(found.get("imageManifestMediaType") or ""),
        subject=found.get("subjectManifestDigest"),
    )
