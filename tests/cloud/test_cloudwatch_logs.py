"""Logs of CloudWatch: all streams in the order of time, followed without loss or duplicates, whatever the service does."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import boto3
import pytest

from opslib import CloudWatch, LogEntry, LogQuery, follow_logs, read_logs
from opslib.cli.main import main
from opslib.host.task import TaskError
from opslib.host.worker import run_step
from opslib.tasks import get
from services.apprunner import AppRunner
from services.moto import Moto
from support.cloud import AWS, Ran, run

ID = "8fe1e10304f84fd2b0df550fe98a71fa"
GROUP = f"/aws/apprunner/spendsense-api/{ID}/application"
WHERE = CloudWatch(groups=["spendsense-api"], account=AWS["account"], region=AWS["region"])


def now(ago: float = 0) -> int:
    return int((time.time() - ago) * 1000)


class Logs:
    """A log group that a test writes to."""

    def __init__(self, name: str = GROUP) -> None:
        self.client, self.name = boto3.client("logs"), name
        self.client.create_log_group(logGroupName=name)
        self.streams: set[str] = set()

    def put(self, text: str, ago: float = 0, stream: str = "instance/a1") -> None:
        if stream not in self.streams:
            self.client.create_log_stream(logGroupName=self.name, logStreamName=stream)
            self.streams.add(stream)
        event = {"timestamp": now(ago), "message": text}
        self.client.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=[event])


@pytest.fixture
def logs(moto: Moto) -> Logs:
    return Logs()


def read(check: bool = False, **args: Any) -> Ran:
    return run("cloudwatch_logs", {**AWS, "groups": ["spendsense-api"], **args}, check=check)


def texts(done: Ran) -> list[str]:
    return [row["text"] for message in done.told for row in message.get("entries", ())]


# --- finding the group


def test_a_group_is_found_by_its_name_its_arn_or_its_service(logs: Logs) -> None:
    logs.put("here")
    account, region = AWS["account"], AWS["region"]
    for name in (
        GROUP,
        "spendsense-api",
        f"arn:aws:logs:{region}:{account}:log-group:{GROUP}:*",
        f"arn:aws:apprunner:{region}:{account}:service/spendsense-api/{ID}",
    ):
        done = read(groups=[name])
        assert (done.status, texts(done)) == ("ok", ["here"]), name
        assert done.data["groups"] == {name: GROUP}


def test_the_logs_of_deployments_are_another_part(logs: Logs) -> None:
    logs.put("from the program")
    Logs(GROUP.replace("application", "service")).put("deployed")
    assert texts(read(part="service")) == ["deployed"]


def test_of_services_of_one_name_the_living_one_is_meant(logs: Logs, apprunner: AppRunner) -> None:
    image = f"{AWS['account']}.dkr.ecr.us-east-1.amazonaws.com/api:1"
    service = apprunner.make("spendsense-api", image)
    logs.put("of one that was deleted")
    Logs(f"/aws/apprunner/spendsense-api/{service.id}/application").put("of the living")
    assert texts(read()) == ["of the living"]
    apprunner.fail("ListServices", times=None, status=400, code="AccessDeniedException")
    done = read()
    assert done.status == "failed"
    assert "had the log groups" in str(done.error)


def test_a_group_that_is_not_there_is_named(logs: Logs) -> None:
    logs.put("x")
    done = read(groups=["nothing", "spendsense-api"])
    assert (done.status, texts(done)) == ("ok", ["x"])
    assert done.warnings == ["there is no log group nothing, nor one of an App Runner service of that name"]
    assert read(groups=["/nothing"]).error == "there is no log group /nothing"


# --- reading


def test_the_newest_of_all_streams_in_the_order_of_time(logs: Logs) -> None:
    for number in range(30):
        logs.put(f"line {number}", ago=3000 - number * 100, stream=f"instance/{number % 3}")
    done = read(lines=7)
    assert texts(done) == [f"line {number}" for number in range(23, 30)]
    rows = [row for message in done.told for row in message["entries"]]
    assert rows[0]["source"] == "instance/2"
    assert rows == sorted(rows, key=lambda row: row["time"])


def test_nothing_is_changed_by_reading(logs: Logs, moto: Moto) -> None:
    logs.put("x")
    moto.requests.clear()
    for check in (True, False):
        assert read(check=check).changed is False
    assert moto.mutations == []


def test_a_window_of_time(logs: Logs) -> None:
    for ago in (7200, 1800, 900, 60):
        logs.put(f"{ago}", ago=ago)
    assert texts(read(mode="search", since="1h", until="5m")) == ["1800", "900"]


def test_levels_fields_and_expressions_are_judged_here(logs: Logs) -> None:
    for text in ("INFO retry after ERROR", "ERROR disk", "level=error net", '{"level": 50, "user": {"id": 7}}', "warn"):
        logs.put(text)
    assert texts(read(levels=["ERROR"])) == ["ERROR disk", "level=error net", '{"level": 50, "user": {"id": 7}}']
    assert texts(read(fields={"user.id": "7"})) == ['{"level": 50, "user": {"id": 7}}']
    assert texts(read(match="^(warn|INFO)")) == ["INFO retry after ERROR", "warn"]
    assert texts(read(pattern="disk", levels=["ERROR"])) == ["ERROR disk"]


def test_a_wide_window_is_not_read_further_than_needed(logs: Logs, moto: Moto) -> None:
    for number in range(5):
        logs.put(f"{number}", ago=number)
    assert texts(read(mode="search", since="90d", lines=2)) == ["1", "0"]
    assert len(moto.calls("FilterLogEvents")) == 1
    assert read(mode="search", since="90d", lines=2).warnings == [
        f"{GROUP}: the newest 2 entries; there may be older ones (lines)"
    ]


def test_where_the_newest_come_first_a_span_is_not_read_to_its_end(logs: Logs, moto: Moto) -> None:
    page = {"events": [event(str(number), now(number / 1000)) for number in range(3)], "nextToken": "more"}
    moto.answer("FilterLogEvents", page, times=None)
    assert texts(read(lines=2)) == ["1", "0"]
    assert len(moto.calls("FilterLogEvents")) == 1


def test_a_limit_on_what_is_read_is_told(logs: Logs) -> None:
    for number in range(3):
        logs.put("x" * 1000, ago=1000 * number)
    done = read(read_limit="800")
    assert len(texts(done)) == 1
    assert done.warnings == [f"{GROUP}: read_limit (800 B) was reached: older events were not read"]


def test_long_lines_secrets_and_terminal_sequences(logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.put("password=hunter2 \x1b[2J\x1b[31mred" + "y" * 200000)
    words = ["logs", "tail", "--cloudwatch", "spendsense-api", "--account", AWS["account"], "--region", AWS["region"]]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("spendsense-api  20")
    assert "password=***" in out
    assert "hunter2" not in out
    assert "\x1b" not in out
    assert out.endswith("y ... (cut)\n")
    assert len(out) < 6000


# --- following


class Followed:
    """A task that follows in a thread, as long as a test wants."""

    def __init__(self, **args: Any) -> None:
        self.texts: list[str] = []
        self.notes: list[str] = []
        self.result: dict[str, Any] = {}
        settings = {**AWS, "groups": ["spendsense-api"], "mode": "follow", "lasting": 30, **args}
        self._thread = threading.Thread(target=self._work, args=(settings,), daemon=True)
        self._thread.start()

    def _work(self, settings: dict[str, Any]) -> None:
        self.result.update(run_step(get("cloudwatch_logs"), settings, False, self._take))

    def _take(self, message: dict[str, Any]) -> None:
        self.texts += [row["text"] for row in message.get("entries", ())]
        self.notes += [message["note"]] if "note" in message else []
        if self.texts and self.texts[-1] == "end":
            raise TaskError("seen enough")

    def until(self, condition: Any) -> None:
        for _turn in range(2000):
            if condition() or self.result:
                break
            time.sleep(0.005)
        assert condition(), (self.texts, self.notes, self.result)


def test_following_loses_nothing_and_tells_nothing_twice(logs: Logs, moto: Moto) -> None:
    logs.put("before 1", ago=500)
    logs.put("before 2", ago=5)
    followed = Followed(lines=2)
    followed.until(lambda: followed.texts == ["before 1", "before 2"])
    expected = []
    for number in range(40):
        # Some come late: after others that are younger by their time.
        logs.put(f"{number}", ago=20 if number % 5 == 0 else 0, stream=f"instance/{number % 4}")
        expected.append(f"{number}")
        if number == 10:
            moto.throttle("FilterLogEvents", 3)
        if number == 20:
            moto.fail("FilterLogEvents", times=2)
    logs.put("end")
    followed.until(lambda: followed.texts[-1:] == ["end"])
    assert sorted(followed.texts[2:-1], key=int) == expected


def test_a_group_that_comes_later_and_goes(moto: Moto) -> None:
    followed = Followed(groups=["/later"])
    followed.until(lambda: followed.notes == ["there is no log group /later"])
    logs = Logs("/later")
    logs.put("one")
    followed.until(lambda: followed.texts == ["one"])
    logs.client.delete_log_group(logGroupName="/later")
    followed.until(lambda: "/later was deleted" in followed.notes)
    Logs("/later").put("end")
    followed.until(lambda: followed.texts == ["one", "end"])
    assert followed.notes.count("/later is new") == 2


def test_following_for_a_time(logs: Logs) -> None:
    logs.put("x")
    done = read(mode="follow", lasting=0.05)
    assert (done.status, texts(done)) == ("ok", ["x"])


# --- what services do


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_for(logs: Logs, moto: Moto, times: int) -> None:
    logs.put("x")
    moto.throttle("FilterLogEvents", times)
    assert texts(read(lines=1)) == ["x"]
    assert len(moto.calls("FilterLogEvents")) == times + 1


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("mode", ["tail", "follow"])
def test_endless_throttling_ends_with_the_time(logs: Logs, moto: Moto, mode: str) -> None:
    moto.throttle("FilterLogEvents")
    done = read(mode=mode, wait=0.1)
    assert done.status == "failed"
    assert str(done.error).startswith(f"reading events of {GROUP}: ThrottlingException: Rate exceeded")


def test_credentials_that_expire_while_following(logs: Logs, moto: Moto) -> None:
    moto.expire_credentials(after=6)
    done = read(mode="follow", lasting=30)
    assert done.status == "failed"
    assert "ExpiredTokenException" in str(done.error)
    assert "renew the AWS credentials" in str(done.error)


def event(text: Any, when: Any = 1764000000000, **more: Any) -> dict[str, Any]:
    return {"eventId": f"id {text}", "logStreamName": "instance/a1", "message": text, "timestamp": when, **more}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"events": 5}, "the answer makes no sense"),
        ({}, "the answer holds no events"),
        ({"events": ["x"]}, "the answer makes no sense"),
        ({"events": [event(5)]}, "an event without id, stream or message"),
        ({"events": [event("x", when="soon")]}, "an event without a time"),
        ({"events": [event("x", when=-1)]}, "an event without a time"),
        ({"events": [event("x", when=1 << 60)]}, "an event without a time"),
        ({"events": [], "nextToken": "again"}, "the listing goes round in circles"),
        (b"<html>not today</html>", "the answer holds no events"),
    ],
)
def test_answers_that_make_no_sense(logs: Logs, moto: Moto, answer: Any, said: str) -> None:
    moto.answer("FilterLogEvents", answer if isinstance(answer, bytes) else json.dumps(answer), times=None)
    done = read()
    assert done.status == "failed"
    assert f"reading events of {GROUP}" in str(done.error)
    assert said in str(done.error)
    assert "internal error" not in str(done.error)


def test_credentials_of_another_account_touch_nothing(logs: Logs, moto: Moto) -> None:
    moto.requests.clear()
    done = read(account="000000000000")
    assert "belong to account 123456789012, not to 000000000000" in str(done.error)
    assert [call.operation for call in moto.requests] == ["GetCallerIdentity"]


# --- in a process of its own, as users meet it


def test_read_from_python(logs: Logs) -> None:
    logs.put("ERROR one", ago=2)
    Logs("/other").put("ERROR two", ago=1)
    where = CloudWatch(groups=["spendsense-api", "/other"], account=AWS["account"], region=AWS["region"])
    reading = read_logs(where, LogQuery(levels=["ERROR"]))
    assert [(entry.host, entry.source, entry.text) for entry in reading.entries] == [
        ("spendsense-api", "instance/a1", "ERROR one"),
        ("/other", "instance/a1", "ERROR two"),
    ]
    assert reading.report.exit_code == 0


def test_follow_from_python(logs: Logs) -> None:
    logs.put("one")
    cancel = threading.Event()
    seen: list[LogEntry] = []

    def take(entry: LogEntry) -> None:
        seen.append(entry)
        if len(seen) == 1:
            logs.put("two")
        else:
            cancel.set()

    report = follow_logs(WHERE, LogQuery(), take, cancel=cancel)
    assert [(entry.host, entry.text) for entry in seen] == [("spendsense-api", "one"), ("spendsense-api", "two")]
    assert report.exit_code == 130


def test_the_command_line(logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.put("ERROR disk", ago=2, stream="instance/1")
    logs.put("fine", ago=1, stream="instance/2")
    where = ["--cloudwatch", "spendsense-api", "--account", AWS["account"], "--region", AWS["region"]]
    assert main(["logs", "errors", *where]) == 0
    assert capsys.readouterr().out.split(" ", 3)[0::3] == ["spendsense-api", "ERROR disk\n"]
    assert main(["logs", "search", *where, "--json", "-m", "fine"]) == 0
    assert '"host": "spendsense-api", "source": "instance/2"' in capsys.readouterr().out
    assert main(["logs", "tail", *where[2:], "--cloudwatch", "/nothing"]) == 2
    assert "/nothing: failed: there is no log group /nothing" in capsys.readouterr().err
