"""scheduler_jobs and job_trigger against a page on this machine's loopback, and their parameters."""

from __future__ import annotations

import calendar
import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.host.params import ParamError
from opslib.host.schedule.judge import Due
from opslib.host.schedule.runs import Known, Listed, Run
from opslib.host.tasks.job_trigger import JobTrigger
from opslib.host.tasks.scheduler_jobs import SchedulerJobs, Seen
from opslib.host.worker import run_step
from support.hostile import OTHERS

URL = "http://127.0.0.1:9/health/scheduler"
TOKEN = "token-5d1f0c"


class Scheduler:
    """A scheduler's service. answers: what a POST is answered with; outcome: the statuses that its run takes, in order."""

    def __init__(self, answer=(202, {"run_id": 7}), outcome=("running", "succeeded"), **page):
        self.answer, self.outcome, self.posts, self.seen = answer, list(outcome), [], []
        self.page = {"running": True, "jobs": [{"id": "sweep", "cron": "@hourly"}], "job_history": [], **page}
        self.raw = None
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.seen.append(self.headers.get("Authorization"))
                body = service.raw if service.raw is not None else json.dumps(service.look()).encode()
                self.reply(200, body)

            def do_POST(self):
                service.posts.append((self.path, self.headers.get("Content-Length"), self.headers.get("Authorization")))
                status, body = service.answer
                self.reply(status, json.dumps(body).encode())

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if body[:1] == b"<" else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def look(self):
        if self.posts and self.outcome:
            status = self.outcome.pop(0) if len(self.outcome) > 1 else self.outcome[0]
            if status:
                run = {"id": 7, "job": "sweep", "started_at": time.time(), "status": status, "error": "it is tired"}
                return dict(self.page, job_history=[run, *self.page["job_history"]])
        return self.page

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def trigger(service, check=False, **args):
    given = {"job": "sweep", "url": service.url + "/trigger/sweep", "history_url": service.url, "interval": 0.05}
    return run_step(JobTrigger, {**given, "wait": 5, **args}, check)


def look(service, check=False, **args):
    return run_step(SchedulerJobs, {"url": service.url, **args}, check)


# --- scheduler_jobs


def test_a_job_that_ran_is_well():
    with Scheduler(job_history=[{"job": "sweep", "started_at": time.time(), "status": "ok"}]) as service:
        result = look(service)
    assert result["status"] == "ok", result
    assert result["reason"].startswith("1 job runs as it should; sweep comes next, at ")
    assert not result["warnings"]
    assert result["data"]["jobs"]["sweep"]["state"] == "ok"
    assert result["data"]["timezone"] == "UTC"


def test_verdicts_of_several_jobs_stand_in_one_failure():
    hour = time.time() - 7300
    jobs = [
        {"id": "a", "cron": "@hourly"},
        {"id": "b", "cron": "61 * * * *"},
        {"id": "c"},
        {"id": "d", "cron": "@hourly"},
    ]
    history = [
        {"job": "a", "started_at": hour, "status": "ok"},
        {"job": "b", "started_at": hour, "status": "ok"},
        {"job": "c", "started_at": hour, "status": "failed", "error": "password=hunter2 \x1b[31m"},
        {"job": "old", "started_at": hour - 90000, "status": "ok"},
    ]
    with Scheduler(jobs=jobs, job_history=history) as service:
        result = look(service, jobs={"e": ""})
    assert result["status"] == "failed"
    told = result["error"]
    for words in (
        "a is late",
        "b has a cron expression that cannot be read",
        "c fails",
        "d never ran",
        "e is not among",
    ):
        assert words in told
    assert "hunter2" not in json.dumps(result)
    assert told.isprintable()
    states = {name: row["state"] for name, row in result["data"]["jobs"].items()}
    assert states == {"a": "late", "b": "invalid", "c": "failing", "d": "never", "e": "missing"}


@pytest.mark.parametrize(("ago", "state"), [(600, "ok"), (1000, "ok"), (1300, "late")])
def test_an_interval_is_counted_from_the_last_run(ago, state):
    jobs = [{"id": "collect", "trigger": "interval[0:15:00]"}, {"id": "report", "trigger": "cron[hour='3']"}]
    history = [{"job": name, "started_at": time.time() - ago, "status": "ok"} for name in ("collect", "report")]
    with Scheduler(jobs=jobs, job_history=history) as service:
        found = look(service)["data"]["jobs"]
    assert found["collect"]["state"] == state
    assert (found["collect"]["next_at"] is None) is (ago > 900 + 300)
    assert found["report"]["next_at"].endswith("T03:00:00Z")


def test_times_that_name_no_zone_are_read_as_told():
    local = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60 + 5.5 * 3600))
    history = [{"job": "sweep", "started_at": local, "status": "ok"}]
    with Scheduler(timezone="Asia/Kolkata", job_history=history) as service:
        assumed, told = look(service), look(service, naive_timezone="Asia/Kolkata")
    ahead, zone = assumed["warnings"]
    assert ahead.startswith("sweep has a run of ")
    assert ahead.endswith(", which is still to come: a clock or a time zone is wrong")
    assert zone == "times of runs name no zone and were read as UTC; naive_timezone says otherwise"
    assert not told["warnings"]
    seen = told["data"]["jobs"]["sweep"]["last_run"]["started_at"]
    assert seen == time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(calendar.timegm(time.strptime(local, "%Y-%m-%dT%H:%M:%S")) - 19800)
    )


