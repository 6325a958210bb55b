"""Real runs of ansible-playbook under ansible-runner, on this machine. Each of its traps has a test."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from opslib.engines import event_files, runner
from opslib.engines.hidden import Hidden
from opslib.engines.playlog import NOT_STARTED
from opslib.engines.runner import run_plays
from opslib.engines.work import Play
from opslib.errors import PlaybookError, UsageError
from opslib.events import Event, HostEnded, HostStarted, StepEnded, StepStarted
from opslib.result import Status

INVENTORY = """\
here ansible_connection=local
there ansible_connection=local
gone ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_timeout=5
[all:vars]
ansible_python_interpreter={python}
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What an operator chose."""

    limit: str | None = None
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    diff: bool = False
    forks: int = 5
    timeout: float | None = None
    verbosity: int = 0


@dataclass(frozen=True, kw_only=True)
class Sources:
    """An inventory, as the engine sees it."""

    sources: tuple[str, ...]
    vault_password_files: tuple[str, ...] = ()
    vault: tuple[tuple[str, Any], ...] = ()
    extra_vars: Mapping[str, Any] = field(default_factory=dict)

    def active(self) -> contextlib.AbstractContextManager[object]:
        """Nothing to set."""
        return contextlib.nullcontext()


@dataclass(frozen=True)
class Password:
    """A vault password that stands in no file."""

    bytes: bytes


class Bench:
    """A folder with an inventory, in which playbooks are written and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventory = folder / "inventory"
        self.inventory.write_text(INVENTORY.format(python=sys.executable))
        self.events: list[Event] = []
        self.cancel = threading.Event()

    def book(self, text: str, name: str = "site.yml") -> Path:
        """Write a playbook."""
        path = self.folder / name
        path.write_text(text)
        return path

    def run(
        self,
        text: str,
        *hosts: str,
        options: Options | None = None,
        emit: Callable[[Event], object] | None = None,
        sources: Sources | None = None,
        plays: list[Play] | None = None,
        **more: Any,
    ) -> runner.Outcome:
        """Run a playbook with one play, or the given plays."""
        path = self.book(text)
        return run_plays(
            plays or [play(path, *(hosts or ("here",)))],
            inventory=sources or Sources(sources=(str(self.inventory),)),
            options=options or Options(),
            emit=emit or self.events.append,
            cancel=self.cancel,
            **more,
        )


def play(path: Path, *hosts: str, line: int = 1, batches: tuple[tuple[str, ...], ...] = ()) -> Play:
    """Return a play as the compiler would."""
    return Play(index=0, name="p", source=path, line=line, hosts=hosts, batches=batches or (hosts,))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench."""
    return Bench(tmp_path)


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder below which private folders are made."""
    base = tmp_path / "runtime"
    base.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    return base


def tasks(*lines: str, head: str = "", hosts: str = "here") -> str:
    """Return a playbook with one play."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"- hosts: {hosts}\n  gather_facts: false\n{head}  tasks:\n{body}"


def processes(pattern: str) -> list[int]:
    """Return the processes whose arguments match."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if re.search(pattern, words):
                    found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def watching(see: Callable[[], None]) -> Iterator[None]:
    """Look again and again while something runs."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.03):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # what is looked at comes and goes
                see()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_story_of_a_run(bench: Bench) -> None:
    """Changed, looped, ignored, rescued, skipped, hidden, failed and unreachable: all in one run."""
    outcome = bench.run(
        """\
- hosts: all
  gather_facts: false
  tasks:
    - name: greet
      ansible.builtin.debug: {msg: "hello {{ inventory_hostname }}"}
    - name: reach
      ansible.builtin.command: "true"
      changed_when: false
    - name: looped
      ansible.builtin.command: "test {{ item }} != 2"
      loop: [1, 2]
      changed_when: item == 1
      ignore_errors: true
    - name: skipped
      ansible.builtin.debug: {msg: x}
      when: false
    - block:
        - name: breaks
          ansible.builtin.fail: {msg: on purpose}
      rescue:
        - name: rescues
          ansible.builtin.debug: {msg: rescued}
    - name: hidden
      ansible.builtin.command: "true"
      no_log: true
      notify: handled
    - name: ends
      ansible.builtin.fail: {msg: the end}
      when: inventory_hostname == 'there'
  handlers:
    - name: handled
      ansible.builtin.debug: {msg: handling}
