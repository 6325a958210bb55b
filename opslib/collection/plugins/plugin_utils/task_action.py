# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one action plugin class of this collection; every action plugin is a subclass that only names its task."""
# ruff: noqa: SLF001 - Ansible hands its action plugins what they need under such names

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants, context
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import EncryptedString, VaultHelper
from ansible.plugins.action import ActionBase

try:
    from opslib import tasks
    from opslib.carriers import ansible as carrier
    from opslib.carriers import told

    PROBLEM = None
except ImportError as error:
    PROBLEM = str(error)

AUTO = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")


class TaskAction(ActionBase):
    """Sends one task's payload over Ansible's own connection: one exec, no temporary folder, no file transfer."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False
    task_name: ClassVar[str] = ""

    def __init_subclass__(cls, task: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.task_name = task
        if PROBLEM is None:  # Ansible imports this once and then forks for every host
            carrier.prepare(tasks.get(task))
            cls._requires_connection = tasks.get(task).runs_on == "host"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task on the host and return its result."""
        if self._task.async_val:
            raise AnsibleActionFail(
                f"{self._task.action} does not run with 'async'; its time is limited by 'timeout' instead"
            )
        result = super().run(tmp, task_vars)
        if PROBLEM is not None:
            raise AnsibleActionFail(f"opslib is not installed for the Python that runs Ansible: {PROBLEM}")
        secrets: set[str] = set()
        args = {str(key): _plain(value, secrets) for key, value in self._task.args.items()}
        step = self._task.get_name(include_role_fqcn=True)
        with told.Teller(str((task_vars or {}).get("inventory_hostname")), step) as teller:
            result.update(
                carrier.carry(
                    tasks.get(self.task_name),
                    args,
                    self._execute,
                    interpreter=self._interpreter(task_vars or {}),
                    check=bool(self._task.check_mode),
                    diff=bool(self._task.diff),
                    deadline=float(self._task.timeout) if self._task.timeout else None,
                    secrets=secrets,
                    through_file=self._needs_file(),
                    tell=None if self._task.no_log else teller.tell,
                    confide=teller.confide,
                )
            )
        check, of_run = bool(self._task.check_mode), bool(context.CLIARGS.get("check"))
        if check is not of_run and isinstance(result.get("opslib"), dict):
            result["opslib"]["check"] = check
        return result

    def _interpreter(self, task_vars: dict[str, Any]) -> str | None:
        """Return what the host's variables or Ansible's discovery name, or None for whatever `python3` is there."""
        delegate = self._task.delegate_to
        if delegate:
            task_vars = (task_vars.get("ansible_delegated_vars") or {}).get(delegate) or task_vars
        configured = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        chosen = self._templar.template(configured) if configured else None
        if chosen and chosen not in AUTO:
            return str(chosen)
        found = (task_vars.get("ansible_facts") or {}).get("discovered_interpreter_python")
        return str(found) if found else None

    def _needs_file(self) -> bool:
        """Whether the command cannot be given a standard input: over paramiko, or by su."""
        become = self._connection.become
        return not self._connection.has_pipelining or bool(become and not become.pipelining)

    def _execute(self, command: str, data: bytes) -> tuple[int, str, str]:
        if self._needs_file():
            return self._execute_from_file(command, data)
        with contextlib.suppress(
            KeyError
        ):  # else the local connection gives sudo a terminal, which garbles the payload
            self._connection.set_option("pipelining", True)
        return self._run(command, data)

    def _execute_from_file(self, command: str, data: bytes) -> tuple[int, str, str]:
        """Do without standard input: the payload goes through a file that only this task's user can read."""
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        there = self._connection._shell.join_path(folder, "payload")
        handle, here = tempfile.mkstemp(dir=constants.DEFAULT_LOCAL_TMP)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            self._transfer_file(here, there)
        finally:
            Path(here).unlink()
        self._fixup_perms2((folder, there), execute=False)
        quoted = shlex.quote(there)
        return self._run(f"{{ {command}; }} < {quoted}", None)

    def _run(self, command: str, data: bytes | None) -> tuple[int, str, str]:
        done = self._low_level_execute_command(command, in_data=data, encoding_errors="surrogateescape")
        return done["rc"], done["stdout"], done["stderr"]


def _plain(value: Any, secrets: set[str]) -> Any:
    """Rebuild a value from plain types; what came from a vault is remembered as secret."""
    if isinstance(value, EncryptedString):
        value = str(value)
        secrets.add(value)
    if isinstance(value, str):
        text = str.__str__(value)
        if VaultHelper.get_ciphertext(value, with_tags=False):
            secrets.add(text)
        return text
    if isinstance(value, dict):
        return {str(key): _plain(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, secrets) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for plain in (int, float):
        if isinstance(value, plain):
            return plain(value)
    return value
