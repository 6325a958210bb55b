"""`opslib logs` and its library on real hosts: logs and journals, rotation, dead hosts, Ctrl-C, nothing left behind."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from opslib import Become, Fleet, LogEntry, LogQuery, Status, follow_logs, read_logs
from opslib.carriers import protocol
from opslib.events import Event, HostEnded, Notice
from opslib.host.tasks.logs import Logs
from opslib.lab import Lab, LabHost
from support.apply import Apply, target_for
from support.canaries import files_on
from support.hosts import eventually, left_behind, target
from support.units import Units
from support.witness import Witnesses

LOG = "/srv/app/app.log"
OPSLIB = [sys.executable, "-c", "import sys; from opslib.cli.main import main; sys.exit(main())"]


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


@pytest.fixture(scope="module", autouse=True)
def logs(lab: Lab) -> Iterator[None]:
    """On every host an hour of a log whose times interleave with those of the others, and JSON lines beside it."""
    for number, host in enumerate(lab.hosts):
        late = number * 3
        rows = [
            f"{stamp(900 - late)} INFO begin of {host.name}",
            f"{stamp(800 - late)} ERROR broken on {host.name} password=hunter2",
            "Traceback (most recent call last):",
            "ValueError: \x1b[2J\x07 hostile",
            f"{stamp(20 - late)} INFO end of {host.name}",
        ]
        host.write(LOG, "\n".join(rows) + "\n")
        host.write(f"{LOG}.1", f"{stamp(5000)} ERROR older\n{stamp(1900)} ERROR turned\n")
        host.write(f"{LOG}.2.gz", gzip.compress(f"{stamp(2000)} ERROR packed on {host.name}\n".encode()))
        rows = [json.dumps({"ts": time.time() - 50 + n, "level": "info", "user": {"id": n % 2}}) for n in range(4)]
        host.write("/srv/app/json.log", "\n".join(rows) + "\n")
    yield
    for host in lab.hosts:
        host.run(["rm", "-rf", "/srv/app"])


def run(lab: Lab, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `opslib logs` on the whole lab."""
    argv = [*OPSLIB, "logs", *words, "-i", str(lab.inventory)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **more})


def nothing_left(lab: Lab) -> None:
    for host in lab.hosts:
        assert eventually(lambda host=host: left_behind(host) == []), left_behind(host)  # type: ignore[misc]
        assert not [each for each in host.pids() if each.command and each.command[0] == "journalctl"]