""",
        "here",
        "there",
        "gone",
    )
    here, there, gone = (outcome.hosts[name] for name in ("here", "there", "gone"))
    assert [(step.name, step.status.value, step.ignored) for step in here.steps] == [
        ("greet", "ok", False),
        ("reach", "ok", False),
        ("looped (item=1)", "changed", False),
        ("looped (item=2)", "failed", True),
        ("skipped", "skipped", False),
        ("breaks", "failed", True),
        ("rescues", "ok", False),
        ("hidden", "changed", False),
        ("ends", "skipped", False),
        ("handled", "ok", False),
    ]
    assert (here.status, there.status, gone.status) == (Status.CHANGED, Status.FAILED, Status.UNREACHABLE)
    assert here.steps[0].reason == "hello here"
    assert here.steps[0].task == "ansible.builtin.debug"
    assert here.steps[7].reason == "hidden: no_log is set"
    assert there.failure == "ends: the end"
    assert "Connection refused" in str(gone.error)
    assert [step.name for step in gone.steps] == ["greet"]
    assert outcome.completed
    assert outcome.lost == {"there", "gone"}
    kinds = [type(event) for event in bench.events if getattr(event, "host", None) == "here"]
    assert kinds[:3] == [HostStarted, StepStarted, StepEnded]
    assert kinds[-1] is HostEnded
    assert kinds.count(HostStarted) == kinds.count(HostEnded) == 1


def test_own_task_brings_its_whole_result(bench: Bench) -> None:
    """And a secret that it was given is masked wherever a task after it comes upon that."""
    outcome = bench.run(
        tasks(
            "- name: disks",
            "  opslib.runbook.disk_usage: {paths: [/], warn: '99%', fail: '100%'}",
            f"- opslib.runbook.env_file: {{path: {bench.folder}/env, set: {{TOKEN: canary-token}}}}",
            f"- debug: {{msg: \"{{{{ lookup('file', '{bench.folder}/env') }}}}\"}}",
            "- opslib.runbook.disk_usage: {path: /}",
        )
    )
    disks, changed, seen, wrong = outcome.hosts["here"].steps
    assert (changed.changed, seen.reason) == (True, "TOKEN=***")
    assert disks.task == wrong.task == "disk_usage"
    assert disks.data["mounts"][0]["mount"] == "/"
    assert " full, " in disks.reason
    assert wrong.status is Status.FAILED
    assert "disk_usage has no parameter 'path'" in str(wrong.error)


def test_check_and_diff_of_one_run_do_not_reach_the_next(bench: Bench) -> None:
    text = tasks(f"- ansible.builtin.copy: {{content: 'new', dest: {bench.folder}/made}}")
    checked = bench.run(text, options=Options(check=True, diff=True)).hosts["here"].steps[0]
    assert checked.changed
    assert checked.changes[0].after == "new"
    assert not (bench.folder / "made").exists()
    done = bench.run(text).hosts["here"].steps[0]
    assert done.changed
    assert done.changes == ()
    assert (bench.folder / "made").read_text() == "new"
    assert not bench.run(text).hosts["here"].steps[0].changed


def test_private_folder_is_private_and_removed(bench: Bench, private: Path) -> None:
    modes: set[int] = set()

    def see() -> None:
        for folder in private.iterdir():
            with contextlib.suppress(OSError):
                modes.add(folder.stat().st_mode & 0o7777)
                modes.update(path.stat().st_mode & 0o077 for path in folder.rglob("*.json"))

    with watching(see):
        bench.run(tasks("- ansible.builtin.command: sleep 0.5"), options=Options(extra_vars={"a": 1}))
    assert modes == {0o700, 0}
    assert list(private.iterdir()) == []


def test_stale_files_of_other_runs_change_nothing(bench: Bench, private: Path) -> None:
    """ansible-runner reads `env/`, `args` and `inventory` of its folder: ours is always a new one."""
    for name in ("env/cmdline", "env/extravars", "args", "inventory/hosts"):
        path = private / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("--check")
    outcome = bench.run(tasks(f"- ansible.builtin.file: {{path: {bench.folder}/made, state: touch}}"))
    assert outcome.hosts["here"].status is Status.CHANGED
    assert (bench.folder / "made").exists()


def test_canaries_reach_neither_arguments_nor_files(
    bench: Bench, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud key in our environment, which is ansible-playbook's too, and an extra variable that a task uses."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-cloud-key")
    found: dict[str, set[str]] = {"canary-cloud-key": set(), "canary-variable": set()}

    def note(where: str, content: bytes) -> None:
        for canary, places in found.items():
            if canary.encode() in content:
                places.add(where)

    def see() -> None:
        for pid in processes("ansible|guard"):
            for part in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    note(part, Path(f"/proc/{pid}/{part}").read_bytes())
        for path in private.rglob("*"):
            with contextlib.suppress(OSError):
                note(path.name, path.read_bytes())

    text = tasks(
        "- ansible.builtin.set_fact: {there: '{{ canary }}'}",
        "- ansible.builtin.pause: {seconds: 1}",
        "- ansible.builtin.debug: {msg: 'it is {{ canary }}'}",
    )
    with watching(see):
        outcome = bench.run(
            text, options=Options(extra_vars={"canary": "canary-variable"}), hidden=Hidden({"canary-variable"})
        )
    assert found["canary-cloud-key"] == {"environ"}
    assert {place for place in found["canary-variable"] if "partial" not in place} <= {"extra_vars.json"}
    assert outcome.hosts["here"].steps[-1].reason == "it is ***"
    assert "canary-variable" not in repr(outcome) + repr(bench.events)


def test_extra_variables_file_is_gone_once_it_is_read(bench: Bench, private: Path) -> None:
    seen = bench.folder / "seen"
    script = f"import os; print(sorted(n for d, _, f in os.walk({str(private)!r}) for n in f if 'extra' in n))"
    text = tasks(f'- ansible.builtin.shell: sleep 0.5; {sys.executable} -c "{script}" > {seen}')
    bench.run(text, options=Options(extra_vars={"a": "b"}))
    assert seen.read_text() == "[]\n"


def test_ansible_has_our_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookups, programs that tell an inventory, and modules of the cloud find in it what they find under ours."""
    monkeypatch.setenv("GROUP", "web")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "minimal")
    script = bench.folder / "dynamic"
    script.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        "variables = {'ansible_connection': 'local', 'who': \"{{ lookup('env', 'GROUP') }}\"}\n"
        "print(json.dumps({os.environ['GROUP']: {'hosts': ['here'], 'vars': variables}}))\n"
    )
    script.chmod(0o700)
    outcome = bench.run(tasks("- debug: {msg: '{{ who }}'}", hosts="web"), sources=Sources(sources=(str(script),)))
    assert [step.reason for step in outcome.hosts["here"].steps] == ["web"]


