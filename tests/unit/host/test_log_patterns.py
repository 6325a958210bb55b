"""Messages are folded to patterns; secrets are masked; levels are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.logs.levels import Entry, Levels
from opslib.host.logs.patterns import LONGEST, MOST_PATTERNS, OTHERS, Patterns, fold, unsecret

USUAL = ["ERROR", "CRITICAL", "FATAL"]


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("took 12.5 ms for user 42", "took <n> ms for user <n>"),
        ("user b1f46bdf-c680-417c-a401-a63446ca29be gone", "user <uuid> gone"),
        ("connect 10.0.0.7:5432 refused", "connect <ip> refused"),
        ("connect 2001:db8::7 refused", "connect <ip> refused"),
        ("at 0x7fffdeadbeef", "at <hex>"),
        ("commit deadbeef1234 missing", "commit <hex> missing"),
        ("mail to alice@example.org failed", "mail to <email> failed"),
        ("worker7 died", "worker<n> died"),
        ("order 01ARZ3NDEKTSV4RRFFQ69G5FAV failed", "order <id> failed"),
        ("deploy of 3f2a9c1 began", "deploy of <id> began"),
        ("no customer cus_Nf3kQ2x9", "no customer cus_<id>"),
        ("in 2h30m5s, by sha256, x86_64 and HTTP2", "in <n>h<n>m<n>s, by sha<n>, x<n>_<n> and HTTP<n>"),
        ("deadline effaced", "deadline effaced"),
        ("module::function failed", "module::function failed"),
        ("\x1b[31mred\x1b[0m\n  two   lines", "red two lines"),
        ("bell \x07", "bell \\x<n>".replace("<n>", "07")),
        ("login password=hunter2 failed", "login password=*** failed"),
    ],
)
def test_folding(message, pattern):
    assert fold(message) == pattern


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2 ok", "password=*** ok"),
        ('{"password": "hunter 2", "a": 1}', '{"password": ***, "a": 1}'),
        ("api_key: abc123, next", "api_key: ***, next"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("postgres://app:hunter2@db/x", "postgres://app:***@db/x"),
        ("postgres://app:p@ss/4d@db/x, postgres://app:Tr0ub/4@db", "postgres://app:***@db/x, postgres://app:***@db"),
        ('{"a": "redis://:geheim@r/0", "b": "x@y.org"}', '{"a": "redis://:***@r/0", "b": "x@y.org"}'),
        ("GET http://h:8080/users/alice@example.org", "GET http://h:8080/users/alice@example.org"),
        ("sent sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx-yz to", "sent *** to"),
        ("Authorization: token abcdef0123456789", "Authorization: token ***"),
        ("private_key=abc", "private_key=***"),
        (r'password="ab\"cd" x', "password=*** x"),
        (r"password='ab\'cd' x", "password=*** x"),
        ('password="cut off', "password=***"),
        (r"{\"password\": \"abc\", \"a\": 1}", r"{\"password\": ***, \"a\": 1}"),
        ("db_password='a b' x", "db_password=*** x"),
        ("the token is missing", "the token is missing"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.SflKxwRJSMeKKF2QT4fwpM now", "got *** now"),
        ("as AKIAIOSFODNN7EXAMPLE to", "as *** to"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "***"),
        ("key sk_live_4eC39HqLyjWDarjtT1zdp7dc.", "key ***."),
        ("xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", "***"),
        ("pat:$6$59b48164d61148d5$6AFrvbrfkdwQl67sMYkaYBDAEjlEPx3ebN7AAUJ.Oyq/1:20784:0", "pat:***:20784:0"),
        ("costs $5$ and task sk_12 of eyJ", "costs $5$ and task sk_12 of eyJ"),
    ],
)
def test_secrets(text, masked):
    assert unsecret(text) == masked


@given(st.text(max_size=400))
def test_any_message_gives_one_short_printable_line(message):
    pattern = fold(message)
    assert pattern.isprintable()
    assert len(pattern) <= LONGEST


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_make_no_difference(first, second):
    assert fold("request %d from 10.0.0.%d" % (first, first % 256)) == fold(
        "request %d from 10.0.0.%d" % (second, second % 256)
    )


def test_patterns_are_bounded():
    patterns = Patterns(1)
    for number in range(MOST_PATTERNS + 50):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        patterns.add("word " + name, "x", float(number), "/a")
    assert len(patterns) == MOST_PATTERNS + 1
    assert patterns.top(1)[0]["pattern"] == OTHERS
    assert patterns.top(1)[0]["count"] == 50


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"2026-01-02 03:04:05,123 - app - ERROR - x", True),
        (b"ERROR:root:x", True),
        (b"CRITICAL x", True),
        (b"2026-01-02 03:04:05 INFO retry after ERROR", False),
        (b"2026-01-02 03:04:05 WARNING x\n  ERROR", False),
        (b"2026-01-02 03:04:05 x\n  ERROR", True),
        (b"2026-01-02 03:04:05 no errors, ERRORS, MYERROR, ERROR_CODE", False),
        (b"2026/01/02 03:04:05 [error] 77#77: x", True),
        (b"2026/01/02 03:04:05 [crit] 77#77: x", True),
        (b"2026/01/02 03:04:05 [notice] 77#77: error", False),
        (b"2026-01-02 03:04:05 [error    ] payment failed   order=7", True),  # structlog
        (b"2026-01-02 03:04:05 [\x1b[31m\x1b[1merror    \x1b[0m] payment failed", True),
        (b"2026-01-02 03:04:05 [info     ] ERROR was mended", False),
        (b"2026-01-02T03:04:05.123Z\terror\tserver.go:7\tx", True),  # zap
        (b"2026-01-02T03:04:05.123Z\tinfo\tERROR", False),
        (b"2026-01-02 03:04:05 error: x", True),
        (b"2026-01-02 03:04:05 Error Something", True),
        (b"2026-01-02 03:04:05 error rate is 0", False),
        (b"2026-01-02 03:04:05 errors: 0", False),
        (b"[Fri Jan 02 03:04:05 2026] [core:error] x", True),
        (b"time=2026-01-02T03:04:05Z level=error msg=x", True),
        (b"time=2026-01-02T03:04:05Z level=info msg=ERROR", False),
        (b'Jan  2 03:04:05 host app: {"level":"error"}', True),
        (b'Jan  2 03:04:05 host app: {"level": "info", "msg": "ERROR"}', False),
        (b'{"level": "error"}', True),
        (b'{"level": "ERROR"}', True),
        (b'{"level": 50}', True),
        (b'{"level": 30, "msg": "ERROR"}', False),
        (b'{"severity": "INFO", "message": "ERROR"}', False),
        (b'{"log": {"level": "fatal"}}', True),
        (b'{"log.level": "fatal"}', True),
        (b'{"log": "ERROR x\\n", "stream": "stderr"}', True),
        (b'{"log": "fine\\n", "stream": "ERROR"}', False),
        (b'{"broken: ERROR', True),
        (b"", False),
    ],
)
def test_levels(raw, error):
    levels = Levels(USUAL)
    assert levels.fit(Entry(raw)) is error
    if error:
        assert any(hint in raw for hint in levels.hints())


def test_other_levels():
    assert Levels(["warning"]).fit(Entry(b"2026-01-02 03:04:05 WARN x"))
    assert Levels(["oops"]).fit(Entry(b"OOPS x"))
    assert Levels([]).fit(Entry(b"anything"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"2026-01-02 03:04:05,123 app ERROR bad\n", "app ERROR bad"),
        (b"Jan  2 03:04:05 host app[7]: ERROR bad", "host app[7]: ERROR bad"),
        (b"ERROR x\nTraceback (most recent call last):\n  File\nValueError: bad\n", "ERROR x | ValueError: bad"),
        (b'{"msg": "bad", "level": "error"}', "bad"),
        (b'{"level": "error"}', '{"level": "error"}'),
    ],
)
def test_messages(raw, message):
    assert Entry(raw).message == message


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"user_id": 5}, True),
        ({"user_id": "5"}, True),
        ({"a.b": "x"}, True),
        ({"c.d": True}, True),
        ({"user_id": 6}, False),
        ({"a.b.c": "x"}, False),
        ({"nothing": "x"}, False),
        ({}, True),
    ],
)
def test_fields(fields, fits):
    raw = b'{"user_id": 5, "a": {"b": "x"}, "c.d": true}'
    assert Entry(raw).has(fields) is fits
    assert Entry(b"ERROR user_id=5").has(fields) is not bool(fields)
