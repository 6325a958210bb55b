"""What is given as K=V on the command line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opslib.errors import ParamError, UsageError
from opslib.host.task import Task

__all__ = ["parse_assignments", "task_from_words"]

MAX_FILE = 1 << 20
_MANY = ("list", "dict")


def task_from_words(task_type: type[Task], words: Sequence[str]) -> Task:
    """Make a task from its parameters as words of a command line; ParamError when one is wrong."""
    known = task_type.parameters()
    given = parse_assignments(words, near=list(known), what=f"parameter of {task_type.name}")
    for name, value in given.items():
        if known[name].kind.ansible in _MANY and isinstance(value, str) and _is_structure(value):
            commas = ", or items with commas between" if known[name].kind.ansible == "list" else ""
            raise ParamError(f"{task_type.name}: {name}: this is JSON; write {name}:=... for it{commas}")
    try:
        return task_type(**given)
    except ValueError as error:
        raise ParamError(f"{error}; see `opslib show {task_type.name}`") from error


def parse_assignments(words: Sequence[str], *, near: Sequence[str], what: str) -> Mapping[str, Any]:
    """Return the values given as `K=TEXT`, `K:=JSON`, `K=@FILE` (text from a file) or `K:=@FILE` (JSON from a file).

    near: the names there are; what: what they are names of, for the error. Raises UsageError.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        structured = name.endswith(":")
        name = name.removesuffix(":")
        if not sign or not name:
            raise UsageError(f"{_quoted(word)} is no assignment; a {what} is given as NAME=VALUE")
        if name not in near:
            raise UsageError(f"{_quoted(name)} is no {what}; {_hint(name, near)}")
        if name in found:
            raise UsageError(f"{name} is given twice")
        if value.startswith("@"):
            value = _read(value[1:], name)
        found[name] = _json(value, name) if structured else value
    return found


def _read(path: str, name: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise UsageError(f"{name}: {path} has more than {MAX_FILE} bytes")
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: {path} is no text in UTF-8") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot read {_quoted(path)}: {getattr(error, 'strerror', None) or error}") from error


def _json(text: str, name: str) -> Any:
    """Read JSON; the error does not repeat the text, which may hold a secret."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at character {error.pos + 1}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{name}: the value is no JSON{where}") from None


def _is_structure(text: str) -> bool:
    """Whether a text is a JSON list or mapping, which nobody means as a text."""
    try:
        return isinstance(json.loads(text), list | dict)
    except (ValueError, RecursionError):
        return False


def _hint(name: str, near: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, near, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(near) or 'none'}"


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
