"""The batch engine: many hosts at once, each with all its steps in one round trip."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from opslib.carriers import payload
from opslib.carriers.connections import Connections
from opslib.engines.emitter import Emitter
from opslib.engines.session import Session
from opslib.engines.work import HostWork, KnownResult, Policy
from opslib.errors import UsageError
from opslib.result import HostResult, StepResult
from opslib.step import Step

__all__ = ["BatchEngine"]


class BatchEngine:
    """Runs hosts' items over connections that stay open until `close`.

    forks: how many hosts are worked on at once; connections may be shared with other engines.
    """

    def __init__(self, *, forks: int = 50, emit: Emitter | None = None, cancel: threading.Event | None = None) -> None:
        self.connections = Connections()
        self.emit = emit or Emitter(None)
        self.cancel = cancel or threading.Event()
        self._forks = forks

    def run(
        self,
        works: Sequence[HostWork],
        *,
        check: bool = False,
        timeout: float | None = None,
        policy: Policy | None = None,
        size: int | None = None,
        ended: set[str] | None = None,
        secrets: frozenset[str] = frozenset(),
    ) -> dict[str, HostResult]:
        """Run every host's items and return how each host ended, in the given order. Never raises for a host.

        timeout: seconds per host for everything, counted from the moment its turn comes; size: how many hosts the
        policy's share is of, by default these; ended: takes the hosts that take no further part because of the policy.
        """
        sessions = [
            Session(
                work,
                self.connections,
                check=check,
                timeout=timeout if work.timeout is None else work.timeout,
                secrets=secrets,
                emit=self.emit,
                cancel=self.cancel,
            )
            for work in works
        ]
        if not sessions:
            return {}
        self._prepare(sessions)
        threads = max(1, min(self._forks, len(sessions)))
        with ThreadPoolExecutor(threads, thread_name_prefix="opslib-host") as pool:
            try:
                if policy is not None and policy.lockstep:
                    over = self._lockstep(sessions, works, policy, size or len(sessions), pool)
                    if ended is not None:
                        ended.update(session.target.name for session in over)
                    results = [session.result() for session in sessions]
                else:
                    results = list(pool.map(self._whole, sessions))
            except BaseException:  # Ctrl-C in a script: leaving the pool waits for all hosts, so end their work
                self.cancel.set()
                raise
        return {result.name: result for result in results}

    def close(self) -> None:
        """Close all connections."""
        self.connections.close()

    @staticmethod
    def _prepare(sessions: Sequence[Session]) -> None:
        """Build payloads before the connections: beside fifty threads that connect it would take five times as long."""
        for tasks in {frozenset(tasks) for session in sessions for tasks in session.parts()}:
            with contextlib.suppress(UsageError):  # the host's own result will say so
                payload.prepare(tasks)

    def _whole(self, session: Session) -> HostResult:
        self._part(session)
        return session.result()

    def _part(self, session: Session, items: Sequence[Step | StepResult] | None = None) -> None:
        try:
            session.run(items)
        except BaseException:  # a callback that ends the program: nobody may have to wait for the other hosts
            self.cancel.set()
            raise

    def _lockstep(
        self, sessions: list[Session], works: Sequence[HostWork], policy: Policy, size: int, pool: ThreadPoolExecutor
    ) -> list[Session]:
        """Bring all hosts through one task before any begins the next; return those that end because others failed.

        As in Ansible, hosts that are unreachable do not count for the share of those that failed.
        """
        waiting = {session: list(_by_position(work)) for session, work in zip(sessions, works, strict=True)}
        while any(waiting.values()):
            position = min(parts[0][0] for parts in waiting.values() if parts)
            due = [session for session, parts in waiting.items() if parts and parts[0][0] == position]
            left = [session for session in sessions if not session.over]
            turn = [(session, waiting[session].pop(0)[1]) for session in due]
            turn = [(session, items) for session, items in turn if not session.over]
            list(pool.map(lambda pair: self._part(*pair), turn))
            fatal = policy.any_errors_fatal and any(session.over and not _tolerated(items) for session, items in turn)
            failed = sum(session.over and not session.unreachable for session in sessions)
            if fatal or policy.too_many(failed, size):
                return left
        return []


def _tolerated(items: Sequence[Step | StepResult]) -> bool:
    """Whether these are the steps of a task whose errors are ignored."""
    steps = [item for item in items if isinstance(item, Step)]
    return bool(steps) and all(step.ignore_errors for step in steps)


def _by_position(work: HostWork) -> Iterator[tuple[int, list[Step | StepResult]]]:
    """Cut a host's items up by the play's tasks; a result that has no place goes with the step before it."""
    places: list[tuple[int, Step | StepResult]] = []
    place = -1
    for item in work.items:
        if isinstance(item, Step | KnownResult) and item.position is not None:
            place = item.position
        elif isinstance(item, Step):
            place += 1
        places.append((place, item))
    for place, group in itertools.groupby(places, key=lambda pair: pair[0]):
        yield place, [item for _place, item in group]
