"""Hold what the Vercel fake was asked and what it answered against the models that Vercel publishes for its SDK."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services import npm
from services.web import Exchange

__all__ = ["problems"]


def problems(exchanges: Iterable[Exchange]) -> list[str]:
    """Return what is wrong with requests, and with answers that are no errors."""
    given = [_shown(each) for each in exchanges if each.answer.status < 300]
    program = Path(__file__).with_suffix(".mjs")
    line = ["node", str(program), str(npm.installed(npm.VERCEL_SDK))]
    done = subprocess.run(line, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def _shown(exchange: Exchange) -> dict[str, Any]:
    call, answer = exchange.call, exchange.answer.body
    if isinstance(answer, str):
        rows = [json.loads(line) for line in answer.splitlines()]
        answer = rows[0] if rows else None
    return {
        "operation": call.operation,
        "parameters": dict(call.parameters),
        "query": dict(call.query),
        "body": call.body,
        "answer": answer,
    }
