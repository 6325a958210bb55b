"""As whom git, pip and migrations run, so that code from a repository, and folders of a user, have no say over root.

Sources: setpriv(1), gitsecurity: a repository's own settings can name programs that git runs.
"""

from __future__ import annotations

import os

from opslib.host import wire
from opslib.host.command import PATH, run, which
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping, Sequence

    from opslib.host.command import Completed

SAID = 1500


class Actor(Record):
    """A user that programs run as."""

    name: str
    uid: int
    gid: int
    home: str

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        ok: Sequence[int] | None = (0,),
        secrets: Iterable[str] = (),
    ) -> Completed:
        """Run a program as this user; it dies with us. Raises TaskError as `command.run` does, secrets masked."""
        if not which(argv[0]):
            raise TaskError("%s is not installed on this host" % argv[0])
        before = ["setpriv", "--pdeathsig", "KILL"]
        if self.uid != os.geteuid():
            before += ["--reuid", "%d" % self.uid, "--regid", "%d" % self.gid, "--init-groups"]
        environ = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}
        environ.update(env or {})
        try:
            done = run([*before, "--", *argv], timeout=timeout, env=environ, cwd=cwd, ok=None)
        except TaskError as error:
            raise TaskError(str(error).replace("setpriv", short(argv), 1)) from None
        if ok is not None and done.code not in ok:
            raise TaskError("%s failed with exit code %d: %s" % (short(argv), done.code, said(done, secrets)))
        return done

    def remove(self, path: str) -> None:
        """Remove a folder with all that is in it; one that is not there is no error."""
        self.run(("rm", "-rf", "--one-file-system", "--", path), timeout=600)

    def make(self, path: str) -> None:
        """Make a folder and those above it."""
        self.run(("mkdir", "-p", "--", path), timeout=60)


def find(user: str | None, folder: str) -> Actor:
    """Return the user by name; without one, whoever owns the folder, or ourselves where there is none.

    Raises TaskError for a name that nobody has, and when only root could become that user.
    """
    import pwd

    try:
        if user is not None:
            entry = pwd.getpwnam(user)
        else:
            try:
                uid = os.stat(folder).st_uid
            except FileNotFoundError:
                uid = os.geteuid()
            entry = pwd.getpwuid(uid)
    except KeyError:
        words = "user %s" % user if user is not None else "the owner of %s" % folder
        raise TaskError("%s does not exist on this host" % words) from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise TaskError("only root can work as user %s; run this as root (become)" % entry.pw_name)
    return Actor(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, home=entry.pw_dir)


def who() -> str:
    """Return the name of the person at work, as far as the host knows."""
    import pwd

    name = os.environ.get("SUDO_USER", "")
    if name and name.isprintable():
        return name[:64]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "%d" % os.getuid()


def short(argv: Sequence[str]) -> str:
    """Return a command as people say it: the program and its verb, without options."""
    words, rest = [argv[0].rpartition("/")[2]], list(argv[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-c", "-C"):
            rest = rest[1:]
        elif word == "-m" and rest:
            words.append("-m " + rest.pop(0))
        elif word == "--":
            break
        elif not word.startswith("-"):
            if "/" not in word:
                words.append(word)
            break
    return printable(" ".join(words))


def said(done: Completed, secrets: Iterable[str] = ()) -> str:
    """Return the end of what a program said, on one line, printable, secrets masked."""
    text = done.err.strip() or done.out.strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = str(wire.mask("; ".join(lines), [secret for secret in secrets if len(secret) > 3]))
    words = printable(words)
    return "..." + words[-SAID:] if len(words) > SAID else words or "it said nothing"


def path_with(folder: str) -> str:
    """Return the search path with a folder before the system's own."""
    return folder + ":" + PATH
