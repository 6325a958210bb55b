"""Which play goes to which engine, in what order, and what of that the report says; on this machine, without ssh."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from opslib import Status, run_playbook
from opslib.engines import runner
from opslib.engines.batch import BatchEngine
from opslib.errors import InventoryError, ParamError, PlaybookError, UsageError
from opslib.events import Notice, RunEnded, RunStarted
from opslib.output.summary import last_line, summary
from opslib.result import HostResult, Report

CHECK = "    - name: Memory is there\n      opslib.runbook.memory_usage: {fail: 0}\n"
OURS = "- name: Ours\n  hosts: all\n  gather_facts: false\n  tasks:\n" + CHECK
THEIRS = (
    "- name: Theirs\n  hosts: all\n  gather_facts: false\n  tasks:\n"
    "    - name: Speak\n      ansible.builtin.command: echo hello\n      changed_when: false\n      register: said\n"
)
SILENT = THEIRS.replace("      register: said\n", "")
LATER = (
    "- name: Later\n  hosts: all\n  gather_facts: false\n  tasks:\n"
    "    - name: Repeat\n      ansible.builtin.assert: {that: said.stdout == 'hello'}\n"
)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text(
        "all:\n  vars: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}\n"
        "  hosts: {one: {}, two: {}}\n"
    )
    return path


@pytest.fixture
def book(tmp_path: Path):
    def write(*plays: str, name: str = "play.yml") -> Path:
        path = tmp_path / name
        path.write_text("---\n" + "\n".join(plays))
        return path

    return write


def steps(report) -> list[str]:
    return [step.name for step in report.hosts["one"].steps]


def test_ordinary_play_runs_by_ssh_engine(book, inventory):
    events = []
    report = run_playbook(book(OURS), inventory, on_event=events.append)
    assert (report.engine, report.exit_code) == ("ssh", 0)
    assert steps(report) == ["Memory is there"]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    assert events[0].hosts == ("one", "two")


def test_tags_that_leave_nothing_to_do_are_told(book, inventory):
    report = run_playbook(book(OURS), inventory, tags=["nosuch"])
    assert report.warnings == ("nothing was to be done: no step is left by --tags nosuch",)
    assert report.exit_code == 0
    assert run_playbook(book(OURS), inventory, tags=["all"]).warnings == ()
    assert run_playbook("maintenance:daily", inventory, skip_tags=["all"]).warnings != ()
    skipped = OURS.replace("{fail: 0}", "{fail: 0}\n      when: false\n      tags: x")
    assert run_playbook(book(skipped), inventory, tags=["x"]).warnings == ()


def test_a_name_in_the_limit_that_no_host_has_is_told(book, inventory):
    report = run_playbook(book(OURS), inventory, limit="one,three")
    assert report.warnings == ("Could not match supplied host pattern, ignoring: three",)
    assert list(report.hosts) == ["one"]


def test_each_play_goes_to_the_engine_that_it_needs(book, inventory):
    events = []
    report = run_playbook(book(OURS, THEIRS, LATER), inventory, on_event=events.append)
    assert (report.engine, report.exit_code) == ("ssh+ansible", 0)
    assert steps(report) == ["Memory is there", "Speak", "Repeat"]
    told = " ".join(event.text for event in events if isinstance(event, Notice))
    assert "Theirs" in told
    assert "ansible-runner" in told


def test_play_after_one_that_learns_nothing_returns_to_ssh(book, inventory):
    report = run_playbook(book(SILENT, OURS), inventory)
    assert report.engine == "ansible+ssh"
    assert steps(report) == ["Speak", "Memory is there"]


@pytest.mark.parametrize(("tag", "first"), [("always", OURS), ("tagged", OURS), ("always", SILENT)])
def test_playbook_goes_whole_where_skipped_tags_hide_what_failed_before(book, inventory, tag, first):
    told, cancel = [], threading.Event()
    cancel.set()
    second = SILENT if first is OURS else OURS
    run_playbook(book(first, second), inventory, skip_tags=[f"a, {tag}"], cancel=cancel, on_event=told.append)
    words = f"the whole playbook goes to ansible-runner, because the tag {tag} is skipped"
    assert any(words in event.text for event in told if isinstance(event, Notice)) is (first is OURS)


def test_imported_playbooks_go_whole_where_one_play_must(book, inventory):
    book(THEIRS, name="theirs.yml")
    report = run_playbook(book(OURS, "- import_playbook: theirs.yml\n"), inventory)
    assert (report.engine, report.exit_code) == ("ansible", 0)
    assert steps(report) == ["Memory is there", "Speak"]


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_imported_playbooks(book, inventory, engine):
    book(OURS, name="ours.yml")
    report = run_playbook(book(OURS, "- import_playbook: ours.yml\n"), inventory, engine=engine)
    assert (report.engine, report.exit_code) == (engine, 0)
    assert steps(report) == ["Memory is there"] * 2


def test_ssh_engine_refuses_what_it_cannot_carry(book, inventory):
    with pytest.raises(UsageError, match="register"):
        run_playbook(book(THEIRS), inventory, engine="ssh")


def test_nothing_is_touched_when_a_later_play_is_wrong(book, inventory, tmp_path):
    mark = tmp_path / "logs"
    mark.mkdir()
    wrong = OURS.replace("fail: 0", "fial: 0")
    with pytest.raises((ParamError, PlaybookError), match="fial"):
        run_playbook(book(THEIRS.split("      register")[0].replace("echo hello", f"rmdir {mark}"), wrong), inventory)
    assert mark.exists()


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_failed_batch_leaves_the_others_unstarted(book, inventory, engine):
    failing = "    - name: Fail\n      opslib.runbook.log_size: {paths: [/no/such/place]}\n"
    play = "- name: P\n  hosts: all\n  serial: 1\n  gather_facts: false\n  tasks:\n" + failing
    report = run_playbook(book(play), inventory, engine=engine)
    assert report.exit_code == 2
    assert [host.status for host in report.hosts.values()] == [Status.FAILED, Status.SKIPPED]
    assert "not started" in str(report.hosts["two"].error)


def test_host_that_failed_takes_no_part_in_later_plays(book, inventory):
    failing = OURS.replace(
        CHECK,
        "    - name: Fail\n      opslib.runbook.log_size: {paths: [/no/such/place]}\n"
        "      when: inventory_hostname == 'one'\n",
    )
    report = run_playbook(book(failing, OURS), inventory)
    assert steps(report) == ["Fail"]
    assert [step.status for step in report.hosts["two"].steps] == [Status.SKIPPED, Status.OK]


def test_host_that_a_play_adds_is_in_the_report(book, inventory):
    adding = THEIRS.replace("ansible.builtin.command: echo hello", "ansible.builtin.add_host: {name: new, groups: dyn}")
    failing = LATER.replace("hosts: all", "hosts: dyn").replace("said.stdout == 'hello'", "false")
    report = run_playbook(book(adding, failing), inventory)
    assert report.hosts["new"].status is Status.FAILED
    assert report.exit_code == 2


def test_each_part_has_what_those_before_have_left_of_the_time(book, inventory, monkeypatch):
    left, run = [], BatchEngine.run

    def run_batch(engine, works, **more):
        left.extend(work.timeout for work in works)
        return run(engine, works, **more)

    def run_plays(_plays, *, options, **_more):
        left.append(options.timeout)
        time.sleep(0.05)
        hosts = {name: HostResult(name=name, status=Status.OK) for name in ("one", "two")}
        return runner.Outcome(hosts=hosts, completed=True)

    monkeypatch.setattr(BatchEngine, "run", run_batch)
    monkeypatch.setattr(runner, "run_plays", run_plays)
    ours, theirs = OURS.replace("hosts: all", "hosts: one"), THEIRS.replace("      register: said\n", "")
    run_playbook(book(ours, theirs, ours, ours), inventory, timeout=100)
    first, second, third, last = left
    assert first == 100
    assert first > second
    assert second - third > 0.05
    assert third > last


def test_cancelled_before_it_began(book, inventory):
    cancel = threading.Event()
    cancel.set()
    report = run_playbook(book(OURS), inventory, cancel=cancel)
    assert report.exit_code == 130
    assert {host.status for host in report.hosts.values()} == {Status.FAILED}


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("engine", {"engine": "fast"}),
        ("forks", {"forks": 0}),
        ("timeout", {"timeout": -1}),
        ("no-such-host", {"limit": "no-such-host"}),
    ],
)
def test_wrong_arguments_are_refused_by_name(book, inventory, words, arguments):
    with pytest.raises((UsageError, InventoryError), match=words):
        run_playbook(book(OURS), inventory, **arguments)


def test_missing_playbook_is_named(inventory, tmp_path):
    with pytest.raises(PlaybookError, match=r"no playbook"):
        run_playbook(tmp_path / "nowhere.yml", inventory)


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
@pytest.mark.parametrize("check", [True, False])
def test_a_task_with_a_mode_of_its_own(book, inventory, tmp_path, engine, check):
    """Nothing says of it what holds for the run only; a real one in a check is told of beforehand."""
    task = "    - name: {0}\n      opslib.runbook.env_file: {{path: '%s/{{{{ inventory_hostname }}}}-{0}', set: {{A: '1'}}}}\n"
    task %= tmp_path
    modes = {"real": "      check_mode: false\n", "dry": "      check_mode: true\n", "plain": ""}
    play = "- hosts: all\n  gather_facts: false\n  tasks:\n"
    play += "".join(task.format(name) + mode for name, mode in modes.items())
    events = []
    report = run_playbook(book(play), inventory, engine=engine, check=check, on_event=events.append)
    written = {path.name.partition("-")[2] for path in tmp_path.glob("one-*")}
    assert written == ({"real"} if check else {"real", "plain"})
    assert {step.name for step in report.hosts["one"].steps if not step.planned(check=report.check)} == written
    assert Report.from_dict(report.to_dict()) == report
    told = f"task 'real', {tmp_path}/play.yml:5, runs for real, though this is a check: it has check_mode: false"
    assert ([told] if check else []) == list(report.warnings)
    assert [event.text for event in events if isinstance(event, Notice)] == list(report.warnings)
    words = "\n".join(row.text for row in [*summary(report), last_line(report)])
    assert ("2 steps changed something all the same" in words) is check
    assert "nothing was changed" not in words
    changed, would = words.partition("Would change")[::2]
    assert [name in changed for name in ("-real", "-dry", "-plain")] == [True, False, not check]
    assert [f"-{name}" in would for name in ("dry", "plain")] == [True, check]


def test_tags_may_be_one_text(book, inventory):
    """As on the command line; it is no list of letters, by which what is to be skipped would run."""
    play = OURS.replace("fail: 0}\n", "fail: 0}\n      tags: [dangerous]\n")
    play += CHECK.replace("Memory is there", "Other").replace("fail: 0}\n", "fail: 0}\n      tags: [daily]\n")
    path = book(play)
    assert steps(run_playbook(path, inventory, skip_tags="dangerous")) == ["Other"]
    assert steps(run_playbook(path, inventory, tags="daily, weekly")) == ["Other"]
    assert len(steps(run_playbook(path, inventory, tags=None, skip_tags=None))) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": 5},
        {"tags": [5]},
        {"extra_vars": ["a=b"]},
        {"cancel": True},
        {"verbosity": "x"},
        {"check": "false"},
        {"diff": 1},
        {"on_event": 5},
    ],
)
def test_what_makes_no_sense_is_refused(book, inventory, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))[:3]):
        run_playbook(book(OURS), inventory, **wrong)
