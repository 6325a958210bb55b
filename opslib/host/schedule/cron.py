"""Cron expressions of five fields: what they mean, and when they come.

Two dialects: `cron` is crontab(5), where 0 and 7 are Sunday, and a day of the month and a weekday, where both are
restricted, are alternatives; `apscheduler` is what APScheduler's `CronTrigger.from_crontab` makes of the same text:
0 is Monday, both must hold, 5/15 begins at 5, and `last` is the last day of a month. Times are a clock's on the wall:
one that a change to summer time leaves out does not come, one that the change back repeats comes once.
"""

from __future__ import annotations

import time

from opslib.host.logs.times import fixed
from opslib.host.params import ParamError, shown
from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    _Range = tuple[int, int]

DIALECTS = ("cron", "apscheduler")
SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * sun",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("minute", "hour", "day of the month", "month", "weekday")
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST = 200
_LAST_DAY = 32
_DAYS_AHEAD = 366 * 41  # 29 February on a certain weekday may be 40 years away


class Cron(Record):
    """A parsed expression; weekdays count from Monday as 0. either: one of day and weekday is enough."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool = False

    def on(self, month: int, day: int, weekday: int) -> bool:
        """Whether it comes on such a day."""
        if month not in self.months:
            return False
        if self.either:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


class Wall:
    """Times on the wall in a zone. A named zone counts only while `opslib.host.logs.times.Zone` is entered for it."""

    def __init__(self, zone: str) -> None:
        self.offset = fixed(zone)

    def date(self, when: float) -> tuple[int, int, int]:
        """Return days since 1970, hour and minute."""
        if self.offset is None:
            found = time.localtime(when)
            day = int(when + found.tm_gmtoff) // 86400
        else:
            found = time.gmtime(when + self.offset)
            day = int(when + self.offset) // 86400
        return day, found.tm_hour, found.tm_min

    def moment(self, day: int, hour: int, minute: int) -> float | None:
        """Return a time on the wall in seconds since 1970; None when the clocks leave it out."""
        if self.offset is not None:
            return float(day * 86400 + hour * 3600 + minute * 60 - self.offset)
        date = time.gmtime(day * 86400)
        when = time.mktime((date.tm_year, date.tm_mon, date.tm_mday, hour, minute, 0, 0, 0, -1))
        return when if self.date(when) == (day, hour, minute) else None


def parse(text: str, dialect: str = "cron") -> Cron:
    """Return what an expression means. Raises ParamError that names the field and the mend."""
    if len(text) > _LONGEST:
        raise ParamError("the cron expression has %d characters; at most %d are taken" % (len(text), _LONGEST))
    words = SHORTHANDS.get(text.strip().lower(), text).split()
    if text.strip().startswith("@") and len(words) == 1:
        raise ParamError("%s is none of %s" % (shown(text), ", ".join(sorted(SHORTHANDS))))
    if len(words) != 5:
        raise ParamError(
            "%s has %d fields; a cron expression has 5: minute, hour, day of the month, month, weekday"
            % (shown(text), len(words))
        )
    try:
        fields = [tuple(sorted(set(_field(number, word, dialect)))) for number, word in enumerate(words)]
    except ParamError as error:
        raise ParamError("%s: %s" % (shown(text), error)) from None
    either = dialect == "cron" and not words[2].startswith("*") and not words[4].startswith("*")
    minutes, hours, days, months, weekdays = fields
    found = Cron(text=text, minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays, either=either)
    if following(found, 0.0, Wall("UTC")) is None:
        raise ParamError("%s never comes: no such month has that day" % shown(text))
    return found


def following(cron: Cron, after: float, wall: Wall) -> float | None:
    """Return the first time later than `after`, in seconds since 1970; None when there is none in 40 years."""
    first, hour, minute = wall.date(after)
    for day in range(first, first + _DAYS_AHEAD):
        if _on(cron, day):
            for h, m in _times(cron.hours, cron.minutes):
                if day > first or (h, m) >= (hour, minute):
                    when = wall.moment(day, h, m)
                    if when is not None and when > after:
                        return when
    return None


def preceding(cron: Cron, until: float, wall: Wall) -> float | None:
    """Return the last time not later than `until`; None when there is none in 40 years."""
    last, hour, minute = wall.date(until)
    for day in range(last, max(last - _DAYS_AHEAD, -1), -1):
        if _on(cron, day):
            for h, m in _times(cron.hours[::-1], cron.minutes[::-1]):
                if day < last or (h, m) <= (hour, minute):
                    when = wall.moment(day, h, m)
                    if when is not None and when <= until:
                        return when
    return None


def _on(cron: Cron, day: int) -> bool:
    date = time.gmtime(day * 86400)
    last = _LAST_DAY in cron.days and time.gmtime((day + 1) * 86400).tm_mday == 1
    return cron.on(date.tm_mon, _LAST_DAY if last else date.tm_mday, date.tm_wday)


def _times(hours: tuple[int, ...], minutes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    for hour in hours:
        for minute in minutes:
            yield hour, minute


def _field(number: int, word: str, dialect: str) -> Iterator[int]:
    for part in word.split(","):
        body, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and 0 < int(step[:4]) < 1000):
            raise ParamError("%s %s: a step is a number from 1" % (_FIELDS[number], shown(part)))
        if dialect == "apscheduler" and number == 2 and part.lower() == "last":
            yield _LAST_DAY
            continue
        low, high = _span(number, body, dialect)
        if slash and low == high and "-" not in body:
            if dialect == "cron":
                raise ParamError(
                    "%s %s: a step needs a range; write %s-%d/%s"
                    % (_FIELDS[number], shown(part), body, _LIMITS[number][1], step)
                )
            high = _LIMITS[number][1] - (number == 4)
        if slash and dialect == "apscheduler" and int(step) > high - low:
            raise ParamError(
                "%s %s: APScheduler takes no step above %d here" % (_FIELDS[number], shown(part), high - low)
            )
        for value in range(low, high + 1, int(step or 1)):
            yield (value - 1) % 7 if number == 4 and dialect == "cron" else value


def _span(number: int, body: str, dialect: str) -> _Range:
    """Return the ends of a range, in the dialect's own numbers."""
    low, high = _LIMITS[number]
    if number == 4 and dialect == "apscheduler":
        high = 6
    if body == "*":
        return low, high - (number == 4 and dialect == "cron")
    begin, dash, end = body.partition("-")
    ends = _value(number, begin, low, high, dialect), _value(number, end if dash else begin, low, high, dialect)
    if number == 4 and dialect == "cron" and ends[1] == 0 < ends[0] and end.lower() == "sun":
        ends = ends[0], 7
    if ends[0] > ends[1]:
        raise ParamError("%s %s: the range ends before it begins" % (_FIELDS[number], shown(body)))
    return ends


def _value(number: int, word: str, low: int, high: int, dialect: str) -> int:
    name = word.lower()
    if number == 3 and name in _MONTHS:
        return _MONTHS.index(name) + 1
    if number == 4 and name in _WEEKDAYS:
        return (_WEEKDAYS.index(name) + (dialect == "cron")) % 7
    if not (word.isascii() and word.isdigit() and len(word) < 4 and low <= int(word) <= high):
        raise ParamError("%s %s is no number from %d to %d" % (_FIELDS[number], shown(word), low, high))
    return int(word)
