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
import re
import secrets as random
import shlex
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from opslib.engines import environment, excerpt, guard
from opslib.engines.playlog import PlayLog
from opslib.engines.work import Play
from opslib.errors import MissingError, PlaybookError, UsageError
from opslib.events import Event, HostEnded
from opslib.host import wire
from opslib.result import HostResult, Status

__all__ = ["Options", "Outcome", "Sources", "run_plays"]

INTERRUPTED = "interrupted before its end"
TIME_IS_UP = "the time for this host was up"
MAX_EVENT = 32 << 20
_TICK = 0.1
_LAST_RESORT = 5.0
_UUID = re.compile(r"[0-9a-fA-F-]{1,64}(?:_[0-9]{1,9})?")


class Options(Protocol):
    """What an operator chose, as `run_playbook` takes it."""

    @property
    def limit(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def skip_tags(self) -> Sequence[str]: ...
    @property
    def extra_vars(self) -> Mapping[str, Any]: ...
    @property
    def check(self) -> bool: ...
    @property
    def diff(self) -> bool: ...
    @property
    def forks(self) -> int: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def verbosity(self) -> int: ...


class Sources(Protocol):
    """An inventory: ansible-playbook reads its sources again. vault: passwords by label, those without a file too."""

    @property
    def sources(self) -> Sequence[str]: ...
    @property
    def vault_password_files(self) -> Sequence[str]: ...
    @property
    def vault(self) -> Sequence[tuple[str, Any]]: ...
    @property
    def extra_vars(self) -> Mapping[str, Any]: ...
    def active(self) -> contextlib.AbstractContextManager[object]: ...


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
    secrets: frozenset[str] = frozenset(),
    pass_on: Sequence[str] = (),
) -> Outcome:
    """Run plays with ansible-playbook and return how every host came out.

    plays: in order, with the hosts they target; playbook: the file they are of, by default where the first stands;
    whole: they are all of its plays, so that the file itself is run, otherwise an excerpt (see `excerpt`); options:
    `timeout` is seconds for the whole invocation; lost: hosts that take no further part; secrets: texts to mask;
    pass_on: names of environment variables that ansible-playbook gets besides the usual; emit: must not raise;
    cancel: set it to end the run at once.

    Connection and become passwords come from the inventory. Nothing is ever asked on a terminal. Raises PlaybookError
    when Ansible refuses the playbook or the inventory, MissingError, UsageError.
    """
    plays = [_without(play, lost) for play in plays] if lost else plays
    if not any(play.hosts for play in plays):
        return Outcome(hosts={}, completed=True)
    file = Path(os.path.abspath(playbook or plays[0].source))
    log = PlayLog(plays, end_mark="" if whole else f"opslib-end-{random.token_hex(8)}", secrets=secrets)
    with _private_folder() as folder:
        if not whole:
            file = excerpt.write(file, plays, folder / "plays", end_mark=log.end_mark)
        command = _command(file, folder, inventory, options, lost, plays)
        with _passwords(inventory.vault, folder) as labels:
            command += [f"--vault-id={label}" for label in labels]
            hosts, ending = _follow(_Invocation(command, folder, options.timeout, cancel, pass_on), log, emit)
    if not log.started and ending.cut is None:
        raise PlaybookError(f"ansible-playbook refuses {playbook or plays[0].source}: {log.words}{ending.trouble}")
    return Outcome(hosts=hosts, completed=log.completed and ending.cut is None, warnings=log.warnings)


def _without(play: Play, lost: frozenset[str]) -> Play:
    hosts = tuple(name for name in play.hosts if name not in lost)
    return dataclasses.replace(play, hosts=hosts, batches=(hosts,) if hosts else ())


