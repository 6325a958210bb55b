"""What there is to know about a task, taken from its class: feeds `opslib show`, the documents and the Ansible stubs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.host.params import Kind, Param
from opslib.host.params import ListOf, Mapping as MappingOf
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

    summary: one line; paragraphs: what it does, each on one line; data: what the result's `data` holds; example:
    parameters worth showing, those required included.
    """

    name: str
    summary: str
    paragraphs: Sequence[str]
    data: str
    parameters: Sequence[Parameter]
    example: Mapping[str, Any]


def of_task(task_type: type[Task]) -> TaskReference:
    """Return what a task's class says about itself."""
    summary, *paragraphs = _paragraphs(task_type)
    parameters = [_parameter(name, spec) for name, spec in task_type.parameters().items()]
    return TaskReference(
        name=task_type.name,
        summary=summary,
        paragraphs=[text for text in paragraphs if not text.startswith("data: ")],
        data=next((text[len("data: ") :] for text in paragraphs if text.startswith("data: ")), ""),
        parameters=parameters,
        example={each.name: each.example for each in parameters if each.example is not None},
    )


def _paragraphs(task_type: type[Task]) -> list[str]:
    text = inspect.cleandoc(task_type.__doc__ or task_type.name)
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


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
