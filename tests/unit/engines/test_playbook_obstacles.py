"""What sends a play to ansible-runner, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opslib.engines.playbook import load
from opslib.engines.work import Compiled, Play
from opslib.inventory import Inventory
from support import oracle

Loader = Callable[..., Compiled]

TASK = "opslib.runbook.http_check: {url: http://h/a}"
# keywords of a task (below its line 5) and what is said of it
KEYWORDS = [
    ("register: x", "registers a result (register)"),
    ("until: true", "repeats until its result is right (until)"),
    ("retries: 3", "repeats until its result is right (until)"),
    ("failed_when: false", "decides by its result whether it failed (failed_when)"),
    ("changed_when: false", "decides by its result whether it changed something (changed_when)"),
    ("delegate_to: localhost", "runs on another host (delegate_to)"),
    ("run_once: true", "runs once for all hosts (run_once)"),
    ('run_once: "{{ once | default(false) }}"', "runs once for all hosts (run_once)"),
    ("throttle: 1", "limits how many hosts run it at once (throttle)"),
    ("async: 5", "runs in the background (async)"),
    ("environment: {A: b}", "sets environment variables (environment)"),
    ("ignore_unreachable: true", "goes on when its host is unreachable (ignore_unreachable)"),
    ("debugger: always", "starts a debugger (debugger)"),
    ("loop: [1]\nloop_control: {break_when: true}", "leaves its loop by a result (break_when)"),
    ("loop: [1]\nloop_control: {pause: 1}", "pauses between items (loop_control.pause)"),
    ("with_pipe: echo a", "loops over what a program prints or a file is to hold (with_pipe)"),
    ("with_lines: echo a", "loops over what a program prints or a file is to hold (with_lines)"),
    ("connection: local", "has its own connection, port or remote_user"),
    ("remote_user: bob", "has its own connection, port or remote_user"),
    ("port: 22", "has its own connection, port or remote_user"),
    ("become: true\nbecome_method: su", "is not carried, only sudo is"),
    ("vars: {ansible_host: elsewhere}", "changes how its host is reached (ansible_host)"),
    ("any_errors_fatal: true", "makes errors fatal for all hosts in some of its tasks only (any_errors_fatal)"),
    ("when: lookup('pipe', 'echo a') == 'a'", "uses the lookup pipe, which runs or writes something on this machine"),
    ("when: query('ansible.builtin.password', '/dev/null') == 'a'", "uses the lookup password"),
    ("vars: {x: \"{{ lookup('pipe', 'echo a') }}\"}", None),
    ("vars: {x: \"{{ lookup('pipe', 'echo a') }}\"}\nwhen: x == 'a'", "uses the lookup pipe"),
    ("when: ansible_facts.os_family == 'Debian'", "reads the fact ansible_facts"),
    ("when: ansible_os_family is defined", "reads the fact ansible_os_family"),
    ("when: (ansible_distribution | default('x')) == 'x'", "reads the fact ansible_distribution"),
    ("when: hostvars['web2']['ansible_default_ipv4'] is defined", "reads the fact ansible_default_ipv4"),
    ("when: vars['ansible_' ~ 'os_family'] is defined", "reads the fact ansible_"),
    ("when: ansible_ssh_host_key_rsa_public is defined", "reads the fact ansible_ssh_host_key_rsa_public"),
    ("when: ansible_user_id == 'root'", "reads the fact ansible_user_id"),
    ('vars: {x: "{{ ansible_hostname }}"}', None),
    ("vars: {x: \"{{ ansible_hostname }}\"}\nwhen: x == 'a'", "reads the fact ansible_hostname"),
    ("when: ansible_host == 'web1' and ansible_user | default('x') == 'x'", None),
    ("when: ansible_check_mode or ansible_version.full is defined", None),
    ("when: ansible_play_hosts_all | length > 1", None),
    ("when: inventory_hostname == ansible_play_hosts[0]", None),
    ("ignore_errors: true", None),
    ("no_log: true", None),
    ("timeout: 5", None),
    ("diff: false", None),
    ("delay: 3", None),
    ("environment: {}", None),
    ("run_once: false", None),
]
# whole tasks
TASKS = [
    ("ansible.builtin.command: echo", "task 'it' runs ansible.builtin.command"),
    ("shell: echo", "task 'it' runs ansible.builtin.shell"),
    ("copy: {dest: /tmp/x, content: y}", "task 'it' runs ansible.builtin.copy"),
    ("set_fact: {a: 1}", "task 'it' runs ansible.builtin.set_fact"),
    ("include_vars: x.yml", "task 'it' runs ansible.builtin.include_vars"),
    ("meta: end_host", "task 'it' steers the play (meta: end_host)"),
    ("meta: clear_facts", "task 'it' steers the play (meta: clear_facts)"),
    ("include_role: {name: r, public: true}", "task 'it' shares a role's variables with the tasks after it (public)"),
    ("action: \"{{ 'opslib.runbook.' }}service\"", "task 'it' runs {{ 'opslib.runbook.' }}service"),
    ("local_action: opslib.runbook.http_check url=http://h/a", "task 'it' runs on another host (delegate_to)"),
    ("debug: {msg: hello}", None),
    ("meta: noop", None),
    ("meta: flush_handlers", None),
]
PLAYS = [
    ("strategy: free", "play 'web' has the strategy free"),
    ("strategy: linear", None),
    ("vars_prompt: [{name: x}]", "play 'web' asks questions (vars_prompt)"),
    ("connection: docker", "'docker' is not carried, only ssh and local are"),
    ("become: true\n  become_method: doas", "'doas' is not carried, only sudo is"),
    ("remote_user: bob", None),
    ("environment: {A: b}", "sets environment variables (environment)"),
    ("run_once: true", "runs once for all hosts (run_once)"),
    ("any_errors_fatal: true", None),
]


@pytest.fixture
def loaded(tmp_path: Path, collections: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Load a playbook for web1 and web2."""
    (tmp_path / "collections").symlink_to(collections)
    monkeypatch.chdir(tmp_path)

    def load_it(play: str, files: dict[str, str] | None = None, **options: Any) -> Compiled:
        oracle.write(tmp_path, {"hosts.ini": "[web]\nweb1\nweb2\n", "play.yml": play, **(files or {})})
        with load("play.yml", Inventory.load("hosts.ini"), **options) as compiled:
            return compiled

    return load_it