def test_signal_handlers_stay_as_they_are(bench: Bench) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
    bench.run(tasks("- ansible.builtin.debug: {msg: x}"))
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
    assert after == before


def test_works_in_a_thread_and_twice_at_once(tmp_path: Path) -> None:
    results: dict[str, str] = {}

    def work(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        text = tasks(f"- ansible.builtin.debug: {{msg: {name}}}")
        results[name] = Bench(folder).run(text).hosts["here"].steps[0].reason

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"one": "one", "two": "two"}


def test_raising_callback_ends_the_run_and_is_heard(bench: Bench, private: Path) -> None:
    """An engine's `emit` does not raise; should it, or should Ctrl-C come, nothing goes on behind our back."""

    def emit(event: Event) -> None:
        if isinstance(event, StepStarted):
            raise OSError("broken pipe")

    nap = f"91{os.getpid()}"
    began = time.monotonic()
    with pytest.raises(OSError, match="broken pipe"):
        bench.run(tasks(f"- ansible.builtin.command: sleep {nap}"), emit=emit)
    assert time.monotonic() - began < 30
    assert processes(f"sleep {nap}") == []
    assert list(private.iterdir()) == []


def test_cancel_kills_at_once(bench: Bench, private: Path) -> None:
    nap = f"92{os.getpid()}"
    nap_task = f"- name: nap\n      command: sleep {nap}"
    asked = []

    def cancel() -> None:
        wait_for(lambda: processes(f"^sleep {nap}"))
        asked.append(time.monotonic())
        bench.cancel.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    outcome = bench.run(tasks("- debug: {msg: x}", nap_task, hosts="here,there"), "here", "there")
    took = time.monotonic() - asked[0]
    thread.join()
    assert processes(f"sleep {nap}") == []
    assert took < 2
    assert not outcome.completed
    for host in outcome.hosts.values():
        assert host.status is Status.FAILED
        assert host.error == "interrupted before its end, while 'nap' was running"
        assert [step.status for step in host.steps] == [Status.OK]
    assert list(private.iterdir()) == []


