"""Kinds of parameter: what they take, what they refuse, and what comes out."""

from __future__ import annotations

import enum
import json
import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host import params, wire
from opslib.host.params import ParamError
from support import hostile


class Word(str, enum.Enum):
    """Text that is no plain `str`, as enumerations and Ansible's tagged texts are."""

    STARTED = "started"
    PATH = "/srv"


class Whole(int):
    """A whole number that is no plain `int`."""


KINDS = {
    "anything with a value": params.Kind(),
    "boolean": params.Boolean(),
    "number": params.Number(),
    "small number": params.Number(1, 5),
    "whole number": params.Number(0, 100, whole=True),
    "percent": params.Percent(),
    "text": params.Text(),
    "lines": params.Text(lines=True),
    "text or nothing": params.Text(empty=True),
    "choice": params.Choice("started", "stopped"),
    "path": params.Path(),
    "regex": params.Regex(),
    "glob": params.Glob(),
    "unit": params.Name("systemd unit name", signs="_.-@:\\"),
    "user": params.USER,
    "duration": params.Duration(),
    "long duration": params.Duration(60),
    "size": params.Size(),
    "threshold": params.Threshold(),
    "port": params.Port(),
    "mode": params.Mode(),
    "url": params.Url(),
    "list of paths": params.ListOf(params.Path()),
    "list of something": params.ListOf(params.Number(), empty=False, longest=3),
    "mapping": params.Mapping(),
    "mapping to sizes": params.Mapping(params.Size()),
}
CHECKED = {name: kind for name, kind in KINDS.items() if type(kind) is not params.Kind}

GOOD = [
    ("boolean", True, True),
    ("boolean", "yes", True),
    ("boolean", " ON ", True),
    ("boolean", "1", True),
    ("boolean", 1, True),
    ("boolean", Whole(0), False),
    ("boolean", "False", False),
    ("boolean", "off", False),
    ("number", 5, 5.0),
    ("number", "2.5", 2.5),
    ("number", 1e15, 1e15),
    ("whole number", "7", 7),
    ("whole number", 7.0, 7),
    ("whole number", Whole(7), 7),
    ("percent", 90, 90),
    ("percent", "90%", 90),
    ("percent", " 12.5 % ", 12.5),
    ("percent", 0, 0),
    ("text", "hello", "hello"),
    ("text", 8080, "8080"),
    ("text", 1.5, "1.5"),
    ("text", "a\tb", "a\tb"),
    ("text", "Größe 5 €", "Größe 5 €"),
    ("text", Word.STARTED, "started"),
    ("lines", "a\nb\n", "a\nb\n"),
    ("text or nothing", "", ""),
    ("choice", "started", "started"),
    ("choice", Word.STARTED, "started"),
    ("path", "/", "/"),
    ("path", "//srv/./app//", "/srv/app"),
    ("path", "/srv/caf\udce9", "/srv/caf\udce9"),
    ("path", "/srv/..app", "/srv/..app"),
    ("path", Word.PATH, "/srv"),
    ("regex", r"^ERROR\b", r"^ERROR\b"),
    ("regex", "[[]", "[[]"),
    ("glob", "*.log", "*.log"),
    ("glob", "[", "["),
    ("unit", "nginx.service", "nginx.service"),
    ("unit", "getty@tty1.service", "getty@tty1.service"),
    ("unit", "dev-disk-by\\x2duuid.swap", "dev-disk-by\\x2duuid.swap"),
    ("user", "www-data", "www-data"),
    ("user", "machine$", "machine$"),
    ("duration", 30, 30),
    ("duration", 0.25, 0.25),
    ("duration", "30", 30),
    ("duration", "500ms", 0.5),
    ("duration", "5m", 300),
    ("duration", " 2 h ", 7200),
    ("duration", "1w", 604800),
    ("long duration", "1m", 60),
    ("size", 0, 0),
    ("size", "512", 512),
    ("size", "1K", 1024),
    ("size", "100MB", 100 << 20),
    ("size", "1.5 GiB", 3 << 29),
    ("size", "2t", 2 << 40),
    ("threshold", "90%", "90%"),
    ("threshold", " 90.50 %", "90.5%"),
    ("threshold", "512M", 512 << 20),
    ("threshold", 1024, 1024),
    ("port", 1, 1),
    ("port", "65535", 65535),
    ("mode", "0640", "0640"),
    ("mode", "640", "0640"),
    ("mode", "4755", "4755"),
    ("url", "http://localhost:8080/health?x=1@2#top", "http://localhost:8080/health?x=1@2#top"),
    ("url", "HTTPS://example.org", "HTTPS://example.org"),
    ("url", "http://[::1]:80/", "http://[::1]:80/"),
    ("url", "http://[fe80::1]", "http://[fe80::1]"),
    ("list of paths", [], []),
    ("list of paths", ("/a", "/b/"), ["/a", "/b"]),
    ("list of paths", "/a, /b,", ["/a", "/b"]),
    ("list of something", "1", [1.0]),
    ("mapping", {}, {}),
    ("mapping", {"a": [1, None, True, "x", {"b": 1.5}]}, {"a": [1, None, True, "x", {"b": 1.5}]}),
    ("mapping", {Word.STARTED: Word.PATH, "n": Whole(3)}, {"started": "/srv", "n": 3}),
    ("mapping to sizes", {"a": "1K"}, {"a": 1024}),
]

