"""The time that a log line bears.

Understood are ISO 8601 with or without zone and fraction, `2026-01-02 03:04:05`, syslog's `Jan  2 03:04:05` (which has
no year: the latest that is not in the future), the Common Log Format's `[02/Jan/2026:03:04:05 +0000]`, seconds or
milliseconds since 1970 at the beginning of the line, Apache's `[Fri Jan 02 03:04:05 2026]`, and the members ts, time,
timestamp, @timestamp of a JSON object. Sources: RFC 3339, RFC 3164,
Apache's mod_log_config, strftime(3).
"""

from __future__ import annotations

import os
import re
import time

from opslib.host import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

JSON_TIMES = ("@timestamp", "timestamp", "time", "ts")
ZONES = "/usr/share/zoneinfo/"
_HEAD = 160
_MONTHS = {name: number + 1 for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())}
_STAMP = re.compile(
    rb"(?P<iso>(?<![\d-])(\d{4})[-/](\d\d)[-/](\d\d)(?:T| {1,2})(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    rb" ?((?:Z|UTC|GMT)(?![A-Za-z])|[+-]\d\d:?\d\d(?!\d))?)"
    rb"|(?P<clf>(?<!\d)(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ?([+-]\d{4})?)"
    rb"|^(?P<syslog>(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)?(?= ))"
    rb"|^\[?(?P<epoch>[12]\d{9}(?:\d{3})?(?:\.\d{1,9})?)(?![\w.-])"
    rb"|^\[[A-Z][a-z]{2} (?P<apache>([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4}))\]"
)
_NEVER = (32, 9)  # space, tab: a line that begins so belongs to the one above


class Clock:
    """Reads times of lines. now: seconds since 1970; zone: of times without one, None for the host's own."""

    def __init__(self, now: float, zone: int | None = None) -> None:
        self.now = now
        self.zone = zone
        self._hours: dict[tuple[int, int, int, int], int] = {}
        self._year = time.gmtime(now)[0]

    def read(self, line: bytes) -> float | None:
        """Return the time of a line in seconds since 1970; None for a line that bears none."""
        if not line or line[0] in _NEVER:
            return None
        if line[0] == 123:  # {
            members = json_object(line)
            return None if members is None else self.of_json(members)
        return self.of_text(line[:_HEAD])

    def of_text(self, head: bytes) -> float | None:
        """Return the time at the beginning of a line of text."""
        found = _STAMP.search(head)
        if found is None:
            return None
        groups = found.groups()
        try:
            if groups[0]:
                if found.start() > 64:
                    return None
                fraction = float(b"0." + groups[7]) if groups[7] else 0.0
                return self._time([int(word) for word in groups[1:7]], groups[8]) + fraction
            if groups[9]:
                date = int(groups[12]), _MONTHS[groups[11]], int(groups[10])
                return self._time([*date, *map(int, groups[13:16])], groups[16])
            if groups[17]:
                return self._syslog([_MONTHS[groups[18]], *map(int, groups[19:23])])
            if groups[23]:
                return epoch(float(groups[23]))
            return self._time([int(groups[30]), _MONTHS[groups[25]], *map(int, groups[26:30])])
        except (KeyError, ValueError, OverflowError):
            return None

    def of_json(self, members: dict[str, Any]) -> float | None:
        """Return the time of a JSON object."""
        for name in JSON_TIMES:
            value = members.get(name)
            if isinstance(value, str):
                text = value.strip()[:_HEAD].encode("utf-8", "replace")
                when = self.of_text(text)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                when = epoch(value)
            else:
                continue
            if when is not None:
                return when
        return None

    def _syslog(self, numbers: list[int]) -> float | None:
        """Return the latest such time that is not more than a day from now."""
        for year in range(self._year + 1, self._year - 9, -1):
            try:
                when = self._time([year, *numbers])
            except ValueError:  # 29 February
                continue
            if when <= self.now + 86400:
                return when
        return None

    def _time(self, numbers: list[int], zone: bytes | None = None) -> float:
        year, month, day, hour, minute, second = numbers
        if not (1970 <= year <= 9000 and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
            raise ValueError
        if hour > 23 or minute > 59 or second > 60:
            raise ValueError
        if zone is None and self.zone is None:
            key = year, month, day, hour
            whole = self._hours.get(key)
            if whole is None:
                if len(self._hours) > 10000:
                    self._hours.clear()
                whole = self._hours[key] = int(time.mktime((year, month, day, hour, 0, 0, 0, 0, -1)))
        else:
            whole = _day(year, month, day) * 86400 + hour * 3600
            whole -= (offset(zone) if zone else self.zone) or 0
        return whole + minute * 60 + second


class Zone:
    """Has the host's own zone be another for a while: `with Zone("Europe/Berlin"):`. Not for None, UTC and +02:00."""

    def __init__(self, name: str | None) -> None:
        self.name = name if name and fixed(name) is None else None

    def __enter__(self) -> None:
        self.before = os.environ.get("TZ")
        if self.name:
            os.environ["TZ"] = ":" + ZONES + self.name
            time.tzset()

    def __exit__(self, *_: object) -> None:
        if self.name:
            if self.before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = self.before
            time.tzset()


def fixed(name: str) -> int | None:
    """Return the offset of "UTC" or "+02:00" in seconds; None for a name that has to be looked up."""
    if name in ("UTC", "Z"):
        return 0
    return offset(name.encode()) if name[:1] in ("+", "-") else None


def offset(zone: bytes) -> int:
    """Return the seconds east of Greenwich of Z, UTC, GMT, +02:00 or +0200."""
    if zone[:1] not in (b"+", b"-"):
        return 0
    digits = zone[1:].replace(b":", b"")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[:1] == b"-" else seconds


def epoch(number: float) -> float | None:
    """Return seconds since 1970 from seconds, milli-, micro- or nanoseconds; None for what is none of them."""
    if not 1e8 <= number < 1e20:
        return None
    while number >= 1e11:
        number /= 1000.0
    return number


def json_object(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds, or None."""
    import json

    try:
        found = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def utc(when: float | None) -> str | None:
    """Return a time as data shows it: 2026-01-02T03:04:05Z."""
    return None if when is None else words.utc(when)


def _day(year: int, month: int, day: int) -> int:
    """Return the days since 1970 of a date (Howard Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
