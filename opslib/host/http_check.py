"""Check that an HTTP service answers as it should."""

from __future__ import annotations

import time

from . import wire
from .http_exchange import Answer, fetch, split_url
from .params import Boolean, Choice, Duration, Kind, ListOf, Mapping, Number, ParamError, Path, Size, Text, Url, shown
from .record import Record
from .task import Change, Plan, Task, param

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

EXCERPT = 300
_TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FRAMING = ("content-length", "transfer-encoding", "connection", "upgrade", "expect")
# Request headers whose values are no secrets, so that masking them does not blot out half the report.
_PLAIN = ("accept", "accept-language", "cache-control", "host", "user-agent", "origin", "referer", "x-forwarded-proto")
