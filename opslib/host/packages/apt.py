"""Debian packages through apt-get and dpkg.

Sources: apt-get(8), apt.conf(5), dpkg(1), dpkg-query(1), and what `apt-get -s` prints (SimulateWithActions in apt).
"""

from __future__ import annotations

import os

from opslib.host import ages
from opslib.host.command import run
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Sequence

LISTS = "/var/lib/apt/lists"
JOURNAL = "/var/lib/dpkg/updates"
QUICK = 120
_HALF = ("H", "U", "F", "W", "t")
_NEVER_ASK = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "UCF_FORCE_CONFFOLD": "1",
}
_WRITE_NOTHING = tuple(
    word
    for name in ("Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "Dir::Log::Planner=/dev/null")
    for word in ("-o", name)
)
_KEEP_CONFIGURATION = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")


class Step(Record):
    """What apt would do to a package: `install` (an upgrade when `before` says what is there) or `remove` it."""

    verb: str
    name: str
    before: str = ""
    after: str = ""
    security: bool = False


def parse_simulation(text: str) -> list[Step]:
    """Return what `apt-get -s` says it would do."""
    steps = []
    for line in text.splitlines():
        verb, _space, rest = line.partition(" ")
        if verb not in ("Inst", "Remv"):
            continue
        name, _space, rest = rest.partition(" ")
        before = ""
        if rest.startswith("["):
            before, _bracket, rest = rest[1:].partition("]")
        after, _space, origins = rest.strip().lstrip("(").partition(" ")
        steps.append(
            Step(
                verb="install" if verb == "Inst" else "remove",
                name=name,
                before=before,
                after=after if verb == "Inst" else "",
                security=verb == "Inst" and "security" in origins.partition(" [")[0].lower(),
            )
        )
    return steps


def simulate(words: Sequence[str]) -> list[Step]:
    """Return what an apt-get command would do. Raises TaskError with what apt says against it."""
    done = run(("apt-get", "-s", "-q", *_WRITE_NOTHING, *words), timeout=QUICK, env=_NEVER_ASK, ok=None)
    if done.code:
        raise TaskError("apt-get refuses: %s" % said(done.err or done.out))
    return parse_simulation(done.out)


def upgrade_words(removals: bool) -> tuple[str, ...]:
    """Return the command that upgrades all packages."""
    return ("dist-upgrade",) if removals else ("--with-new-pkgs", "upgrade")


def named_words(names: Sequence[str]) -> tuple[str, ...]:
    """Return the command that upgrades some packages, all of which are installed."""
    return ("--only-upgrade", "install", "--", *names)


def carry_out(words: Sequence[str], removals: bool, lock_seconds: float, timeout: float) -> None:
    """Let apt-get do something. Raises TaskError with the end of what it said."""
    options = ["-y", "-q", "-o", "DPkg::Lock::Timeout=%d" % max(int(lock_seconds), 1), *_KEEP_CONFIGURATION]
    if not removals:
        options.append("--no-remove")
    done = run(("apt-get", *options, *words), timeout=timeout, env=_NEVER_ASK, ok=None)
    if done.code:
        raise TaskError("apt-get failed: %s" % said(done.err or done.out), log=(done.out + done.err).splitlines()[-40:])


def refresh(lock_seconds: float, timeout: float) -> None:
    """Fetch the package lists. Raises TaskError when one could not be had."""
    before = os.stat(LISTS).st_mtime if os.path.isdir(LISTS) else None
    options = ("-q", "-o", "DPkg::Lock::Timeout=%d" % max(int(lock_seconds), 1), "-o", "APT::Update::Error-Mode=any")
    done = run(("apt-get", *options, "update"), timeout=timeout, env=_NEVER_ASK, ok=None)
    # apt 2.0 knows no Error-Mode and says so only in warnings.
    bad = [line for line in done.err.splitlines() if line.startswith(("E:", "Err:", "W: Failed to fetch"))]
    if done.code or bad:
        if before is not None:  # what was fetched in part is as old as the rest
            os.utime(LISTS, (before, before))
        raise TaskError("the package lists cannot be fetched: %s" % said(done.err or done.out))
    # Where nothing was new apt leaves no trace of its visit.
    os.utime(LISTS)


def lists_age(now: float) -> int | None:
    """Return the seconds since the package lists were fetched; None when they never were, or when is not known."""
    try:
        with os.scandir(LISTS) as entries:
            if not any(entry.name.endswith(("_Packages", "_InRelease", "_Release", ".lz4")) for entry in entries):
                return None
        fetched = os.stat(LISTS).st_mtime
        return None if ages.ahead(fetched, now) else max(int(now - fetched), 0)
    except OSError:
        return None


def finish(removals: bool, lock_seconds: float, timeout: float) -> None:
    """Bring to an end what an interrupted dpkg left."""
    words = ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")
    done = run(words, timeout=timeout, env=_NEVER_ASK, ok=None)
    if done.code:
        raise TaskError("dpkg cannot finish what was left half-done: %s" % said(done.err or done.out))
    carry_out(("-f", "install"), removals, lock_seconds, timeout)


class Installed(Record):
    """Versions of installed packages by name (with and without the architecture); those held, and those half-done."""

    versions: Mapping[str, str]
    held: Sequence[str] = ()
    half: Sequence[str] = ()


def installed() -> Installed:
    """Return what is installed."""
    form = "${db:Status-Abbrev}\\t${Package}\\t${Architecture}\\t${Version}\\n"
    shown = run(("dpkg-query", "-W", "-f", form), timeout=QUICK)
    return parse_installed(shown.out, os.listdir(JOURNAL) if os.path.isdir(JOURNAL) else [])


def parse_installed(text: str, journal: Sequence[str]) -> Installed:
    """Return what is installed from the output of dpkg-query and the names in dpkg's journal."""
    found: dict[str, str] = {}
    held: list[str] = []
    half: list[str] = []
    for line in text.splitlines():
        status, name, architecture, version = (line.split("\t") + ["", "", ""])[:4]
        if status[1:2] in _HALF or status[2:3] == "R":
            half.append(name)
        if status[:1] == "h":
            held.append(name)
        if status[1:2] == "i" or (status[1:2] in _HALF and version):
            found[name] = version
            found["%s:%s" % (name, architecture)] = version
    if not half and any(name.isdigit() for name in journal):
        half.append("dpkg's journal")
    return Installed(versions=found, held=sorted(held), half=half)


def said(text: str) -> str:
    """Return the lines that matter in what apt said, as one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    against = [line for line in lines if line.startswith(("E:", "dpkg: error", "Err:"))]
    return printable("; ".join((against or lines[-4:])[:6])) or "it said nothing"
