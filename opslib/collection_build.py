"""Write the generated files of the collection `opslib.runbook`: action plugins, documentation stubs, runtime.yml.

`python -m opslib.collection_build` in a checkout brings them up to date; a test fails while they are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from opslib import reference, tasks
from opslib.reference import Parameter, TaskReference

__all__ = ["FOLDER", "REQUIRES_ANSIBLE", "VERSION_ADDED", "files", "outdated", "write"]

FOLDER = Path(__file__).with_name("collection")
REQUIRES_ANSIBLE = ">=2.19.14,<2.20"
VERSION_ADDED = "0.1.0"
_WIDTH = 90  # the last word of a line may stand beyond it
_GENERATED = ("plugins/action", "plugins/modules")
_HEAD = """\
# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
"""
_ACTION = """\
from __future__ import annotations

from ansible_collections.opslib.runbook.plugins.plugin_utils.task_action import TaskAction


class ActionModule(TaskAction, task="{name}"):
    \"\"\"Carries the task `{name}`.\"\"\"
"""
_CHANGE = {
    "kind": ("str", "C(create), C(modify), C(remove), or C(action) for an act that is no state."),
    "summary": ("str", "What was done, or in check mode would be done."),
    "before": ("raw", "How it was; hidden where it is a secret."),
    "after": ("raw", "How it is to be; hidden where it is a secret."),
    "certain": ("bool", "Whether it is sure to happen; false for what may change."),
}
_RESULT = {
    "status": ("str", "C(ok), C(changed) or C(failed)."),
    "changed": ("bool", "Whether anything was changed, or in check mode would be."),
    "reason": ("str", "Why there was nothing to do, or what was found."),
    "warnings": ("list", "Remarks that do not fail the task."),
    "data": ("dict", "The facts that the task gathered."),
    "error": ("str", "What went wrong and what to do; null when nothing did."),
    "seconds": ("float", "Time taken."),
}


def files() -> dict[str, str]:
    """Return the generated files by their path inside the collection."""
    found = [reference.of_task(tasks.get(name)) for name in tasks.names()]
    written = {"meta/runtime.yml": _runtime(found)}
    for each in found:
        written[f"plugins/action/{each.name}.py"] = _HEAD + _ACTION.format(name=each.name)
        written[f"plugins/modules/{each.name}.py"] = _stub(each)
    return written


def outdated(folder: Path = FOLDER) -> list[str]:
    """Return the generated files that are missing, not as they should be, or no longer wanted."""
    wanted = files()
    stale = [path for path, text in wanted.items() if not _same(folder / path, text)]
    found = [path for part in _GENERATED for path in (folder / part).glob("*.py")]
    return sorted({*stale, *(str(path.relative_to(folder)) for path in found if _named(path, folder) not in wanted)})


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the generated files up to date and return those that were written or removed."""
    wanted = files()
    changed = outdated(folder)
    for path in changed:
        target = folder / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], encoding="utf-8")
        else:
            target.unlink()
    return changed


