"""Logs of many hosts, over the local carrier: merged, followed, and never harmed by what a host sends."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opslib import CloudWatch, LogEntry, LogQuery, Status, Target, follow_logs, read_logs
from opslib.errors import ParamError, UsageError
from opslib.events import Event, Notice, StepTold
from opslib.live_logs import _Heard


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def here(name: str = "here") -> Target:
    return Target(name=name, carrier="local")


def test_hosts_are_merged_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{stamp(9)} one\n{stamp(3)} two\n")
    reading = read_logs([here("a"), here("b")], LogQuery(paths=[str(tmp_path / "a.log")]))
    assert [(entry.host, entry.text.split()[1]) for entry in reading.entries] == [
        ("a", "one"),
        ("b", "one"),
        ("a", "two"),
        ("b", "two"),
    ]
    assert reading.report.exit_code == 0
    assert {host.status for host in reading.report.hosts.values()} == {Status.OK}


def test_a_wrong_question_is_refused_before_anything_is_touched() -> None:
    for query, words in (
        (LogQuery(), "nothing to read"),
        (LogQuery(paths=["a"]), "absolute path"),
        (LogQuery(paths=["/a"], match="("), "regular expression"),
    ):
        with pytest.raises(ParamError, match=words):
            read_logs([here()], query)
    with pytest.raises(ParamError, match="needs since"):
        read_logs([here()], LogQuery(paths=["/a"]), search=True)
    service = CloudWatch(groups=["api"], account="123456789012", region="us-east-1")
    with pytest.raises(UsageError, match="CloudWatch has groups"):
        read_logs(service, LogQuery(paths=["/a"]))
    with pytest.raises(UsageError, match="on_entry is 5"):
        follow_logs([here()], LogQuery(paths=["/a"]), 5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="on_event is 5"):
        read_logs([here()], LogQuery(paths=["/a"]), on_event=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="too many to follow"):
        follow_logs([here()] * 1001, LogQuery(paths=["/a"]), print)


def test_follow_until_it_is_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"{stamp(9)} before\n")
    cancel = threading.Event()
    seen: list[LogEntry] = []
    notes: list[str] = []

    def take(entry: LogEntry) -> None:
        seen.append(entry)
        if len(seen) == 1:
            path.rename(tmp_path / "a.log.1")
            path.write_text(f"{stamp(0)} after\n")
        else:
            cancel.set()

    def note(event: Event) -> None:
        if isinstance(event, Notice):
            notes.append(event.text)

    report = follow_logs([here()], LogQuery(paths=[str(path)]), take, on_event=note, cancel=cancel)
    assert [entry.text.split()[1] for entry in seen] == ["before", "after"]
    assert report.exit_code == 130
    assert any(text == f"here: {path} is new" for text in notes)


def test_follow_for_a_time(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    report = follow_logs([here()], LogQuery(paths=[str(tmp_path / "a.log")]), print, lasting="300ms")
    assert report.exit_code == 0


@pytest.mark.parametrize(
    "rows",
    [
        5,
        None,
        [5],
        [{}],
        [{"source": 5, "text": "x"}],
        [{"source": "s", "text": None}],
        [{"source": "s", "text": "x", "level": 5}],
        [{"source": "s", "text": "x", "time": 1e300}],
        [{"source": "s", "text": "x", "time": float("nan")}],
    ],
)
def test_nonsense_from_a_host_is_passed_over(rows: Any) -> None:
    heard = _Heard(None, None)
    good = {"source": "s", "text": "good", "time": 5.0, "level": None, "cut": False}
    heard.take(StepTold(host="h", step="s", task="logs", message={"entries": rows, "note": 5}))
    heard.take(StepTold(host="h", step="s", task="logs", message={"entries": [good]}))
    assert [entry.text for entry in heard.merged()] == ["good"]


def test_entries_without_a_time_stay_where_their_host_told_them() -> None:
    heard = _Heard(None, None)
    for host, rows in (("a", [(1.0, "a1"), (None, "a2"), (5.0, "a3")]), ("b", [(3.0, "b1")])):
        entries = [{"source": "s", "text": text, "time": when} for when, text in rows]
        heard.take(StepTold(host=host, step="s", task="logs", message={"entries": entries}))
    assert [entry.text for entry in heard.merged()] == ["a1", "a2", "b1", "a3"]


def test_an_entry_as_data() -> None:
    entry = LogEntry(
        host="h", source="/a", text='{"b": 1}', time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), level="INFO"
    )
    assert entry.to_dict() == {
        "host": "h",
        "source": "/a",
        "time": "2026-01-02T03:04:05.000Z",
        "level": "INFO",
        "members": {"b": 1},
        "cut": False,
    }
    for text in ("plain", "{no", "[1]", "{" * 50000):
        assert LogEntry(host="h", source="/a", text=text).to_dict()["text"] == text
