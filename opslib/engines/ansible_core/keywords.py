"""A task's keywords and parameters, worked out for one host."""

# ruff: noqa: SLF001 - much of ansible-core is private

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible._internal._datatag import _utils
from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible._internal._task import TaskArgsFinalizer
from ansible._internal._templating._jinja_plugins import _DirectCall, _invoke_lookup
from ansible.errors import AnsibleError
from ansible.executor.module_common import _get_action_arg_defaults
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.sentinel import Sentinel
from ansible.module_utils.datatag import native_type_name

from opslib.engines.ansible_core.templates import Engine
from opslib.engines.ansible_core.values import plain

__all__ = ["argument_errors", "attribute", "display_name", "fixed_attribute", "loop_items", "task_args"]


def loop_items(task: Any, engine: Engine) -> list[Any] | None:
    """Return the items that a task loops over, None for a task without a loop.

    As `TaskExecutor._get_loop_items` does it, which needs a whole worker around it.
    """
    if task.loop_with:
        if engine.watch is not None:
            engine.watch(f"query('{task.loop_with}')", engine.available_variables)  # which is what with_... means
        terms = task.loop
        if isinstance(terms, str):
            terms = engine.resolve_to_container(_utils.str_problematic_strip(terms))
        if not isinstance(terms, list):
            terms = [terms]

        def invoke_lookup() -> Any:
            return _invoke_lookup(
                plugin_name=task.loop_with,
                lookup_terms=terms,
                lookup_kwargs={"wantlist": True},
                invoked_as_with=True,
            )

        _DirectCall.mark(invoke_lookup)
        items = engine.evaluate_expression(
            TrustedAsTemplate().tag("invoke_lookup()"), local_variables={"invoke_lookup": invoke_lookup}
        )
    elif task.loop is not None:
        items = engine.template(task.loop)
    else:
        return None
    if not isinstance(items, list):
        raise AnsibleError(
            f"The `loop` value must resolve to a 'list', not {native_type_name(items)!r}.", obj=task.loop
        )
    return items


def attribute(task: Any, name: str, engine: Engine) -> Any:
    """Return a keyword of a task, templated and of the right type, as `Task.post_validate` would set it."""
    apart = task.copy(exclude_parent=True, exclude_tasks=True)
    apart._parent = task._parent
    value = apart.post_validate_attribute(name, templar=engine)
    return getattr(apart, name) if value is Sentinel else value


def fixed_attribute(task: Any, name: str) -> Any:
    """Return a keyword that holds no template, of the right type."""
    value = getattr(task, name)
    return None if value is None else task.get_validated_value(name, task.fattributes[name], value, None)


def display_name(task: Any, engine: Engine) -> str:
    """Return the name under which Ansible shows a task: `role : name`, templated as far as that is possible."""
    apart = task.copy(exclude_parent=True, exclude_tasks=True)
    apart._parent = task._parent
    apart.post_validate_attribute("name", templar=engine)
    return str(plain(apart.get_name()))


def task_args(
    task: Any, action: str, engine: Engine, *, raw: Sequence[str] = (), free_form: bool = False
) -> dict[str, Any]:
    """Return a task's parameters with `module_defaults`, templated but for those named `raw`.

    free_form: text in place of parameters stands for itself. As `Task._post_validate_args` does it, which needs the
    action's plugin.
    """
    given = dict(task.args)
    whole = given.pop("_variable_params", None)
    text = None if free_form else given.pop("_raw_params", None)

    def finalize(name: str, value: Any, templar: Any, _context: Any) -> Any:
        return value if name in raw else templar.template(value)

    layers = (_get_action_arg_defaults(action, task, engine), whole, text, given)
    found: dict[str, Any] = TaskArgsFinalizer(*layers, templar=engine).finalize(finalize, None)
    return found


def argument_errors(spec: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a role's arguments, as `validate_argument_spec` says it."""
    found = ArgumentSpecValidator(spec).validate(given, validate_role_argument_spec=True)
    return [str(text) for text in found.error_messages]