def test_a_short_history_is_a_warning():
    history = [{"job": "other", "started_at": time.time() - 10, "status": "ok"}]
    with Scheduler(jobs=[{"id": "weekly", "cron": "@weekly"}], job_history=history) as service:
        result = look(service)
    assert result["status"] == "ok"
    assert "does not reach back" in result["warnings"][0]


def test_a_scheduler_that_does_not_run_fails_first():
    with Scheduler(running=False) as service:
        assert look(service)["error"].startswith("the scheduler does not run")


def test_a_scheduler_of_another_mind_is_a_warning():
    seen = Seen(
        now=1795500000.0,
        known=Known(
            jobs=[Listed(name="j", cron="0 3 * * 0", following=1795575600.0)],
            runs=[Run(job="j", started=1795490000.0, status="succeeded")],
            lists_jobs=True,
        ),
        crons={"j": "0 3 * * 0"},
        dues={"j": Due(last=1795400000.0, following=1796007600.0)},
    )
    plan = SchedulerJobs(url=URL).plan(seen)
    assert not plan.failure
    assert (
        "the scheduler means to run it at 2026-11-25T03:00:00Z, but 0 3 * * 0 comes at 2026-11-30T03:00:00Z"
        in (plan.warnings[0])
    )
    assert plan == SchedulerJobs(url=URL).plan(seen)


@pytest.mark.parametrize(
    ("raw", "problem"), [(b"<html>", "html"), (b"", "json"), (b"{", "json"), (b"x" * (5 << 20), "size")]
)
def test_pages_that_are_none(raw, problem):
    with Scheduler() as service:
        service.raw = raw
        result = look(service)
    assert (result["status"], result["data"]["problem"]) == ("failed", problem)


def test_no_answer_and_a_page_that_tells_nothing():
    assert run_step(SchedulerJobs, {"url": "http://127.0.0.1:1/"}, False)["data"]["problem"] == "refused"
    with Scheduler() as service:
        service.raw = b"{}"
        assert "nothing is known of any job" in look(service)["error"]
        service.raw = b"[]"
        assert look(service)["data"]["problem"] == "json"


def test_expressions_alone_can_be_checked():
    result = run_step(SchedulerJobs, {"jobs": {"a": "@daily", "b": "*/5 * * * *"}}, False)
    assert result["reason"].startswith("2 cron expressions can be read; b comes next, at ")


def test_a_zone_that_the_host_does_not_know():
    result = run_step(SchedulerJobs, {"jobs": {"a": "@daily"}, "timezone": "Europe/Nowhere"}, False)
    assert "does not know the time zone Europe/Nowhere" in result["error"]


def test_a_page_s_zone_that_is_none_is_not_used():
    with Scheduler(timezone="../../etc/passwd") as service:
        assert look(service)["data"]["timezone"] == "UTC"


# --- job_trigger


def test_a_job_is_followed_to_its_end():
    with Scheduler(outcome=["", "running", "running", "succeeded"]) as service:
        result = trigger(service, request_headers={"Authorization": "Bearer " + TOKEN})
    assert (result["status"], result["error"]) == ("changed", None), result
    assert [change["summary"] for change in result["changes"]] == ["trigger job sweep"]
    assert result["data"]["run"]["status"] == "succeeded"
    assert service.posts == [("/trigger/sweep", "0", "Bearer " + TOKEN)]
    assert set(service.seen) == {"Bearer " + TOKEN}
    assert TOKEN not in json.dumps(result)


def test_check_mode_starts_nothing():
    with Scheduler() as service:
        result = trigger(service, check=True)
    assert (result["status"], service.posts) == ("changed", [])


def test_without_a_number_the_run_is_the_one_that_was_not_there_before():
    old = [{"id": 3, "job": "sweep", "started_at": time.time() - 60, "status": "failed"}]
    with Scheduler(answer=(200, "ok"), job_history=old) as service:
        assert trigger(service)["data"]["run"]["id"] == "7"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (["failed"], "job sweep failed: it is tired"),
        (["running"], "job sweep is still running after 0.3 s"),
        ([""], "was triggered, but no run of it shows after 0.3 s"),
    ],
)
def test_jobs_that_do_not_end_well(outcome, words):
    with Scheduler(outcome=outcome) as service:
        result = trigger(service, wait=0.3)
    assert (result["status"], result["changed"]) == ("failed", True)
    assert words in result["error"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "the credentials are missing or wrong"),
        (403, "may not trigger"),
        (404, "there is no such job"),
        (405, "takes no POST"),
        (409, "the job runs already"),
        (500, "it said"),
        (302, "it said"),
    ],
)
def test_refusals_are_told_apart(status, words):
    with Scheduler(answer=(status, {"detail": "no \x1b[31m"})) as service:
        result = trigger(service)
    assert result["status"] == "failed"
    assert result["data"]["status"] == status
    assert words in result["error"]
    assert result["error"].isprintable()