def _follow(
    invocation: _Invocation, log: PlayLog, emit: Callable[[Event], object]
) -> tuple[dict[str, HostResult], _Ending]:
    """Pass events on while ansible-playbook runs; whatever happens here, it does not go on running."""
    first = True
    with invocation:
        for raw in invocation.events():
            if first and "event_data" in raw:
                invocation.forget_variables()
                first = False
            for event in log.feed(raw):
                emit(event)
    ending = invocation.ending
    hosts = {}
    for event in log.finish(code=ending.code, cut=ending.cut):
        emit(event)
        if isinstance(event, HostEnded):
            hosts[event.host] = event.result
    return hosts, ending


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a folder that only we can enter, in memory where possible, and remove it in the end."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    bases = [base for base in (runtime, "/dev/shm") if _usable(base)]  # noqa: S108 - mkdtemp makes the name
    folder = Path(tempfile.mkdtemp(prefix="opslib-", dir=bases[0] if bases else None))
    try:
        (folder / "tmp").mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _usable(base: str) -> bool:
    """Whether a folder is ours alone, or shared in the way of /tmp, and has room."""
    try:
        found = os.stat(base)
        room = os.statvfs(base)
    except OSError:
        return False
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    shared = bool(found.st_mode & stat.S_ISVTX)
    return stat.S_ISDIR(found.st_mode) and (private or shared) and room.f_bavail * room.f_frsize > 64 << 20


def _command(
    file: Path, folder: Path, inventory: Sources, options: Options, lost: frozenset[str], plays: Sequence[Play]
) -> list[str]:
    """Return the command line of ansible-playbook. It holds no variable's value."""
    command = [*_ansible_playbook(), f"--forks={options.forks}"]
    command += [f"--inventory={source}" for source in inventory.sources]
    command += [f"--vault-id={label}" for label in _vault_ids(inventory.vault_password_files)]
    command += [f"--tags={','.join(options.tags)}"] if options.tags else []
    command += [f"--skip-tags={','.join(options.skip_tags)}"] if options.skip_tags else []
    command += ["--check"] if options.check else []
    command += ["--diff"] if options.diff else []
    command += ["-" + "v" * min(options.verbosity, 6)] if options.verbosity > 0 else []
    if lost:
        names = dict.fromkeys(name for play in plays for name in play.hosts)
        lines = ["all", *(f"!{name}" for name in sorted(lost))] if options.limit is None else names
        command.append(f"--limit=@{_write(folder / 'limit', chr(10).join(lines))}")
    elif options.limit is not None:
        command.append(f"--limit={options.limit}")
    if options.extra_vars or inventory.extra_vars:
        with inventory.active():
            text = _as_json({**inventory.extra_vars, **options.extra_vars})
        command.append(f"--extra-vars=@{_write(folder / _VARIABLES, text)}")
    command.append(str(file))
    bad = next((word for word in command if "\0" in word or "\n" in word), None)
    if bad is not None:
        raise UsageError(f"{bad[:80]!r} holds a control character")
    return command


_VARIABLES = "extra_vars.json"


def _ansible_playbook() -> list[str]:
    """Return how to start the ansible-playbook of this very Python, whether or not its environment is activated."""
    if not sys.executable:
        raise MissingError("this Python does not know its own program, so it cannot start ansible-playbook")
    beside = Path(sys.executable).with_name("ansible-playbook")
    if os.access(beside, os.X_OK):
        return [str(beside)]
    return [sys.executable, "-P", "-m", "ansible", "playbook"]


def _vault_ids(files: Sequence[str]) -> Iterator[str]:
    for name in files:
        label, at, path = str(name).partition("@")
        if not at or os.path.exists(name):
            label, path = "default", str(name)
        if path in ("prompt", "prompt_ask_vault_pass"):
            raise UsageError(f"vault password {name!r}: nothing can be asked here; give a file or a program")
        yield f"{label}@{os.path.abspath(os.path.expanduser(path))}"


@contextlib.contextmanager
def _passwords(vault: Sequence[tuple[str, Any]], folder: Path) -> Iterator[list[str]]:
    """Offer the vault passwords that stand in no file through pipes, so that they never do."""
    given = [(label, secret.bytes) for label, secret in vault if getattr(secret, "filename", None) is None]
    over = threading.Event()
    labels = []
    for number, (label, password) in enumerate(given):
        pipe = folder / f"vault-{number}"
        os.mkfifo(pipe, 0o600)
        threading.Thread(target=_hand_over, args=(pipe, password, over), name="opslib-vault", daemon=True).start()
        labels.append(f"{label}@{pipe}")
    try:
        yield labels
    finally:
        over.set()


