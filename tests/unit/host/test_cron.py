"""Cron expressions: what they mean, and when they come."""

from __future__ import annotations

import calendar
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opslib.host.logs.times import Zone
from opslib.host.params import ParamError
from opslib.host.schedule import cron
from opslib.host.schedule.cron import Wall, following, parse, preceding

UTC = Wall("UTC")


def at(text):
    """Return "2026-03-01 02:30" in UTC as seconds since 1970."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M")))


def words(when):
    return None if when is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(when))


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/15 * * * *", "2026-11-22 06:15", "2026-11-22 06:30"),
        ("5 * * * *", "2026-11-22 23:05", "2026-11-23 00:05"),
        ("30 2 * * *", "2026-12-31 02:30", "2027-01-01 02:30"),
        ("0 3 * * 0", "2026-11-22 03:00", "2026-11-29 03:00"),
        ("0 3 * * 7", "2026-11-22 03:00", "2026-11-29 03:00"),
        ("0 3 * * sun", "2026-11-23 00:00", "2026-11-29 03:00"),
        ("0 3 * * sun-sun", "2026-11-23 00:00", "2026-11-29 03:00"),
        ("0 3 * * SAT-SUN", "2026-11-22 04:00", "2026-11-28 03:00"),
        ("0 9 * * 1-5", "2026-11-20 10:00", "2026-11-23 09:00"),
        ("0 9 * * mon,wed", "2026-11-23 09:00", "2026-11-25 09:00"),
        ("0 0 13 * 5", "2026-11-01 00:00", "2026-11-06 00:00"),  # Friday, or the 13th
        ("0 0 */2 * 5", "2026-11-02 00:00", "2026-11-13 00:00"),  # begins with *: both must hold
        ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-02-29 00:00", "2104-02-29 00:00"),
        ("0 0 31 jan,mar *", "2026-02-01 00:00", "2026-03-31 00:00"),
        ("10-20/5,59 1 * * *", "2026-11-22 01:20", "2026-11-22 01:59"),
        ("0-59/20 0 * * *", "2026-11-22 00:20", "2026-11-22 00:40"),
        ("@daily", "2026-11-22 06:15", "2026-11-23 00:00"),
        ("@weekly", "2026-11-22 00:00", "2026-11-29 00:00"),
        ("@hourly", "2026-11-22 06:59", "2026-11-22 07:00"),
        (" 0  0\t1 1 * ", "2026-11-22 06:15", "2027-01-01 00:00"),
    ],
)
def test_next_time(text, after, expected):
    assert words(following(parse(text), at(after), UTC)) == expected


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 3 * * 0", "2026-11-22 03:00", "2026-11-23 03:00"),  # 0 is Monday
        ("0 3 * * 6", "2026-11-22 03:00", "2026-11-29 03:00"),
        ("0 3 * * sun", "2026-11-22 03:00", "2026-11-29 03:00"),
        ("0 0 13 * fri", "2026-11-01 00:00", "2026-11-13 00:00"),  # both must hold
        ("5/15 * * * *", "2026-11-22 06:35", "2026-11-22 06:50"),
        ("0 3 last * *", "2026-02-01 00:00", "2026-02-28 03:00"),
        ("0 3 last,15 * *", "2028-02-15 03:00", "2028-02-29 03:00"),
    ],
)
def test_apscheduler_reads_the_same_text_otherwise(text, after, expected):
    assert words(following(parse(text, "apscheduler"), at(after), UTC)) == expected


@pytest.mark.parametrize(
    ("text", "until", "expected"),
    [
        ("*/15 * * * *", "2026-11-22 06:15", "2026-11-22 06:15"),
        ("*/15 * * * *", "2026-11-22 06:14", "2026-11-22 06:00"),
        ("0 0 29 2 *", "2026-03-01 00:00", "2024-02-29 00:00"),
        ("0 3 * * 0", "2026-11-22 02:59", "2026-11-15 03:00"),
    ],
)
def test_last_time(text, until, expected):
    assert words(preceding(parse(text), at(until), UTC)) == expected


@pytest.mark.parametrize(
    ("text", "until", "last", "next"),
    [
        # Europe/Berlin goes from 02:00 to 03:00 (CEST) on 29 March 2026: half past two does not come.
        ("30 2 * * *", "2026-03-29 12:00", "2026-03-28 01:30", "2026-03-30 00:30"),
        ("0 * * * *", "2026-03-29 00:30", "2026-03-29 00:00", "2026-03-29 01:00"),
        # And back from 03:00 to 02:00 on 25 October: half past two comes once.
        ("0 12 * * *", "2026-10-25 13:00", "2026-10-25 11:00", "2026-10-26 11:00"),
    ],
)
def test_clocks_that_change(text, until, last, next):
    with Zone("Europe/Berlin"):
        wall = Wall("Europe/Berlin")
        assert words(preceding(parse(text), at(until), wall)) == last
        assert words(following(parse(text), at(until), wall)) == next


def test_a_repeated_time_comes_once():
    with Zone("Europe/Berlin"):
        wall = Wall("Europe/Berlin")
        first = following(parse("30 2 * * *"), at("2026-10-24 12:00"), wall)
        assert words(following(parse("30 2 * * *"), first, wall)) == "2026-10-26 01:30"


def test_fixed_offset():
    assert words(following(parse("0 0 * * *"), at("2026-11-22 12:00"), Wall("+05:30"))) == "2026-11-22 18:30"
    assert words(preceding(parse("0 0 * * *"), at("2026-11-22 12:00"), Wall("-08:00"))) == "2026-11-22 08:00"


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields; a cron expression has 5"),
        ("0 * * * * *", "6 fields"),
        ("60 * * * *", "minute '60' is no number from 0 to 59"),
        ("* 24 * * *", "hour '24' is no number from 0 to 23"),
        ("* * 0 * *", "day of the month '0' is no number from 1 to 31"),
        ("* * * 13 *", "month '13' is no number from 1 to 12"),
        ("* * * * 8", "weekday '8' is no number from 0 to 7"),
        ("* * * * funday", "weekday 'funday' is no number"),
        ("*/0 * * * *", "a step is a number from 1"),
        ("*/x * * * *", "a step is a number from 1"),
        ("5/15 * * * *", "write 5-59/15"),
        ("20-10 * * * *", "the range ends before it begins"),
        ("* * * * fri-mon", "the range ends before it begins"),
        ("1,,2 * * * *", "minute '' is no number"),
        ("-1 * * * *", "minute '' is no number"),
        ("1- * * * *", "minute '' is no number"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 feb *", "never comes"),
        ("@reboot", "is none of @annually"),
        ("@", "is none of"),
        ("٣ * * * *", "is no number"),
        ("0 0 L * *", "day of the month 'L'"),
        ("* * * * *\x1b[31m", "'*\\x1b[31m'"),
        ("x" * 201, "at most 200"),
        ("* * * * " + "9" * 150, "is no number"),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(text, mend):
    with pytest.raises(ParamError, match=re.escape(mend)) as caught:
        parse(text)
    assert str(caught.value).isprintable()


def test_seven_is_no_day_for_apscheduler():
    with pytest.raises(ParamError, match="weekday '7' is no number from 0 to 6"):
        parse("* * * * 7", "apscheduler")


@pytest.mark.parametrize("text", ["*/60 * * * *", "5-9/5 * * * *", "* * last/2 * *", "last * * * *"])
def test_what_apscheduler_refuses_is_refused(text):
    with pytest.raises(ParamError):
        parse(text, "apscheduler")


fields = st.tuples(
    st.sampled_from(["*", "*/15", "0", "59", "7-40/11"]),
    st.sampled_from(["*", "0", "23", "2-5", "*/7"]),
    st.sampled_from(["*", "1", "31", "29", "*/10", "5-9"]),
    st.sampled_from(["*", "2", "jan-mar", "4,6", "12"]),
    st.sampled_from(["*", "0", "7", "1-5", "sat", "*/3"]),
)
moments = st.integers(0, 4102444800)


def come(texts, dialect):
    try:
        return parse(" ".join(texts), dialect)
    except ParamError:
        return None


@given(fields, moments, st.sampled_from(cron.DIALECTS))
@example(("*", "*", "*", "*", "*"), 0, "cron")
def test_following_and_preceding_are_each_other_s_mirror(texts, moment, dialect):
    found = come(texts, dialect)
    if found is None:
        return
    after = following(found, moment, UTC)
    assert after is not None
    assert after > moment
    assert after % 60 == 0
    assert preceding(found, after, UTC) == after
    before = preceding(found, after - 1, UTC)
    assert before is None or before <= moment
    assert before is None or following(found, before, UTC) == after


@given(fields, st.integers(0, 400000))
def test_each_minute_agrees_with_a_plain_reading(texts, hours):
    found = come(texts, "cron")
    if found is None:
        return
    start = hours * 3600
    naive = [when for when in range(start + 60, start + 7200, 60) if plain(texts, time.gmtime(when))]
    after = following(found, start, UTC)
    assert (naive[0] if naive else None) == (after if after < start + 7200 else None)


def plain(texts, date):
    """Whether crontab(5) has the expression come at a minute."""
    names = {"jan": "1", "mar": "3", "sat": "6"}
    hits = []
    low = (0, 0, 1, 1, 0)
    high = (59, 23, 31, 12, 7)
    for number, value in enumerate((date.tm_min, date.tm_hour, date.tm_mday, date.tm_mon, (date.tm_wday + 1) % 7)):
        values = set()
        for part in texts[number].split(","):
            body, _, step = part.partition("/")
            ends = [str(low[number]), str(high[number])] if body == "*" else body.split("-")
            ends = [int(names.get(end, end)) for end in ends]
            values |= set(range(ends[0], ends[-1] + 1, int(step or 1)))
        hits.append(value in values or (number == 4 and value == 0 and 7 in values))
    if not texts[2].startswith("*") and not texts[4].startswith("*"):
        return all(hits[:2]) and hits[3] and (hits[2] or hits[4])
    return all(hits)


@given(st.text(max_size=60), st.sampled_from(cron.DIALECTS))
def test_any_text_is_read_or_refused(text, dialect):
    try:
        parse(text, dialect)
    except ParamError as error:
        assert str(error).isprintable()
