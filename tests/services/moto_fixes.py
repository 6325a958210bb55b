"""What moto 5.2 does otherwise than AWS, put right while a server of ours runs. Each says what AWS does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, Statistics
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend
from moto.ecr.responses import ECRResponse
from moto.logs import models as logs_models
from moto.secretsmanager.models import SecretsManagerBackend

from services.log_patterns import LogPattern


class Fixes:
    """All of them, applied to moto's classes and undone."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def apply(self) -> None:
        for owner, name, fixed in (
            (ECRBackend, "put_image", put_image),
            (ECRResponse, "get_authorization_token", get_authorization_token),
            (CloudWatchBackend, "get_metric_data", get_metric_data),
            (CloudWatchBackend, "get_metric_statistics", get_metric_statistics),
            (CloudWatchResponse, "get_metric_statistics", metric_statistics_response),
            (Statistics, "get_statistics_for_type", statistic),
            (SecretsManagerBackend, "update_secret_version_stage", update_secret_version_stage),
            (SecretsManagerBackend, "list_secret_version_ids", list_secret_version_ids),
            (logs_models, "EventMessageFilter", event_message_filter),
        ):
            self._stack.enter_context(mock.patch.object(owner, name, fixed))

    def undo(self) -> None:
        self._stack.close()


# --- ECR: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html

_put_image = ECRBackend.put_image


def put_image(
    self: Any, repository: str, manifest: str, tag: str | None, media_type: str | None = None, digest: str | None = None
) -> Any:
    """The digest is that of the manifest; one that is not is refused; a tag that moves leaves its image untagged.

    In a repository with immutable tags, a tag of another image is ImageTagAlreadyExistsException.
    """
    real = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    if digest not in (None, real):
        raise refused("ecr", "ImageDigestDoesNotMatchException", f"the digest of the manifest is {real}, not {digest}")
    found = self._get_repository(repository)
    for image in [each for each in found.images if tag is not None and tag in each.image_tags]:
        if image.image_manifest == manifest:
            continue
        if found.is_tag_immutable():
            words = f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten."
            raise refused("ecr", "ImageTagAlreadyExistsException", words)
        image.image_tags.remove(tag)
        image.image_tag = image.image_tags[-1] if image.image_tags else None
    return _put_image(self, repository, manifest, tag, media_type, real)


_get_authorization_token = ECRResponse.get_authorization_token


def get_authorization_token(self: Any) -> Any:
    """A token is good for twelve hours, not until 2015."""
    found = _get_authorization_token(self)
    for each in found.result["authorizationData"]:
        each["expiresAt"] = datetime.now(UTC) + timedelta(hours=12)
    return found


# --- CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html


def get_metric_data(
    self: Any, queries: Any, start_time: datetime, end_time: datetime, scan_by: str = ""
) -> list[dict[str, Any]]:
    """A metric is its name, its namespace and exactly its dimensions; percentiles are statistics like others.

    Metric math is refused: moto answers nothing, with the status Complete, to what it does not know.
    """
    results = []
    for query in queries:
        if "MetricStat" not in query:
            raise ValidationError(f"this back end does no metric math: {query.get('Expression')}")
        asked = query["MetricStat"]
        metric = asked["Metric"]
        data = exactly(self, metric["Namespace"], metric["MetricName"], metric.get("Dimensions", []), asked.get("Unit"))
        found = buckets(data, start_time, end_time, int(asked["Period"]), [asked["Stat"]])
        if scan_by != "TimestampAscending":
            found.reverse()
        if query.get("ReturnData", True):
            results.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label") or metric["MetricName"],
                    "values": [each.get_statistics_for_type(asked["Stat"]) for each in found],
                    "timestamps": [each.timestamp for each in found],
                    "status_code": "Complete",
                }
            )
    return results


def get_metric_statistics(
    self: Any,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    dimensions: list[dict[str, str]],
    unit: str | None = None,
) -> list[Any]:
    """As `get_metric_data`."""
    return buckets(exactly(self, namespace, metric_name, dimensions, unit), start_time, end_time, period, stats)


def exactly(backend: Any, namespace: str, name: str, dimensions: Iterable[Any], unit: str | None) -> list[Any]:
    """Return the data of one metric."""
    wanted = {(each["Name"], each["Value"]) for each in dimensions}
    return [
        each
        for each in backend.get_all_metrics()
        if (each.namespace, each.name) == (namespace, name)
        and {(one.name, one.value) for one in each.dimensions} == wanted
        and unit in (None, each.unit)
    ]


def buckets(data: list[Any], start: datetime, end: datetime, period: int, stats: list[str]) -> list[Any]:
    """Return statistics of the periods that have data."""
    found: dict[int, Any] = {}
    for each in sorted(data, key=lambda each: each.timestamp):
        if start <= each.timestamp < end:
            number = int((each.timestamp - start).total_seconds() // period)
            bucket = found.setdefault(number, Statistics(stats, start + timedelta(seconds=number * period)))
            bucket.metric_data.append(each)
            bucket.unit = each.unit
    return list(found.values())


_statistic = Statistics.get_statistics_for_type


def statistic(self: Any, name: str) -> Any:
    """`p95` and its like: the value that so many percent of the samples are not above."""
    if not name.startswith("p"):
        return _statistic(self, name)
    values = sorted(self.metric_single_values_list)
    return values[max(0, math.ceil(float(name[1:]) / 100 * len(values)) - 1)] if values else None


_metric_statistics_response = CloudWatchResponse.get_metric_statistics


def metric_statistics_response(self: Any) -> Any:
    """Percentiles are answered as ExtendedStatistics."""
    found = _metric_statistics_response(self)
    names = self._get_param("ExtendedStatistics", [])
    for each in found.result["Datapoints"]:
        each.extended_statistics = {name: each.get_statistics_for_type(name) for name in names} or None
    return found


# --- Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

_update_secret_version_stage = SecretsManagerBackend.update_secret_version_stage


def update_secret_version_stage(self: Any, secret_id: str, version_stage: str, *versions: Any, **named: Any) -> Any:
    """After AWSCURRENT has moved, a value that is asked for without a stage is that of the new version."""
    done = _update_secret_version_stage(self, secret_id, version_stage, *versions, **named)
    secret = self.secrets[secret_id]
    if version_stage == "AWSCURRENT":
        current = [key for key, each in secret.versions.items() if "AWSCURRENT" in each["version_stages"]]
        secret.default_version_id = current[0] if current else None
    return done


_list_secret_version_ids = SecretsManagerBackend.list_secret_version_ids


def list_secret_version_ids(self: Any, secret_id: str) -> str:
    """A version was made when it was put, not just now."""
    found = json.loads(_list_secret_version_ids(self, secret_id))
    for each in found["Versions"]:
        each["CreatedDate"] = self.secrets[secret_id].versions[each["VersionId"]]["createdate"]
    return json.dumps(found)


# --- CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html


def event_message_filter(pattern: str | None) -> LogPattern:
    """Patterns mean what they mean; moto lets every line through for most of them."""
    try:
        return LogPattern(pattern)
    except ValueError:
        words = f"this back end does not know the filter pattern {pattern!r}"
        raise refused("logs", "InvalidParameterException", words) from None


def refused(service: str, code: str, message: str) -> ServiceException:
    """Return an error of a service; moto finds the service by the module of the error's class."""
    kind = type("Refused", (ServiceException,), {"__module__": f"moto.{service}.exceptions"})
    return kind(code, message)