def test_an_echoed_token_is_masked():
    with Scheduler(answer=(400, {"detail": "bad token " + TOKEN})) as service:
        result = trigger(service, request_headers={"Authorization": "Bearer " + TOKEN})
    assert "bad token" in result["error"]
    assert TOKEN not in json.dumps(result)


def test_an_unknown_job_and_a_stopped_scheduler_are_not_even_triggered():
    with Scheduler() as service:
        assert "has no job other; it has sweep" in trigger(service, job="other")["error"]
        service.page["running"] = False
        assert "does not run" in trigger(service)["error"]
    assert not service.posts


def test_a_service_that_is_gone():
    result = run_step(JobTrigger, {"job": "sweep", "url": "http://127.0.0.1:1/"}, False)
    assert (result["status"], result["data"]["problem"]) == ("failed", "refused")


def test_without_a_page_the_answer_is_the_end():
    with Scheduler() as service:
        result = trigger(service, history_url=None)
    assert (result["status"], result["data"]["run"]) == ("changed", None)


# --- parameters

BASE = {SchedulerJobs: {"url": URL, "table": "t", "user": "u"}, JobTrigger: {"job": "j", "url": URL}}
BAD_TEXT = ["", "a\nb", "a\0b", "\x1b[31m", "x" * 100000]
BAD_URL = [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "../x", "ftp://x/", "http://u:p@x/", "http://", "\udcff"]
BAD_PATH = [*BAD_TEXT, "../x", "/a/../b", "-x", "\ud800"]
BAD_TIME = ["", "soon", -1, "1e999", float("nan"), "$(id)", "a\nb", [], "9" * 50]
BAD_NAME = [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "../x", "ä"]
WRONG = {
    SchedulerJobs: {
        "url": BAD_URL,
        "request_headers": ["x", {"a b": "c"}, {"a": "b\nc"}, {"a": 3j}],
        "timeout": [0, *BAD_TIME],
        "table": [*BAD_TEXT, "a.b.c", ".a", "a.", "x" * 64],
        "columns": ["x", {"nosuch": "a"}, {"job": ""}, {"started": ""}, {"error": "a\0"}],
        "jobs": ["x", {"a": "* * * *"}, {"a": "61 * * * *"}, {"a": 3j}, {"a": "$(id)"}, {"a": "* * * * *\0"}],
        "dialect": ["", "quartz", 3, "cron\n"],
        "naive_timezone": [*BAD_TEXT, "../../etc/passwd", "+99:00", "$(id)"],
        "timezone": [*BAD_TEXT, "../../etc/passwd", "+99:00", "$(id)"],
        "grace": BAD_TIME,
        "failures": [0, 21, -1, 1.5, "x", "9" * 50],
        "stuck": [0, *BAD_TIME],
        "database": BAD_TEXT,
        "host": [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "/a/../b", "a,b", "u@h"],
        "port": [0, 65536, "x", -1],
        "user": BAD_TEXT,
        "password": ["", "a\nb", "a\0b"],
        "env_file": BAD_PATH,
        "env_key": BAD_NAME,
        "sslmode": ["", "on", 3],
        "ca_file": BAD_PATH,
        "system_user": BAD_NAME,
        "connect_timeout": [0, *BAD_TIME],
    },
    JobTrigger: {
        "job": BAD_NAME,
        "url": BAD_URL,
        "history_url": BAD_URL,
        "request_headers": ["x", {"a b": "c"}, {"a": "b\nc"}, {"Content-Length": "3"}],
        "timeout": [0, *BAD_TIME],
        "wait": BAD_TIME,
        "interval": [0, 0.01, *BAD_TIME],
    },
}
CASES = [(task, name, value) for task, names in WRONG.items() for name, values in names.items() for value in values]


@pytest.mark.parametrize(("task", "name", "value"), CASES)
def test_bad_values_are_refused_by_name(task, name, value):
    with pytest.raises(ParamError, match=r"^%s: .*%s" % (task.name, name)) as caught:
        task(**{**BASE[task], name: value})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("task", list(WRONG))
def test_every_parameter_has_bad_values_above(task):
    assert set(WRONG[task]) == set(task.parameters())


@pytest.mark.parametrize(("task", "name"), [(task, name) for task in WRONG for name in WRONG[task]])
def test_values_of_no_kind_are_refused_or_taken_but_never_crash(task, name):
    for value in OTHERS:
        with contextlib.suppress(ParamError):
            task(**{**BASE[task], name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "give url, table or jobs"),
        ({"url": URL, "user": "u"}, "give table"),
        ({"url": URL, "env_file": "/e"}, "give table"),
        ({"table": "t"}, "say who connects"),
        ({"table": "t", "user": "u", "password": "p", "env_file": "/e"}, "not both"),
    ],
)
def test_contradictions(args, words):
    with pytest.raises(ParamError, match=words):
        SchedulerJobs(**args)


def test_a_canonical_task_can_be_made_again():
    for task, args in BASE.items():
        made = task(**args)
        assert task(**made.args()) == made
