"""Stock `ansible-playbook` as the oracle, and a simulation of what the ssh engine would do with the same playbook.

Tasks of ours do nothing here: a step changes something when its URL says `changed`, fails when it says `boom`, takes a
host's name before `.` as a condition for both (`http://h/changed.web1`). So what the oracle reports of every task and
item on every host can be compared with what the compiler made of the playbook.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib.engines.work import Compiled
from opslib.result import Status, StepResult
from opslib.step import Step

TASKS = (
    "disk_usage",
    "http_check",
    "listening_ports",
    "log_errors",
    "log_retention",
    "log_size",
    "logrotate",
    "memory_usage",
    "processes",
    "service",
)

ACTION = """
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        words = str(self._task.args.get("url", "")).rpartition("/")[2].split(",")
        here = task_vars["inventory_hostname"]
        result["url"] = str(self._task.args.get("url", ""))
        result["check"] = bool(self._task.check_mode)
        result["become"] = self._connection.become.get_option("become_user") if self._connection.become else None
        result["changed"] = "changed" in words or "changed." + here in words
        if "boom" in words or "boom." + here in words:
            result.update(failed=True, msg="boom")
        return result
"""

CALLBACK = '''
DOCUMENTATION = """
name: oracle
type: stdout
short_description: writes down what happens
description: as JSON lines
"""
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "oracle"

    def note(self, status, result, item=False, ignored=False):
        if result.task.action in ("meta", "include_tasks", "include_role") or result.task.action.endswith(
            (".meta", ".include_tasks", ".include_role")
        ):
            if status != "skipped" and status != "failed":
                return
        if not item and result.task.loop is not None and "results" in result.result and result.result["results"]:
            return
        data = result.result
        if status == "ok" and data.get("changed"):
            status = "changed"
        name = self.title
        if item:
            name += " (item=%s)" % (data.get("_ansible_item_label"),)
            ignored = result.task.ignore_errors is True
        row = {"host": result.host.name, "name": name, "status": status, "ignored": ignored and status == "failed"}
        for key in ("url", "check", "become"):
            if key in data:
                row[key] = data[key]
        row["msg"] = str(data.get("msg", data.get("reason", "")))
        with open(os.environ["ORACLE_FILE"], "a") as file:
            file.write(json.dumps(row) + "\\n")

    def start(self, task):
        self.title = task.get_name().strip()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.start(task)

    def v2_playbook_on_handler_task_start(self, task):
        self.start(task)

    def v2_runner_on_ok(self, result):
        self.note("ok", result)

    def v2_runner_on_skipped(self, result):
        self.note("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.note("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self.note("unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self.note("ok", result, item=True)

    def v2_runner_item_on_failed(self, result):
        self.note("failed", result, item=True)

    def v2_runner_item_on_skipped(self, result):
        self.note("skipped", result, item=True)
'''

SERVER = """
import json, os, sys
import ansible.cli.playbook
from ansible.utils.display import Display

for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        out = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1), os.dup2(out, 2)
        os.chdir(job["cwd"])
        os.environ["ORACLE_FILE"] = job["rows"]
        code = 99
        try:
            ansible.cli.playbook.main(job["argv"])
            code = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps(code), flush=True)
