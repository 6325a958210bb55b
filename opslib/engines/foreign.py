"""What a task run by Ansible came to, as a `StepResult`. Pure. The values come from hosts and are anything at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opslib.host import wire
from opslib.result import Change, Status, StepResult

__all__ = ["COLLECTION", "UNKNOWN", "clip", "compact", "error_words", "plain_text", "step_result", "task_name"]

COLLECTION = "opslib.runbook."
HIDDEN = "hidden: no_log is set"
UNKNOWN = "hidden: it may hold what include_vars has read from an encrypted file that is not known here"
TOO_LARGE = "the task's result was too large to be kept"  # ansible-runner then passes on an empty one
MAX_WORDS = 4000
MAX_TEXT = 16 << 10
MAX_DATA = 64 << 10
MAX_ITEMS = 500
MAX_LABEL = 200
_DEEPEST = 12
_OMITTED = "(left out: too large)"
# Said elsewhere in the result, said twice, or of no use to people.
_DROPPED = frozenset(
    [
        "ansible_facts",
        "ansible_loop",
        "ansible_loop_var",
        "attempts_left",
        "changed",
        "deprecations",
        "diff",
        "exception",
        "failed",
        "failed_when_result",
        "invocation",
        "item",
        "msg",
        "opslib",
        "results",
        "skip_reason",
        "skipped",
        "stderr_lines",
        "stdout_lines",
        "unreachable",
        "warnings",
    ]
)
_CONTROL = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|.)|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]"
)
_PREFIX = re.compile(r"^(?:Task failed: |Module failed: |Action failed: |The field 'args' has an invalid value.*?: )+")


def plain_text(text: str) -> str:
    """Return text without terminal control."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def clip(text: str, most: int = MAX_WORDS) -> str:
    """Return text of bounded length: its beginning and its end."""
    if len(text) <= most:
        return text
    half = most // 2 - 10
    return f"{text[:half]} [...] {text[-half:]}"


def compact(value: Any) -> str:
    """Return a loop item's label as the ssh engine shows it."""
    return plain_text(str(value))[:MAX_LABEL]


def error_words(text: str) -> str:
    """Return an error of Ansible without what it puts before each of them."""
    return _PREFIX.sub("", clip(plain_text(text).strip()))


def task_name(action: str) -> str:
    """Return the name of a task as the ssh engine has it: short for our own, in full for all others."""
    return action.removeprefix(COLLECTION) if action.startswith(COLLECTION) else action


def step_result(
    name: str,
    action: str,
    status: Status,
    answer: Mapping[str, Any] | None,
    *,
    seconds: float = 0.0,
    changed: bool = False,
    ignored: bool = False,
    secrets: Iterable[str] = (),
) -> StepResult:
    """Return the result of one task on one host.

    status: FAILED, SKIPPED, or OK when the answer decides; answer: what the module returned, None when Ansible kept it
    to itself; changed: what Ansible said of it when the answer does not tell.
    """
    answer = {} if answer is None else answer
    own = answer.get("opslib")
    if "censored" in answer:
        body = _hidden(status, changed, UNKNOWN if answer["censored"] == UNKNOWN else HIDDEN)
    elif action.startswith(COLLECTION) and isinstance(own, Mapping) and status is not Status.SKIPPED:
        body = {"seconds": seconds, **own}
    else:
        body = _foreign(name, status, answer, changed)
    body.setdefault("seconds", seconds)
    title = wire.mask(clip(plain_text(name), 500), secrets)
    fixed = {"name": title, "task": task_name(action), "ignored": ignored}
    try:
        return StepResult.from_dict({**wire.mask_result(body, secrets), **fixed})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = wire.mask(f"the host's answer makes no sense: {str(error)[:200]}", secrets)
        return StepResult.from_dict({**fixed, "status": Status.FAILED.value, "error": reason, "seconds": seconds})


