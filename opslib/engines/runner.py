"""The ansible engine: plays under ansible-runner. The only module that imports it.

What ansible-runner would do of its own accord, and does not do here: keep passwords and options from run to run (each
run has a folder of its own, on a file system in memory where there is one, removed at its end), write the caller's
environment to a file, replace signal handlers, switch host keys off, lose events when a callback raises, believe
events that a host printed, leave ansible-playbook behind (`guard` sees to that), or wait for a terminal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

from opslib.engines import environment, event_files, excerpt, guard, told
from opslib.engines.hidden import Hidden
from opslib.engines.playbook_command import VARIABLES, Options, Sources, command_line, passwords
from opslib.engines.playlog import PlayLog
from opslib.engines.private_folder import private_folder
from opslib.engines.work import Play
from opslib.errors import MissingError, PlaybookError
from opslib.events import Event, HostEnded
from opslib.result import HostResult, Status

__all__ = ["Outcome", "run_plays"]

INTERRUPTED = "interrupted before its end"
TIME_IS_UP = "the time for this host was up"
_TICK = 0.1
_LAST_RESORT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How plays ended. completed: what comes after them may run; warnings: what Ansible warned of."""

    hosts: Mapping[str, HostResult]
    completed: bool
    warnings: tuple[str, ...] = ()

    @property
    def lost(self) -> frozenset[str]:
        """The hosts that failed or were unreachable."""
        bad = (Status.FAILED, Status.UNREACHABLE)
        return frozenset(name for name, host in self.hosts.items() if host.status in bad)


def run_plays(
    plays: Sequence[Play],
    *,
    inventory: Sources,
    options: Options,
    emit: Callable[[Event], object],
    cancel: threading.Event,
    playbook: Path | None = None,
    whole: bool = True,
    lost: frozenset[str] = frozenset(),
    hidden: Hidden | None = None,
) -> Outcome:
    """Run plays with ansible-playbook and return how every host came out.

    plays: in order, with the hosts they target; playbook: the file they are of, by default where the first stands;
    whole: they are all of its plays, so that the file itself is run, otherwise an excerpt (see `excerpt`); options:
    `timeout` is seconds for the whole invocation; lost: hosts that take no further part, in Ansible's eyes because they
    failed in a play before, so that it counts them where it counts those; hidden: what to mask;
    emit: must not raise, and is called from several threads; cancel: set it to end the run at once.

    Connection and become passwords come from the inventory. Nothing is ever asked on a terminal. Raises PlaybookError
    when Ansible refuses the playbook or the inventory, MissingError, UsageError.
    """
    lost &= {name for play in plays for name in play.hosts}
    plays = [_without(play, lost) for play in plays] if lost else plays
    if not any(play.hosts for play in plays):
        return Outcome(hosts={}, completed=True)
    if playbook is None and len({play.source for play in plays}) > 1:
        raise PlaybookError("these plays stand in more than one file; say which playbook is to be run")
    file = original = Path(os.path.abspath(playbook or plays[0].source))
    whole = whole and not lost
    hidden = hidden or Hidden()
    mark = token_hex(8)
    log = PlayLog(
        plays,
        start_mark=f"opslib-lost-{mark}" if lost else "",
        end_mark="" if whole else f"opslib-end-{mark}",
        hidden=hidden,
    )
    with private_folder() as folder, contextlib.ExitStack() as stack:
        if not whole:
            before = _losses(log.start_mark, plays, lost) if lost else None
            file = stack.enter_context(excerpt.beside(file, plays, before=before, end_mark=log.end_mark))
            (folder / guard.ASIDE).symlink_to(file)
            hidden.moved(original, file)
        command = command_line(file, folder, inventory=inventory, options=options)
        with passwords(inventory.vault, folder) as labels:
            command += [f"--vault-id={label}" for label in labels]
            read_once = [folder / VARIABLES, *([] if whole else [file])]
            invocation = _Invocation(command, folder, options.timeout, cancel, read_once)
            with environment.offered(folder, invocation.environ), told.heard(folder, emit, hidden):
                hosts, ending = _follow(invocation, log, emit)
    if not log.started and ending.cut is None:
        words = log.words.replace(str(file), str(original))
        raise PlaybookError(f"ansible-playbook refuses {playbook or plays[0].source}: {words}{ending.trouble}")
    return Outcome(hosts=hosts, completed=log.completed and ending.cut is None, warnings=log.warnings)


def _without(play: Play, lost: frozenset[str]) -> Play:
    batches = tuple(tuple(name for name in names if name not in lost) for names in play.batches)
    return dataclasses.replace(play, hosts=tuple(name for name in play.hosts if name not in lost), batches=batches)


def _losses(name: str, plays: Sequence[Play], lost: frozenset[str]) -> dict[str, Any]:
    """Return a play in which these hosts fail, without being touched, and one does not, so that others follow."""
    one = next(name for play in plays for name in play.hosts)
    task = {
        "ansible.builtin.fail": {"msg": "it was lost in an earlier play"},
        "when": f"inventory_hostname != {json.dumps(one)}",
        "tags": ["always"],
    }
    play = {"name": name, "hosts": [one, *sorted(lost)], "gather_facts": False, "strategy": "linear"}
    return {**play, "any_errors_fatal": False, "tasks": [task]}


