"""What APScheduler says of its triggers: `cron[hour='3', minute='*/15']` and `interval[1 day, 0:15:00]`.

Source: `str()` of APScheduler 3's CronTrigger, which leaves out fields with their default, and IntervalTrigger.
"""

from __future__ import annotations

import re

_CRON = re.compile(r"cron\[((?:\w+='[^']*'(?:, )?)*)\]$")
_PART = re.compile(r"(\w+)='([^']*)'")
_INTERVAL = re.compile(r"interval\[(?:(\d{1,5}) days?, )?(\d{1,2}):(\d\d):(\d\d)(?:\.\d+)?\]$")
_ORDER = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
_DEFAULTS = {"month": "1", "day": "1", "hour": "0", "minute": "0", "second": "0"}


def is_trigger(text: str) -> bool:
    """Whether a text is what APScheduler says of a trigger that comes again and again."""
    return bool(_CRON.match(text) or _INTERVAL.match(text))


def every(text: str) -> float | None:
    """Return the seconds between two runs of an interval; None for any other text."""
    found = _INTERVAL.match(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(word or 0) for word in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or None


def crontab(text: str) -> str | None:
    """Return a cron trigger as five fields in APScheduler's dialect; None for what five fields cannot say."""
    found = _CRON.match(text)
    if found is None:
        return None
    given = dict(_PART.findall(found.group(1)))
    least = max([_ORDER.index(name) for name in given if name in _ORDER] or [len(_ORDER)])
    whole = {
        name: given.get(name, "*" if place < least else _DEFAULTS.get(name, "*")) for place, name in enumerate(_ORDER)
    }
    if set(given) - set(_ORDER) or (whole["year"], whole["week"], whole["second"]) != ("*", "*", "0"):
        return None
    return " ".join(whole[name].replace(" ", "") for name in ("minute", "hour", "day", "month", "day_of_week"))
