"""Bring a systemd unit into a state, and watch that it stays there."""

from __future__ import annotations

import time

from . import listeners, systemd, wire
from .command import run
from .http_check import HttpCheck
from .params import Boolean, Choice, Duration, Kind, Number, ParamError, Port
from .plan import ACTION, MODIFY, Change, Plan
from .record import Record
from .task import Task, TaskError, param

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from .listeners import Listening
    from .systemd import Unit

PAUSE = 0.3
RECENT = 60
_STARTED = ("started", "restarted", "reloaded")
_UNENABLED = ("", "bad", "disabled", "enabled-runtime", "generated", "indirect", "linked", "static", "transient")
_NO_INSTALL = {
    "static": "its unit file has no [Install] section; enable what starts it (a timer, a socket, a target)",
    "generated": "its unit file is generated at boot; enable it at its source (%s)",
    "transient": "it is transient and gone after a reboot; write a unit file",
    "indirect": "its [Install] section only enables other units (Also=); enable those",
    "bad": "its unit file is broken",
}


class Check(Kind):
    """What `http_check` takes: a URL, or a mapping of its parameters. Canonical: a mapping."""

    label = "URL, or mapping of the parameters of http_check"
    ansible = "raw"

    def __call__(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            value = {"url": value}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ParamError("give a URL, or a mapping of the parameters of http_check")
        if value.get("wait"):
            raise ParamError("wait: start_timeout says how long to wait here")
        return HttpCheck(**value).args()
