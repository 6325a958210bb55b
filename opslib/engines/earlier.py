"""Which steps come before a template that is worked out while a playbook is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from opslib.engines import ansible_core as core
from opslib.engines.compile import Compiler, HostItems
from opslib.engines.work import HostWork, KnownResult
from opslib.errors import UsageError
from opslib.result import StepResult
from opslib.step import Step
from opslib.target import Target

__all__ = ["Earlier"]


class Earlier:
    """Says of a host where steps come before what is being reckoned for it: nowhere (""), `away`, or also `here`.

    foreign: an earlier play goes to Ansible, and may do anything here; works: of earlier plays and batches; compiler:
    reckons this batch; target: returns how to get to one of its hosts, and may raise UsageError.
    """

    def __init__(
        self, *, foreign: bool, works: Iterable[HostWork], compiler: Compiler, target: Callable[[HostItems], Target]
    ) -> None:
        self._compiler = compiler
        self._target = target
        self._local: dict[str, bool] = {}
        self._before = (
            "here" if foreign else _most(_where(work.items, work.target.carrier == "local") for work in works)
        )
        self._known: dict[int, str] = {}

    def __call__(self, name: str) -> str:
        """Return it for a host. Other hosts' steps of the same task are done at the same time, not before."""
        now = self._compiler.position
        if now not in self._known:
            self._known[now] = _most(self._of(host, lambda place: place != now) for host in self._compiler.hosts)
        own = (self._of(host, lambda place: place == now) for host in self._compiler.hosts if host.name == name)
        return _most([self._before, self._known[now], *own])

    def _of(self, host: HostItems, wanted: Callable[[int | None], bool]) -> str:
        items = [item for item in host.items if isinstance(item, Step | KnownResult) and wanted(item.position)]
        return _where(items, self._is_local(host)) if items else ""

    def _is_local(self, host: HostItems) -> bool:
        if host.name not in self._local:
            try:
                self._local[host.name] = self._target(host).carrier == "local"
            except (UsageError, core.AnsibleError):  # whose turn to be told has not come
                self._local[host.name] = False
        return self._local[host.name]


def _where(items: Sequence[Step | StepResult], local: bool) -> str:
    return _most(
        "here" if local or item.task.runs_on == "controller" else "away" for item in items if isinstance(item, Step)
    )


def _most(places: Iterable[str]) -> str:
    found = set(places)
    return next((place for place in ("here", "away") if place in found), "")
