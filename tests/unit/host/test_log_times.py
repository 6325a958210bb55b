"""The time of a line is read from whatever form it has."""

from __future__ import annotations

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.logs.times import Clock, Zone, fixed, utc

NOW = calendar.timegm((2026, 3, 1, 12, 0, 0))
THEN = calendar.timegm((2026, 1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    "line",
    [
        b"2026-01-02T03:04:05Z started",
        b"2026-01-02T03:04:05+00:00 x",
        b"2026-01-02T04:04:05+0100 x",
        b"2026-01-01T22:34:05-04:30 x",
        b"2026-01-02 03:04:05 x",
        b"2026-01-02  03:04:05 apt",
        b"2026-01-02 03:04:05 UTC [77] ERROR:  relation",
        b"2026-01-02 03:04:05 - app - ERROR - x",
        b"[2026-01-02 03:04:05 +0000] [77] [ERROR] gunicorn",
        b"ERROR:    2026-01-02 03:04:05 x",
        b"2026/01/02 03:04:05 [error] 77#77: *1 open() failed",
        b'10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 500 1',
        b'2001:db8::1 - alice [02/Jan/2026:05:04:05 +0200] "GET / HTTP/1.1" 500 1',
        b"Jan  2 03:04:05 host app[7]: x",
        b"<13>Jan  2 03:04:05 host app[7]: x",
        b"[Fri Jan 02 03:04:05.123456 2026] [core:error] [pid 7] x",
        b"1767323045 x",
        b"1767323045000 x",
        b"[1767323045] x",
        b'{"ts": 1767323045, "msg": "x"}',
        b'{"time": 1767323045000}',
        b'{"timestamp": "2026-01-02T03:04:05Z"}',
        b'{"@timestamp": "2026-01-02T03:04:05.000Z", "time": "nonsense"}',
        b'{"ts": "1767323045"}',
        b'{"timestamp": "nonsense", "time": "2026-01-02 03:04:05"}',
    ],
)
def test_forms(line):
    when = Clock(NOW, 0).read(line)
    assert when is not None
    assert int(when) == THEN


@pytest.mark.parametrize(
    ("line", "fraction"),
    [
        (b"2026-01-02T03:04:05.250Z", 0.25),
        (b"2026-01-02 03:04:05,125 x", 0.125),
        (b"2026-01-02T03:04:05.500000000Z", 0.5),
        (b"1767323045.75 x", 0.75),
        (b"1767323045500 x", 0.5),
        (b'{"ts": 1767323045.5}', 0.5),
        (b'{"ts": 1767323045500000000}', 0.5),
    ],
)
def test_fractions(line, fraction):
    assert Clock(NOW, 0).read(line) == pytest.approx(THEN + fraction, abs=1e-5)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Traceback (most recent call last):",
        b"  2026-01-02 03:04:05 indented",
        b"\t2026-01-02 03:04:05",
        b"2026-13-02 03:04:05 x",
        b"2026-02-30 03:04:05 x",
        b"2026-01-02 25:04:05 x",
        b"2026-01-02 x",
        b"x" * 70 + b" 2026-01-02 03:04:05",
        b"Jux  2 03:04:05 host",
        b"[02/Xxx/2026:03:04:05 +0000]",
        b"12345 x",
        b"17673230450 x",
        b"1767323045abc",
        b"{",
        b'{"a": 1}',
        b"{}",
        b'{"ts": true}',
        b'{"ts": 1e400}',
        b'{"ts": NaN}',
        b"{" + b"[" * 5000,
        b"\xff\xfe\x00",
        b"9999-99-99T99:99:99Z",
    ],
)
def test_lines_without_a_time(line):
    assert Clock(NOW, 0).read(line) is None


@pytest.mark.parametrize(
    ("now", "line", "then"),
    [
        ((2026, 1, 1, 0, 0, 5), b"Dec 31 23:59:59 h x", (2025, 12, 31, 23, 59, 59)),
        ((2026, 12, 31, 23, 59, 59), b"Jan  1 00:00:01 h x", (2027, 1, 1, 0, 0, 1)),
        ((2026, 3, 1, 0, 0, 0), b"Mar  3 00:00:00 h x", (2025, 3, 3, 0, 0, 0)),
        ((2026, 3, 1, 0, 0, 0), b"Feb 29 00:00:00 h x", (2024, 2, 29, 0, 0, 0)),
    ],
)
def test_the_year_that_syslog_leaves_out(now, line, then):
    assert Clock(calendar.timegm(now), 0).read(line) == calendar.timegm(then)


def test_zones():
    line = b"2026-07-02 03:04:05 x"
    july = calendar.timegm((2026, 7, 2, 3, 4, 5))
    assert Clock(NOW, 7200).read(line) == july - 7200
    before = time.tzname
    with Zone("Europe/Berlin"):
        assert Clock(NOW).read(line) == july - 7200
        assert Clock(NOW).read(b"2026-01-02 03:04:05 x") == THEN - 3600
    assert time.tzname == before
    with Zone("UTC"):
        assert time.tzname == before
    assert (fixed("UTC"), fixed("+02:00"), fixed("-0430"), fixed("Europe/Berlin")) == (0, 7200, -16200, None)


@given(
    st.integers(0, 4102444800), st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%d/%b/%Y:%H:%M:%S +0000", "%Y/%m/%d %H:%M:%S"])
)
def test_every_second_comes_back(when, form):
    line = time.strftime(form, time.gmtime(when)).encode()
    assert Clock(NOW, 0).read(line) == when


@given(st.integers(2 * 86400, 4102444800))  # 1970 has begun in every zone
def test_the_zone_of_the_host_is_taken(when):
    line = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when)).encode()
    found = Clock(NOW).read(line)
    assert found is not None
    assert time.localtime(found)[:6] == time.localtime(when)[:6]


@given(st.binary(max_size=100))
def test_no_line_is_too_strange(line):
    when = Clock(NOW, 0).read(line)
    assert when is None or utc(when)
