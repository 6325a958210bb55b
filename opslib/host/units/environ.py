"""The environment of a unit: what its running process has, and what its unit file gives it. Names are for showing.

Values never leave this module but to be masked wherever else they turn up. Sources: systemd.exec(5) (Environment=,
EnvironmentFile=), proc_pid_environ(5).
"""

from __future__ import annotations

import os

from opslib.host.command import run
from opslib.host.files import env_file
from opslib.host.record import Record
from opslib.host.system import apart, processes
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

_PATIENCE = 3
_LONGEST = 1 << 20
_MOST_NAMES = 500
_SHORTEST = 6
_LONG = 16  # of an account without a password that is a token rather than a name
_TELLING = ("KEY", "SECRET", "TOKEN", "PASS", "PWD", "CRED", "DSN", "AUTH", "COOKIE", "PRIVATE", "SALT", "HOOK")
_SAID = r"(?i)(?:^|[\s;?&])(?:password|passwd|pwd)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s;&#]+)"
_HARMLESS = ("PATH", "PWD", "OLDPWD", "HOME", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MAINPID")


class Environ(Record):
    """What is known of a unit's environment.

    running: of its main process, None when there is none or it is not known; known: False when there is a process and
    what it has is not known; given: by unit file and environment files; problems: in words.
    """

    running: dict[str, str] | None = None
    known: bool = True
    given: dict[str, str]
    problems: Sequence[str] = ()

    @property
    def secrets(self) -> set[str]:
        """The values that are secret by their names, or hold a password as a URL does, and these passwords."""
        found: set[str] = set()
        for values in (self.running or {}, self.given):
            for name, value in values.items():
                telling = name not in _HARMLESS and any(word in name.upper() for word in _TELLING)
                plain = telling and ("://" not in value or "HOOK" in name.upper())
                found.update(part for part in ([value] if plain else secret_parts(value)) if len(part) >= _SHORTEST)
        return found

    def facts(self, required: Sequence[str]) -> dict[str, Any]:
        """Return what may be shown: names, what is missing of those required, what a restart would change."""
        effective = self.given if self.running is None else self.running
        missing = [name for name in required if name not in effective]
        problems = list(self.problems)
        if missing and not self.known:
            problems.append("its files do not give %s; whether the process has that is not known" % ", ".join(missing))
            missing = []
        changed = []
        if self.running is not None:
            own = self.running
            changed = sorted(name for name, value in self.given.items() if own.get(name) != value)
        return {
            "running": self.running is not None,
            "names": [printable(name) for name in sorted(effective)[:_MOST_NAMES]],
            "missing": missing,
            "empty": [name for name in required if effective.get(name) == "" and self.known],
            "changed_since_start": [printable(name) for name in changed[:_MOST_NAMES]],
            "problems": problems,
        }


def of_unit(unit: str, main_pid: int) -> Environ:
    """Return a unit's environment. main_pid: of its main process, 0 when it does not run."""
    running = None
    problems = []
    if main_pid:
        block = apart.ask(_environ, [main_pid], _PATIENCE)[0]
        running = parse_block(block) if block else None
        if running is None:
            why = "is not known: it wrote something else, such as its title, over it" if block else "cannot be read"
            problems.append("the environment of process %d %s" % (main_pid, why))
    given: dict[str, str] = {}
    files: list[tuple[str, bool]] = []
    try:
        given, files = parse_show(_show(unit))
    except TaskError as error:
        problems.append(str(error))
    for path, optional in _expanded(files):
        try:
            given.update(env_file.read(path))
        except TaskError as error:
            if not optional or os.path.lexists(path):
                problems.append(printable(str(error)))
    return Environ(running=running, known=not main_pid or running is not None, given=given, problems=problems)


def secret_parts(value: str) -> Iterator[str]:
    """Yield the value of a variable, when it is a URL or a connection string that holds a secret, and the secret.

    These are the password or token before the @ of a URL, all of a URL with a query, and what `password=` says.
    """
    import re

    said = [found.strip("'") for found in re.findall(_SAID, value)]
    if said:
        yield value
        yield from said
    place = value.partition("://")[2].partition("?")[0]
    host = place.partition("/")[0]
    account, sign, _rest = place.rpartition("@")  # a password may hold @ and /, by mistake
    if sign and ("@" in host or not (":" not in host or host.rpartition(":")[2].isdigit())):
        yield value
        name, colon, password = account.partition(":")
        secret = password if colon else name if len(name) >= _LONG else ""
        yield secret
        if "%" in secret:
            from urllib.parse import unquote

            yield unquote(secret)
    elif place and "?" in value and not said:
        yield value


def parse_block(block: bytes) -> dict[str, str] | None:
    """Return the variables in a /proc/PID/environ, None when something else was written over them."""
    found = processes.variables(block)
    if found is None:
        return None
    return {_text(name): _text(value) for name, value in found.items() if name}


def parse_show(text: str) -> tuple[dict[str, str], list[tuple[str, bool]]]:
    """Return what a unit file sets itself, and its environment files with whether each may be missing."""
    import shlex

    given: dict[str, str] = {}
    files = []
    for line in text.splitlines():
        key, _sign, value = line.partition("=")
        if key == "Environment":
            try:
                words = shlex.split(value)
            except ValueError:
                words = value.split()
            # systemctl puts a backslash before these, too, which shlex leaves there.
            words = [word.replace("\\$", "$").replace("\\`", "`") for word in words]
            given.update((name, rest) for name, sign, rest in (word.partition("=") for word in words) if sign)
        elif key == "EnvironmentFiles":
            path, _space, options = value.rpartition(" (")
            if path.startswith("/"):
                files.append((path, options == "ignore_errors=yes)"))
    return given, files


def _expanded(files: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """Yield environment files, and those that a pattern among them means."""
    for path, optional in files:
        if any(c in path for c in "*?["):
            from glob import glob

            yield from ((found, optional) for found in sorted(glob(path)))
        else:
            yield path, optional


def _environ(pid: int) -> bytes:
    return processes.read(pid, "environ", _LONGEST)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _show(unit: str) -> str:
    wanted = "Environment,EnvironmentFiles"
    return run(("systemctl", "show", "--no-pager", "--property", wanted, "--", unit), timeout=20).out
