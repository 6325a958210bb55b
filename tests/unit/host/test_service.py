"""service: what it makes of real output of systemd 252, and what it does about it.

The captures under data/systemctl_show and data/journal come from a booted Debian 12.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.host import command
from opslib.host.params import ParamError
from opslib.host.plan import ACTION
from opslib.host.system import listeners
from opslib.host.system.listeners import Holder, Listening
from opslib.host.tasks.http_check import HttpCheck
from opslib.host.tasks.service import Asking, Seen, Service
from opslib.host.units import faults as unit_faults
from opslib.host.units import journal, systemd
from opslib.host.units import plan as unit_plan
from opslib.host.units import watch as unit_watch
from opslib.host.units.plan import Wanted
from opslib.host.units.systemd import Unit, UnitName
from opslib.host.units.watch import Look
from opslib.host.web.exchange import Answer
from opslib.host.worker import run_step

DATA = pathlib.Path(__file__).parent / "data"
CAPTURES = sorted(path.stem for path in (DATA / "systemctl_show").glob("*.txt"))
URL = "http://127.0.0.1:8001/health"


def captured(name):
    return (DATA / "systemctl_show" / (name + ".txt")).read_text()


def log(name):
    return journal.parse((DATA / "journal" / (name + ".txt")).read_text())


def unit(name, **changed):
    """Return a captured unit under its own name, with some fields changed."""
    found = systemd.parse_show("x.service", captured(name))
    return Unit(**{**found._values(), "name": found.id, **changed})


# --- reading `systemctl show`


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("running", {"id": "good.service", "active": "active", "sub": "running", "file_state": "enabled"}),
        ("running", {"can_reload": True, "type": "simple", "group": "/system.slice/good.service", "restarts": 0}),
        ("stopped", {"active": "inactive", "main_pid": 0, "group": "", "stopped": True}),
        ("alias", {"id": "good.service", "label": "x.service (good.service)"}),
        ("loop_auto_restart", {"restarting": True, "stopped": False, "exit_code": 1, "exit_status": 3, "restarts": 2}),
        ("loop_between_crashes", {"active": "active", "restarts": 2, "restarting": False, "result": "success"}),
        ("start_limit_after_loop", {"active": "failed", "result": "exit-code", "restarts": 5, "start_burst": 5}),
        ("start_limit_by_hand", {"result": "start-limit-hit", "restarts": 0, "start_interval": 10.0}),
        ("loop_auto_restart", {"start_interval": 0.0}),
        ("masked", {"masked": True, "load": "masked", "file_state": "masked", "can_start": False}),
        ("masked_runtime", {"masked": True, "file_state": "masked-runtime"}),
        ("masked_running", {"masked": True, "stopped": False}),
        ("missing", {"load": "not-found", "masked": False, "fragment": ""}),
        ("bad_setting", {"load": "bad-setting", "load_error": "Unit bad3.service has a bad unit file setting."}),
        ("load_error", {"load": "error", "file_state": "bad"}),
        ("job_done", {"is_job": True, "active": "inactive"}),
        ("remains_exited", {"is_job": False, "remains": True, "words": "active (exited)"}),
        ("socket", {"listen": ("127.0.0.1:8005 (Stream)", "/run/sock.test (Stream)"), "type": "", "restarts": 0}),
        ("socket_service", {"triggered_by": ("sock.socket",)}),
        ("file_changed", {"reload_needed": True}),
        ("refuses_start", {"can_start": False, "masked": False}),
        ("signal", {"exit_code": 3, "exit_status": 6, "result": "core-dump"}),
    ],
)
def test_captured_properties_are_read(name, expected):
    found = systemd.parse_show("x.service", captured(name))
    if name == "signal" and found.exit_code == 2:  # where core dumps are switched off
        expected = dict(expected, exit_code=2, result="signal")
    assert {key: getattr(found, key) for key in expected} == expected


@given(st.text(max_size=300))
def test_no_output_of_systemctl_is_too_strange_to_read(text):
    for prefix in ("", "NRestarts=", "Id=", "ActiveEnterTimestampMonotonic="):
        found = systemd.parse_show("x.service", prefix + text)
        assert found.restarts >= 0
        unit_faults.verdict(found, 0)


def test_an_old_systemd_without_some_properties_is_understood():
    found = systemd.parse_show("x.service", "Id=x.service\nLoadState=loaded\nActiveState=active\nSubState=running\n")
    assert unit_faults.verdict(found, found.restarts).kind == "up"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10s", 10), ("1min 30s", 90), ("500ms", 0.5), ("1.5s", 1.5), ("2h", 7200), ("5000000", 5)],
)
def test_spans(text, seconds):
    assert systemd.parse_span(text) == pytest.approx(seconds)


def test_a_span_that_is_no_number_never_ends():
    assert systemd.parse_span("infinity") == systemd.parse_span("1 parsec") == float("inf")


def test_journal_lines_are_fit_to_be_shown():
    text = "-- Journal begins --\n2026-01-01T00:00:00+0000 h a[1]: \x1b[31mred\x07\n\n%s\n-- No entries --\n" % (
        "x" * 9999
    )
    first, second = journal.parse(text)
    assert first.endswith("a[1]: red\\x07")
    assert len(second) == journal.MAX_LINE


# --- judging


@pytest.mark.parametrize(
    ("name", "restarts", "kind", "words"),
    [
        ("running", 0, "up", ""),
        ("remains_exited", 0, "up", ""),
        ("socket", 0, "up", ""),
        ("timer", 0, "up", ""),
        ("job_done", 0, "up", ""),
        ("instance", 0, "up", ""),
        ("loop_between_crashes", 2, "up", ""),
        ("loop_between_crashes", 1, "down", "is in a crash loop: systemd has started it again 2 times"),
        ("loop_auto_restart", 2, "down", "is in a crash loop: its process ended with exit code 3; systemd has started"),
        ("start_limit_after_loop", 5, "down", "failed: its process ended with exit code 3"),
        ("no_program", 0, "down", "exit code 203: its program is missing or cannot be executed"),
        ("job_failed", 0, "down", "failed: its process ended with exit code 1"),
        ("stop_timeout", 0, "down", "failed: it took longer than its unit file allows"),
        ("signal", 0, "down", "failed: its process was killed by signal 6"),
        ("stopped", 0, "down", "ended by itself soon after its start"),
        ("activating_start_pre", 0, "pending", "is still activating (start-pre)"),
        ("deactivating", 0, "pending", "is still deactivating (stop-sigterm)"),
        ("job_under_way", 0, "pending", "is still activating (start)"),
    ],
)
def test_verdicts(name, restarts, kind, words):
    found = unit_faults.verdict(unit(name), restarts)
    assert found.kind == kind
    assert found.words.startswith(words) or words in found.words
    assert bool(found.words) == (kind != "up")


def test_a_first_crash_is_no_loop_yet_and_how_it_ended_is_kept():
    once = unit("loop_auto_restart", restarts=0)
    assert unit_faults.verdict(once, 0).words == (
        "failed (its process ended with exit code 3); systemd is about to start it again"
    )
    words = unit_faults.verdict(unit("loop_between_crashes"), 0, "its process ended with exit code 4").words
    assert "exit code 4; systemd has started it again 2 times" in words


def test_the_start_limit_is_known_from_the_log_or_the_result():
    looped, by_hand = unit("start_limit_after_loop"), unit("start_limit_by_hand")
    assert unit_faults.limited(looped, log("start_limit"))
    assert unit_faults.limited(looped, [])
    assert unit_faults.limited(by_hand, [])
    assert not unit_faults.limited(unit("loop_auto_restart"), log("start_limit"))
    failed = [*log("start_limit"), *log("job_failed")]
    assert not unit_faults.limited(looped, failed)
    assert not unit_faults.limited(unit("job_failed"), log("job_failed"))
    words = unit_faults.limit_words(looped)
    assert "more than 5 starts within 10 s (its process ended with exit code 3)" in words
    assert words.endswith("reset_failed: true")


def test_the_start_limit_bars_a_start_only_for_its_interval():
    looped = unit("start_limit_after_loop")
    assert unit_faults.barred(looped, log("start_limit"), looped.started + 9)
    assert not unit_faults.barred(looped, log("start_limit"), looped.started + 11)


def test_an_unmet_condition_is_known_from_the_log():
    assert unit_faults.unmet(log("condition"))
    assert not unit_faults.unmet(log("dependency"))
    assert not unit_faults.unmet([*log("condition"), *log("start_limit")])


# --- plans


def plan(name, now=1e9, fault="", restarts=None, seen_log=(), listening=None, triggers=(), changed=None, **args):
    found = unit(name, **(changed or {}))
    look = Look(
        unit=found,
        restarts=found.restarts if restarts is None else restarts,
        now=now,
        fault=fault,
        listening=listening,
    )
    task = Service(unit=args.pop("given", found.id), **args)
    return task.plan(Seen(look=look, triggers=triggers, log=seen_log))


def summaries(found):
    return [(change.kind, change.summary) for change in found.changes]


@pytest.mark.parametrize(
    ("name", "args", "changes"),
    [
        ("stopped", {"state": "started"}, [("modify", "start good.service")]),
        ("stopped", {"state": "restarted"}, [("modify", "start good.service")]),
        ("stopped", {"state": "reloaded"}, [("modify", "start good.service")]),
        ("running", {"state": "restarted"}, [("action", "restart good.service")]),
        ("running", {"state": "reloaded"}, [("action", "reload good.service")]),
        ("running", {"state": "stopped"}, [("modify", "stop good.service")]),
        (
            "running",
            {"state": "stopped", "enabled": False},
            [("modify", "stop good.service"), ("modify", "disable good.service")],
        ),
        ("running", {"enabled": False, "masked": True, "state": "stopped"}, None),
        ("remains_exited", {"enabled": True}, [("modify", "enable jobstay.service")]),
        ("job_done", {"state": "started"}, [("action", "start job.service")]),
        ("job_done", {"state": "restarted"}, [("action", "start job.service")]),
        ("job_under_way", {"state": "stopped"}, [("modify", "stop jobslow.service")]),
        ("deactivating", {"state": "started"}, [("modify", "start stubborn.service")]),
        ("deactivating", {"state": "stopped"}, [("modify", "stop stubborn.service")]),
        ("loop_auto_restart", {"state": "stopped"}, [("modify", "stop loop.service")]),
        ("loop_auto_restart", {"state": "restarted"}, [("action", "restart loop.service")]),
        (
            "loop_auto_restart",
            {"state": "restarted", "reset_failed": True},
            [("action", "reset-failed loop.service"), ("action", "restart loop.service")],
        ),
        ("job_failed", {"reset_failed": True}, [("action", "reset-failed jobfail.service")]),
        (
            "start_limit_by_hand",
            {"state": "restarted", "reset_failed": True},
            [("action", "reset-failed jobstay.service"), ("modify", "start jobstay.service")],
        ),
        (
            "masked",
            {"masked": False, "enabled": True, "state": "started"},
            [
                ("modify", "unmask twomask.service"),
                ("modify", "enable twomask.service"),
                ("modify", "start twomask.service"),
            ],
        ),
        ("masked_runtime", {"masked": True}, [("modify", "mask twomask.service")]),
        ("masked_running", {"masked": False}, [("modify", "unmask twomask.service")]),
        ("missing", {"masked": True}, [("modify", "mask missing.service")]),
        ("file_gone", {"state": "stopped"}, [("modify", "stop gone.service")]),
        (
            "file_changed",
            {"state": "restarted"},
            [
                ("action", "make systemd read the changed unit files (daemon-reload)"),
                ("action", "restart good.service"),
            ],
        ),
        ("timer", {"state": "restarted", "enabled": False}, None),
        ("socket", {"state": "stopped"}, [("modify", "stop sock.socket")]),
    ],
)
def test_changes(name, args, changes):
    found = plan(name, **args)
    assert not found.failure
    if changes is not None:
        assert summaries(found) == changes
    assert found.changes
    assert not found.reason


@pytest.mark.parametrize(
    ("name", "args", "reason"),
    [
        ("running", {"state": "started"}, "good.service is already started"),
        ("running", {"state": "started", "enabled": True}, "good.service is already started, is already enabled"),
        ("running", {}, "good.service is active (running)"),
        ("running", {"reset_failed": True}, "good.service has not failed"),
        ("running", {"given": "x", "enabled": True}, "good.service is already enabled"),
        ("stopped", {}, "good.service is inactive (dead)"),
        ("stopped", {"state": "stopped", "masked": False}, "good.service is already stopped, is not masked"),
        ("static", {"enabled": False}, "twomask.service is not enabled (static)"),
        ("masked", {"masked": True, "enabled": False}, "is not enabled (masked), is already masked"),
        ("masked", {"enabled": False, "state": "stopped"}, "is already stopped, is not enabled (masked)"),
        ("missing", {"masked": False}, "missing.service is not masked"),
        ("remains_exited", {"state": "started"}, "jobstay.service is already started"),
        ("job_under_way", {"state": "started"}, "jobslow.service is already under way (activating (start))"),
        ("timer", {"state": "started"}, "tick.timer is already started"),
        ("job_failed", {"state": "stopped"}, "jobfail.service is already stopped"),
        ("job_failed", {"enabled": False}, "jobfail.service is not enabled (static)"),
    ],
)
def test_reasons(name, args, reason):
    found = plan(name, **args)
    assert not found.failure
    assert not found.changes
    assert reason in found.reason


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("missing", {"state": "started"}, "missing.service does not exist on this host; check the name"),
        ("missing", {"state": "stopped"}, "missing.service does not exist on this host"),
        ("missing", {"enabled": False}, "missing.service does not exist on this host"),
        ("missing", {"masked": True, "enabled": False, "state": "stopped"}, ""),
        ("missing", {}, "missing.service does not exist on this host"),
        ("file_gone", {"state": "restarted"}, "gone.service has lost its unit file but still runs"),
        ("bad_setting", {"state": "started"}, "has a broken unit file /etc/systemd/system/bad3.service: Unit bad3"),
        ("bad_setting", {"seen_log": log("bad_setting")}, "no D-Bus service name has been specified"),
        ("load_error", {"enabled": True}, "has a broken unit file"),
        ("masked", {"state": "started"}, "is masked, so it cannot be started; give masked: false to unmask it"),
        ("masked", {"enabled": True}, "is masked, so it cannot be enabled; give masked: false too"),
        ("masked_running", {"state": "restarted"}, "is masked, so it would not start again; give masked: false"),
        ("static", {"enabled": True}, "cannot be enabled: its unit file has no [Install] section"),
        ("loop_auto_restart", {"masked": True}, "cannot be masked: its unit file is /etc/systemd/system/loop.service"),
        ("refuses_start", {"state": "started"}, "cannot be started by hand (RefuseManualStart=)"),
        ("timer", {"state": "reloaded"}, "cannot reload: its unit file has no ExecReload=; give state: restarted"),
        ("loop_auto_restart", {"state": "reloaded"}, "there is nothing to reload: mend the cause"),
        ("loop_auto_restart", {"fault": "loops", "state": "started"}, "loops; mend the cause (see its log), then give"),
        ("loop_between_crashes", {"fault": "loops", "restarts": 1}, "slowloop.service loops; mend the cause"),
        ("running", {"fault": "runs, but not well", "state": "started", "port": 1}, "good.service runs, but not well"),
        ("stopped", {"port": 80}, "is stopped, so it has no port and no answer; give state: started"),
        ("job_failed", {}, "jobfail.service failed: its process ended with exit code 1"),
        ("start_limit_by_hand", {}, "hit its start limit, more than 5 starts within 10 s, so systemd gave it up"),
        ("start_limit_by_hand", {"now": 0, "state": "restarted"}, "then start it with reset_failed: true"),
    ],
)
def test_failures(name, args, words):
    found = plan(name, **args)
    if not words:
        assert not found.failure
        return
    assert words in found.failure
    assert not found.changes
    assert found.data["log"] == list(args.get("seen_log", []))


@pytest.mark.parametrize("args", [{"enabled": False}, {"masked": True}])
def test_an_alias_is_not_enabled_or_masked(args):
    found = systemd.parse_show("alias.service", captured("alias"))
    look = Look(unit=found, restarts=0, now=0.0)
    failure = Service(unit="alias", **args).plan(Seen(look=look)).failure
    assert failure == (
        "alias.service (good.service) is only another name of good.service; enable, disable and mask that one"
    )
    assert not Service(unit="alias", enabled=True).plan(Seen(look=look)).failure


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("file_changed", {"state": "started"}, "changed on disk and systemd has not read it yet"),
        ("masked_running", {"state": "started"}, "runs although it is masked"),
        ("socket_service", {"state": "stopped", "triggers": ["a.socket"]}, "may be started again by a.socket"),
        ("job_failed", {"state": "stopped"}, "is stopped, but it failed: its process ended with exit code 1"),
        (
            "stopped",
            {"state": "started", "port": 80, "listening": Listening(port=80, found=True, holders=(Holder(pid=7),))},
            "port 80 is taken already: by  (pid 7)",
        ),
    ],
)
def test_warnings(name, args, words):
    assert words in plan(name, **args).warnings[0]


def test_a_recent_restart_is_a_remark_and_an_old_one_is_not():
    found = unit("loop_between_crashes")
    recent = plan("loop_between_crashes", now=found.active_since + 5, state="started")
    assert "systemd restarted it by itself (2 so far), last 5 s ago" in recent.warnings[0]
    assert not plan("loop_between_crashes", now=found.active_since + 500, state="started").warnings


WANTED = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["started", "stopped", "restarted", "reloaded"]),
        "enabled": st.booleans(),
        "masked": st.booleans(),
        "reset_failed": st.booleans(),
    },
)


def after(found, change):
    """Return the unit as systemd leaves it after a change."""
    values = found._values()
    verb = change.detail
    if verb in ("start", "restart") and not found.is_job:
        values.update(active="active", sub="running", restarts=0, result="success")
    elif verb in ("stop", "reset-failed"):
        values.update(active="inactive", sub="dead", result="success")
    elif verb in ("enable", "disable"):
        values.update(file_state=verb + "d")
    elif verb == "mask":
        values.update(load="masked", file_state="masked")
    elif verb == "unmask":
        values.update(load="loaded", file_state="disabled")
    elif verb == "daemon-reload":
        values.update(reload_needed=False)
    return Unit(**values)


@given(st.sampled_from(CAPTURES), WANTED)
def test_after_the_changes_a_plan_has_nothing_but_actions(name, args):
    try:
        task = Service(unit="x", **args)
    except ParamError:
        return
    found = unit(name)
    state = Seen(look=Look(unit=found, restarts=found.restarts, now=1e9))
    first = task.plan(state)
    assert first == task.plan(state)
    json.dumps(first.data)
    assert first.failure or first.changes or first.reason
    assert not (first.failure and (first.changes or first.reason))
    if first.failure:
        return
    for change in first.changes:
        found = after(found, change)
    second = task.plan(Seen(look=Look(unit=found, restarts=found.restarts, now=1e9)))
    assert not [change for change in second.changes if change.kind != ACTION]


@given(st.sampled_from(CAPTURES), WANTED)
def test_nothing_is_started_or_enabled_that_was_not_asked_for(name, args):
    verbs = {change.detail for change in unit_plan.changes(unit(name), Wanted(**args))}
    assert "start" not in verbs or args.get("state") in ("started", "restarted", "reloaded")
    assert "stop" not in verbs or args.get("state") == "stopped"
    assert not verbs & {"enable", "disable"} or "enabled" in args
    assert not verbs & {"mask", "unmask"} or "masked" in args
    assert "reset-failed" not in verbs or args.get("reset_failed")


# --- the whole, against a systemctl that plays captured output


class Host:
    """A host whose systemctl and journalctl are scripts: what they show is set here, what they are told is kept."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "show", "on", "say"):
            (folder / name).mkdir()
        self.script(
            "systemctl",
            'echo "$*" >> calls\nfor verb do case $verb in --*) ;; *) break ;; esac; done\n'
            'if [ "$verb" = show ]; then\n'
            "  for unit do :; done\n"
            "  next=$(ls queue.* 2>/dev/null | head -n 1)\n"
            '  if [ -n "$next" ]; then mv "$next" "show/$unit"; fi\n'
            '  exec cat "show/$unit"\n'
            "fi\n"
            'if [ -d "on/$verb" ]; then mv "on/$verb"/queue.* . 2>/dev/null; fi\n'
            'if [ -e "say/$verb" ]; then cat "say/$verb" >&2; exit 1; fi\n'
            'if [ -e "hang/$verb" ]; then exec sleep 60; fi\n',
        )
        self.script("journalctl", 'echo "journalctl $*" >> calls\ncat journal\n')
        (folder / "journal").write_text("")

    def script(self, name, text):
        path = self.folder / "bin" / name
        path.write_text("#!/bin/sh\ncd '%s' || exit 9\n%s" % (self.folder, text))
        path.chmod(0o755)

    def show(self, name, given="good.service"):
        """Let `systemctl show` say this from now on."""
        (self.folder / "show" / given).write_text(self.read(name))

    def read(self, name):
        """Return a capture as of good.service, started just now; "name:3" with three automatic restarts."""
        name, _, restarts = name.partition(":")
        text = re.sub("(?m)^Id=.*", "Id=good.service", captured(name))
        text = re.sub("(TimestampMonotonic)=[1-9][0-9]*", r"\1=%d" % (time.monotonic() * 1e6), text)
        return re.sub("NRestarts=.*", "NRestarts=" + restarts, text) if restarts else text

    def on(self, verb, *names):
        """Let `systemctl show` say these, one after the other, after a verb; the last one stays."""
        folder = self.folder / "on" / verb
        folder.mkdir()
        for number, name in enumerate(names):
            (folder / ("queue.%d" % number)).write_text(self.read(name))

    def refuse(self, verb, words):
        (self.folder / "say" / verb).write_text(words)

    def told(self):
        """Return the commands that change something."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if " show " not in " %s " % line and not line.startswith("journalctl")]


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "PATH", "%s:%s" % (tmp_path / "bin", command.PATH))
    monkeypatch.setattr(unit_watch, "PAUSE", 0.001)
    return Host(tmp_path)


def step(check=False, **args):
    return run_step(Service, {"unit": "good", "settle": 0.01, "start_timeout": 5, **args}, check)


def test_check_then_start_then_nothing_to_do(host):
    host.show("stopped")
    host.on("start", "running")
    checked = step(check=True, state="started")
    assert (checked["status"], host.told()) == ("changed", [])
    assert checked["changes"][0]["before"] == "inactive (dead)"
    done = step(state="started")
    assert (done["status"], done["error"]) == ("changed", None)
    assert host.told() == ["--no-ask-password start -- good.service"]
    again = step(state="started")
    assert (again["status"], again["reason"]) == ("ok", "good.service is already started")
    assert len(host.told()) == 1


def test_everything_at_once_in_order(host):
    host.show("masked")
    host.on("unmask", "stopped")
    host.on("start", "running")
    assert step(masked=False, enabled=True, state="started")["status"] == "changed"
    assert [line.split()[1] for line in host.told()] == ["unmask", "enable", "start"]


def test_a_mask_of_this_boot_is_taken_away_too(host):
    host.show("masked_runtime")
    host.on("unmask", "masked_runtime", "static")  # the first look is before `unmask --runtime`
    assert step(masked=False)["status"] == "changed"
    assert host.told() == [
        "--no-ask-password unmask -- good.service",
        "--no-ask-password unmask --runtime -- good.service",
    ]


def test_a_restart_is_done_each_time_and_watched(host):
    host.show("running")
    for _ in range(2):
        assert step(state="restarted")["status"] == "changed"
    assert [line.split()[1] for line in host.told()] == ["restart", "restart"]


def test_a_changed_unit_file_is_read_before_a_restart(host):
    host.show("file_changed")
    host.on("daemon-reload", "running")
    assert [change["summary"] for change in step(state="restarted")["changes"]] == [
        "make systemd read the changed unit files (daemon-reload)",
        "restart good.service",
    ]
    assert host.told() == ["--no-ask-password daemon-reload", "--no-ask-password restart -- good.service"]


def test_a_crash_loop_after_a_restart_is_seen_between_crashes(host):
    host.show("running")
    host.on("restart", "running", "running", "loop_between_crashes:1")
    (host.folder / "journal").write_text((DATA / "journal" / "loop.txt").read_text())
    result = step(state="restarted", settle=0.2, log_lines=3)
    assert result["status"] == "failed"
    assert "is in a crash loop: systemd has started it again 1 time" in result["error"]
    assert len(result["data"]["log"]) == 3
    assert result["changed"]


def test_a_crash_before_the_first_look_is_not_overlooked(host):
    host.show("running")
    host.on("restart", "running:1")
    assert "crash loop" in step(state="restarted", settle=0.05)["error"]


def test_how_it_crashed_is_said_even_when_it_runs_again(host):
    host.show("running")
    host.on("restart", "running", "loop_auto_restart:0", "loop_between_crashes:1")
    result = step(state="restarted", settle=2)
    assert "its process ended with exit code 3; systemd has started it again 1 time" in result["error"]


def test_the_restarts_of_an_earlier_loop_do_not_count(host):
    host.show("loop_auto_restart")
    host.on("restart", "running:3")
    assert step(state="restarted", settle=0.05)["error"] is None


def test_a_loop_that_goes_round_once_more_before_the_restart_does_not_count(host):
    host.show("loop_auto_restart:0")
    host.on("restart", "running:1")
    assert step(state="restarted", settle=0.05)["error"] is None


def test_the_restarts_of_an_earlier_loop_do_not_hide_new_ones(host):
    host.show("loop_auto_restart")
    host.on("restart", "running:3", "running:3", "running:4")
    assert "crash loop" in step(state="restarted", settle=0.2)["error"]


def test_a_reload_that_kills_the_unit_is_a_failure(host):
    host.show("running")
    host.on("reload", "running", "no_program")
    result = step(state="reloaded", settle=0.2)
    assert result["error"].startswith("good.service failed: its process ended with exit code 203")


def test_a_start_that_ends_at_the_start_limit_says_so(host):
    host.show("stopped")
    host.on("start", "loop_auto_restart:0", "loop_auto_restart:3", "start_limit_after_loop")
    (host.folder / "journal").write_text((DATA / "journal" / "start_limit.txt").read_text())
    result = step(state="started", settle=5)
    assert "hit its start limit" in result["error"]
    assert result["data"]["log"]


@pytest.mark.parametrize(
    ("verb", "words", "after", "error"),
    [
        (
            "start",
            "Failed to start good.service: Access denied\nSee system logs",
            "stopped",
            "run this as root (become)",
        ),
        (
            "start",
            "A dependency job for good.service failed. See 'x'",
            "stopped",
            "A dependency job for good.service f",
        ),
        ("start", "Job for good.service failed because", "no_program", "failed: its process ended with exit code 203"),
        ("enable", "Failed to enable unit: Access denied", "stopped", "run this as root (become)"),
        ("start", "odd\x1b[31m\nodder", "stopped", "said: odd\\x1b[31m; odder"),
    ],
)
def test_what_systemctl_refuses(host, verb, words, after, error):
    host.show("stopped" if verb == "start" else "remains_exited")
    host.on(verb, after)
    host.refuse(verb, words)
    result = step(**({"state": "started"} if verb == "start" else {"enabled": True}))
    assert result["status"] == "failed"
    assert error in result["error"]
    assert "log" in result["data"]


def test_an_unmet_condition_is_a_failure_for_services_and_jobs(host):
    (host.folder / "journal").write_text((DATA / "journal" / "condition.txt").read_text())
    for name in ("stopped", "job_done"):
        host.show(name)
        result = step(state="started")
        assert "was not started: a condition in its unit file is not met" in result["error"], name


def test_a_job_is_run_each_time_and_a_failing_one_fails(host):
    host.show("job_done")
    for _ in range(2):
        assert step(state="started")["status"] == "changed"
    assert len(host.told()) == 2
    host.on("start", "job_failed")
    host.refuse("start", "Job for job.service failed because the control process exited with error code.")
    assert "failed: its process ended with exit code 1" in step(state="started")["error"]


def test_a_start_that_hangs_is_given_up(host):
    host.show("stopped")
    host.on("start", "activating_start_pre")
    (host.folder / "hang").mkdir()
    (host.folder / "hang" / "start").write_text("")
    result = step(state="started", start_timeout=0.3)
    assert "is still activating (start-pre) 0.3 s after systemctl start" in result["error"]


def test_a_unit_that_is_starting_when_found_is_waited_for(host):
    for number, name in enumerate(("activating_start_pre", "activating_start_pre", "running")):
        (host.folder / ("queue.%d" % number)).write_text(host.read(name))
    assert step(state="started")["reason"] == "good.service is already started"
    host.show("activating_start_pre")
    assert "is still activating (start-pre)" in step(state="started", start_timeout=0.1)["error"]


def test_a_unit_that_was_restarted_just_now_is_watched(host):
    for number, restarts in enumerate((2, 2, 3)):
        (host.folder / ("queue.%d" % number)).write_text(host.read("loop_between_crashes:%d" % restarts))
    result = step(state="started", settle=0.2)
    assert "is in a crash loop: systemd has started it again 3 times" in result["error"]
    host.show("loop_between_crashes:2")
    result = step(state="started", settle=0.01)
    assert result["status"] == "ok"
    assert "systemd restarted it by itself (2 so far)" in result["warnings"][0]


def test_no_systemd_at_all(host):
    words = "System has not been booted with systemd as init system (PID 1). Can't operate."
    host.script("systemctl", 'echo "%s" >&2; exit 1\n' % words)
    assert step()["error"] == "this host does not run systemd, so it has no good.service"
    os.unlink(str(host.folder / "bin" / "systemctl"))


def test_the_log_is_that_of_the_last_run_or_else_of_the_unit(host):
    host.show("job_failed")
    (host.folder / "journal").write_text("")
    assert step()["data"]["log"] == []
    calls = [line for line in (host.folder / "calls").read_text().splitlines() if line.startswith("journalctl")]
    began = float(calls[0].rpartition(" --unit=good.service --since=@")[2])
    assert abs(began - time.time()) < 5  # these units start when they are looked at
    assert calls[1].endswith("--unit=good.service")
    host.script("journalctl", "echo no >&2; exit 1\n")
    assert step()["data"]["log"][0].startswith("the journal cannot be read: journalctl")
    assert step(log_lines=0)["data"]["log"] == []


# --- port and HTTP


def listens(monkeypatch, *answers):
    """Let the port be as told, one after the other; the last one stays."""
    left = list(answers)
    monkeypatch.setattr(listeners, "listening", lambda _port, _pids: left.pop(0) if len(left) > 1 else left[0])


NOBODY = Listening(port=8001)
OWN = Listening(port=8001, found=True, own=True, holders=(Holder(pid=5, program="app", unit="good.service"),))
OTHER = Listening(port=8001, found=True, holders=(Holder(pid=6, program="thief", unit="thief.service"),))
HIDDEN = Listening(port=8001, found=True, hidden=True)


def test_a_restart_waits_for_the_port(host, monkeypatch):
    host.show("running")
    listens(monkeypatch, NOBODY, NOBODY, NOBODY, OWN)
    result = step(state="restarted", port=8001, settle=0)
    assert result["error"] is None
    assert result["data"]["port"] == {
        "number": 8001,
        "own": True,
        "holders": [{"pid": 5, "program": "app", "unit": "good.service"}],
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (NOBODY, "runs, but nothing listens on port 8001"),
        (OTHER, "runs, but port 8001 is held by thief (pid 6, thief.service)"),
        (HIDDEN, "runs, but whose port 8001 is cannot be seen; run this as root (become)"),
    ],
)
@pytest.mark.parametrize("state", ["restarted", "started", None])
def test_a_port_that_is_not_its_own(host, monkeypatch, found, words, state):
    host.show("running")
    listens(monkeypatch, found)
    result = step(port=8001, start_timeout=0.2, settle=0, **({"state": state} if state else {}))
    assert result["error"].startswith("good.service " + words)
    assert result["status"] == "failed"


def answers(monkeypatch, *found):
    left = list(found)
    monkeypatch.setattr(HttpCheck, "attempt", lambda *_: left.pop(0) if len(left) > 1 else left[0])


GOOD = Answer(url=URL, status=200, body=b'{"status": "healthy"}')
BAD = Answer(url=URL, status=503, phrase="Service Unavailable", body=b"token-0123456789")
REFUSED = Answer(url=URL, problem="refused", words="connection refused: nothing listens on 127.0.0.1 port 8001")


def test_a_restart_waits_for_the_answer(host, monkeypatch):
    host.show("running")
    answers(monkeypatch, BAD, REFUSED, BAD, GOOD)
    result = step(state="restarted", http={"url": URL, "json": {"status": "healthy"}})
    assert result["error"] is None
    assert result["data"]["http"]["status"] == 200


def test_an_answer_that_never_comes_right_is_a_failure_without_secrets(host, monkeypatch):
    host.show("running")
    answers(monkeypatch, BAD)
    http = {"url": URL, "request_headers": {"Authorization": "Bearer token-0123456789"}}
    result = step(state="restarted", http=http, start_timeout=0.2)
    assert "runs, but %s: it answered 503 Service Unavailable, expected 200" % URL in result["error"]
    assert result["data"]["http"]["problem"] == "status"
    assert "token-" not in repr(result)


@pytest.mark.parametrize("name", [name for name in tasks.names() if issubclass(tasks.get(name), Asking)])
def test_no_task_shows_the_secrets_of_an_http_check(name):
    needed = {key: spec.example for key, spec in tasks.get(name).parameters().items() if spec.required}
    check = {"url": URL, "request_headers": {"Authorization": "Bearer token-0123456789"}}
    task = tasks.get(name)(**needed, **({"endpoints": [check]} if name == "diagnose" else {"http": check}))
    assert "token-0123456789" in set(task.secrets())
    assert "token-" not in repr(task)


def test_a_crash_while_the_answer_is_awaited_is_told(host, monkeypatch):
    host.show("running")
    host.on("restart", "running", "running", "running", "loop_auto_restart:1")
    answers(monkeypatch, REFUSED)
    result = step(state="restarted", http=URL, settle=0)
    assert "is in a crash loop: its process ended with exit code 3" in result["error"]


# --- who listens

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22144 1 0000000055cc4728 100
   1: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22796 1 000000006131bcc6 100
   2: 0100007F:1F41 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22797 1 000000006131bcc7 100
   3: 0100007F:9C40 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 22798 1 000000006131bcc8 100
"""
TCP6 = "   0: %s:0016 %s:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22155 1 0 100 0 0 10 0" % (
    "0" * 32,
    "0" * 32,
)


