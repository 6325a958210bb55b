"""The ansible carrier: one task, one payload, over whatever runs a command for us. Imports nothing of Ansible.

The action plugins of the collection `opslib.runbook` are thin wrappers around `carry`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opslib.carriers import controller, payload
from opslib.carriers.protocol import Answer, Bye, End, Hello, Part
from opslib.errors import CarrierError
from opslib.host import wire
from opslib.host.params import ParamError
from opslib.host.task import ACTION, Task
from opslib.result import Status, StepResult

__all__ = ["Execute", "Tell", "carry", "prepare", "shell_command"]

_HIDDEN = "(hidden)"
_INTERPRETERS = ("python3", "/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python")
_MAX_SAID = 500

Execute = Callable[[str, bytes], tuple[int, str, str]]
Tell = Callable[[str, Mapping[str, Any]], object]


def prepare(task_type: type[Task]) -> None:
    """Compile what a task's payload is made of, so that processes forked from this one need not."""
    if task_type.runs_on == "host":
        payload.encode(payload.Job(steps=(), tasks=(task_type,), watch=False))


def shell_command(interpreter: str | None) -> str:
    """Return the shell command that starts a payload.

    interpreter: a path, or a command with arguments; None for the first Python that is found on the host.
    """
    start = shlex.join(payload.command("python3")[1:])
    if interpreter:
        return f"{interpreter} {start}"
    found = f'for p in {" ".join(_INTERPRETERS)}; do if command -v "$p" >/dev/null 2>&1; then'
    return f'{found} "$p" {start}; exit; fi; done; echo no python3 found >&2; exit 127'


def carry(
    task_type: type[Task],
    args: Mapping[str, Any],
    execute: Execute,
    *,
    interpreter: str | None = None,
    check: bool = False,
    diff: bool = False,
    deadline: float | None = None,
    secrets: Iterable[str] = (),
    through_file: bool = False,
    tell: Tell | None = None,
    confide: Callable[[Iterable[str]], object] | None = None,
) -> dict[str, Any]:
    """Run a task and return its result as Ansible expects one; a parameter that is wrong is a failure, nothing is sent.

    execute: runs a shell command on the host with these bytes as its standard input, and returns exit code, standard
    output and standard error; deadline: seconds the task may take, None for as long as its own parameters allow;
    secrets: texts to mask in the result; through_file: `execute` cannot do without a temporary file, so that a task
    with a secret is refused; tell: is given what a task that runs here says before its end, without secrets.
    """
    try:
        task = task_type(**args)
    except ParamError as error:
        return _failed(wire.mask(str(error), secrets))
    hide = {*secrets, *task.secrets()}
    if hide and confide is not None:
        confide(hide)
    if hide and through_file and task.runs_on == "host":
        return _failed(
            f"{task.name} holds a secret, and this way to the host would put it into a temporary file; use another "
            "connection than paramiko, another become_method than su"
        )
    try:
        result = _send(task, execute, interpreter, check=check, deadline=deadline, secrets=hide, tell=tell)
    except CarrierError as error:
        return _failed(wire.mask(str(error), hide))
    return _for_ansible(result, diff)


def _send(
    task: Task,
    execute: Execute,
    interpreter: str | None,
    *,
    check: bool,
    deadline: float | None,
    secrets: set[str],
    tell: Tell | None,
) -> StepResult:
    here = task.runs_on == "controller"
    job = payload.Job(
        steps=[{"id": 0, "task": task.name, "args": task.args()}],
        tasks=[type(task)],
        check=check,
        deadline=deadline,
        watch=here,  # on a host, Ansible closes standard input behind the payload
        token=payload.Job.new_token(),
    )
    heard = _Heard(job.token, lambda said: tell(task.name, wire.mask(dict(said), secrets)) if tell else None)
    if here:
        code, _out, err = controller.carry_out(job, heard.take)
        heard.take(b"\n")
    else:
        code, out, err = execute(shell_command(interpreter), payload.encode(job))
        heard.take(out.encode("utf-8", "surrogateescape") + b"\n")
    if heard.outcome is None:
        raise CarrierError(heard.reason or _no_answer(code, err, heard.answer.explain(), interpreter, heard.started))
    masked = wire.mask_result(dict(heard.outcome), secrets)
    try:
        return StepResult.from_dict({**masked, "name": task.name, "task": task.name, "ignored": False})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CarrierError(f"the host's answer makes no sense: {error}") from error


class _Heard:
    """What a payload of one step has said so far; tell: is given what the step says before its end."""

    def __init__(self, token: str, tell: Callable[[Mapping[str, Any]], object]) -> None:
        self.answer = Answer(token, 1)
        self.outcome: Mapping[str, Any] | None = None
        self.started = False
        self.reason: str | None = None
        self._tell = tell

    def take(self, piece: bytes) -> None:
        """Take some of the output."""
        for message in self.answer.feed(piece):
            if isinstance(message, Hello):
                self.started = True
            elif isinstance(message, Part):
                self._tell(message.message)
            elif isinstance(message, End):
                self.outcome = message.result
            elif isinstance(message, Bye):
                self.reason = message.error


def _no_answer(code: int, err: str, noise: str, interpreter: str | None, started: bool) -> str:
    said = "; ".join(text.strip()[-_MAX_SAID:] for text in (err, noise) if text.strip())
    if started:
        return f"the payload ended without a result (exit code {code}): {said or 'it said nothing'}"
    if code == 127:
        return f"{interpreter or 'python3'} was not found on the host; set ansible_python_interpreter ({said})"
    return f"the host did not run the payload (exit code {code}): {said or 'it said nothing'}"


def _failed(message: str) -> dict[str, Any]:
    result = StepResult(name="", task="", status=Status.FAILED, error=message)
    return {"failed": True, "changed": False, "msg": message, "opslib": _own(result)}


def _own(result: StepResult) -> dict[str, Any]:
    known = result.to_dict()
    return {key: value for key, value in known.items() if key not in ("name", "task", "ignored")}


def _for_ansible(result: StepResult, diff: bool) -> dict[str, Any]:
    failed = result.status is Status.FAILED
    answer: dict[str, Any] = {
        "changed": result.changed,
        "reason": result.reason,
        "data": dict(result.data),
        "opslib": _own(result),
    }
    if failed:
        answer.update(failed=True, msg=result.error or "it failed and did not say why")
    elif result.reason:
        answer["msg"] = result.reason
    if result.warnings:
        answer["warnings"] = list(result.warnings)
    if diff and result.changes:
        answer["diff"] = [_diff(change.kind, change.summary, change.before, change.after) for change in result.changes]
    return answer


def _diff(kind: str, summary: str, before: Any, after: Any) -> dict[str, str]:
    """Return a difference as Ansible shows one; where there are no two sides to compare, its summary."""
    if kind == ACTION or (before is None and after is None) or _HIDDEN in (before, after):
        return {"prepared": summary + "\n"}
    return {
        "before": _lines(before),
        "after": _lines(after),
        "before_header": summary,
        "after_header": summary,
    }


def _lines(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else wire.dumps(value)
    return text if not text or text.endswith("\n") else text + "\n"
