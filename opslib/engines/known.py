"""Actions of ansible-core that do nothing on a host, so that their result is known beforehand."""

from __future__ import annotations

from typing import Any

from opslib.engines import ansible_core as core
from opslib.engines.sheet import Sheet
from opslib.result import Status

__all__ = ["outcome"]


def outcome(sheet: Sheet, engine: core.Engine) -> tuple[Status, str]:
    """Return how an action ends on the host whose variables the engine has, and what it says.

    Raises AnsibleError when its parameters make no sense.
    """
    raw = ("that",) if sheet.action == "assert" else ()
    args = core.task_args(sheet.task, sheet.full_action, engine, raw=raw)
    return {
        "assert": _assert,
        "debug": _debug,
        "fail": _fail,
        "validate_argument_spec": _validate_argument_spec,
    }[sheet.action](args, engine)


def _assert(args: dict[str, Any], engine: core.Engine) -> tuple[Status, str]:
    _check(args, "that", "fail_msg", "msg", "success_msg", "quiet")
    if "that" not in args:
        raise core.AnsibleError("missing required arguments: that")
    conditions = args["that"]
    if isinstance(conditions, str) and core.is_template(conditions):
        conditions = engine.resolve_to_container(conditions)
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        if not engine.evaluate_conditional(condition):
            text = _words(args.get("fail_msg") or args.get("msg") or "Assertion failed")
            return Status.FAILED, f"{text} ({core.plain(condition)})"
    return Status.OK, _words(args.get("success_msg") or "All assertions passed")


def _debug(args: dict[str, Any], engine: core.Engine) -> tuple[Status, str]:
    _check(args, "msg", "var", "verbosity")
    if "msg" in args and "var" in args:
        raise core.AnsibleError("parameters are mutually exclusive: msg|var")
    try:
        if int(args.get("verbosity") or 0) > 0:
            return Status.SKIPPED, "Verbosity threshold not met."
    except (TypeError, ValueError) as error:
        raise core.AnsibleError(f"verbosity: {error}") from error
    if args.get("var"):
        name = str(core.plain(args["var"]))
        try:
            value = engine.evaluate_expression(core.trusted(name, "debug"))
        except core.AnsibleUndefinedVariable:
            return Status.OK, f"{name} is not defined"
        return Status.OK, f"{name}: {_words(value)}"
    return Status.OK, _words(args.get("msg", "Hello world!"))


def _fail(args: dict[str, Any], _engine: core.Engine) -> tuple[Status, str]:
    _check(args, "msg")
    return Status.FAILED, _words(args.get("msg") or "Failed as requested from task")


def _validate_argument_spec(args: dict[str, Any], engine: core.Engine) -> tuple[Status, str]:
    spec, given = args.get("argument_spec"), args.get("provided_arguments") or {}
    if not isinstance(spec, dict) or not isinstance(given, dict):
        raise core.AnsibleError("argument_spec and provided_arguments must be mappings")
    variables = engine.available_variables
    found = engine.template({name: variables[name] for name in spec if name in variables})
    errors = core.argument_errors(spec, core.combine_vars(found, given))
    if errors:
        return Status.FAILED, "Validation of arguments failed:\n" + "\n".join(errors)
    return Status.OK, "The arg spec validation passed"


def _check(args: dict[str, Any], *names: str) -> None:
    wrong = next((name for name in args if name not in names), None)
    if wrong is not None:
        raise core.AnsibleError(f"Unsupported parameters: {wrong}. Supported parameters include: {', '.join(names)}.")


def _words(value: Any) -> str:
    value = core.plain(value)
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
