"""The two engines agree: on identical fresh hosts the same playbook gives the same outcome and the same end state.

Ansible is the oracle: whatever ansible-runner reports for a host and a step, the ssh engine reports too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib import Report, run_playbook
from opslib.lab import Lab

ROTATE = "opslib.runbook.logrotate: {config: %s, paths: ['/var/log/%s/*.log']}"


def rotate(name: str, more: str = "") -> str:
    """Return a task that configures a rotation."""
    return f"    - name: Rotate {name}\n      opslib.runbook.logrotate: {{config: {name}, paths: ['/var/log/{name}/*.log']}}\n{more}"


HEAD = "- name: Play\n  hosts: all\n  gather_facts: false\n"
FAIL = "    - name: Fail\n      opslib.runbook.service: {unit: no-such-unit, state: started}\n"
FAIL_ON_LAB1 = FAIL + "      when: inventory_hostname == 'lab1'\n"

PLAYBOOKS = {
    "changed": HEAD + "  tasks:\n" + rotate("a") + rotate("b"),
    "unchanged": HEAD + "  tasks:\n" + rotate("a") + rotate("a").replace("Rotate a", "Rotate a again"),
    "failing step": HEAD + "  tasks:\n" + rotate("a") + FAIL + rotate("b"),
    "failing host": HEAD + "  tasks:\n" + rotate("a") + FAIL_ON_LAB1 + rotate("b"),
    "ignored failure": HEAD + "  tasks:\n" + FAIL + "      ignore_errors: true\n" + rotate("b"),
    "unreachable host": HEAD + "  tasks:\n" + rotate("a"),
    "serial": HEAD + "  serial: [1, 50%]\n  tasks:\n" + rotate("a") + FAIL_ON_LAB1 + rotate("b"),
    "serial stops": HEAD + "  serial: 1\n  tasks:\n" + FAIL + rotate("b"),
    "max_fail_percentage exceeded": HEAD + "  max_fail_percentage: 30\n  tasks:\n" + FAIL_ON_LAB1 + rotate("b"),
    "max_fail_percentage equalled": HEAD + "  max_fail_percentage: 34\n  tasks:\n" + FAIL_ON_LAB1 + rotate("b"),
    "any_errors_fatal": HEAD + "  any_errors_fatal: true\n  tasks:\n" + rotate("a") + FAIL_ON_LAB1 + rotate("b"),
    "handlers": HEAD
    + "  tasks:\n"
    + rotate("a", "      notify: Note it\n")
    + rotate("b", "      notify: [Note it, Other]\n      when: inventory_hostname != 'lab2'\n")
    + "    - name: Flush\n      ansible.builtin.meta: flush_handlers\n"
    + rotate("c")
    + "  handlers:\n"
    + rotate("other").replace("Rotate other", "Other")
    + rotate("noted").replace("Rotate noted", "Note it"),
    "handlers after a failure": HEAD
    + "  tasks:\n"
    + rotate("a", "      notify: Note it\n")
    + FAIL
    + "  handlers:\n"
    + rotate("noted").replace("Rotate noted", "Note it"),
    "forced handlers": HEAD
    + "  force_handlers: true\n  tasks:\n"
    + rotate("a", "      notify: Note it\n")
    + FAIL
    + "  handlers:\n"
    + rotate("noted").replace("Rotate noted", "Note it"),
    "loops": HEAD
    + "  tasks:\n    - name: Rotate\n      opslib.runbook.logrotate:\n        config: '{{ item.name }}'\n"
    + "        paths: ['/var/log/{{ item.name }}/*.log']\n        rotate: '{{ item.rotate | default(omit) }}'\n"
    + "      loop: [{name: a}, {name: b, rotate: 3}]\n      loop_control: {label: '{{ item.name }}'}\n",
    "loop with a failing item": HEAD
    + "  tasks:\n    - name: Status\n      opslib.runbook.service: {unit: '{{ item }}', state: started}\n"
    + "      loop: [dbus, no-such-unit, ssh]\n"
    + rotate("b"),
    "when": HEAD
    + "  vars: {wanted: [lab1, lab3]}\n  tasks:\n"
    + rotate("a", "      when: inventory_hostname in wanted\n")
    + rotate("b", "      when: [ansible_check_mode, false]\n")
    + rotate("c"),
    "become": HEAD
    + "  become: true\n  remote_user: ops\n  tasks:\n"
    + rotate("a")
    + "    - name: As another\n      become_user: nosudo\n"
    + "      opslib.runbook.log_size: {paths: [/var/log/lastlog], open_files: false}\n",
    "become missing": HEAD + "  remote_user: ops\n  tasks:\n" + rotate("a"),
    "blocks and tags": HEAD
    + "  tasks:\n    - name: Block\n      when: inventory_hostname != 'lab3'\n      tags: [chosen]\n      block:\n"
    + "        - name: Rotate a\n          opslib.runbook.logrotate: {config: a, paths: [/var/log/a/*.log]}\n"
    + rotate("b", "      tags: [never]\n")
    + rotate("c", "      tags: [always]\n"),
    "checks": HEAD
    + "  tasks:\n    - name: Processes\n      opslib.runbook.processes: {unit: ssh, command: sshd, least: 1}\n"
    + "    - name: Ports\n      opslib.runbook.listening_ports: {expected: ['22'], owner: {'22': ssh.service}}\n"
    + "    - name: Errors\n      opslib.runbook.log_errors: {paths: [/var/log/dpkg.log], since: 3650d, levels: []}\n",
    "failing checks": HEAD
    + "  ignore_errors: true\n"
    + "  tasks:\n    - name: Processes\n      opslib.runbook.processes: {unit: ssh, count: 77}\n"
    + "    - name: Ports\n      opslib.runbook.listening_ports: {expected: ['7', 22], owner: {'22': nginx.service}}\n"
    + "    - name: Errors\n      opslib.runbook.log_errors: {paths: [/var/log/no.log]}\n",
    "skipped handlers, items and includes": HEAD
    + "  tasks:\n"
    + rotate("a", "      notify: [Note it, Each]\n")
    + rotate("a", "      notify: Never\n").replace("Rotate a", "Again")
    + "    - name: Loop\n      opslib.runbook.service: {unit: '{{ item }}', state: started}\n"
    + "      loop: [dbus, no-such-unit, ssh]\n      when: item != 'ssh'\n      ignore_errors: true\n      notify: Never\n"
    + "    - name: Include\n      ansible.builtin.include_tasks: more.yml\n      when: inventory_hostname == 'lab2'\n"
    + "    - name: Some\n      ansible.builtin.include_tasks: more.yml\n      loop: [a, b]\n      when: item == 'b'\n"
    + "    - name: None\n      ansible.builtin.include_tasks: more.yml\n      loop: [a, b]\n      when: false\n"
    + "    - name: Nothing\n      ansible.builtin.include_tasks: more.yml\n      loop: []\n"
    + "    - name: Role\n      ansible.builtin.include_role: {name: opslib.runbook.maintenance, tasks_from: daily}\n"
    + "      when: false\n"
    + "  handlers:\n"
    + rotate("noted", "      when: inventory_hostname == 'lab1'\n").replace("Rotate noted", "Note it")
    + rotate("other").replace("Rotate other", "Never")
    + "    - name: Each\n      opslib.runbook.logrotate: {config: '{{ item }}', paths: ['/var/log/x/*.log']}\n"
    + "      loop: [b, c]\n      when: item == 'c'\n",
}


def play(hosts: str, *tasks: str, more: str = "") -> str:
    """Return a play. A task fails or is done on the hosts that its word names, or on all."""
    text = f"- hosts: {hosts}\n  gather_facts: false\n{more}  tasks:\n"
    for number, (what, _, host) in enumerate(task.partition(" on ") for task in tasks):
        action = {
            "write": "opslib.runbook.env_file: {path: '{{ folder }}/{{ inventory_hostname }}', set: {%s: done}}",
            "fail": "opslib.runbook.log_size: {paths: [/no/such/place]}",
            "assert": "ansible.builtin.assert: {that: false}",
        }[what]
        action = action.replace("%s", f"{hosts}_{number}".replace(":", "_").upper())
        when = f"      when: inventory_hostname == '{host}'\n" if host else ""
        text += f"    - name: {what}\n      {action}\n{when}"
    return text


# h1 to h8 are this machine, nothing answers at away1 and away2; one play in the middle is left to ansible-runner
LOSSES = (
    play("h1:h2:h3:h4", "fail on h1", "write")
    + play("h1:h2:h3", "fail on h2", "write", more="  serial: 2\n")
    + play("h1:h2:h4:h5", "fail on h4", "write", more="  max_fail_percentage: 40\n")
    + play("h4:h8", "fail on h8", more="  environment: {A: b}\n")
    + play("h5:away1", "write", "write", more="  max_fail_percentage: 10\n")
    + play("h6:away2", "write", "write", more="  any_errors_fatal: true\n")
    + play("h3:h6", "write")
    + play("h3:h5", "write", "write on h5", "assert on h3", "write", more="  any_errors_fatal: true\n")
    + play("h7", "write")
)


def outcome(report: Report) -> dict[str, object]:
    """Return what must be the same: how each host ended, and each of its steps."""
    return {
        name: (
            host.status.value,
            [(step.name, step.status.value, step.changed, step.ignored) for step in host.steps],
        )
        for name, host in report.hosts.items()
    }


def end_state(lab: Lab) -> list[str]:
    """Return what the playbooks may have changed, as the hosts' own tools tell it."""
    script = "cd /etc/logrotate.d && sha256sum * && stat -c '%n %a %U %s' *"
    return [host.run(["sh", "-c", script]).stdout for host in lab.hosts if host.running]


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
@pytest.mark.parametrize("case", PLAYBOOKS)
def test_same_outcome_and_same_end_state(lab: Lab, tmp_path: Path, case: str, check: bool) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text("---\n" + PLAYBOOKS[case])
    (tmp_path / "more.yml").write_text("---\n- name: More\n  opslib.runbook.log_size: {paths: [/var/log/lastlog]}\n")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        lab.inventory_text().replace("ansible_user: root", "ansible_user: ops")
        if "become" in case
        else lab.inventory_text()
    )
    seen = {}
    try:
        for engine in ("ssh", "ansible"):
            for host in lab.hosts:
                host.run(["sh", "-c", "cd /etc/logrotate.d && rm -f a b c noted other"])
            if case == "unreachable host":
                lab.hosts[1].kill_sshd()
            report = run_playbook(playbook, inventory, engine=engine, check=check, timeout=60)  # type: ignore[arg-type]
            assert report.engine == engine
            seen[engine] = (outcome(report), end_state(lab), report.exit_code)
            if case == "unreachable host":
                lab.hosts[1].start_sshd()
    finally:
        if case == "unreachable host":
            lab.hosts[1].start_sshd()
    assert seen["ssh"] == seen["ansible"]