def _follow(
    invocation: _Invocation, log: PlayLog, emit: Callable[[Event], object]
) -> tuple[dict[str, HostResult], _Ending]:
    """Pass events on while ansible-playbook runs; whatever happens here, it does not go on running."""
    with invocation:
        for raw in invocation.events():
            if raw.get("event") == "playbook_on_start":
                invocation.forget()
            for event in log.feed(raw):
                emit(event)
    ending = invocation.ending
    hosts = {}
    for event in log.finish(code=ending.code, cut=ending.cut):
        emit(event)
        if isinstance(event, HostEnded):
            hosts[event.host] = event.result
    return hosts, ending


@dataclass(frozen=True, slots=True)
class _Ending:
    """How ansible-playbook ended: its exit code; why it was ended from outside; what broke in ansible-runner."""

    code: int | None
    cut: str | None
    trouble: str


class _Invocation:
    """One run of ansible-playbook under ansible-runner, in a thread of its own. Leaving it ends the run.

    read_once: files that are of no use any more once it has begun; environ: what is to be offered to guard.
    """

    def __init__(
        self,
        command: list[str],
        folder: Path,
        timeout: float | None,
        cancel: threading.Event,
        read_once: Sequence[Path],
    ) -> None:
        self._folder = folder
        self._read_once = read_once
        self._cancel = cancel
        self._ends = None if timeout is None else time.monotonic() + timeout
        self._events: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._left = threading.Event()
        self._cut: str | None = None
        self._asked = 0.0
        self._trouble = ""
        self.environ: Mapping[str, str] = {}
        self._runner = self._make(command)
        self._thread = threading.Thread(target=self._run, name="opslib-ansible-runner", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._left.set()
        self._thread.join()

    @property
    def ending(self) -> _Ending:
        """How it ended; only when it has."""
        code = self._runner.rc
        return _Ending(code if isinstance(code, int) else None, self._cut, self._trouble)

    def events(self) -> Iterator[Mapping[str, Any]]:
        """Yield the events until ansible-playbook has ended."""
        while (event := self._events.get()) is not None:
            yield event

    def forget(self) -> None:
        """Remove what ansible-playbook has read by now."""
        for path in self._read_once:
            path.unlink(missing_ok=True)

    def _make(self, command: list[str]) -> Any:
        try:
            from ansible_runner import Runner, RunnerConfig
        except ImportError as error:
            raise MissingError(
                f"ansible-runner is needed ({error}); pip install 'ansible-runner>=2.4.3,<2.5'"
            ) from error
        mark = token_hex(16)
        watched = ["-ISB", guard.__file__, str(os.getpid()), str(self._folder), *command]
        config = RunnerConfig(
            private_data_dir=str(self._folder),
            binary=sys.executable,
            cmdline=shlex.join(watched),
            fact_cache_type="",
            quiet=True,
        )
        config.prepare()
        needed = ("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_STDOUT_CALLBACK", "AWX_ISOLATED_DATA_DIR")
        given = {name: config.env[name] for name in needed}
        self.environ = {**environment.make(self._folder), **given, guard.MARK: mark}
        config.env = {guard.MARK: mark}
        config.cwd = str(Path.cwd())
        config.suppress_output_file = True
        config.pexpect_timeout = _TICK
        events = self._events

        class FileRunner(Runner):  # type: ignore[misc]
            """Takes events from the files that Ansible's callback writes, never from what is printed."""

            def event_callback(self, event_data: dict[str, Any]) -> None:
                self.last_stdout_update = time.time()
                found = event_files.of_announcement(Path(config.artifact_dir, "job_events"), event_data)
                if found is not None:
                    events.put(found)

        def status_changed(status: Mapping[str, Any], **_config: Any) -> None:
            if status["status"] == "running":
                Path(config.artifact_dir, "command").unlink(missing_ok=True)

        return FileRunner(config, cancel_callback=self._cancelled, status_handler=status_changed)

    def _run(self) -> None:
        try:
            self._runner.run()
        except BaseException as error:  # the thread's end must be seen, whatever ends it
            self._trouble = f" ({type(error).__name__}: {error})"
            self._tell_guard()
        finally:
            folder = Path(self._runner.config.artifact_dir, "job_events")
            for event in event_files.left_over(folder):
                self._events.put(event)
            self._events.put(None)

    def _cancelled(self) -> bool:
        """Answer ansible-runner, ten times a second. Guard kills at once; ansible-runner's way is the last resort."""
        if self._cut is None:
            if self._cancel.is_set() or self._left.is_set():
                self._cut = INTERRUPTED
            elif self._ends is not None and time.monotonic() >= self._ends:
                self._cut = TIME_IS_UP
            else:
                return False
            self._asked = time.monotonic()
        self._tell_guard()
        return time.monotonic() - self._asked > _LAST_RESORT

    def _tell_guard(self) -> None:
        """Ask guard to kill; only while its process, living or not, has not been waited for."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self._folder / guard.PID_FILE).read_text(encoding="ascii")), signal.SIGTERM)