def _hand_over(pipe: Path, password: bytes, over: threading.Event) -> None:
    """Write a password into a pipe once somebody reads it."""
    while not over.wait(0.02):
        try:
            with open(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb") as file:
                file.write(password)
            return
        except OSError:  # nobody reads yet
            continue


def _as_json(variables: Mapping[str, Any]) -> str:
    try:
        return json.dumps(variables, default=_decrypted)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"extra variables cannot be represented in JSON: {error}") from error


def _decrypted(value: Any) -> Any:
    from opslib.engines import ansible_core as core

    if isinstance(value, core.EncryptedString):
        return core.plain(value)
    raise TypeError(f"a {type(value).__name__} is none of its types")


def _write(path: Path, text: str) -> Path:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


@dataclass(frozen=True, slots=True)
class _Ending:
    """How ansible-playbook ended: its exit code; why it was ended from outside; what broke in ansible-runner."""

    code: int | None
    cut: str | None
    trouble: str


class _Invocation:
    """One run of ansible-playbook under ansible-runner, in a thread of its own. Leaving it ends the run."""

    def __init__(
        self, command: list[str], folder: Path, timeout: float | None, cancel: threading.Event, pass_on: Sequence[str]
    ) -> None:
        self._folder = folder
        self._cancel = cancel
        self._ends = None if timeout is None else time.monotonic() + timeout
        self._events: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._left = threading.Event()
        self._cut: str | None = None
        self._asked = 0.0
        self._trouble = ""
        self._runner = self._make(command, environment.make(folder, names=pass_on))
        self._thread = threading.Thread(target=self._run, name="opslib-ansible-runner", daemon=True)

    def __enter__(self) -> _Invocation:
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

    def forget_variables(self) -> None:
        """Remove the file with the extra variables, which ansible-playbook has read by now."""
        (self._folder / _VARIABLES).unlink(missing_ok=True)

    def _make(self, command: list[str], environ: dict[str, str]) -> Any:
        try:
            from ansible_runner import Runner, RunnerConfig
        except ImportError as error:
            raise MissingError(f"ansible-runner is needed ({error}); pip install 'ansible-runner>=2.4.3,<2.5'") from error
        mark = random.token_hex(16)
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
        config.env = {**environ, **{name: config.env[name] for name in needed}, guard.MARK: mark}
        config.cwd = os.getcwd()
        config.suppress_output_file = True
        config.pexpect_timeout = _TICK
        events = self._events

        class FileRunner(Runner):  # type: ignore[misc]
            """Takes events from the files that Ansible's callback writes, never from what is printed."""

            def event_callback(self, event_data: dict[str, Any]) -> None:
                self.last_stdout_update = time.time()
                found = _from_file(Path(config.artifact_dir, "job_events"), event_data)
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
            for event in _left_over(folder):
                self._events.put(event)
            self._events.put(None)

    def _cancelled(self) -> bool:
        """Asked by ansible-runner ten times a second. Guard kills at once; ansible-runner's own way is the last resort."""
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


def _from_file(folder: Path, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event that a line of output announces: its content stands in a file that only Ansible can write.

    What is printed may come from a host, which can print what looks like an event, with any path in it.
    """
    uuid = said.get("uuid")
    stdout = said.get("stdout")
    words = {"event": "verbose", "stdout": stdout if isinstance(stdout, str) else ""}
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
        return words if words["stdout"] else None
    event = _read(folder / f"{uuid}-partial.json")
    if event is None:
        return words if said.get("event") == "verbose" or "event" not in said else None
    return {**event, "stdout": words["stdout"]}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_EVENT + 1)
        path.unlink()
        event = json.loads(text) if len(text) <= MAX_EVENT else None
    except (OSError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _left_over(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield events whose announcement was lost, in the order they were made."""
    found = [event for path in folder.glob("*-partial.json") if (event := _read(path)) is not None]
    yield from sorted(found, key=lambda event: str(event.get("created")))
