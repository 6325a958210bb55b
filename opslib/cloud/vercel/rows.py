"""Deployments as results show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment

__all__ = ["BUILT_FROM", "RUN", "VERSION", "row"]

RUN, BUILT_FROM, VERSION = "opslibRun", "opslibFiles", "opslibVersion"  # what our deployments say of themselves
_NAMES = (VERSION, "githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha", "gitCommitSha")


def row(deployment: Deployment, *, now: float, production: str | None) -> dict[str, Any]:
    """Return a deployment as data; now: seconds since 1970."""
    found: dict[str, Any] = {
        "id": deployment.key,
        "url": deployment.url,
        "state": str(deployment.ready_state),
        "target": deployment.target or "preview",
        "in_production": deployment.key == production,
        "age_seconds": max(0, round(now - deployment.created_at / 1000)),
        "creator": deployment.creator.username if deployment.creator else None,
        "version": next((deployment.meta[name] for name in _NAMES if deployment.meta.get(name)), None),
    }
    if deployment.error_message:
        found["error"] = deployment.error_message
    return found
