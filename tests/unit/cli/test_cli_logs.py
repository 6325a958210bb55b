"""`opslib logs`: what reaches the library, and what people see."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from opslib.cli.library import Place
from opslib.cli.main import main
from opslib.events import HostEnded, Notice, OnEvent, RunStarted
from opslib.live_logs import CloudWatch, LogQuery, LogReading, OnEntry
from opslib.log_entry import LogEntry
from opslib.output.log_lines import MAX_LINES, LogStyle, entry_lines
from opslib.result import HostResult, Report, Status, StepResult
from support.fake_library import FakeLibrary

Out = pytest.CaptureFixture[str]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def entry(text: str, host: str = "web1", source: str = "/a.log", **more: Any) -> LogEntry:
    return LogEntry(host=host, source=source, text=text, **{"time": NOW, **more})


class Logs(FakeLibrary):
    """Hosts that have these entries."""

    def __init__(self, *entries: LogEntry, failing: Sequence[str] = (), cancelled: bool = False) -> None:
        super().__init__()
        self.entries = entries
        self.failing = failing
        self.cancelled = cancelled

    def read_logs(
        self,
        query: LogQuery,
        place: Place,
        search: bool,
        forks: int,
        timeout: float | None,
        on_event: OnEvent,
        cancel: threading.Event,
    ) -> LogReading:
        self.calls.append((query, place, search, forks, timeout))
        return LogReading(entries=self.entries, report=self.told(on_event, cancel))

    def follow_logs(
        self,
        query: LogQuery,
        place: Place,
        lasting: str | None,
        on_entry: OnEntry,
        on_event: OnEvent,
        cancel: threading.Event,
    ) -> Report:
        self.calls.append((query, place, lasting))
        on_event(RunStarted(run_id="r", source="logs", check=False, hosts=("web1", "database1")))
        for each in self.entries:
            on_entry(each)
        on_event(Notice(text="web1: /a.log was \x1b[2J truncated"))
        return self.told(on_event, cancel)

    def told(self, on_event: OnEvent, cancel: threading.Event) -> Report:
        hosts = {}
        for name in ("web1", "database1"):
            failed = name in self.failing
            step = StepResult(
                name="logs",
                task="logs",
                status=Status.FAILED if failed else Status.OK,
                error="/a.log does not exist" if failed else None,
                warnings=("no times were found",) if not failed else (),
            )
            hosts[name] = HostResult.of_steps(name, [step])
            on_event(HostEnded(host=name, result=hosts[name]))
        return Report(
            run_id="r",
            source="logs",
            engine="ssh",
            check=False,
            started=NOW,
            ended=NOW,
            hosts=hosts,
            interrupted=cancel.is_set() or self.cancelled,
        )


def test_every_option_reaches_the_library() -> None:
    library = Logs()
    words = (
        "logs search /a.log /b/*.log -u nginx --unit ssh -L ERROR --level WARN -m x|y --field a.b=1 --field c= --timezone UTC"
        " --longest 100 --unmasked -i inv -l web -e k=v -b -n 7 --since 2h --until 5m -f 3 --timeout 9"
    )
    assert main(words.split(), library) == 0
    query, place, search, forks, timeout = library.calls[0]
    assert query == LogQuery(
        paths=("/a.log", "/b/*.log"),
        units=("nginx", "ssh"),
        lines=7,
        since="2h",
        until="5m",
        levels=("ERROR", "WARN"),
        match="x|y",
        fields={"a.b": "1", "c": ""},
        timezone="UTC",
        longest=100,
        masked=False,
    )
    assert place == Place(inventory=("inv",), limit="web", extra_vars=("k=v", '{"ansible_become": true}'))
    assert (search, forks, timeout) == (True, 3, 9.0)


@pytest.mark.parametrize(
    ("words", "lines", "since", "levels", "search"),
    [
        ("tail", 20, None, (), False),
        ("errors", 1000, "1h", ("ERROR", "CRITICAL", "FATAL"), True),
        ("errors -L WARN", 1000, "1h", ("WARN",), True),
        ("search", 1000, "24h", (), True),
    ],
)
def test_defaults(words: str, lines: int, since: str | None, levels: tuple[str, ...], search: bool) -> None:
    library = Logs()
    assert main(["logs", *words.split(), "/a.log", "-i", "x"], library) == 0
    query, place, searched, forks, timeout = library.calls[0]
    assert (query.lines, query.since, query.levels, searched) == (lines, since, levels, search)
    assert (place.extra_vars, forks, timeout, query.masked) == ((), 50, 30.0, True)


def test_follow_has_no_end_unless_told() -> None:
    library = Logs()
    main(["logs", "follow", "/a.log", "-i", "x"], library)
    main(["logs", "follow", "/a.log", "-i", "x", "--for", "10m", "--become-user", "app"], library)
    assert [call[2] for call in library.calls] == [None, "10m"]
    (extra,) = library.calls[1][1].extra_vars
    assert json.loads(extra) == {"ansible_become": True, "ansible_become_user": "app"}


def test_entries_go_to_stdout_and_remarks_to_stderr(capsys: Out) -> None:
    library = Logs(entry("hello \x1b[2J\r\x07 there"), entry("two\nlines", host="database1"))
    assert main(["logs", "follow", "/a.log", "-i", "x"], library) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "web1       hello \\x1b[2J\\r\\x07 there",
        "database1  two",
        "database1  lines",
    ]
    assert shown.err.splitlines() == [
        "web1: /a.log was \\x1b[2J truncated",
        "web1: warning: no times were found",
        "database1: warning: no times were found",
    ]


def test_sources_are_named_where_there_are_several(capsys: Out) -> None:
    library = Logs(entry("x"), entry("y", source="nginx.service"))
    main(["logs", "tail", "/a.log", "-u", "nginx", "-i", "x"], library)
    assert capsys.readouterr().out.splitlines() == ["web1  a.log  x", "web1  nginx.service  2026-01-02T03:04:05Z y"]
    main(["logs", "tail", "/*.log", "-i", "x"], library)
    assert capsys.readouterr().out.startswith("web1  a.log  x\n")


def test_json_and_pretty(capsys: Out) -> None:
    library = Logs(entry('{"a": {"b": 1}}'), entry("text \x1b"))
    main(["logs", "tail", "/a.log", "-i", "x", "--json"], library)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("members") for row in rows] == [{"a": {"b": 1}}, None]
    assert rows[1]["text"] == "text \x1b"
    main(["logs", "tail", "/a.log", "-i", "x", "--pretty"], library)
    assert capsys.readouterr().out.splitlines()[1:4] == ['web1    "a": {', 'web1      "b": 1', "web1    }"]
    assert main(["logs", "tail", "/a.log", "-i", "x", "--pretty", "--json"], library) == 1


def test_a_failed_host_is_told_and_counts(capsys: Out) -> None:
    assert main(["logs", "tail", "/a.log", "-i", "x"], Logs(entry("x"), failing=["database1"])) == 2
    shown = capsys.readouterr()
    assert "database1: failed: /a.log does not exist\n" in shown.err
    assert shown.out == "web1  x\n"


def test_an_interruption_is_130() -> None:
    assert main(["logs", "follow", "/a.log", "-i", "x"], Logs(cancelled=True)) == 130


CLOUD = ["--cloudwatch", "api", "--account", "123456789012", "--region", "us-east-1"]


def test_cloudwatch_takes_the_place_of_hosts() -> None:
    library = Logs()
    words = [
        "--cloudwatch",
        "/g",
        "--profile",
        "ops",
        "--part",
        "service",
        "--pattern",
        "?a ?b",
        "-L",
        "WARN",
        "-n",
        "3",
    ]
    assert main(["logs", "tail", *CLOUD, *words], library) == 0
    query, place, search, _forks, _timeout = library.calls[0]
    assert place == CloudWatch(
        groups=("api", "/g"),
        account="123456789012",
        region="us-east-1",
        part="service",
        pattern="?a ?b",
        profile="ops",
    )
    assert (query.lines, query.levels, query.paths, search) == (3, ("WARN",), (), False)
    assert main(["logs", "follow", *CLOUD], library) == 0
    assert library.calls[1][1] == CloudWatch(groups=("api",), account="123456789012", region="us-east-1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/a.log"], "say where: -i INVENTORY, or --cloudwatch NAME"),
        (["/a.log", "-i", "x", "--region", "us-east-1"], "--region is of CloudWatch"),
        (["--cloudwatch", "api", "--region", "us-east-1"], "needs --account and --region"),
        ([*CLOUD, "/a.log"], "reads no hosts"),
        ([*CLOUD, "-i", "x"], "reads no hosts"),
        ([*CLOUD, "-u", "nginx"], "reads no hosts"),
        ([*CLOUD, "-b"], "reads no hosts"),
        ([*CLOUD, "--timezone", "UTC"], "reads no hosts"),
    ],
)
def test_hosts_or_cloudwatch(words: list[str], said: str, capsys: Out) -> None:
    library = Logs()
    assert main(["logs", "tail", *words], library) == 1
    assert said in capsys.readouterr().err
    assert library.calls == []


@pytest.mark.parametrize("field", ["x", "=x", ""])
def test_a_wrong_field_is_refused(field: str, capsys: Out) -> None:
    library = Logs()
    assert main(["logs", "tail", "/a.log", "-i", "x", "--field", field], library) == 1
    assert "is no NAME=VALUE" in capsys.readouterr().err
    assert library.calls == []


def test_lines_are_bounded_and_say_so() -> None:
    lines = entry_lines(entry("x\n" * 5000, cut=True), LogStyle())
    assert len(lines) == MAX_LINES + 1
    assert lines[-1].text == "web1  ... 4800 more lines ... (cut)"


def test_levels_have_colours() -> None:
    styles = {
        level: entry_lines(entry("x", level=level), LogStyle())[0].pieces[-1][1]
        for level in ("ERROR", "CRIT", "WARN", "DEBUG", "INFO", None, "\x1b")
    }
    assert list(styles.values()) == ["failed", "failed", "warning", "dim", "plain", "plain", "plain"]