def test_cancelled_before_it_began(bench: Bench) -> None:
    bench.cancel.set()
    outcome = bench.run(tasks("- ansible.builtin.command: sleep 60"))
    assert outcome.hosts["here"].error == "interrupted before its end"


def test_time_is_up(bench: Bench) -> None:
    nap = f"93{os.getpid()}"
    outcome = bench.run(tasks(f"- name: nap\n      command: sleep {nap}"), options=Options(timeout=6))
    assert "the time for this host was up" in str(outcome.hosts["here"].error)
    assert processes(f"sleep {nap}") == []


CONTROLLER = """
import sys, threading
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.unit.engines.test_runner import Options, Sources, play
from opslib.engines.runner import run_plays
run_plays([play(Path({book!r}), "here")], inventory=Sources(sources=({inventory!r},)), options=Options(),
          emit=print, cancel=threading.Event())
"""


def test_killed_controller_leaves_nothing(bench: Bench, private: Path) -> None:
    nap = f"94{os.getpid()}"
    root = str(Path(__file__).parents[3])
    book = bench.book(tasks(f"- command: sleep {nap}"))
    script = CONTROLLER.format(root=root, book=str(book), inventory=str(bench.inventory))
    controller = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.DEVNULL)
    wait_for(lambda: processes(f"^sleep {nap}"))
    controller.kill()
    controller.wait()
    wait_for(lambda: not processes(f"sleep {nap}") and not processes(re.escape(str(book))), 3)
    wait_for(lambda: not list(private.iterdir()), 3)


def test_refused_playbook_says_why(bench: Bench) -> None:
    with pytest.raises(PlaybookError, match=r"(?s)ansible-playbook refuses .*site.yml.*no_such_keyword"):
        bench.run("- hosts: all\n  no_such_keyword: 1\n")


def test_hosts_that_get_no_turn_are_skipped_and_say_so(bench: Bench) -> None:
    """The first batch fails, so Ansible never comes to the second host, nor to the second play."""
    text = """\
- hosts: here,there
  serial: 1
  gather_facts: false
  tasks: [{ansible.builtin.fail: {msg: no}}]
- hosts: other
  gather_facts: false
  tasks: [{ansible.builtin.debug: {msg: x}}]
"""
    bench.inventory.write_text(
        bench.inventory.read_text().replace("[all:vars]", "other ansible_connection=local\n[all:vars]")
    )
    path = bench.book(text)
    plays = [play(path, "here", "there", batches=(("here",), ("there",))), play(path, "other", line=5)]
    outcome = bench.run(text, plays=plays)
    assert {name: host.status for name, host in outcome.hosts.items()} == {
        "here": Status.FAILED,
        "there": Status.SKIPPED,
        "other": Status.SKIPPED,
    }
    assert outcome.hosts["there"].error == outcome.hosts["other"].error == NOT_STARTED
    assert not outcome.completed


