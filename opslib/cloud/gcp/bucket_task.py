"""The base of tasks on one bucket: it is part of the scope, and proven to belong to the project."""

from __future__ import annotations

import functools

from opslib.cloud.errors import MismatchError
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.task import param
from opslib.host.params import Name, ParamError, Text, shown

__all__ = ["BucketTask", "bucket_name", "object_name", "prefix_name"]


class _ObjectName(Text):
    """The name of an object, or its beginning, without what no one means."""

    def check(self, value: str) -> str:
        if value.startswith(("/", "gs://")) or any(part in (".", "..") for part in value.split("/")):
            raise ParamError(f"{shown(value)} is no {self.label}: it begins with '/' or 'gs://', or holds '..'")
        if len(value.encode("utf-8", "surrogatepass")) > 1024:
            raise ParamError("it is longer than the 1024 bytes that a name may have")
        return value


def bucket_name() -> Name:
    """Return the kind of parameter that takes a bucket's name."""
    return Name("bucket name without gs://", signs="_.-", longest=222)


def object_name() -> Text:
    """Return the kind of parameter that takes an object's name."""
    return _ObjectName("object name without the bucket")


def prefix_name() -> Text:
    """Return the kind of parameter that takes the beginning of objects' names; may be empty."""
    return _ObjectName("beginning of object names such as daily/", empty=True)


class BucketTask(GcpTask):
    """A task on a bucket of Cloud Storage, which must belong to `project`.

    Whoever only reads may have to do without the proof, and warns; whoever changes anything may not.
    """

    bucket: str = param(bucket_name(), "The bucket, without gs://.", example="spendsense-backups")

    def scope(self) -> dict[str, str]:
        return {**super().scope(), "bucket": self.bucket}

    @functools.cached_property
    def storage(self) -> Storage:
        """The service."""
        return Storage(self)

    @functools.cached_property
    def unproven(self) -> list[str]:
        """Warnings of what could not be proven of the bucket. Raises MismatchError when it is another project's."""
        doubt = self.storage.prove_project(self.bucket)
        return [doubt] if doubt else []

    def prove_bucket(self) -> None:
        """See that the bucket is the project's. Raises MismatchError when it is not, or that cannot be seen."""
        for doubt in self.unproven:
            raise MismatchError(
                f"{doubt}; nothing was touched: grant it in the project (Storage Bucket Viewer holds it)"
            )