def _hidden(status: Status, changed: bool, words: str) -> dict[str, Any]:
    failed = status is Status.FAILED
    state = status if failed or not changed or status is Status.SKIPPED else Status.CHANGED
    return {
        "status": state.value,
        "changed": changed,
        "reason": "" if failed else words,
        "error": words if failed else None,
    }


def _foreign(name: str, status: Status, answer: Mapping[str, Any], changed: bool) -> dict[str, Any]:
    changed = bool(answer.get("changed", changed)) and status is not Status.SKIPPED
    failed = status is Status.FAILED
    message = _message(answer)
    if status is Status.OK and changed:
        status = Status.CHANGED
    warnings = [clip(plain_text(str(text)), 1000) for text in _list(answer.get("warnings"))[:50]]
    if not answer and status is not Status.SKIPPED:
        warnings.append(TOO_LARGE)
    return {
        "status": status.value,
        "changed": changed,
        "reason": _skip_reason(answer) if status is Status.SKIPPED else "" if failed else message,
        "error": _error(message, answer) if failed else None,
        "changes": [change.to_dict() for change in _changes(name, answer.get("diff"))] if changed else [],
        "warnings": warnings,
        "data": {} if status is Status.SKIPPED else _data(answer),
    }


def _skip_reason(answer: Mapping[str, Any]) -> str:
    condition = answer.get("false_condition")
    if condition is not None:
        return f"the condition is false: {clip(plain_text(str(condition)), 300)}"
    return clip(plain_text(str(answer.get("skip_reason") or "skipped")), 300)


def _message(answer: Mapping[str, Any]) -> str:
    message = answer.get("msg")
    if message is None or message == "":
        return ""
    return clip(plain_text(message if isinstance(message, str) else _json(message)).strip())


def _error(message: str, answer: Mapping[str, Any]) -> str:
    parts = [error_words(message) or "it failed and did not say why"]
    code = answer.get("rc")
    if isinstance(code, int) and code:
        parts.append(f"exit code {code}")
    for key in ("stderr", "module_stderr", "module_stdout"):
        said = answer.get(key)
        if isinstance(said, str) and said.strip() and said.strip() not in parts[0]:
            parts.append(clip(plain_text(said).strip(), 1000))
            break
    return "; ".join(parts)


def _changes(name: str, diff: Any) -> Iterator[Change]:
    for entry in (diff if isinstance(diff, list) else [diff])[:MAX_ITEMS]:
        if not isinstance(entry, Mapping):
            continue
        header = entry.get("after_header") or entry.get("before_header")
        summary = clip(plain_text(str(header or name)), 500)
        if "prepared" in entry:
            yield Change(kind="modify", summary=summary, after=_side(entry["prepared"]))
        elif entry.get("before") != entry.get("after"):
            yield Change(
                kind="modify", summary=summary, before=_side(entry.get("before")), after=_side(entry.get("after"))
            )


def _side(value: Any) -> str | None:
    if value is None:
        return None
    return clip(value if isinstance(value, str) else _json(value), MAX_DATA)


def _data(answer: Mapping[str, Any]) -> dict[str, Any]:
    room = [MAX_DATA]
    return {
        str(key)[:200]: _bounded(value, room, 0)
        for key, value in list(answer.items())[:MAX_ITEMS]
        if key not in _DROPPED and not str(key).startswith("_")
    }


def _bounded(value: Any, room: list[int], depth: int) -> Any:
    """Return a copy of a JSON-like value that is cut short where there is no more room."""
    room[0] -= 8
    if room[0] <= 0 or depth > _DEEPEST:
        return _OMITTED
    if isinstance(value, str):
        text = clip(value, max(min(MAX_TEXT, room[0]), 40))
        room[0] -= len(text)
        return text
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_ITEMS]
        return {str(key)[:200]: _bounded(item, room, depth + 1) for key, item in pairs if room[0] > 0}
    if isinstance(value, list | tuple):
        return [_bounded(item, room, depth + 1) for item in value[:MAX_ITEMS] if room[0] > 0]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _bounded(str(value), room, depth)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