def test_nothing_to_do_is_no_failure(bench: Bench) -> None:
    outcome = bench.run(tasks("- {ansible.builtin.debug: {msg: x}, tags: [a]}"), options=Options(tags=("other",)))
    assert outcome.hosts["here"].status is Status.OK
    assert outcome.hosts["here"].steps == ()


def test_plays_of_two_files_need_to_know_which_was_asked_for(bench: Bench) -> None:
    """Running the file of the first alone would leave out the second without a word."""
    other = bench.book("- hosts: here\n", "other.yml")
    plays = [play(other, "here"), play(bench.folder / "site.yml", "here", line=2)]
    with pytest.raises(PlaybookError, match="more than one file"):
        bench.run("- import_playbook: other.yml\n- hosts: here\n", plays=plays)
    done = bench.run(
        "- import_playbook: other.yml\n- hosts: here\n  gather_facts: false\n  tasks: [{debug: {msg: x}}]\n",
        plays=plays,
        playbook=bench.folder / "site.yml",
        options=Options(tags=("all",)),
    )
    assert [step.name for step in done.hosts["here"].steps] == ["Gathering Facts", "debug"]


def test_excerpt_runs_where_the_playbook_stands(bench: Bench) -> None:
    """Only the second play runs, with its neighbours; what it writes beside the playbook stays, and nothing else does.

    And what comes after knows that it may.
    """
    (bench.folder / "group_vars").mkdir()
    (bench.folder / "group_vars" / "all.yml").write_text("from_neighbour: yes\n")
    (bench.folder / "inner.yml").write_text("- debug: {msg: \"{{ from_neighbour }} {{ lookup('file', 'note') }}\"}\n")
    (bench.folder / "files").mkdir()
    (bench.folder / "files" / "note").write_text("noted")
    text = """\
- hosts: all
  tasks: [{fail: {msg: not this one}}]
- hosts: here,there
  gather_facts: false
  tasks:
    - include_tasks: inner.yml
    - copy: {content: "", dest: "{{ playbook_dir }}/{{ inventory_hostname }}-report"}
    - fail: {msg: stop}
      when: inventory_hostname in stops
"""
    path = bench.book(text)
    plays = [play(path, "here", "there", line=3)]
    going = bench.run(text, plays=plays, whole=False, options=Options(extra_vars={"stops": ["here"]}))
    assert [step.reason for step in going.hosts["there"].steps] == ["True noted", "", "skipped"]
    assert going.hosts["here"].status is Status.FAILED
    assert going.completed
    stopped = bench.run(text, plays=plays, whole=False, options=Options(extra_vars={"stops": ["here", "there"]}))
    assert not stopped.completed
    names = {"files", "group_vars", "here-report", "inner.yml", "inventory", "site.yml", "there-report"}
    assert {each.name for each in bench.folder.iterdir()} == names
    with pytest.raises(PlaybookError, match="no_such_keyword") as refused:
        bench.run(text + "  no_such_keyword: 1\n", plays=plays, whole=False)
    assert ".opslib" not in str(refused.value)


def test_lost_hosts_take_no_part_and_count_as_failed(bench: Bench) -> None:
    """A batch is cut as if they were there, and with all hosts of one lost Ansible goes on with the next."""
    lost = frozenset({"gone", "elsewhere"})
    said = (
        "- {tags: x, ansible.builtin.debug: {msg: \"{{ (ansible_play_batch + ansible_play_hosts_all) | join(' ') }}\"}}"
    )
    text = tasks(said, hosts="gone,here,there", head="  serial: [2, 1]\n")
    outcome = bench.run(text, "gone", "here", "there", options=Options(limit="*e*", tags=("x",)), lost=lost)
    assert {name: [step.reason for step in host.steps] for name, host in outcome.hosts.items()} == {
        "here": ["here gone here there"],
        "there": ["there gone here there"],
    }
    assert outcome.completed
    assert {event.host for event in bench.events if isinstance(event, HostEnded)} == {"here", "there"}
    assert bench.run(text, "gone", lost=lost).hosts == {}


