"""What the commands ask of the library, in one place: loaded when needed, and replaced in tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import threading

    from opslib.engines.collection import InstalledPlaybook
    from opslib.engines.roles import Entry
    from opslib.events import OnEvent
    from opslib.inventory import Inventory
    from opslib.live_logs import CloudWatch, LogQuery, LogReading, OnEntry
    from opslib.result import Report
    from opslib.step import Step
    from opslib.target import Target

__all__ = ["EngineName", "EntryPoint", "Library", "Pace", "Place", "PlayOverview", "Role", "Selection", "Variable"]

_MARKUP = re.compile(r"\b[BCEILMOPRUV]\(([^()]*)\)")

EngineName = Literal["auto", "ssh", "ansible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to work: inventory sources, the pattern that cuts them down, and what opens and overrules variables.

    extra_vars: as `-e` of ansible-playbook takes them: `K=V`, JSON or `@FILE`.
    """

    inventory: Sequence[str]
    limit: str | None = None
    extra_vars: Sequence[str] = field(default=(), repr=False)
    vault_password_files: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How to work. forks: hosts at once; timeout: seconds per host; check: change nothing; diff: tell differences."""

    forks: int = 50
    timeout: float | None = None
    check: bool = False
    diff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which part of a playbook, and by which engine."""

    engine: EngineName = "auto"
    tags: Sequence[str] = ()
    skip_tags: Sequence[str] = ()
    verbosity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a role's entry point, as its argument_specs declare it."""

    name: str
    type: str = "str"
    help: str = ""
    required: bool = False
    default: Any = None
    choices: Sequence[str] = ()
    inner: Sequence[Variable] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """An entry point of a role. summary: one line; paragraphs: more of them."""

    summary: str = ""
    paragraphs: Sequence[str] = ()
    variables: Sequence[Variable] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role and its entry points by name."""

    name: str
    entry_points: Mapping[str, EntryPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOverview:
    """What a play would do: its hosts, and each step (title, task) with the hosts that would do it.

    obstacle: why the ssh engine cannot say, or None.
    """

    name: str
    where: str
    hosts: Sequence[str]
    obstacle: str | None = None
    steps: Sequence[tuple[str, str, Sequence[str]]] = ()


class Library:
    """The library, as the commands call it."""

    def run_playbook(
        self, target: str, place: Place, pace: Pace, selection: Selection, on_event: OnEvent, cancel: threading.Event
    ) -> Report:
        """Run a playbook or `ROLE[:ENTRY]`."""
        import opslib

        return opslib.run_playbook(
            target,
            self.inventory(place),
            limit=place.limit,
            tags=selection.tags,
            skip_tags=selection.skip_tags,
            check=pace.check,
            diff=pace.diff,
            engine=selection.engine,
            forks=pace.forks,
            timeout=pace.timeout,
            vault_password_files=place.vault_password_files,
            verbosity=selection.verbosity,
            on_event=on_event,
            cancel=cancel,
        )

    def run_step(
        self,
        step: Step,
        place: Place,
        pace: Pace,
        on_event: OnEvent,
        cancel: threading.Event,
        engine: EngineName = "auto",
    ) -> Report:
        """Run one step on all hosts of a place; without an inventory, here."""
        import opslib

        if engine == "ansible":
            return self._run_by_ansible(step, place, pace, on_event, cancel)
        here = [opslib.Target(name="controller", carrier="local")]
        targets = self._select(place, on_event) if place.inventory else here
        with opslib.Fleet(targets, forks=pace.forks, timeout=pace.timeout, on_event=on_event, cancel=cancel) as fleet:
            return fleet.run([step], check=pace.check)

    def _run_by_ansible(
        self, step: Step, place: Place, pace: Pace, on_event: OnEvent, cancel: threading.Event
    ) -> Report:
        import opslib
        from opslib.engines.one_task import playbook_of

        with playbook_of(step.task) as (path, variables):
            report = opslib.run_playbook(
                path,
                self.inventory(place),
                limit=place.limit,
                extra_vars=variables,
                check=pace.check,
                diff=pace.diff,
                engine="ansible",
                forks=pace.forks,
                timeout=pace.timeout,
                on_event=on_event,
                cancel=cancel,
            )
        return replace(report, source=step.title)

    def _select(self, place: Place, on_event: OnEvent) -> Sequence[Target]:
        """Return the hosts of a place, and pass on what Ansible remarks on them: a name in a limit that nobody has."""
        from opslib.events import Notice

        inventory = self.inventory(place)
        targets = inventory.select("all", place.limit)
        for warning in inventory.warnings:
            on_event(Notice(text=f"warning: {warning}"))
        return targets

    def read_logs(
        self,
        query: LogQuery,
        place: Place | CloudWatch,
        search: bool,
        forks: int,
        timeout: float | None,
        on_event: OnEvent,
        cancel: threading.Event,
    ) -> LogReading:
        """Read logs of all hosts of a place, or of CloudWatch."""
        import opslib

        return opslib.read_logs(
            self._log_place(place, on_event),
            query,
            search=search,
            forks=forks,
            timeout=timeout,
            on_event=on_event,
            cancel=cancel,
        )

    def follow_logs(
        self,
        query: LogQuery,
        place: Place | CloudWatch,
        lasting: str | None,
        on_entry: OnEntry,
        on_event: OnEvent,
        cancel: threading.Event,
    ) -> Report:
        """Follow logs of all hosts of a place, or of CloudWatch."""
        import opslib

        return opslib.follow_logs(
            self._log_place(place, on_event),
            query,
            on_entry,
            lasting=lasting,
            on_event=on_event,
            cancel=cancel,
        )

    def _log_place(self, place: Place | CloudWatch, on_event: OnEvent) -> Sequence[Target] | CloudWatch:
        return self._select(place, on_event) if isinstance(place, Place) else place

    def inventory(self, place: Place) -> Inventory:
        """Load an inventory."""
        import opslib

        return opslib.Inventory.load(
            list(place.inventory), vault_password_files=place.vault_password_files, extra_vars=place.extra_vars
        )

    def host_names(self, place: Place) -> Sequence[str]:
        """Return the hosts of a place."""
        if not place.inventory:
            return ["controller"]
        return self.inventory(place).names("all", place.limit)

    def plays(self, target: str, place: Place, pace: Pace, selection: Selection, *, steps: bool) -> list[PlayOverview]:
        """Return what a playbook would do; steps: work out each host's steps too."""
        from opslib.engines import playbook

        with playbook.load(
            target,
            self.inventory(place),
            limit=place.limit,
            tags=selection.tags,
            skip_tags=selection.skip_tags,
            check=pace.check,
            diff=pace.diff,
        ) as compiled:
            return [
                PlayOverview(
                    name=play.name,
                    where=f"{play.source}:{play.line}",
                    hosts=play.hosts,
                    obstacle=play.obstacle,
                    steps=list(_steps(compiled.work(play, play.hosts))) if steps and not play.obstacle else (),
                )
                for play in compiled.plays
            ]

    def roles(self) -> Sequence[Role]:
        """Return all roles, sorted by name."""
        from opslib.engines.roles import list_roles

        return [
            Role(name=role.name, entry_points={entry.name: _entry_point(entry) for entry in role.entries})
            for role in list_roles()
        ]

    def playbooks(self) -> Sequence[InstalledPlaybook]:
        """Return the playbooks that come with opslib, sorted by name."""
        from opslib.engines.collection import list_playbooks

        return list_playbooks()

    def verify(self, role: str, place: Place, junit: str | None, on_output: Callable[[str], object]) -> int:
        """Run a role's checks and return the exit code."""
        from opslib import verify

        return verify.verify(
            role, self.inventory(place), limit=place.limit, junit=Path(junit) if junit else None, on_output=on_output
        )