def only(compiled: Compiled) -> Play:
    (play,) = compiled.plays
    return play


@pytest.mark.parametrize(("keyword", "said"), KEYWORDS)
def test_keywords(loaded: Loader, keyword: str, said: str | None) -> None:
    lines = [f"      {line}" for line in keyword.splitlines()]
    play = "- hosts: web\n  tasks:\n    - name: before\n      debug:\n    - name: it\n      " + TASK + "\n"
    play = play.replace("    - name: before\n      debug:\n", "") if "play_hosts[" in keyword else play
    if "any_errors" in keyword:
        play = play.replace("debug:", TASK)
    obstacle = only(loaded(play + "\n".join(lines) + "\n")).obstacle
    if said is None:
        assert obstacle is None
    else:
        assert obstacle is not None
        assert said in obstacle
        if "any_errors" not in keyword:
            assert obstacle.startswith("task 'it' ")
            assert obstacle.endswith("play.yml:5")


@pytest.mark.parametrize(
    ("keyword", "what"),
    [
        ("when: \"'/' is exists\"", "exists"),
        ("when: \"'/' is not ansible.builtin.file\"", "file"),
        ("when: \"['/'] | select('directory') | length > 0\"", "directory"),
        ("when: \"'/*' | fileglob | length > -1\"", "fileglob"),
        ("when: x is defined\nvars: {x: \"{{ lookup('ansible.builtin.file', '/x', errors='ignore') }}\"}", "file"),
        ("with_fileglob: [/x/*]", "fileglob"),
        ("with_ansible.builtin.first_found: [{files: [/x], skip: true}]", "first_found"),
    ],
)
def test_looking_at_what_steps_here_may_have_made(loaded: Loader, keyword: str, what: str) -> None:
    there, here = (f"- hosts: web\n  connection: {way}\n  gather_facts: false\n  tasks:\n" for way in ("ssh", "local"))
    it = f"    - name: it\n      {TASK}\n" + "".join(f"      {line}\n" for line in keyword.splitlines())
    step = f"    - {TASK}\n"
    words = f"task 'it' looks at files of this machine ({what}) after steps that may change them"
    for plays, looking in [
        (there + step + it + there + it, []),
        (here + it + there + step, []),
        (here + step + it, [0]),
        (here + step + there + it, [1]),
        (there + step + "      throttle: 1\n" + there + it, [1]),
    ]:
        found = loaded(plays).plays
        assert [each.index for each in found if words in str(each.obstacle)] == looking


