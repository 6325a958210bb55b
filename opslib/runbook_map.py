"""What of the runbooks is automated, section by section; the data stands in `runbooks.toml`."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

__all__ = ["RunbookMap", "Section", "State", "headings", "runbook_maps"]


class State(enum.StrEnum):
    """How far a section is automated."""

    DONE = "done"
    PARTLY = "partly"
    MISSING = "missing"
    HUMAN = "human"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a runbook.

    heading: the headings below the title that lead to it, the last is its own; roles: the ROLE:ENTRY that do it; tasks,
    commands: what does it without a role; missing: what is not automated yet; human: what must stay a person's;
    state: of a section that only holds others, what follows from theirs.
    """

    heading: tuple[str, ...]
    state: State
    roles: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    missing: str = ""
    human: str = ""
    holds_others: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the section as JSON-like data."""
        return {
            "heading": list(self.heading),
            "state": self.state.value,
            "roles": list(self.roles),
            "tasks": list(self.tasks),
            "commands": list(self.commands),
            "missing": self.missing,
            "human": self.human,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookMap:
    """A runbook. title: its first heading; sections: all others, in order."""

    name: str
    title: str
    sections: tuple[Section, ...]

    def count(self, state: State) -> int:
        """Return how many sections with work of their own are in a state."""
        return sum(section.state is state and not section.holds_others for section in self.sections)


def runbook_maps() -> tuple[RunbookMap, ...]:
    """Return the map of every runbook."""
    text = resources.files("opslib").joinpath("runbooks.toml").read_text(encoding="utf-8")
    return tuple(
        RunbookMap(name=row["name"], title=row["title"], sections=_sections(row["section"]))
        for row in tomllib.loads(text)["runbook"]
    )


def headings(text: str) -> list[tuple[str, ...]]:
    """Return the headings of a runbook in Markdown as `Section.heading` has them, its title first."""
    found: list[tuple[str, ...]] = []
    above: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        marks, space, words = line.partition(" ")
        if fenced or not space or not marks or marks.strip("#"):
            continue
        if len(marks) == 1:
            found.append((words.strip(),))
            continue
        above = [*above[: len(marks) - 2], words.strip()]
        found.append(tuple(above))
    return found


def _sections(rows: Sequence[Mapping[str, Any]]) -> tuple[Section, ...]:
    own = {tuple(row["heading"].split(" / ")): row for row in rows}
    found = []
    for heading, row in own.items():
        below = [
            _state(other)
            for path, other in own.items()
            if len(path) > len(heading) and path[: len(heading)] == heading and _holds(other)
        ]
        found.append(
            Section(
                heading=heading,
                state=_together(below) if below else _state(row),
                roles=tuple(row.get("roles", ())),
                tasks=tuple(row.get("tasks", ())),
                commands=tuple(row.get("commands", ())),
                missing=row.get("missing", ""),
                human=row.get("human", ""),
                holds_others=bool(below),
            )
        )
    return tuple(found)


def _holds(row: Mapping[str, Any]) -> bool:
    """Whether a section has work of its own."""
    return len(row) > 1


def _state(row: Mapping[str, Any]) -> State:
    if any(row.get(key) for key in ("roles", "tasks", "commands")):
        return State.PARTLY if row.get("missing") else State.DONE
    return State.MISSING if row.get("missing") else State.HUMAN


def _together(states: Sequence[State]) -> State:
    """Return the state of what holds sections of these states."""
    some = set(states) - {State.HUMAN}
    if not some:
        return State.HUMAN
    return some.pop() if len(some) == 1 else State.PARTLY