def test_vault_passwords_from_files_and_from_memory(bench: Bench) -> None:
    from ansible.constants import DEFAULT_VAULT_IDENTITY
    from ansible.parsing.vault import VaultLib, VaultSecret

    lines = ["- hosts: here", "  gather_facts: false", "  vars:"]
    for name in ("filed", "held"):
        secret = VaultSecret(name.encode())
        text = VaultLib([(DEFAULT_VAULT_IDENTITY, secret)]).encrypt(f"{name}-value", secret).decode()
        lines += [f"    {name}: !vault |", *(f"      {line}" for line in text.splitlines())]
    lines += ["  tasks:", '    - debug: {msg: "{{ filed }} {{ held }}"}', ""]
    (bench.folder / "password").write_text("filed\n")
    sources = Sources(
        sources=(str(bench.inventory),),
        vault_password_files=(str(bench.folder / "password"),),
        vault=(("default", Password(b"held")),),
    )
    outcome = bench.run("\n".join(lines), sources=sources)
    assert outcome.hosts["here"].steps[0].reason == "filed-value held-value"


def test_nothing_is_ever_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by vars_prompt, nor for passwords, nor by pause: there is nobody to answer."""
    monkeypatch.setenv("ANSIBLE_ASK_PASS", "True")
    (bench.folder / "ansible.cfg").write_text(
        "[defaults]\nask_pass = true\n[privilege_escalation]\nbecome_ask_pass = true\n"
    )
    monkeypatch.setenv("ANSIBLE_CONFIG", str(bench.folder / "ansible.cfg"))
    head = "  vars_prompt: [{name: answer, prompt: What, default: nothing}]\n"
    text = tasks("- pause: {prompt: Go on}", "- debug: {msg: 'got {{ answer }}'}", head=head)
    assert bench.run(text, options=Options(timeout=60)).hosts["here"].steps[-1].reason == "got nothing"


def test_forged_events_are_not_believed(bench: Bench) -> None:
    """A host can print what ansible-runner takes for an event, with any path for an id."""
    import base64

    data = {"uuid": "../../forged", "event": "runner_on_ok", "event_data": {"host": "there", "task": "forged"}}
    coded = base64.b64encode(json.dumps(data).encode()).decode()
    said = event_files.of_announcement(bench.folder, {**data, "stdout": "x"})
    assert said == {"event": "verbose", "stdout": "x"}
    known = {**data, "uuid": "0" * 8}
    assert event_files.of_announcement(bench.folder, known) is None
    mark = f"\x1b[K{coded}\x1b[{len(coded)}D\x1b[K"
    (bench.folder / "evil").write_text(f"before\n{mark}after\n")
    text = tasks(f"- fail: {{msg: \"{{{{ lookup('file', '{bench.folder}/evil') }}}}\"}}")
    outcome = bench.run(text)
    assert set(outcome.hosts) == {"here"}
    assert [step.name for step in outcome.hosts["here"].steps] == ["fail"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(tags=("a\nb",)), "control character"),
        (Options(limit="a\0b"), "control character"),
        (Options(extra_vars={"a": object()}), "cannot be represented in JSON"),
    ],
)
def test_bad_options(bench: Bench, private: Path, options: Options, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bench.run(tasks("- debug: {msg: x}"), options=options)
    assert list(private.iterdir()) == []


def test_vault_password_that_would_be_asked_for(bench: Bench) -> None:
    sources = Sources(sources=(str(bench.inventory),), vault_password_files=("dev@prompt",))
    with pytest.raises(UsageError, match="nothing can be asked here"):
        bench.run(tasks("- debug: {msg: x}"), sources=sources)


def test_limit_is_no_option(bench: Bench) -> None:
    """Text that begins with a dash stays a value."""
    with pytest.raises(PlaybookError, match="refuses"):
        bench.run(tasks("- debug: {msg: x}"), options=Options(limit="--version"))
