"""Logs of the Vercel fake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.vercel.state import State
from services.web import Answer, WebCall, route

__all__ = ["Logs", "log_row"]


class Logs(State):
    """Rows that tests put there, for whoever asks."""

    @route("GET", "/v1/projects/{projectId}/deployments/{deploymentId}/runtime-logs")
    def get_runtime_logs(self, call: WebCall) -> Any:
        if self.find(call.parameters["deploymentId"]) is None:
            return self._missing("deployment")
        return Answer(
            "".join(json.dumps(row) + "\n" for row in self.logs), 200, {"Content-Type": "application/stream+json"}
        )

    @route("GET", "/api/logs/request-logs")
    def get_request_logs(self, call: WebCall) -> Any:
        return {"rows": [_as_request(row) for row in self.logs], "hasMoreRows": False}


def log_row(
    message: str, *, level: str = "info", at: int = 1_790_000_000_000, path: str = "/", status: int = 200
) -> dict[str, Any]:
    """Return a row of runtime logs."""
    return {
        "rowId": f"row-{at}-{message[:8]}",
        "level": level,
        "message": message,
        "messageTruncated": False,
        "source": "serverless",
        "domain": "dashboard.example.com",
        "requestMethod": "GET",
        "requestPath": path,
        "responseStatusCode": status,
        "timestampInMs": at,
    }


def _as_request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "requestId": row["rowId"],
        "timestamp": row["timestampInMs"],
        "deploymentId": "dpl_1",
        "requestMethod": row["requestMethod"],
        "requestPath": row["requestPath"],
        "statusCode": row["responseStatusCode"],
        "domain": row["domain"],
        "environment": "production",
        "events": [{"source": "serverless"}],
        "logs": [{"level": row["level"], "message": row["message"], "messageTruncated": False}],
    }