def _entry_point(entry: Entry) -> EntryPoint:
    return EntryPoint(
        summary=_plain(entry.summary),
        paragraphs=[_plain(text) for text in entry.description],
        variables=_variables(entry.options),
    )


def _plain(text: str) -> str:
    """Return a text without the markup of Ansible's documents: `C(text)`, `V(text)`, `L(text,url)` and so on."""
    return _MARKUP.sub(lambda found: found[1].replace(",", " ", 1) if found[0][0] == "L" else found[1], text)


def _variables(options: Mapping[str, Mapping[str, Any]]) -> tuple[Variable, ...]:
    """Return variables as argument_specs declare them; that file is written by hand, so nothing in it is certain."""
    found = []
    for name, spec in options.items():
        known = spec if isinstance(spec, Mapping) else {}
        text = known.get("description") or ""
        choices, inner = known.get("choices"), known.get("options")
        found.append(
            Variable(
                name=str(name),
                type=f"{known.get('type', 'str')}" + (f" of {known['elements']}" if known.get("elements") else ""),
                help=_plain(" ".join(map(str, text)) if isinstance(text, list) else str(text)),
                required=bool(known.get("required")),
                default=known.get("default"),
                choices=[str(choice) for choice in choices] if isinstance(choices, list) else (),
                inner=_variables(inner) if isinstance(inner, Mapping) else (),
            )
        )
    return tuple(found)


def _steps(works: Any) -> Iterator[tuple[str, str, Sequence[str]]]:
    from opslib.step import Step

    found: dict[tuple[str, str], list[str]] = {}
    for work in works:
        for item in work.items:
            key = (item.title, item.task.name) if isinstance(item, Step) else (item.name, item.task)
            found.setdefault(key, []).append(work.target.name)
    for (title, task), hosts in found.items():
        yield title, task, tuple(dict.fromkeys(hosts))
