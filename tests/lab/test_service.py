"""The task `service` on a real host: what it does, and every way in which a unit can disappoint."""

from __future__ import annotations

import pytest

from opslib import Status, StepResult, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.hosts import eventually
from support.two_ways import TwoWays
from support.units import Units, website
from support.witness import Witnesses

SLEEPER = "ExecStart=/bin/sleep infinity"
CRASHES = "ExecStart=/bin/sh -c 'echo I cannot find my settings; exit 3'"


def only(result) -> StepResult:
    """Return the one step of a host's result."""
    assert result.error is None, result.error
    (step,) = result.steps
    return step


def failure(result) -> str:
    """Return why the one step failed."""
    step = only(result)
    assert step.status is Status.FAILED, step
    assert step.error
    return step.error


def log(result) -> str:
    return "\n".join(only(result).data["log"])


# --- what it does ---


def test_started(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER)
    task = tasks.service(unit="good", state="started", settle=0.5)
    assert rehearse(server, task).status is Status.CHANGED
    assert not witness(server).service(unit).is_running
    assert apply(server, task).status is Status.CHANGED
    assert witness(server).service(unit).is_running
    pid = units.show(unit, "MainPID")
    again = only(apply(server, task))
    assert (again.status, again.reason) == (Status.OK, "good.service is already started")
    assert units.show(unit, "MainPID") == pid


def test_stopped(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER)
    units.control("start", unit)
    task = tasks.service(unit="good", state="stopped")
    assert rehearse(server, task).status is Status.CHANGED
    assert witness(server).service(unit).is_running
    assert apply(server, task).status is Status.CHANGED
    assert not witness(server).service(unit).is_running
    assert apply(server, task).status is Status.OK


def test_restarted_is_done_each_time(server: LabHost, units: Units, rehearse: Apply, apply: Apply) -> None:
    unit = units.add("good", SLEEPER)
    units.control("start", unit)
    task = tasks.service(unit="good", state="restarted", settle=0.5)
    pids = [units.show(unit, "MainPID")]
    assert only(rehearse(server, task)).changes[0].kind == "action"
    for _ in range(2):
        assert apply(server, task).status is Status.CHANGED
        pids.append(units.show(unit, "MainPID"))
    assert len(set(pids)) == 3


def test_restarted_starts_what_is_stopped(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER)
    assert apply(server, tasks.service(unit="good", state="restarted", settle=0.5)).status is Status.CHANGED
    assert witness(server).service(unit).is_running


def test_reloaded(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER, "ExecReload=/usr/bin/touch /run/reloaded")
    units.control("start", unit)
    pid = units.show(unit, "MainPID")
    task = tasks.service(unit="good", state="reloaded", settle=0.5)
    assert rehearse(server, task).status is Status.CHANGED
    assert not witness(server).file("/run/reloaded").exists
    assert apply(server, task).status is Status.CHANGED
    assert witness(server).file("/run/reloaded").exists
    assert units.show(unit, "MainPID") == pid


def test_enabled(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER, install=True)
    on, off = (tasks.service(unit="good", enabled=enabled) for enabled in (True, False))
    assert rehearse(server, on).status is Status.CHANGED
    assert apply(server, on).status is Status.CHANGED
    assert witness(server).service(unit).is_enabled
    assert not witness(server).service(unit).is_running
    assert apply(server, on).status is Status.OK
    assert rehearse(server, off).status is Status.CHANGED
    assert apply(server, off).status is Status.CHANGED
    assert not witness(server).service(unit).is_enabled
    assert apply(server, off).status is Status.OK


def test_masked(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER, folder="/usr/local/lib/systemd/system")
    units.control("start", unit)
    mask = tasks.service(unit="good", masked=True, state="stopped")
    assert rehearse(server, mask).status is Status.CHANGED
    assert apply(server, mask).status is Status.CHANGED
    assert witness(server).service(unit).is_masked
    assert not witness(server).service(unit).is_running
    assert apply(server, mask).status is Status.OK
    unmask = tasks.service(unit="good", masked=False, state="started", settle=0.5)
    assert rehearse(server, unmask).status is Status.CHANGED
    assert apply(server, unmask).status is Status.CHANGED
    assert not witness(server).service(unit).is_masked
    assert witness(server).service(unit).is_running
    assert apply(server, unmask).status is Status.OK