def test_looking_at_what_an_item_before_may_have_made(loaded: Loader) -> None:
    play = f"- hosts: web1\n  connection: local\n  tasks:\n    - {TASK}\n      loop: [1, 2]\n      when: item == 1 or '/' is exists\n"
    assert "looks at files of this machine (exists)" in str(only(loaded(play)).obstacle)


def test_asking_a_service_that_steps_may_have_changed(loaded: Loader) -> None:
    play = f"- hosts: web\n  tasks:\n    - {TASK}\n    - {TASK}\n      when: lookup('url', 'http://127.0.0.1:9/', timeout=1)\n"
    assert "uses the lookup url after steps that may change its answer" in str(only(loaded(play)).obstacle)


@pytest.mark.parametrize(("task", "said"), TASKS)
def test_actions(loaded: Loader, task: str, said: str | None) -> None:
    compiled = loaded(
        f"- hosts: web\n  gather_facts: false\n  tasks:\n    - name: it\n      {task}\n    - {TASK}\n",
        {"roles/r/tasks/main.yml": "[]\n", "x.yml": "{}\n"},
    )
    obstacle = only(compiled).obstacle
    if said is None:
        assert obstacle is None
    else:
        assert obstacle is not None
        assert obstacle.startswith(said + ",")
        assert obstacle.endswith("play.yml:4")


@pytest.mark.parametrize(("keyword", "said"), PLAYS)
def test_keywords_of_plays(loaded: Loader, keyword: str, said: str | None) -> None:
    obstacle = only(loaded(f"- hosts: web\n  {keyword}\n  tasks:\n    - {TASK}\n")).obstacle
    assert (obstacle is None) if said is None else (obstacle is not None and said in obstacle)


@pytest.mark.parametrize("section", ["rescue", "always"])
def test_blocks_with_sections(loaded: Loader, section: str) -> None:
    obstacle = only(
        loaded(f"""
        - hosts: web
          tasks:
            - name: careful
              block: [{{{TASK}}}]
              {section}: [{{{TASK}}}]
    """)
    ).obstacle
    assert obstacle is not None
    assert obstacle.startswith("block 'careful' has a section that runs")
    assert obstacle.endswith("play.yml:3")


def test_what_is_said_of_a_role_names_its_file(loaded: Loader, tmp_path: Path) -> None:
    compiled = loaded(
        "- {hosts: web, roles: [r]}\n",
        {"roles/r/tasks/main.yml": f"- {TASK}\n- name: Remember the version\n  command: echo\n  register: x\n"},
    )
    assert only(compiled).obstacle == (
        f"task 'r : Remember the version' registers a result (register), {tmp_path}/roles/r/tasks/main.yml:2"
    )


def test_tasks_that_are_not_run_are_no_obstacle(loaded: Loader) -> None:
    play = f"- hosts: web\n  tasks:\n    - {{command: echo, tags: x}}\n    - {{{TASK}}}\n"
    assert only(loaded(play, skip_tags=["x"])).obstacle is None
    assert only(loaded(play)).obstacle is not None


