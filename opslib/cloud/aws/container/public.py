"""The public address of a service: what must be answered there once an image is in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.cloud.patience import Patience
from opslib.host.params import Kind, ParamError, shown
from opslib.host.tasks.http_check import HttpCheck

from .state import ServiceState

__all__ = ["PublicCheck", "fault", "secrets"]

_WAIT = 30.0
_NOWHERE = "https://service.invalid"


class PublicCheck(Kind):
    """What `http_check` takes: a path below the service's public address, a URL, or a mapping with `url` as either."""

    label = "path or URL, or mapping of the parameters of http_check"
    ansible = "raw"

    def __call__(self, value: Any) -> dict[str, Any]:
        found = {"url": value} if isinstance(value, str) else value
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            raise ParamError(f"{shown(value)} is no {self.label}")
        url = found.get("url", "/")
        made = HttpCheck(**{**found, "url": _whole(url, _NOWHERE)}).args()
        wait = {"wait": made["wait"]} if "wait" in found else {}
        return {
            **{key: made[key] for key in made if key != "wait"},
            **wait,
            "url": url if _is_path(url) else made["url"],
        }


def secrets(http: Mapping[str, Any]) -> list[str]:
    """Return the secrets among the parameters."""
    return list(_task(http, _NOWHERE, _WAIT).secrets())


def fault(state: ServiceState, http: Mapping[str, Any], patience: Patience) -> tuple[str, dict[str, Any]]:
    """Ask the public address; return what is wrong, in words or an empty string, and what is known of the answer.

    It is asked until all is well, for 30 seconds or as long as `wait` says, and no longer than there is patience.
    """
    if not state.url and _is_path(http["url"]):
        return "", {}
    task = _task(http, state.url, patience.cap(float(http.get("wait", _WAIT))))
    plan = task.plan(task.probe())
    return plan.failure, dict(plan.data)


def _task(http: Mapping[str, Any], base: str, wait: float) -> HttpCheck:
    timeout = min(float(http.get("timeout", 10)), max(wait, 0.01)) if "wait" not in http else http.get("timeout", 10)
    return HttpCheck(**{**http, "url": _whole(http["url"], base), "wait": wait, "timeout": timeout})


def _is_path(url: Any) -> bool:
    return isinstance(url, str) and url.startswith("/") and not url.startswith("//")


def _whole(url: Any, base: str) -> Any:
    return base.rstrip("/") + url if _is_path(url) else url