BAD = [
    ("boolean", ["maybe", "", 2, 1.0, None, "y e s"]),
    ("number", ["", "five", None, True, -1, 1e16, "1e16", "nan", float("nan"), float("inf"), [1]]),
    ("small number", [0.99, 5.01]),
    ("whole number", [1.5, "1.5", "1e2", 101, "-1", float("inf")]),
    ("percent", ["101%", -1, "%", "90%%", "fifty", True, None]),
    (
        "text",
        ["", None, True, b"x", ["x"], "a\nb", "a\rb", "a\0b", "\x1b[0m", "\x07", "\x7f", "\x85", "\x9b2J", "x" * 65537],
    ),
    ("lines", ["", "a\0b", "x" * 65537]),
    ("choice", ["", "Started", "started ", None, 1, ["started"]]),
    ("path", ["", "relative", "~/x", "/a/../b", "/..", "..", "/" + "x" * 4096, "/\ud800", "/a\nb", "file:///x", 5]),
    ("regex", ["", "(", "[", "a{2,1}", "(?P<x", "*", "(?<=a*)b"]),
    ("glob", ["", "a/b", "/", "a\n"]),
    ("unit", ["", "-x.service", ".x", "a b", "a/b", "a;b", "$(id)", "x" * 256, "naïve.service", "a\nb"]),
    ("user", ["", "-u", "root:root", "x" * 33, "a@b", "../x"]),
    (
        "duration",
        ["", "-5s", -1, "5M", "5 minutes", "s", "1e400", "nan", float("nan"), float("inf"), 10**400, True, None],
    ),
    ("long duration", [59, "59s", "1s"]),
    ("size", ["", "-1", -1, "1X", "K", "IB", "ten", 1e18, 10**400, float("nan"), True, None, "1 K 2"]),
    ("threshold", ["", "101%", "-1%", "%", "90 percent", True, None]),
    ("port", [0, 65536, "ssh", 80.5, True, ""]),
    ("mode", [640, 0o640, "rw-r--r--", "9999", "12", "12345", "", "-644", None, True]),
    (
        "url",
        [
            "",
            "example.org",
            "ftp://example.org",
            "http://",
            "http:///path",
            "http://:80",
            "http://host:",
            "http://host:0",
            "http://host:99999",
            "http://host:80:90",
            "http://[::1",
            "http://::1/",
            "http://[]/",
            "http://ho st/",
            "http://host/a b",
            "http://host/\\",
            'http://host/"',
            "http://höst/",
            "http://host/\r\nX: y",
            "file:///etc/passwd",
            "javascript:alert(1)",
        ],
    ),
    ("list of paths", ["relative", ["/a", "b"], None, 5, {"/a": 1}, {"/a"}, ["/a"] * 1001, [["/a"]], [None]]),
    ("list of something", [[], "", " , ", [1, 2, 3, 4]]),
    ("mapping", ["a=1", None, [], {1: 2}, {"": 1}, {"a": b"x"}, {"a": {1: 2}}, {"a": float("nan")}, {"a": 10**400}]),
    ("mapping to sizes", [{"a": "x"}, {"a": None}]),
]


@pytest.mark.parametrize(("name", "value", "canonical"), GOOD)
def test_takes(name, value, canonical):
    """A good value comes out in its one canonical form, of plain types."""
    result = KINDS[name](value)
    assert result == canonical
    assert type(result) is type(canonical)
    assert_canonical(KINDS[name], result)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD for value in values])
def test_refuses(name, value):
    """A bad value is refused with words."""
    with pytest.raises(ParamError) as caught:
        KINDS[name](value)
    assert_readable(caught.value)


def test_every_kind_has_good_and_bad_examples():
    """No kind is left out of the tables above."""
    assert set(CHECKED) - {name for name, _value, _canonical in GOOD} == {"small number"}
    assert set(CHECKED) - {name for name, _values in BAD} == {"text or nothing"}


@pytest.mark.parametrize("name", CHECKED)
def test_hostile_values_are_taken_whole_or_refused(name):
    """Whatever comes in: a canonical value goes out, or a ParamError, and nothing else."""
    for value in hostile.VALUES:
        assert_kept_or_refused(CHECKED[name], value)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5)
