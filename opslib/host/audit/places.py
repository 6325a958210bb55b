"""Where sshd takes the keys from that open accounts: accounts, and the files that it looks into for each.

Sources: passwd(5), getent(1), sshd_config(5) (AuthorizedKeysFile, AuthorizedKeysCommand, TrustedUserCAKeys, TOKENS).
"""

from __future__ import annotations

import os

from opslib.host.command import run, which
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import count, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, Sequence

USUAL = (".ssh/authorized_keys", ".ssh/authorized_keys2")
EVERYBODY = "*"
_CONFIG = "/etc/ssh/sshd_config"
_PASSWD = "/etc/passwd"
_FILES = "authorizedkeysfile"
_OTHERS = ("authorizedkeyscommand", "trustedusercakeys")
_SECONDS = 10
_MOST_ACCOUNTS, _MOST_PATTERNS, _MOST_NAMES, _MOST_FILES = 20000, 50, 200, 100
_LONGEST = 4 << 20


class Account(Record):
    """An account, local or of a directory."""

    name: str
    uid: str
    home: str


class Places(Record):
    """files: account (`*` for all of them) and path, each to be looked into; notes: what may be elsewhere, in words."""

    files: Sequence[tuple[str, str]]
    notes: Sequence[str]


def look(names: Iterable[str] = ()) -> Places:
    """Return where keys may lie. names: accounts to ask for by name, which a directory may not list."""
    notes: list[str] = []
    accounts = _accounts(sorted(set(names)), notes)
    patterns = _patterns(notes)
    return Places(files=files(accounts, patterns), notes=notes)


def files(accounts: Sequence[Account], patterns: Sequence[str] = USUAL) -> list[tuple[str, str]]:
    """Return account and path of each file that sshd would look into, in the order of the accounts."""
    everybody = [(EVERYBODY, each) for each in patterns if each.startswith("/") and not _depends(each)]
    own = [each for each in patterns if not each.startswith("/") or _depends(each)]
    found = everybody + [(printable(one.name), _path(each, one)) for one in accounts for each in own]
    return [(user, path) for user, path in found if "\0" not in path]


def _depends(pattern: str) -> bool:
    return "%" in pattern.replace("%%", "")


def _path(pattern: str, account: Account) -> str:
    values = {"%h": account.home, "%u": account.name, "%U": account.uid, "%%": "%"}
    text, at = "", 0
    while at < len(pattern):
        token = pattern[at : at + 2]
        text += values.get(token, pattern[at])
        at += 2 if token in values else 1
    return text if text.startswith("/") else account.home.rstrip("/") + "/" + text


def _accounts(names: Sequence[str], notes: list[str]) -> list[Account]:
    """Return the accounts in /etc/passwd, those that getent lists, and those of these names."""
    found = {one.name: one for one in _rows(_read(_PASSWD))}
    try:
        done = run(("getent", "passwd"), timeout=_SECONDS, max_output=_LONGEST)
        listed = _rows(done.out)
        if done.cut or len(listed) > _MOST_ACCOUNTS:
            notes.append("there are more accounts than can be looked at; those of a directory are left out in part")
        for one in listed[:_MOST_ACCOUNTS]:
            found.setdefault(one.name, one)
        unlisted = [name for name in names if name and name not in found and name.isprintable()][:_MOST_NAMES]
        if unlisted:
            for one in _rows(run(("getent", "passwd", "--", *unlisted), timeout=_SECONDS, ok=(0, 2)).out):
                found.setdefault(one.name, one)
    except TaskError as error:
        words = "keys were looked for in the homes of %s in %s only, since getent cannot be asked: %s"
        notes.append(words % (count(len(found), "account"), _PASSWD, printable(str(error))[:300]))
    return list(found.values())


def _rows(text: str) -> list[Account]:
    rows = (line.split(":") for line in text.split("\n"))
    return [Account(name=row[0], uid=row[2], home=row[5]) for row in rows if len(row) > 6 and row[5].startswith("/")]


def _patterns(notes: list[str]) -> list[str]:
    """Return the usual files and those that sshd names; what it names besides files is noted, in words."""
    found, others = list(USUAL), []
    for words in _settings(notes):
        name = words[0].lower()
        for value in (word.strip('"') for word in words[1:]):
            if name in _OTHERS and value != "none":
                others.append(printable(" ".join(words))[:200])
                break
            usual = value[3:] if value.startswith("%h/") else value
            if name == _FILES and value != "none" and usual not in found:
                found.append(usual)
    if others:
        words = "sshd takes keys from elsewhere too, where they were not looked for: %s"
        notes.append(words % "; ".join(sorted(set(others))[:20]))
    if len(found) > _MOST_PATTERNS:
        notes.append("sshd names more than %d files of keys; the others were not looked at" % _MOST_PATTERNS)
    return found[:_MOST_PATTERNS]


def _settings(notes: list[str]) -> Iterator[Sequence[str]]:
    """Yield name and values of settings: as sshd has them, and as they stand in its files, where Match blocks are."""
    if which("sshd"):
        try:
            text = run(("sshd", "-T"), timeout=_SECONDS, max_output=1 << 20).out
        except TaskError as error:
            text = ""
            if os.geteuid() == 0:
                words = "sshd -T does not say where keys are, so only %s was read: %s"
                notes.append(words % (_CONFIG, printable(str(error))[:300]))
        yield from (line.split() for line in text.splitlines() if line.strip())
    for path in _configuration():
        yield from _lines(path)


def _configuration() -> list[str]:
    """Return the paths of sshd's configuration, with what it includes."""
    import glob

    found: list[str] = []
    waiting = [_CONFIG, _CONFIG + ".d/*.conf"]
    while waiting and len(found) < _MOST_FILES:
        for path in sorted(glob.glob(os.path.join(os.path.dirname(_CONFIG), waiting.pop(0)))):
            if path not in found:
                found.append(path)
                rows = (row[1:] for row in _lines(path) if row[0].lower() == "include")
                waiting += [word.strip('"') for row in rows for word in row]
    return found[:_MOST_FILES]


def _lines(path: str) -> list[list[str]]:
    """Return the settings in a file, each as name and values."""
    rows = (line.replace("=", " ", 1).split() for line in _read(path).splitlines())
    return [row for row in rows if len(row) > 1 and not row[0].startswith("#")]


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
