"""A virtual environment's packages through its own pip, run as the environment's owner.

Sources: pip's documentation of `pip install`, `pip list`, `pip check` and `pip freeze`; PEP 503 for names.
"""

from __future__ import annotations

import os
import stat

from opslib.host.command import MAX_OUTPUT, run
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Sequence

    from opslib.host.command import Completed

QUICK = 120
_LONGEST_REPORT = 64 << 20
_SCRATCH = ("/dev/shm", "/run", "/tmp")
_UNREACHABLE = ("Could not fetch URL", "Retrying (Retry", "Connection to", "No route to host")


class Venv(Record):
    """A virtual environment: where it is, and who owns it. index: variables for pip, which may hold secrets."""

    path: str
    uid: int
    gid: int
    index: Mapping[str, str]

    def at(self, path: str) -> Venv:
        """Return the same at another place."""
        return Venv(path=path, uid=self.uid, gid=self.gid, index=self.index)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.path + "/bin/python"

    def as_owner(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Return a command that root runs as the owner: code in there is the owner's, and none that root should run."""
        if os.geteuid() != 0 or self.uid == 0:
            return tuple(argv)
        ids = ("--reuid=%d" % self.uid, "--regid=%d" % self.gid, "--clear-groups")
        return ("setpriv", *ids, "--", *argv)

    def pip(self, *words: str, timeout: float = QUICK, max_output: int = MAX_OUTPUT) -> Completed:
        """Run pip; it leaves nothing but what it installs. Raises TaskError when it does not end in time."""
        import shutil

        scratch = self._scratch()
        env = {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "PIP_NO_COLOR": "1",
            "TMPDIR": scratch,
            "XDG_CACHE_HOME": scratch,
            "HOME": self._home(),
        }
        try:
            argv = self.as_owner((self.python, "-I", "-B", "-m", "pip", *words))
            return run(argv, timeout=timeout, env={**env, **self.index}, ok=None, max_output=max_output)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _home(self) -> str:
        """Return the owner's home folder, whose pip.conf and netrc say where packages come from."""
        import pwd

        try:
            return pwd.getpwuid(self.uid).pw_dir
        except KeyError:
            return "/"

    def _scratch(self) -> str:
        from binascii import hexlify

        name = "opslib-pip-" + hexlify(os.urandom(8)).decode("ascii")
        for folder in _SCRATCH:
            path = os.path.join(folder, name)
            try:
                os.mkdir(path, 0o700)
            except OSError:
                continue
            if os.geteuid() == 0:
                os.chown(path, self.uid, self.gid)
            return path
        raise TaskError("there is no folder for pip's temporary files: %s" % ", ".join(_SCRATCH))


def found(path: str, index: Mapping[str, str]) -> Venv:
    """Return the environment at a path. Raises TaskError when there is none that works."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise TaskError("%s cannot be looked at: %s" % (path, error.strerror)) from None
    if not stat.S_ISDIR(status.st_mode) or not os.path.exists(path + "/pyvenv.cfg"):
        raise TaskError("%s is no virtual environment: it has no pyvenv.cfg" % path)
    if not os.access(path + "/bin/python", os.X_OK):
        raise TaskError("%s has no working Python: %s/bin/python is missing or leads nowhere" % (path, path))
    return Venv(path=path, uid=status.st_uid, gid=status.st_gid, index=index)


def broken(venv: Venv) -> list[str]:
    """Return the constraints that do not hold, in pip's words."""
    done = venv.pip("check")
    if done.code == 0:
        return []
    lines = [printable(line.strip()) for line in done.out.splitlines() if line.strip()]
    if not lines:
        raise TaskError("pip check failed in %s: %s" % (venv.path, said(done)))
    return sorted(lines)


def outdated(venv: Venv, timeout: float) -> tuple[list[dict[str, str]] | None, str]:
    """Return the packages that the index has newer ones of; None and why when it does not answer."""
    import json

    done = venv.pip("--retries=1", "--timeout=10", "list", "--outdated", "--format=json", timeout=timeout)
    why = [line for line in done.err.splitlines() if any(word in line for word in _UNREACHABLE)]
    if done.code or why:
        return None, printable(why[0].strip() if why else said(done))
    rows = json.loads(done.out)
    found = [
        {"name": row["name"], "installed": row["version"], "candidate": row.get("latest_version", "")} for row in rows
    ]
    return sorted(found, key=lambda row: row["name"].lower()), ""


def freeze(venv: Venv) -> str:
    """Return what is installed as a requirements file."""
    done = venv.pip("freeze", "--all")
    if "No module named pip" in done.err:
        raise TaskError("%s has no pip; make the environment with it (python3 -m venv)" % venv.path)
    if done.code:
        raise TaskError("pip freeze failed in %s: %s" % (venv.path, said(done)))
    return done.out


def rehearse(venv: Venv, words: Sequence[str], timeout: float) -> list[tuple[str, str]] | None:
    """Return names and versions that `pip install` would install; None where pip is too old to tell.

    Raises TaskError with what pip says against it.
    """
    import json

    report = ("install", "--dry-run", "--quiet", "--report=-", *words)
    done = venv.pip(
        *report, timeout=timeout, max_output=_LONGEST_REPORT
    )  # it holds all that packages say of themselves
    if done.code and "no such option: --dry-run" in done.err:
        return None
    if done.code:
        raise TaskError("pip refuses: %s" % said(done))
    try:
        found = json.loads(done.out)
        return [(row["metadata"]["name"], row["metadata"]["version"]) for row in found.get("install", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "is longer than 64 MiB" if done.cut else "is no report"
        raise TaskError("what pip would install is not known: what it says %s" % why) from None


def normal(name: str) -> str:
    """Return a package's name in the form in which names are compared."""
    out: list[str] = []
    for c in name.lower():
        if c in "-_.":
            if out and out[-1] != "-":
                out.append("-")
        else:
            out.append(c)
    return "".join(out)


def pins(text: str) -> dict[str, tuple[str, str]]:
    """Return name and version by normal name from what `freeze` gave; a line without == counts as a whole."""
    found = {}
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        name, sign, version = line.partition("==")
        if sign and " " not in line:
            found[normal(name)] = (name, version)
        elif " @ " in line:
            name, _sign, version = line.partition(" @ ")
            found[normal(name)] = (name, "@ " + version)
    return found


def said(done: Completed) -> str:
    """Return what pip said went wrong, on one line."""
    if done.code < 0:
        return "it was killed by signal %d" % -done.code
    lines = [line.strip() for line in (done.err + "\n" + done.out).splitlines() if line.strip()]
    errors = [line[7:] for line in lines if line.startswith("ERROR: ")]
    return printable("; ".join((errors or lines[-4:])[:5]))[:1500] or "it said nothing (exit code %d)" % done.code