def test_changed_unit_file_is_read_anew(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("good", SLEEPER)
    units.control("start", unit)
    text = server.read(f"/etc/systemd/system/{unit}").replace("infinity", "1234567")
    server.write(f"/etc/systemd/system/{unit}", text)
    step = only(apply(server, tasks.service(unit="good", state="restarted", settle=0.5)))
    assert [change.kind for change in step.changes] == ["action", "action"]
    pid = witness(server).check_output("systemctl show --value -p MainPID %s", unit)
    assert witness(server).process.get(pid=pid).args == "/bin/sleep 1234567"


def test_job_runs_each_time(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    units.add("job", "Type=oneshot", "ExecStart=/bin/sh -c 'sleep 1; echo done >> /run/jobs'")
    task = tasks.service(unit="job", state="started")
    assert rehearse(server, task).status is Status.CHANGED
    for runs in (1, 2):
        assert apply(server, task).status is Status.CHANGED
        assert witness(server).file("/run/jobs").content_string == "done\n" * runs


def test_job_that_remains_runs_once(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("remains", "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true")
    task = tasks.service(unit="remains", state="started", settle=0.2)
    assert [apply(server, task).status for _ in range(2)] == [Status.CHANGED, Status.OK]


def test_slow_start_in_time(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    site = website(server)
    units.add("slow", f"ExecStart=/bin/sh -c 'sleep 2; exec {site} 8001'")
    task = tasks.service(
        unit="slow", state="started", port=8001, http="http://127.0.0.1:8001/health", settle=0.1, start_timeout=60
    )
    step = only(apply(server, task))
    assert step.status is Status.CHANGED, step.error
    assert step.data["port"]["own"] is True
    assert step.data["http"]["status"] == 200
    assert witness(server).socket("tcp://0.0.0.0:8001").is_listening
    assert "port 8001" in only(apply(server, task)).reason


def test_look_at_a_healthy_unit(server: LabHost, units: Units, rehearse: Apply, witness: Witnesses) -> None:
    step = only(rehearse(server, tasks.service(unit="ssh", port=22)))
    assert step.status is Status.OK, step.error
    pid = int(witness(server).check_output("systemctl show --value -p MainPID ssh"))
    assert (step.data["main_pid"], step.data["active_state"], step.data["restarts"]) == (pid, "active", 0)


# --- what can be wrong ---


def test_crash_at_start(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("bad", CRASHES)
    result = apply(server, tasks.service(unit="bad", state="started"))
    assert "failed: its process ended with exit code 3" in failure(result)
    assert "I cannot find my settings" in log(result)


def test_secrets_of_a_unit_in_its_last_words(server: LabHost, units: Units, apply: Apply) -> None:
    """Those that its environment file gives, and those that look like one, are masked before lines are cut."""
    server.write("/etc/talker.env", "BROKER=amqp://u:kaninchen@mq/\nAPI_KEY=canary-of-the-key\n")
    cries = "echo cannot reach $BROKER, not even with pass kaninchen; printf %%0470d 0; echo $API_KEY; exit 3"
    units.add("talker", "EnvironmentFile=/etc/talker.env", f"ExecStart=/bin/sh -c '{cries}'")
    said = log(apply(server, tasks.service(unit="talker", state="started")))
    assert "cannot reach ***, not even with pass ***\n" in said
    assert "canary" not in said
    assert "kanin" not in said


def test_crash_loop_at_start(server: LabHost, units: Units, apply: Apply) -> None:
    unit = units.add("loop", CRASHES, "Restart=always", "RestartSec=500ms", unit="StartLimitIntervalSec=0")
    result = apply(server, tasks.service(unit="loop", state="started", settle=2))
    assert "loop.service is in a crash loop: its process ended with exit code 3" in failure(result)
    assert "I cannot find my settings" in log(result)
    assert only(result).data["restarts"] >= 1
    # It goes on, and whoever only looks, or asks for what seems to be so already, is told the same.
    for task in (tasks.service(unit=unit), tasks.service(unit=unit, state="started")):
        assert "crash loop" in failure(apply(server, task))


def test_crash_after_two_seconds_is_caught(server: LabHost, units: Units, apply: Apply) -> None:
    program = "ExecStart=/bin/sh -c 'sleep 2; echo out of luck; kill -SEGV $$$$'"
    units.add("late", program, "Restart=on-failure", "RestartSec=2s")
    result = apply(server, tasks.service(unit="late", state="restarted", settle=5))
    assert "killed by signal 11" in failure(result)
    assert "out of luck" in log(result)


def test_words_of_a_unit_that_waits_for_its_next_start(server: LabHost, units: Units, apply: Apply) -> None:
    """While a unit waits systemd tells the time of its failure as its begin, which is after its words."""
    units.add("waits", "ExecStart=/bin/sh -c 'echo out of luck; sleep 2; exit 5'", "Restart=always", "RestartSec=1min")
    result = apply(server, tasks.service(unit="waits", state="restarted", settle=4))
    assert "exit code 5" in failure(result)
    assert "out of luck" in log(result)


def test_start_limit(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    unit = units.add(
        "limited",
        "ExecStart=/usr/local/bin/limited",
        "Restart=always",
        "RestartSec=50ms",
        unit="StartLimitIntervalSec=1h\nStartLimitBurst=3",
    )
    server.write("/usr/local/bin/limited", "#!/bin/sh\necho no settings\nexit 4\n", 0o755)
    result = apply(server, tasks.service(unit="limited", state="started", settle=5))
    assert "hit its start limit, more than 3 starts within 3600 s" in failure(result)
    assert "no settings" in log(result)
    server.write("/usr/local/bin/limited", "#!/bin/sh\nexec sleep infinity\n", 0o755)
    for task in (tasks.service(unit="limited"), tasks.service(unit="limited", state="started")):
        words = failure(apply(server, task))
        assert "hit its start limit" in words
        assert "reset_failed: true" in words
    cleared = apply(server, tasks.service(unit="limited", state="started", reset_failed=True, settle=0.5))
    assert cleared.status is Status.CHANGED, cleared
    assert witness(server).service(unit).is_running


def test_starts_of_a_crash_loop_do_not_count_against_a_restart(server: LabHost, units: Units, apply: Apply) -> None:
    """The unit has had all the starts that systemd allows, but waits for the next and has not failed yet."""
    limit = "StartLimitIntervalSec=1h\nStartLimitBurst=2"
    unit = units.add("often", "ExecStart=/usr/local/bin/often", "Restart=always", "RestartSec=8s", unit=limit)
    server.write("/usr/local/bin/often", "#!/bin/sh\nexit 4\n", 0o755)
    units.control("start", unit)
    assert eventually(
        lambda: (units.show(unit, "NRestarts"), units.show(unit, "SubState")) == ("1", "auto-restart"), 30
    )
    server.write("/usr/local/bin/often", "#!/bin/sh\nexec sleep infinity\n", 0o755)
    result = apply(server, tasks.service(unit="often", state="restarted", reset_failed=True, settle=0.5))
    assert result.status is Status.CHANGED, result
    assert [change.summary for change in only(result).changes] == [
        "reset-failed often.service",
        "restart often.service",
    ]


def test_reset_failed_alone(server: LabHost, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("bad", CRASHES)
    units.control("start", unit, check=False)
    assert witness(server).run("systemctl is-failed %s", unit).stdout == "failed\n"
    task = tasks.service(unit="bad", reset_failed=True)
    assert rehearse(server, task).status is Status.CHANGED
    assert apply(server, task).status is Status.CHANGED
    assert witness(server).run("systemctl is-failed %s", unit).stdout == "inactive\n"
    assert apply(server, task).status is Status.OK


def test_masked_unit_cannot_start(server: LabHost, units: Units, rehearse: Apply, apply: Apply) -> None:
    unit = units.add("good", SLEEPER, folder="/usr/local/lib/systemd/system")
    units.control("mask", unit)
    task = tasks.service(unit="good", state="started")
    for result in (rehearse(server, task), apply(server, task)):
        assert failure(result) == ("good.service is masked, so it cannot be started; give masked: false to unmask it")


def test_missing_unit(server: LabHost, rehearse: Apply, apply: Apply) -> None:
    for state in ("started", "restarted", None):
        task = tasks.service(unit="nowhere", state=state)
        for result in (rehearse(server, task), apply(server, task)):
            assert "nowhere.service does not exist on this host" in failure(result)


def test_broken_unit_file(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("broken", "ExecStart=not/absolute")
    words = failure(apply(server, tasks.service(unit="broken", state="started")))
    assert "broken unit file /etc/systemd/system/broken.service" in words


def test_missing_program(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("empty", "ExecStart=/usr/local/bin/nothing-here")
    words = failure(apply(server, tasks.service(unit="empty", state="started")))
    assert "its program is missing or cannot be executed" in words


def test_unit_that_cannot_reload(server: LabHost, units: Units, apply: Apply) -> None:
    unit = units.add("good", SLEEPER)
    units.control("start", unit)
    words = failure(apply(server, tasks.service(unit="good", state="reloaded")))
    assert "cannot reload: its unit file has no ExecReload=" in words


def test_unit_that_cannot_be_enabled(server: LabHost, units: Units, rehearse: Apply) -> None:
    units.add("good", SLEEPER)
    assert "no [Install] section" in failure(rehearse(server, tasks.service(unit="good", enabled=True)))


def test_port_of_another_process(server: LabHost, units: Units, apply: Apply) -> None:
    site = website(server)
    other = units.add("squatter", f"ExecStart={site} 8002")
    units.control("start", other)
    units.add("good", SLEEPER)
    task = tasks.service(unit="good", state="started", port=8002, settle=0.1, start_timeout=30)
    result = apply(server, task)
    assert "port 8002 is held by" in failure(result)
    (holder,) = only(result).data["port"]["holders"]
    assert holder["unit"] == "squatter.service"
    assert str(holder["pid"]) == units.show(other, "MainPID")


def test_port_that_nobody_opens(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("good", "ExecStart=/bin/sh -c 'echo I forgot my port; exec sleep infinity'")
    result = apply(server, tasks.service(unit="good", state="started", port=8003, settle=0.1, start_timeout=2))
    assert "runs, but nothing listens on port 8003" in failure(result)
    assert "I forgot my port" in log(result)


def test_answer_that_is_not_right(server: LabHost, units: Units, apply: Apply) -> None:
    unit = units.add("site", f"ExecStart={website(server)} 8004")
    task = tasks.service(unit="site", state="started", http="http://127.0.0.1:8004/sick", settle=0.1, start_timeout=2)
    result = apply(server, task)
    assert "http://127.0.0.1:8004/sick: it answered 503" in failure(result)
    assert "GET /sick" in log(result)
    good = {"url": "http://127.0.0.1:8004/health", "json": {"status": "healthy"}}
    assert apply(server, tasks.service(unit=unit, http=good)).status is Status.OK
    bad = {**good, "json": {"status": "perfect"}}
    words = failure(apply(server, tasks.service(unit=unit, http=bad, start_timeout=1)))
    assert 'status is "healthy", expected "perfect"' in words


def test_slow_start_beyond_its_time(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("slow", "Type=oneshot", "ExecStart=/bin/sh -c 'echo counting sheep; sleep 1000'")
    result = apply(server, tasks.service(unit="slow", state="started", start_timeout=2))
    assert "is still activating (start) 2 s after systemctl start" in failure(result)
    assert "counting sheep" in log(result)


def test_failing_job(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("job", "Type=oneshot", CRASHES)
    result = apply(server, tasks.service(unit="job", state="started"))
    assert "exit code 3" in failure(result)
    assert "I cannot find my settings" in log(result)


def test_condition_that_is_not_met(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("picky", SLEEPER, unit="ConditionPathExists=/nowhere")
    words = failure(apply(server, tasks.service(unit="picky", state="started", settle=0.5)))
    assert "a condition in its unit file is not met" in words


@pytest.mark.parametrize("lines", [0, 3])
def test_length_of_the_log(server: LabHost, units: Units, apply: Apply, lines: int) -> None:
    units.add("chatty", "ExecStart=/bin/sh -c 'seq 1000 1050; exit 1'")
    result = apply(server, tasks.service(unit="chatty", state="started", log_lines=lines))
    assert "exit code 1" in failure(result)
    assert len(only(result).data["log"]) == lines


def test_systemd_says_the_same_over_its_socket_and_through_systemctl(
    server: LabHost, units: Units, apply: Apply
) -> None:
    """Units of every kind; missing, masked and bad ones; without root it is asked through systemctl alone."""
    units.add("listed", SLEEPER)
    units.add("broken", "ExecStart=not/absolute")
    server.run(["systemctl", "mask", "--runtime", "hidden.service"])
    seen = only(apply(server, TwoWays())).data
    assert seen["units"] > 100
    assert seen["different"] == []
    assert seen["unanswered"] == []
