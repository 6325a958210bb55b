"""The program that runs cloud tasks: reads a job from standard input, then is a host's runtime in every other way."""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

from opslib.host import runtime

__all__ = ["main"]

_LONGEST = 256 << 20


def main() -> None:
    """Run the job; never returns."""
    body = _read()
    tasks = {name: getattr(importlib.import_module(module), kind) for name, (module, kind) in body["tasks"].items()}
    if body["apart"] and os.fork():
        os._exit(0)
    runtime.main(body["job"], tasks)


def _read() -> dict[str, Any]:
    """Read what `opslib.carriers.controller.encode` wrote, and not a byte more: what follows is the channel's end."""
    head = b""
    while not head.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece or len(head) > 12:
            raise SystemExit("no job came")
        head += piece
    left = int(head)
    if left > _LONGEST:
        raise SystemExit("the job is too long")
    data = bytearray()
    while left > len(data):
        piece = os.read(0, min(left - len(data), 1 << 20))
        if not piece:
            raise SystemExit("the job was cut short")
        data += piece
    body: dict[str, Any] = json.loads(data)
    return body
