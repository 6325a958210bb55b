"""How a new secret is proven, and who must take it up: a program, and tasks of opslib."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opslib import tasks
from opslib.errors import UsageError
from opslib.host import command, wire
from opslib.host.params import ListOf, Mapping, Name, ParamError, Text, shown
from opslib.host.task import Task, TaskError
from opslib.host.words import printable
from opslib.host.worker import CHANGED, OK, run_step

__all__ = ["Program", "TaskSpecs", "make", "prove_by_program", "run_tasks"]

_PLACE = "{secret}"
_SAMPLE = "sample-of-a-secret"
_OWN = ("account", "region", "profile")


class Program(ListOf):
    """A program and its arguments."""

    def __init__(self) -> None:
        super().__init__(Text("argument", empty=True), empty=False, longest=100)

    def __call__(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            raise ParamError(f"{shown(value)} is one text; give the program and each argument as items of a list")
        found = super().__call__(value)
        if any(_PLACE in each for each in found):
            raise ParamError(f"every user can see arguments: the secret comes on standard input, not as {_PLACE}")
        return found


class TaskSpecs(ListOf):
    """Tasks to run: each with its name as `task` and its parameters as `args`."""

    def __init__(self) -> None:
        super().__init__(Mapping(), longest=20)
        self.label = "list of tasks, each with task and args"

    def __call__(self, value: Any) -> list[Any]:
        found = []
        for number, each in enumerate(super().__call__(value)):
            args = each.get("args", {})
            if set(each) - {"task", "args"} or "task" not in each or not isinstance(args, dict):
                raise ParamError(f"item {number + 1}: give task, a name, and args, a mapping")
            found.append({"task": Name("name of a task", signs="_")(each["task"]), "args": args})
        return found


def make(spec: dict[str, Any], own: dict[str, Any], secret: str = _SAMPLE) -> tuple[type[Task], dict[str, Any]]:
    """Return the class and the parameters of a task, with the secret in its place. Raises ParamError.

    own: account, region and profile, for tasks that have them and are not given others.
    """
    try:
        kind = tasks.get(spec["task"])
    except UsageError as error:
        raise ParamError(str(error)) from None
    usual = {key: own[key] for key in _OWN if key in kind.parameters() and own.get(key) is not None}
    args = {**usual, **_filled(spec["args"], secret)}
    kind(**args)
    return kind, args


def _filled(value: Any, secret: str) -> Any:
    """Return a JSON value with the secret in its place in every text."""
    if isinstance(value, str):
        return value.replace(_PLACE, secret)
    if isinstance(value, dict):
        return {key: _filled(item, secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, secret) for item in value]
    return value


def prove_by_program(argv: Sequence[str], secret: str, timeout: float) -> None:
    """Run a program with the secret on its standard input. Raises TaskError when it ends with another code than 0.

    What it says is never told: parts of the secret may stand in it.
    """
    code = command.run(argv, stdin=secret.encode(), timeout=timeout, ok=None).code
    if code:
        raise TaskError(f"{printable(argv[0])} ended with {code}: it does not take the value")


def run_tasks(
    specs: Iterable[dict[str, Any]],
    own: dict[str, Any],
    secret: str,
    tell: Callable[[dict[str, Any]], object],
    hidden: Callable[[], Iterable[str]],
) -> None:
    """Run tasks, one after the other. Raises TaskError when one fails.

    tell: is told what they say; hidden: what must not stand in it.
    """
    for spec in specs:
        try:
            kind, args = make(spec, own, secret)
        except ParamError:  # its words may hold a part of the secret
            raise TaskError(f"{spec['task']}: its parameters do not take the value") from None
        result = run_step(kind, args, False, lambda message: tell(wire.mask(message, hidden())))
        if result["status"] not in (OK, CHANGED):
            raise TaskError(f"{spec['task']}: {result['error']}")
