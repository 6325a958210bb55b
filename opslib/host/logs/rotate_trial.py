"""Try a logrotate configuration without putting it anywhere, and hear what logrotate would say.

The candidate, and the copies of the main configuration around it, exist in memory only (memfd_create(2)); logrotate
reads them by their names below /proc. Nothing is written, whether or not the trial succeeds.
"""

from __future__ import annotations

import os
import stat

from opslib.host.command import run
from opslib.host.files import globs
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import printable

from . import rotate_text as logrotate_text
from .rotate_file import MAX_FILE
from .rotate_text import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

MAX_ENTRIES = 5000


class Trial(Record):
    """What came of a trial.

    errors: what logrotate has against the candidate, alone or beside the other configurations; warnings: its remarks,
    and what could not be tried; logs: path of each log the candidate covers, with `rotate` or why it is not due;
    due: the logs that a forced rotation would rotate, when that was asked.
    """

    errors: Sequence[str] = ()
    warnings: Sequence[str] = ()
    logs: Sequence[tuple[str, str]] = ()
    due: Sequence[str] = ()


class Memory:
    """Files that exist in memory only, for as long as the `with` block lasts. They have mode 0600 and our owner."""

    def __init__(self) -> None:
        self.fds: list[int] = []
        self.names: dict[str, str] = {}

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_error: object) -> None:
        for fd in self.fds:
            os.close(fd)

    def put(self, text: str, name: str) -> str:
        """Return the path of a new file with this text; in messages it is to be called by the name."""
        fd = os.memfd_create("opslib", os.MFD_CLOEXEC)
        self.fds.append(fd)
        os.fchmod(fd, 0o600)
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(fd, data) :]
        path = "/proc/%d/fd/%d" % (os.getpid(), fd)
        self.names[path] = name
        return path


def read_main(path: str) -> str | None:
    """Return the text of the main configuration, None when there is none. Raises TaskError for what is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
            raise TaskError("%s is no configuration file: it is no regular file, or larger than 1 MiB" % path)
        return os.read(fd, MAX_FILE).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def debug(path: str, memory: Memory, force: bool = False) -> Verdict:
    """Let logrotate read a configuration and say what it would do. Raises TaskError when it cannot be run."""
    words = ["logrotate", "--debug", "--state", "/dev/null"] + (["--force"] if force else [])
    done = run([*words, path], ok=None, timeout=120, max_output=16 << 20)
    said = logrotate_text.verdict(done.out + done.err, memory.names)
    if done.code not in (0, 1) or (done.code and not said.errors):
        raise TaskError("logrotate --debug ended with code %d: %s" % (done.code, done.err.strip()[-500:]))
    return said


def in_place(place: tuple[str, str], patterns: Sequence[str], main_path: str) -> Trial | None:
    """Judge a configuration that stands in its place from one look at all of them; None when that does not suffice."""
    if read_main(main_path) is None:
        return None
    with Memory() as memory:
        said = debug(main_path, memory)
    if said.errors or place[1] not in said.read:
        return None
    logs = sorted((log, why) for log, why in said.considered.items() if any(_covers(word, log) for word in patterns))
    return Trial(warnings=[printable(line) for line in said.warnings if "/".join(place) in line], logs=logs)


def _covers(pattern: str, log: str) -> bool:
    """Whether a pattern of logrotate's, as in glob(3), names a log."""
    if pattern == log:
        return True
    words, names = pattern.split("/"), log.split("/")
    return len(words) == len(names) and all(map(globs.matches, names, words))


def hold(text: str, script: Sequence[str] | None, place: tuple[str, str], main_path: str, force: bool) -> Trial:
    """Try a configuration, alone and beside the others of the host.

    text: all of it; script: its postrotate; place: the folder and the name it is for; main_path: the main
    configuration, whose global directives hold for it; force: find out what a forced rotation would rotate.
    """
    main = read_main(main_path)
    target = "/".join(place)
    if script:
        shell = run(["sh", "-n"], stdin="\n".join(script).encode() + b"\n", ok=None)
        if shell.code:
            return Trial(errors=["postrotate is no shell script: " + printable(shell.err.strip()[-500:])])
    with Memory() as memory:
        candidate = memory.put(text, target)
        head = logrotate_text.directives_only(main or "")
        alone = memory.put(head + "include " + candidate + "\n", main_path)
        said = debug(alone, memory)
        errors = _against(said, main_path)
        warnings = [printable(line) for line in said.warnings if target in line]
        if not errors and target not in said.read:
            errors = ["logrotate did not read it"]
        due: list[str] = []
        if force and not errors:
            forced = debug(alone, memory, force=True)
            errors = _against(forced, main_path)
            due = [log for log, why in forced.considered.items() if why == "rotate"]
        if main is None:
            warnings.append("there is no %s, so nothing makes logrotate read %s" % (main_path, target))
        elif not errors:
            errors, remark = _beside(main, main_path, place, candidate, memory)
            warnings += remark
    logs = sorted(said.considered.items())
    return Trial(errors=[printable(line) for line in errors], warnings=warnings, logs=logs, due=due)


def _against(said: Verdict, main_path: str) -> list[str]:
    """Return the errors, without those that lie in the main configuration itself."""
    return [line for line in said.errors if not line.startswith(main_path + ":")]


def _beside(
    main: str, main_path: str, place: tuple[str, str], candidate: str, memory: Memory
) -> tuple[list[str], list[str]]:
    """Return what logrotate has against the candidate beside the other configurations, and remarks.

    What it would say without the candidate as well is nothing against the candidate.
    """
    folder, config = place
    if not logrotate_text.with_files(main, folder, [candidate]):
        return [], ["%s does not include %s, so logrotate does not read what stands there" % (main_path, folder)]
    live = debug(main_path, memory)
    present = os.listdir(folder)[:MAX_ENTRIES]
    names = sorted(name for name in present if name == name.strip() and name in live.read and name != config)
    remark = []
    if config in present and config not in live.read:
        remark.append("logrotate does not read %s/%s as it is now" % place)
    before = [folder + "/" + name for name in names if name < config]
    after = [folder + "/" + name for name in names if name > config]
    found: list[list[str]] = []
    for path in (candidate, ""):
        text = logrotate_text.with_files(main, folder, [*before, path, *after])
        found.append(list(debug(memory.put(text, main_path), memory).errors))
        if not found[0]:
            return [], remark
    return [line for line in found[0] if line not in found[1]], remark