ANY = st.recursive(
    PLAIN,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text() | st.integers(), children, max_size=4),
    max_leaves=8,
)
NEARLY = st.from_regex(
    r"\A *-?[0-9]{1,6}(\.[0-9]{1,4})? ?(%|ms|[a-zA-Z]{0,3}) *\Z|\A/[ -~]{0,12}\Z|\Ahttps?://[!-~]{0,14}\Z|\A[a-z.@\\-]+\Z"
)


@given(value=ANY | NEARLY, name=st.sampled_from(sorted(CHECKED)))
def test_kinds_are_idempotent_and_plain(value, name):
    """kind(kind(x)) == kind(x), and what comes out survives the way to the host and into the report."""
    assert_kept_or_refused(CHECKED[name], value)


@given(seconds=st.integers(0, 10**9), unit=st.sampled_from(["s", "m", "h", "d", "w"]))
def test_durations_multiply(seconds, unit):
    """A duration is its number times its unit."""
    assert params.Duration()("%d%s" % (seconds, unit)) == seconds * params._SECONDS[unit]


@given(count=st.integers(0, 10**5), unit=st.sampled_from("KMGT"))
def test_sizes_are_powers_of_1024(count, unit):
    """K, KB and KiB are the same, in either case."""
    sizes = {params.Size()("%d%s" % (count, end)) for end in (unit, unit.lower(), unit + "B", unit + "iB")}
    assert sizes == {count * params._BYTES[unit]}


@given(number=st.floats(0, 100))
def test_a_percentage_threshold_stays_one(number):
    """A percentage never becomes a size, and keeps its value but for the seventh digit."""
    text = params.Threshold()("%r%%" % number)
    assert text.endswith("%")
    assert float(text[:-1]) == pytest.approx(number, rel=1e-5)


def test_a_credential_in_a_url_is_not_repeated():
    """The message about a wrong URL does not show the password in it."""
    for url in ("http://user:hunter2@host/", "ftp://user:hunter2@host/", "http://u:hunter2@höst/", "u:hunter2@host"):
        with pytest.raises(ParamError) as caught:
            params.Url()(url)
        assert "hunter2" not in str(caught.value)
        assert "credentials" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (params.Text(secret=True), "hunter2\n"),
        (params.Text(secret=True), ["hunter2"]),
        (params.Text(secret=True), b"hunter2"),
        (params.ListOf(params.Text(secret=True)), {"hunter2": 1}),
        (params.ListOf(params.Text(secret=True)), ["ok", "hunter2\0"]),
        (params.Mapping(params.Text(secret=True)), {"a": b"hunter2"}),
        (params.Mapping(params.Text(secret=True)), ["hunter2"]),
        (params.Mapping(secret=True), {"a": b"hunter2"}),
        (params.Mapping(secret=True), ["hunter2"]),
    ],
)
def test_a_wrong_secret_is_not_repeated(kind, value):
    """A secret that is refused is not shown, and a container of secrets is secret itself."""
    assert kind.secret
    with pytest.raises(ParamError) as caught:
        kind(value)
    assert "hunter2" not in str(caught.value)


def test_deep_values_are_refused():
    """Nesting has a limit, so that no later walk overflows the stack."""
    deep = "x"
    for _level in range(22):
        deep = [deep]
    with pytest.raises(ParamError, match="nested more than 20 deep"):
        params.Mapping()({"a": deep})


def test_an_item_is_named_by_its_place():
    """The message says which item of a list is wrong."""
    with pytest.raises(ParamError, match="item 2: 'b' is no absolute path"):
        params.ListOf(params.Path())(["/a", "b"])


def test_shown_is_short_and_printable():
    """What an error repeats of a value is one printable line of at most 80 characters."""
    for value in hostile.VALUES:
        text = params.shown(value)
        assert len(text) <= 80
        assert text.isprintable()
        assert text.isascii()


@pytest.mark.parametrize("name", KINDS)
def test_kinds_describe_themselves(name):
    """`opslib show` and the Ansible stubs have something to say of each kind."""
    kind = KINDS[name]
    assert kind.label
    assert kind.ansible in {"raw", "bool", "float", "int", "str", "path", "list", "dict"}


def assert_kept_or_refused(kind, value):
    """Check that a kind gives a canonical value or raises a readable ParamError."""
    try:
        result = kind(value)
    except ParamError as error:
        assert_readable(error)
    else:
        assert_canonical(kind, result)


def assert_canonical(kind, value):
    """Check that a value is in the form that a host and a report can take."""
    again = kind(value)
    assert again == value
    assert type(again) is type(value)
    assert marshal.loads(marshal.dumps(value, 2)) == value
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert json.loads(wire.dumps(value)) == value


def assert_readable(error):
    """Check that a message is one printable line, not too long."""
    text = str(error)
    assert text.isprintable()
    assert 5 < len(text) < 600