@pytest.mark.parametrize(
    ("text", "port", "inodes"),
    [
        (TCP, 22, {"22144"}),
        (TCP, 8001, {"22796"}),
        (TCP, 40000, set()),
        (TCP6, 22, {"22155"}),
        (TCP6, 0x1600, set()),
        ("", 22, set()),
        ("garbage\n\n0A 0A", 22, set()),
    ],
)
def test_listening_sockets(text, port, inodes):
    assert listeners.parse_tcp(text.splitlines(), port) == inodes


@pytest.mark.parametrize(
    ("text", "inside", "unit_name"),
    [
        ("12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/other\n", True, "a.service"),
        ("0::/system.slice/a.service/worker\n", True, "a.service"),
        ("0::/system.slice/a.service2\n", False, ""),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/b.service\n", False, "b.service"),
        ("0::/user.slice/user-0.slice/session-2.scope\n", False, "session-2.scope"),
        ("0::/\n", False, ""),
        ("", False, ""),
    ],
)
def test_control_groups(text, inside, unit_name):
    assert listeners.in_group(text, "/system.slice/a.service") == inside
    assert listeners.unit_of(text) == unit_name


def test_a_socket_of_our_own_is_found_and_that_of_others_is_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        own = listeners.listening(port, [os.getpid()])
        other = listeners.listening(port, [])
        parent = listeners.listening(port, [os.getppid()])
    assert (own.own, own.taken, own.holders[0].pid) == (True, False, os.getpid())
    assert (other.own, other.taken) == (False, True)
    assert os.getpid() in [one.pid for one in other.holders]
    assert "(pid %d" % os.getpid() in other.by
    assert not parent.own
    gone = listeners.listening(port, [os.getpid()])
    assert (gone.found, gone.taken) == (False, False)


