"""Events of ansible-runner, read from the files that Ansible's callback writes for it, and from nowhere else.

ansible-runner finds events in what ansible-playbook prints. But a host can print what looks like one, about any other
host and with any path for an id, and ansible-runner would believe it. Only its id is taken from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["left_over", "of_announcement"]

MAX_EVENT = 32 << 20
_UUID = re.compile(r"[0-9a-fA-F-]{1,64}(?:_[0-9]{1,9})?")


def of_announcement(folder: Path, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event that some output announces, or that output as an event of the kind `verbose`.

    folder: where the files are; said: what ansible-runner made of the output. None when there is nothing in it.
    """
    uuid = said.get("uuid")
    stdout = said.get("stdout")
    words = {"event": "verbose", "stdout": stdout if isinstance(stdout, str) else ""}
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
        return words if words["stdout"] else None
    event = _read(folder / f"{uuid}-partial.json")
    if event is None:
        return words if said.get("event") == "verbose" or "event" not in said else None
    return {**event, "stdout": words["stdout"]}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_EVENT + 1)
        path.unlink()
        event = json.loads(text) if len(text) <= MAX_EVENT else None
    except (OSError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def left_over(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield events whose announcement was lost, in the order they were made."""
    found = [event for path in folder.glob("*-partial.json") if (event := _read(path)) is not None]
    yield from sorted(found, key=lambda event: str(event.get("created")))