@pytest.mark.parametrize("entry", ["maintenance:weekly", "maintenance:monthly", "service:status", "service:restart"])
@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_roles_of_ours_agree(lab: Lab, tmp_path: Path, entry: str, check: bool) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(lab.inventory_text())
    variables = {
        "service_unit": "ssh",
        "service_settle": 1,
        "maintenance_services": ["ssh", "dbus"],
        "maintenance_logrotate": [{"config": "a", "paths": ["/var/log/a/*.log"]}],
        "maintenance_retention": [{"root": "/var/log", "older_than": "1h"}],
    }
    seen = {}
    for engine in ("ssh", "ansible"):
        for host in lab.hosts:
            host.run(["sh", "-c", "rm -rf /etc/logrotate.d/a /var/backups/logs"])
        report = run_playbook(entry, inventory, engine=engine, check=check, timeout=60, extra_vars=variables)  # type: ignore[arg-type]
        assert report.engine == engine
        seen[engine] = (outcome(report), end_state(lab), report.exit_code)
    assert seen["ssh"] == seen["ansible"]
    assert seen["ssh"][2] == 0


def test_the_same_losses_end_the_same_batches_plays_and_playbooks(tmp_path: Path) -> None:
    """Hosts lost in earlier plays count for the size of a batch, unreachable ones not for the share that failed."""
    playbook, inventory = tmp_path / "play.yml", tmp_path / "hosts.ini"
    playbook.write_text(LOSSES)
    inventory.write_text(
        "h[1:8] ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
        "away[1:2] ansible_host=127.0.0.1 ansible_port=9\n"
    )
    seen = {}
    for engine in ("auto", "ansible"):
        folder = tmp_path / engine
        folder.mkdir()
        report = run_playbook(playbook, inventory, engine=engine, extra_vars={"folder": str(folder)})  # type: ignore[arg-type]
        assert report.engine == engine.replace("auto", "ssh+ansible")
        seen[engine] = outcome(report), {path.name: path.read_text() for path in folder.iterdir()}, report.exit_code
    assert seen["auto"] == seen["ansible"]
    assert sorted(seen["auto"][1]) == ["h2", "h3", "h4", "h5", "h6"]
