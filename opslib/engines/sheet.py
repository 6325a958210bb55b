"""One task of a play, read once for all hosts: what of it is fixed, and what each host must work out for itself."""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

from typing import Any, Final

from opslib.engines import ansible_core as core
from opslib.engines import obstacles
from opslib.errors import PlaybookError

__all__ = ["Sheet"]

_BECOME: Final = ("become", "become_user", "become_method", "become_exe", "become_flags")
_KEYWORDS: Final = (*_BECOME, "no_log", "ignore_errors", "check_mode", "timeout", "any_errors_fatal", "notify")


class Sheet:
    """A task of ansible-core with what the compiler asks of it, worked out as far as no host is needed.

    ours: whether the action is of our collection; action: its short name; shown_action: as results name it; path, line:
    where it stands; loops: whether it has a loop; args_fixed: whether its parameters are the same for all hosts.
    """

    def __init__(self, task: Any) -> None:
        self.task = task
        self.full_action = str(task._resolved_action or task.action)
        self.ours = obstacles.is_ours(task)
        self.action = (
            self.full_action.removeprefix(obstacles.OURS)
            if self.ours
            else obstacles.builtin_name(self.full_action) or self.full_action
        )
        self.shown_action = self.action if self.ours else f"ansible.builtin.{self.action}"
        self.path, self.line = core.origin(task.get_ds())
        self.loops = bool(task.loop_with) or task.loop is not None
        self.when: list[Any] = list(task.when)
        self.args_fixed = not core.is_template(task.args) and not task.module_defaults
        self._values: dict[str, Any] = {}
        self._loose: set[str] = set()
        for name in _KEYWORDS if self.action != "meta" else ():
            raw = getattr(task, name)
            if core.is_template(raw):
                self._loose.add(name)
            else:
                with core.reading(PlaybookError, f"task {obstacles.task_name(task)!r}: {name}"):
                    self._values[name] = core.fixed_attribute(task, name)

    def keyword(self, name: str, engine: core.Engine) -> Any:
        """Return a keyword's value for the host whose variables the engine has."""
        return core.attribute(self.task, name, engine) if name in self._loose else self._values[name]

    def become(self, engine: core.Engine) -> dict[str, Any]:
        """Return the keywords on becoming another user, those that are set."""
        values = {name: self.keyword(name, engine) for name in _BECOME}
        return {name: value for name, value in values.items() if value is not None}

    def where(self) -> str:
        """Return the task's place for the end of a message."""
        return obstacles.where(self.path, self.line)

    def subject(self) -> str:
        """Return the words that name the task in a message."""
        return f"task {obstacles.task_name(self.task)!r}"
