"""What there is to know about a task, from its class: feeds `opslib show`, the documents and the Ansible stubs."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.host.params import Kind, ListOf, Param, ParamError
from opslib.host.params import Mapping as MappingOf
from opslib.host.task import Task

__all__ = ["Parameter", "TaskReference", "of_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a task.

    label: what values it takes, in words; type, elements: the same in Ansible's words (`str`, `list`, ...); default:
    None when there is none; choices: the words it takes, if it takes only those.
    """

    name: str
    help: str
    label: str
    type: str
    elements: str | None = None
    required: bool = False
    default: Any = None
    choices: Sequence[str] = ()
    example: Any = None
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReference:
    """A task as people see it.

    summary: one line; paragraphs: what it does, each on one line; data: what the result's `data` holds; shortest: as
    few parameters as the task takes; example: as many as can be shown together; runs_on: `host` or `controller`.
    """

    name: str
    summary: str
    paragraphs: Sequence[str]
    data: str
    parameters: Sequence[Parameter]
    shortest: Mapping[str, Any]
    example: Mapping[str, Any]
    runs_on: str = "host"


def of_task(task_type: type[Task]) -> TaskReference:
    """Return what a task's class says about itself."""
    summary, *paragraphs = _paragraphs(task_type)
    parameters = [_parameter(name, spec) for name, spec in task_type.parameters().items()]
    shortest = _shortest(task_type, parameters)
    return TaskReference(
        name=task_type.name,
        summary=summary,
        paragraphs=[text for text in paragraphs if not text.startswith("data: ")],
        data=next((text[len("data: ") :] for text in paragraphs if text.startswith("data: ")), ""),
        parameters=parameters,
        shortest=shortest,
        example=_example(task_type, parameters, shortest),
        runs_on=task_type.runs_on,
    )


def _paragraphs(task_type: type[Task]) -> list[str]:
    text = inspect.cleandoc(task_type.__doc__ or task_type.name)
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _takes(task_type: type[Task], args: Mapping[str, Any]) -> bool:
    try:
        task_type(**args)
    except ParamError:
        return False
    return True


def _shortest(task_type: type[Task], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the fewest parameters that the task takes: those required, and one or two more where it wants them."""
    required = {each.name: each.example for each in parameters if each.required}
    others = [each for each in parameters if not each.required and each.example is not None]
    for count in range(3):
        for more in itertools.combinations(others, count):
            args = required | {each.name: each.example for each in more}
            if _takes(task_type, args):
                return args
    return required


def _example(task_type: type[Task], parameters: Sequence[Parameter], shortest: Mapping[str, Any]) -> dict[str, Any]:
    """Return as many parameters with an example as do not contradict each other, in their order."""
    chosen = dict(shortest)
    for each in parameters:
        if each.example is not None and _takes(task_type, chosen | {each.name: each.example}):
            chosen[each.name] = each.example
    return {each.name: chosen[each.name] for each in parameters if each.name in chosen}


def _parameter(name: str, spec: Param) -> Parameter:
    kind = spec.kind
    items = kind.item if isinstance(kind, ListOf) else None
    default = None if spec.required else spec.make()
    example = spec.example
    if example is None and spec.required:
        example = _sample(kind)
    return Parameter(
        name=name,
        help=spec.help,
        label=kind.label,
        type=kind.ansible,
        elements=items.ansible if items else None,
        required=spec.required,
        default=None if default is None else _canonical(kind, default),
        choices=tuple((items or kind).choices),
        example=example,
        secret=kind.secret,
    )


def _canonical(kind: Kind, default: Any) -> Any:
    """Return a default as it was written, if that is text, and of the type that the documentation promises."""
    if kind.ansible in ("str", "path"):
        return str(default)
    return kind(default)


def _sample(kind: Kind) -> Any:
    if kind.choices:
        return kind.choices[0]
    if isinstance(kind, ListOf):
        return [_sample(kind.item)]
    if isinstance(kind, MappingOf):
        return {}
    return {"path": "/srv/app", "int": 1, "float": 1, "bool": True}.get(kind.ansible, "example")