"""


def make_collection(folder: Path) -> Path:
    """Put a collection `opslib.runbook` whose tasks do nothing below a folder, and return the folder.

    Ansible keeps to the first place where it found a collection, so there is one for the whole test run.
    """
    root = folder / "ansible_collections" / "opslib" / "runbook"
    for name in ("action", "modules"):
        (root / "plugins" / name).mkdir(parents=True)
    (root / "meta").mkdir()
    (root / "meta" / "runtime.yml").write_text("requires_ansible: '>=2.19'\n")
    task = "{name: it, opslib.runbook.http_check: {url: http://h/ours}}"
    write(
        root,
        {
            "roles/maintenance/tasks/main.yml": f"- {task}\n",
            "playbooks/weekly.yml": f"- {{name: Weekly, hosts: all, gather_facts: false, tasks: [{task}]}}\n",
        },
    )
    for task in TASKS:
        (root / "plugins" / "action" / f"{task}.py").write_text(ACTION)
        (root / "plugins" / "modules" / f"{task}.py").write_text("")
    return folder


@dataclass(frozen=True, slots=True)
class Row:
    """What one task, or one item of it, came to on one host."""

    host: str
    name: str
    status: str
    ignored: bool = False
    url: str | None = None
    become: str | None = None
    check: bool | None = None


class Oracle:
    """A process in which ansible-playbook is loaded, and which forks for every playbook."""

    def __init__(self, folder: Path, collections: Path) -> None:
        self.folder = folder
        (folder / "callbacks").mkdir()
        (folder / "callbacks" / "oracle.py").write_text(CALLBACK)
        env = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
        env.update(
            HOME=str(folder),
            LC_ALL="C.UTF-8",
            ANSIBLE_CALLBACK_PLUGINS=str(folder / "callbacks"),
            ANSIBLE_STDOUT_CALLBACK="oracle",
            ANSIBLE_COLLECTIONS_PATH=str(collections),
            ANSIBLE_LOCAL_TEMP=str(folder),
            ANSIBLE_DEPRECATION_WARNINGS="false",
            ANSIBLE_LOCALHOST_WARNING="false",
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
            cwd=folder,
        )
        self.count = 0

    def run(self, argv: Sequence[str], cwd: Path) -> tuple[int, list[Row], str]:
        """Run ansible-playbook; return its exit code, what it reported, and what it printed."""
        self.count += 1
        rows, out = self.folder / f"rows{self.count}", self.folder / f"out{self.count}"
        rows.touch()
        job = {"argv": ["ansible-playbook", *argv], "cwd": str(cwd), "rows": str(rows), "out": str(out)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(job), file=self.process.stdin, flush=True)
        code = json.loads(self.process.stdout.readline())
        found = []
        for line in rows.read_text().splitlines():
            data = json.loads(line)
            data.pop("msg")
            found.append(Row(**data))
        return code, found, out.read_text()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def simulate(compiled: Compiled, *, check: bool = False) -> list[Row]:
    """Do what the ssh engine is to do with a compiled playbook, with tasks that do nothing."""
    rows: list[Row] = []
    lost: set[str] = set()
    for play in compiled.plays:
        assert play.obstacle is None, play.obstacle
        for batch in play.batches:
            names = [name for name in batch if name not in lost]
            if not names:
                continue
            hosts = [_Host(work.target.name, list(work.items), check) for work in compiled.work(play, names)]
            if play.policy.lockstep:
                _lockstep(hosts, play.policy.any_errors_fatal, play.policy.max_fail_percentage)
            else:
                for host in hosts:
                    host.run(host.items)
            rows.extend(row for host in hosts for row in host.rows)
            bad = {host.name for host in hosts if host.failed or host.stopped}
            lost |= bad
            if len(bad) == len(batch):
                return rows
            limit = play.policy.max_fail_percentage
            if limit is not None and 100 * len(bad) / len(names) > limit:
                return rows
    return rows


class _Host:
    def __init__(self, name: str, items: list[Step | StepResult], check: bool) -> None:
        self.name, self.items, self.check = name, items, check
        self.rows: list[Row] = []
        self.changed: dict[int, int | None] = {}
        self.spoilt: set[int | None] = set()
        self.failed: list[tuple[int | None, bool]] = []
        self.stopped = False

    def run(self, items: Sequence[Step | StepResult]) -> None:
        for item in items:
            if not self._wanted(item):
                continue
            if isinstance(item, Step):
                self._do(item)
            else:
                self.rows.append(Row(self.name, item.name, str(item.status), item.ignored))
                if item.status is Status.FAILED and not item.ignored:
                    self.failed.append((_part(item, "position"), False))

    def _wanted(self, item: Step | StepResult) -> bool:
        place, always, notified = _part(item, "position"), _part(item, "always"), _part(item, "handler_of")
        over = [forced for other, forced in self.failed if place is None or other != place]
        if over and (not always or any(over)):
            return False
        return notified is None or any(number in self.changed for number in notified)

    def _do(self, step: Step) -> None:
        url = step.task.args().get("url", "")
        words = url.rpartition("/")[2].split(",")
        changed = "changed" in words or f"changed.{self.name}" in words
        failed = "boom" in words or f"boom.{self.name}" in words
        status = "failed" if failed else "changed" if changed else "ok"
        if failed:
            self.spoilt.add(step.position)
            self.changed = {number: place for number, place in self.changed.items() if place != step.position}
        elif changed and step.position not in self.spoilt:
            self.changed[step.id] = step.position
        if failed and not step.ignore_errors:
            self.failed.append((step.position, step.always))
        become = step.become.user if step.become not in (None, True, False) else None
        check = self.check if step.check is None else step.check
        self.rows.append(Row(self.name, step.title, status, failed and step.ignore_errors, url, become, check))


def _part(item: Step | StepResult, name: str) -> Any:
    """Return what only steps, and results in their place, have."""
    return getattr(item, name, None)


def _lockstep(hosts: list[_Host], fatal: bool, limit: float | None) -> None:
    places = sorted({item.position for host in hosts for item in host.items if isinstance(item, Step)})
    for place in places:
        for host in hosts:
            host.run([item for item in host.items if isinstance(item, Step) and item.position == place])
        failed = sum(bool(host.failed) for host in hosts)
        if failed and (fatal or (limit is not None and 100 * failed / len(hosts) > limit)):
            for host in hosts:
                host.stopped = True
            return


def by_host(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows cut up by host, each in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.host, []).append(row)
    return found


def text(value: str) -> str:
    """Return an indented block of text without its indentation."""
    return textwrap.dedent(value).lstrip("\n")


def write(folder: Path, files: dict[str, Any]) -> None:
    """Write files with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(content))