def test_handlers_count_only_when_notified(loaded: Loader) -> None:
    play = f"""
        - hosts: web
          handlers: [{{name: h, command: echo}}, {{name: d, debug: }}]
          tasks: [{{name: it, {TASK}NOTIFY}}]
    """
    assert only(loaded(play.replace("NOTIFY", ""))).obstacle is None
    obstacle = only(loaded(play.replace("NOTIFY", ", notify: h"))).obstacle
    assert obstacle is not None
    assert obstacle.startswith("handler 'h' runs ansible.builtin.command")
    obstacle = only(loaded(play.replace("NOTIFY", ", notify: d"))).obstacle
    assert obstacle is not None
    assert obstacle.startswith("handler 'd' runs ansible.builtin.debug as a handler")


@pytest.mark.parametrize("gathering", ["", "gather_facts: true"])
def test_gathering_facts_that_nobody_reads_is_no_obstacle(loaded: Loader, gathering: str) -> None:
    play = only(loaded(f"- hosts: web\n  {gathering}\n  tasks: [{{{TASK}}}]\n"))
    assert play.obstacle is None
    assert not play.carries_state


def test_without_gathering_a_fact_is_just_undefined(loaded: Loader) -> None:
    play = f"- hosts: web\n  gather_facts: false\n  tasks: [{{{TASK}, when: ansible_os_family is defined}}]\n"
    assert only(loaded(play)).obstacle is None


def test_facts_bind_plays_together(loaded: Loader) -> None:
    compiled = loaded(f"""
        - {{name: first, hosts: web, tasks: [{{{TASK}}}]}}
        - {{name: second, hosts: web, tasks: [{{{TASK}}}], gather_facts: false}}
        - {{name: third, hosts: web, tasks: [{{{TASK}, when: ansible_os_family == 'x'}}], gather_facts: false}}
    """)
    first, second, third = compiled.plays
    assert first.obstacle == "play 'first' gathers facts that play 'third' may read"
    assert first.carries_state
    assert second.obstacle is None
    assert third.obstacle is not None
    assert "reads the fact ansible_os_family" in third.obstacle


def test_a_play_that_gathers_its_own_facts_leaves_others_alone(loaded: Loader) -> None:
    compiled = loaded(f"""
        - {{name: first, hosts: web, tasks: [{{{TASK}}}]}}
        - {{name: second, hosts: web, tasks: [{{{TASK}, when: ansible_os_family == 'x'}}]}}
    """)
    assert [play.obstacle is None for play in compiled.plays] == [True, False]


def test_what_a_play_learns_binds_those_after_it(loaded: Loader) -> None:
    compiled = loaded(f"""
        - {{name: zero, hosts: web, gather_facts: false, tasks: [{{{TASK}}}]}}
        - {{name: first, hosts: web, gather_facts: false, tasks: [{{{TASK}, register: x}}]}}
        - {{name: second, hosts: web, gather_facts: false, tasks: [{{{TASK}, when: x is changed}}]}}
    """)
    assert [play.carries_state for play in compiled.plays] == [False, True, False]
    assert [bool(play.obstacle) for play in compiled.plays] == [False, True, True]
    assert compiled.plays[2].obstacle == "play 'second' may use what play 'first' learns"


@pytest.mark.parametrize("variable", ["ansible_play_hosts", "ansible_play_batch", "play_hosts"])
def test_who_is_left_may_be_asked_only_while_nobody_can_have_failed(loaded: Loader, variable: str) -> None:
    task = f"{TASK}, when: {variable} | length == 2"
    assert only(loaded(f"- hosts: web\n  tasks: [{{{task}}}, {{{TASK}}}]\n")).obstacle is None
    obstacle = only(loaded(f"- hosts: web\n  tasks: [{{{TASK}}}, {{{task}}}]\n")).obstacle
    assert obstacle is not None
    assert f"reads {variable}, which changes when a host fails" in obstacle
    assert only(loaded(f"- hosts: web1\n  tasks: [{{{TASK}}}, {{{task}}}]\n")).obstacle is None
