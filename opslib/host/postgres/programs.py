"""Run pg_dump and pg_restore: the connection in their environment, files as open descriptors, time and space bounded.

What they are to read or write is opened by us, so that they can run with another user's rights.
"""

from __future__ import annotations

import os
import time

from opslib.host.command import PATH, kill_group, which
from opslib.host.task import TaskError
from opslib.host.words import printable, size

from .opening import account

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .settings import Settings

_NEWEST_FIRST = "/usr/lib/postgresql"
_KEPT = 1 << 16
_LOOK = 0.2
# Behind a lock that nobody lets go, an error is better than silence; a database may be frozen by its own settings.
_OPTIONS = "-c lock_timeout=60s -c default_transaction_read_only=off"


class Programs:
    """The client programs of one connection. Raises TaskError; what a program said is in the message."""

    def __init__(self, settings: Settings, deadline: float) -> None:
        self.settings = settings
        self.deadline = deadline

    def dump(self, snapshot: str, out: int, keep_free: int) -> None:
        """Dump the database as it is in a snapshot, in custom format, to an open file.

        keep_free: bytes that must stay free on the file's file system.
        """
        words = ["--format=custom", "--snapshot=" + snapshot, "--lock-wait-timeout=60000", "--no-password"]
        self._run("pg_dump", words, out=out, keep_free=keep_free)

    def contents(self, file: int) -> str:
        """Return the table of contents of an open dump. A file that is no dump is a TaskError."""
        return self._run("pg_restore", ["--list"], file=file)

    def read_through(self, file: int) -> None:
        """Read and unpack a whole dump, and do nothing with it."""
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            self._run("pg_restore", ["--file=-"], file=file, out=null)
        finally:
            os.close(null)

    def restore(self, file: int, database: str, options: Sequence[str], contents: str = "") -> None:
        """Restore a dump into a database; the first error ends it. contents: the part to restore, all unless given."""
        name = "dbname='%s'" % database.replace("\\", "\\\\").replace("'", "\\'")
        words = ["--exit-on-error", "--no-password", *options, "--dbname=" + name]
        if not contents:
            self._run("pg_restore", words, file=file)
            return
        listing = os.memfd_create("contents")
        try:
            os.write(listing, contents.encode("utf-8", "replace"))
            self._run("pg_restore", [*words, "--use-list=/proc/self/fd/%d" % listing], file=file, also=listing)
        finally:
            os.close(listing)

    def version(self, program: str) -> str:
        """Return what a program calls its version."""
        return self._run(program, ["--version"]).strip()[:100]

    def _run(
        self, program: str, words: Sequence[str], file: int = -1, out: int = -1, keep_free: int = 0, also: int = -1
    ) -> str:
        import subprocess

        settings = self.settings
        argv = [find(program), *words]
        environ = {"PATH": PATH, "LC_ALL": "C.UTF-8", "PGOPTIONS": _OPTIONS, **settings.environment()}
        if "OPSLIB_RUN" in os.environ:
            environ["OPSLIB_RUN"] = os.environ["OPSLIB_RUN"]
        if settings.identity is not None and os.geteuid() == 0:
            group = account(settings.identity).pw_gid
            lender = [which("setpriv") or "/usr/bin/setpriv", "--reuid=" + settings.identity, "--regid=%d" % group]
            argv = [*lender, "--init-groups", "--", *argv]
        if file >= 0:
            os.lseek(file, 0, os.SEEK_SET)
        child = subprocess.Popen(
            argv,
            stdin=file if file >= 0 else subprocess.DEVNULL,
            stdout=out if out >= 0 else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            cwd="/",
            start_new_session=True,
            pass_fds=(also,) if also >= 0 else (),
        )
        try:
            said, err = self._follow(child, program, out, keep_free)
        except BaseException:
            kill_group(child.pid)
            child.returncode = -9
            raise
        finally:
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
        if child.returncode:
            raise TaskError(_failed(program, child.returncode, err))
        return said.decode("utf-8", "replace")

    def _follow(self, child: Any, program: str, out: int, keep_free: int) -> tuple[bytes, bytes]:
        """Collect what a program says until it has ended, and see to its time and to the free space."""
        import select

        poll = select.poll()
        kept: dict[int, bytearray] = {}
        pipes = [pipe.fileno() for pipe in (child.stdout, child.stderr) if pipe is not None]
        for pipe in pipes:
            kept[pipe] = bytearray()
            poll.register(pipe, select.POLLIN)
        looked = 0.0
        opened = set(pipes)
        while opened:
            now = time.monotonic()
            if now > self.deadline:
                raise TaskError("%s did not end in time; give a longer timeout" % program)
            if keep_free and now - looked >= _LOOK:
                looked = now
                _see_to_room(out, program, keep_free)
            for pipe, _event in poll.poll(int(_LOOK * 1000)):
                piece = os.read(pipe, 1 << 16)
                if not piece:
                    poll.unregister(pipe)
                    opened.discard(pipe)
                kept[pipe] += piece
                if len(kept[pipe]) > 4 * _KEPT and pipe == pipes[-1]:
                    del kept[pipe][:-_KEPT]
                elif len(kept[pipe]) > 256 * _KEPT:
                    raise TaskError("%s says too much" % program)
        while child.poll() is None:
            if time.monotonic() > self.deadline:
                raise TaskError("%s did not end in time; give a longer timeout" % program)
            time.sleep(0.005)
        if keep_free:  # a quick program is over before the second look
            _see_to_room(out, program, keep_free)
        said = bytes(kept[child.stdout.fileno()]) if child.stdout is not None else b""
        return said, bytes(kept[child.stderr.fileno()])


def _see_to_room(fd: int, program: str, keep_free: int) -> None:
    space = os.fstatvfs(fd)
    if space.f_bavail * space.f_frsize < keep_free:
        raise TaskError("%s was ended: less than %s would stay free (keep_free)" % (program, size(keep_free)))


def find(program: str) -> str:
    """Return the path of a client program. Raises TaskError that says what to install."""
    path = which(program)
    if path:
        return path
    try:
        versions = sorted((name for name in os.listdir(_NEWEST_FIRST) if name.isdigit()), key=int, reverse=True)
    except OSError:
        versions = []
    for version in versions:
        path = "%s/%s/bin/%s" % (_NEWEST_FIRST, version, program)
        if os.access(path, os.X_OK):
            return path
    raise TaskError("%s is not installed on this host; install the package postgresql-client" % program)


def without_extensions(contents: str) -> str:
    """Return a table of contents without extensions, which belong to whoever installed them on the server."""
    kept = []
    for line in contents.splitlines():
        entry = line.split(None, 3)[3:]
        if not entry or not entry[0].startswith(("EXTENSION ", "COMMENT - EXTENSION ")):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _failed(program: str, code: int, err: bytes) -> str:
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    said = printable("; ".join(lines[-4:])[-1500:])
    if code < 0:
        words = "%s was killed by signal %d" % (program, -code)
        return words + (": " + said if said else "")
    return "%s failed: %s" % (program, said or "exit code %d" % code)