def test_reading_touches_nothing(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = Logs(paths=[LOG], units=["dbus"], lines=1000)
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    lines = int(witness(server).check_output("cat %s %s.1 | grep -c ^20", LOG, LOG))
    journal = int(witness(server).check_output("journalctl -u dbus -o json | wc -l"))
    assert journal > 0
    assert step.data["count"] == lines + journal
    assert step.changed is False


def test_tail_of_all_hosts_in_the_order_of_time(lab: Lab) -> None:
    done = run(lab, "tail", LOG, "-n", "1")
    assert done.returncode == 0, done.stderr
    names = [host.name for host in lab.hosts]
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    assert [line.split()[-1] for line in done.stdout.splitlines()] == names
    nothing_left(lab)


def test_what_comes_out_is_harmless_and_masked(lab: Lab, witness: Witnesses) -> None:
    done = run(lab, "errors", LOG, "--limit", "lab1")
    assert done.returncode == 0
    assert "hunter2" in witness(lab.hosts[0]).file(LOG).content_string
    assert "hunter2" not in done.stdout
    assert "\x1b" not in done.stdout
    assert "\\x07 hostile" in done.stdout
    words = [line.split()[-1] for line in done.stdout.splitlines()]
    assert words == ["lab1", "turned", "password=***", "last):", "hostile"]


def test_filters_run_on_the_host(lab: Lab) -> None:
    reading = read_logs(
        [target(lab, host) for host in lab.hosts], LogQuery(paths=["/srv/app/json.log"], fields={"user.id": 1})
    )
    assert len(reading.entries) == 2 * len(lab.hosts)
    assert {entry.members["user"]["id"] for entry in reading.entries if entry.members} == {1}
    times = [entry.time for entry in reading.entries]
    assert times == sorted(times, key=lambda when: when.timestamp() if when else 0)
    for step in (host.steps[0] for host in reading.report.hosts.values()):
        assert (step.data["count"], step.data["matched"], step.data["read"]) == (2, 2, 4)


def test_json_lines_and_json_laid_out(lab: Lab) -> None:
    done = run(lab, "tail", "/srv/app/json.log", "-n", "1", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["host"] for row in rows] == [host.name for host in lab.hosts]
    assert set(rows[0]) == {"host", "source", "time", "level", "members", "cut"}
    assert rows[0]["members"]["user"] == {"id": 1}
    done = run(lab, "search", "/srv/app/json.log", "-n", "1", "--pretty", "--limit", "lab2")
    assert done.stdout.splitlines()[-3:] == ['lab2      "id": 1', "lab2    }", "lab2  }"]


def test_search_and_errors_on_all_hosts(lab: Lab) -> None:
    """Rotated and packed files too; each line says which host it is of."""
    names = [host.name for host in lab.hosts]
    done = run(lab, "search", LOG, "--match", "packed|begin", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [row["host"] for row in rows] == [*names, *names]  # by time
    assert [row["text"].split()[2] for row in rows] == ["packed"] * len(names) + ["begin"] * len(names)
    done = run(lab, "errors", LOG, "--since", "2h")
    for name in names:
        assert f"broken on {name} password=***" in done.stdout
        assert f"packed on {name}" in done.stdout
    assert "hunter2" not in done.stdout


def test_a_missing_log_fails_where_it_is_missing(lab: Lab) -> None:
    lab.hosts[1].write("/srv/app/only.log", "here\n")
    done = run(lab, "tail", "/srv/app/only.log")
    assert done.returncode == 2
    assert done.stdout == "lab2  here\n"
    assert sorted(done.stderr.splitlines()) == [
        "lab1: failed: /srv/app/only.log does not exist",
        "lab3: failed: /srv/app/only.log does not exist",
    ]


@pytest.mark.parametrize("fault", ["kill_sshd", "freeze"])
def test_a_dead_host_does_not_hold_up_the_others(lab: Lab, fault: str) -> None:
    dead = lab.hosts[2]
    getattr(dead, fault)()
    try:
        done = run(lab, "tail", LOG, "-n", "1", "--timeout", "6")
    finally:
        dead.start_sshd() if fault == "kill_sshd" else dead.thaw()
    assert done.returncode in (2, 4)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lab1", "lab2"]
    assert done.stderr.startswith("lab3: ")


def test_who_may_not_read_is_told_and_sudo_helps(lab: Lab, server: LabHost) -> None:
    server.write("/srv/app/private.log", "for root\n", mode=0o600)
    query = LogQuery(paths=["/srv/app/private.log"])
    denied = read_logs([target(lab, server, user="pat")], query)
    assert denied.entries == ()
    assert "Permission denied" in str(denied.report.to_dict())
    reading = read_logs([target(lab, server, user="pat")], query, become=Become(password=lab.sudo_password))
    assert [entry.text for entry in reading.entries] == ["for root"]


# Units


def test_the_journal_of_a_unit(lab: Lab, server: LabHost, units: Units, witness: Witnesses) -> None:
    script = r"echo first; echo ERROR second; printf '<3>third\n' >&2; printf 'bin\001ary \377\n'; head -c 9000 /dev/zero | tr '\0' x"
    unit = units.add("talker", "Type=oneshot", "RemainAfterExit=yes", f'ExecStart=/bin/sh -c "{script}"')
    units.control("start", unit)
    host = target(lab, server)
    assert eventually(lambda: witness(server).run("journalctl -u talker | grep -q xxx").rc == 0)
    entries = read_logs([host], LogQuery(units=["talker"])).entries
    said = [entry.text for entry in entries if not entry.text.startswith(("Start", "Finish"))]
    assert said[:3] == ["first", "ERROR second", "third"]
    assert said[3].startswith("bin\x01ary")
    assert said[4].startswith("xxx")
    assert entries[-1].source == "talker.service"
    wrong = read_logs([host], LogQuery(units=["talker"], levels=["ERROR"]), search=False).entries
    assert [entry.text for entry in wrong] == ["ERROR second", "third"]
    done = run(lab, "search", "--unit", "talker", "--since", "5m", "--match", "first", "--limit", server.name)
    assert done.stdout.startswith(f"{server.name}  20")
    assert done.stdout.endswith("Z first\n")
    missing = read_logs([host], LogQuery(units=["no-such"]))
    assert "no-such.service is no unit of this host" in str(missing.report.hosts[server.name].failure)


def test_units_of_all_hosts(lab: Lab) -> None:
    """Merged in the order of time, chosen by level and member, JSON laid out."""
    said = """echo '{"level": "info", "user": {"id": 1}}'; echo '{"level": "error", "user": {"id": %d}}'"""
    names = [host.name for host in reversed(lab.hosts)]
    for number, host in enumerate(reversed(lab.hosts)):
        host.run(["systemd-run", "-q", "--wait", "--unit=speaker", "sh", "-c", said % number])
    assert eventually(lambda: all('"error"' in host.run(JOURNAL).stdout for host in lab.hosts))
    done = run(lab, "tail", "-u", "speaker", "--match", '^{"level": "error"')
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    done = run(lab, "errors", "-u", "speaker", "--field", "user.id=1", "--pretty")
    assert [line.partition("Z ")[2] for line in done.stdout.splitlines()[-5:]] == LAID_OUT
    assert {line.split()[0] for line in done.stdout.splitlines()} == {names[1]}


JOURNAL = ["journalctl", "-u", "speaker", "-o", "cat", "--no-pager"]
LAID_OUT = ['  "level": "error",', '  "user": {', '    "id": 1', "  }", "}"]


def test_a_unit_is_followed(lab: Lab, server: LabHost, units: Units) -> None:
    """From before it runs; and joining in while it talks, with nothing lost or told twice where old and new meet.

    The journal is rotated meanwhile.
    """
    unit = units.add("ticker", "ExecStart=/bin/bash -c 'while sleep 0.1; do echo tick $((++i)); done'")
    for lines in (1000, 5):
        with following(lab, server, LogQuery(units=["ticker"], match="^tick", lines=lines)) as seen:
            units.control("start", unit)
            assert seen.until(lambda: len(seen.entries) >= 10)
            server.run(["journalctl", "--rotate", "--vacuum-files=1"])
            before = len(seen.entries)
            assert seen.until(lambda before=before: len(seen.entries) >= before + 5)
        numbers = [int(word) for word in seen.words()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert (numbers[0] == 1) is (lines == 1000)
    nothing_left(lab)


# Following


class Seen:
    """What a thread that follows logs has seen so far."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.events: list[Event] = []

    def texts(self) -> list[str]:
        return [entry.text for entry in self.entries]

    def words(self) -> list[str]:
        return [text.split()[-1] for text in self.texts()]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    @staticmethod
    def until(true: object) -> bool:
        return eventually(true, 40)  # type: ignore[arg-type]


@contextmanager
def following(lab: Lab, host: LabHost, query: LogQuery) -> Iterator[Seen]:
    """Follow logs of one host in a thread, and stop it in the end."""
    seen, cancel = Seen(), threading.Event()
    given = ([target_for(lab, host)], query, seen.entries.append)
    thread = threading.Thread(target=follow_logs, args=given, kwargs={"on_event": seen.events.append, "cancel": cancel})
    thread.start()
    try:
        yield seen
    finally:
        cancel.set()
        thread.join(30)
    assert not thread.is_alive()


def test_follow_through_both_kinds_of_rotation(lab: Lab, server: LabHost) -> None:
    """The real logrotate does it, and none of many lines is lost or seen twice."""
    server.run(["mkdir", "-p", "/srv/rotated"])
    program = (
        "import time\nfor n in range(1, 601):\n"
        "  line = '%s INFO n %d\\n' % (time.strftime('%FT%TZ', time.gmtime()), n)\n"
        "  open('/srv/rotated/a.log', 'a').write(line)\n  time.sleep(0.003)\n"
    )
    server.write("/srv/writer.py", program)
    for kind in ("create", "copytruncate\n  compress"):
        server.write("/etc/rotate-test", f"/srv/rotated/a.log {{\n  {kind}\n  rotate 9\n  missingok\n}}\n")
        server.run(["sh", "-c", "rm -f /srv/rotated/*; touch /srv/rotated/a.log"])
        with following(lab, server, LogQuery(paths=["/srv/rotated/a.log"], lines=1000)) as seen:
            server.run(["sh", "-c", "python3 /srv/writer.py >/dev/null 2>&1 &"])
            for turn in (200, 400):
                assert seen.until(lambda turn=turn: len(seen.entries) > turn)
                server.run(["logrotate", "--force", "--state", "/tmp/state", "/etc/rotate-test"])
            assert seen.until(lambda: seen.words()[-1:] == ["600"]), (kind, len(seen.entries), seen.notes())
        numbers = [int(word) for word in seen.words()]
        assert len(numbers) == len(set(numbers)), kind
        lost = 0 if kind == "create" else 10  # between its copy and its cut, copytruncate itself loses lines
        assert len(numbers) >= 600 - lost, (kind, len(numbers))
        assert any("is new" in note or "truncated" in note for note in seen.notes())
    server.run(["rm", "-rf", "/srv/rotated", "/srv/writer.py", "/etc/rotate-test", "/tmp/state"])


def test_follow_shows_json_entries_with_a_member(lab: Lab, server: LabHost) -> None:
    log = "/srv/app/json.log"
    query = LogQuery(paths=[log], fields={"user.id": 1}, lines=100)
    with following(lab, server, query) as seen:
        assert seen.until(lambda: len(seen.entries) == 2)
        for number in (2, 1):
            row = {"ts": time.time(), "level": "info", "user": {"id": number}}
            server.run(["sh", "-c", f"echo '{json.dumps(row)}' >> {log}"])
        assert seen.until(lambda: len(seen.entries) == 3)
    assert [entry.members["user"]["id"] for entry in seen.entries if entry.members] == [1, 1, 1]
    nothing_left(lab)


def test_ctrl_c_ends_it_and_nothing_is_left(lab: Lab) -> None:
    argv = [*OPSLIB, "logs", "follow", LOG, "-u", "ssh", "-n", "1", "-i", str(lab.inventory)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = {process.stdout.readline().split()[0] for _host in lab.hosts}
    assert seen == {host.name for host in lab.hosts}
    assert eventually(lambda: all(left_behind(host) for host in lab.hosts))
    lab.hosts[2].freeze()  # it cannot even hear of it, until later
    process.send_signal(signal.SIGINT)
    try:
        _out, err = process.communicate(timeout=30)
    finally:
        lab.hosts[2].thaw()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.count("\n") == 1, err
    nothing_left(lab)


def test_a_killed_follower_leaves_nothing(lab: Lab) -> None:
    argv = [*OPSLIB, "logs", "follow", LOG, "-n", "1", "-i", str(lab.inventory)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=30)
    nothing_left(lab)


def test_a_reader_that_goes_away_ends_it(lab: Lab) -> None:
    line = f"{sys.executable} -c '{OPSLIB[2]}' logs follow {LOG} -n 5 -i {lab.inventory} | head -n 1; echo $PIPESTATUS"
    process = subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    ended = threading.Event()

    def talk() -> None:
        while not ended.wait(0.1):
            lab.hosts[0].run(["sh", "-c", f"echo $(date -u +%FT%TZ) INFO more >> {LOG}"])

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        assert process.communicate(timeout=30)[0].splitlines()[-1] == "0"
    finally:
        ended.set()
        talker.join()
    nothing_left(lab)


def test_a_host_that_dies_does_not_end_the_others(lab: Lab) -> None:
    ended: list[str] = []
    entries: list[LogEntry] = []
    cancel = threading.Event()

    def heard(event: Event) -> None:
        if isinstance(event, HostEnded):
            ended.append(event.host)

    def follow() -> None:
        targets = [target(lab, host) for host in lab.hosts]
        reports.append(
            follow_logs(targets, LogQuery(paths=[LOG], lines=1), entries.append, on_event=heard, cancel=cancel)
        )

    reports: list[object] = []
    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert eventually(lambda: len(entries) >= len(lab.hosts))
        lab.hosts[2].kill_sshd()
        assert eventually(lambda: ended == ["lab3"])
        before = len(entries)
        lab.hosts[0].run(["sh", "-c", f"echo $(date -u +%FT%TZ) INFO alive >> {LOG}"])
        assert eventually(lambda: len(entries) > before)
        assert entries[-1].text.endswith("alive")
    finally:
        lab.hosts[2].start_sshd()
        cancel.set()
        thread.join(30)
    assert len(reports) == 1
    nothing_left(lab)


def test_a_flood_is_followed_without_end(lab: Lab, server: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any one answer may hold."""
    monkeypatch.setattr(protocol, "MAX_TOTAL", 1 << 20)
    program = (
        "import sys,time\nf=open('/srv/app/flood.log','w')\n"
        "for n in range(5000):\n f.write('%s INFO %0800d\\n' % (time.strftime('%FT%TZ', time.gmtime()), n))\n"
        "f.write('%s last\\n' % time.strftime('%FT%TZ', time.gmtime())); f.flush()"
    )
    server.write("/srv/app/flood.log", "")
    with following(lab, server, LogQuery(paths=["/srv/app/flood.log"], longest=900, lines=5001)) as seen:
        server.run(["python3", "-c", program])
        assert seen.until(lambda: len(seen.entries) == 5001), len(seen.entries)
    assert sum(map(len, seen.texts())) > 3 << 20
    server.run(["rm", "/srv/app/flood.log"])


def test_the_task_in_a_fleet_says_nothing_to_nobody(lab: Lab, server: LabHost) -> None:
    with Fleet([target(lab, server)]) as fleet:
        (step,) = fleet.run([Logs(paths=[LOG])]).hosts[server.name].steps
    assert step.status is Status.OK
    assert "begin" not in str(step)


def test_secrets_reach_nothing(lab: Lab, tmp_path: Path) -> None:
    """Neither the password of sudo nor a secret variable that a log holds: no argument vector, no output, no file."""
    canary = "canary-51c9e07ab3"
    given = tmp_path / "secrets.yml"
    given.touch(mode=0o600)
    given.write_text(f"word: {canary}\nansible_become_password: {lab.sudo_password}\nopslib_secrets: [word]\n")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(lab.inventory_text(user="pat"))
    lab.hosts[0].write("/srv/app/told.log", f"{stamp(5)} INFO it is {canary}, said aloud\n", mode=0o600)
    argv = [*OPSLIB, "logs", "follow", "/srv/app/told.log", "-i", str(inventory), "-l", "lab1", "--for", "1s"]
    process = subprocess.Popen(
        [*argv, "--become", "-e", f"@{given}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    found, looks = set(), 0
    while process.poll() is None:
        looks += 1
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = entry.read_bytes().decode("utf-8", "replace")
                found |= {line for word in (canary, lab.sudo_password) if word in line}
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.endswith("INFO it is ***, said aloud\n")
    assert looks > 5
    assert found == set()
    assert canary not in out + err
    assert lab.sudo_password not in out + err
    assert files_on(lab.hosts[0], [canary, lab.sudo_password]) == {"/srv/app/told.log"}
