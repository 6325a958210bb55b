"""Vercel's own command line: for deploying files, and for request logs, which no documented API gives.

The token travels in the environment, never among the arguments. The operator's own login and links are not used:
`--global-config` names an empty folder, and VERCEL_ORG_ID and VERCEL_PROJECT_ID say which project is meant.
Source: https://vercel.com/docs/cli
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from opslib.cloud.errors import MissingLibraryError, TimeIsUpError
from opslib.host import wire
from opslib.host.params import ParamError, Text, shown
from opslib.host.words import printable

if TYPE_CHECKING:
    from opslib.cloud.vercel.task import VercelTask

__all__ = ["Output", "Program", "run"]

_LONGEST = 16 << 20
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_KEPT = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


class Program(Text):
    """A program: its name or path."""

    def __init__(self) -> None:
        super().__init__("program: a name or a path")

    def check(self, value: str) -> str:
        if value.startswith("-") or not value.strip():
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


@dataclass(frozen=True, slots=True)
class Output:
    """How a command ended; text: its standard output; said: the end of standard error, to be shown."""

    code: int
    text: str
    said: str


def run(task: VercelTask, program: str, words: list[str], *, project: str, owner: str, folder: str) -> Output:
    """Run a command in a folder.

    project, owner: ids. Raises MissingLibraryError when the program is not there, TimeIsUpError when it does not end.
    """
    found = shutil.which(program)
    if found is None:
        raise MissingLibraryError(f"{program} is not installed; npm install -g vercel, or name it with `program`")
    with tempfile.TemporaryDirectory(prefix="opslib-vercel-") as home:
        line = [found, *words, "--global-config", home]
        if task.team:
            line += ["--scope", task.team]
        if task.address != "https://api.vercel.com":
            line += ["--api", task.address]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {
            "HOME": home,
            "CI": "1",
            "NO_COLOR": "1",
            "NO_UPDATE_NOTIFIER": "1",
            "VERCEL_TELEMETRY_DISABLED": "1",
            "VERCEL_TOKEN": task.key,
            "VERCEL_ORG_ID": owner,
            "VERCEL_PROJECT_ID": project,
        }
        return _ended(task, line, environment, folder)


def _ended(task: VercelTask, line: list[str], environment: dict[str, str], folder: str) -> Output:
    limit = task.patience.cap(task.wait)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(
            line, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, process_group=0
        ) as process:
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                words = f"vercel {line[1]}: it had not ended after {limit:.3g} seconds, and was stopped"
                raise TimeIsUpError(words) from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        text = _read(out)
        said = _ESCAPES.sub("", _read(err)).replace("\r", "\n")
    lines = [printable(each.strip()) for each in said.splitlines() if each.strip()]
    tail = str(wire.mask(" / ".join(lines[-4:]), list(task.secrets())))
    return Output(process.returncode, text, tail[-600:])


def _read(file: IO[bytes]) -> str:
    """Return what a program wrote, as far as anybody wants to know."""
    file.seek(0)
    return file.read(_LONGEST).decode("utf-8", "replace")