def _named(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _runtime(found: Sequence[TaskReference]) -> str:
    return "---\n" + _yaml(
        {"requires_ansible": REQUIRES_ANSIBLE, "action_groups": {"all": sorted(each.name for each in found)}}
    )


def _stub(task: TaskReference) -> str:
    parts = {
        "DOCUMENTATION": _documentation(task),
        "EXAMPLES": _examples(task),
        "RETURN": _returns(task),
    }
    blocks = "\n".join(f'{name} = r"""\n---\n{_yaml(body)}"""\n' for name, body in parts.items())
    return f"{_HEAD}from __future__ import annotations\n\n{blocks}"


def _documentation(task: TaskReference) -> dict[str, Any]:
    attributes = {
        "action": {"support": "full"},
        "async": {"support": "none"},
        "become": {"support": "full"},
        "bypass_host_loop": {"support": "none"},
        "check_mode": {"support": "full"},
        "connection": {"support": "full"},
        "delegation": {"support": "full"},
        "diff_mode": {"support": "full"},
        "platform": {"support": "full", "platforms": "posix"},
    }
    here = task.runs_on == "controller"
    if here:
        attributes["connection"] = attributes["become"] = {"support": "none"}
        attributes["delegation"] = {"support": "none"}
    own = [each.name for each in task.parameters]
    body: dict[str, Any] = {
        "module": task.name,
        "short_description": task.summary.rstrip("."),
        "version_added": VERSION_ADDED,
        "description": [_markup(text, own) for text in (task.paragraphs or [task.summary])],
        "author": ["opslib contributors (@opslib)"],
    }
    if task.parameters:
        body["options"] = {each.name: _option(each, own) for each in task.parameters}
    body["extends_documentation_fragment"] = [
        "ansible.builtin.action_common_attributes",
        "ansible.builtin.action_common_attributes.conn",
        "ansible.builtin.action_common_attributes.flow",
    ]
    body["attributes"] = attributes
    body["requirements"] = ["opslib on the controller", *([] if here else ["Python 3.8 or newer on the host"])]
    return body


def _option(each: Parameter, own: Sequence[str]) -> dict[str, Any]:
    words = [_markup(each.help, own)]
    if not each.choices and each.label not in ("text", "boolean"):
        words.append(_markup(f"{each.label[:1].upper()}{each.label[1:]}."))
    option: dict[str, Any] = {"description": words, "type": each.type}
    if each.elements:
        option["elements"] = each.elements
    if each.required:
        option["required"] = True
    elif each.default is not None:
        option["default"] = each.default
    if each.choices:
        option["choices"] = list(each.choices)
    return option


def _examples(task: TaskReference) -> list[dict[str, Any]]:
    name = f"opslib.runbook.{task.name}"
    found: list[dict[str, Any]] = [{"name": _title(task), name: dict(task.shortest)}]
    if len(task.example) > len(task.shortest):
        found.append({"name": f"{_title(task)}, with parameters", name: dict(task.example)})
    return [{key: value or None for key, value in each.items()} for each in found]


def _title(task: TaskReference) -> str:
    """Return a task name for an example: the first clause of the summary that says something."""
    return re.split(r", and |[;:]", task.summary.rstrip("."))[0]


def _returns(task: TaskReference) -> dict[str, Any]:
    data = _markup(task.data) if task.data else "The facts that the task gathered."
    contains: dict[str, Any] = {key: _value(*words) for key, words in _RESULT.items()}
    contains["warnings"]["elements"] = "str"
    contains["changes"] = {
        "description": "What was changed, or in check mode would be.",
        "returned": "always",
        "type": "list",
        "elements": "dict",
        "contains": {key: _value(*words) for key, words in _CHANGE.items()},
    }
    return {
        "reason": _value("str", _RESULT["reason"][1]),
        "data": _value("dict", data),
        "opslib": {
            "description": "The whole result, as opslib reports it.",
            "returned": "always",
            "type": "dict",
            "contains": contains,
        },
    }


def _value(kind: str, words: str) -> dict[str, Any]:
    return {"description": words, "returned": "always", "type": kind}


def _markup(text: str, own: Sequence[str] = ()) -> str:
    """Turn backticks into Ansible's markup, where it can carry what stands between them; own: names of parameters."""

    def mark(found: re.Match[str]) -> str:
        return f"{'O' if found[1] in own else 'C'}({found[1]})"

    return re.sub(r"`([^`()]+)`", mark, text).replace("`", "'")


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key and keeps the order of keys, as ansible-lint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's signature
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


_Dumper.add_representer(type(None), lambda dumper, _value: dumper.represent_scalar("tag:yaml.org,2002:null", ""))


def _yaml(body: Any) -> str:
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=False, default_flow_style=False)


if __name__ == "__main__":
    write()
