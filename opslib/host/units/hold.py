"""Keep units from being started, by whatever: a drop-in with a condition that is false while a record exists.

A mask would not do: it is refused where the unit's file lies in /etc, and until the next boot only (/run) it has no
effect there. The drop-in holds for services, timers and sockets alike, by hand, by trigger, by dependency and after a
reboot; when the record is gone it holds nothing. Source: systemd.unit(5), ConditionPathExists=.
"""

from __future__ import annotations

import os

from opslib.host.command import run
from opslib.host.files import private, tree
from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

UNITS = "/etc/systemd/system"
FOLDER = "/var/lib/opslib/writes"
_LONGEST = 1 << 20


class Held(Record):
    """A unit that was stopped. was_active: whether it ran then; why: asked, or the unit that it would start."""

    unit: str
    was_active: bool
    why: str = "asked"


class Book(Record):
    """The record of what was stopped: its name, since when (seconds since 1970), and the units in their order."""

    name: str
    since: float = 0.0
    units: Sequence[Held] = ()

    @property
    def path(self) -> str:
        """Where it is kept."""
        return "%s/%s.json" % (FOLDER, self.name)

    def text(self) -> str:
        """Return it as it is written."""
        from opslib.host import wire

        rows = [{"unit": one.unit, "was_active": one.was_active, "why": one.why} for one in self.units]
        return wire.dumps({"name": self.name, "since": self.since, "units": rows}) + "\n"


class BrokenBook(Exception):
    """The record is there but says nothing that can be understood."""


def parse(name: str, text: str) -> Book:
    """Return a record from its text. Raises BrokenBook."""
    import json

    try:
        found: Any = json.loads(text)
        rows = [
            Held(unit=str(row["unit"]), was_active=bool(row["was_active"]), why=str(row.get("why", "asked")))
            for row in found["units"]
        ]
        return Book(name=name, since=float(found["since"]), units=rows)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenBook(str(error)) from None


def read(name: str) -> Book | None:
    """Return the record of a name, None when there is none. Raises BrokenBook, OSError."""
    try:
        fd = os.open(Book(name=name).path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return parse(name, os.read(fd, _LONGEST).decode("utf-8", "replace"))
    finally:
        os.close(fd)


def write(book: Book) -> None:
    """Write a record, durably, in one step."""
    _write(book.path, book.text(), 0o600, 0o700)


def forget(book: Book) -> None:
    """Remove a record."""
    _remove(book.path)


def drop_in(name: str, unit: str) -> str:
    """Return the path of the drop-in that holds a unit."""
    return "%s/%s.d/zz-opslib-writes-%s.conf" % (UNITS, unit, name)


def drop_in_text(name: str) -> str:
    """Return what the drop-in says."""
    words = "# Writes are stopped. To have them again: opslib run emergency:data_loss -e emergency_writes=resumed\n"
    return "%s[Unit]\nConditionPathExists=!%s\n" % (words, Book(name=name).path)


def holds(name: str, unit: str) -> bool:
    """Whether the drop-in is there as it should be."""
    try:
        with open(drop_in(name, unit), encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST) == drop_in_text(name)
    except OSError:
        return False


def hold(name: str, units: Sequence[str]) -> None:
    """Put the drop-ins in place and have systemd read them."""
    for unit in units:
        _write(drop_in(name, unit), drop_in_text(name), 0o644, 0o755)
    reload()


def release(name: str, units: Sequence[str]) -> None:
    """Take the drop-ins away and have systemd forget them."""
    for unit in units:
        path = drop_in(name, unit)
        _remove(path)
        try:
            os.rmdir(os.path.dirname(path))
        except OSError:
            pass  # missing, or other drop-ins lie there
    reload()


def reload() -> None:
    """Have systemd read its unit files anew."""
    run(("systemctl", "--no-ask-password", "daemon-reload"), timeout=90)


def _write(path: str, text: str, mode: int, folder_mode: int) -> None:
    parent, name = os.path.split(path)
    try:
        folder = tree.open_folder(parent)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(parent), 0o755, exist_ok=True)
        os.mkdir(parent, folder_mode)
        folder = tree.open_folder(parent)
    try:
        private.replace(folder, name, text, mode)
    finally:
        os.close(folder)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