def test_no_group_has_no_members():
    assert listeners.group_members("") == listeners.group_members("/") == []


def test_a_socket_unit_owns_what_systemd_listens_on_for_it():
    found = unit("socket")
    assert found.listens_on(8005)
    assert not found.listens_on(800)
    assert not unit("running").listens_on(8005)


# --- parameters

WRONG = {
    "unit": [
        "", "-oProxyCommand=x", "$(id)", "../x", "a b", "a/b", "a\nb", "a\0b", "\x1b[31m", "\udcff", "ä", "*", "a*",
        "x" * 256, "x" * 250, "app@", "app@.service", "@x", ".service", [], {}, True, "a;b", "a,b", "--user",
    ],
    "state": ["running", "Started", "", 1, [], "-x", "started\n", True],
    "enabled": ["maybe", "", 2, [], {}, "-x", "\0"],
    "masked": ["maybe", "", 2, [], {}, "-x"],
    "reset_failed": ["maybe", "", 2, []],
    "settle": [-1, "soon", "", [], float("nan"), True, "3 parsecs", "-1s"],
    "start_timeout": [0, -1, "soon", "", [], float("inf"), "0.01"],
    "port": [0, 65536, "http", "", -1, 80.5, [], True, "80\n80", "$(id)"],
    "http": [
        "", "/health", 8000, [], ["http://x"], True, {}, {"url": "ftp://x"}, {"url": URL, "nonsense": 1}, {1: 2},
        {"url": URL, "wait": 5}, "http://u:p@x/", "http://x\n/", {"url": URL, "status": 99},
    ],
    "log_lines": [-1, 501, "many", 1.5, [], True],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_bad_values_are_refused_by_name(name, value):
    with pytest.raises(ParamError, match="service: %s: " % name):
        Service(**{"unit": "good", name: value})


def test_every_parameter_has_bad_values_above():
    assert set(WRONG) == set(Service.parameters())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"masked": True, "state": "started"}, "contradict each other: a masked unit cannot start"),
        ({"masked": True, "enabled": True}, "contradict each other: a masked unit cannot be enabled"),
        ({"state": "stopped", "port": 80}, "port and http are for a unit that runs"),
        ({"masked": True, "http": URL}, "port and http are for a unit that runs"),
        ({"unit": "x.timer", "port": 80}, "port is for services and sockets"),
    ],
)
def test_contradictions(args, words):
    with pytest.raises(ParamError, match=words):
        Service(**{"unit": "good", **args})


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("nginx", "nginx.service"),
        ("nginx.service", "nginx.service"),
        ("ssh.socket", "ssh.socket"),
        ("backup.timer", "backup.timer"),
        ("app@one", "app@one.service"),
        ("foo.conf", "foo.conf.service"),
        ("dev-disk-by\\x2duuid.device", "dev-disk-by\\x2duuid.device"),
    ],
)
def test_unit_names(given_name, name):
    assert UnitName()(given_name) == name
    assert UnitName()(name) == name


def test_arguments_are_canonical():
    task = Service(unit="nginx", http=URL, settle="500ms", port="80", state="started")
    assert task.args()["http"]["url"] == URL
    assert Service(**json.loads(json.dumps(task.args()))) == task
