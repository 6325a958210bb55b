"""Environment variables of a Vercel project: what to do so that they are as they should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opslib.host.files import env_text
from opslib.host.files.env_params import is_name
from opslib.host.task import TaskError

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Variable

__all__ = ["Edit", "changed_since", "edits_to_remove", "edits_to_set", "in_force", "read_file"]

_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Edit:
    """One request. do: `put` (a value for targets), `value` (a new value), `narrow` (to targets) or `remove`."""

    do: str
    key: str
    targets: list[str]
    id: str = ""
    value: str = field(default="", repr=False)


def in_force(variables: list[Variable], key: str, target: str) -> Variable | None:
    """Return the variable of this name that an environment gets; those of single branches are left aside."""
    found = [each for each in variables if each.key == key and target in each.targets and not each.git_branch]
    return found[0] if found else None


def changed_since(variables: list[Variable], when: int, target: str = "production") -> list[str]:
    """Return the names of an environment's variables that were changed after a time, in milliseconds since 1970."""
    found = {
        each.key for each in variables if target in each.targets and (each.updated_at or each.created_at or 0) > when
    }
    return sorted(found)


def edits_to_set(
    variables: list[Variable], values: dict[str, str], key: str, value: str, targets: list[str], *, rewrite: bool
) -> list[Edit]:
    """Return what to do so that a variable has a value in these environments, and is as it was in others.

    values: those that can be read, by the variables' ids. One that cannot is taken to be right, unless `rewrite`.
    Raises TaskError for one without an id.
    """
    edits: list[Edit] = []
    missing = [target for target in targets if in_force(variables, key, target) is None]
    for each in variables:
        inside = [target for target in each.targets if target in targets]
        if each.key != key or each.git_branch or not inside:
            continue
        _must_have_id(each)
        right = values[each.id] == value if each.id in values else not rewrite
        if right:
            continue
        outside = [target for target in each.targets if target not in targets]
        if outside:
            edits.append(Edit("narrow", key, outside, each.id))
            missing += inside
        else:
            edits.append(Edit("value", key, inside, each.id, value))
    if missing:
        edits.append(Edit("put", key, [target for target in targets if target in missing], value=value))
    return edits


def edits_to_remove(variables: list[Variable], key: str, targets: list[str]) -> list[Edit]:
    """Return what to do so that a variable is in none of these environments, and stays in others. Raises TaskError."""
    edits = []
    for each in variables:
        if each.key != key or each.git_branch or not {*each.targets} & {*targets}:
            continue
        _must_have_id(each)
        outside = [target for target in each.targets if target not in targets]
        edits.append(Edit("narrow" if outside else "remove", key, outside or each.targets, each.id))
    return edits


def _must_have_id(variable: Variable) -> None:
    if not variable.id:
        raise TaskError(f"Vercel tells no id of the variable {variable.key}; change it in the project's settings")


def read_file(path: str) -> dict[str, str]:
    """Return the variables of an environment file on the controller. Raises TaskError."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(_LONGEST + 1)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise TaskError(f"{path} cannot be read: {why}") from None
    if len(text) > _LONGEST:
        raise TaskError(f"{path} is longer than 1 MiB; it is no environment file")
    pieces = env_text.parse(text)
    flaw = env_text.flaw(pieces)
    if flaw:
        raise TaskError(f"{path}: {flaw}")
    found = env_text.values(pieces)
    wrong = [name for name in found if not is_name(name)]
    if wrong:
        raise TaskError(f"{path}: {ascii(wrong[0])[:80]} is no name of a variable")
    return found
