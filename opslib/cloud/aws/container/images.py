"""Names of container images, and the proof that there is such an image."""

from __future__ import annotations

import re
from dataclasses import dataclass

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.host.params import ParamError, Text, shown
from opslib.host.task import TaskError

from .reading import line, member

__all__ = ["ImageName", "ImageRef", "Proven", "parse", "prove"]

# https://distribution.github.io/distribution/spec/api/ and https://pkg.go.dev/github.com/distribution/reference
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:(?P<host>[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?::[0-9]{{1,5}})?|[a-zA-Z0-9-]+:[0-9]{{1,5}}|localhost)/)?"
    rf"(?P<repository>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_ECR = re.compile(r"([0-9]{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, slots=True)
class ImageName:
    """host: empty for the account's own registry."""

    host: str
    repository: str
    tag: str
    digest: str

    @property
    def short(self) -> str:
        """For people: without the registry, the digest shortened."""
        digest = f"@{self.digest[:19]}" if self.digest else ""
        return self.repository + (f":{self.tag}" if self.tag else "") + digest

    def at(self, host: str, digest: str) -> str:
        """Return the whole name by which this image, and no other, is pulled."""
        return f"{host}/{self.repository}@{digest}"


@dataclass(frozen=True, slots=True)
class Proven:
    """An image that is known to exist. pinned: its name with the digest; short: for people."""

    pinned: str
    digest: str
    short: str


class ImageRef(Text):
    """An image: `repository:tag` or `repository@sha256:…`, with or without the registry's host before it."""

    def __init__(self) -> None:
        super().__init__("image such as spendsense-api:v42")

    def check(self, value: str) -> str:
        found = parse(value)
        if not found.tag and not found.digest:
            raise ParamError(f"{shown(value)} has neither tag nor digest; write {value}:TAG")
        return value


def parse(text: str) -> ImageName:
    """Take a name apart. Raises ParamError."""
    found = _NAME.fullmatch(text) if len(text) <= 1024 else None
    if found is None:
        raise ParamError(f"{shown(text)} is no name of an image such as spendsense-api:v42")
    return ImageName(found["host"] or "", found["repository"], found["tag"] or "", found["digest"] or "")


def prove(task: AwsTask, text: str) -> Proven:
    """Find an image in its registry, and return it by its digest.

    An image outside of ECR must be named by its digest: nobody was asked whether there is one.
    Raises TaskError when there is no such image. Source: DescribeImages in ECR's API reference.
    """
    name = parse(text)
    host = name.host or f"{task.account}.dkr.ecr.{task.region}.amazonaws.com"
    ecr = _ECR.fullmatch(host)
    if ecr is None:
        if not name.digest:
            raise TaskError(f"{text} is in no registry of ECR, so its tag cannot be proven; name it by its digest")
        return Proven(name.at(host, name.digest), name.digest, name.short)
    digest = _digest(task, name, ecr[1], ecr[2])
    if name.digest and name.digest != digest:
        raise TaskError(f"{text}: the tag {name.tag} is that of {digest}, not of the digest beside it")
    short = name.short if name.digest else f"{name.short} ({digest[:19]})"
    return Proven(name.at(host, digest), digest, short)


def _digest(task: AwsTask, name: ImageName, registry: str, region: str) -> str:
    doing = f"ECR: finding {name.short}"
    wanted = {"imageTag": name.tag} if name.tag else {"imageDigest": name.digest}
    client = task.client("ecr", region)
    try:
        answer = task.ask(
            lambda: client.describe_images(registryId=registry, repositoryName=name.repository, imageIds=[wanted]),
            doing=doing,
        )
    except RefusedError as error:
        if error.code == "ImageNotFoundException":
            raise TaskError(f"there is no image {name.short} in {registry}, {region}; push it first") from error
        if error.code == "RepositoryNotFoundException":
            raise TaskError(f"there is no repository {name.repository} in {registry}, {region}") from error
        raise
    found = member(answer, "imageDetails", list, doing)
    digest = line(found[0] if found else None, "imageDigest", doing)
    if not _DIGEST.fullmatch(digest):
        raise MalformedError(f"{doing}: {shown(digest)} is no digest")
    status = found[0].get("imageStatus", "ACTIVE")
    if status != "ACTIVE":
        raise TaskError(f"the image {name.short} cannot be pulled: ECR says {shown(status)}; restore it there first")
    return digest
